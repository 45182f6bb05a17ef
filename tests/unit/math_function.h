// One pointwise op compiled for a CPU, and by how much a float misses the truth: for test_math.c and campaigns/math.c.
#pragma once
#include <math.h>
#include <stdint.h>

#include "run_step.h"

typedef struct Function {
  Compiled *compiled;
  StepRun run;
  int64_t count;
} Function;

// y = op(x, b) on `count` elements, compiled for the CPU. count 1 is scalar code. compiled: NULL after reporting.
static inline Function function_new(Arena *arena, DiagSink *sink, Op op, const char *cpu, int64_t count) {
  Graph *g = graph_new(arena, "f");
  Builder b = {.graph = g};
  Shape shape = {1, {dim_const(count)}};
  NodeId in[2] = {build_input(&b, "x", DT_F32, &shape), NODE_NONE};
  if (op_info(op)->arity == 2) in[1] = build_input(&b, "b", DT_F32, &shape);
  graph_output(g, OUT_RESULT, "y", build_pointwise(&b, op, op_info(op)->arity, in));
  static const int64_t symbols[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  static const TensorTable none;
  static const PlanOptions plain;
  Plan *plan = plan_make(arena, sink, g, &none, &none, symbols, &plain);
  CodegenOptions how = {.cpu = cpu, .threads = 1};
  Function fn = {.compiled = plan ? codegen_jit(arena, sink, plan, &how) : NULL, .count = count};
  if (fn.compiled) fn.run = step_run_new(codegen_step(fn.compiled), symbols, 0, 0);
  return fn;
}

static inline void function_free(Function *fn) {
  if (fn->compiled) step_run_free(&fn->run);
  codegen_free(fn->compiled);
}

// Where the arguments go, and the results for what stands there.
static inline float *function_input(const Function *fn, int k) { return (float *)fn->run.inputs[k].base; }

static inline const float *function_results(const Function *fn) {
  step_execute(&fn->run, 1);
  return (const float *)step_address(&fn->run, fn->run.step->outputs[0].at);
}

static inline float float_of_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// The distance of neighbouring floats at `want`, a power of two: that of denormals where it is smaller. By bits, as
// 2^32 calls have to be cheap.
static inline double unit_of(double want) {
  uint64_t bits;
  memcpy(&bits, &want, sizeof bits);
  uint64_t exponent = bits >> 52 & 0x7ff;
  if (exponent < 1023 - 126) exponent = 1023 - 126;
  bits = (exponent - 23) << 52;
  memcpy(&want, &bits, sizeof want);
  return want;
}

// Units in the last place by which got is off; infinite where it is NaN or infinite and the truth is not.
static inline double ulps(float got, double want) {
  double error = fabs((double)got - want) / unit_of(want);
  if (error < INFINITY) return error;
  if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
  if (got == (float)want) return 0;
  return isinf(got) && fabs(want) / 0x1p128 > 1 - 0x1p-23 ? 1 : INFINITY;
}
