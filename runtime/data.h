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
// A store with the files that this one has read so far, and nothing kept.
DataStore *data_store_beside(const DataStore *store);
// What was computed of the data once for several splits (statistics), under an address of the caller's; NULL: nothing.
const void *data_store_recall(const DataStore *store, const void *key);
void data_store_keep(DataStore *store, const void *key, const void *value);

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
// Those of the set that stand at these places of it.
RowSet rows_narrowed(Arena *arena, const RowSet *set, const RowSet *places);
// Where row k of epoch `epoch` is: a pseudo-random permutation from (seed, epoch), or k itself where !shuffle. Fills
// order[count].
void rows_shuffle(uint64_t seed, int64_t epoch, bool shuffle, const RowSet *set, int64_t *order);

// ---- fields of batches ----------------------------------------------------------------------------------------------

typedef struct AugmentStep {
  const AugmentOp *op;
  uint64_t stream;  // of its random numbers: fields that change alike share it
} AugmentStep;

// What moves or changes a row's pixels. A row is [height, width, channels].
typedef struct FieldAugment {
  const AugmentStep *steps;
  int n_steps;
  int64_t height, width, channels;
  bool training;  // else only the middle is cut out, where crop makes rows smaller
} FieldAugment;

// The size that the steps leave; false where a crop is larger than what it is cut from.
bool augment_size(const FieldAugment *augment, int64_t *height, int64_t *width);

typedef struct FieldScale {       // y = (x - mean) / deviation, element by element
  const float *mean, *deviation;  // [row_elements]
} FieldScale;

// One field of a batch. The sources' rows are gathered; `convert` (a compiled step with one result) makes one row of
// each, or where it is NULL the only source's rows are copied, integers widened. Then the rows are augmented and
// scaled.
typedef struct BatchField {
  const char *name;
  DataSource *const *sources;
  int n_sources;
  const DlcStep *convert;  // or NULL
  // Of convert's inputs, each either which source it is, or memory that stays the same: [convert->n_inputs]. NULL:
  // every input is the first source.
  const int *input_source;
  char *const *input_fixed;  // NULL where the input is a source
  int type;                  // of the batch tensor: DATA_F32 or DATA_I32
  int64_t row_elements;
  const FieldAugment *augment;  // or NULL
  const FieldScale *scale;      // or NULL; of DATA_F32
} BatchField;

typedef struct FieldMaker FieldMaker;
// Room for making up to `batch` rows of a field at a time. No converting step is planned for fewer rows.
FieldMaker *field_maker_new(Arena *arena, const BatchField *field, int64_t batch);
// Makes rows[count] of the sources into to[count * row_elements]; what chance decides follows from (seed, epoch, row).
void field_make(FieldMaker *maker, uint64_t seed, int64_t epoch, const int64_t *rows, int64_t count, void *to);

// ---- statistics -----------------------------------------------------------------------------------------------------

typedef struct FieldStats {  // of each group of elements: [n_groups], in double
  double *mean, *variance, *min, *max, *sum;
  int64_t n_groups;
} FieldStats;
// Over all rows of the set, of the field as it is made without chance. group_of[row_elements] says to which group an
// element of a row belongs. The variance is divided by n.
FieldStats field_statistics(Arena *arena, const BatchField *field, const RowSet *rows, int64_t batch,
                            const int32_t *group_of, int64_t n_groups);

// ---- batches --------------------------------------------------------------------------------------------------------

typedef struct Loader Loader;
typedef struct Batch {
  int64_t count;         // rows in this batch: the last of an epoch may be smaller
  int64_t epoch, index;  // which epoch, which batch of it
  const int64_t *rows;   // [count]: which rows of the sources these are
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
