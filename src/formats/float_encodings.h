#pragma once
#include <cstring>
#include "base/half.h"
#include "formats/encoding.h"
namespace bitnet {
inline bool encodes_floats(Encoding e) { return e == Encoding::f32 || e == Encoding::f16 || e == Encoding::bf16; }
inline void encode_float_rows(Encoding e, std::span<const float> v, std::size_t, std::span<std::byte> out) {
  for (std::size_t i = 0; i < v.size(); ++i) {
    if (e == Encoding::f32) { std::memcpy(out.data() + 4 * i, &v[i], 4); continue; }
    std::uint16_t h = 0;
    if (e == Encoding::f16) h = float_to_half(v[i]);
    else { std::uint32_t u; std::memcpy(&u, &v[i], 4); h = (u + 0x7fff + ((u >> 16) & 1)) >> 16; }
    std::memcpy(out.data() + 2 * i, &h, 2);
  }
}
}
