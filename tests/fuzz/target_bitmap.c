// BMP, PPM and PGM files.
#include "fuzz_image.h"

void fuzz_target(Fuzz *f) {
  unsigned choice = fuzz_byte(f);
  fuzz_image(f, choice);
}
