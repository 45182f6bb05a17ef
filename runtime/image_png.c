// PNG, by libpng. Palettes become colours, less than 8 bits become 8, transparency is dropped. libpng's memory is the
// arena's, so that nothing is lost when it or the arena jumps.
#include <png.h>
#include <string.h>

#include "image.h"

enum { BEST_DEFLATE = 1032 };                           // bytes that one byte can stand for
enum { SIGNATURE = 8, CHUNK_HEAD = 8, CHUNK_CRC = 4 };  // bytes

typedef struct PngReader {
  Arena *arena;
  const unsigned char *bytes;
  size_t size, at;
  bool header_only;
  Image *image;
  png_structp png;
  png_infop info;
  const char *why;
} PngReader;

static png_voidp allocate(png_structp png, png_alloc_size_t bytes) {
  const PngReader *r = png_get_mem_ptr(png);
  return arena_alloc(r->arena, bytes);
}
static void release(png_structp png, png_voidp block) { (void)png, (void)block; }  // the arena keeps it

static void on_error(png_structp png, png_const_charp message) {
  PngReader *r = png_get_error_ptr(png);
  if (!r->why) r->why = arena_strdup(r->arena, message);
  png_longjmp(png, 1);
}
static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void read_bytes(png_structp png, png_bytep to, size_t count) {
  PngReader *r = png_get_io_ptr(png);
  if (count > r->size - r->at) {
    r->why = arena_printf(r->arena, "it ends early, at byte %zu", r->size);
    png_error(png, "");
  }
  memcpy(to, r->bytes + r->at, count);
  r->at += count;
}

// Does every chunk end within the file? libpng asks for the memory of a chunk before it looks.
static bool chunks_fit(const PngReader *r) {
  for (size_t at = SIGNATURE; r->size - at >= CHUNK_HEAD;) {
    size_t length = png_get_uint_32(r->bytes + at), left = r->size - at - CHUNK_HEAD;
    if (left < CHUNK_CRC || length > left - CHUNK_CRC) return false;
    if (memcmp(r->bytes + at + 4, "IEND", 4) == 0) return true;
    at += CHUNK_HEAD + length + CHUNK_CRC;
  }
  return true;
}

// Everything to 8 or 16 bits of grey or colour.
static void choose_form(PngReader *r) {
  png_structp png = r->png;
  int type = png_get_color_type(png, r->info), depth = png_get_bit_depth(png, r->info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (depth == 16) png_set_swap(png);
  png_set_strip_alpha(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, r->info);
  r->image->height = png_get_image_height(png, r->info);
  r->image->width = png_get_image_width(png, r->info);
  r->image->channels = png_get_channels(png, r->info);
  r->image->wide = depth == 16;
}

static void read_pixels(PngReader *r) {
  size_t line = png_get_rowbytes(r->png, r->info);
  png_bytep *lines = arena_array(r->arena, (size_t)r->image->height, sizeof *lines);
  for (int64_t y = 0; y < r->image->height; y++) lines[y] = (png_bytep)r->image->pixels + (size_t)y * line;
  png_read_image(r->png, lines);
  png_read_end(r->png, NULL);
}

static void decode(PngReader *r) {
  png_structp png = r->png;
  png_set_read_fn(png, r, read_bytes);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(png, IMAGE_MOST_SIDE, IMAGE_MOST_SIDE);
  png_read_info(png, r->info);
  choose_form(r);
  r->why = image_room(r->arena, r->size, 8 * BEST_DEFLATE, r->header_only, r->image);  // a byte may be eight pixels
  if (!r->why && !r->header_only) read_pixels(r);
}

const char *png_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image) {
  PngReader r = {.arena = arena, .bytes = bytes, .size = size, .header_only = header_only, .image = image};
  r.png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning, &r, allocate, release);
  dlc_assert(r.png);
  r.info = png_create_info_struct(r.png);
  dlc_assert(r.info);  // libpng lacks nothing but memory, and the arena gives it or jumps
  if (!chunks_fit(&r)) r.why = arena_printf(arena, "it ends early, at byte %zu", size);
  if (!r.why && setjmp(png_jmpbuf(r.png)) == 0) decode(&r);
  png_destroy_read_struct(&r.png, &r.info, NULL);
  return r.why;
}

// ---- writing --------------------------------------------------------------------------------------------------------

bool png_encode(Arena *arena, const Image *image, unsigned char **bytes, size_t *size) {
  png_image png = {.version = PNG_IMAGE_VERSION,
                   .width = (png_uint_32)image->width,
                   .height = (png_uint_32)image->height,
                   .format = image->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
  png_alloc_size_t length = 0;
  if (!png_image_write_to_memory(&png, NULL, &length, 0, image->pixels, 0, NULL)) return false;
  *bytes = arena_alloc(arena, length);
  *size = length;
  return png_image_write_to_memory(&png, *bytes, &length, 0, image->pixels, 0, NULL);
}
