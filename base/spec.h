// What data and train blocks say, as plain values: the frontend fills them in, the runtime obeys them.
#pragma once
#include "diag.h"

// ---- training -----------------------------------------------------------------------------------------------------

typedef enum OptimizerKind {
#define OPTIMIZER(name, ...) OPTIMIZER_##name,
#include "optimizers.def"
#undef OPTIMIZER
  OPTIMIZER_COUNT
} OptimizerKind;

typedef struct OptimizerSpec {
  OptimizerKind kind;
  double lr, mu, decay, beta1, beta2, eps;  // those that the kind has
  bool nesterov, eps_inside;                // eps_inside: sqrt(s + eps) in the place of sqrt(s) + eps
} OptimizerSpec;

// What a schedule makes of the level, a factor of lr, from where the piece before left it (first: 1).
typedef enum ScheduleKind {
  SCHEDULE_CONSTANT,     // stays
  SCHEDULE_WARMUP,       // rises linearly from 0 to the level
  SCHEDULE_STEP,         // times `factor` after every `every`
  SCHEDULE_COSINE,       // half a cosine down to `to`
  SCHEDULE_LINEAR,       // a line to `to`
  SCHEDULE_EXPONENTIAL,  // times `factor` for each epoch, smoothly
  SCHEDULE_PLATEAU       // times `factor` whenever the watched score has not improved for `patience` epochs
} ScheduleKind;

typedef struct RunLength {
  double count;   // 0: not given
  bool in_steps;  // else in epochs
} RunLength;

typedef struct SchedulePiece {
  ScheduleKind kind;
  RunLength length;  // how long it lasts; not given: to the end of the run
  RunLength every;
  double factor, to;
  int64_t patience;
} SchedulePiece;

enum { SCHEDULE_MOST = 8 };
typedef struct ScheduleSpec {  // pieces joined by >>; none: the rate stays
  SchedulePiece piece[SCHEDULE_MOST];
  int n;
} ScheduleSpec;

// A score of a split whose improvement decides: "valid.loss".
typedef struct WatchSpec {
  const char *score;  // NULL: nothing is watched
  int64_t patience;   // epochs in a row without improvement
  bool maximize;      // an improvement is a greater value
} WatchSpec;

typedef struct TrainSpec {
  const char *model, *data;
  OptimizerSpec optimizer;                                       // default sgd(lr = 0.01)
  ScheduleSpec schedule;                                         // default none
  int64_t batch;                                                 // default 32
  int64_t epochs;                                                // default 1
  int64_t steps;                                                 // a total; 0: epochs decide
  uint64_t seed;                                                 // default 0
  bool shuffle;                                                  // default true
  int64_t checkpoint_epochs, checkpoint_steps, checkpoint_keep;  // default 1, 0, 3
  bool fast;                                                     // numerics = fast
  int64_t memory_bytes;                                          // 0: no limit
  double clip_norm, clip_value;                                  // of the gradient; 0: as it is
  double max_norm;                                               // of each unit's weights; 0: as they are
  WatchSpec plateau;                                             // for a schedule's plateau
  WatchSpec early_stop;
  Span span;
} TrainSpec;

// ---- search -------------------------------------------------------------------------------------------------------

typedef struct SearchAxis {  // k in [1, 3, 5]
  const char *name;
  const char **values;  // as a program writes them: [n_values]
  const char **shown;   // as a table shows them
  int n_values;
} SearchAxis;

typedef struct SearchSpec {
  const char *model, *data;
  SearchAxis *fixed;  // search m(k = 3): one value each
  int n_fixed;
  SearchAxis *axes;
  int n_axes;
  int64_t folds;      // of cross-validation on `train`; 0: validation
  uint64_t seed;      // of the folds
  bool shuffle;       // false: folds are stretches of `train`
  const char *split;  // validation: on this split
  const char *score;  // the name of what is compared
  bool maximize;
  Span span;
} SearchSpec;

// ---- data ---------------------------------------------------------------------------------------------------------

// The name of a graph's input that holds a field of a data set, `memory`, starts so; no other input's can.
#define MEMORY_PREFIX "memory "

typedef enum SourceKind {
#define SOURCE(KIND, ...) SOURCE_##KIND,
#include "sources.def"
#undef SOURCE
  SOURCE_COUNT
} SourceKind;

