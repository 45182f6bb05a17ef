// What the files of the data sources share. Private to data.c, bytes.c, idx.c, cifar10.c and digits.c.
#pragma once
#include "data.h"

struct Source_ {
  DataInfo info;
  const char *rows;  // [info.rows * info.row_bytes], in the store's arena
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

// ---- bytes.c: a file from its beginning, inflated where it is a gzip file
// --------------------------------------------

typedef struct ByteStream ByteStream;
// 0 or -errno.
int bytes_open(Arena *arena, Io io, const char *path, ByteStream **stream);
void bytes_close(ByteStream *stream);
// Up to `count` bytes: fewer only at the end. *got tells how many. -EBADMSG: the gzip data are damaged, end early, or
// have something behind them.
int bytes_read(ByteStream *stream, void *buffer, size_t count, size_t *got);
bool bytes_inflated(const ByteStream *stream);
// No file of this size can hold more bytes: its own size, or what deflate makes of it at its best.
int64_t bytes_most(const ByteStream *stream);

// ---- the sources: each fills its fields, false after reporting
// -------------------------------------------------------

bool idx_open(const Opening *o, DataSource *field);
bool npy_open(const Opening *o, DataSource *field);
bool cifar10_open(const Opening *o, DataSource *image, DataSource *label);
bool digits_open(const Opening *o, DataSource *image, DataSource *label);
