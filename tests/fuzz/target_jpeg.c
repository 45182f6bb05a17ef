// JPEG files. Their first marker is put before the input.
#include <string.h>

#include "fuzz_image.h"

void fuzz_target(Fuzz *f) {
  static const uint8_t start[] = {0xff, 0xd8, 0xff};
  unsigned choice = fuzz_byte(f);
  uint8_t *bytes = arena_alloc(f->arena, f->size + sizeof start);
  memcpy(bytes, start, sizeof start);
  if (f->size) memcpy(bytes + sizeof start, f->bytes, f->size);
  f->bytes = bytes;
  f->size += sizeof start;
  fuzz_image(f, choice);
}
