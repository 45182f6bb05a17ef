// Pictures in memory, the files that they come from, and PNG files of them.
#pragma once
#include "data.h"

typedef struct Image {
  int64_t height, width;
  int channels;  // 1 or 3
  bool wide;     // 16 bits a channel, else 8
  void *pixels;  // [height, width, channels] of uint8_t or uint16_t
} Image;

enum { IMAGE_MOST_SIDE = 65535, IMAGE_MOST_PIXELS = 1 << 27 };

// What a file's bytes hold: PNG, JPEG, BMP, PPM and PGM, known by their first bytes. With header_only no pixels are
// read. NULL, or why it cannot be read; a size in a header is believed only as far as so many bytes can hold such an
// image.
const char *image_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image);

// The readers that it chooses from.
const char *png_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image);
const char *jpeg_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image);
const char *bmp_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image);
const char *pnm_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image);

// A PNG file's bytes of 8-bit pixels, in the arena. False where libpng refuses (a side above its limit).
bool png_encode(Arena *arena, const Image *image, unsigned char **bytes, size_t *size);

// Room for the pixels of a header, or why there is none: `best` bytes of pixels are the most that a byte of the file
// can stand for.
const char *image_room(Arena *arena, size_t size, int64_t best, bool header_only, Image *image);

// With that many channels: grey is Rec. 601's luma, rounded.
void image_channels(Arena *arena, Image *image, int channels);
// A rectangle of the image, in pixels, to height x width pixels of `to`'s type and channels, whose lines are `stride`
// pixels apart. Linear between pixels, over all pixels that an output pixel covers where it becomes smaller; `nearest`
// takes the pixel under an output pixel's middle.
typedef struct ImageWindow {
  double top, left, height, width;
} ImageWindow;
void image_resize(Arena *arena, const Image *image, const ImageWindow *window, bool nearest, int64_t height,
                  int64_t width, int64_t stride, void *to);
