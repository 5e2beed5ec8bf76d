// SPDX-License-Identifier: MIT
#include "merge_report.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>

#include "command.h"
#include "text_table.h"

namespace bitnet::cli {
namespace {

double changed_percent(const MergeLoss& loss) {
  return 100 * static_cast<double>(loss.trits_changed) / static_cast<double>(loss.weights);
}

std::string format_decibels(double value) {
  return std::isinf(value) ? "exact" : format_fixed(value, 2);
}

std::vector<std::string> cells(const std::string& name, const MergeLoss& loss) {
  return {name,
          std::to_string(loss.trits_changed),
          format_fixed(changed_percent(loss), 3),
          format_decibels(loss.base_sqnr_db()),
          format_decibels(loss.merged_sqnr_db()),
          format_fixed(std::sqrt(loss.update_squares), 4),
          format_fixed(100 * loss.change_ratio(), 1),
          format_fixed(100 * loss.survival(), 1)};
}

}  // namespace

MergeLoss total_merge_loss(const ConversionReport& report) {
  MergeLoss total;
  for (const TensorReport& tensor : report.tensors) {
    total += tensor.merge_loss.value_or(MergeLoss{});
  }
  return total;
}

void print_merge_losses(const ConversionReport& report, std::ostream& out) {
  const MergeLoss total = total_merge_loss(report);
  if (total.weights == 0) {
    return;
  }
  TextTable table({{"matrix"},
                   {"trits changed", Align::right},
                   {"%", Align::right},
                   {"base dB", Align::right},
                   {"merged dB", Align::right},
                   {"|D|", Align::right},
                   {"change %", Align::right},
                   {"survived %", Align::right}});
  for (const TensorReport& tensor : report.tensors) {
    if (tensor.merge_loss) {
      table.add_row(cells(tensor.name, *tensor.merge_loss));
    }
  }
  table.add_row(cells("all", total));
  out << '\n';
  table.print(out);
  out << "D = scale B A. dB: 10 log10(|W|² / |Q(W) - W|²) before, of W + D after. change: |Q(W + "
         "D) "
         "- Q(W)| / |D|.\nsurvived: the part of D in that change; the rest of D is lost, the rest "
         "of the change is noise.\n";
}

nlohmann::ordered_json merge_loss_json(const MergeLoss& loss) {
  nlohmann::ordered_json json;
  json["weights"] = loss.weights;
  json["trits_changed"] = loss.trits_changed;
  json["base_sqnr_db"] = loss.base_sqnr_db();  // null when exact: JSON has no infinity
  json["merged_sqnr_db"] = loss.merged_sqnr_db();
  json["update_norm"] = std::sqrt(loss.update_squares);
  json["change_norm"] = std::sqrt(loss.change_squares);
  json["change_ratio"] = loss.change_ratio();
  json["survival"] = loss.survival();
  return json;
}

}  // namespace bitnet::cli
