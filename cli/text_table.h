// SPDX-License-Identifier: MIT
// Columns of text, as wide as their widest cell.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace bitnet::cli {

enum class Align { left, right };

class TextTable {
 public:
  struct Column {
    std::string title;
    Align align = Align::left;
  };

  explicit TextTable(std::vector<Column> columns);
  /// One cell per column.
  void add_row(std::vector<std::string> cells);
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace bitnet::cli
