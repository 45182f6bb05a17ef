// .npy files: NumPy's array format, versions 1 to 3 (numpy/lib/format.py). Only a list of plain element types is read;
// the header is matched, never evaluated.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "data_inside.h"

enum { MOST_HEADER = 65536, PREAMBLE = 10, WIDEST = 8 };  // bytes
enum { PIECE = 4096 };                                    // elements read at a time
static const char magic[6] = "\x93NUMPY";

typedef struct NpyKind {
  const char *descr;
  int size;  // bytes in the file
  int type;  // of the array in memory
} NpyKind;

static const NpyKind kinds[] = {{"<f4", 4, DATA_F32}, {"<f8", 8, DATA_F32}, {"<i4", 4, DATA_I32},
                                {"<i8", 8, DATA_I32}, {"|u1", 1, DATA_U8},  {"|b1", 1, DATA_BOOL}};

typedef struct NpyReader {
  Arena *arena;
  DiagSink *sink;
  const char *path;
  ByteStream *stream;
  int64_t most;  // bytes that may be left at best
} NpyReader;

static bool refuse(const NpyReader *r, const char *why) {
  diag_error(r->sink, DIAG_E0410, SPAN_NONE, "'%s' is no .npy file that dlc reads: %s", r->path, why);
  return false;
}

// Exactly `count` bytes, or what is said of their lack.
static bool read_exactly(NpyReader *r, void *buffer, size_t count, const char *lack) {
  size_t got;
  int error = bytes_read(r->stream, buffer, count, &got);
  r->most -= (int64_t)count;
  if (!error && got == count) return true;
  if (!error || error == -EBADMSG) return refuse(r, error ? "the packed data are damaged or end early" : lack);
  diag_error(r->sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", r->path, io_reason(error));
  return false;
}

// ---- the header -----------------------------------------------------------------------------------------------------

// The text after `'key':`, spaces skipped; NULL where the key is absent.
static const char *value_of(const char *header, const char *key) {
  const char *at = strstr(header, key);
  if (!at) return NULL;
  at += strlen(key);
  while (*at == ' ') at++;
  if (*at++ != ':') return NULL;
  while (*at == ' ') at++;
  return at;
}

static bool read_kind(const NpyReader *r, const char *header, const NpyKind **kind) {
  const char *descr = value_of(header, "'descr'");
  if (!descr || *descr != '\'') return refuse(r, "its element type is not one name");
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    size_t length = strlen(kinds[k].descr);
    if (strncmp(descr + 1, kinds[k].descr, length) || descr[1 + length] != '\'') continue;
    *kind = &kinds[k];
    return true;
  }
  return refuse(r, "its elements are not little-endian f4, f8, i4, i8, u1 or b1");
}

// A dimension of 0 leaves no elements, but a row or a column may still be too large: they are counted without it.
static bool read_shape(const NpyReader *r, const char *header, NpyArray *array) {
  const char *at = value_of(header, "'shape'");
  if (!at || *at++ != '(') return refuse(r, "it has no shape");
  int64_t counted = 1, bytes;
  array->count = 1;
  while (*at != ')') {
    char *end;
    errno = 0;
    long long n = strtoll(at, &end, 10);
    if (end == at || n < 0 || errno || array->rank == 8) return refuse(r, "its shape cannot be read");
    array->dim[array->rank++] = n;
    if (!checked_mul(counted, n ? n : 1, &counted) || !checked_mul(counted, WIDEST, &bytes))
      return refuse(r, "its shape is too large");
    array->count *= n;
    at = end;
    while (*at == ' ' || *at == ',') at++;
  }
  return true;
}

static bool read_header(NpyReader *r, const char **header) {
  unsigned char start[PREAMBLE], more[2] = {0};
  if (!read_exactly(r, start, PREAMBLE, "it does not start as one")) return false;
  if (memcmp(start, magic, sizeof magic)) return refuse(r, "it does not start as one");
  int major = start[6];
  if (major < 1 || major > 3) return refuse(r, "its version is not known");
  if (major > 1 && !read_exactly(r, more, sizeof more, "it ends in its header")) return false;
  size_t length = (size_t)start[8] | (size_t)start[9] << 8 | (size_t)more[0] << 16 | (size_t)more[1] << 24;
  if (length > MOST_HEADER || (int64_t)length > r->most) return refuse(r, "it ends in its header");
  char *text = arena_alloc(r->arena, length + 1);
  *header = text;
  return read_exactly(r, text, length, "it ends in its header");
}

// ---- elements -------------------------------------------------------------------------------------------------------

bool data_narrow(int type, const unsigned char *from, int64_t count, void *to) {
  for (int64_t k = 0; k < count; k++) {
    int64_t whole;
    double number;
    memcpy(&whole, from + 8 * k, sizeof whole);
    memcpy(&number, from + 8 * k, sizeof number);
    if (type == DATA_F32) ((float *)to)[k] = (float)number;
    if (type == DATA_I32 && (whole < INT32_MIN || whole > INT32_MAX)) return false;
    if (type == DATA_I32) ((int32_t *)to)[k] = (int32_t)whole;
  }
  return true;
}

static const char wrong_length[] = "its length is not what its shape asks for";

