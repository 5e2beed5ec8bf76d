// SPDX-License-Identifier: MIT
#include <bitnet/c_api.h>
#include <bitnet/embedding.h>
#include <bitnet/error.h>
#include <bitnet/generation.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "base/message.h"

namespace bitnet {
namespace {

struct LoadedModel {
  Runtime runtime;
  std::unique_ptr<LanguageModel> model;
  std::optional<Tokenizer> tokenizer;
};

}  // namespace
}  // namespace bitnet

struct bitnet_model {
  std::shared_ptr<bitnet::LoadedModel> loaded;
};

struct bitnet_session {
  std::shared_ptr<bitnet::LoadedModel> loaded;
  bitnet::Session session;
  bitnet_finish finish = BITNET_FINISH_NONE;
};

namespace bitnet {
namespace {

/// Ends the message with a zero and splits no character.
bitnet_status report(bitnet_error* error, bitnet_status status, std::string_view text) {
  if (error != nullptr) {
    std::size_t size = std::min(text.size(), sizeof(error->message) - 1);
    if (size < text.size()) {
      while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    }
    error->status = status;
    *std::copy_n(text.begin(), size, error->message) = '\0';
  }
  return status;
}

/// To be called in a handler.
bitnet_status report_exception(bitnet_error* error) {
  try {
    throw;
  } catch (const InvalidArgument& e) {
    return report(error, BITNET_INVALID_ARGUMENT, e.what());
  } catch (const IoError& e) {
    return report(error, BITNET_IO, e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    return report(error, BITNET_IO, e.what());
  } catch (const FormatError& e) {
    return report(error, BITNET_FORMAT, e.what());
  } catch (const UnsupportedError& e) {
    return report(error, BITNET_UNSUPPORTED, e.what());
  } catch (const std::bad_alloc&) {
    return report(error, BITNET_OUT_OF_MEMORY, "out of memory");
  } catch (const std::length_error& e) {
    return report(error, BITNET_OUT_OF_MEMORY, e.what());
  } catch (const std::exception& e) {
    return report(error, BITNET_OTHER, e.what());
  } catch (...) {
    return report(error, BITNET_OTHER, "an exception that is no std::exception");
  }
}

/// What stands between C and exceptions.
template <class Work>
bitnet_status guarded(bitnet_error* error, const Work& work) noexcept {
  try {
    work();
    return report(error, BITNET_OK, "");
  } catch (...) {
    return report_exception(error);
  }
}

template <class T>
T& required(T* pointer, const char* name) {
  if (pointer == nullptr) {
    throw InvalidArgument(message(name, ": expected a pointer, found NULL"));
  }
  return *pointer;
}

/// An array that may be NULL when it is empty.
template <class T>
std::span<T> array(T* data, std::size_t size, const char* name) {
  return size == 0 ? std::span<T>() : std::span<T>(&required(data, name), size);
}

/// C strings are optional.
std::optional<std::string> string_or_none(const char* text) {
  return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

template <class T>
T choose(std::span<const T> values, std::int32_t index, const char* name) {
  if (index < 0 || static_cast<std::size_t>(index) >= values.size()) {
    throw InvalidArgument(message(name, ": expected 0 to ", values.size() - 1, ", found ", index));
  }
  return values[static_cast<std::size_t>(index)];
}

template <class Options>
void copy_defaults(Options defaults, void* options, std::size_t size) {
  if (options == nullptr || size < sizeof(size)) return;
  defaults.struct_size = size;
  std::memset(options, 0, size);
  std::memcpy(options, &defaults, std::min(size, sizeof(defaults)));
}

/// The options that a caller of any version gave, in this version's struct.
template <class Options>
Options read_options(const Options* given, const Options& defaults) {
  if (given == nullptr) return defaults;
  const std::size_t size = given->struct_size;
  if (size < sizeof(Options)) {  // as of 0.1, the first version
    throw InvalidArgument(
        message("struct_size: expected at least ", sizeof(Options), ", found ", size));
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(given);
  if (std::any_of(bytes + sizeof(Options), bytes + size, [](auto byte) { return byte != 0; })) {
    throw UnsupportedError("options: set in a field that this version of the library lacks");
  }
  return *given;
}

constexpr bitnet_model_options kModelDefaults = {.struct_size = sizeof(bitnet_model_options),
                                                 .threads = 0,
                                                 .head_type = BITNET_HEAD_AUTOMATIC,
                                                 .hidden_act = nullptr,
                                                 .linear_class = nullptr,
                                                 .pre_tokenizer = nullptr,
                                                 .full_head = 0};

constexpr bitnet_session_options kSessionDefaults = {.struct_size = sizeof(bitnet_session_options),
                                                     .context = 0,
                                                     .cache_type = BITNET_CACHE_AUTOMATIC,
                                                     .context_shift = 0,
                                                     .keep = 0};

bitnet_generation_options generation_defaults() {
  const GenerationConfig config;
  return {.struct_size = sizeof(bitnet_generation_options),
          .max_new_tokens = config.max_new_tokens,
          .seed = config.seed,
          .temperature = config.temperature,
          .typical_p = config.typical_p,
          .top_p = config.top_p,
          .min_p = config.min_p,
          .top_k = config.top_k,
          .repeat_last_n = config.repeat_last_n,
          .repetition_penalty = config.repetition_penalty,
          .frequency_penalty = config.frequency_penalty,
          .presence_penalty = config.presence_penalty,
          .ignore_eos = config.ignore_eos ? 1 : 0,
          .stop = nullptr,
          .stop_count = 0,
          .stop_tokens = nullptr,
          .stop_token_count = 0,
          .logit_bias = nullptr,
          .logit_bias_count = 0};
}

std::shared_ptr<LoadedModel> load(const char* path, const bitnet_model_options* given) {
  const bitnet_model_options options = read_options(given, kModelDefaults);
  constexpr std::array kHeads = {HeadType::automatic, HeadType::stored, HeadType::q8_0,
                                 HeadType::q6_k};
  LoadOptions load_options;
  load_options.head = choose<HeadType>(kHeads, options.head_type, "head_type");
  load_options.head_sketch = options.full_head == 0;
  load_options.hidden_act = string_or_none(options.hidden_act);
  load_options.linear_class = string_or_none(options.linear_class);
  const Checkpoint checkpoint = open_checkpoint(&required(path, "path"));
  auto loaded = std::make_shared<LoadedModel>(
      LoadedModel{Runtime({.threads = options.threads}), nullptr, std::nullopt});
  loaded->model = load_model(checkpoint, loaded->runtime, load_options);
  loaded->tokenizer =
      find_tokenizer(checkpoint, string_or_none(options.pre_tokenizer).value_or(""));
  return loaded;
}

SessionOptions session_options(const bitnet_session_options* given) {
  const bitnet_session_options options = read_options(given, kSessionDefaults);
  constexpr std::array<std::optional<CacheType>, 4> kCaches = {std::nullopt, CacheType::f32,
                                                               CacheType::f16, CacheType::q8_0};
  return {.context = options.context,
          .cache_type = choose<std::optional<CacheType>>(kCaches, options.cache_type, "cache_type"),
          .context_shift = options.context_shift != 0,
          .keep = options.keep};
}

GenerationConfig generation_config(const bitnet_generation_options* given) {
  const bitnet_generation_options options = read_options(given, generation_defaults());
  GenerationConfig config;
  config.max_new_tokens = options.max_new_tokens;
  config.seed = options.seed;
  config.temperature = options.temperature;
  config.typical_p = options.typical_p;
  config.top_p = options.top_p;
  config.min_p = options.min_p;
  config.top_k = options.top_k;
  config.repeat_last_n = options.repeat_last_n;
  config.repetition_penalty = options.repetition_penalty;
  config.frequency_penalty = options.frequency_penalty;
  config.presence_penalty = options.presence_penalty;
  config.ignore_eos = options.ignore_eos != 0;
  for (const char* const text : array(options.stop, options.stop_count, "stop")) {
    config.stop.emplace_back(&required(text, "stop"));
  }
  const auto stop_tokens = array(options.stop_tokens, options.stop_token_count, "stop_tokens");
  config.stop_tokens.assign(stop_tokens.begin(), stop_tokens.end());
  for (const auto& [token, bias] :
       array(options.logit_bias, options.logit_bias_count, "logit_bias")) {
    config.logit_bias[token] = bias;
  }
  return config;
}

const Tokenizer& tokenizer_of(const LoadedModel& loaded) {
  if (!loaded.tokenizer) {
    throw UnsupportedError("this model has no tokenizer: give token ids");
  }
  return *loaded.tokenizer;
}

/// All of `values` into the caller's array, or only their number when that is NULL.
template <class T, class Values>
void hand_over(const Values& values, T* out, std::size_t capacity, std::size_t* count) {
  required(count, "count") = values.size();
  if (out == nullptr) return;
  if (values.size() > capacity) {
    throw InvalidArgument(
        message("capacity: expected at least ", values.size(), ", found ", capacity));
  }
  std::copy(values.begin(), values.end(), out);
}

void compute_logits(LanguageModel& model, std::span<const TokenId> tokens, std::span<float> out) {
  const std::size_t vocabulary = model.config().vocab_size;
  const std::size_t rows = out.size() / vocabulary;
  if (out.size() % vocabulary != 0 || rows == 0 || rows > tokens.size()) {
    throw InvalidArgument(message("size: expected 1 to ", tokens.size(), " rows of ", vocabulary,
                                  " floats, found ", out.size(), " floats"));
  }
  const auto cache = model.new_kv_cache(tokens.size());
  const std::size_t silent = tokens.size() - rows;
  if (silent != 0) {
    const SequenceStep step{tokens.first(silent), cache.get(), OutputRows::none};
    model.forward({&step, 1}, {});
  }
  const SequenceStep step{tokens.subspan(silent), cache.get(), OutputRows::all};
  model.forward({&step, 1}, out);
}

bitnet_finish finish_of(FinishReason reason) {
  constexpr std::array kFinishes = {BITNET_FINISH_LENGTH, BITNET_FINISH_END_TOKEN,
                                    BITNET_FINISH_STOP_STRING, BITNET_FINISH_STOPPED,
                                    BITNET_FINISH_CONTEXT_FULL};
  return kFinishes[static_cast<std::size_t>(reason)];
}

void generate(bitnet_session& session, std::span<const TokenId> prompt,
              const bitnet_generation_options* options, bitnet_token_callback callback,
              void* user_data) {
  session.finish = BITNET_FINISH_NONE;
  TokenCallback on_token;
  if (callback != nullptr) {
    on_token = [=](const GeneratedToken& piece) {
      return callback(user_data, piece.token, piece.text.c_str(), piece.text.size()) == 0;
    };
  }
  const GenerationResult result =
      session.session.generate(prompt, generation_config(options), on_token);
  session.finish = finish_of(result.finish);
}

}  // namespace
}  // namespace bitnet

using namespace bitnet;

const char* bitnet_version(void) { return BITNET_VERSION; }

void bitnet_init_model_options(bitnet_model_options* options, size_t struct_size) {
  copy_defaults(kModelDefaults, options, struct_size);
}

void bitnet_init_session_options(bitnet_session_options* options, size_t struct_size) {
  copy_defaults(kSessionDefaults, options, struct_size);
}

void bitnet_init_generation_options(bitnet_generation_options* options, size_t struct_size) {
  copy_defaults(generation_defaults(), options, struct_size);
}

bitnet_model* bitnet_model_load(const char* path, const bitnet_model_options* options,
                                bitnet_error* error) {
  bitnet_model* model = nullptr;
  guarded(error, [&] { model = new bitnet_model{load(path, options)}; });
  return model;
}

void bitnet_model_free(bitnet_model* model) { delete model; }

size_t bitnet_vocab_size(const bitnet_model* model) {
  return model == nullptr ? 0 : model->loaded->model->config().vocab_size;
}

size_t bitnet_embedding_size(const bitnet_model* model) {
  return model == nullptr ? 0 : model->loaded->model->config().hidden_size;
}

size_t bitnet_max_positions(const bitnet_model* model) {
  return model == nullptr ? 0 : model->loaded->model->max_positions();
}

bitnet_status bitnet_tokenize(const bitnet_model* model, const char* text, size_t length,
                              int add_special, int parse_special, uint32_t* ids, size_t capacity,
                              size_t* count, bitnet_error* error) {
  return guarded(error, [&] {
    const Tokenizer& tokenizer = tokenizer_of(*required(model, "model").loaded);
    const std::string_view view(&required(text, "text"), length);
    hand_over(tokenizer.encode(
                  view, {.add_special = add_special != 0, .parse_special = parse_special != 0}),
              ids, capacity, count);
  });
}

bitnet_status bitnet_token_bytes(const bitnet_model* model, uint32_t token, char* bytes,
                                 size_t capacity, size_t* length, bitnet_error* error) {
  return guarded(error, [&] {
    const Tokenizer& tokenizer = tokenizer_of(*required(model, "model").loaded);
    hand_over(tokenizer.token_bytes(token), bytes, capacity, length);
  });
}

bitnet_status bitnet_logits(bitnet_model* model, const uint32_t* ids, size_t count, float* out,
                            size_t size, bitnet_error* error) {
  return guarded(error, [&] {
    compute_logits(*required(model, "model").loaded->model, array(ids, count, "ids"),
                   array(out, size, "out"));
  });
}

bitnet_status bitnet_embed(bitnet_model* model, const uint32_t* ids, size_t count, float* out,
                           size_t size, bitnet_error* error) {
  return guarded(error, [&] {
    LanguageModel& computes = *required(model, "model").loaded->model;
    const std::size_t width = computes.config().hidden_size;
    if (size != width) {
      throw InvalidArgument(message("size: expected ", width, " floats, found ", size));
    }
    std::ranges::copy(embed(computes, array(ids, count, "ids")), &required(out, "out"));
  });
}

bitnet_session* bitnet_session_new(bitnet_model* model, const bitnet_session_options* options,
                                   bitnet_error* error) {
  bitnet_session* session = nullptr;
  guarded(error, [&] {
    const auto& loaded = required(model, "model").loaded;
    const Tokenizer* const tokenizer = loaded->tokenizer ? &*loaded->tokenizer : nullptr;
    session = new bitnet_session{
        loaded, Session(*loaded->model, tokenizer, session_options(options)), BITNET_FINISH_NONE};
  });
  return session;
}

void bitnet_session_free(bitnet_session* session) { delete session; }

bitnet_status bitnet_session_generate(bitnet_session* session, const uint32_t* ids, size_t count,
                                      const bitnet_generation_options* options,
                                      bitnet_token_callback callback, void* user_data,
                                      bitnet_error* error) {
  return guarded(error, [&] {
    generate(required(session, "session"), array(ids, count, "ids"), options, callback, user_data);
  });
}

bitnet_status bitnet_session_generate_text(bitnet_session* session, const char* text, size_t length,
                                           const bitnet_generation_options* options,
                                           bitnet_token_callback callback, void* user_data,
                                           bitnet_error* error) {
  return guarded(error, [&] {
    const Tokenizer& tokenizer = tokenizer_of(*required(session, "session").loaded);
    generate(*session, tokenizer.encode({&required(text, "text"), length}), options, callback,
             user_data);
  });
}

bitnet_finish bitnet_session_finish(const bitnet_session* session) {
  return session == nullptr ? BITNET_FINISH_NONE : session->finish;
}

bitnet_status bitnet_session_tokens(const bitnet_session* session, uint32_t* ids, size_t capacity,
                                    size_t* count, bitnet_error* error) {
  return guarded(error, [&] {
    hand_over(required(session, "session").session.tokens(), ids, capacity, count);
  });
}

void bitnet_session_reset(bitnet_session* session) {
  if (session != nullptr) {
    session->session.reset();
    session->finish = BITNET_FINISH_NONE;
  }
}
