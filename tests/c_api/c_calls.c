// SPDX-License-Identifier: MIT
#include "c_calls.h"

#include <bitnet/c_api.h>
#include <stdio.h>
#include <string.h>

#define CHECK(condition) \
  if (!(condition)) return #condition

/// What a callback has heard; it stops when it has heard `limit` tokens.
struct heard {
  uint32_t tokens[256];
  size_t count;
  size_t limit;
  char text[4096];
  size_t length;
};

static int hear(void* user_data, uint32_t token, const char* text, size_t length) {
  struct heard* heard = user_data;
  if (heard->count < 256) heard->tokens[heard->count++] = token;
  if (heard->length + length < sizeof heard->text && text[length] == '\0') {
    memcpy(heard->text + heard->length, text, length);
    heard->length += length;
  }
  return heard->limit != 0 && heard->count == heard->limit;
}

static const char* greedy(bitnet_session* session, const uint32_t* prompt, size_t count,
                          const uint32_t* expected, size_t expected_count) {
  struct heard heard = {{0}, 0, 0, "", 0};
  bitnet_error error;
  uint32_t text[512];
  size_t text_count = 0;
  bitnet_generation_options options = bitnet_default_generation_options();
  options.max_new_tokens = expected_count;
  options.ignore_eos = 1;
  CHECK(bitnet_session_generate(session, prompt, count, &options, hear, &heard, &error) ==
        BITNET_OK);
  CHECK(error.status == BITNET_OK && error.message[0] == '\0');
  CHECK(heard.count == expected_count);
  CHECK(memcmp(heard.tokens, expected, expected_count * sizeof *expected) == 0);
  CHECK(bitnet_session_finish(session) == BITNET_FINISH_LENGTH);
  CHECK(bitnet_session_tokens(session, text, 512, &text_count, NULL) == BITNET_OK);
  CHECK(text_count == count + expected_count);
  CHECK(memcmp(text, prompt, count * sizeof *prompt) == 0);
  CHECK(memcmp(text + count, expected, expected_count * sizeof *expected) == 0);
  return NULL;
}

const char* check_greedy(const char* path, const uint32_t* prompt, size_t count,
                         const uint32_t* expected, size_t expected_count) {
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  CHECK(session != NULL);
  CHECK(bitnet_session_finish(session) == BITNET_FINISH_NONE);
  const char* wrong = greedy(session, prompt, count, expected, expected_count);
  if (wrong == NULL) wrong = greedy(session, prompt, count, expected, expected_count);
  bitnet_session_reset(session);
  if (wrong == NULL) wrong = greedy(session, prompt, count, expected, expected_count);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return wrong;
}

static const char* stops(bitnet_session* session, const uint32_t* prompt, size_t count,
                         const uint32_t* expected) {
  struct heard heard = {{0}, 0, 3, "", 0};
  bitnet_generation_options options = bitnet_default_generation_options();
  options.ignore_eos = 1;
  options.max_new_tokens = 20;
  CHECK(bitnet_session_generate(session, prompt, count, &options, hear, &heard, NULL) == BITNET_OK);
  CHECK(heard.count == 3);
  CHECK(bitnet_session_finish(session) == BITNET_FINISH_STOPPED);
  heard.count = heard.limit = 0;
  options.stop_tokens = expected + 1;
  options.stop_token_count = 1;
  CHECK(bitnet_session_generate(session, prompt, count, &options, hear, &heard, NULL) == BITNET_OK);
  CHECK(heard.count == 2);
  CHECK(bitnet_session_finish(session) == BITNET_FINISH_END_TOKEN);
  const bitnet_logit_bias forbidden = {expected[0], -1e30F};
  heard.count = 0;
  options.logit_bias = &forbidden;
  options.logit_bias_count = 1;
  options.max_new_tokens = 1;
  CHECK(bitnet_session_generate(session, prompt, count, &options, hear, &heard, NULL) == BITNET_OK);
  CHECK(heard.count == 1 && heard.tokens[0] != expected[0]);
  return NULL;
}

const char* check_stops(const char* path, const uint32_t* prompt, size_t count,
                        const uint32_t* expected) {
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  const char* wrong = stops(session, prompt, count, expected);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return wrong;
}

const char* check_sessions_outlive_models(const char* path, const uint32_t* prompt, size_t count,
                                          uint32_t expected) {
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  bitnet_model_free(model);
  const char* wrong = greedy(session, prompt, count, &expected, 1);
  bitnet_session_free(session);
  return wrong;
}

