// IDX files (MNIST's format), plain or gzipped: two zero bytes, the element type, the number of dimensions, the
// dimensions as big-endian 32-bit numbers, the elements big-endian in C order. The whole header is checked against the
// file's size before anything is allocated.
#include <errno.h>
#include <string.h>

#include "checked.h"
#include "data_inside.h"

enum { MOST_DIMS = 9, PIECE = 4096 };  // the rows' dimension and a row's; elements converted at a time

typedef struct IdxType {
  int code, bytes;  // in the file
  int type;         // in memory
} IdxType;

static const IdxType types[] = {
    {0x08, 1, DATA_U8},  {0x09, 1, DATA_I32}, {0x0b, 2, DATA_I32},
    {0x0c, 4, DATA_I32}, {0x0d, 4, DATA_F32}, {0x0e, 8, DATA_F32},
};

typedef struct IdxReader {
  const Opening *o;
  const char *path;
  ByteStream *stream;
  const IdxType *type;
  int64_t elements;
} IdxReader;

// Exactly `count` bytes; what ends early or is damaged is reported.
static bool read_exactly(const IdxReader *r, void *buffer, size_t count, const char *what) {
  size_t got;
  int error = bytes_read(r->stream, buffer, count, &got);
  if (!error && got == count) return true;
  if (error && error != -EBADMSG) return data_unreadable(r->o, r->path, error);
  const char *how = error ? "the gzip data are damaged or end early, within the %s" : "it ends early, within the %s";
  return data_refuse(r->o, DIAG_E0407, r->path, how, what);
}

static uint32_t big_endian(const unsigned char *b) {
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool read_magic(IdxReader *r, int *dims) {
  unsigned char magic[4];
  if (!read_exactly(r, magic, sizeof magic, "header")) return false;
  if (magic[0] || magic[1]) return data_refuse(r->o, DIAG_E0407, r->path, "it does not start as an IDX file");
  for (size_t k = 0; k < sizeof types / sizeof *types; k++)
    if (types[k].code == magic[2]) r->type = &types[k];
  if (!r->type) return data_refuse(r->o, DIAG_E0407, r->path, "its element type 0x%02x is unknown", magic[2]);
  *dims = magic[3];
  if (*dims >= 1 && *dims <= MOST_DIMS) return true;
  return data_refuse(r->o, DIAG_E0407, r->path, "it has %d dimensions; dlc reads 1 to %d", *dims, MOST_DIMS);
}

// The row's shape and size. A dimension of 0 leaves no elements, but the others must still make up a size: they are
// counted without it.
static bool read_row(DataInfo *info, const unsigned char *sizes, int64_t *elements) {
  int64_t element = info->type == DATA_U8 ? 1 : 4, counted = element;
  bool empty = false;
  for (int d = 0; d < info->rank; d++) {
    info->dim[d] = big_endian(sizes + 4 * d);
    empty = empty || info->dim[d] == 0;
    if (!checked_mul(counted, info->dim[d] ? info->dim[d] : 1, &counted)) return false;
  }
  info->row_bytes = empty ? 0 : counted;
  *elements = info->row_bytes / element;
  return true;
}

static bool read_header(IdxReader *r, DataInfo *info) {
  int dims = 0;
  if (!read_magic(r, &dims)) return false;
  unsigned char sizes[4 * MOST_DIMS];
  if (!read_exactly(r, sizes, 4 * (size_t)dims, "header")) return false;
  info->type = r->type->type;
  info->rank = dims - 1;
  info->rows = big_endian(sizes);
  int64_t header = 4 + 4 * dims, row, bytes, most = bytes_most(r->stream);
  bool fits = read_row(info, sizes + 4, &row) && checked_mul(row, info->rows, &r->elements) &&
              checked_mul(r->elements, r->type->bytes, &bytes) && checked_add(bytes, header, &bytes);
  if (!fits || bytes > most || (bytes < most && !bytes_inflated(r->stream)))
    return data_refuse(r->o, DIAG_E0407, r->path, "its size is not what its header says");
  return true;
}

static void convert_element(const IdxType *type, const unsigned char *from, char *to) {
  uint64_t bits = 0;
  for (int k = 0; k < type->bytes; k++) bits = bits << 8 | from[k];
  if (type->type == DATA_I32) {
    int unused = 64 - 8 * type->bytes;
    int32_t value = (int32_t)((int64_t)(bits << unused) >> unused);  // the sign is the file's top bit
    memcpy(to, &value, sizeof value);
  } else if (type->bytes == 4) {
    uint32_t half = (uint32_t)bits;
    memcpy(to, &half, sizeof half);
  } else {
    double wide;
    memcpy(&wide, &bits, sizeof wide);
    float value = (float)wide;
    memcpy(to, &value, sizeof value);
  }
}

static bool read_elements(const IdxReader *r, char *to) {
  if (r->type->type == DATA_U8) return read_exactly(r, to, (size_t)r->elements, "data");
  unsigned char piece[8 * PIECE];
  for (int64_t done = 0; done < r->elements;) {
    int64_t count = r->elements - done < PIECE ? r->elements - done : PIECE;
    if (!read_exactly(r, piece, (size_t)(count * r->type->bytes), "data")) return false;
    for (int64_t k = 0; k < count; k++) convert_element(r->type, piece + k * r->type->bytes, to + 4 * (done + k));
    done += count;
  }
  return true;
}

// There must be nothing behind the elements; asking for a byte also makes zlib check its checksum.
static bool read_end(const IdxReader *r) {
  char more;
  size_t got;
  int error = bytes_read(r->stream, &more, 1, &got);
  if (!error && got == 0) return true;
  if (error && error != -EBADMSG) return data_unreadable(r->o, r->path, error);
  return data_refuse(
      r->o, DIAG_E0407, r->path,
      error ? "the gzip data are damaged or end early, behind the data" : "it is longer than its header says");
}

static bool read_all(IdxReader *r, DataSource *field) {
  if (!read_header(r, &field->info)) return false;
  char *rows = arena_array(r->o->arena, (size_t)r->elements, r->type->type == DATA_U8 ? 1 : 4);
  field->rows = rows;
  return read_elements(r, rows) && read_end(r);
}

bool idx_open(const Opening *o, DataSource *field) {
  IdxReader r = {.o = o, .path = data_path(o, o->spec->files[0])};
  int error = bytes_open(o->arena, o->io, r.path, &r.stream);
  if (error) return data_unreadable(o, r.path, error);
  bool done = read_all(&r, field);
  bytes_close(r.stream);
  return done;
}
