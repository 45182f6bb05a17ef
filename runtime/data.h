// Data sources and batches. A source stays in its file's element type; nothing read from a file is trusted.
#pragma once
#include "diag.h"
#include "io.h"
#include "spec.h"
#include "threads.h"

typedef struct Source_ DataSource;  // opened: rows of one field, in memory in the file's own element type

// Element types of data: the values of ir.h's DType.
enum { DATA_F32 = 0, DATA_I32 = 1, DATA_BOOL = 2, DATA_U8 = 3 };

typedef struct DataInfo {
  int type;        // DATA_U8, DATA_I32, DATA_F32
  int rank;        // of one row
  int64_t dim[8];  // of one row
  int64_t rows;
  int64_t row_bytes;
} DataInfo;

// All sources of a run: fields and splits that read the same file (cifar10's image and label, the parts of split())
// share its memory.
typedef struct DataStore DataStore;
DataStore *data_store_new(Arena *arena, Io io);

// Opens a source: reads (and inflates) its file whole after checking the header, or generates it. `root` is put before
// relative paths. NULL after reporting E0403 (cannot be read), E0407, E0408 or E0410 (damaged) at the source's span.
DataSource *data_open(DataStore *store, DiagSink *sink, const char *root, const SourceSpec *spec);
DataInfo data_info(const DataSource *source);
const void *data_row(const DataSource *source, int64_t row);

// .npy files. Reading: little-endian f4, f8 (rounded to f32), i4, i8 (must fit i32), u1, b1; C order.
typedef struct NpyArray {
  int type, rank;
  int64_t dim[8];
  int64_t count;
  void *data;
} NpyArray;
bool npy_read(Arena *arena, DiagSink *sink, Io io, const char *path, NpyArray *array);  // reports E04xx
int npy_write(Io io, Arena *arena, const char *path, int type, int rank, const int64_t *dim,
              const void *data);  // -errno

// ---- the order of rows --------------------------------------------------------------------------------------------

// The rows of a split: those of a part, in the split's own order.
typedef struct RowSet {
  int64_t count;
  const int64_t *rows;  // NULL: 0..count
} RowSet;
RowSet rows_of_part(Arena *arena, const SplitPart *part, int64_t total);
// Where row k of epoch `epoch` is: a pseudo-random permutation from (seed, epoch), or k itself where !shuffle. Fills
// order[count].
void rows_shuffle(uint64_t seed, int64_t epoch, bool shuffle, const RowSet *set, int64_t *order);

// ---- batches ------------------------------------------------------------------------------------------------------

// One field of a batch: raw rows are gathered, then `convert` (a compiled step with input "source" and one result)
// makes the model's tensor; without it the rows are copied as they are, u8 labels widened to i32.
typedef struct BatchField {
  const char *name;
  DataSource *source;
  const DlcStep *convert;  // or NULL
  int type;                // of the batch tensor: DATA_F32 or DATA_I32
  int64_t row_elements;
} BatchField;

typedef struct Loader Loader;
typedef struct Batch {
  int64_t count;         // rows in this batch: the last of an epoch may be smaller
  int64_t epoch, index;  // which epoch, which batch of it
  void *const *fields;   // [n_fields], row-major [count, row...]
} Batch;

// Makes batches of up to `batch` rows; a thread of its own prepares the next one while the caller computes. Starts at
// batch `first_index` of `first_epoch` (a resumed run). Endless: the epoch after the last batch follows. All memory is
// taken from the arena here; NULL when the thread cannot be had. rows->count >= 1, batch >= 1, and no converting step
// is planned for fewer rows.
Loader *loader_new(Arena *arena, const BatchField *fields, int n_fields, const RowSet *rows, int64_t batch,
                   bool shuffle, uint64_t seed, int64_t first_epoch, int64_t first_index);
const Batch *loader_next(Loader *loader);             // valid until the next call
void loader_free(Loader *loader);                     // NULL is allowed; ends the thread
int64_t loader_batches(int64_t rows, int64_t batch);  // of an epoch: the last may be smaller
