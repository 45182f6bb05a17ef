// .npy files: NumPy's array format, versions 1 to 3 (numpy/lib/format.py). Only a list of plain element types is read;
// the header is matched, never evaluated.
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"
#include "data.h"

enum { MOST_HEADER = 65536, PREAMBLE = 10, WIDEST = 8 };  // bytes
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
  const unsigned char *bytes;
  size_t size;
} NpyReader;

static bool refuse(const NpyReader *r, const char *why) {
  diag_error(r->sink, DIAG_E0410, SPAN_NONE, "'%s' is no .npy file that dlc reads: %s", r->path, why);
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

// The header's text and where the data begin.
static bool read_header(const NpyReader *r, const char **header, size_t *data) {
  if (r->size < PREAMBLE || memcmp(r->bytes, magic, sizeof magic)) return refuse(r, "it does not start as one");
  int major = r->bytes[6];
  if (major < 1 || major > 3) return refuse(r, "its version is not known");
  size_t at = major == 1 ? 10 : 12;
  if (r->size < at) return refuse(r, "it ends in its header");
  size_t length = (size_t)r->bytes[8] | (size_t)r->bytes[9] << 8;
  if (major > 1) length |= (size_t)r->bytes[10] << 16 | (size_t)r->bytes[11] << 24;
  if (length > MOST_HEADER || length > r->size - at) return refuse(r, "it ends in its header");
  *header = arena_strndup(r->arena, (const char *)r->bytes + at, length);
  *data = at + length;
  return true;
}

// ---- elements -------------------------------------------------------------------------------------------------------

static bool convert_i8(const NpyReader *r, const unsigned char *from, int64_t count, int32_t *to) {
  for (int64_t k = 0; k < count; k++) {
    int64_t value;
    memcpy(&value, from + 8 * k, sizeof value);
    if (value < INT32_MIN || value > INT32_MAX) return refuse(r, "an integer does not fit 32 bits");
    to[k] = (int32_t)value;
  }
  return true;
}

static bool convert(const NpyReader *r, const NpyKind *kind, const unsigned char *from, NpyArray *array) {
  int size = kind->type == DATA_F32 || kind->type == DATA_I32 ? 4 : 1;
  array->data = arena_array(r->arena, (size_t)array->count, (size_t)size);
  if (kind->type == DATA_I32 && kind->size == 8) return convert_i8(r, from, array->count, array->data);
  if (kind->size != 8) {
    if (array->count) memcpy(array->data, from, (size_t)(array->count * size));
    return true;
  }
  for (int64_t k = 0; k < array->count; k++) {
    double value;
    memcpy(&value, from + 8 * k, sizeof value);
    ((float *)array->data)[k] = (float)value;
  }
  return true;
}

bool npy_read(Arena *arena, DiagSink *sink, Io io, const char *path, NpyArray *array) {
  NpyReader r = {.arena = arena, .sink = sink, .path = path};
  char *bytes;
  int error = io_read_file(io, arena, path, (size_t)1 << 40, &bytes, &r.size);
  if (error) {
    diag_error(sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", path, io_reason(error));
    return false;
  }
  r.bytes = (const unsigned char *)bytes;
  const char *header = NULL, *fortran;
  const NpyKind *kind = NULL;
  size_t data = 0;
  *array = (NpyArray){0};
  if (!read_header(&r, &header, &data) || !read_kind(&r, header, &kind) || !read_shape(&r, header, array)) return false;
  fortran = value_of(header, "'fortran_order'");
  if (!fortran || strncmp(fortran, "False", 5)) return refuse(&r, "it is in Fortran order");
  array->type = kind->type;
  int64_t wanted;
  if (!checked_mul(array->count, kind->size, &wanted) || (uint64_t)wanted != r.size - data)
    return refuse(&r, "its length is not what its shape asks for");
  return convert(&r, kind, r.bytes + data, array);
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
  error = io_replace_write(writer, start, PREAMBLE);
  if (!error) error = io_replace_write(writer, header.bytes, header.length);
  if (!error) error = io_replace_write(writer, data, (size_t)bytes);
  if (!error) return io_replace_commit(writer);
  io_replace_abort(writer);
  return error;
}
