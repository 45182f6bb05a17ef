// The importer's inside: values, constants, statements of the program that is being made.
//
//   model.c reads the graph and calls, for each node, its operator's function (operators.def); that makes statements
//   (step.c) that compute the node's outputs from values (value.c); print.c writes them as a program.
//
// A value has the shape that the model gives it (`dim`, "logical") and an order in which its dimensions lie in the
// program (`axis`, "physical": dimension p of the program's tensor is the model's dimension axis[p]). A Transpose node
// therefore costs nothing, and channels-last images flow through everything that works element by element.
#pragma once
#include "hash.h"
#include "onnx.h"
#include "onnx.pb-c.h"
#include "text.h"

enum { MAX_RANK = ONNX_MAX_RANK, MAX_OPERANDS = 64, MOST_FOLDED = 1 << 16 };

typedef enum Elem { ELEM_F32, ELEM_I32, ELEM_BOOL } Elem;

typedef struct Size {  // a size: scale, or scale * N where it counts the batch
  int64_t scale;
  bool batch;
} Size;

static inline Size size_of(int64_t scale) { return (Size){scale, false}; }
static inline bool size_equal(Size a, Size b) { return a.scale == b.scale && a.batch == b.batch; }
static inline bool size_is_one(Size a) { return a.scale == 1 && !a.batch; }

typedef struct Known {  // a tensor whose elements are known
  Elem type;
  int rank;
  int64_t dim[MAX_RANK];
  int64_t count;
  const float *f;      // [count] of ELEM_F32
  const int64_t *i;    // [count] of the others
  const bool *batch;   // NULL, or [count]: i[k] stands for i[k] * N
  bool weight;         // an initializer: training may change it
  const char *source;  // its name in the model
} Known;

struct Step;
typedef struct Var {  // a name in the program
  const char *name;   // NULL until it is printed, but for inputs and outputs
  struct Step *step;  // what makes it; NULL: an input
  struct Step *user;  // the last statement that uses it
  int uses;
  bool output;
  int first, last, number;  // blocks.c: the steps that make it and use it last; its number inside a block
} Var;

typedef struct Val {
  const char *source;  // its name in the model
  Elem type;
  int rank;
  Size dim[MAX_RANK];    // logical
  int axis[MAX_RANK];    // physical dimension p is logical dimension axis[p]
  Var *var;              // NULL: known, and not yet part of the program
  Known *known;          // or NULL
  bool image;            // channels last because a layer of images made it so
  struct Val *image_of;  // [N, K]: K are this image's values behind the batch, in its physical order
  struct Val *squeezed;  // [N, C] of this [N, C, 1, 1]
  struct Val *plain;     // the same in logical order, once somebody needed it
  struct Val *last;      // the same with channels last
  bool broken;           // of a node that was refused
} Val;

typedef enum StepKind { STEP_CALL, STEP_EXPR, STEP_FORMULA, STEP_PARAM, STEP_LOOP } StepKind;

typedef struct Block {  // a function of the program: what several places have in common
  const char *name;
  const char *arguments;  // behind the value that comes in: ", filters, stride"
  struct Step **steps;    // [n_steps], of its first place
  const char **texts;     // [n_steps]: theirs, with arguments' names for numbers that differ
  int n_steps;
  struct Var *in, *out;
} Block;

// One statement. In texts $0..$9, $:.. stand for refs[0..]: a character from '0' on.
typedef struct Step {
  StepKind kind;
  Var **out;
  int n_out;
  Var **refs;
  int n_refs;
  const char *call;   // CALL: refs[0] |> call(text)
  const char *text;   // EXPR, FORMULA: the right side; CALL: the arguments; PARAM: the type
  const char *index;  // FORMULA: the indices on the left
  Known **tensors;    // parameters, then states, that it declares, in physical order
  int n_params, n_states;
  bool live;
  Block *block;          // CALL: of this function, for the steps inside
  struct Step **inside;  // [n_inside]
  int n_inside;
  struct Step **calls;  // LOOP: [n_calls], each of the value before, the same ones every `period`
  int n_calls, period;
} Step;

typedef struct Im {  // an import in progress
  Arena *arena;
  DiagSink *sink;
  Io io;
  const char *path;
  const OnnxAsked *asked;
  Onnx__ModelProto *model;
  int64_t opset;
  HashTable names;  // of the model's values -> vals
  Val **vals;
  size_t n_vals, vals_capacity;
  Step **steps;
  size_t n_steps, steps_capacity;
  Block **blocks;
  int n_blocks;
  Val **inputs, **outputs;
  int n_inputs, n_outputs;
  bool batched;       // a size is the batch
  const char *batch;  // the model's name for it
  Diag *refusals;     // E0422, once a node is refused
  size_t n_refused;
  const char *why;  // why the node at hand is refused
  bool damaged;     // something was reported that ends the import
} Im;

typedef struct Node {  // a node with its operands looked up
  const Onnx__NodeProto *proto;
  Val **in;  // [n_in]; NULL where left out
  int n_in;
  Val **out;  // [n_out], made by the operator's function
  int n_out;
} Node;

typedef bool OperatorFunction(Im *m, Node *node, const char *kind);  // false with m->why set: refused

