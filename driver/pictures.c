// Image files as inputs and outputs of a model. Holds on entry: a tensor's data has the elements that its sizes say. On
// exit: every file is whole, or an error is reported.
#include "pictures.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "image.h"

enum { MOST_FILE = 1 << 30 };

static bool ends_in(const char *path, const char *ending) {
  size_t length = strlen(path), tail = strlen(ending);
  return length > tail && strcasecmp(path + length - tail, ending) == 0;
}

bool picture_named(const char *path) {
  static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm"};
  for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
    if (ends_in(path, endings[k])) return true;
  return false;
}

// ---- reading --------------------------------------------------------------------------------------------------------

static bool decode(Session *s, const char *path, Image *image) {
  char *bytes;
  size_t size;
  int error = io_read_file(s->io, s->arena, path, MOST_FILE, &bytes, &size);
  if (error) {
    diag_error(s->sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", path, io_reason(error));
    return false;
  }
  const char *why = image_decode(s->arena, (const unsigned char *)bytes, size, false, image);
  if (why) diag_error(s->sink, DIAG_E0416, SPAN_NONE, "cannot use '%s': %s", path, why);
  return !why;
}

static int64_t value_at(const Image *image, int64_t k) {
  return image->wide ? ((const uint16_t *)image->pixels)[k] : ((const uint8_t *)image->pixels)[k];
}

bool picture_read(Session *s, const DlcTensor *input, const char *path, NpyArray *array) {
  int64_t channels = input->rank == 4 ? input->scale[3] : 1;
  if (input->rank < 3 || input->rank > 4 || (channels != 1 && channels != 3) || input->type == DATA_BOOL) {
    diag_error(s->sink, DIAG_E0450, SPAN_NONE,
               "'%s' is an image, but input '%s' has no rows of [height, width, 1 or 3]", path, input->name);
    return false;
  }
  Image image;
  if (!decode(s, path, &image)) return false;
  image_channels(s->arena, &image, (int)channels);
  int64_t count = image.height * image.width * channels;
  *array = (NpyArray){input->type, input->rank, {1, image.height, image.width, channels}, count, NULL};
  array->data = arena_array(s->arena, (size_t)count, 4);
  for (int64_t k = 0; k < count; k++) {
    int64_t value = value_at(&image, k);
    if (input->type == DATA_F32)
      ((float *)array->data)[k] = (float)value / (image.wide ? 65535.0f : 255.0f);
    else
      ((int32_t *)array->data)[k] = (int32_t)value;
  }
  return true;
}

// ---- writing --------------------------------------------------------------------------------------------------------

static unsigned char grey_of(int type, const void *data, int64_t k) {
  if (type == DATA_F32) {
    float value = ((const float *)data)[k] * 255.0f + 0.5f;
    return value >= 255 ? 255 : value >= 1 ? (unsigned char)value : 0;  // NaN is black
  }
  if (type == DATA_BOOL) return ((const unsigned char *)data)[k] ? 255 : 0;
  int64_t value = type == DATA_I32 ? ((const int32_t *)data)[k] : ((const unsigned char *)data)[k];
  return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

// "mask.png" and "mask-07.png" of 12.
static const char *row_path(Arena *arena, const char *path, int64_t row, int64_t rows) {
  if (rows == 1) return path;
  int digits = 1;
  for (int64_t most = rows - 1; most >= 10; most /= 10) digits++;
  int stem = (int)(strlen(path) - strlen(".png"));
  return arena_printf(arena, "%.*s-%0*lld%s", stem, path, digits, (long long)row, path + stem);
}

static int unwritable(Session *s, const char *path, int error) {
  diag_error(s->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return STATUS_WRITE;
}

static int write_rows(Session *s, const char *path, int type, const int64_t *dim, int channels, const void *data) {
  int64_t pixels = dim[1] * dim[2] * channels;
  Image image = {dim[1], dim[2], channels, false, arena_alloc(s->arena, (size_t)pixels)};
  for (int64_t row = 0; row < dim[0]; row++) {
    for (int64_t k = 0; k < pixels; k++) ((unsigned char *)image.pixels)[k] = grey_of(type, data, row * pixels + k);
    Arena *own = arena_beside(s->arena);
    unsigned char *bytes;
    size_t size;
    const char *to = row_path(s->arena, path, row, dim[0]);
    int error = png_encode(own, &image, &bytes, &size) ? io_replace(s->io, own, to, bytes, size) : -EFBIG;
    arena_free(own);
    if (error) return unwritable(s, to, error);
  }
  return STATUS_DONE;
}

int tensor_write(Session *s, const char *path, const Runner *runner, const DlcTensor *tensor, int64_t rows,
                 const void *data) {
  int type = tensor->type, rank = tensor->rank;
  int64_t dim[8];
  for (int d = 0; d < rank; d++) dim[d] = runner_held_dim(runner, tensor, d, rows);
  if (!ends_in(path, ".png")) {
    int error = npy_write(s->io, s->arena, path, type, rank, dim, data);
    return error ? unwritable(s, path, error) : STATUS_DONE;
  }
  int64_t channels = rank == 4 ? dim[3] : 1;
  if ((rank == 3 || rank == 4) && (channels == 1 || channels == 3))
    return write_rows(s, path, type, dim, (int)channels, data);
  diag_error(s->sink, DIAG_E0450, SPAN_NONE, "'%s' cannot be a picture: it needs rows of [height, width, 1 or 3]",
             path);
  return STATUS_DATA;
}
