// The elaborator: runs function bodies at compile time. Compile-time values are computed, tensors become graph nodes,
// so that `if`, `for`, `repeat` and `training` are decided while lowering. There is no separate typed tree.
//
// True on entry: the syntax tree came from ast_parse (it may hold EXPR_ERROR and STMT_ERROR; they are silent here).
// True on exit: every mistake is in the sink; a value that could not be had is VALUE_POISON, and whatever uses poison
// stays silent and gives poison. With no error in the sink the graph verifies.
#pragma once
#include "ast.h"
#include "diag.h"
#include "hash.h"
#include "ir.h"
#include "program.h"
#include "tensors.h"

typedef struct Elab Elab;
typedef struct Scope Scope;
typedef struct Value Value;
typedef struct Frame Frame;

// ---- values --------------------------------------------------------------------------------------------------------

typedef enum ValueKind {
  VALUE_POISON,    // follows from a reported error
  VALUE_NOTHING,   // a body without a value
  VALUE_NONE,      // the word `none`: an option that was not given
  VALUE_INT,       // integer
  VALUE_FLOAT,     // number
  VALUE_BOOL,      // boolean
  VALUE_STRING,    // text
  VALUE_DIM,       // dim: a size known only at run time (scale * batch)
  VALUE_LIST,      // items[n]
  VALUE_RANGE,     // from..to
  VALUE_WORD,      // text: an option value, `same`
  VALUE_FUNCTION,  // decl (text its name): a function, layer or model by name
  VALUE_INIT,      // init: an initialiser
  VALUE_TENSOR,    // node
  VALUE_LAYER,     // layer: `layer dense(64)`
  VALUE_FIELD,     // field: of a data set, its type not yet known
  VALUE_TUPLE      // items[n]: several results
} ValueKind;

// How a tensor's shape came about, newest first: one entry for each call that the user wrote.
typedef struct History {
  const char *text;  // "conv2d(8, 2, stride = 2)", or an input's name
  Span span;         // of the call; of an input: its declaration
  bool is_input;
  Shape shape;
  const struct History *before;  // NULL at an input
} History;

// A field of a data set in a train block. What it must be follows from its first use that says so.
typedef struct Field {
  const char *name;
  Span span;    // where the name was first used
  NodeId node;  // its graph input, or NODE_NONE until a use tells its type
  bool typed;   // f32(field) or i32(field) has told the element type
  DType type;
} Field;

typedef struct Layer Layer;  // elab_call.c

struct Value {
  ValueKind kind;
  union {
    int64_t integer;
    double number;
    bool boolean;
    struct {
      const char *text;
      bool quoted;  // VALUE_STRING: a user's literal; the library's messages show it in quotes
    };
    Dim dim;
    struct {
      int64_t from, to;
    };
    struct {
      const Value *items;
      int n;
    };
    const Decl *decl;
    Init init;
    NodeId node;
    Layer *layer;
    Field *field;
  };
  const History *history;  // VALUE_TENSOR
};

Value value_poison(void);
Value value_int(int64_t integer);
Value value_float(double number);
Value value_bool(bool boolean);
Value value_string(const char *text);
Value value_dim(Dim dim);  // VALUE_INT where it is constant
static inline bool value_is_poison(Value v) { return v.kind == VALUE_POISON; }
// What a value is, for messages: "a list", "the number 3", "a tensor f32[N, 10]".
const char *value_describe(const Elab *e, Value v);
// A compile-time value as the user would write it: "3", "[1, 2]", "same".
void value_print(const Elab *e, Value v, Text *out);
// Equality of compile-time values, dimensions by structure. False where the kinds cannot be compared.
bool value_equal(Value a, Value b, bool *equal);

// ---- scopes --------------------------------------------------------------------------------------------------------

typedef struct Binding {
  const char *name;
  Value value;
  Span span;  // of its first assignment
  bool used;
} Binding;

