// Statistics of a field over many rows, in double. Squares are summed about the first value of each group, so that a
// large mean does not drown a small variance.
#include <math.h>
#include <string.h>

#include "data_inside.h"

typedef struct Sums {
  FieldStats *stats;  // mean: the first value, until the end; variance: the sum of squares about it; sum: about it
  double *count;      // [n_groups]
} Sums;

static void add_value(const Sums *sums, int32_t group, double value) {
  FieldStats *s = sums->stats;
  if (sums->count[group]++ == 0) s->mean[group] = s->min[group] = s->max[group] = value;
  double distance = value - s->mean[group];
  s->sum[group] += distance;
  s->variance[group] += distance * distance;
  if (value < s->min[group] || isnan(value)) s->min[group] = value;
  if (value > s->max[group] || isnan(value)) s->max[group] = value;
}

static void add_rows(const Sums *sums, const BatchField *field, const void *values, int64_t count,
                     const int32_t *group_of) {
  for (int64_t k = 0; k < count; k++)
    for (int64_t e = 0; e < field->row_elements; e++) {
      int64_t at = k * field->row_elements + e;
      double value = field->type == DATA_F32 ? (double)((const float *)values)[at] : ((const int32_t *)values)[at];
      add_value(sums, group_of[e], value);
    }
}

// From sums about the first value to moments.
static void finish(const Sums *sums) {
  FieldStats *s = sums->stats;
  for (int64_t g = 0; g < s->n_groups; g++) {
    double n = sums->count[g], first = s->mean[g], shift = n > 0 ? s->sum[g] / n : 0;
    s->mean[g] = first + shift;
    s->variance[g] = n > 0 ? fmax(s->variance[g] / n - shift * shift, 0) : 0;
    s->sum[g] += first * n;
  }
}

FieldStats field_statistics(Arena *arena, const BatchField *field, const RowSet *rows, int64_t batch,
                            const int32_t *group_of, int64_t n_groups) {
  FieldStats stats = {.n_groups = n_groups};
  double **all[] = {&stats.mean, &stats.variance, &stats.min, &stats.max, &stats.sum};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) *all[k] = arena_array(arena, (size_t)n_groups, sizeof(double));
  Arena *own = arena_beside(arena);
  Sums sums = {&stats, arena_array(own, (size_t)n_groups, sizeof(double))};
  FieldMaker *maker = field_maker_new(own, field, batch);
  int64_t *which = arena_array(own, (size_t)batch, sizeof *which);
  char *values = data_aligned(own, batch * (field->row_elements > 0 ? field->row_elements : 1), 4);
  for (int64_t done = 0; done < rows->count; done += batch) {
    int64_t count = rows->count - done < batch ? rows->count - done : batch;
    for (int64_t k = 0; k < count; k++) which[k] = rows->rows ? rows->rows[done + k] : done + k;
    field_make(maker, 0, 0, which, count, values);
    add_rows(&sums, field, values, count, group_of);
  }
  finish(&sums);
  arena_free(own);
  return stats;
}
