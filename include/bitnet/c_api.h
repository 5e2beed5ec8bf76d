// SPDX-License-Identifier: MIT
// The library for C programs, and for languages that call C: models, their tokenizers, generation,
// logits and embeddings. C99; bitnet.h does not include it, as C++ programs have the other headers.
//
// Errors: no C++ exception leaves a function. What can fail returns a bitnet_status, or NULL
// instead of a handle, and explains itself in a bitnet_error of the caller; NULL for that argument
// means that nobody wants to know. NULL for any other pointer is BITNET_INVALID_ARGUMENT, except
// where it is said to mean something.
//
// Structs of options begin with struct_size, by which they can grow: a program built for an older
// version works with a newer library and, as long as it leaves the new fields zero, the other way
// round. Get them from bitnet_default_..._options(), never from scratch. NULL: the defaults.
//
// Threads: functions that only ask (const handle) may run at any time, in any thread. Those that
// compute with one model, in whichever session, must take turns; different models do not care.
//
// Linking: `pkg-config --cflags --libs --static bitnet` names the library and what it needs of C++
// (-lbitnet -lpcre2-8 -lpthread -lstdc++ -lm); a shared libbitnet.so brings that along itself.
//
// Text is UTF-8 with a length, and may hold zeros; single strings end with a zero.
#pragma once

#include <stddef.h>
#include <stdint.h>

// NOLINTBEGIN(readability-identifier-naming): C has no namespaces, and its programs write so.

