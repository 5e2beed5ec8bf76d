// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "html/page_checks.h"
#include "model/tiny_model.h"
#include "run_program.h"

namespace bitnet {
namespace {

const std::string kGolden = BITNET_GOLDEN_DIR "/models/";

struct Page {
  std::string html;
  nlohmann::json json;  // of the same run
};

Page report(const std::string& input) {
  const TemporaryFolder folder;
  const std::string html = folder.path() / "page.html";
  const ProgramResult result =
      run_program({"inspect", input, "--html", html, "--json", "--histograms"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(folder.file_count(), 1U);
  return {read_bytes(html), nlohmann::json::parse(result.out)};
}

std::string quantized_model(const TemporaryFolder& folder) {
  const std::string file = folder.path() / "model.gguf";
  const ProgramResult result =
      run_program({"quantize", kGolden + "bitnet-2b4t/latent", "-o", file});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  return file;
}

std::string with_separators(std::uint64_t number) {
  return number < 1000 ? std::to_string(number)
                       : with_separators(number / 1000) + "," +
                             std::to_string(1000 + number % 1000).substr(1);
}

/// Text that fills an element.
std::string content(const std::string& text) {
  std::string result(1, '>');
  result += text;
  result += '<';
  return result;
}

std::string strip_name(const std::string& name) {
  return std::string("strip-name\"").append(content(name));
}

/// The row of a tensor, by its name as it is escaped.
std::string row_of(const std::string& html, const std::string& name) {
  const std::size_t at = html.find("<code>" + name + "</code>");
  EXPECT_NE(at, std::string::npos) << name;
  return html.substr(at, html.find("</tr>", at) - at);
}

// Oracle: the JSON of the same run, whose statistics are tested against their definitions.
TEST(HtmlReport, ShowsWhatTheJsonSays) {
  const TemporaryFolder folder;
  for (const std::string& input :
       {quantized_model(folder), kGolden + "bitnet-2b4t/latent", kGolden + "bitnet-odd/packed"}) {
    SCOPED_TRACE(input);
    const Page page = report(input);
    expect_balanced(page.html);
    expect_self_contained(page.html, 1);
    EXPECT_LT(page.html.size(), 200000U);
    EXPECT_EQ(occurrences(page.html, "<th scope=\"row\"><i class=\"dot"),
              page.json["tensors"].size() + occurrences(page.html, "data-label=\"Tensors\""));
    for (const nlohmann::json& tensor : page.json["tensors"]) {
      const std::string name = tensor["name"];
      SCOPED_TRACE(name);
      EXPECT_EQ(occurrences(page.html, content(name)), 1U);
      const std::string row = row_of(page.html, name);
      const nlohmann::json& values = tensor["statistics"];
      EXPECT_EQ(occurrences(row, "<desc>" + with_separators(values["negative"]) + " negative, " +
                                     with_separators(values["zero"]) + " zero, " +
                                     with_separators(values["positive"]) + " positive</desc>"),
                1U)
          << row;
      EXPECT_EQ(occurrences(row, content(with_separators(tensor["bytes"]))), 1U) << row;
      EXPECT_EQ(occurrences(row, content(tensor["type"])), 1U) << row;
      EXPECT_EQ(occurrences(row, "class=\"trits\""), tensor.contains("scale") ? 1U : 0U);
      EXPECT_EQ(occurrences(row, "class=\"histogram\""), tensor.contains("scale") ? 0U : 1U);
    }
  }
}

// Oracle: the names of the seven matrices in the two dialects; the sizes of the golden model.
TEST(HtmlReport, DrawsPartsAndLayers) {
  const TemporaryFolder folder;
  const std::string gguf = report(quantized_model(folder)).html;
  for (const char* name :
       {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"}) {
    // One strip of sparsity, one of scales.
    EXPECT_EQ(occurrences(gguf, strip_name(name)), 2U) << name;
    EXPECT_EQ(occurrences(gguf, "<title>" + std::string(name) + ", layer 2: "), 2U) << name;
  }
  EXPECT_EQ(occurrences(gguf, "layer 3: "), 0U);
  const std::string hugging_face = report(kGolden + "bitnet-2b4t/latent").html;
  for (const char* name : {"self_attn.q_proj", "mlp.down_proj"}) {
    EXPECT_EQ(occurrences(hugging_face, strip_name(name)), 1U) << name;
  }
  for (const std::string& html : {gguf, hugging_face}) {
    // 3 layers of 4 and 3 matrices, 4 norms each, and the embedding; a legend of their own each.
    EXPECT_EQ(occurrences(html, "<i class=\"dot attention\""), 1U + 3 * 4);
    EXPECT_EQ(occurrences(html, "<i class=\"dot feed-forward\""), 1U + 3 * 3);
    EXPECT_EQ(occurrences(html, "<i class=\"dot embedding\""), 1U + 1);
    EXPECT_EQ(occurrences(html, "<i class=\"dot norm\""), 1U + 3 * 4 + 1);
    EXPECT_EQ(occurrences(html, "<i class=\"dot other\""), 0U);
  }
}

// Oracle: by hand.
TEST(HtmlReport, MarksOutliersAndBrokenNumbers) {
  const TemporaryFolder folder;
  TinyModel model(20, 20);
  model.config["architectures"] = {"MambaForCausalLM"};
  std::vector<float> values(1000, 0.5F);
  values[1] = -0.5F;
  values[2] = 100;  // 31 standard deviations from the mean
  model.set_floats("layers.0.mixer", {1000}, values);
  model.set_floats(
      "layers.0.broken", {2, 2},
      {std::numeric_limits<float>::quiet_NaN(), 1, 2, -std::numeric_limits<float>::infinity()});
  model.write(folder.path());
  const std::string html = report(folder.path()).html;
  EXPECT_NE(row_of(html, "layers.0.mixer").find("▼ 1 beyond 6 σ"), std::string::npos);
  EXPECT_NE(row_of(html, "layers.0.broken").find("1 NaN, 1 infinite"), std::string::npos);
  EXPECT_NE(html.find("1 tensors hold NaN or infinity"), std::string::npos);
}

void append_number(std::string& bytes, std::uint64_t number, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) {
    bytes += static_cast<char>(number >> (8 * i) & 0xff);
  }
}

void append_string(std::string& bytes, const std::string& text) {
  append_number(bytes, text.size(), 8);
  bytes += text;
}

/// A GGUF file of texts alone, written without the library.
std::string gguf_of_texts(const std::vector<std::pair<std::string, std::string>>& texts) {
  std::string bytes = "GGUF";
  append_number(bytes, 3, 4);
  append_number(bytes, 0, 8);
  append_number(bytes, texts.size(), 8);
  for (const auto& [key, value] : texts) {
    append_string(bytes, key);
    append_number(bytes, 8, 4);
    append_string(bytes, value);
  }
  return bytes;
}

// Oracle: the contract: what a file says is text.
TEST(HtmlReport, HostileTextStaysText) {
  const TemporaryFolder folder;
  const std::string file = folder.path() / "x.gguf";
  const std::string bytes =
      gguf_of_texts({{"<script>alert(1)</script>", "</script><script>alert('2')</script>"},
                     {"general.architecture", "\"><img onerror=alert(3)>&amp;"},
                     {"invalid", "a\xff\xc0\x80\xed\xa0\x80z\x01\x7f"},
                     {std::string(1000, 'k'), "long key"},
                     {"long", std::string(299, 'x') + "ä" + std::string(10000000, 'y')}});
  std::ofstream(file, std::ios::binary) << bytes;
  const std::string html = report(file).html;
  expect_balanced(html);
  expect_self_contained(html, 1);
  EXPECT_EQ(occurrences(html, "&lt;script&gt;alert(1)&lt;/script&gt;"), 1U);
  EXPECT_EQ(occurrences(html, "&lt;/script&gt;&lt;script&gt;alert(&#39;2&#39;)&lt;/script&gt;"),
            1U);
  EXPECT_EQ(occurrences(html, "&quot;&gt;&lt;img onerror=alert(3)&gt;&amp;amp;"), 2U);
  const std::string bad = "\xef\xbf\xbd";
  const std::string bad_text = "a" + bad + bad + bad + bad + bad + bad + "z" + bad + bad;
  EXPECT_EQ(occurrences(html, content(bad_text)), 1U);
  EXPECT_EQ(occurrences(html, content(std::string(299, 'x') + "… (10,000,301 bytes)")), 1U);
  EXPECT_LT(html.size(), 30000U);
}

// Oracle: the contract.
TEST(HtmlReport, HostileTensorNamesStayText) {
  const TemporaryFolder folder;
  TinyModel model(20, 20);
  model.config = {{"architectures", {"<b>&"}}, {"</table>", "'\""}};
  model.tensors.clear();
  model.set_floats("layers.18446744073709551615.<i>\"'&", {2, 2}, {1, 0, -1, 1});
  model.set_floats("layers.999999999.x</td>", {2, 2}, {1, 0, -1, 1});
  for (int i = 0; i < 100; ++i) {
    model.set_floats("layers.1023.many_" + std::to_string(i), {2, 2}, {1, 0, -1, 1});
  }
  model.write(folder.path());
  const std::string html = report(folder.path()).html;
  expect_balanced(html);
  expect_self_contained(html, 1);
  EXPECT_EQ(occurrences(html, "&lt;i&gt;&quot;&#39;&amp;</code>"), 1U);
  EXPECT_EQ(occurrences(html, ">&lt;/table&gt;<"), 1U);
  // 64 strips at most, of sparsity and of scales.
  EXPECT_EQ(occurrences(html, "class=\"strip-name\""), 2U * 64);
  EXPECT_LT(html.size(), 300000U);
}

// Oracle: the contract: the page appears whole or not at all.
TEST(HtmlReport, ReplacesItsFileOnlyWhenDone) {
  const TemporaryFolder folder;
  const std::string page = folder.path() / "page.html";
  std::ofstream(page) << "before";
  EXPECT_EQ(run_program({"inspect", "/nonexistent", "--html", page}).exit_status, 1);
  EXPECT_EQ(read_bytes(page), "before");
  const ProgramResult done =
      run_program({"inspect", kGolden + "bitnet-odd/packed", "--html", page});
  EXPECT_EQ(done.exit_status, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_TRUE(read_bytes(page).ends_with("</html>\n"));
  EXPECT_EQ(folder.file_count(), 1U);
  const ProgramResult no_folder =
      run_program({"inspect", kGolden + "bitnet-odd/packed", "--html", page + "/x.html"});
  EXPECT_EQ(no_folder.exit_status, 1);
  EXPECT_NE(no_folder.err.find("x.html"), std::string::npos) << no_folder.err;
}

// Oracle: the contract.
TEST(HtmlReport, HistogramsAreForJson) {
  const std::string model = kGolden + "bitnet-odd/packed";
  EXPECT_NE(run_program({"inspect", model, "--histograms"}).exit_status, 0);
  const ProgramResult plain = run_program({"inspect", model, "--json"});
  EXPECT_FALSE(nlohmann::json::parse(plain.out)["tensors"][0].contains("statistics"));
  const ProgramResult full = run_program({"inspect", model, "--json", "--histograms"});
  const nlohmann::json statistics = nlohmann::json::parse(full.out)["tensors"][0]["statistics"];
  std::uint64_t sum = 0;
  for (const nlohmann::json& count : statistics["histogram"]["counts"]) {
    sum += count.get<std::uint64_t>();
  }
  EXPECT_EQ(statistics["count"], sum);
}

}  // namespace
}  // namespace bitnet
