// Augmentation: rows of pixels flipped, cut, turned, and made brighter or richer in contrast.
//
// Each number that chance decides is a function of (seed, epoch, row, step) alone, so that a resumed run sees the same
// images and so do fields that change alike. Only + - * / are used, and no sum depends on the order of threads.
#include <string.h>

#include "data_inside.h"
#include "random.h"

static const double pi = 3.14159265358979323846;

// Taylor's series at an eighth of the angle, then doubled three times.
void data_turn(double angle, double *cosine, double *sine) {
  double x = angle / 8, square = x * x;
  double s = x * (1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))));
  double c = 1 - square / 2 * (1 - square / 12 * (1 - square / 30 * (1 - square / 56 * (1 - square / 90))));
  for (int k = 0; k < 3; k++) {
    double twice = 2 * s * c;
    c = c * c - s * s;
    s = twice;
  }
  *cosine = c;
  *sine = s;
}

// ---- sizes ----------------------------------------------------------------------------------------------------------

static bool size_after(const AugmentStep *step, int64_t *height, int64_t *width) {
  const AugmentOp *op = step->op;
  if (op->kind != AUGMENT_CROP) return true;
  if (op->height > *height + 2 * op->pad || op->width > *width + 2 * op->pad) return false;
  *height = op->height;
  *width = op->width;
  return true;
}

bool augment_size(const FieldAugment *a, int64_t *height, int64_t *width) {
  *height = a->height;
  *width = a->width;
  for (int k = 0; k < a->n_steps; k++)
    if (!size_after(&a->steps[k], height, width)) return false;
  return true;
}

int64_t augment_room(const FieldAugment *a) {
  int64_t height = a->height, width = a->width, most = height * width;
  for (int k = 0; k < a->n_steps; k++) {
    size_after(&a->steps[k], &height, &width);
    if (height * width > most) most = height * width;
  }
  return most * a->channels;
}

// ---- one row --------------------------------------------------------------------------------------------------------

typedef struct Picture {
  int64_t height, width, channels;
  const uint32_t *from;  // floats or integers: moved as they are
  uint32_t *to;
  bool floats;
} Picture;

// Numbers of one step for one row, in 0..1.
static float draw(const AugmentStep *step, uint64_t seed, int64_t epoch, int64_t row, uint64_t number) {
  uint64_t stream = step->stream + (uint64_t)epoch * 0x9E3779B97F4A7C15u;  // an odd factor: all epochs differ
  return random_uniform(seed, stream, (uint64_t)row * 4 + number);
}

static void flip_horizontal(const Picture *p) {
  for (int64_t y = 0; y < p->height; y++)
    for (int64_t x = 0; x < p->width; x++)
      memcpy(p->to + (y * p->width + x) * p->channels, p->from + (y * p->width + p->width - 1 - x) * p->channels,
             (size_t)p->channels * sizeof *p->to);
}

static void flip_vertical(const Picture *p) {
  size_t line = (size_t)(p->width * p->channels);
  for (int64_t y = 0; y < p->height; y++)
    memcpy(p->to + (size_t)y * line, p->from + (size_t)(p->height - 1 - y) * line, line * sizeof *p->to);
}

// height x width pixels from (top, left) on, which may lie outside: there are zeros.
static void cut(const Picture *p, int64_t height, int64_t width, int64_t top, int64_t left) {
  size_t pixel = (size_t)p->channels * sizeof *p->to;
  int64_t first = left < 0 ? -left : 0, last = left + width > p->width ? p->width - left : width;
  for (int64_t y = 0; y < height; y++) {
    uint32_t *line = p->to + y * width * p->channels;
    int64_t from = top + y;
    memset(line, 0, (size_t)width * pixel);
    if (from < 0 || from >= p->height || last <= first) continue;
    memcpy(line + first * p->channels, p->from + (from * p->width + left + first) * p->channels,
           (size_t)(last - first) * pixel);
  }
}

static float pixel_at(const Picture *p, int64_t y, int64_t x, int64_t channel) {
  if (y < 0 || y >= p->height || x < 0 || x >= p->width) return 0;
  float value;
  memcpy(&value, p->from + (y * p->width + x) * p->channels + channel, sizeof value);
  return value;
}

static int64_t floor_of(double x) {
  int64_t whole = (int64_t)x;
  return (double)whole > x ? whole - 1 : whole;
}

