// Types, dimensions, shapes.
#include "checked.h"
#include "inside.h"

#include <string.h>

static const struct {
  const char *name;
  int size;
} dtypes[DT_COUNT] = {[DT_F32] = {"f32", 4}, [DT_I32] = {"i32", 4}, [DT_BOOL] = {"bool", 1}, [DT_U8] = {"u8", 1}};

const char *dtype_name(DType type) { return (unsigned)type < DT_COUNT ? dtypes[type].name : "?"; }

int dtype_size(DType type) { return dtypes[type].size; }

bool dtype_by_name(const char *name, DType *type) {
  for (int k = 0; k < DT_COUNT; k++)
    if (!strcmp(name, dtypes[k].name)) {
      *type = (DType)k;
      return true;
    }
  return false;
}

int64_t dim_value(Dim d, const int64_t *values) {
  if (dim_is_const(d)) return d.scale;
  dlc_assert(values);
  return d.scale * values[d.symbol - 1];
}

bool dim_valid(const Graph *g, Dim d) {
  if (d.symbol == 0) return d.scale >= 0;
  return d.symbol > 0 && d.symbol <= g->n_symbols && d.scale >= 1;
}

bool shape_equal(const Shape *a, const Shape *b) {
  if (a->rank != b->rank) return false;
  for (int d = 0; d < a->rank; d++)
    if (!dim_equal(a->dim[d], b->dim[d])) return false;
  return true;
}

bool shape_elements(const Shape *shape, Dim *elements) {
  *elements = dim_const(1);
  for (int d = 0; d < shape->rank; d++) {
    Dim dim = shape->dim[d];
    if (dim.symbol && elements->symbol) return false;
    if (dim.symbol) elements->symbol = dim.symbol;
    if (!checked_mul(elements->scale, dim.scale, &elements->scale)) return false;
  }
  if (elements->scale == 0) *elements = dim_const(0);  // 0*N is 0
  return true;
}

int64_t shape_count(const Shape *shape, const int64_t *symbol_values) {
  int64_t count = 1;
  for (int d = 0; d < shape->rank; d++) count *= dim_value(shape->dim[d], symbol_values);
  return count;
}

// A shape's size as scale * product of symbols, each to a power.
typedef struct Monomial {
  int64_t scale;
  int power[IR_MAX_SYMBOLS + 1];
} Monomial;

static bool monomial_of(const Shape *shape, Monomial *m) {
  *m = (Monomial){.scale = 1};
  for (int d = 0; d < shape->rank; d++) {
    if (!checked_mul(m->scale, shape->dim[d].scale, &m->scale)) return false;
    m->power[shape->dim[d].symbol]++;
  }
  m->power[0] = 0;
  return true;
}

bool shape_same_elements(const Shape *a, const Shape *b) {
  Monomial p, q;
  if (!monomial_of(a, &p) || !monomial_of(b, &q) || p.scale != q.scale) return false;
  return p.scale == 0 || !memcmp(p.power, q.power, sizeof p.power);
}

void dim_print(Dim d, const char *const *symbols, int n_symbols, Text *out) {
  if (d.symbol == 0) return text_printf(out, "%lld", (long long)d.scale);
  if (d.scale != 1) text_printf(out, "%lld*", (long long)d.scale);
  bool known = symbols && d.symbol > 0 && d.symbol <= n_symbols && symbols[d.symbol - 1];
  text_add(out, known ? symbols[d.symbol - 1] : "?");
}

static void print_dims(const Shape *shape, const char *const *symbols, int n_symbols, Text *out) {
  text_add(out, "[");
  for (int d = 0; d < shape->rank && d < IR_MAX_RANK; d++) {
    if (d) text_add(out, ",");
    dim_print(shape->dim[d], symbols, n_symbols, out);
  }
  text_add(out, "]");
}

void shape_print(const Shape *shape, const char *const *symbols, Text *out) {
  print_dims(shape, symbols, IR_MAX_SYMBOLS, out);
}

void type_print(const Graph *g, DType type, const Shape *shape, Text *out) {
  text_add(out, dtype_name(type));
  print_dims(shape, g->symbols, g->n_symbols, out);
}
