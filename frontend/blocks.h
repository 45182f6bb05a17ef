// Data and train blocks: what their items mean. Private to program.c, program_lower.c and blocks*.c.
//
// A block is read once, when the program is opened: everything that can be known without data is checked then, and the
// result is plain values (base/spec.h) and the statements that make up the loss. Names inside a block are its own.
#pragma once
#include "elab.h"

// ---- the program ----------------------------------------------------------------------------------------------------

// A --set name=value, parsed. It replaces a hyperparameter, a key or a name of a train block, or an option of its
// optimizer.
typedef struct SettingValue {
  const char *name;
  const Expr *value;  // NULL after a mistake in it
  Span span;
  bool used;
} SettingValue;

// One of the statements of a train block that are run to get the loss and the metrics, in order.
typedef struct TrainStep {
  enum { TRAIN_ASSIGN, TRAIN_LOSS, TRAIN_METRIC } kind;
  const Name *names;  // assigned; more than one takes a call's results apart. Of a metric: its name
  const Expr *value;
  Span span;
} TrainStep;

typedef struct DataBlock {
  const Decl *decl;
  DataSpec spec;
  bool broken;  // something in it was reported: splits and fields may be missing
} DataBlock;

typedef struct TrainBlock {
  const Decl *decl, *model;  // model NULL: unknown
  DataBlock *data;           // NULL: unknown
  TrainSpec spec;
  TrainStep *steps;
  size_t n_steps, steps_capacity;
  bool broken;  // something in it was reported
} TrainBlock;

typedef struct SearchBlock {
  const Decl *decl, *model;  // model NULL: unknown
  DataBlock *data;           // NULL: unknown
  TrainBlock *train;         // the model's, or NULL
  SearchSpec spec;
  TrainStep objective;  // value NULL: not given
  bool has_by, broken;
} SearchBlock;

struct Program {
  Arena *arena;
  DiagSink *sink;
  Io io;
  Globals *globals;
  Elab *values;  // where compile-time values of blocks are computed
  Ast **files;   // used files before those that use them: [n_files]
  size_t n_files, files_capacity;
  uint32_t main_file;
  const Decl **models;
  size_t n_models, models_capacity;
  DataBlock **data;
  size_t n_data, data_capacity;
  TrainBlock **trains;
  size_t n_trains, trains_capacity;
  SearchBlock **searches;
  size_t n_searches, searches_capacity;
  SettingValue *settings;
  int n_settings;
};

// ---- reading blocks (at opening) ------------------------------------------------------------------------------------

void data_block_read(Program *program, DataBlock *block);      // blocks_data.c
void train_block_read(Program *program, TrainBlock *block);    // blocks_train.c
void search_block_read(Program *program, SearchBlock *block);  // blocks_search.c
// May --set or a search name it: a key, a name of the block, an option of its optimizer?
bool train_block_takes(const TrainBlock *block, const char *name);
SearchBlock *program_search_block(const Program *program, int model);  // NULL where the model has none
TrainBlock *program_train_block(const Program *program, int model);    // NULL where the model has none

bool blocks_is_hyper(const Decl *model, const char *name);
// `train m(k = 3)`, `search m(k = 3)`: each argument is a hyperparameter by name.
void blocks_check_hyper(Program *program, const Decl *block, const Decl *model);
// The model's hyperparameters as set from outside: by its train block's arguments, then by its search block's where
// that is lowered (else NULL), then by settings. [*count]
const NamedValue *blocks_hyper(Program *program, const Decl *model, const TrainBlock *train, const SearchBlock *search,
                               int *count);

// Did an item not parse, here or inside? Then what else the block lacks says nothing.
bool items_broken(const Item *items);

// ---- keys whose value is a call with options: sgd(lr = 0.1), every(epochs = 1), idx("file") (blocks_bind.c) ---------

typedef enum OptionKind {
  OPTION_NUMBER,  // number, within low..high
  OPTION_WHOLE,   // integer, within low..high
  OPTION_FLAG,    // true or false
  OPTION_TEXT,    // a string, or a bare word
  OPTION_FILES,   // a string, or a list of strings
  OPTION_SCORE,   // split.loss or split.metric: checked once the block's metrics are known
  OPTION_EXPR     // anything: whoever binds it reads it
} OptionKind;

typedef struct OptionRule {
  const char *name;
  OptionKind kind;
  bool required;
  double low, high;  // of numbers, both included
} OptionRule;

typedef struct OptionValue {
  bool given;
  Span span;  // of the value, where given
  double number;
  int64_t whole;
  bool flag;
  const char *text;
  const char **files;
  int n_files;
  bool is_list;      // of files: written as a list
  const Expr *expr;  // as written
} OptionValue;

// Binds a call's arguments (a bare name is a call without any) to rules in order, as a function's. False after
// reporting E0102 to E0104 at the call, or E0156 at a value.
bool blocks_bind(Program *program, Scope *scope, const Expr *call, const OptionRule *rules, int n, OptionValue *values);
// One value of that kind.
bool blocks_value(Program *program, Scope *scope, const char *what, const Expr *value, const OptionRule *rule,
                  OptionValue *result);
// The name that an expression calls or is: "adam" of adam(..) and of adam. NULL for anything else and for dotted paths.
const char *blocks_head(const Expr *expr);

// ---- sources (blocks_source.c) --------------------------------------------------------------------------------------

// The source of that name; false where there is none.
bool blocks_source_find(const char *name, SourceKind *kind);
// Every source's name, for messages: "idx, npy, ..".
const char *blocks_source_list(Arena *arena);
// Does the expression call what is no function, but nearly a source's name? Reports it then.
bool blocks_source_misspelt(Program *program, const Expr *expr);
// What a call of a source says; *whole: a data set with splits, none of them chosen. False after reporting.
bool blocks_source_read(Program *program, Scope *scope, const Expr *call, SourceKind kind, SourceSpec *source,
                        bool *whole);
// Whether a source has a split of that name; reports at the span where it has not.
bool blocks_source_split(Program *program, const char *source, const char *name, Span span);

// ---- normalize and augment (blocks_prepare.c) -----------------------------------------------------------------------

// Reads such an item into the data set's spec; its fields are checked when every split is known. False after reporting.
bool blocks_normalize_read(Program *program, DataSpec *spec, const Item *item);
bool blocks_augment_read(Program *program, DataSpec *spec, Scope *scope, const Item *item);
// Whether every field that they name is in a split. False after reporting.
bool blocks_prepare_check(Program *program, const DataSpec *spec);

// ---- expressions (blocks_expr.c) ------------------------------------------------------------------------------------

// Does the expression mention the name, as a value or as what it calls?
bool expr_uses(const Expr *expr, const char *name);
// Calls visit on the expression and everything inside it, outermost first, until it returns false.
bool expr_each(const Expr *expr, bool (*visit)(void *state, const Expr *expr), void *state);
// A copy in which every subexpression that swap gives another for is that other; NULL keeps it. Outermost first; what
// was swapped in is not looked into.
typedef const Expr *(*ExprSwap)(void *state, const Expr *expr);
Expr *expr_rewrite(Arena *arena, const Expr *expr, ExprSwap swap, void *state);
// A copy in which `old` (by identity) is `new`.
Expr *expr_replace(Arena *arena, const Expr *expr, const Expr *old, const Expr *new);
// A path of one name, at a span.
Expr *expr_name(Arena *arena, const char *name, Span span);
