// Reading a grey picture of 28x28 pixels, as netpbm writes it (P5, 255 shades): for the programs beside this file.
#pragma once
#include <stdio.h>

enum { SIDE = 28, PIXELS = SIDE * SIDE };

// Pixels from 0, black, to 1, white. 0 after saying what is wrong.
static int read_pgm(const char *path, float *image) {
  unsigned char pixels[PIXELS];
  int width = 0, height = 0, most = 0;
  FILE *file = fopen(path, "rb");
  int ok = file && fscanf(file, "P5 %d %d %d", &width, &height, &most) == 3 && fgetc(file) != EOF && width == SIDE &&
           height == SIDE && most == 255 && fread(pixels, 1, PIXELS, file) == PIXELS;
  if (file) fclose(file);
  if (!ok) fprintf(stderr, "%s is no PGM picture of 28x28\n", path);
  for (int k = 0; ok && k < PIXELS; k++) image[k] = (float)pixels[k] / 255;
  return ok;
}
