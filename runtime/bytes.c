// A file's bytes in order, through zlib where it starts as a gzip file. Nothing is read into memory but a buffer.
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "data_inside.h"

enum { BUFFER = 1 << 16, GZIP_WINDOW = 15 + 16, GZIP_HEADER = 2, BEST_DEFLATE = 1032 };  // 15 bits, +16: gzip wrapper

struct ByteStream {
  Io io;
  int fd;
  int64_t size, at;  // of the file: its length, the next byte to read
  bool gzip;
  bool ended;  // the gzip stream has ended, and its checksum was right
  z_stream zip;
  unsigned char *buffer;  // [BUFFER]
};

static void *zip_alloc(void *arena, uInt count, uInt size) { return arena_array(arena, count, size); }
static void zip_release(void *arena, void *block) { (void)arena, (void)block; }  // the arena keeps it

static int start_inflating(ByteStream *s, Arena *arena) {
  s->zip = (z_stream){.zalloc = zip_alloc, .zfree = zip_release, .opaque = arena};
  s->gzip = true;
  return inflateInit2(&s->zip, GZIP_WINDOW) == Z_OK ? 0 : -EBADMSG;
}

int bytes_open(Arena *arena, Io io, const char *path, ByteStream **stream) {
  ByteStream *s = arena_alloc(arena, sizeof *s);
  *s = (ByteStream){.io = io};
  int error = io_open_read(io, path, &s->fd, &s->size);
  if (error) return error;
  s->buffer = arena_alloc(arena, BUFFER);
  if (s->size >= GZIP_HEADER) error = io_read_at(io, s->fd, s->buffer, GZIP_HEADER, 0);
  if (!error && s->buffer[0] == 0x1f && s->buffer[1] == 0x8b) error = start_inflating(s, arena);
  if (error)
    io_close(io, s->fd);
  else
    *stream = s;
  return error;
}

void bytes_close(ByteStream *s) {
  if (s->gzip) inflateEnd(&s->zip);
  io_close(s->io, s->fd);
}

bool bytes_inflated(const ByteStream *s) { return s->gzip; }

int64_t bytes_most(const ByteStream *s) {
  if (!s->gzip) return s->size;
  return s->size > INT64_MAX / BEST_DEFLATE ? INT64_MAX : s->size * BEST_DEFLATE;
}

static int read_plain(ByteStream *s, void *buffer, size_t count, size_t *got) {
  int64_t left = s->size - s->at;
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
  return error ? error : got ? 0 : -EBADMSG;  // the file ends before the gzip stream does
}

static int read_gzip(ByteStream *s, unsigned char *buffer, size_t count, size_t *got) {
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
  bool behind = *got < count && (s->zip.avail_in || s->at < s->size);
  return behind ? -EBADMSG : 0;
}

int bytes_read(ByteStream *s, void *buffer, size_t count, size_t *got) {
  return s->gzip ? read_gzip(s, buffer, count, got) : read_plain(s, buffer, count, got);
}
