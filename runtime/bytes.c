// A file's bytes in order, or those of a part of it, through zlib where it starts as a gzip file or a zip file says
// that the part is deflated. Nothing is read into memory but a buffer.
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "data_inside.h"

enum { BUFFER = 1 << 16, GZIP_HEADER = 2, BEST_DEFLATE = 1032 };
enum { WINDOW = 15, GZIP_WINDOW = WINDOW + 16 };  // bits; 16 more: the gzip wrapper; negative: none

struct ByteStream {
  Io io;
  int fd;
  int64_t begin, end, at;  // in the file: where the bytes begin and end, the next one to read
  bool inflates;
  bool ended;  // the deflated stream has ended, and of a gzip file the checksum was right
  bool counts_crc;
  uint32_t crc;  // of what was read so far
  z_stream zip;
  unsigned char *buffer;  // [BUFFER]
};

static void *zip_alloc(void *arena, uInt count, uInt size) { return arena_array(arena, count, size); }
static void zip_release(void *arena, void *block) { (void)arena, (void)block; }  // the arena keeps it

// zlib lacks nothing but memory, and the arena gives it or jumps.
static void start_inflating(ByteStream *s, Arena *arena, int window) {
  s->zip = (z_stream){.zalloc = zip_alloc, .zfree = zip_release, .opaque = arena};
  s->inflates = true;
  int result = inflateInit2(&s->zip, window);
  dlc_assert(result == Z_OK);
}

int bytes_open(Arena *arena, Io io, const char *path, ByteStream **stream) {
  ByteStream *s = arena_alloc(arena, sizeof *s);
  *s = (ByteStream){.io = io};
  int error = io_open_read(io, path, &s->fd, &s->end);
  if (error) return error;
  s->buffer = arena_alloc(arena, BUFFER);
  if (s->end >= GZIP_HEADER) error = io_read_at(io, s->fd, s->buffer, GZIP_HEADER, 0);
  if (!error && s->buffer[0] == 0x1f && s->buffer[1] == 0x8b) start_inflating(s, arena, GZIP_WINDOW);
  if (error)
    io_close(io, s->fd);
  else
    *stream = s;
  return error;
}

ByteStream *bytes_open_part(Arena *arena, Io io, int fd, int64_t begin, int64_t count, bool deflated) {
  ByteStream *s = arena_alloc(arena, sizeof *s);
  *s = (ByteStream){.io = io, .fd = -1, .begin = begin, .at = begin, .end = begin + count, .counts_crc = true};
  s->crc = (uint32_t)crc32(0, NULL, 0);
  s->buffer = arena_alloc(arena, BUFFER);
  if (deflated) start_inflating(s, arena, -WINDOW);
  s->fd = fd;
  return s;
}

void bytes_close(ByteStream *s) {
  if (s->inflates) inflateEnd(&s->zip);
  if (!s->counts_crc) io_close(s->io, s->fd);  // a part's file is its opener's
}

bool bytes_inflated(const ByteStream *s) { return s->inflates; }
uint32_t bytes_crc(const ByteStream *s) { return s->crc; }

int64_t bytes_most(const ByteStream *s) {
  int64_t size = s->end - s->begin;
  if (!s->inflates) return size;
  return size > INT64_MAX / BEST_DEFLATE ? INT64_MAX : size * BEST_DEFLATE;
}

static int read_plain(ByteStream *s, void *buffer, size_t count, size_t *got) {
  int64_t left = s->end - s->at;
  *got = (int64_t)count < left ? count : (size_t)left;
  int error = io_read_at(s->io, s->fd, buffer, *got, s->at);
  s->at += (int64_t)*got;
  return error;
}

// The next piece of the file into the buffer, for zlib.
static int refill(ByteStream *s) {
  size_t got;
  int error = read_plain(s, s->buffer, BUFFER, &got);
  s->zip.next_in = s->buffer;
  s->zip.avail_in = (uInt)got;
  return error ? error : got ? 0 : -EBADMSG;  // the file ends before the deflated stream does
}

static int read_deflated(ByteStream *s, unsigned char *buffer, size_t count, size_t *got) {
  for (*got = 0; *got < count && !s->ended;) {
    int error = s->zip.avail_in ? 0 : refill(s);
    if (error) return error;
    uInt piece = count - *got < BUFFER ? (uInt)(count - *got) : BUFFER;
    s->zip.next_out = buffer + *got;
    s->zip.avail_out = piece;
    int result = inflate(&s->zip, Z_NO_FLUSH);
    *got += piece - s->zip.avail_out;
    s->ended = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END) return -EBADMSG;
  }
  bool behind = *got < count && (s->zip.avail_in || s->at < s->end);
  return behind ? -EBADMSG : 0;
}

int bytes_read(ByteStream *s, void *buffer, size_t count, size_t *got) {
  int error = s->inflates ? read_deflated(s, buffer, count, got) : read_plain(s, buffer, count, got);
  if (s->counts_crc && !error) s->crc = (uint32_t)crc32_z(s->crc, buffer, *got);
  return error;
}