typedef struct Operator {
  const char *name;
  int least, most;  // inputs
  OperatorFunction *run;
  const char *kind;  // which of several that a function serves
} Operator;

const Operator *operator_find(const char *name);

// ---- wire.c, tensor.c, external.c, attribute.c
// ------------------------------------------------------------------------

// Is this a well-formed message of this kind, no deeper than it may be? NULL, or what is wrong.
const char *wire_check(const ProtobufCMessageDescriptor *kind, const uint8_t *bytes, size_t size);
// A tensor of the file; NULL after reporting or with m->why set.
Known *known_read(Im *m, const Onnx__TensorProto *proto);
// The bytes of a tensor that is kept in a file of the model's folder; NULL after reporting E0421.
const uint8_t *external_read(Im *m, const Onnx__TensorProto *proto, size_t *size);
bool elem_of(int32_t data_type, Elem *elem);  // false: dlc has no such type
bool is_double(int64_t data_type);            // constants of it become f32; nothing is computed in it
const char *elem_name(Elem elem);

const Onnx__AttributeProto *attribute(const Node *node, const char *name);  // NULL where it is not given
int64_t attribute_int(const Node *node, const char *name, int64_t otherwise);
float attribute_float(const Node *node, const char *name, float otherwise);
const char *attribute_text(Im *m, const Node *node, const char *name, const char *otherwise);
// A list of whole numbers: how many, 0 where it is not given.
int attribute_ints(const Node *node, const char *name, const int64_t **values);

// ---- value.c: values
// ----------------------------------------------------------------------------------------------------

Val *val_new(Im *m, Elem type, int rank, const Size *dim);  // in logical order, without a var
Val *val_of_known(Im *m, Known *known);
Val *val_view(Im *m, const Val *v);  // another view of the same tensor, to be changed by the caller
Size val_physical(const Val *v, int p);
int val_place(const Val *v, int axis);  // the physical dimension of a logical one
bool val_is_plain(const Val *v);
bool val_elements(const Val *v, Size *elements);
bool val_static(const Val *v);  // no dimension counts the batch

Known *known_new(Im *m, Elem type, int rank, const int64_t *dim);  // elements to be filled in
Known *known_permuted(Im *m, const Known *k, const int *axis);     // dimension p of the result is axis[p] of k
Known *known_reshaped(Im *m, const Known *k, int rank, const int64_t *dim);
bool known_uniform(const Known *k, double *value);  // all elements are the same
double known_at(const Known *k, int64_t at);
bool known_scalar(const Val *v, double *value);  // one element
// Whole numbers of a known vector or scalar: how many, or -1 with m->why set: it must be known.
int known_list(Im *m, Val *v, const char *what, int64_t *list, int most);
bool refuse(Im *m, const char *format, ...) __attribute__((format(printf, 2, 3)));  // false

Val *val_plain(Im *m, Val *v);                                // in logical order
Val *val_last(Im *m, Val *v);                                 // channels last
Val *val_ordered(Im *m, Val *v, const int *axis);             // in this physical order
Val *val_reshaped(Im *m, Val *v, int rank, const Size *dim);  // other sizes, from logical order
bool axis_fits(Im *m, int64_t axis, int rank, int *result);   // negative ones count from the end

const char *text_of(Im *m, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *size_text(Im *m, Size size);
const char *shape_list(Im *m, const Val *v);      // "[N, 3, 4]", physical
const char *float_text(Im *m, double value);      // as an operand
const char *float_argument(Im *m, double value);  // as an argument
const char *int_text(Im *m, int64_t value);

// ---- step.c: statements
// -------------------------------------------------------------------------------------------------

Var *use(Im *m, Val *v);  // its name in the program; a known tensor becomes a parameter or a state
Step *step_new(Im *m, StepKind kind, int n_out, int n_refs);
// x |> call(args): like x, until the caller says otherwise.
Val *make_call(Im *m, Val *x, const char *call, const char *args);
// An expression over values: $0.. are in[0..]. The result is in logical order, with this shape.
Val *make_expr(Im *m, Elem type, int rank, const Size *dim, const char *text, Val *const *in, int n);
// name[index] = text
Val *make_formula(Im *m, Elem type, int rank, const Size *dim, const char *index, const char *text, Val *const *in,
                  int n);
void step_tensor(Im *m, Val *v, Known *tensor, bool state);  // v's step declares it
// Element by element with broadcasting, in whatever order the operands have.
Val *make_pointwise(Im *m, Elem type, const char *text, Val *const *in, int n);
Val *make_converted(Im *m, Val *v, Elem type);

// A text for formulas, "i, j, k": the first n names of indices.
const char *index_name(int k);
const char *index_list(Im *m, int n);

// ---- the rest
// -----------------------------------------------------------------------------------------------------------

// Shape arithmetic: computes a node whose inputs are known. False where it is no such node.
bool fold_node(Im *m, Node *node);
Val *find_val(Im *m, const char *name);
// Statements that exporters spell out become the layers that they are (idioms.c); blocks that repeat become functions
// and loops (blocks.c). Both between the marking of what counts and printing.
void idioms_find(Im *m);
void blocks_find(Im *m);
// The program's text and its tensors.
void program_print(Im *m, OnnxProgram *program);
const char *name_clean(Im *m, const char *name, const char *otherwise);