struct Scope {
  Arena *arena;
  Binding **bindings;  // [n_bindings], oldest first
  size_t n_bindings, capacity;
  HashTable by_name;  // places in bindings
  Scope *outer;       // NULL: a function's outermost scope; then the globals follow
};

Scope *scope_new(Arena *arena, Scope *outer);
// The name of this very scope, not marked; NULL where it is not there.
Binding *scope_own(const Scope *scope, const char *name);
// Finds a name, innermost first, and marks it used; NULL where unknown.
Binding *scope_find(Scope *scope, const char *name);
// Defines (or replaces) a name in this very scope.
Binding *scope_define(Scope *scope, const char *name, Span span, Value value);
// `name = value`: replaces the name where an enclosing block has it, else defines it here.
void scope_assign(Scope *scope, const char *name, Span span, Value value);

// ---- declarations by name ------------------------------------------------------------------------------------------

typedef struct Global {
  const Decl *decl;
  enum { GLOBAL_NEW, GLOBAL_BUSY, GLOBAL_DONE } state;  // of a const's value
  Value value;                                          // of a const
} Global;

typedef struct Globals {
  Arena *arena;
  struct Globals *library;  // the standard library's, or NULL in the library's own
  Global *items;
  size_t n_items, capacity;
  HashTable by_name;  // places in items
  uint32_t file;      // of the standard library's text, in the library's own; else 0
} Globals;

// `library` NULL makes the library's own table; then `file` is its text. User names hide the library's.
Globals *globals_new(Arena *arena, Globals *library, uint32_t file);
// Adds const, fn, model and data declarations; a name declared twice is E0107 at the second. Others are ignored.
void globals_add(Globals *globals, DiagSink *sink, const Ast *ast);
Global *globals_find(Globals *globals, const char *name);  // NULL where unknown
// What can be said of every body of e->globals without running it: names that lead nowhere, names never used, arguments
// that do not fit a signature, misplaced statements, duplicates in signatures. Also reaches functions that nobody calls
// and branches not taken. The elaborator stands at its top level.
void globals_check(Elab *e);
// The same of an expression that stands in no body (a block's), where `known` lists names that have a meaning there.
void globals_check_expr(Elab *e, const Name *known, const Expr *expr);

// ---- the elaborator ------------------------------------------------------------------------------------------------

typedef struct NamedValue {
  const char *name;
  Value value;
  Span span;
} NamedValue;

struct Elab {
  Arena *arena;
  DiagSink *sink;
  Globals *globals;  // the user's
  Builder builder;   // its graph is the result
  bool training;
  TensorTable params, states;
  NodeId *param_nodes, *state_nodes;  // by place in the tables; a state's is its newest value
  size_t param_capacity, state_capacity;
  // The model whose hyperparameters are set from outside, and to what; its calls at top level have the model's name as
  // path and share parameters.
  const Decl *model;
  const NamedValue *hyper;
  int n_hyper;
  Value model_result;  // of the model's last call, where model_called
  bool model_called;
  LayerInfo *layers;  // calls made directly in the model
  size_t n_layers, layers_capacity;
  NamedValue *named;  // tensors that the model's body gives a name
  size_t n_named, named_capacity;
  Frame *frame;                             // the call being elaborated
  int depth;                                // of nested expressions, blocks and calls
  int64_t steps;                            // statements run and items of lists made so far
  int64_t calls;                            // of functions, made so far
  const Program *program;                   // whose data sets `memory` names; NULL outside of one
  const char *memory_keys[IR_MAX_SYMBOLS];  // "cifar.train" of the graph's symbols, the first (the batch) apart
  HashTable streams;                        // names of the random streams in use
};

// A fresh graph named `name`. The frame is the top level: outside every model (a train block, a const).
Elab *elab_new(Arena *arena, DiagSink *sink, Globals *globals, const char *name, bool training);

// The value of an expression; poison after reporting.
Value elab_expr(Elab *e, Scope *scope, const Expr *expr);
// Runs statements in `scope`; *result is the block's value or VALUE_NOTHING. False after a mistake that makes going on
// pointless (never the case for independent mistakes).
bool elab_block(Elab *e, Scope *scope, const Stmt *body, Value *result);

