// Layout and initial values of named tensors.
#include "tensors.h"

#include <math.h>

#include "checked.h"
#include "random.h"

enum {
  ALIGN_FLOATS = 16,
  PAGE_FLOATS = 1024,
  PAGED_FLOATS = 1 << 18  // tensors from this size on begin on a page
};

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

bool tensor_add(Arena *arena, TensorTable *table, const TensorInfo *info) {
  TensorInfo added = *info;
  added.count = 1;
  for (int d = 0; d < info->rank; d++)
    if (!checked_mul(added.count, info->dim[d], &added.count)) return false;
  added.offset = added.count < PAGED_FLOATS ? table->block_floats : round_up(table->block_floats, PAGE_FLOATS);
  int64_t end;
  if (!checked_add(added.offset, added.count, &end) || end > INT64_MAX / 8) return false;
  table->items = arena_grow(arena, table->items, (size_t)table->n_items, &table->capacity, sizeof *table->items);
  hash_add(arena, &table->by_path, hash_text(added.path), table->n_items);
  table->items[table->n_items++] = added;
  table->block_floats = round_up(end, ALIGN_FLOATS);
  return true;
}

int tensor_find(const TensorTable *table, const char *path) { return hash_find(&table->by_path, hash_text(path)); }

// Fans as the initialiser states them, or by the layouts' convention: [in, out] and [kh, kw, in, out].
static void fans(const TensorInfo *info, double *in, double *out) {
  int64_t window = 1;
  for (int d = 0; d + 2 < info->rank; d++) window *= info->dim[d];
  int64_t rows = info->rank >= 2 ? info->dim[info->rank - 2] : 1;
  int64_t columns = info->rank >= 1 ? info->dim[info->rank - 1] : 1;
  *in = (double)(info->init.fan_in ? info->init.fan_in : window * rows);
  *out = (double)(info->init.fan_out ? info->init.fan_out : window * columns);
  if (*in < 1) *in = 1;
  if (*out < 1) *out = 1;
}

typedef struct Draw {
  enum { DRAW_CONSTANT, DRAW_NORMAL, DRAW_UNIFORM } kind;
  double a, b;  // constant: value. normal: mean, standard deviation. uniform: low, high
} Draw;

static Draw draw_symmetric(double bound) { return (Draw){DRAW_UNIFORM, -bound, bound}; }

// Xavier: Glorot and Bengio 2010, both fans. Kaiming: He et al. 2015, fan-in and gain sqrt 2.
static Draw draw_of(const TensorInfo *info) {
  double in, out;
  fans(info, &in, &out);
  switch (info->init.kind) {
    case INIT_ZEROS:
      return (Draw){DRAW_CONSTANT, 0, 0};
    case INIT_ONES:
      return (Draw){DRAW_CONSTANT, 1, 0};
    case INIT_CONSTANT:
      return (Draw){DRAW_CONSTANT, info->init.a, 0};
    case INIT_NORMAL:
      return (Draw){DRAW_NORMAL, info->init.a, info->init.b};
    case INIT_UNIFORM:
      return (Draw){DRAW_UNIFORM, info->init.a, info->init.b};
    case INIT_XAVIER_UNIFORM:
      return draw_symmetric(sqrt(6 / (in + out)));
    case INIT_XAVIER_NORMAL:
      return (Draw){DRAW_NORMAL, 0, sqrt(2 / (in + out))};
    case INIT_KAIMING_UNIFORM:
      return draw_symmetric(sqrt(6 / in));
    case INIT_KAIMING_NORMAL:
      return (Draw){DRAW_NORMAL, 0, sqrt(2 / in)};
    case INIT_ORTHOGONAL:
      return (Draw){DRAW_NORMAL, 0, 1};
  }
  return (Draw){DRAW_CONSTANT, 0, 0};
}

// Modified Gram-Schmidt on the shorter side of [rows, columns]: its vectors become orthonormal (Saxe et al. 2014).
static void orthogonalise(float *w, int64_t rows, int64_t columns) {
  bool wide = columns >= rows;
  int64_t vectors = wide ? rows : columns, length = wide ? columns : rows;
  int64_t step = wide ? 1 : columns, stride = wide ? columns : 1;
  for (int64_t k = 0; k < vectors; k++) {
    float *v = w + k * stride;
    for (int64_t before = 0; before < k; before++) {
      const float *u = w + before * stride;
      double dot = 0;
      for (int64_t i = 0; i < length; i++) dot += (double)v[i * step] * (double)u[i * step];
      for (int64_t i = 0; i < length; i++) v[i * step] = (float)((double)v[i * step] - dot * (double)u[i * step]);
    }
    double norm = 0;
    for (int64_t i = 0; i < length; i++) norm += (double)v[i * step] * (double)v[i * step];
    norm = sqrt(norm);
    for (int64_t i = 0; i < length && norm > 0; i++) v[i * step] = (float)((double)v[i * step] / norm);
  }
}

// Elements begin..end of the tensor.
static void draw_part(const TensorInfo *info, uint64_t seed, float *block, int64_t begin, int64_t end) {
  Draw draw = draw_of(info);
  uint64_t stream = random_stream(info->path);
  float *w = block + info->offset;
  for (int64_t k = begin; k < end; k++) {
    uint64_t index = (uint64_t)k;
    double value = draw.a;
    if (draw.kind == DRAW_NORMAL) value = draw.a + draw.b * random_normal(seed, stream, index);
    if (draw.kind == DRAW_UNIFORM) value = draw.a + (draw.b - draw.a) * (double)random_uniform(seed, stream, index);
    w[k] = (float)value;
  }
}

static void finish(const TensorInfo *info, float *block) {
  if (info->init.kind != INIT_ORTHOGONAL || info->rank < 1 || info->count == 0) return;
  int64_t columns = info->dim[info->rank - 1];
  orthogonalise(block + info->offset, info->count / columns, columns);
}

void tensor_init(const TensorInfo *info, uint64_t seed, float *block) {
  draw_part(info, seed, block, 0, info->count);
  finish(info, block);
}

void tensors_draw(const TensorTable *table, uint64_t seed, float *block, int64_t begin, int64_t end) {
  for (int k = 0; k < table->n_items; k++) {
    const TensorInfo *info = &table->items[k];
    int64_t first = begin > info->offset ? begin - info->offset : 0, last = end - info->offset;
    if (last > info->count) last = info->count;
    if (first < last) draw_part(info, seed, block, first, last);
  }
}

void tensors_finish(const TensorTable *table, float *block) {
  for (int k = 0; k < table->n_items; k++) finish(&table->items[k], block);
}
