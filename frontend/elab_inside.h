// What the elaborator's files share among themselves: frames, calls, layers made into values.
#pragma once
#include "elab.h"

enum {
  ELAB_MAX_DEPTH = 500,      // of nested expressions, blocks and calls together
  ELAB_MAX_CALLS = 64,       // of calls inside calls
  ELAB_MOST_CALLS = 100000,  // of calls made, those of the library included: each takes some kilobytes
  ELAB_MAX_STEPS = 1000000,  // statements run, loops included, and items of lists made
  ELAB_MAX_NODES = 1000000,  // of one graph
  ELAB_MAX_TEXT = 10000      // bytes of one text
};

// One call being elaborated.
struct Frame {
  const Decl *decl;  // NULL at top level
  const char *path;  // "lenet5.conv2d_1"; "" at top level
  Frame *caller;     // NULL at top level
  bool library;      // its body is the standard library's
  Span call;         // the nearest call that the user wrote
  const char *name;  // what the user called there: "conv2d"
  Value subject;     // the first tensor that it was given: whose history an error shows
  HashTable taken;   // names of parameters, of states and after `as` -> where, in bytes of the file
  HashTable calls;   // how often each function has been called without `as`
  bool broken;       // a statement did not parse: names may be missing
};

typedef struct CallArg {
  const char *name;  // NULL: positional
  Value value;
  Span span;
} CallArg;

// A call about to be made: whatever is called, arguments already evaluated.
typedef struct Call {
  const Decl *decl;
  CallArg *args;
  int n_args;
  Span span;         // of the whole call
  const char *text;  // as written, for histories and reports
  const char *path;  // its place in the call tree
} Call;

// `layer dense(64)`: a call that still lacks its tensors.
struct Layer {
  Call call;
};

// ---- elab.c --------------------------------------------------------------------------------------------------------
bool elab_enter(Elab *e, Span span);  // counts nesting; false after reporting E0005. Leave with e->depth--
// Counts so many steps: statements run, items of lists made. False after reporting E0117.
bool elab_spend(Elab *e, int64_t steps, Span span);
bool elab_in_library(const Elab *e, Span span);
const char *elab_source_text(const Elab *e, Span span);  // as written, blanks and line breaks as one blank
const char *elab_inner_shape_text(const Elab *e, const Shape *shape);  // without the batch
Global *elab_global(Elab *e, const char *name);           // as the current frame's text sees it; NULL where unknown
bool elab_element_type(const Type *type, DType *result);  // false where the parser has reported it
Value elab_field_tensor(Elab *e, const Field *field);     // of a field that has its type
History *elab_history(Elab *e, const char *text, Span span, const Shape *shape, const History *before);

// ---- elab_shape.c --------------------------------------------------------------------------------------------------
bool elab_fits(Elab *e, const Shape *shape, Span span);  // false after reporting that no tensor can have this shape
Value elab_shaped_expr(Elab *e, Scope *scope, const Expr *expr);  // a : [dims]

// ---- elab_memory.c -------------------------------------------------------------------------------------------------
void run_memory(Elab *e, Scope *scope, const Stmt *stmt);  // memory name: type = data.split.field

// ---- elab_call.c ---------------------------------------------------------------------------------------------------
Value elab_call_expr(Elab *e, Scope *scope, const Expr *expr, const Value *piped, Span piped_span);
Value elab_layer_expr(Elab *e, Scope *scope, const Expr *expr);
Value call_run(Elab *e, const Call *call);
void elab_report_unknown_function(DiagSink *sink, Globals *globals, const Name *name);  // E0101
bool frame_take(Elab *e, const char *name, Span span);  // false after reporting that it is taken
// The path of a call of `name` in the current frame: numbered, or with its own name. NULL after reporting.
const char *frame_child(Elab *e, const char *name, const Name *as);

// ---- elab_bind.c: arguments meet a signature -----------------------------------------------------------------------
// Fills the callee's scope from the arguments; false after reporting.
bool bind_arguments(Elab *e, const Call *call, Scope *scope);
// Only which argument is which parameter: what can be said of a call whose arguments hold a mistake. The caller's frame
// is the current one.
void bind_check(Elab *e, const Call *call);
// Value against a type of a signature; binds its free dimensions in scope. `what` names it: "conv2d: 'x'".
Value bind_type(Elab *e, Scope *scope, const Type *type, Value v, Span span, const char *what);
// A model's hyperparameter that the call does not give: from outside, or its default.
void bind_hyper(Elab *e, Scope *scope, const Decl *model, const Param *p);
// "its options are lr, mu": for reports.
const char *bind_option_list(Elab *e, const Decl *decl);

// ---- elab_fold.c ---------------------------------------------------------------------------------------------------
// Folds compile-time operands (poison after reporting); false where the operator needs nodes or does not apply.
bool elab_fold(Elab *e, AstOp op, Value a, Value b, Span span, Value *result);

// ---- elab_ops.c ----------------------------------------------------------------------------------------------------
Value elab_pointwise(Elab *e, Op op, AstOp like, Value a, Value b, Span span);
Value elab_matmul(Elab *e, Value a, Value b, Span span);
void elab_report_open_field(Elab *e, const Field *field, Span span);  // E0231

// ---- elab_core.c ---------------------------------------------------------------------------------------------------
Value core_call(Elab *e, const char *name, const CallArg *args, int n_args, Span span);

// ---- elab_words.c --------------------------------------------------------------------------------------------------
bool elab_option_word(const char *name);
const char *const *elab_option_words(size_t *count);
// Replaces {name} by the name's compile-time value.
const char *elab_interpolate(Elab *e, Scope *scope, const char *text, Span span);
// The next {name} in a text: its place, with the bytes before its brace and its length; NULL where none is left.
const char *text_placeholder(const char *text, size_t *skip, size_t *length);
Value elab_convert(Elab *e, Value v, DType type, Span span);

// ---- elab_init.c ---------------------------------------------------------------------------------------------------
bool init_by_name(const char *name, Value *init);  // without arguments
bool init_is_name(const char *name);
enum { INIT_MOST_NAMES = 16 };
size_t init_add_names(const char **names);  // all of them, for suggestions; how many
Value init_call(Elab *e, const char *name, const CallArg *args, int n_args, Span span);
// What a declaration's `= value` says; false after reporting.
bool init_from_value(Elab *e, Value v, Span span, Init *init);

// ---- elab_stmt.c ---------------------------------------------------------------------------------------------------
bool elab_if(Elab *e, Scope *scope, const Expr *condition, const Stmt *body, const Stmt *orelse, Value *result);
bool elab_assigns(const Stmt *body, const char *name);  // does every way through the block assign it?
