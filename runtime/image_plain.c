// BMP (Windows, 8, 24 or 32 bits, not packed) and PNM (PGM and PPM, as text or binary, up to 16 bits). Their headers
// are checked against the file's length before anything is allocated.
#include <string.h>

#include "image.h"

// ---- BMP ------------------------------------------------------------------------------------------------------------

enum { FILE_HEADER = 14, INFO_HEADER = 40, MOST_HEADER = 256, PLAIN = 0 };

typedef struct Bmp {
  const unsigned char *bytes;
  size_t size;
  Image *image;
  const unsigned char *palette;  // [colours, 4]: blue, green, red
  uint32_t colours, bits;
  size_t data, stride;
  bool downwards;  // the first line is the top one
} Bmp;

static uint32_t little(const unsigned char *at, int bytes) {
  uint32_t value = 0;
  for (int k = bytes; k-- > 0;) value = value << 8 | at[k];
  return value;
}

static bool palette_is_grey(const Bmp *b) {
  for (uint32_t k = 0; k < b->colours; k++)
    if (b->palette[4 * k] != b->palette[4 * k + 1] || b->palette[4 * k] != b->palette[4 * k + 2]) return false;
  return true;
}

static const char *read_palette(Bmp *b, size_t at) {
  b->colours = little(b->bytes + 46, 4);
  if (b->colours == 0) b->colours = 256;
  if (b->colours > 256 || at + 4 * (size_t)b->colours > b->size) return "its palette does not fit";
  b->palette = b->bytes + at;
  b->image->channels = palette_is_grey(b) ? 1 : 3;
  return NULL;
}

static const char *read_bmp_header(Bmp *b) {
  const unsigned char *h = b->bytes;
  if (b->size < FILE_HEADER + INFO_HEADER) return "it ends in its header";
  uint32_t header = little(h + 14, 4);
  int32_t width = (int32_t)little(h + 18, 4), height = (int32_t)little(h + 22, 4);
  b->data = little(h + 10, 4);
  b->bits = little(h + 28, 2);
  b->downwards = height < 0;
  if (header < INFO_HEADER || header > MOST_HEADER) return "its header is of a kind that dlc does not read";
  if (little(h + 30, 4) != PLAIN) return "it is packed in a way that dlc does not read";
  if (b->bits != 8 && b->bits != 24 && b->bits != 32) return "it has neither 8, 24 nor 32 bits a pixel";
  if (width <= 0 || height == 0 || height == INT32_MIN) return "its size cannot be read";
  *b->image = (Image){.height = height < 0 ? -(int64_t)height : height, .width = width, .channels = 3};
  b->stride = ((size_t)width * b->bits + 31) / 32 * 4;
  if (b->data > b->size || b->stride > (b->size - b->data) / (size_t)b->image->height)
    return "it ends early, or its header is wrong";
  return b->bits == 8 ? read_palette(b, FILE_HEADER + header) : NULL;
}

static bool read_bmp_line(const Bmp *b, int64_t y, unsigned char *to) {
  int64_t line = b->downwards ? y : b->image->height - 1 - y;
  const unsigned char *from = b->bytes + b->data + (size_t)line * b->stride;
  int channels = b->image->channels, step = (int)b->bits / 8;
  for (int64_t x = 0; x < b->image->width; x++, from += step, to += channels) {
    if (b->palette && *from >= b->colours) return false;
    const unsigned char *colour = b->palette ? b->palette + 4 * *from : from;
    for (int c = 0; c < channels; c++) to[c] = colour[channels - 1 - c];
  }
  return true;
}

const char *bmp_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image) {
  Bmp b = {.bytes = bytes, .size = size, .image = image};
  const char *why = read_bmp_header(&b);
  if (!why) why = image_room(arena, size, 3, header_only, image);
  for (int64_t y = 0; !why && !header_only && y < image->height; y++)
    if (!read_bmp_line(&b, y, (unsigned char *)image->pixels + y * image->width * image->channels))
      why = "a pixel is of a colour that its palette lacks";
  return why;
}

// ---- PNM ------------------------------------------------------------------------------------------------------------

typedef struct Pnm {
  const unsigned char *bytes;
  size_t size, at;
  bool text;
  int64_t most;  // the largest value
} Pnm;

static bool is_blank(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// A number behind blanks and comments, to `most`; -1 where there is none.
static int64_t read_number(Pnm *p, int64_t most) {
  for (; p->at < p->size && (is_blank(p->bytes[p->at]) || p->bytes[p->at] == '#'); p->at++)
    if (p->bytes[p->at] == '#')
      while (p->at + 1 < p->size && p->bytes[p->at] != '\n') p->at++;
  int64_t value = -1;
  for (; p->at < p->size && p->bytes[p->at] >= '0' && p->bytes[p->at] <= '9'; p->at++) {
    value = (value < 0 ? 0 : value) * 10 + p->bytes[p->at] - '0';
    if (value > most) return -1;
  }
  return value;
}

static const char *read_pnm_header(Pnm *p, Image *image) {
  int kind = p->bytes[1];
  p->text = kind == '2' || kind == '3';
  if (!p->text && kind != '5' && kind != '6') return "it is a bitmap, or of another kind that dlc does not read";
  p->at = 2;
  int64_t width = read_number(p, IMAGE_MOST_SIDE), height = read_number(p, IMAGE_MOST_SIDE);
  p->most = read_number(p, 65535);
  if (width <= 0 || height <= 0 || p->most <= 0) return "its header cannot be read";
  if (p->at == p->size || !is_blank(p->bytes[p->at])) return "it ends in its header";
  p->at++;
  *image =
      (Image){.height = height, .width = width, .channels = kind == '3' || kind == '6' ? 3 : 1, .wide = p->most > 255};
  int64_t values = height * width * image->channels, least = p->text ? 2 * values - 1 : values << image->wide;
  return (int64_t)(p->size - p->at) < least ? "it ends early, or its header is wrong" : NULL;
}

static int64_t read_value(Pnm *p, bool wide) {
  if (p->text) return read_number(p, p->most);
  int64_t value = p->bytes[p->at++];
  if (wide) value = value << 8 | p->bytes[p->at++];
  return value <= p->most ? value : -1;
}

static const char *read_pnm_pixels(Pnm *p, const Image *image) {
  int64_t values = image->height * image->width * image->channels;
  for (int64_t k = 0; k < values; k++) {
    int64_t value = read_value(p, image->wide);
    if (value < 0) return "a pixel is missing, or above the largest value that its header gives";
    if (image->wide) ((uint16_t *)image->pixels)[k] = (uint16_t)value;
    if (!image->wide) ((uint8_t *)image->pixels)[k] = (uint8_t)value;
  }
  while (p->at < p->size && is_blank(p->bytes[p->at])) p->at++;
  return p->at < p->size ? "it is longer than its header says" : NULL;
}

const char *pnm_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image) {
  Pnm p = {.bytes = bytes, .size = size};
  const char *why = read_pnm_header(&p, image);
  if (!why) why = image_room(arena, size, 2, header_only, image);
  return why || header_only ? why : read_pnm_pixels(&p, image);
}
