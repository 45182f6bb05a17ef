// JPEG, by libjpeg-turbo: grey or colour. What it only warns of (data that end early or are damaged) is a mistake here.
// Its memory is its own: nothing of the arena is asked for while it holds any.
#include <setjmp.h>
#include <stdio.h>
#include <jpeglib.h>

#include "image.h"

enum { BEST = 3 * 1024 };  // bytes of pixels: at its best a block of 64 pixels takes a fraction of a bit more than one

typedef struct JpegReader {
  struct jpeg_error_mgr errors;  // first: libjpeg hands it back
  jmp_buf jump;
  char why[JMSG_LENGTH_MAX];
} JpegReader;

static void on_error(j_common_ptr jpeg) {
  JpegReader *r = (JpegReader *)jpeg->err;
  r->errors.format_message(jpeg, r->why);
  longjmp(r->jump, 1);
}

// Levels below 0 are warnings; the others tell how it goes.
static void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) on_error(jpeg);
}

static void begin(JpegReader *r, struct jpeg_decompress_struct *jpeg) {
  jpeg->err = jpeg_std_error(&r->errors);
  r->errors.error_exit = on_error;
  r->errors.emit_message = on_message;
}

static void read_header(struct jpeg_decompress_struct *jpeg, const unsigned char *bytes, size_t size) {
  jpeg_create_decompress(jpeg);
  jpeg_mem_src(jpeg, bytes, size);
  jpeg_read_header(jpeg, TRUE);
}

// The size and the channels, and nothing kept.
static bool measure(JpegReader *r, const unsigned char *bytes, size_t size, Image *image) {
  struct jpeg_decompress_struct jpeg = {0};
  begin(r, &jpeg);
  bool done = setjmp(r->jump) == 0;
  if (done) {
    read_header(&jpeg, bytes, size);
    *image = (Image){.height = jpeg.image_height, .width = jpeg.image_width, .channels = jpeg.num_components};
  }
  jpeg_destroy_decompress(&jpeg);
  return done;
}

static void read_lines(struct jpeg_decompress_struct *jpeg, const Image *image) {
  jpeg->out_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;  // the same bits on every machine
  jpeg_start_decompress(jpeg);
  size_t line = (size_t)image->width * (size_t)image->channels;
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW at = (JSAMPROW)image->pixels + (size_t)jpeg->output_scanline * line;
    jpeg_read_scanlines(jpeg, &at, 1);
  }
  jpeg_finish_decompress(jpeg);
}

static bool read_pixels(JpegReader *r, const unsigned char *bytes, size_t size, const Image *image) {
  struct jpeg_decompress_struct jpeg = {0};
  begin(r, &jpeg);
  bool done = setjmp(r->jump) == 0;
  if (done) {
    read_header(&jpeg, bytes, size);
    read_lines(&jpeg, image);
  }
  jpeg_destroy_decompress(&jpeg);
  return done;
}

const char *jpeg_decode(Arena *arena, const unsigned char *bytes, size_t size, bool header_only, Image *image) {
  JpegReader r;
  if (!measure(&r, bytes, size, image)) return arena_strdup(arena, r.why);
  if (image->channels != 1 && image->channels != 3) return "it is neither grey nor red, green and blue";
  const char *why = image_room(arena, size, BEST, header_only, image);
  if (why || header_only) return why;
  return read_pixels(&r, bytes, size, image) ? NULL : arena_strdup(arena, r.why);
}
