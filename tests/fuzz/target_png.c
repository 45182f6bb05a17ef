// PNG files. Their signature is put before the input, and in half of the inputs the chunks get the
// checksums that they should have.
#include <string.h>

#include "checksums.h"
#include "fuzz_image.h"

void fuzz_target(Fuzz *f) {
  static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  unsigned choice = fuzz_byte(f);
  uint8_t *bytes = arena_alloc(f->arena, f->size + sizeof signature);
  memcpy(bytes, signature, sizeof signature);
  if (f->size) memcpy(bytes + sizeof signature, f->bytes, f->size);
  f->bytes = bytes;
  f->size += sizeof signature;
  if (choice & 0x80) checksum_png(bytes, f->size);
  fuzz_image(f, choice);
}
