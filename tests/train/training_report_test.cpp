// SPDX-License-Identifier: MIT
// Oracle, unless a test names another: metrics written by hand, whose page is known.
#include <bitnet/error.h>
#include <bitnet/train/training_report.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "formats/temporary_folder.h"
#include "html/page_checks.h"

namespace bitnet::train {
namespace {

using bitnet::test::TemporaryFolder;

std::string start(const std::string& resumed_from = "null") {
  return R"({"event":"start","time":"2026-11-25T18:00:00Z","resumed_from":)" + resumed_from +
         R"(,"config":{"steps":1000,"model":{"hidden_size":256,"num_hidden_layers":8},)"
         R"("prompt":"a<b"},"parameters":5776640,"ternary_parameters":4718592,)"
         R"("train_tokens":7600000,"dev_tokens":240000,"device":"cpu","threads":2})"
         "\n";
}

/// 16384 tokens and 4 seconds a step.
std::string step(int number, const std::string& loss) {
  return R"({"event":"step","step":)" + std::to_string(number) + R"(,"loss":)" + loss +
         R"(,"learning_rate":0.00075,"weight_decay":0.1,"lambda":1.0,"gradient_norm":1.25,"tokens":)" +
         std::to_string(16384 * number) + R"(,"seconds":)" + std::to_string(4 * number) +
         R"(,"tokens_per_second":4096,"sparsity":0.3125,"flips_per_step":1234.5,)"
         R"("flips_share":0.00026})"
         "\n";
}

std::string evaluation(int number, double loss, bool best) {
  return R"({"event":"evaluation","step":)" + std::to_string(number) + R"(,"dev_loss":)" +
         std::to_string(loss) + R"(,"dev_perplexity":134.2,"dev_bits_per_byte":1.93,"best":)" +
         (best ? "true" : "false") + "}\n";
}

const std::string kFinish = R"({"event":"finish","step":1000,"reason":"steps","seconds":4000})"
                            "\n";

std::string report(const std::string& metrics) {
  std::string html = training_report(metrics, "run");
  expect_balanced(html);
  expect_self_contained(html, 0);
  return html;
}

/// The figure of a chart; empty when there is none.
std::string chart(const std::string& html, const std::string& title) {
  const std::size_t at = html.find("<figcaption><b>" + title + "</b>");
  return at == std::string::npos ? "" : html.substr(at, html.find("</figure>", at) - at);
}

/// Points of all lines of a figure.
std::size_t line_points(const std::string& figure) {
  std::size_t points = 0;
  for (std::size_t at = figure.find(" d=\""); at != std::string::npos;
       at = figure.find(" d=\"", at + 1)) {
    const std::string path = figure.substr(at + 4, figure.find('"', at + 4) - at - 4);
    points += occurrences(path, "M") + occurrences(path, "L");
  }
  return points;
}

bool contains(const std::string& html, const std::string& wanted) {
  return html.find(wanted) != std::string::npos;
}

TEST(TrainingReport, ShowsARunningTraining) {
  const std::string html =
      report(start() + step(10, "6.5") + step(20, "5.5") + evaluation(20, 5.75, true) +
             R"({"event":"checkpoint","step":20,"folder":"checkpoint-000020"})"
             "\n" +
             R"({"event":"sample","step":20,"prompt":"It is","text":" a truth"})"
             "\n" +
             step(30, "5") + evaluation(30, 6, false));
  EXPECT_TRUE(contains(html, "<meta http-equiv=\"refresh\" content=\"20\">"));
  EXPECT_TRUE(contains(html, ">running</span>"));
  for (const char* text :
       {"8 layers", "256 wide", "cpu, 2 threads", "started 2026-11-25 18:00:00 UTC",
        "<dd>5.78 M</dd><dt>parameters", "<dd>81.68 %</dd><dt>of these are ternary",
        "<dd>7.60 M</dd><dt>tokens to train on", "<dd>240 k</dd><dt>tokens of dev text",
        "<dd>5.75</dd><dt>best dev loss, step 20", "<dd>31.25 %</dd><dt>of trits are zero",
        "<dd>0.026 %</dd><dt>of trits flip per step", "<b>step 30</b> of 1,000", "width:3.00%",
        "492 k tokens, 0.06467 epochs", "2:00 passed", "<b>1:04:40 left</b>",
        "<i>step 20</i><b>It is</b> a truth</p>", "<code>model.hidden_size</code></dt><dd>256</dd>",
        "<code>checkpoint-000020</code>"}) {
    EXPECT_TRUE(contains(html, text)) << text;
  }
  const std::string loss = chart(html, "Loss");
  EXPECT_EQ(line_points(loss), 3U + 3);  // as they are, smoothed
  EXPECT_EQ(occurrences(loss, "class=\"points series1\" cx"), 2U);
  EXPECT_EQ(occurrences(loss, "<title>best, step 20: 5.75</title>"), 1U);
  EXPECT_TRUE(contains(loss, "best dev 5.75 at step 20"));
  for (const char* title :
       {"Learning rate", "Weight decay", "Sparsity", "Flips", "Gradient norm", "Speed"}) {
    EXPECT_EQ(line_points(chart(html, title)), 3U) << title;
  }
  EXPECT_EQ(line_points(chart(html, "Dev text")), 2U);
  EXPECT_TRUE(contains(chart(html, "Sparsity"), "latest 31.25 %"));
  EXPECT_EQ(chart(html, "Strength of quantization"), "");  // 1 all the time
  EXPECT_EQ(occurrences(html, "<tr class=\"best\"><th scope=\"row\">20 best</th><td>5.75</td>"),
            1U);
  EXPECT_FALSE(contains(html, "could not be read"));
}

// Oracle: by hand: weights 1 and 4/5, 16/25 to both sides.
TEST(TrainingReport, SmoothsTheLoss) {
  const std::string loss =
      chart(report(start() + step(10, "6") + step(20, "5") + step(30, "4")), "Loss");
  // (4 + 0.8 * 5 + 0.64 * 6) / (1 + 0.8 + 0.64), and 5 in the middle; the axis from 3.92 to 6.08.
  EXPECT_TRUE(contains(loss, "latest 4.852")) << loss;
  EXPECT_TRUE(contains(loss, "\"M333.3 431.7h0L666.7 500.0L1000.0 568.3\"")) << loss;
}

TEST(TrainingReport, SaysHowATrainingEnded) {
  const std::string body = start() + step(10, "6") + step(1000, "3");
  const std::string done = report(body + kFinish);
  EXPECT_FALSE(contains(done, "http-equiv=\"refresh\""));
  EXPECT_FALSE(contains(done, "left</b>"));
  EXPECT_TRUE(contains(done, ">finished</span>"));
  EXPECT_TRUE(contains(done, "width:100.00%"));
  EXPECT_TRUE(contains(done, "1:06:40 passed"));
  const std::string early =
      report(body + R"({"event":"finish","step":1000,"reason":"early_stop","seconds":1})"
                    "\n");
  EXPECT_TRUE(contains(early, "finished early"));
  const std::string interrupted =
      report(body + R"({"event":"finish","step":1000,"reason":"interrupted","seconds":1})"
                    "\n");
  EXPECT_TRUE(contains(interrupted, ">interrupted</span>"));
  EXPECT_FALSE(contains(interrupted, "http-equiv=\"refresh\""));
}

TEST(TrainingReport, AResumedRunReplacesWhatLayBeyond) {
  const std::string before = start() + step(10, "6.5") + step(20, "5.5") +
                             evaluation(20, 5.75, true) + step(30, "4.321") +
                             evaluation(30, 4.5, true) + kFinish;
  const std::string html =
      report(before + start("20") + step(20, "5.5") + step(25, "5.25") + step(30, "5"));
  EXPECT_EQ(line_points(chart(html, "Sparsity")), 4U);  // 10, 20, 25, 30
  EXPECT_EQ(occurrences(chart(html, "Loss"), "class=\"points series1\" cx"), 1U);
  EXPECT_TRUE(contains(html, "best dev 5.75 at step 20"));
  EXPECT_FALSE(contains(html, ">4.5<"));
  EXPECT_TRUE(contains(html, "resumed at step 20"));
  EXPECT_TRUE(contains(html, ">running</span>"));
  // 5 steps took 20 seconds since; 970 are left.
  EXPECT_TRUE(contains(html, "<b>1:04:40 left</b>"));

  const std::string anew = report(before + start() + step(5, "7"));
  EXPECT_EQ(line_points(chart(anew, "Sparsity")), 1U);
  EXPECT_EQ(chart(anew, "Dev text"), "");
  EXPECT_FALSE(contains(anew, "resumed at"));
}

TEST(TrainingReport, LastLinesMayBeCut) {
  const std::string whole = start() + step(10, "6.5") + step(20, "5.5");
  const std::string expected = report(whole);
  const std::string line = step(30, "5");
  for (std::size_t length = 0; length + 1 < line.size(); ++length) {
    ASSERT_EQ(training_report(whole + line.substr(0, length), "run"), expected) << length;
  }
  // A run that goes on behind a cut line.
  const std::string resumed = report(whole + R"({"event":"st)" + start("10") + step(20, "5"));
  EXPECT_EQ(line_points(chart(resumed, "Sparsity")), 2U);
  EXPECT_TRUE(contains(resumed, "resumed at step 10"));
  EXPECT_TRUE(contains(resumed, "1 line of the metrics could not be read."));
}

TEST(TrainingReport, CountsLinesThatSayNothing) {
  std::string metrics = start() + step(10, "6.5") + "\n \r\n";
  const std::vector<std::string> unreadable = {
      "garbage",
      "[]",
      "7",
      R"({"event":"step","step":-1,"loss":1})",
      R"({"event":"step","step":18446744073709551615,"loss":1})",
      R"({"event":"step","step":1.5,"loss":1})",
      R"({"event":"step","loss":1})",
      R"({"event":"step","step":20,"loss":NaN})",
      R"({"event":"step","step":20,"loss":1e999})",
      R"({"event":"unknown","step":20})",
      R"({"event":"start","resumed_from":"x"})",
      R"({"event":["step"],"step":20})",
      std::string(100000, '['),
      std::string("{\"event\":\"sample\",\"step\":10,\"text\":\"\xff\"}"),
      std::string("\0", 1)};
  for (const std::string& line : unreadable) {
    metrics += line + "\n";
  }
  const std::string html = report(metrics + step(20, "5.5"));
  EXPECT_TRUE(contains(html, std::to_string(unreadable.size()) + " lines of the metrics")) << html;
  EXPECT_EQ(line_points(chart(html, "Sparsity")), 2U);
}

TEST(TrainingReport, NumbersOfAnyKindAreDrawnOrLeftOut) {
  const std::string html =
      report(start() + step(10, "6") + step(20, "null") + step(30, "\"5\"") + step(40, "1e300") +
             step(50, "-5") +
             R"({"event":"step","step":60})"
             "\n" +
             R"({"event":"evaluation","step":60,"best":true})"
             "\n" +
             R"({"event":"step","step":4503599627370496,"tokens":-1e300,"seconds":1e300})"
             "\n");
  EXPECT_TRUE(contains(html, "The loss is no finite number at step 20."));
  EXPECT_FALSE(contains(html, "nan"));
  EXPECT_FALSE(contains(html, ">inf"));
  EXPECT_EQ(occurrences(html, ">–<"), 4U + 3);  // tiles of the step; a row of the table
}

TEST(TrainingReport, TextStaysText) {
  std::string metrics = start() + step(10, "6") + evaluation(10, 6, true);
  metrics += R"({"event":"sample","step":10,"prompt":"<script>","text":"</p><img src='x'>&\u0001"})"
             "\n";
  metrics += R"({"event":"checkpoint","step":10,"folder":"\"<i>"})"
             "\n";
  metrics += R"({"event":"finish","step":10,"reason":"<u>","seconds":1})"
             "\n";
  std::string html = training_report(metrics, "<b>\"run\" & co");
  expect_balanced(html);
  EXPECT_TRUE(contains(html, "<h1>&lt;b&gt;&quot;run&quot; &amp; co</h1>"));
  EXPECT_TRUE(
      contains(html, "<b>&lt;script&gt;</b>&lt;/p&gt;&lt;img src=&#39;x&#39;&gt;&amp;\ufffd"));
  EXPECT_TRUE(contains(html, "<code>&quot;&lt;i&gt;</code>"));
  EXPECT_TRUE(contains(html, ">&lt;u&gt;</span>"));
  EXPECT_TRUE(contains(html, "<code>prompt</code></dt><dd>a&lt;b</dd>"));