enum { SOURCE_MOST_FIELDS = 4 };
typedef struct SourceInfo {  // a row of sources.def
  const char *name;
  bool has_splits;                         // train and test
  const char *fields[SOURCE_MOST_FIELDS];  // NULL where it has fewer; none: it is one field by itself
} SourceInfo;
const SourceInfo *source_info(SourceKind kind);
int source_find_field(SourceKind kind, const char *name);  // its number; -1 where the source has no such field

typedef enum MissingKind { MISSING_REFUSED, MISSING_MEAN, MISSING_MEDIAN, MISSING_MODE, MISSING_VALUE } MissingKind;

typedef struct CsvColumn {
  const char *name;  // in the header, or NULL
  int64_t number;    // from 0, where name is NULL
} CsvColumn;

typedef struct CsvSpec {  // csv(file, columns, ..)
  const CsvColumn *columns;
  int n_columns;  // 0: every column
  bool single;    // one column and no list: a row is one number
  bool header;    // the first line holds names
  bool header_given;
  char separator;
  MissingKind missing;  // what stands for an empty cell, ?, NA, NaN
  double fill;          // MISSING_VALUE
} CsvSpec;

typedef enum ImageFit { FIT_STRETCH, FIT_CROP, FIT_PAD, FIT_TILES, FIT_CORNER } ImageFit;
typedef struct ImagesSpec {  // images(dir, size, ..)
  int64_t height, width;     // 0: those of the first file, which all must have
  ImageFit fit;
  bool nearest;      // sampling = nearest: no value is made that the file does not hold
  int channels;      // 1 or 3; 0: those of the first file
  const char *list;  // a CSV file whose lines begin with images' names, or NULL
} ImagesSpec;

typedef struct SourceSpec {  // a call of a source
  SourceKind kind;
  const char **files;
  int n_files;               // as written; relative to the .dl file's folder, or to --data
  const char *split;         // "train" or "test" where the source has splits and one is chosen; else NULL
  int64_t count;             // generators: how many rows; 0: the source's own number
  uint64_t seed;             // generators
  int64_t classes;           // spirals, blobs
  double spread;             // spirals, blobs: the standard deviation of the noise
  int64_t size;              // shapes: the images' side
  const char *key;           // npz, safetensors: which array
  const char **class_names;  // csv of a text column, images: the classes in order; NULL: those found, sorted
  int n_class_names;
  CsvSpec csv;
  ImagesSpec images;
  const char *field;  // which of the source's fields; NULL: it is one field by itself
  Span span;
} SourceSpec;

typedef struct SplitPart SplitPart;
struct SplitPart {        // rows of the source that belong to a split: split(all, 0.9, seed = 7)
  bool is_part;           // false: all rows
  double from, to;        // of the shuffled rows, 0..1
  uint64_t seed;          // of the shuffling
  const SplitPart *base;  // the rows that are shuffled; NULL: all of the source's
};
bool split_part_equal(const SplitPart *a, const SplitPart *b);  // the same rows of the same source

typedef enum StatKind { STAT_MEAN, STAT_VAR, STAT_MIN, STAT_MAX, STAT_SUM } StatKind;  // over all rows of a split

typedef enum NormalizePer { NORMALIZE_CHANNEL, NORMALIZE_ELEMENT, NORMALIZE_ALL } NormalizePer;
typedef struct NormalizeSpec {  // normalize image per_channel
  const char *field;
  NormalizePer per;
  Span span;
} NormalizeSpec;

typedef enum AugmentKind {
  AUGMENT_FLIP_HORIZONTAL,
  AUGMENT_FLIP_VERTICAL,
  AUGMENT_CROP,
  AUGMENT_ROTATION,
  AUGMENT_BRIGHTNESS,
  AUGMENT_CONTRAST
} AugmentKind;

typedef struct AugmentOp {
  AugmentKind kind;
  double amount;               // flips: the probability; rotation: degrees; brightness, contrast: the greatest change
  int64_t height, width, pad;  // crop
  Span span;
} AugmentOp;

typedef struct AugmentSpec {  // augment image, mask { flip_horizontal(0.5) crop(32, pad = 4) }
  const char **fields;        // all change alike: [n_fields]
  int n_fields;
  AugmentOp *ops;  // [n_ops], in order
  int n_ops;
  Span span;
} AugmentSpec;
