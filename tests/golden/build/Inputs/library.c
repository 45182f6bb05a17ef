// library PROGRAM.dl IMAGES LABELS OUT ROWS STEPS: what train.c does, by libdlc.
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "dlc.h"

int main(int argc, char **argv) {
  if (argc != 7) return 2;
  long n_bytes, n_labels, rows = atol(argv[5]), steps = atol(argv[6]);
  unsigned char *bytes = read_bytes(argv[2], &n_bytes), *labels = read_bytes(argv[3], &n_labels);
  long size = n_bytes / n_labels;
  float *image = malloc((size_t)(rows * size) * sizeof *image);
  int32_t *label = malloc((size_t)rows * sizeof *label);
  DlcOptions options = {0};
  options.train = 1;
  options.batch = rows;
  options.threads = 2;
  DlcModel *model = dlc_open(argv[1], &options);
  if (dlc_status(model) || dlc_compile(model) || dlc_init(model, 5) || dlc_schedule(model, n_labels / rows, steps))
    return fputs(dlc_messages(model), stderr), 1;
  for (long step = 0; step < steps; step++) {
    long first = step % (n_labels / rows) * rows;
    for (long k = 0; k < rows * size; k++) image[k] = (float)bytes[first * size + k] / 255;
    for (long k = 0; k < rows; k++) label[k] = labels[first + k];
    const void *fields[] = {image, label};
    if (dlc_train_step(model, fields, rows, NULL)) return fputs(dlc_messages(model), stderr), 1;
  }
  if (dlc_save(model, argv[4])) return fputs(dlc_messages(model), stderr), 1;
  dlc_close(model);
  free(image), free(label), free(bytes), free(labels);
  return 0;
}
