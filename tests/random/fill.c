#include "fill.h"

#include <string.h>

#include "random.h"

static bool ends_in(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && !strcmp(name + n - m, end);
}

static double uniform(const Fill *fill, const Node *source, uint64_t salt, int64_t k) {
  return (double)random_uniform(fill->seed ^ salt, random_stream(source->name), (uint64_t)k);
}

double fill_direction(const Fill *fill, const Node *source, int64_t k) {
  return source->type == DT_F32 ? 2 * uniform(fill, source, 0x7, k) - 1 : 0;
}

static double f32_value(const Fill *fill, const Node *source, int64_t k) {
  double t = uniform(fill, source, 0, k);
  double value = (double)(float)(ends_in(source->name, ".var") ? 0.5 + t : 4 * t - 2);
  if (fill->jitter) value += 1e-3 * (2 * uniform(fill, source, 0x1000 + fill->jitter, k) - 1);
  return value + fill->step * fill_direction(fill, source, k);
}

double fill_value(const Fill *fill, const Node *source, int64_t k) {
  if (fill->give) return fill->give(fill->given, source, k);
  uint64_t bits = random_bits(fill->seed ^ 0x3, random_stream(source->name), (uint64_t)k);
  bool special = fill->wild && bits % 4 == 0;
  switch (source->type) {
    case DT_F32:
      return special ? op_special_f32(bits / 4) : f32_value(fill, source, k);
    case DT_I32:
      return special ? op_special_i32(bits / 4) : (double)(int64_t)(bits / 4 % 7) - 1;
    case DT_BOOL:
      return bits / 4 % 2;
    default:
      return bits / 4 % 256;
  }
}

static bool source_values(void *state, const Node *source, double *data, int64_t count) {
  for (int64_t k = 0; k < count; k++) data[k] = fill_value(state, source, k);
  return true;
}

EvalEnv fill_env(const Fill *fill, int64_t *symbols) {
  for (int k = 0; k < IR_MAX_SYMBOLS; k++) symbols[k] = fill->symbol;
  return (EvalEnv){.symbol_values = symbols, .source = source_values, .state = (void *)(uintptr_t)fill, .seed = 1};
}
