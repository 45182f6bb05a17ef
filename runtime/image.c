// Pictures: which reader a file needs, channels, resizing.
#include "image.h"

#include <math.h>
#include <string.h>

const char *image_room(Arena *arena, size_t size, int64_t best, bool header_only, Image *image) {
  bool sides = image->height <= IMAGE_MOST_SIDE && image->width <= IMAGE_MOST_SIDE;
  if (!sides || image->height * image->width > IMAGE_MOST_PIXELS) return "it is larger than dlc reads";
  int64_t bytes = image->height * image->width * image->channels * (image->wide ? 2 : 1);
  if (bytes / best > (int64_t)size) return "no file of its length can hold an image of the size that its header gives";
  if (!header_only) image->pixels = arena_alloc(arena, (size_t)bytes);
  return NULL;
}

const char *image_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image) {
  static const unsigned char png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, jpeg[] = {0xff, 0xd8, 0xff};
  *image = (Image){0};
  if (size >= sizeof png && !memcmp(bytes, png, sizeof png)) return png_decode(arena, bytes, size, header_only, image);
  if (size >= sizeof jpeg && !memcmp(bytes, jpeg, sizeof jpeg))
    return jpeg_decode(arena, bytes, size, header_only, image);
  if (size >= 2 && bytes[0] == 'B' && bytes[1] == 'M') return bmp_decode(arena, bytes, size, header_only, image);
  if (size >= 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7')
    return pnm_decode(arena, bytes, size, header_only, image);
  return "it is no PNG, JPEG, BMP, PPM or PGM file";
}

// ---- channels -------------------------------------------------------------------------------------------------------

static uint32_t value_at(const Image *image, int64_t k) {
  return image->wide ? ((const uint16_t *)image->pixels)[k] : ((const uint8_t *)image->pixels)[k];
}

static void put_value(const Image *image, int64_t k, uint32_t value) {
  if (image->wide)
    ((uint16_t *)image->pixels)[k] = (uint16_t)value;
  else
    ((uint8_t *)image->pixels)[k] = (uint8_t)value;
}

void image_channels(Arena *arena, Image *image, int channels) {
  if (channels == image->channels) return;
  Image from = *image;
  int64_t pixels = image->height * image->width;
  image->channels = channels;
  image->pixels = arena_array(arena, (size_t)(pixels * channels), image->wide ? 2 : 1);
  for (int64_t k = 0; k < pixels; k++) {
    if (channels == 1) {
      uint32_t red = value_at(&from, 3 * k), green = value_at(&from, 3 * k + 1), blue = value_at(&from, 3 * k + 2);
      put_value(image, k, (299 * red + 587 * green + 114 * blue + 500) / 1000);
    }
    for (int c = 0; channels == 3 && c < 3; c++) put_value(image, 3 * k + c, value_at(&from, k));
  }
}

// ---- resizing -------------------------------------------------------------------------------------------------------

// The pixels that one output pixel is made of, along one side.
typedef struct Taps {
  int64_t first, count;
  float *weights;  // [count], summing to 1
} Taps;

// A triangle as wide as the output pixel, at least as two input pixels, about its middle (Pillow's bilinear filter).
static Taps *make_taps(Arena *arena, double start, double extent, int64_t size, int64_t outputs) {
  Taps *taps = arena_array(arena, (size_t)outputs, sizeof *taps);
  double scale = extent / (double)outputs, reach = scale > 1 ? scale : 1;
  for (int64_t k = 0; k < outputs; k++) {
    double middle = start + ((double)k + 0.5) * scale, sum = 0;
    int64_t first = (int64_t)floor(middle - reach + 0.5), last = (int64_t)floor(middle + reach + 0.5);
    first = first < 0 ? 0 : first;
    last = last > size ? size : last;
    taps[k] = (Taps){first, last - first, arena_array(arena, (size_t)(last - first), sizeof(float))};
    double *exact = arena_array(arena, (size_t)(last - first), sizeof *exact);
    for (int64_t t = 0; t < last - first; t++) {
      double away = fabs(((double)(first + t) + 0.5 - middle) / reach);
      sum += exact[t] = away < 1 ? 1 - away : 0;
    }
    for (int64_t t = 0; t < last - first; t++) taps[k].weights[t] = (float)(exact[t] / sum);
  }
  return taps;
}

static void put_rounded(const Image *image, void *to, int64_t k, float value) {
  float most = image->wide ? 65535 : 255;
  value = fminf(floorf(value + 0.5f), most);  // weights are none below 0
  if (image->wide)
    ((int32_t *)to)[k] = (int32_t)value;
  else
    ((uint8_t *)to)[k] = (uint8_t)value;
}

// Along lines first, then along columns.
static void resize_smooth(Arena *arena, const Image *image, const ImageWindow *w, int64_t height, int64_t width,
                          int64_t stride, void *to) {
  int channels = image->channels;
  Taps *across = make_taps(arena, w->left, w->width, image->width, width);
  Taps *down = make_taps(arena, w->top, w->height, image->height, height);
  float *lines = arena_array(arena, (size_t)(image->height * width * channels), sizeof *lines);
  for (int64_t y = down[0].first; y < down[height - 1].first + down[height - 1].count; y++)
    for (int64_t x = 0; x < width; x++)
      for (int c = 0; c < channels; c++) {
        float sum = 0;
        for (int64_t t = 0; t < across[x].count; t++)
          sum += across[x].weights[t] * (float)value_at(image, (y * image->width + across[x].first + t) * channels + c);
        lines[(y * width + x) * channels + c] = sum;
      }
  for (int64_t y = 0; y < height; y++)
    for (int64_t k = 0; k < width * channels; k++) {
      float sum = 0;
      for (int64_t t = 0; t < down[y].count; t++)
        sum += down[y].weights[t] * lines[(down[y].first + t) * width * channels + k];
      put_rounded(image, to, y * stride * channels + k, sum);
    }
}

static int64_t middle_of(double start, double extent, int64_t outputs, int64_t k) {
  return (int64_t)floor(start + ((double)k + 0.5) * extent / (double)outputs);
}

void image_resize(Arena *arena, const Image *image, const ImageWindow *w, bool nearest, int64_t height, int64_t width,
                  int64_t stride, void *to) {
  bool as_it_is =
      w->height == (double)height && w->width == (double)width && w->top == floor(w->top) && w->left == floor(w->left);
  if (!nearest && !as_it_is) {
    resize_smooth(arena, image, w, height, width, stride, to);
    return;
  }
  for (int64_t y = 0; y < height; y++) {
    int64_t from_y = middle_of(w->top, w->height, height, y);
    for (int64_t x = 0; x < width; x++) {
      int64_t from = from_y * image->width + middle_of(w->left, w->width, width, x);
      for (int c = 0; c < image->channels; c++)
        put_rounded(image, to, (y * stride + x) * image->channels + c,
                    (float)value_at(image, from * image->channels + c));
    }
  }
}
