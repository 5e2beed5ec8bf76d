// SPDX-License-Identifier: MIT
#include "contest.h"

namespace bitnet::bench {

std::vector<Contest> all_contests(const std::vector<Runtime>& runtimes) {
  std::vector<Contest> contests;
  for (const Runtime& runtime : runtimes) {
    for (auto* list : {layer_contests, kernel_contests, attention_contests}) {
      const std::vector<Contest> some = list(runtime);
      contests.insert(contests.end(), some.begin(), some.end());
    }
  }
  return contests;
}

}  // namespace bitnet::bench
