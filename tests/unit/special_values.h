// Numbers at which arithmetic is special: zeros of both signs, infinities, NaN, denormals, the largest and smallest,
// and those next to where functions and conversions change.
#pragma once
#include <float.h>
#include <math.h>
#include <stdint.h>

static inline double op_special_f32(uint64_t k) {
  static const float values[] = {
      0.0f,          -0.0f,          1.0f,           -1.0f,         INFINITY, -INFINITY,   NAN,    FLT_MIN, -FLT_MIN,
      0x1p-149f,     -0x1p-149f,     0x1.8p-130f,    FLT_MAX,       -FLT_MAX, FLT_EPSILON, 0.5f,   -0.5f,   1.5f,
      2.5f,          -2.5f,          0x1.fffffep-1f, 0x1.000002p0f, 88.0f,    -88.0f,      89.0f,  -104.0f, 16777216.0f,
      2147483648.0f, -2147483648.0f, 2147483520.0f,  3e9f,          1e-6f,    10.0f,       -10.0f, 1e10f};
  return (double)values[k % (sizeof values / sizeof *values)];
}

static inline double op_special_i32(uint64_t k) {
  static const int32_t values[] = {
      0, 1, -1, 2, -2, 7, -7, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1, 16777217, 65536, -65537};
  return values[k % (sizeof values / sizeof *values)];
}
