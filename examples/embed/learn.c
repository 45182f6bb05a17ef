// learn OUT.safetensors PICTURE..: goes on training a LeNet-5 with pictures whose names begin with their digit (3.pgm),
// twenty times all of them, and writes the weights: dlc eval, and this program's next run by lenet5_load, read them.
//
//   dlc train examples/embed/lenet5.dl --out runs/digits
//   dlc build examples/embed/lenet5.dl --train --weights runs/digits/step-00000471.safetensors -o lenet5
//   cc -I. examples/embed/learn.c lenet5.o -lm -o learn && ./learn learnt.safetensors examples/embed/digits/*.pgm
#include <string.h>

#include "lenet5.h"
#include "pgm.h"

enum { TIMES = 20 };

static _Alignas(LENET5_MEMORY_ALIGN) char memory[LENET5_MEMORY_BYTES];
static float image[LENET5_TRAIN_ROWS][LENET5_IMAGE_SIZE];
static int32_t label[LENET5_TRAIN_ROWS];

static int32_t digit_of(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  return *name >= '0' && *name <= '9' ? *name - '0' : -1;
}

int main(int argc, char **argv) {
  int rows = argc - 2;
  if (rows < 1 || rows > LENET5_TRAIN_ROWS) {
    fprintf(stderr, "learn OUT.safetensors PICTURE..: 1 to %d pictures\n", LENET5_TRAIN_ROWS);
    return 2;
  }
  for (int k = 0; k < rows; k++) {
    label[k] = digit_of(argv[2 + k]);
    if (label[k] < 0 || !read_pgm(argv[2 + k], image[k])) return 1;
  }
  lenet5 *model;
  int status = lenet5_open(&model, memory, sizeof memory);
  if (!status) status = lenet5_set_rate(model, 2e-4);  // gently: it has learnt much already
  for (int step = 0; step < TIMES && !status; step++) {
    float loss, accuracy;
    status = lenet5_train_step(model, image[0], label, rows, &loss, &accuracy);
    if (!status && step % 5 == 0) printf("step %2d  loss %.4f  accuracy %.2f\n", step, loss, accuracy);
  }
  if (!status) status = lenet5_save(model, argv[1]);
  if (status) fprintf(stderr, "%s\n", lenet5_error(status));
  return status != LENET5_OK;
}
