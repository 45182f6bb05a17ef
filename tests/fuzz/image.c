// A picture, as a data source. The first byte chooses how pictures are made to fit.
#include "fuzz_image.h"

void fuzz_image(Fuzz *f, unsigned choice) {
  static const ImageFit fits[] = {FIT_STRETCH, FIT_CROP,    FIT_PAD, FIT_TILES,
                                  FIT_CORNER,  FIT_STRETCH, FIT_PAD, FIT_CROP};
  SourceSpec spec = {.kind = SOURCE_IMAGES};
  spec.images.fit = fits[choice & 7];
  spec.images.nearest = choice & 8;
  spec.images.channels = choice & 16 ? (choice & 32 ? 1 : 3) : 0;
  bool sized = choice & 64 || spec.images.fit == FIT_TILES || spec.images.fit == FIT_CORNER;
  spec.images.height = sized ? 5 : 0;
  spec.images.width = sized ? 3 : 0;
  fuzz_open(f, &spec);
}