  const std::string hostile =
      R"({"event":"start","time":"<a>","device":"<b>","config":{"<i>":"<u>",)"
      R"("steps":"99999999999999999999","hidden_size":"<s>"}})"
      "\n";
  html = report(hostile);
  EXPECT_TRUE(contains(html, "started &lt;a&gt;"));
  EXPECT_TRUE(contains(html, "&lt;s&gt; wide"));
  EXPECT_TRUE(contains(html, "<code>&lt;i&gt;</code></dt><dd>&lt;u&gt;</dd>"));
}

TEST(TrainingReport, NothingYetIsAPageToo) {
  const std::string html = report("");
  EXPECT_TRUE(contains(html, "waiting for the first line"));
  EXPECT_TRUE(contains(html, "http-equiv=\"refresh\""));
  EXPECT_EQ(occurrences(html, "<svg"), 0U);
  EXPECT_EQ(occurrences(report(start()), "<svg"), 0U);
}

TEST(TrainingReport, LongTrainingsStaySmall) {
  std::string metrics = start();
  for (int i = 1; i <= 20000; ++i) {
    metrics += step(10 * i, std::to_string(3 + 3.0 / i));
  }
  for (int i = 1; i <= 100; ++i) {
    metrics += evaluation(2000 * i, 7.0 - (i == 10 ? 1 : 0), i == 10);
  }
  const std::string html = report(metrics);
  EXPECT_LT(html.size(), 300000U);
  EXPECT_EQ(occurrences(html, "<tr"), 1U + 25 + 1);  // head, the last, the best
  EXPECT_TRUE(contains(html, "The last 25 of 100 and the best."));
}

TEST(TrainingReport, WritesTheFileUnderItsFoldersName) {
  const TemporaryFolder folder;
  const std::filesystem::path metrics = folder / "metrics.jsonl";
  const std::filesystem::path html = folder / "report.html";
  EXPECT_THROW(write_training_report(metrics, html), IoError);
  EXPECT_FALSE(std::filesystem::exists(html));
  std::ofstream(metrics) << start() << step(10, "6");
  write_training_report(metrics, html);
  std::ifstream file(html);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_EQ(text, training_report(start() + step(10, "6"), folder.path().filename().string()));
}

}  // namespace
}  // namespace bitnet::train
