// A file as bytes, for the test programs here; ends the program where it cannot be read.
#pragma once
#include <stdio.h>
#include <stdlib.h>

static unsigned char *read_bytes(const char *path, long *n) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) exit(2);
  *n = ftell(file);
  unsigned char *bytes = malloc((size_t)*n);
  rewind(file);
  if (!bytes || fread(bytes, 1, (size_t)*n, file) != (size_t)*n) exit(2);
  fclose(file);
  return bytes;
}
