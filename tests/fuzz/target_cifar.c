// CIFAR-10's and CIFAR-100's binary files. A record is 3 KB of pixels and a label or two, so an input is records of 16
// bytes that stand for them: the labels and the first pixels, then zeros. What the last record lacks, the file lacks.
#include <string.h>

#include "fuzz.h"

enum { SHORT = 16, IMAGE = 3072 };

void fuzz_target(Fuzz *f) {
  uint8_t choice = fuzz_byte(f);
  SourceSpec spec = {.kind = choice & 1 ? SOURCE_CIFAR100 : SOURCE_CIFAR10, .split = choice & 2 ? "test" : "train"};
  size_t record = IMAGE + (choice & 1 ? 2 : 1), whole = f->size / SHORT, rest = f->size % SHORT;
  uint8_t *bytes = arena_alloc(f->arena, whole * record + rest);
  for (size_t k = 0; k < whole; k++) memcpy(bytes + k * record, f->bytes + k * SHORT, SHORT);
  memcpy(bytes + whole * record, f->bytes + whole * SHORT, rest);
  f->bytes = bytes;
  f->size = whole * record + rest;
  fuzz_open(f, &spec);
}
