// train IMAGES LABELS OUT ROWS STEPS THREADS: trains a built library on a file of bytes, from seed 5, and saves the
// weights; then predicts for the last batch, which it writes to OUT.npy, the results to OUT.bin. It predicts before it
// trains too, so that nothing of then may be left; and half-way training goes through a file into memory
// that has held nothing. NAME and UPPER say which library; THREADS above 1 gives it threads
// of this program's.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define F(verb) JOIN(NAME, _##verb)
#define M(word) JOIN(UPPER, _##word)
#include "bytes.h"
#include HEADER

enum { MOST_PARTS = 16 };

typedef struct Part {
  F(task) task;
  void *job;
  int64_t number;
} Part;

static void *do_part(void *state) {
  Part *part = state;
  part->task(part->job, part->number);
  return NULL;
}

static void in_parallel(void *host, int64_t parts, F(task) task, void *job) {
  pthread_t threads[MOST_PARTS];
  Part all[MOST_PARTS];
  for (int64_t k = 0; k < parts; k++) {
    all[k] = (Part){task, job, k};
    if (pthread_create(&threads[k], NULL, do_part, &all[k])) abort();
  }
  for (int64_t k = 0; k < parts; k++) pthread_join(threads[k], NULL);
  ++*(int *)host;
}

static void need(int status, const char *what) {
  if (!status) return;
  fprintf(stderr, "%s: %s\n", what, F(error)(status));
  exit(1);
}

static void write_bin(const char *path, const float *values, size_t n) {
  char name[4096];
  snprintf(name, sizeof name, "%s.bin", path);
  FILE *file = fopen(name, "wb");
  if (!file || fwrite(values, sizeof *values, n, file) != n || fclose(file)) exit(2);
}

// An .npy file's beginning: version 1.0 holds a zero byte, so it is written by itself.
static void write_npy(const char *path, long rows, const char *shape, const float *values, size_t n) {
  char name[4096], text[128];
  snprintf(name, sizeof name, "%s.npy", path);
  FILE *file = fopen(name, "wb");
  int length =
      snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%ld, %s), }", rows, shape);
  if (!file || fwrite("\x93NUMPY\1\0v\0", 1, 10, file) != 10) exit(2);
  fprintf(file, "%-117s\n", text);
  if (length > 117 || fwrite(values, sizeof *values, n, file) != n || fclose(file)) exit(2);
}

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  long n_bytes, n_labels, rows = atol(argv[4]), steps = atol(argv[5]), threads = atol(argv[6]);
  unsigned char *bytes = read_bytes(argv[1], &n_bytes), *labels = read_bytes(argv[2], &n_labels);
  float *image = malloc((size_t)rows * M(IMAGE_SIZE) * sizeof *image);
  int32_t *label = malloc((size_t)rows * sizeof *label);
  size_t size = M(MEMORY_BYTES_FOR)((size_t)threads);
  void *memory = aligned_alloc(M(MEMORY_ALIGN), (size + 63) / 64 * 64);
  float *out = malloc((size_t)rows * M(OUT_SIZE) * sizeof *out);
  if (!image || !label || !memory || !out) return 2;
  memset(memory, 0xff, size);  // NaN
  NAME *model;
  int calls = 0;
  need(F(open)(&model, memory, size), "open");
  if (threads > 1) need(F(threads)(model, in_parallel, &calls, threads), "threads");
  need(F(init)(model, 5), "init");
  need(F(schedule)(model, n_labels / rows, steps), "schedule");
  memset(image, 0, (size_t)rows * M(IMAGE_SIZE) * sizeof *image);
  need(F(predict)(model, image, out, rows), "predict");
  float loss = 0, accuracy = 0;
  char half[4096];
  snprintf(half, sizeof half, "%s.training", argv[3]);
  for (long step = 0; step < steps; step++) {
    long first = step % (n_labels / rows) * rows;
    for (long k = 0; k < rows * M(IMAGE_SIZE); k++) image[k] = (float)bytes[first * M(IMAGE_SIZE) + k] / 255;
    for (long k = 0; k < rows; k++) label[k] = labels[first + k];
    if (step == steps / 2) {  // through a file, into fresh memory
      need(F(save_training)(model, half), "save_training");
      memset(memory, 0xff, size);
      need(F(open)(&model, memory, size), "open");
      if (threads > 1) need(F(threads)(model, in_parallel, &calls, threads), "threads");
      need(F(load_training)(model, half), "load_training");
    }
    need(F(train_step)(model, image, label, rows, &loss, &accuracy), "train_step");
  }
  need(F(save)(model, argv[3]), "save");
  need(F(predict)(model, image, out, rows), "predict");
  write_npy(argv[3], rows, SHAPE, image, (size_t)rows * M(IMAGE_SIZE));
  write_bin(argv[3], out, (size_t)rows * M(OUT_SIZE));
  if (threads > 1 && calls == 0) return 3;
  free(memory), free(out), free(image), free(label), free(bytes), free(labels);
  return 0;
}
