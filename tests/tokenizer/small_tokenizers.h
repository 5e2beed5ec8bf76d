// SPDX-License-Identifier: MIT
// Tokenizers small enough to write down: what each file must come out as is stated in the tests.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/hugging_face_tokenizer.h"

namespace bitnet::test {

inline constexpr std::string_view kLlama3Regex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  return at == std::string::npos ? "no '" + std::string(from) + "' to replace"
                                 : text.replace(at, from.size(), to);
}

/// Tokens a b Ġ ab Ġab <|begin_of_text|> <|end_of_text|> <|eot_id|> <tool>; ids 5..8 are added.
inline std::string small_bpe_json() {
  return R"({"version":"1.0","added_tokens":[
{"id":5,"content":"<|begin_of_text|>","special":true,"normalized":false},
{"id":6,"content":"<|end_of_text|>","special":true,"normalized":false},
{"id":7,"content":"<|eot_id|>","special":true,"normalized":false},
{"id":8,"content":"<tool>","special":false,"lstrip":true,"rstrip":true,"single_word":true,
 "normalized":true}],
"normalizer":null,
"pre_tokenizer":{"type":"Sequence","pretokenizers":[
{"type":"Split","pattern":{"Regex":")" +
         std::string(kLlama3Regex) + R"("},"behavior":"Isolated","invert":false},
{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},
"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"},
{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin_of_text|>","type_id":0}},
{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}}]},
"decoder":{"type":"ByteLevel"},
"model":{"type":"BPE","ignore_merges":true,"unk_token":null,
"vocab":{"a":0,"b":1,"Ġ":2,"ab":3,"Ġab":4},"merges":["a b",["Ġ","ab"]]}})";
}

inline std::string small_bpe_config() {
  return R"({"bos_token":"<|begin_of_text|>","eos_token":{"content":"<|end_of_text|>"},
"chat_template":[{"name":"tool_use","template":"T"},{"name":"default","template":"D"}]})";
}

/// Tokens <unk> <s> </s> <0x0A> ▁a ab ▁ab ▁ a b: merged tokens first, as SentencePiece orders them.
inline std::string small_spm_json() {
  return R"({"added_tokens":[
{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},
{"id":2,"content":"</s>","special":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
"pre_tokenizer":null,
"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{}},
"decoder":null,
"model":{"type":"BPE","byte_fallback":true,"fuse_unk":true,"unk_token":"<unk>",
"vocab":{"<unk>":0,"<s>":1,"</s>":2,"<0x0A>":3,"▁a":4,"ab":5,"▁ab":6,"▁":7,"a":8,"b":9},
"merges":["▁ a","a b","▁a b","▁ ab"]}})";
}

inline TokenizerData read_json(const std::string& tokenizer, const std::string& config = "",
                               const TokenizerHints& hints = {}) {
  HuggingFaceTexts texts;
  texts.tokenizer_json = tokenizer;
  texts.tokenizer_config_json = config;
  return read_hugging_face(texts, "folder", hints);
}

}  // namespace bitnet::test