#ifdef __cplusplus
extern "C" {
#endif

/// "0.1.0"; lives forever.
const char* bitnet_version(void);

typedef enum bitnet_status {
  BITNET_OK = 0,
  BITNET_INVALID_ARGUMENT = 1,  ///< an argument broke what is written here
  BITNET_IO = 2,                ///< the operating system refused
  BITNET_FORMAT = 3,            ///< a file is malformed
  BITNET_UNSUPPORTED = 4,       ///< well-formed, but not implemented or not built in
  BITNET_OUT_OF_MEMORY = 5,
  BITNET_OTHER = 6
} bitnet_status;

enum { BITNET_ERROR_CAPACITY = 1024 };

/// Owned by the caller, written by each call that it is given to; need not be initialized. Its
/// layout is final. One for each thread.
typedef struct bitnet_error {
  bitnet_status status;  ///< BITNET_OK and no message after success
  /// What, where, expected, found. Ends with a zero; cut between characters where it is too long.
  char message[BITNET_ERROR_CAPACITY];
} bitnet_error;

/// How the output head is kept in memory.
enum {
  BITNET_HEAD_AUTOMATIC = 0,  ///< as stored; with full_head, Q8_0 for 16 bits above 256 MiB
  BITNET_HEAD_STORED = 1,
  BITNET_HEAD_Q8_0 = 2,
  BITNET_HEAD_Q6_K = 3
};

/// Strings are borrowed for the call that gets them.
typedef struct bitnet_model_options {
  size_t struct_size;
  int32_t threads;         ///< 0: one for each core; includes the caller's
  int32_t head_type;       ///< BITNET_HEAD_...
  const char* hidden_act;  ///< "relu2", "silu": of a GGUF file that does not say it; NULL: it does
  const char* linear_class;   ///< "bitlinear", "autobitlinear": how packed scales are meant; NULL
  const char* pre_tokenizer;  ///< name, when the file's is wrong; NULL: the file's
  int32_t full_head;  ///< 1: generation scores every token, not only those that can be chosen
} bitnet_model_options;

/// How keys and values are kept.
enum {
  BITNET_CACHE_AUTOMATIC = 0,  ///< F16, for small models F32
  BITNET_CACHE_F32 = 1,
  BITNET_CACHE_F16 = 2,
  BITNET_CACHE_Q8_0 = 3
};

typedef struct bitnet_session_options {
  size_t struct_size;
  size_t context;         ///< tokens; 0: as many as the model knows positions
  int32_t cache_type;     ///< BITNET_CACHE_...
  int32_t context_shift;  ///< not 0: when the context is full, forget the older half and go on
  size_t keep;            ///< tokens at the beginning that are never forgotten
} bitnet_session_options;

typedef struct bitnet_logit_bias {
  uint32_t token;
  float bias;  ///< added; -INFINITY forbids the token
} bitnet_logit_bias;

/// How tokens are chosen (generation.h: GenerationConfig). Arrays and strings are borrowed for the
/// call that gets them; an array of no elements may be NULL.
typedef struct bitnet_generation_options {
  size_t struct_size;
  size_t max_new_tokens;     ///< 256
  uint64_t seed;             ///< 0
  float temperature;         ///< 0: the most likely token, always
  float typical_p;           ///< 1: off
  float top_p;               ///< 1: off
  float min_p;               ///< 0: off
  size_t top_k;              ///< 0: off
  size_t repeat_last_n;      ///< 64: the tokens that the penalties look back on
  float repetition_penalty;  ///< 1: off
  float frequency_penalty;   ///< 0: off
  float presence_penalty;    ///< 0: off
  int32_t ignore_eos;        ///< 0: the model's own end tokens end the text
  const char* const* stop;   ///< strings that end the text, which they are no part of
  size_t stop_count;
  const uint32_t* stop_tokens;  ///< tokens that end the text
  size_t stop_token_count;
  const bitnet_logit_bias* logit_bias;
  size_t logit_bias_count;
} bitnet_generation_options;

/// Fill `struct_size` bytes with the defaults; for languages that see no inline functions. NULL and
/// sizes below that of a size_t do nothing.
void bitnet_init_model_options(bitnet_model_options* options, size_t struct_size);
void bitnet_init_session_options(bitnet_session_options* options, size_t struct_size);
void bitnet_init_generation_options(bitnet_generation_options* options, size_t struct_size);

static inline bitnet_model_options bitnet_default_model_options(void) {
  bitnet_model_options options;
  bitnet_init_model_options(&options, sizeof options);
  return options;
}
static inline bitnet_session_options bitnet_default_session_options(void) {
  bitnet_session_options options;
  bitnet_init_session_options(&options, sizeof options);
  return options;
}
static inline bitnet_generation_options bitnet_default_generation_options(void) {
  bitnet_generation_options options;
  bitnet_init_generation_options(&options, sizeof options);
  return options;
}

/// A model with its tokenizer and its threads.
typedef struct bitnet_model bitnet_model;

/// Loads a GGUF file or a Hugging Face folder. The caller owns the result and gives it to
/// bitnet_model_free.
bitnet_model* bitnet_model_load(const char* path, const bitnet_model_options* options,
                                bitnet_error* error);
/// Its sessions may outlive it: they keep what they need. NULL does nothing.
void bitnet_model_free(bitnet_model* model);

/// Token ids are 0 .. this - 1, a row of logits has as many floats. These three: 0 for NULL.
size_t bitnet_vocab_size(const bitnet_model* model);
/// Floats of an embedding.
size_t bitnet_embedding_size(const bitnet_model* model);
/// The longest text, in tokens.
size_t bitnet_max_positions(const bitnet_model* model);

/// Text to token ids. `add_special`: BOS in front and EOS behind, where the model's rules say so;
/// `parse_special`: "<|eot_id|>" becomes the token. `count` gets the number of ids, also when
/// `capacity` is less: then none is written and the result is BITNET_INVALID_ARGUMENT, unless ids
/// is NULL, which only asks for the number. UNSUPPORTED for a model without a tokenizer.
bitnet_status bitnet_tokenize(const bitnet_model* model, const char* text, size_t length,
                              int add_special, int parse_special, uint32_t* ids, size_t capacity,
                              size_t* count, bitnet_error* error);

/// What one token adds to a text, be it special or not: bytes that may be a part of a character.
/// `length` and `capacity` as count and capacity of bitnet_tokenize; no zero is appended.
bitnet_status bitnet_token_bytes(const bitnet_model* model, uint32_t token, char* bytes,
                                 size_t capacity, size_t* length, bitnet_error* error);

/// Logits behind the last `size` / bitnet_vocab_size() of the tokens: one row, for most. `size` is
/// the number of floats in `out`: a whole number of rows, at least one and at most one for each
/// token. UNSUPPORTED for an embedding model. Computes.
bitnet_status bitnet_logits(bitnet_model* model, const uint32_t* ids, size_t count, float* out,
                            size_t size, bitnet_error* error);

/// One vector of length 1 for the text, pooled as the model's files say, else the last token's.
/// `size` is bitnet_embedding_size(). Computes.
bitnet_status bitnet_embed(bitnet_model* model, const uint32_t* ids, size_t count, float* out,
                           size_t size, bitnet_error* error);

/// One text that a model continues. It remembers what the model has read, so that a prompt that
/// begins with the text so far costs only its new part. Used by one thread at a time.
typedef struct bitnet_session bitnet_session;

/// The caller owns the result and gives it to bitnet_session_free.
bitnet_session* bitnet_session_new(bitnet_model* model, const bitnet_session_options* options,
                                   bitnet_error* error);
/// NULL does nothing.
void bitnet_session_free(bitnet_session* session);

/// Hears of each generated token, in the thread that generates. `text` is what became certain with
/// it: `length` bytes and a zero, whole characters that cannot belong to a stop string any more; it
/// may be empty, and always is without a tokenizer. It lives until the callback returns. Non-zero
/// stops. The callback leaves this session alone and returns: no longjmp.
typedef int (*bitnet_token_callback)(void* user_data, uint32_t token, const char* text,
                                     size_t length);

/// Continues a prompt, all of it: it is not appended to the text so far. `callback` may be NULL,
/// `user_data` is handed on to it. BITNET_OK also when the callback stopped it. Computes.
bitnet_status bitnet_session_generate(bitnet_session* session, const uint32_t* ids, size_t count,
                                      const bitnet_generation_options* options,
                                      bitnet_token_callback callback, void* user_data,
                                      bitnet_error* error);
/// The same of a text, encoded with the model's special tokens in front. UNSUPPORTED for a model
/// without a tokenizer.
bitnet_status bitnet_session_generate_text(bitnet_session* session, const char* text, size_t length,
                                           const bitnet_generation_options* options,
                                           bitnet_token_callback callback, void* user_data,
                                           bitnet_error* error);

/// Why the last text ended.
typedef enum bitnet_finish {
  BITNET_FINISH_NONE = 0,       ///< nothing was generated yet, or it failed
  BITNET_FINISH_LENGTH = 1,     ///< max_new_tokens
  BITNET_FINISH_END_TOKEN = 2,  ///< one of the model's, or of stop_tokens
  BITNET_FINISH_STOP_STRING = 3,
  BITNET_FINISH_STOPPED = 4,  ///< by the callback
  BITNET_FINISH_CONTEXT_FULL = 5
} bitnet_finish;
/// BITNET_FINISH_NONE for NULL.
bitnet_finish bitnet_session_finish(const bitnet_session* session);

/// The text so far: prompt and what was generated. `count` and `capacity` as in bitnet_tokenize.
bitnet_status bitnet_session_tokens(const bitnet_session* session, uint32_t* ids, size_t capacity,
                                    size_t* count, bitnet_error* error);

/// Forgets the text. NULL does nothing.
void bitnet_session_reset(bitnet_session* session);

#ifdef __cplusplus
}
#endif

// NOLINTEND(readability-identifier-naming)
