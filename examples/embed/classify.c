// classify PICTURE..: says which digit each picture shows, by a LeNet-5 whose weights are part of this program.
//
//   dlc train examples/embed/lenet5.dl --out runs/digits
//   dlc build examples/embed/lenet5.dl --weights runs/digits/step-00000471.safetensors -o lenet5
//   cc -I. examples/embed/classify.c lenet5.o -lm -o classify && ./classify examples/embed/digits/*.pgm
#include "lenet5.h"
#include "pgm.h"

static _Alignas(LENET5_MEMORY_ALIGN) char memory[LENET5_MEMORY_BYTES];

int main(int argc, char **argv) {
  lenet5 *model;
  int status = lenet5_open(&model, memory, sizeof memory);
  for (int k = 1; k < argc && !status; k++) {
    float image[LENET5_IMAGE_SIZE], score[LENET5_OUT_SIZE];
    if (!read_pgm(argv[k], image)) return 1;
    status = lenet5_predict(model, image, score, 1);
    int best = 0;
    for (int digit = 1; digit < LENET5_OUT_SIZE; digit++)
      if (score[digit] > score[best]) best = digit;
    if (!status) printf("%s: %d\n", argv[k], best);
  }
  if (status) fprintf(stderr, "%s\n", lenet5_error(status));
  return status != LENET5_OK;
}
