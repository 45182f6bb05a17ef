// The doctor's look at the data: are inputs of a usual size, do labels go with what is nearby?
#include <math.h>
#include <string.h>

#include "doctor_inside.h"

enum { QUERIES = 400, SEEN = 1500, MOST_ELEMENTS = 1 << 14 };

typedef struct Spread {
  double mean, std, least, greatest;
} Spread;

// Of every stride-th element of the sample's rows, from `first` on.
static Spread spread_of(const float *values, int64_t count, int64_t first, int64_t stride) {
  Spread s = {.least = INFINITY, .greatest = -INFINITY};
  double sum = 0, squares = 0;
  int64_t n = 0;
  for (int64_t k = first; k < count; k += stride, n++) {
    double value = (double)values[k];
    sum += value;
    squares += value * value;
    s.least = fmin(s.least, value);
    s.greatest = fmax(s.greatest, value);
  }
  s.mean = n ? sum / (double)n : 0;
  s.std = n ? sqrt(fmax(0, squares / (double)n - s.mean * s.mean)) : 0;
  return s;
}

// How much more the widest feature spreads than the narrowest that spreads at all; of rows of up to 64 features.
static double unevenness(const float *values, int64_t rows, int64_t features) {
  double narrow = INFINITY, wide = 0;
  for (int64_t k = 0; features <= 64 && k < features; k++) {
    double std = spread_of(values, rows * features, k, features).std;
    if (std > 0) narrow = fmin(narrow, std);
    wide = fmax(wide, std);
  }
  return narrow < wide ? wide / narrow : 1;
}

static void look_at_input(Doctor *d, const char *name, const float *values, int64_t features) {
  static const char *const advice = "normalise them: / 255 for pixels, or subtract the mean and divide by the spread";
  Spread s = spread_of(values, d->rows * features, 0, 1);
  double uneven = unevenness(values, d->rows, features);
  const char *numbers =
      arena_printf(d->arena, "%s: mean %.3g, std %.3g, from %.3g to %.3g", name, s.mean, s.std, s.least, s.greatest);
  if (s.std == 0)
    doctor_find(d, "inputs", SICK, "look at the data: every number is the same", "%s", numbers);
  else if (s.std > 5 || s.std < 0.01 || fabs(s.mean) > 5 * fmax(1, s.std))
    doctor_find(d, "inputs", SICK, advice, "not normalised; %s", numbers);
  else if (uneven > 100)
    doctor_find(d, "inputs", SICK, advice, "not normalised: one feature spreads %.0f times as far as another; %s",
                uneven, numbers);
  else
    doctor_find(d, "inputs", FINE, NULL, "%s", numbers);
}

void doctor_inputs(Doctor *d) {
  const DlcStep *step = d->whole.runner->step;
  for (int k = 0; k < step->n_inputs; k++)
    if (step->inputs[k].type == DT_F32 && d->row_bytes[k])
      look_at_input(d, step->inputs[k].name, (const float *)(const void *)d->sample[k],
                    d->row_bytes[k] / (int64_t)sizeof(float));
}

// ---- labels ---------------------------------------------------------------------------------------------------------

// Every stride-th element, each over its spread, so that no feature drowns the others.
static double distance(const float *a, const float *b, const double *weight, int64_t features, int64_t stride) {
  double sum = 0;
  for (int64_t k = 0; k < features; k += stride) {
    double difference = ((double)a[k] - (double)b[k]) * weight[k];
    sum += difference * difference;
  }
  return sum;
}

static int64_t nearest(const Doctor *d, const float *values, const double *weight, int64_t features, int64_t row,
                       int64_t seen) {
  int64_t stride = (features + MOST_ELEMENTS - 1) / MOST_ELEMENTS, found = -1;
  double least = INFINITY;
  for (int64_t other = 0; other < seen; other++) {
    if (other == row) continue;
    double far = distance(values + row * features, values + other * features, weight, features, stride);
    if (far < least) least = far, found = other;
  }
  (void)d;
  return found;
}

// The largest f32 input: what a label is a label of.
static int main_input(const Doctor *d) {
  const DlcStep *step = d->whole.runner->step;
  int found = -1;
  for (int k = 0; k < step->n_inputs; k++)
    if (step->inputs[k].type == DT_F32 && d->row_bytes[k] && (found < 0 || d->row_bytes[k] > d->row_bytes[found]))
      found = k;
  return found;
}

// Images keep their pixels' own sizes; a few features are brought to one spread.
static double *weights_of(const Doctor *d, const float *values, int64_t features) {
  double *weight = arena_array(d->arena, (size_t)features, sizeof *weight);
  for (int64_t k = 0; k < features; k++) {
    double std = features <= 64 ? spread_of(values, d->rows * features, k, features).std : 1;
    weight[k] = std > 0 ? 1 / std : 0;
  }
  return weight;
}

// The share of rows whose nearest other row has their label, against what shuffled labels would give.
void doctor_labels(Doctor *d) {
  int input = main_input(d);
  if (d->label < 0 || input < 0 || d->rows < 50) {
    doctor_find(d, "labels", LEFT_OUT, NULL, d->label < 0 ? "no class label a row" : "too few rows to compare");
    return;
  }
  const float *values = (const float *)(const void *)d->sample[input];
  const int32_t *labels = (const int32_t *)(const void *)d->sample[d->label];
  int64_t features = d->row_bytes[input] / (int64_t)sizeof(float), seen = d->rows < SEEN ? d->rows : SEEN;
  int64_t queries = seen < QUERIES ? seen : QUERIES, same = 0;
  const double *weight = weights_of(d, values, features);
  double *share = arena_array(d->arena, (size_t)d->classes, sizeof *share), chance = 0;
  for (int64_t row = 0; row < seen; row++)
    if (labels[row] >= 0 && labels[row] < d->classes) share[labels[row]] += 1 / (double)seen;
  for (int k = 0; k < d->classes; k++) chance += share[k] * share[k];
  for (int64_t row = 0; row < queries; row++)
    same += labels[nearest(d, values, weight, features, row, seen)] == labels[row];
  double found = (double)same / (double)queries, spread = sqrt(chance * (1 - chance) / (double)queries);
  bool shuffled = found < chance + 3 * spread && chance < 0.95;
  doctor_find(
      d, "labels", shuffled ? SICK : FINE,
      shuffled ? "check that rows and labels are in the same order: with shuffled labels only chance is learnt" : NULL,
      "%sthe nearest other row has the same label in %.0f %% of rows; by chance %.0f %%",
      shuffled ? "they look shuffled: " : "", 100 * found, 100 * chance);
}
