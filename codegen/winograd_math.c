// The transforms of F(4x4, 3x3), for the interpolation points 0, 1, -1, 2, -2 and infinity. Each statement is one
// rounded operation, a fused multiply-add counting as one: they are part of strict numerics.
#include "winograd_math.h"

enum { MOST = 6 };

static LLVMValueRef add(const Irb *irb, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFAdd(irb->b, a, b, ""); }
static LLVMValueRef sub(const Irb *irb, LLVMValueRef a, LLVMValueRef b) { return LLVMBuildFSub(irb->b, a, b, ""); }

static LLVMValueRef times(const Irb *irb, double factor, LLVMValueRef a) {
  return LLVMBuildFMul(irb->b, irb_float(LLVMTypeOf(a), factor), a, "");
}

// factor * a + b
static LLVMValueRef fma_of(const Irb *irb, double factor, LLVMValueRef a, LLVMValueRef b) {
  return irb_fma(irb, irb_float(LLVMTypeOf(a), factor), a, b);
}

void winograd_window(const Irb *irb, const LLVMValueRef *d, LLVMValueRef *v) {
  LLVMValueRef even = fma_of(irb, -4, d[2], d[4]), odd = fma_of(irb, -4, d[1], d[3]);
  LLVMValueRef far_even = sub(irb, d[4], d[2]), far_odd = times(irb, 2, sub(irb, d[3], d[1]));
  v[0] = fma_of(irb, 4, d[0], fma_of(irb, -5, d[2], d[4]));
  v[1] = add(irb, even, odd);
  v[2] = sub(irb, even, odd);
  v[3] = add(irb, far_even, far_odd);
  v[4] = sub(irb, far_even, far_odd);
  v[5] = fma_of(irb, 4, d[1], fma_of(irb, -5, d[3], d[5]));
}

// ---- F(4x4, 3x3) ----------------------------------------------------------------------------------------------------

static void result_4(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *y) {
  LLVMValueRef near_sum = add(irb, m[1], m[2]), near_difference = sub(irb, m[1], m[2]);
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  y[0] = add(irb, m[0], add(irb, near_sum, far_sum));
  y[1] = fma_of(irb, 2, far_difference, near_difference);
  y[2] = fma_of(irb, 4, far_sum, near_sum);
  y[3] = add(irb, m[5], fma_of(irb, 8, far_difference, near_difference));
}

static void filter_3(const Irb *irb, const LLVMValueRef *g, LLVMValueRef *u) {
  LLVMValueRef ends = add(irb, g[0], g[2]), near_end = times(irb, -1.0 / 6, ends);
  LLVMValueRef far_end = fma_of(irb, 1.0 / 24, g[0], times(irb, 1.0 / 6, g[2]));
  u[0] = times(irb, 0.25, g[0]);
  u[1] = fma_of(irb, -1.0 / 6, g[1], near_end);
  u[2] = fma_of(irb, 1.0 / 6, g[1], near_end);
  u[3] = fma_of(irb, 1.0 / 12, g[1], far_end);
  u[4] = fma_of(irb, -1.0 / 12, g[1], far_end);
  u[5] = g[2];
}

static void spread_4(const Irb *irb, const LLVMValueRef *y, LLVMValueRef *z) {
  LLVMValueRef even = add(irb, y[0], y[2]), odd = add(irb, y[1], y[3]);
  LLVMValueRef far_even = fma_of(irb, 4, y[2], y[0]), far_odd = fma_of(irb, 8, y[3], times(irb, 2, y[1]));
  z[0] = y[0];
  z[1] = add(irb, even, odd);
  z[2] = sub(irb, even, odd);
  z[3] = add(irb, far_even, far_odd);
  z[4] = sub(irb, far_even, far_odd);
  z[5] = y[3];
}

static void to_filter_3(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *g) {
  LLVMValueRef near_sum = add(irb, m[1], m[2]), near_difference = sub(irb, m[2], m[1]);
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  LLVMValueRef near_end = times(irb, -1.0 / 6, near_sum);
  g[0] = fma_of(irb, 0.25, m[0], fma_of(irb, 1.0 / 24, far_sum, near_end));
  g[1] = fma_of(irb, 1.0 / 12, far_difference, times(irb, 1.0 / 6, near_difference));
  g[2] = add(irb, m[5], fma_of(irb, 1.0 / 6, far_sum, near_end));
}

// ---- F(2x2, 5x5) ----------------------------------------------------------------------------------------------------

static void result_2(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *y) {
  LLVMValueRef near_sum = add(irb, m[1], m[2]), near_difference = sub(irb, m[1], m[2]);
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  y[0] = add(irb, m[0], add(irb, near_sum, far_sum));
  y[1] = add(irb, m[5], fma_of(irb, 2, far_difference, near_difference));
}

static void filter_5(const Irb *irb, const LLVMValueRef *g, LLVMValueRef *u) {
  LLVMValueRef even = times(irb, -1.0 / 6, add(irb, add(irb, g[0], g[2]), g[4])), odd = add(irb, g[1], g[3]);
  LLVMValueRef far_even = fma_of(irb, 16, g[4], fma_of(irb, 4, g[2], g[0])), far_odd = fma_of(irb, 4, g[3], g[1]);
  LLVMValueRef far = times(irb, 1.0 / 24, far_even);
  u[0] = times(irb, 0.25, g[0]);
  u[1] = fma_of(irb, -1.0 / 6, odd, even);
  u[2] = fma_of(irb, 1.0 / 6, odd, even);
  u[3] = fma_of(irb, 1.0 / 12, far_odd, far);
  u[4] = fma_of(irb, -1.0 / 12, far_odd, far);
  u[5] = g[4];
}

static void spread_2(const Irb *irb, const LLVMValueRef *y, LLVMValueRef *z) {
  z[0] = y[0];
  z[1] = add(irb, y[0], y[1]);
  z[2] = sub(irb, y[0], y[1]);
  z[3] = fma_of(irb, 2, y[1], y[0]);
  z[4] = fma_of(irb, -2, y[1], y[0]);
  z[5] = y[1];
}

static void to_filter_5(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *g) {
  LLVMValueRef near_end = times(irb, -1.0 / 6, add(irb, m[1], m[2])),
               near_odd = times(irb, 1.0 / 6, sub(irb, m[2], m[1]));
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  g[0] = fma_of(irb, 0.25, m[0], fma_of(irb, 1.0 / 24, far_sum, near_end));
  g[1] = fma_of(irb, 1.0 / 12, far_difference, near_odd);
  g[2] = fma_of(irb, 1.0 / 6, far_sum, near_end);
  g[3] = fma_of(irb, 1.0 / 3, far_difference, near_odd);
  g[4] = add(irb, m[5], fma_of(irb, 2.0 / 3, far_sum, near_end));
}

const WinogradTransforms *winograd_transforms(int filter) {
  static const WinogradTransforms three = {result_4, filter_3, spread_4, to_filter_3};
  static const WinogradTransforms five = {result_2, filter_5, spread_2, to_filter_5};
  return filter == 3 ? &three : &five;
}

// ---------------------------------------------------------------------------------------------------------------------

void winograd_both(const Irb *irb, WinogradMath math, int from, int to, const LLVMValueRef *in, LLVMValueRef *out) {
  LLVMValueRef half[MOST * MOST], column[MOST], done[MOST];
  for (int c = 0; c < from; c++) {
    for (int r = 0; r < from; r++) column[r] = in[r * from + c];
    math(irb, column, done);
    for (int r = 0; r < to; r++) half[r * from + c] = done[r];
  }
  for (int r = 0; r < to; r++) math(irb, half + r * from, out + r * to);
}
