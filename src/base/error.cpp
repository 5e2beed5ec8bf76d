// SPDX-License-Identifier: MIT
#include <bitnet/error.h>

#include "base/message.h"

namespace bitnet {

NonFiniteError::NonFiniteError(const std::string& what_tensor, std::size_t row_index,
                               std::size_t column_index, float found)
    : QuantizationError(message(what_tensor, ": expected finite numbers, found ", found, " at row ",
                                row_index, ", column ", column_index)),
      row(row_index),
      column(column_index),
      value(found) {}

TernaryError::TernaryError(const std::string& what_tensor, std::size_t row_index,
                           std::size_t column_index, int found)
    : Error(message(what_tensor, ": expected a trit, found code ", found, " at row ", row_index,
                    ", column ", column_index)),
      row(row_index),
      column(column_index),
      code(found) {}

}  // namespace bitnet
