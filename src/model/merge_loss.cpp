// SPDX-License-Identifier: MIT
#include "model/merge_loss.h"

#include <cmath>
#include <limits>
#include <vector>

#include "base/aligned_vector.h"
#include "model/projection_reader.h"
#include "model/row_blocks.h"

namespace bitnet {
namespace {

double decibels(double squares, double errors) {
  return errors == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(squares / errors);
}

/// One matrix before and after, row by row.
class MergedMatrix {
 public:
  MergedMatrix(const ModelSource& source, const SourceWeight& weight, const Runtime& runtime)
      : source_(source),
        weight_(weight),
        base_weight_(base_of(weight)),
        runtime_(runtime),
        base_(open_projection(source, base_weight_, runtime, [](std::uint64_t) {})),
        merged_(open_projection(source, weight_, runtime, [](std::uint64_t) {})) {}

  MergeLoss row(std::size_t index) const {
    const std::size_t n = weight_.name.columns;
    AlignedVector<float> base(n);
    AlignedVector<float> sum(n);
    AlignedVector<float> update(n);
    AlignedVector<std::int8_t> base_trits(n);
    AlignedVector<std::int8_t> merged_trits(n);
    base_->read_row(index, base.data(), base_trits.data());
    merged_->read_row(index, sum.data(), merged_trits.data());
    read_float_row(source_, base_weight_, runtime_, index, base);
    read_update_row(weight_, runtime_, index, update);
    MergeLoss loss;
    loss.weights = n;
    for (std::size_t k = 0; k < n; ++k) {
      const double before = double{base_->scale()} * base_trits[k];
      const double after = double{merged_->scale()} * merged_trits[k];
      const double w = base[k];
      const double d = update[k];
      const double target = sum[k];
      loss.trits_changed += base_trits[k] != merged_trits[k] ? 1 : 0;
      loss.base_squares += w * w;
      loss.base_errors += (before - w) * (before - w);
      loss.merged_squares += target * target;
      loss.merged_errors += (after - target) * (after - target);
      loss.update_squares += d * d;
      loss.change_squares += (after - before) * (after - before);
      loss.change_times_update += (after - before) * d;
    }
    return loss;
  }

 private:
  const ModelSource& source_;
  const SourceWeight& weight_;
  SourceWeight base_weight_;
  const Runtime& runtime_;
  std::unique_ptr<ProjectionReader> base_;
  std::unique_ptr<ProjectionReader> merged_;
};

}  // namespace

MergeLoss& MergeLoss::operator+=(const MergeLoss& other) {
  weights += other.weights;
  trits_changed += other.trits_changed;
  base_squares += other.base_squares;
  base_errors += other.base_errors;
  merged_squares += other.merged_squares;
  merged_errors += other.merged_errors;
  update_squares += other.update_squares;
  change_squares += other.change_squares;
  change_times_update += other.change_times_update;
  return *this;
}

double MergeLoss::base_sqnr_db() const { return decibels(base_squares, base_errors); }
double MergeLoss::merged_sqnr_db() const { return decibels(merged_squares, merged_errors); }

double MergeLoss::change_ratio() const {
  return update_squares == 0 ? 0 : std::sqrt(change_squares / update_squares);
}

double MergeLoss::survival() const {
  return update_squares == 0 ? 0 : change_times_update / update_squares;
}

MergeLoss measure_merge(const ModelSource& source, const SourceWeight& weight,
                        const Runtime& runtime) {
  const MergedMatrix matrix(source, weight, runtime);
  MergeLoss total;
  std::vector<MergeLoss> rows;
  for_each_row_block(
      weight.name.rows, weight.name.columns, [&](std::size_t first, std::size_t count) {
        rows.assign(count, {});
        parallel_rows(runtime, count, [&](std::size_t i) { rows[i] = matrix.row(first + i); });
        for (const MergeLoss& row : rows) {
          total += row;
        }
        source.checkpoint().release(weight.tensor);
      });
  return total;
}

}  // namespace bitnet