// Declares a graph input for every input of the model, as its signature says, and returns them ([n] = *n_inputs).
// Open dimensions become the batch symbol.
Value *elab_model_inputs(Elab *e, const Decl *model, int *n_inputs);
// Calls a model with these inputs at top level: path is the model's name. `span` is blamed.
Value elab_call_model(Elab *e, const Decl *model, const Value *inputs, int n_inputs, Span span);
// Calls the function of the value's name (a loss made of parts, `metric`): the same path as any call in the text.
Value elab_call_named(Elab *e, const char *name, const Value *args, int n_args, Span span);

// A field of a data set: a value whose graph input is made when a use tells its type.
Value elab_field(Elab *e, const char *name, Span span);
// Gives the field this type (once) and returns its tensor. A second use with another type is E0230.
Value elab_field_as(Elab *e, Field *field, DType type, const Shape *shape, Span span);
// The batch dimension: the graph's first symbol, made with this name where there is none yet.
Dim elab_batch(Elab *e, const char *name);

// ---- for formulas and blocks ---------------------------------------------------------------------------------------

// Compile-time values of an expression; false after reporting (E0106 where it is no such value).
bool elab_int(Elab *e, Scope *scope, const Expr *expr, int64_t *result);
bool elab_dim(Elab *e, Scope *scope, const Expr *expr, Dim *result);  // a number, or the batch
bool elab_bool(Elab *e, Scope *scope, const Expr *expr, bool *result);

// The nearest value of a name: local, then const, function, model, initialiser, option word. Poison after reporting
// E0100 with a suggestion.
Value elab_name(Elab *e, Scope *scope, const Name *name);

// A tensor value of `node`, whose shape came about as that of `from` did (NULL: nothing to tell).
Value elab_tensor(Elab *e, NodeId node, const Value *from);
// The node of a tensor, number, boolean or dimension; a number becomes a constant (f32, or i32 for an integer where
// `integers`), a dimension a computed scalar. NODE_NONE after reporting that it is no tensor.
NodeId elab_node(Elab *e, Value v, bool integers, Span span);
// The run-time value of a dimension as a rank-0 f32 or i32 node.
NodeId elab_dim_node(Elab *e, Dim dim, DType type);
// a op b and op a, with broadcasting, dtype rules and folding of compile-time values.
Value elab_binary(Elab *e, AstOp op, Value a, Value b, Span span);
Value elab_unary(Elab *e, AstOp op, Value a, Span span);
// The node broadcast to a shape; NODE_NONE after reporting E0201.
NodeId elab_broadcast(Elab *e, NodeId node, const Shape *shape, Span span);
// The shape after broadcasting two; false where they do not fit.
bool elab_broadcast_shape(const Shape *a, const Shape *b, Shape *result);

// Reports a mistake at `span`; inside the standard library it stands at the user's call instead. Lines are added with
// diag_line.
Diag *elab_error(Elab *e, DiagCode code, Span span, const char *format, ...) __attribute__((format(printf, 4, 5)));
// "= shapes:" lines: how the tensor's shape came about. Nothing where its history is unknown.
void elab_history_line(Elab *e, Diag *diag, Value tensor);
// "; did you mean 'relu'?" or "".
const char *elab_suggestion(Elab *e, const char *word, const char *const *candidates, size_t count);
// "[N, 7, 7, 8]"
const char *elab_shape_text(const Elab *e, const Shape *shape);
// "f32[N, 7, 7, 8]"
const char *elab_type_text(const Elab *e, DType type, const Shape *shape);
static inline const Shape *elab_shape(const Elab *e, Value tensor) {
  return &graph_node(e->builder.graph, tensor.node)->shape;
}
static inline DType elab_dtype(const Elab *e, Value tensor) { return graph_node(e->builder.graph, tensor.node)->type; }
