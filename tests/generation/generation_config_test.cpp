// SPDX-License-Identifier: MIT
// load_generation_config. Oracle: the meaning of the keys in Hugging Face's GenerationConfig, case
// by case.
#include <bitnet/error.h>
#include <bitnet/generation.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "model/tiny_model.h"

namespace bitnet {
namespace {

GenerationConfig load(const std::string& text) {
  const TemporaryFolder folder;
  TinyModel(16, 16).write(folder.path());
  if (!text.empty()) std::ofstream(folder.path() / "generation_config.json") << text;
  return load_generation_config(open_checkpoint(folder.path()));
}

TEST(GenerationConfigFile, WithoutSamplingTheTemperatureIsZero) {
  for (const char* text : {"", "{}", R"({"do_sample": false, "temperature": 0.7})",
                           R"({"temperature": 0.7})", R"({"do_sample": null})"}) {
    EXPECT_EQ(load(text).temperature, 0) << text;
  }
}

TEST(GenerationConfigFile, SamplingHasItsOwnNumbersOrNone) {
  const GenerationConfig all =
      load(R"({"do_sample": true, "temperature": 0.7, "top_k": 20, "top_p": 0.9})");
  EXPECT_EQ(all.temperature, 0.7F);
  EXPECT_EQ(all.top_k, 20U);
  EXPECT_EQ(all.top_p, 0.9F);
  const GenerationConfig none = load(R"({"do_sample": true, "top_k": null})");
  EXPECT_EQ(none.temperature, 1);
  EXPECT_EQ(none.top_k, 0U);
  EXPECT_EQ(none.top_p, 1);
  EXPECT_EQ(none.max_new_tokens, GenerationConfig().max_new_tokens);
}

TEST(GenerationConfigFile, WrongValuesAreNamed) {
  for (const std::string key :
       {R"("do_sample": 1)", R"("temperature": -1)", R"("temperature": "hot")",
        R"("temperature": 1e39)", R"("top_k": 1.5)", R"("top_k": -1)", R"("top_k": 1e10)",
        R"("top_p": 0)", R"("top_p": 1.5)", R"("top_p": "all")"}) {
    try {
      load("{" + key + "}");
      ADD_FAILURE() << key;
    } catch (const FormatError& error) {
      const std::string expected = "generation_config.json: key " + key.substr(0, key.find(':'));
      EXPECT_EQ(std::string(error.what()).substr(0, expected.size()), expected);
    }
  }
}

}  // namespace
}  // namespace bitnet
