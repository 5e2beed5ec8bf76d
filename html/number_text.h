// SPDX-License-Identifier: MIT
// Numbers as people read them, on terminals and on pages.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bitnet {

/// "1:05", "2:00:09": minutes and seconds.
std::string format_duration(std::chrono::seconds duration);
/// "8.41 MB": decimal units, three digits.
std::string format_bytes(std::uint64_t bytes);
/// printf("%.*f").
std::string format_fixed(double value, int decimals);
/// The shortest text that reads back as the same float.
std::string format_float(float value);
/// "1,234,567"
std::string with_separators(std::uint64_t number);
/// "2.41 G": three digits with a unit of a thousand each.
std::string format_count(std::uint64_t count);
/// Four significant digits.
std::string format_short(double value);
/// "31.4 %" of the whole, "0 %" of nothing.
std::string format_share(std::uint64_t part, std::uint64_t whole);

}  // namespace bitnet
