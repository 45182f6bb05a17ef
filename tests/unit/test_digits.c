// digits(): the same for the same seed, whatever is asked for; train and test apart; hard for what is linear.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "data.h"

enum { PIXELS = 784, CLASSES = 10 };

static Guard guard;
static Arena *arena;

static int set_up(void **state) {
  (void)state;
  arena = arena_new(allocator_system(), &guard);
  return !arena;
}
static int tear_down(void **state) {
  (void)state;
  arena_free(arena);
  return 0;
}

typedef struct Digits {
  DataSource *image, *label;
  int64_t count;
} Digits;

static Digits draw(const char *split, int64_t count, uint64_t seed) {
  DataStore *store = data_store_new(arena, io_system());
  DiagSink *sink = diag_sink_new(arena);
  SourceSpec spec = {.kind = SOURCE_DIGITS, .split = split, .count = count, .seed = seed, .field = "image"};
  Digits d = {.image = data_open(store, sink, NULL, &spec)};
  spec.field = "label";
  d.label = data_open(store, sink, NULL, &spec);
  assert_non_null(d.image);
  assert_non_null(d.label);
  d.count = data_info(d.image).rows;
  return d;
}

static const float *pixels(const Digits *d, int64_t k) { return data_row(d->image, k); }
static int label(const Digits *d, int64_t k) { return *(const int32_t *)data_row(d->label, k); }

static void they_have_the_form_of_images(void **state) {
  (void)state;
  Digits d = draw("train", 0, 0), test = draw("test", 0, 0);
  assert_int_equal(d.count, 10000);
  assert_int_equal(test.count, 2000);
  DataInfo image = data_info(d.image), labels = data_info(d.label);
  assert_int_equal(image.type, DATA_F32);
  assert_int_equal(image.rank, 3);
  assert_int_equal(image.dim[0] * 10000 + image.dim[1] * 100 + image.dim[2], 282801);
  assert_int_equal(labels.type, DATA_I32);
  assert_int_equal(labels.rank, 0);
  int64_t per_class[CLASSES] = {0};
  for (int64_t k = 0; k < d.count; k++) {
    assert_in_range(label(&d, k), 0, CLASSES - 1);
    per_class[label(&d, k)]++;
    for (int p = 0; p < PIXELS; p++) assert_true(pixels(&d, k)[p] >= 0 && pixels(&d, k)[p] <= 1);
  }
  for (int c = 0; c < CLASSES; c++) assert_int_equal(per_class[c], 1000);
}

static void an_image_depends_on_seed_split_and_index_alone(void **state) {
  (void)state;
  Digits many = draw("train", 500, 7), few = draw("train", 20, 7), other = draw("train", 20, 8),
         test = draw("test", 20, 7);
  for (int64_t k = 0; k < 20; k++) {
    assert_memory_equal(pixels(&many, k), pixels(&few, k), PIXELS * sizeof(float));
    assert_memory_not_equal(pixels(&few, k), pixels(&other, k), PIXELS * sizeof(float));
    assert_memory_not_equal(pixels(&few, k), pixels(&test, k), PIXELS * sizeof(float));
    assert_int_equal(label(&many, k), label(&few, k));
  }
  for (int64_t a = 0; a < 500; a++)
    for (int64_t b = 0; b < a; b++) assert_memory_not_equal(pixels(&many, a), pixels(&many, b), PIXELS * sizeof(float));
}

// The bits are a promise: runs are compared across machines and years.
static void the_bits_stay(void **state) {
  (void)state;
  Digits d = draw("train", 100, 0);
  uLong crc = crc32(0, NULL, 0);
  for (int64_t k = 0; k < d.count; k++) crc = crc32(crc, data_row(d.image, k), PIXELS * sizeof(float));
  assert_int_equal(crc, 0x5b18a42c);
}

// Softmax regression, plain gradient descent: stays under 90 %, and well above chance.
static double linear_accuracy(const Digits *train, const Digits *test, int epochs, float rate) {
  float(*w)[PIXELS + 1] = calloc(CLASSES, sizeof *w);
  assert_non_null(w);
  int64_t right = 0;
  for (int64_t turn = 0; turn < epochs * train->count + test->count; turn++) {
    bool testing = turn >= epochs * train->count;
    const Digits *d = testing ? test : train;
    int64_t k = testing ? turn - epochs * train->count : turn * 7919 % train->count;
    const float *x = pixels(d, k);
    float score[CLASSES], sum = 0;
    int best = 0;
    for (int c = 0; c < CLASSES; c++) {
      score[c] = w[c][PIXELS];
      for (int p = 0; p < PIXELS; p++) score[c] += w[c][p] * x[p];
      if (score[c] > score[best]) best = c;
    }
    right += testing && best == label(d, k);
    float top = score[best];
    for (int c = 0; c < CLASSES; c++) sum += score[c] = expf(score[c] - top);
    for (int c = 0; c < CLASSES && !testing; c++) {
      float step = rate * (score[c] / sum - (float)(c == label(d, k)));
      for (int p = 0; p < PIXELS; p++) w[c][p] -= step * x[p];
      w[c][PIXELS] -= step;
    }
  }
  free(w);
  return (double)right / (double)test->count;
}

static void a_linear_classifier_stays_under_90_percent(void **state) {
  (void)state;
  Digits train = draw("train", 0, 0), test = draw("test", 0, 0);
  double accuracy = linear_accuracy(&train, &test, 3, 0.01f);
  assert_true(accuracy > 0.6);
  assert_true(accuracy < 0.88);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(they_have_the_form_of_images),
      cmocka_unit_test(an_image_depends_on_seed_split_and_index_alone),
      cmocka_unit_test(the_bits_stay),
      cmocka_unit_test(a_linear_classifier_stays_under_90_percent),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
