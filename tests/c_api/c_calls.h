// SPDX-License-Identifier: MIT
// What a C program does with the library. Each check returns NULL, or the condition that does not
// hold.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Greedy generation from token ids: told to the callback and kept by the session, twice the same.
const char* check_greedy(const char* model, const uint32_t* prompt, size_t count,
                         const uint32_t* expected, size_t expected_count);
/// The callback stops at the third token; a stop token at the second; a limit of one.
const char* check_stops(const char* model, const uint32_t* prompt, size_t count,
                        const uint32_t* expected);
const char* check_sessions_outlive_models(const char* model, const uint32_t* prompt, size_t count,
                                          uint32_t expected);
const char* check_missing_file(const char* path);
/// A path of 3-byte characters, after `lead` ASCII characters; longer than a message can be.
const char* check_long_message(size_t lead);
const char* check_null_arguments(const char* model);
const char* check_sizes(const char* model);
const char* check_option_structs(const char* model);
const char* check_without_tokenizer(const char* model);
/// Token ids of a text, and the bytes of the second of them.
const char* check_tokenize(const char* model, const char* text, const uint32_t* expected,
                           size_t expected_count, const char* second);
const char* check_text(const char* model, const char* prompt, size_t tokens, const char* expected);
/// Both allocate nothing: the caller gives room for the result.
const char* read_logits(const char* model, const uint32_t* ids, size_t count, float* out,
                        size_t size);
const char* read_embedding(const char* model, const uint32_t* ids, size_t count, float* out,
                           size_t size);

#ifdef __cplusplus
}
#endif