const char* check_missing_file(const char* path) {
  bitnet_error error;
  CHECK(bitnet_model_load(path, NULL, &error) == NULL);
  CHECK(error.status == BITNET_IO);
  CHECK(strstr(error.message, path) != NULL);
  return NULL;
}

const char* check_long_message(size_t lead) {
  char path[3 * BITNET_ERROR_CAPACITY + 8];
  bitnet_error error;
  memset(path, 'a', lead);
  for (size_t i = 0; i < BITNET_ERROR_CAPACITY; ++i) {
    memcpy(path + lead + 3 * i, "\xe2\x82\xac", 3);
  }
  path[lead + 3 * BITNET_ERROR_CAPACITY] = '\0';
  CHECK(bitnet_model_load(path, NULL, &error) == NULL);
  CHECK(error.status == BITNET_IO);
  const size_t length = strlen(error.message);
  CHECK(length >= BITNET_ERROR_CAPACITY - 3 && length < BITNET_ERROR_CAPACITY);
  CHECK(memcmp(error.message + length - 3, "\xe2\x82\xac", 3) == 0);
  return NULL;
}

const char* check_null_arguments(const char* path) {
  bitnet_error error;
  size_t count = 0;
  float value = 0;
  const uint32_t id = 1;
  CHECK(bitnet_model_load(NULL, NULL, &error) == NULL);
  CHECK(error.status == BITNET_INVALID_ARGUMENT && strstr(error.message, "path") != NULL);
  CHECK(bitnet_session_new(NULL, NULL, &error) == NULL);
  CHECK(error.status == BITNET_INVALID_ARGUMENT && strstr(error.message, "model") != NULL);
  CHECK(bitnet_tokenize(NULL, "", 0, 0, 0, NULL, 0, &count, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_token_bytes(NULL, 0, NULL, 0, &count, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_logits(NULL, &id, 1, &value, 1, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_embed(NULL, &id, 1, &value, 1, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_generate(NULL, &id, 1, NULL, NULL, NULL, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_generate_text(NULL, "", 0, NULL, NULL, NULL, NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_tokens(NULL, NULL, 0, &count, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_vocab_size(NULL) == 0 && bitnet_embedding_size(NULL) == 0);
  CHECK(bitnet_max_positions(NULL) == 0 && bitnet_session_finish(NULL) == BITNET_FINISH_NONE);
  bitnet_model_free(NULL);
  bitnet_session_free(NULL);
  bitnet_session_reset(NULL);
  bitnet_init_model_options(NULL, sizeof(bitnet_model_options));
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  CHECK(bitnet_logits(model, NULL, 1, &value, 1, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_logits(model, &id, 1, NULL, bitnet_vocab_size(model), NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_embed(model, &id, 1, NULL, bitnet_embedding_size(model), NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_generate(session, NULL, 1, NULL, NULL, NULL, NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_tokens(session, NULL, 0, NULL, NULL) == BITNET_INVALID_ARGUMENT);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return NULL;
}

const char* check_sizes(const char* path) {
  bitnet_error error;
  float few[1];
  size_t count = 0;
  uint32_t one = 0;
  const uint32_t ids[2] = {1, 2};
  const uint32_t no_token = UINT32_MAX;
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  CHECK(bitnet_logits(model, ids, 2, few, 1, &error) == BITNET_INVALID_ARGUMENT);
  CHECK(strstr(error.message, "size") != NULL);
  CHECK(bitnet_logits(model, ids, 2, few, 0, NULL) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_logits(model, ids, 2, few, 3 * bitnet_vocab_size(model), NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_embed(model, ids, 2, few, 1, &error) == BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_generate(session, NULL, 0, NULL, NULL, NULL, NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(bitnet_session_generate(session, &no_token, 1, NULL, NULL, NULL, NULL) ==
        BITNET_INVALID_ARGUMENT);
  bitnet_generation_options options = bitnet_default_generation_options();
  options.max_new_tokens = 0;
  CHECK(bitnet_session_generate(session, ids, 2, &options, NULL, NULL, NULL) == BITNET_OK);
  CHECK(bitnet_session_tokens(session, &one, 1, &count, &error) == BITNET_INVALID_ARGUMENT);
  CHECK(count == 2 && one == 0);
  CHECK(bitnet_session_tokens(session, NULL, 0, &count, &error) == BITNET_OK && count == 2);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return NULL;
}

const char* check_option_structs(const char* path) {
  bitnet_error error;
  struct {
    bitnet_model_options options;
    size_t of_a_newer_version;
  } newer;
  bitnet_model_options options = bitnet_default_model_options();
  options.head_type = 9;
  CHECK(bitnet_model_load(path, &options, &error) == NULL);
  CHECK(error.status == BITNET_INVALID_ARGUMENT && strstr(error.message, "head_type") != NULL);
  options = bitnet_default_model_options();
  options.struct_size = 0;
  CHECK(bitnet_model_load(path, &options, &error) == NULL);
  CHECK(error.status == BITNET_INVALID_ARGUMENT && strstr(error.message, "struct_size") != NULL);
  bitnet_init_model_options(&newer.options, sizeof newer);
  CHECK(newer.options.struct_size == sizeof newer && newer.of_a_newer_version == 0);
  bitnet_model* model = bitnet_model_load(path, &newer.options, &error);
  CHECK(model != NULL);
  bitnet_model_free(model);
  newer.of_a_newer_version = 1;
  CHECK(bitnet_model_load(path, &newer.options, &error) == NULL);
  CHECK(error.status == BITNET_UNSUPPORTED);
  return NULL;
}

const char* check_without_tokenizer(const char* path) {
  size_t count = 0;
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  CHECK(bitnet_tokenize(model, "a", 1, 1, 0, NULL, 0, &count, NULL) == BITNET_UNSUPPORTED);
  CHECK(bitnet_token_bytes(model, 1, NULL, 0, &count, NULL) == BITNET_UNSUPPORTED);
  CHECK(bitnet_session_generate_text(session, "a", 1, NULL, NULL, NULL, NULL) ==
        BITNET_UNSUPPORTED);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return NULL;
}

const char* check_tokenize(const char* path, const char* text, const uint32_t* expected,
                           size_t expected_count, const char* second) {
  uint32_t ids[64] = {0};
  char bytes[64];
  size_t count = 0;
  const size_t length = strlen(text);
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  CHECK(model != NULL && expected_count <= 64);
  CHECK(bitnet_tokenize(model, text, length, 1, 0, NULL, 0, &count, NULL) == BITNET_OK);
  CHECK(count == expected_count);
  count = 0;
  CHECK(bitnet_tokenize(model, text, length, 1, 0, ids, expected_count - 1, &count, NULL) ==
        BITNET_INVALID_ARGUMENT);
  CHECK(count == expected_count && ids[0] == 0);
  CHECK(bitnet_tokenize(model, text, length, 1, 0, ids, 64, &count, NULL) == BITNET_OK);
  CHECK(count == expected_count && memcmp(ids, expected, count * sizeof *ids) == 0);
  CHECK(bitnet_token_bytes(model, ids[1], bytes, 64, &count, NULL) == BITNET_OK);
  CHECK(count == strlen(second) && memcmp(bytes, second, count) == 0);
  CHECK(bitnet_token_bytes(model, UINT32_MAX, bytes, 64, &count, NULL) == BITNET_INVALID_ARGUMENT);
  bitnet_model_free(model);
  return NULL;
}

const char* check_text(const char* path, const char* prompt, size_t tokens, const char* expected) {
  struct heard heard = {{0}, 0, 0, "", 0};
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  bitnet_session* session = bitnet_session_new(model, NULL, NULL);
  bitnet_generation_options options = bitnet_default_generation_options();
  options.max_new_tokens = tokens;
  CHECK(bitnet_session_generate_text(session, prompt, strlen(prompt), &options, hear, &heard,
                                     NULL) == BITNET_OK);
  CHECK(heard.length == strlen(expected));
  CHECK(memcmp(heard.text, expected, heard.length) == 0);
  bitnet_session_free(session);
  bitnet_model_free(model);
  return NULL;
}

const char* read_logits(const char* path, const uint32_t* ids, size_t count, float* out,
                        size_t size) {
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  CHECK(bitnet_logits(model, ids, count, out, size, NULL) == BITNET_OK);
  bitnet_model_free(model);
  return NULL;
}

const char* read_embedding(const char* path, const uint32_t* ids, size_t count, float* out,
                           size_t size) {
  bitnet_model* model = bitnet_model_load(path, NULL, NULL);
  CHECK(bitnet_embed(model, ids, count, out, size, NULL) == BITNET_OK);
  bitnet_model_free(model);
  return NULL;
}
