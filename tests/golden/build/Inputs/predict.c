// predict IN.npy OUT ROWS: the first rows of the file through a library with its weights inside; the results as they
// are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lenet5.h"

static _Alignas(LENET5_MEMORY_ALIGN) char memory[LENET5_MEMORY_BYTES];

int main(int argc, char **argv) {
  size_t rows = argc > 3 ? (size_t)atol(argv[3]) : 0;
  float *image = malloc(rows * LENET5_IMAGE_SIZE * sizeof *image + 1),
        *out = malloc(rows * LENET5_OUT_SIZE * sizeof *out + 1);
  FILE *file = fopen(argv[1], "rb");
  if (!file || fseek(file, 128, SEEK_SET)) return 2;
  if (fread(image, sizeof *image * LENET5_IMAGE_SIZE, rows, file) != rows) return 2;
  fclose(file);
  memset(memory, 0xff, sizeof memory);  // NaN
  lenet5 *model;
  int status = lenet5_open(&model, memory, sizeof memory);
  if (!status) status = lenet5_predict(model, image, out, (int64_t)rows);
  if (status) return puts(lenet5_error(status)), 1;
  file = fopen(argv[2], "wb");
  if (!file || fwrite(out, sizeof *out * LENET5_OUT_SIZE, rows, file) != rows) return 2;
  fclose(file);
  free(image), free(out);
  return 0;
}