// The pixel whose place in the picture is (y, x): floats between their four neighbours, integers the nearest one.
static void sample(const Picture *p, double y, double x, uint32_t *to) {
  if (!p->floats) {
    int64_t row = floor_of(y + 0.5), column = floor_of(x + 0.5);
    bool inside = row >= 0 && row < p->height && column >= 0 && column < p->width;
    if (inside) memcpy(to, p->from + (row * p->width + column) * p->channels, (size_t)p->channels * sizeof *to);
    if (!inside) memset(to, 0, (size_t)p->channels * sizeof *to);
    return;
  }
  int64_t top = floor_of(y), left = floor_of(x);
  float down = (float)(y - (double)top), right = (float)(x - (double)left);
  for (int64_t c = 0; c < p->channels; c++) {
    float above = pixel_at(p, top, left, c) * (1 - right) + pixel_at(p, top, left + 1, c) * right;
    float below = pixel_at(p, top + 1, left, c) * (1 - right) + pixel_at(p, top + 1, left + 1, c) * right;
    float value = above * (1 - down) + below * down;
    memcpy(to + c, &value, sizeof value);
  }
}

// About the middle, counter-clockwise.
static void turn(const Picture *p, double angle) {
  double cosine, sine, middle_y = (double)(p->height - 1) / 2, middle_x = (double)(p->width - 1) / 2;
  data_turn(angle, &cosine, &sine);
  for (int64_t y = 0; y < p->height; y++)
    for (int64_t x = 0; x < p->width; x++) {
      double dy = (double)y - middle_y, dx = (double)x - middle_x;
      sample(p, middle_y + sine * dx + cosine * dy, middle_x + cosine * dx - sine * dy,
             p->to + (y * p->width + x) * p->channels);
    }
}

// (x - middle) * factor + middle.
static void stretch_values(const Picture *p, float middle, float factor) {
  int64_t count = p->height * p->width * p->channels;
  for (int64_t k = 0; k < count; k++) {
    float value;
    memcpy(&value, p->from + k, sizeof value);
    value = (value - middle) * factor + middle;
    memcpy(p->to + k, &value, sizeof value);
  }
}

static float mean_of(const Picture *p) {
  int64_t count = p->height * p->width * p->channels;
  double sum = 0;
  for (int64_t k = 0; k < count; k++) {
    float value;
    memcpy(&value, p->from + k, sizeof value);
    sum += (double)value;
  }
  return count ? (float)(sum / (double)count) : 0;
}

// Without training only the middle is cut out.
static void crop(const Picture *p, const AugmentOp *op, bool training, float down, float right) {
  int64_t spare_y = p->height + 2 * op->pad - op->height, spare_x = p->width + 2 * op->pad - op->width;
  int64_t top = training ? (int64_t)(down * (float)(spare_y + 1)) : spare_y / 2;
  int64_t left = training ? (int64_t)(right * (float)(spare_x + 1)) : spare_x / 2;
  cut(p, op->height, op->width, (top < spare_y ? top : spare_y) - op->pad, (left < spare_x ? left : spare_x) - op->pad);
}

// Does the step to the picture; false where it leaves it as it is.
static bool run_step(const Picture *p, const AugmentStep *step, bool training, uint64_t seed, int64_t epoch,
                     int64_t row) {
  const AugmentOp *op = step->op;
  if (!training && op->kind != AUGMENT_CROP) return false;
  float chance = draw(step, seed, epoch, row, 0), swing = 2 * chance - 1, amount = (float)op->amount;
  switch (op->kind) {
    case AUGMENT_FLIP_HORIZONTAL:
      if (chance < amount) flip_horizontal(p);
      return chance < amount;
    case AUGMENT_FLIP_VERTICAL:
      if (chance < amount) flip_vertical(p);
      return chance < amount;
    case AUGMENT_CROP:
      crop(p, op, training, chance, draw(step, seed, epoch, row, 1));
      return true;
    case AUGMENT_ROTATION:
      turn(p, (double)swing * op->amount * pi / 180);
      return true;
    case AUGMENT_BRIGHTNESS:
      stretch_values(p, 0, 1 + amount * swing);
      return true;
    case AUGMENT_CONTRAST:
      stretch_values(p, mean_of(p), 1 + amount * swing);
      return true;
  }
  return false;
}

void augment_row(const FieldAugment *a, int type, uint64_t seed, int64_t epoch, int64_t row, const void *from, void *to,
                 void *const scratch[2]) {
  Picture p = {a->height, a->width, a->channels, from, NULL, type == DATA_F32};
  int turn_of = 0;
  for (int k = 0; k < a->n_steps; k++) {
    p.to = scratch[turn_of];
    if (!run_step(&p, &a->steps[k], a->training, seed, epoch, row)) continue;
    size_after(&a->steps[k], &p.height, &p.width);
    p.from = p.to;
    turn_of = 1 - turn_of;
  }
  memcpy(to, p.from, (size_t)(p.height * p.width * p.channels) * sizeof *p.to);
}