static bool read_wide(NpyReader *r, const NpyKind *kind, NpyArray *array) {
  unsigned char piece[WIDEST * PIECE];
  for (int64_t done = 0; done < array->count;) {
    int64_t count = array->count - done < PIECE ? array->count - done : PIECE;
    if (!read_exactly(r, piece, (size_t)(count * WIDEST), wrong_length)) return false;
    if (!data_narrow(kind->type, piece, count, (char *)array->data + 4 * done))
      return refuse(r, "an integer does not fit 32 bits");
    done += count;
  }
  return true;
}

// Straight to where they stay, but for those that become narrower. Behind them is nothing.
static bool read_elements(NpyReader *r, const NpyKind *kind, NpyArray *array) {
  int size = kind->size == WIDEST ? 4 : kind->size;
  array->type = kind->type;
  array->data = arena_array(r->arena, (size_t)array->count, (size_t)size);
  bool wide = kind->size == WIDEST;
  if (!(wide ? read_wide(r, kind, array) : read_exactly(r, array->data, (size_t)(array->count * size), wrong_length)))
    return false;
  char more;
  size_t got;
  int error = bytes_read(r->stream, &more, 1, &got);
  if (error) return refuse(r, "the packed data are damaged or end early");
  if (got) return refuse(r, wrong_length);
  return true;
}

bool npy_read_stream(Arena *arena, DiagSink *sink, const char *path, ByteStream *stream, NpyArray *array) {
  NpyReader r = {.arena = arena, .sink = sink, .path = path, .stream = stream, .most = bytes_most(stream)};
  const char *header = NULL;
  const NpyKind *kind = NULL;
  *array = (NpyArray){0};
  if (!read_header(&r, &header) || !read_kind(&r, header, &kind) || !read_shape(&r, header, array)) return false;
  const char *fortran = value_of(header, "'fortran_order'");
  if (!fortran || strncmp(fortran, "False", 5)) return refuse(&r, "it is in Fortran order");
  int64_t wanted = array->count * kind->size;  // read_shape has seen that it fits
  if (wanted > r.most || (wanted < r.most && !bytes_inflated(stream))) return refuse(&r, wrong_length);
  return read_elements(&r, kind, array);
}

bool npy_read(Arena *arena, DiagSink *sink, Io io, const char *path, NpyArray *array) {
  ByteStream *stream;
  int error = bytes_open(arena, io, path, &stream);
  if (error) {
    diag_error(sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", path, io_reason(error));
    return false;
  }
  bool done = npy_read_stream(arena, sink, path, stream, array);
  bytes_close(stream);
  return done;
}

// ---- as a source ----------------------------------------------------------------------------------------------------

bool npy_field(const Opening *o, const char *path, bool read, size_t before, const NpyArray *array, DataSource *field) {
  if (!read) {
    if (o->sink->n_items > before) o->sink->items[before]->span = o->spec->span;
    return false;
  }
  if (array->rank == 0) return data_refuse(o, DIAG_E0410, path, "it is a single number; data have rows");
  int64_t size = array->type == DATA_F32 || array->type == DATA_I32 ? 4 : 1;
  field->info = (DataInfo){.type = array->type, .rank = array->rank - 1, .rows = array->dim[0], .row_bytes = size};
  for (int d = 1; d < array->rank; d++) {
    field->info.dim[d - 1] = array->dim[d];
    field->info.row_bytes *= array->dim[d];
  }
  field->rows = array->data;
  return true;
}

bool npy_open(const Opening *o, DataSource *fields) {
  const char *path = data_path(o, o->spec->files[0]);
  NpyArray array;
  size_t before = o->sink->n_items;
  bool read = npy_read(o->arena, o->sink, o->io, path, &array);
  return npy_field(o, path, read, before, &array, fields);
}

// ---- writing --------------------------------------------------------------------------------------------------------

int npy_write(Io io, Arena *arena, const char *path, int type, int rank, const int64_t *dim, const void *data) {
  static const char *const descr[] = {[DATA_F32] = "<f4", [DATA_I32] = "<i4", [DATA_BOOL] = "|b1", [DATA_U8] = "|u1"};
  Text header = text_new(arena);
  int64_t bytes = type == DATA_F32 || type == DATA_I32 ? 4 : 1;
  text_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr[type]);
  for (int d = 0; d < rank; d++) {
    text_printf(&header, d + 1 < rank ? "%lld, " : rank == 1 ? "%lld," : "%lld", (long long)dim[d]);
    bytes *= dim[d];
  }
  text_add(&header, "), }");
  while ((PREAMBLE + header.length + 1) % 64) text_add(&header, " ");
  text_add(&header, "\n");
  unsigned char start[PREAMBLE] = {
      0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(header.length & 255), (unsigned char)(header.length >> 8)};
  IoWriter *writer;
  int error = io_replace_begin(io, arena, path, &writer);
  if (error) return error;
  io_replace_write(writer, start, PREAMBLE);  // the first failure stays with the writer
  io_replace_write(writer, header.bytes, header.length);
  error = io_replace_write(writer, data, (size_t)bytes);
  if (!error) return io_replace_commit(writer);
  io_replace_abort(writer);
  return error;
}
