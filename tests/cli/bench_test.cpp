// SPDX-License-Identifier: MIT
// `bitnet bench --kernels`. Oracle: every figure recomputed from the times and probes of the
// rounds; the bytes of packed weights from docs/formats/packed_ternary.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.h"

namespace bitnet {
namespace {

using Json = nlohmann::json;

/// Of an odd number of rounds.
double median(const Json& rounds, const std::function<double(const Json&)>& value) {
  std::vector<double> values;
  for (const Json& round : rounds) values.push_back(value(round));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::size_t ceil_div(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

/// Panels of 32 rows, 128 bytes for each 20 (t16, t16p) or 16 (t2) inputs.
std::size_t packed_bytes(const Json& m) {
  const std::size_t step = m["layout"] == "t2" ? 16 : 20;
  return ceil_div(m["rows"], 32) * ceil_div(m["inputs"], step) * 128;
}

void expect_figures_of_rounds(const Json& m) {
  const double macs =
      m["rows"].get<double>() * m["inputs"].get<double>() * m["tokens"].get<double>();
  const auto bytes = m["weight_bytes"].get<double>();
  const double threads = m["threads"];
  const auto seconds = [](const Json& round) { return round["ms"].get<double>() / 1000; };
  const double typical = median(m["rounds"], seconds);
  const auto near = [&](const char* key, double expected) {
    EXPECT_NEAR(m[key].get<double>() / expected, 1, 1e-9) << key << " of " << m;
  };
  near("ms", 1000 * typical);
  near("gmac_per_s", macs / typical / 1e9);
  near("weight_gb_per_s", bytes / typical / 1e9);
  near("mac_per_cycle", median(m["rounds"], [&](const Json& round) {
         return macs / (seconds(round) * 1e9 * round["core_ghz"].get<double>() * threads);
       }));
  near("percent_of_bandwidth", median(m["rounds"], [&](const Json& round) {
         return bytes / seconds(round) / (1e7 * round["read_gb_per_s"].get<double>());
       }));
  near("percent_of_peak", median(m["rounds"], [&](const Json& round) {
         return macs / seconds(round) / (1e7 * round["dot_gmac_per_s"].get<double>());
       }));
}

TEST(BenchCommand, KernelFiguresFollowFromTheirRounds) {
  // Neither 20 nor 32 divides 300; 333 rows are ten panels and a part of one.
  const ProgramResult result = run_program({"bench", "--kernels", "--shapes", "512x640,333x300",
                                            "--tokens", "1,3", "-t", "2", "-r", "3", "--json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const Json report = Json::parse(result.out);
  EXPECT_FALSE(report["cpu"].get<std::string>().empty());
  EXPECT_FALSE(report["kernels"].get<std::string>().empty());

  std::vector<std::string> cases;
  Json rounds = Json::array();
  for (const Json& m : report["measurements"]) {
    cases.push_back(m["layout"].get<std::string>() + " " + m["rows"].dump() + "x" +
                    m["inputs"].dump() + " " + m["tokens"].dump());
    EXPECT_EQ(m["threads"], 2);
    EXPECT_EQ(m["weight_bytes"], packed_bytes(m));
    ASSERT_EQ(m["rounds"].size(), 3U);
    expect_figures_of_rounds(m);
    rounds.insert(rounds.end(), m["rounds"].begin(), m["rounds"].end());
  }
  const std::string dense = report["kernels"] == "avx512-vbmi" ? "t16p" : "t16";
  EXPECT_EQ(cases,
            (std::vector<std::string>{dense + " 512x640 1", dense + " 512x640 3",
                                      dense + " 333x300 1", dense + " 333x300 3", "t2 512x640 1",
                                      "t2 512x640 3", "t2 333x300 1", "t2 333x300 3"}));

  ASSERT_EQ(report["machine"].size(), 1U);
  EXPECT_EQ(report["machine"][0]["threads"], 2);
  for (const char* key : {"core_ghz", "read_gb_per_s", "dot_gmac_per_s"}) {
    rounds.push_back(report["machine"][0]);  // 24 rounds and their median: an odd number
    const double found =
        median(rounds, [&](const Json& round) { return round[key].get<double>(); });
    EXPECT_DOUBLE_EQ(report["machine"][0][key], found) << key;
    EXPECT_GT(found, 0.0);
    rounds.erase(rounds.size() - 1);
  }
}

TEST(BenchCommand, ShowsWhereTheTimeOfAModelWent) {
  const ProgramResult result = run_program(
      {"bench", "--synthetic", "tiny", "-p", "3", "-n", "2", "-t", "1", "-r", "2", "-o", "json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const Json tests = Json::parse(result.out)["tests"];
  ASSERT_EQ(tests.size(), 2U);
  for (const Json& test : tests) {
    double sum = 0;
    for (const char* part : {"projections", "attention", "head", "rest"}) {
      EXPECT_GT(test["percent_of_time"][part].get<double>(), 0) << part << " of " << test;
      sum += test["percent_of_time"][part].get<double>();
    }
    EXPECT_NEAR(sum, 100, 1e-9);
  }
}

TEST(BenchCommand, CountsKeysAndValuesAmongWhatATokenReads) {
  const ProgramResult result = run_program({"bench", "--synthetic", "tiny", "-p", "0", "-n", "2",
                                            "-d", "5", "-t", "1", "-r", "1", "-o", "json"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const Json report = Json::parse(result.out);
  const Json& test = report["tests"][0];
  // 2 layers, 2 heads of 64 numbers, keys and values in float; the two tokens see 6 and 7 of them.
  const double cached = 2 * 2 * 64 * 2 * 4 * 6.5;
  const double weights = report["bytes_per_token"].get<double>();
  const double speed = test["tokens_per_s"].get<double>();
  EXPECT_NEAR(test["weight_gb_per_s"].get<double>(), speed * weights / 1e9,
              1e-12 * speed * weights);
  EXPECT_NEAR(test["read_gb_per_s"].get<double>(), speed * (weights + cached) / 1e9,
              1e-12 * speed * weights);
  EXPECT_NEAR(test["percent_of_limit"].get<double>(),
              100 * test["read_gb_per_s"].get<double>() / report["read_gb_per_s"].get<double>(),
              1e-9);
}

TEST(BenchCommand, KernelTableHasARowForEachCaseAndItsHelpExplainsTheColumns) {
  const ProgramResult result = run_program(
      {"bench", "--kernels", "--shapes", "512x640", "--tokens", "1,2,3", "-t", "1,2", "-r", "1"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const ProgramResult help = run_program({"bench", "--help"});
  for (const char* column :
       {"ms", "GMAC/s", "MAC/cycle", "weight GB/s", "% of bandwidth", "% of peak"}) {
    EXPECT_NE(result.out.find(std::string("  ") + column), std::string::npos) << column;
    EXPECT_NE(help.out.find(std::string("\n  ") + column + "  "), std::string::npos) << column;
  }
  std::size_t rows = 0;
  for (std::size_t at = 0; (at = result.out.find("512 x 640", at)) != std::string::npos; ++at) {
    ++rows;
  }
  EXPECT_EQ(rows, 2U * 2U * 3U);  // threads, layouts, tokens
  EXPECT_NE(result.out.find("\n1 thread: clock "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("\n2 threads: clock "), std::string::npos) << result.out;
}

TEST(BenchCommand, SaysWhichKernelsItTimed) {
  const ProgramResult result = run_program({"bench", "--kernels", "--shapes", "96x64", "--tokens",
                                            "1", "-t", "1", "-r", "1", "-o", "json"},
                                           {{"BITNET_ISA", "scalar"}});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["kernels"], "scalar");
  EXPECT_EQ(report["measurements"][0]["layout"], "t16") << "t16p is for byte permutations";
}

TEST(BenchCommand, ShapesAndTokensThatAreNoneAreWrongCommandLines) {
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"--shapes", "12"},
                                             {"--shapes", "0x5"},
                                             {"--shapes", "5x"},
                                             {"--shapes", "5x6x7"},
                                             {"--shapes", "5x-6"},
                                             {"--shapes", "64x64,twox2"},
                                             {"--shapes", "64x99999999999999999999"},
                                             {"--tokens", "0"}}) {
    std::vector<std::string> arguments = {"bench", "--kernels"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const ProgramResult result = run_program(arguments);
    EXPECT_EQ(result.exit_status, 2) << wrong[1];
    EXPECT_NE(result.err.find(wrong[0]), std::string::npos) << result.err;
  }
}

}  // namespace
}  // namespace bitnet
