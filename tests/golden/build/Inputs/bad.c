// What a library says of everything that a caller can do wrong; nothing is changed by any of it.
#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bad.h"

static _Alignas(64) char memory[BAD_MEMORY_BYTES + 64], other[64];
static float x[BAD_TRAIN_ROWS * BAD_X_SIZE + 1], out[64], loss;
static int32_t label[BAD_TRAIN_ROWS];

static void show(const char *what, int status) { printf("%s: %s\n", what, bad_error(status)); }

static size_t read_file(const char *path, char *bytes, size_t most) {
  FILE *file = fopen(path, "rb");
  if (!file) exit(2);
  size_t n = fread(bytes, 1, most, file);
  fclose(file);
  return n;
}

// Every prefix of a weights file, and every byte of it changed, is refused.
static void damage(bad *model, const char *path) {
  static char bytes[1 << 16];
  size_t n = read_file(path, bytes, sizeof bytes), taken = 0;
  for (size_t k = 0; k < n; k++) taken += bad_load_memory(model, bytes, k) == BAD_OK;
  for (size_t k = 0; k < n; k++) {
    bytes[k] ^= 1;
    taken += bad_load_memory(model, bytes, n) == BAD_OK;
    bytes[k] ^= 1;
  }
  printf("damaged files taken: %zu of %zu\n", taken, 2 * n);
  show("whole", bad_load_memory(model, bytes, n));
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  bad *model = NULL, *none = NULL;
  show("no place for the model", bad_open(NULL, memory, sizeof memory));
  show("no memory", bad_open(&model, NULL, sizeof memory));
  show("odd memory", bad_open(&model, memory + 4, BAD_MEMORY_BYTES));
  show("little memory", bad_open(&model, memory, BAD_MEMORY_BYTES - 1));
  show("not opened", bad_predict((bad *)(void *)other, x, out, 1));
  show("opened", bad_open(&model, memory, BAD_MEMORY_BYTES));
  show("no weights", bad_predict(model, x, out, 1));
  show("no weights to save", bad_save(model, argv[2]));
  show("no weights to train", bad_train_step(model, x, label, 1, &loss));
  show("no file", bad_load(model, "missing.safetensors"));
  show("no path", bad_load(model, NULL));
  show("another model's", bad_load(model, argv[2]));
  show("its own", bad_load(model, argv[1]));
  damage(model, argv[1]);
  show("no model", bad_predict(none, x, out, 1));
  show("no input", bad_predict(model, NULL, out, 1));
  show("no output", bad_predict(model, x, NULL, 1));
  show("odd input", bad_predict(model, (float *)(void *)((char *)x + 1), out, 1));
  show("rows below none", bad_predict(model, x, out, -1));
  show("no rows", bad_predict(model, NULL, NULL, 0));
  show("too many rows", bad_train_step(model, x, label, BAD_TRAIN_ROWS + 1, &loss));
  show("no rows to train on", bad_train_step(model, x, label, 0, &loss));
  show("no threads", bad_threads(model, NULL, NULL, 2));
  show("too many threads", bad_threads(model, NULL, NULL, 1 << 20));
  show("no rate", bad_set_rate(model, 0));
  show("no steps", bad_schedule(model, 0, 1));
  show("no folder", bad_save(model, "missing/w.safetensors"));
  x[0] = NAN;
  show("not a number", bad_train_step(model, x, label, 1, &loss));
  x[0] = 1;
  show("saved", bad_save(model, "again.safetensors"));
  show("weights for training", bad_load_training(model, "again.safetensors"));
  show("no training to read", bad_load_training(model, "missing.training"));
  show("training saved", bad_save_training(model, "all.training"));
  show("training read", bad_load_training(model, "all.training"));
  FILE *file = fopen("all.training", "r+b");
  if (!file || fseek(file, -1, SEEK_END) || fputc(77, file) == EOF || fclose(file)) return 2;
  show("damaged training", bad_load_training(model, "all.training"));
  fesetround(FE_UPWARD);
  show("a step rounding up", bad_train_step(model, x, label, 1, NULL));
  printf("the host still rounds up: %d\n", fegetround() == FE_UPWARD);
  return 0;
}
