// What the files of data sources and of fields share. Private to them.
#pragma once
#include "data.h"

struct Source_ {
  DataInfo info;
  char *rows;          // [info.rows * info.row_bytes], in the store's arena
  const char *absent;  // NULL, or why what was read has no such field
};

// The opening of one source: where its memory comes from and where mistakes go.
typedef struct Opening {
  Arena *arena;
  DiagSink *sink;
  Io io;
  const char *root;  // relative paths start there; NULL: the current folder
  const SourceSpec *spec;
} Opening;

const char *data_path(const Opening *o, const char *file);
// Each reports at the source's span and returns false.
bool data_unreadable(const Opening *o, const char *path, int error);  // E0403; error: negative errno
bool data_refuse(const Opening *o, DiagCode code, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// ---- bytes.c: a file from its beginning, inflated where it is a gzip file -------------------------------------------

typedef struct ByteStream ByteStream;
// 0 or -errno.
int bytes_open(Arena *arena, Io io, const char *path, ByteStream **stream);
// `count` bytes of an open file, inflated where they are deflated; the file stays the caller's.
ByteStream *bytes_open_part(Arena *arena, Io io, int fd, int64_t begin, int64_t count, bool deflated);
void bytes_close(ByteStream *stream);
// Up to `count` bytes: fewer only at the end. *got tells how many. -EBADMSG: the deflated data are damaged, end early,
// or have something behind them.
int bytes_read(ByteStream *stream, void *buffer, size_t count, size_t *got);
bool bytes_inflated(const ByteStream *stream);
uint32_t bytes_crc(const ByteStream *stream);  // of a part, as far as it was read
// No file (or part) of this size can hold more bytes: its own size, or what deflate makes of it at best.
int64_t bytes_most(const ByteStream *stream);

// ---- .npy, which is also what .npz files hold -----------------------------------------------------------------------

// Reads an array from a stream; `path` is named in messages (E0410, at no place). Without a way to tell its length
// beforehand `size` is what it can be at most, and more may be promised than is there.
bool npy_read_stream(Arena *arena, DiagSink *sink, const char *path, ByteStream *stream, NpyArray *array);
// The array as a field, its first dimension the rows; what was reported since `before` is put at the source's place.
bool npy_field(const Opening *o, const char *path, bool read, size_t before, const NpyArray *array, DataSource *field);
// `count` values of 8 bytes (f8 or i8, little-endian) to 4: false where an integer does not fit.
bool data_narrow(int type, const unsigned char *from, int64_t count, void *to);

// ---- csv.c ----------------------------------------------------------------------------------------------------------

// The first cells of a file's lines, those of the header left out. False after reporting.
bool csv_names(const Opening *o, const char *path, const char ***names, size_t *count);

// ---- shared by those that make fields -------------------------------------------------------------------------------

// count * size bytes on a cache line's boundary.
char *data_aligned(Arena *arena, int64_t count, int64_t size);
// The cosine and sine of an angle in radians, at most pi away from 0, by + - * alone: the same bits on every machine.
void data_turn(double angle, double *cosine, double *sine);
// Augments one row of elements of 4 bytes. `scratch`: two buffers of augment_room(augment) elements each.
int64_t augment_room(const FieldAugment *augment);
void augment_row(const FieldAugment *augment, int type, uint64_t seed, int64_t epoch, int64_t row, const void *from,
                 void *to, void *const scratch[2]);

// ---- the sources: each fills its fields, in the order of sources.def; false after reporting -------------------------

bool idx_open(const Opening *o, DataSource *fields);
bool npy_open(const Opening *o, DataSource *fields);
bool npz_open(const Opening *o, DataSource *fields);
bool safetensors_open(const Opening *o, DataSource *fields);
bool csv_open(const Opening *o, DataSource *fields);
bool images_open(const Opening *o, DataSource *fields);
bool cifar10_open(const Opening *o, DataSource *fields);
bool cifar100_open(const Opening *o, DataSource *fields);
bool digits_open(const Opening *o, DataSource *fields);
bool spirals_open(const Opening *o, DataSource *fields);
bool blobs_open(const Opening *o, DataSource *fields);
bool shapes_open(const Opening *o, DataSource *fields);
