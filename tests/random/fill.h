// Values of a graph's sources: pure functions of the seed, the source's name and the element's number, so that a graph
// that has been rewritten or reduced sees the same ones.
#pragma once
#include "ir.h"
#include "special_values.h"

typedef struct Fill {
  uint64_t seed;
  bool wild;        // zeros of both signs, infinities, NaN, denormals among the values
  int64_t symbol;   // every symbol's value
  double step;      // f32 values are moved by step * a direction of their own (finite differences)
  uint64_t jitter;  // and by a little, another for each number; 0: not
  // Where not NULL, gives every value instead.
  double (*give)(const void *given, const Node *source, int64_t k);
  const void *given;
} Fill;

// Element k of the source. Names that end in ".var" are at least 0.5: a running variance. i32 values are small.
double fill_value(const Fill *fill, const Node *source, int64_t k);
// The direction in which element k moves: -1..1 for f32, 0 otherwise.
double fill_direction(const Fill *fill, const Node *source, int64_t k);
// An environment that gives these values; symbols is room for [IR_MAX_SYMBOLS].
EvalEnv fill_env(const Fill *fill, int64_t *symbols);
