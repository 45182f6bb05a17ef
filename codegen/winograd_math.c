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

void winograd_result(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *y) {
  LLVMValueRef near_sum = add(irb, m[1], m[2]), near_difference = sub(irb, m[1], m[2]);
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  y[0] = add(irb, m[0], add(irb, near_sum, far_sum));
  y[1] = fma_of(irb, 2, far_difference, near_difference);
  y[2] = fma_of(irb, 4, far_sum, near_sum);
  y[3] = add(irb, m[5], fma_of(irb, 8, far_difference, near_difference));
}

void winograd_filter(const Irb *irb, const LLVMValueRef *g, LLVMValueRef *u) {
  LLVMValueRef ends = add(irb, g[0], g[2]), near_end = times(irb, -1.0 / 6, ends);
  LLVMValueRef far_end = fma_of(irb, 1.0 / 24, g[0], times(irb, 1.0 / 6, g[2]));
  u[0] = times(irb, 0.25, g[0]);
  u[1] = fma_of(irb, -1.0 / 6, g[1], near_end);
  u[2] = fma_of(irb, 1.0 / 6, g[1], near_end);
  u[3] = fma_of(irb, 1.0 / 12, g[1], far_end);
  u[4] = fma_of(irb, -1.0 / 12, g[1], far_end);
  u[5] = g[2];
}

void winograd_spread(const Irb *irb, const LLVMValueRef *y, LLVMValueRef *z) {
  LLVMValueRef even = add(irb, y[0], y[2]), odd = add(irb, y[1], y[3]);
  LLVMValueRef far_even = fma_of(irb, 4, y[2], y[0]), far_odd = fma_of(irb, 8, y[3], times(irb, 2, y[1]));
  z[0] = y[0];
  z[1] = add(irb, even, odd);
  z[2] = sub(irb, even, odd);
  z[3] = add(irb, far_even, far_odd);
  z[4] = sub(irb, far_even, far_odd);
  z[5] = y[3];
}

void winograd_to_filter(const Irb *irb, const LLVMValueRef *m, LLVMValueRef *g) {
  LLVMValueRef near_sum = add(irb, m[1], m[2]), near_difference = sub(irb, m[2], m[1]);
  LLVMValueRef far_sum = add(irb, m[3], m[4]), far_difference = sub(irb, m[3], m[4]);
  LLVMValueRef near_end = times(irb, -1.0 / 6, near_sum);
  g[0] = fma_of(irb, 0.25, m[0], fma_of(irb, 1.0 / 24, far_sum, near_end));
  g[1] = fma_of(irb, 1.0 / 12, far_difference, times(irb, 1.0 / 6, near_difference));
  g[2] = add(irb, m[5], fma_of(irb, 1.0 / 6, far_sum, near_end));
}

void winograd_both(const Irb *irb, WinogradMath math, int from, int to, const LLVMValueRef *in, LLVMValueRef *out) {
  LLVMValueRef half[MOST * MOST], column[MOST], done[MOST];
  for (int c = 0; c < from; c++) {
    for (int r = 0; r < from; r++) column[r] = in[r * from + c];
    math(irb, column, done);
    for (int r = 0; r < to; r++) half[r * from + c] = done[r];
  }
  for (int r = 0; r < to; r++) math(irb, half + r * from, out + r * to);
}
