// The checked program: what the rest of dlc asks the frontend for.
#pragma once
#include "ast.h"
#include "io.h"
#include "ir.h"
#include "spec.h"
#include "tensors.h"

typedef struct Program Program;

// A `name=value` given by --set or by the caller.
typedef struct Setting {
  const char *name, *value;  // value in the language's own words: "0.1", "l1", "[16, 32]"
} Setting;

// Reads, parses and checks a file with all that it uses; nothing of its data is opened. Always returns a Program; look
// at sink->n_errors. A file that cannot be read is E0401 (then *missing is set: exit 3).
Program *program_open(Arena *arena, DiagSink *sink, Io io, const char *path, const Setting *settings, int n_settings,
                      bool *missing);
// The same from memory; `path` names it in messages and is where relative paths start.
Program *program_from_text(Arena *arena, DiagSink *sink, Io io, const char *path, const char *text,
                           const Setting *settings, int n_settings);

// Reads a text file (a program, or the IR's text form) and registers it: its file number, or 0 after reporting E0401 or
// E0402 at `span`. Directories, FIFOs and devices are refused, and so is what is larger than any program.
uint32_t program_read_source(Arena *arena, DiagSink *sink, Io io, const char *path, Span span);

int program_model_count(const Program *program);
const char *program_model_name(const Program *program, int model);
// The model of that name; with NULL the one of the train block, else the only one, else the last. -1 where unknown.
int program_find_model(const Program *program, const char *name);

// ---- lowering -----------------------------------------------------------------------------------------------------

typedef enum Mode { MODE_TRAIN, MODE_INFER } Mode;  // the language's `training`
typedef enum LowerWhat {
  LOWER_OUTPUT,  // inputs -> OUT_RESULT outputs: predict, build
  LOWER_LOSS,    // fields of the data set -> OUT_LOSS and OUT_METRIC of the train block (and OUT_STATE in MODE_TRAIN)
  LOWER_GRAD,    // as LOWER_LOSS, and the model's outputs as OUT_RESULT: grad with a train block
  LOWER_COTANGENT,  // inputs and "cotangent" -> OUT_RESULT and OUT_LOSS = sum(output * cotangent): grad without a train
                    // block
  LOWER_SEARCH,     // fields of the data set -> the search block's number as OUT_METRIC
  LOWER_BENCH       // inputs -> OUT_LOSS = mean(output^2), for bench of a model without a train block
} LowerWhat;

typedef struct LayerInfo {  // one line of `dlc FILE.dl`: a call of a layer or function made directly in the model
  const char *name;         // "conv2d_1"
  const char *text;         // "conv2d(6, 5, pad = 2)"
  Shape shape;
  int64_t parameters;  // trainable values inside
  uint32_t line;
  Span span;
  int first_node, last_node;  // graph nodes made inside: first..last, exclusive
} LayerInfo;

typedef struct Lowered {
  Graph *graph;  // verified
  TensorTable params, states;
  LayerInfo *layers;
  int n_layers;
  NodeId *named;
  const char **names;
  int n_named;  // the user's own assigned values, for `dlc grad --at` (q = 3)
} Lowered;

// Lowers a model. NULL after reporting. The batch is a symbol ("N"). For LOWER_LOSS the graph's inputs are the fields
// of the data set that the train block uses, under their names, with dtype and shape as the block needs them (f32 or
// i32).
Lowered *program_lower(Program *program, int model, Mode mode, LowerWhat what);
// Lowers every model in the ways that it is used, only for the mistakes that this shows: also when there are mistakes
// already, so that one run reports all that are independent.
void program_check(Program *program);

// ---- data ---------------------------------------------------------------------------------------------------------

typedef struct FieldSpec FieldSpec;

typedef struct FieldLeaf {  // a source in a field's expression
  const char *name;         // the word that stands for it there: no user can write it
  SourceSpec source;
} FieldLeaf;

// A statistic over all rows of a split, in a field's expression: mean(train.image, axis = [0, 1, 2]).
typedef struct FieldStat {
  const char *name;  // the word that stands for it in the expression
  StatKind kind;
  bool all;   // over every axis; else over those of the list, the rows (0) among them
  int *axes;  // [n_axes], of the field with its rows
  int n_axes;
  bool keep;            // reduced axes stay, with extent 1
  const FieldSpec *of;  // what it is taken of
  SplitPart part;       // over these rows
  Span span;
} FieldStat;

struct FieldSpec {
  const char *name;  // "image"
  FieldLeaf *leaves;
  int n_leaves;
  const FieldStat **stats;
  int n_stats;
  // The expression over leaves and statistics, lowered by program_lower_field when the files' types are known. NULL:
  // the only leaf as it is.
  Expr *expression;
  bool as_f32;  // the program reads it as f32(field): whole numbers are converted on loading
  Span span;
};

typedef struct SplitSpec {
  const char *name;  // "train"
  FieldSpec *fields;
  int n_fields;
  SplitPart part;
  bool is_origin;  // other splits are made of it: not evaluated by itself
} SplitSpec;

typedef struct DataSpec {
  const char *name;
  SplitSpec *splits;
  int n_splits;
  NormalizeSpec *normalize;
  int n_normalize;
  AugmentSpec *augment;
  int n_augment;
  Span span;
} DataSpec;

// The data set that the train block of `model` reads, or NULL where there is none.
const DataSpec *program_data(Program *program, int model);
const DataSpec *program_data_named(Program *program, const char *name);  // NULL where unknown

typedef struct FieldInput {  // a leaf or a statistic of a field's expression, once its type is known
  const char *name;
  DType type;
  bool has_rows;  // leaves: the shape is one row's
  Shape shape;
} FieldInput;

// The field's expression for these inputs (leaves in order, then statistics) -> OUT_RESULT "field" f32 or i32, with the
// rows' dimension first. NULL after reporting.
Graph *program_lower_field(Program *program, const FieldSpec *field, const FieldInput *inputs, int n_inputs);

// ---- training -----------------------------------------------------------------------------------------------------

// NULL where the model has no train block.
const TrainSpec *program_train(Program *program, int model);

// ---- search -------------------------------------------------------------------------------------------------------

const SearchSpec *program_search(Program *program, int model);  // NULL where the model has no search block
int program_searched_model(const Program *program);             // of the first search block; -1 where there is none

// The standard library's text of NAME with its comment (dlc show std NAME); NULL where unknown. NAME NULL: all of it.
const char *program_std_text(Arena *arena, const char *name);
// Names of everything in the standard library, in order: [*count].
const char *const *program_std_names(Arena *arena, int *count);
