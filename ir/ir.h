// The graph: SSA over tensors. One Graph holds one function: a model in one mode, with or without its gradients.
//
// Invariants (ir_verify checks them, after every pass in debug and test builds):
// - nodes are in topological order: every operand's id is smaller than its user's;
// - shapes and dtypes are those that the op's rule gives for its operands;
// - a graph is append-only; a pass that changes anything builds a new graph in the same arena;
// - one node has one result, so a NodeId names a tensor.
#pragma once
#include "arena.h"
#include "diag.h"
#include "text.h"

// ---- types and shapes ---------------------------------------------------------------------------------------------

typedef enum DType { DT_F32, DT_I32, DT_BOOL, DT_U8, DT_COUNT } DType;  // bool and u8 take one byte in memory
const char *dtype_name(DType type);                                     // "f32"
int dtype_size(DType type);                                             // bytes
bool dtype_by_name(const char *name, DType *type);

enum { IR_MAX_RANK = 8, IR_MAX_SYMBOLS = 4 };

// A dimension: a constant (symbol 0: `scale` itself) or scale * symbol, where the symbol is known only at run time
// (the batch). Symbols are numbered from 1; Graph.symbols[k-1] is the name of symbol k.
typedef struct Dim {
  int64_t scale;
  int32_t symbol;
} Dim;

static inline Dim dim_const(int64_t n) { return (Dim){n, 0}; }
static inline bool dim_is_const(Dim d) { return d.symbol == 0; }
static inline bool dim_equal(Dim a, Dim b) { return a.scale == b.scale && a.symbol == b.symbol; }
// d's value when symbol k has values[k-1]; values may be NULL for a constant.
int64_t dim_value(Dim d, const int64_t *values);

typedef struct Shape {
  int rank;
  Dim dim[IR_MAX_RANK];  // [rank]
} Shape;

bool shape_equal(const Shape *a, const Shape *b);
// Number of elements: false when it does not fit 63 bits or multiplies two symbols.
bool shape_elements(const Shape *shape, Dim *elements);
int64_t shape_count(const Shape *shape, const int64_t *symbol_values);        // elements at these run-time values
void shape_print(const Shape *shape, const char *const *symbols, Text *out);  // "[N,28,28,1]"
// The shape that both stretch to by NumPy's rule (aligned from the right, dims of 1 stretch); false if there is none.
bool shape_broadcast(const Shape *a, const Shape *b, Shape *result);

// ---- ops ----------------------------------------------------------------------------------------------------------

typedef enum Op {
#define OP_POINTWISE(mnemonic, ...) OP_##mnemonic,
#define OP_TENSOR(mnemonic, ...) OP_##mnemonic,
#include "ops.def"
  OP_COUNT
} Op;

typedef enum OpClass { OPC_POINTWISE, OPC_SOURCE, OPC_INDEX, OPC_VIEW, OPC_MOVE, OPC_RANDOM } OpClass;
typedef enum OpTypes { OPT_F_F, OPT_N_N, OPT_N_B, OPT_B_B, OPT_SELECT, OPT_TO_F, OPT_TO_I, OPT_OWN } OpTypes;

typedef struct OpInfo {
  const char *name, *meaning;
  int arity;  // -1: any
  OpClass class;
  OpTypes types;
} OpInfo;

const OpInfo *op_info(Op op);
bool op_by_name(const char *name, Op *op);
const char *const *op_names(void);  // [OP_COUNT], for did-you-mean
// The result type of a pointwise op for operands of types in[arity]; false where they do not suit it.
bool op_result_type(Op op, const DType *in, DType *result);
const char *op_types_meaning(OpTypes types);  // "f32 operands": what op_result_type asks for

// ---- the general node ---------------------------------------------------------------------------------------------
//
// y[o1..om] = combine over r1..rk of body(reads), each read a[e1, .., ep] with e an affine expression of the indices.
// A read outside its tensor gives 0 (false for bool); for MAX, MIN, ARGMAX and ARGMIN a point where any read is outside
// is left out. A sum over nothing is 0, a product 1, a maximum -inf, a minimum inf (of i32 its least and its greatest
// value), an ARGMAX 0. Sums and products of i32 wrap.
// ARGMAX/ARGMIN give the i32 row-major position in the reduced space of the first extreme element; a NaN is extreme.
// MAX/MIN: a NaN wins (as the pointwise max and min). MAP has no reduced index.

typedef enum Combine {
  COMBINE_MAP,
  COMBINE_SUM,
  COMBINE_MAX,
  COMBINE_MIN,
  COMBINE_PROD,
  COMBINE_ARGMAX,
  COMBINE_ARGMIN,
  COMBINE_COUNT
} Combine;
const char *combine_name(Combine combine);  // "map", "sum", ...
bool combine_by_name(const char *name, Combine *combine);

typedef struct IndexTerm {
  int index;     // which index of the node: 0..n_out+n_red
  int64_t coef;  // not 0
} IndexTerm;

// (offset + sum of coef * index), then divided:
typedef enum DivKind {
  DIV_NONE,   // divisor 1
  DIV_EXACT,  // outside (reads 0) unless the divisor divides: what the gradient of a stride looks like
  DIV_FLOOR   // rounds down: x[i // 2]
} DivKind;

enum { IR_MAX_TERMS = 6 };
typedef struct IndexExpr {
  int64_t offset;
  int n_terms;  // sorted by index, each index at most once
  IndexTerm term[IR_MAX_TERMS];
  int64_t divisor;  // >= 1
  DivKind kind;
} IndexExpr;

typedef struct Read {
  int rank;
  IndexExpr at[IR_MAX_RANK];  // [rank], one per dimension of the operand
} Read;

// The body: a straight-line scalar program; the last instruction is its value.
typedef enum ScalarKind { SCALAR_READ, SCALAR_INDEX, SCALAR_CONST, SCALAR_OP } ScalarKind;
typedef struct Scalar {
  ScalarKind kind;
  Op op;          // SCALAR_OP: a pointwise op
  DType type;     // of the value
  int arg[3];     // SCALAR_OP: earlier instructions. SCALAR_READ: arg[0] = which operand. SCALAR_INDEX: arg[0] = which
                  // index (i32)
  double number;  // SCALAR_CONST
} Scalar;

// The order in which a sum adds up: part of its meaning under strict numerics, chosen from shapes by the pass `order`.
// chunk > 0: the first reduced index is cut into chunks of this many values; each chunk is summed by itself, the
//   chunks' sums are then added first to last.
// lanes 1: inside a chunk one after the other, in row-major order of the reduced indices.
// lanes 16: element t of the innermost reduced index goes to lane t % 16; then lanes 8 apart are added, 4, 2, 1. Outer
//   reduced indices run one after the other over the same lanes.
// winograd 4, 2: a convolution of stride 1, 3x3 or 5x5, or the gradient of its weights, summed by tiles of 4x4 or 2x2
// results
//   in the transformed domain (passes/winograd.h); a chunk is then the sum of its tiles.
typedef struct Order {
  int64_t chunk;
  int lanes;
  int winograd;  // 0, 4 or 2
} Order;

enum { IR_MAX_INDICES = 12 };
typedef struct IndexDef {
  Combine combine;
  int n_out, n_red;
  Dim extent[IR_MAX_INDICES];  // [n_out + n_red]: index k runs over 0..extent[k]; extents of outputs are the result's
                               // shape
  const char *name[IR_MAX_INDICES];  // for people: "i", "j"; unique in the node
  Read *reads;                       // [n_in], read k is of operand k
  int n_body;
  Scalar *body;
  Order order;
} IndexDef;

// ---- nodes and graphs ---------------------------------------------------------------------------------------------

typedef int32_t NodeId;
enum { NODE_NONE = -1 };

typedef struct Node {
  Op op;
  DType type;
  Shape shape;
  int n_in;
  NodeId *in;  // [n_in]
  // attributes, by op
  const char *name;  // input, param, state
  double number;     // const
  IndexDef *index;   // index
  int axis;          // concat
  Dim rows;          // scatter_add
  uint64_t stream;   // random
  // where it comes from; no meaning
  const char *tag;   // the innermost layer that made it: "conv2d", "relu"; gradients "d.conv2d"; or NULL
  const char *path;  // its place in the call tree: "lenet5.conv2d_1", or NULL
  Span span;         // the user's call
} Node;

typedef enum OutputKind { OUT_RESULT, OUT_LOSS, OUT_METRIC, OUT_STATE, OUT_GRAD, OUT_KIND_COUNT } OutputKind;
typedef struct Output {
  OutputKind kind;
  const char *name;  // result: the output's name; state: the state's path; grad: the param's path or the input's name
  NodeId value;
} Output;

typedef struct Graph {
  Arena *arena;
  const char *name;
  int n_symbols;
  const char *symbols[IR_MAX_SYMBOLS];
  Node *nodes;
  size_t n_nodes, nodes_capacity;
  Output *outputs;
  size_t n_outputs, outputs_capacity;
} Graph;

Graph *graph_new(Arena *arena, const char *name);
// An empty graph with g's name and symbols, in g's arena: where a pass builds its result.
Graph *graph_like(const Graph *g);
int graph_symbol(Graph *g,
                 const char *name);  // the symbol's number, added where it is new; dlc_bug above IR_MAX_SYMBOLS
// Valid until the next node is appended.
static inline Node *graph_node(const Graph *g, NodeId id) { return &g->nodes[id]; }
void graph_output(Graph *g, OutputKind kind, const char *name, NodeId value);
NodeId graph_find_source(const Graph *g, Op op, const char *name);  // the input, param or state; NODE_NONE where absent
// The first output of that kind and name (NULL: any name); NULL where absent.
const Output *graph_find_output(const Graph *g, OutputKind kind, const char *name);
// Same op, type, shape, operands and attributes; tags, paths and spans apart. What two nodes compute is then the same.
bool node_equal(const Node *a, const Node *b);
const char *output_kind_name(OutputKind kind);  // "result", "loss", "metric", "state", "grad"

// ---- builder: checks operands with dlc_assert (user mistakes are found before), infers shape and dtype
// --------------- Each returns the new node's id. `Origin` is copied into the node; builder state, so that callers set
// it once. Names, tags and paths are kept, not copied: they live as long as the graph's arena. A source of one kind has
// its name alone. f32 constants are rounded to float, here and in bodies: the evaluator then uses what compiled code
// sees.

typedef struct Origin {
  const char *tag, *path;
  Span span;
} Origin;

typedef struct Builder {
  Graph *graph;
  Origin origin;
} Builder;

NodeId build_input(Builder *b, const char *name, DType type, const Shape *shape);
NodeId build_param(Builder *b, const char *path, const Shape *shape);
NodeId build_state(Builder *b, const char *path, const Shape *shape);
NodeId build_const(Builder *b, DType type, double number);              // rank 0
NodeId build_pointwise(Builder *b, Op op, int n_in, const NodeId *in);  // shapes equal or rank 0
NodeId build_unary(Builder *b, Op op, NodeId a);
NodeId build_binary(Builder *b, Op op, NodeId a, NodeId c);
NodeId build_select(Builder *b, NodeId condition, NodeId yes, NodeId no);
// Copies `def` (reads, body) into the arena, in its canonical form, which may number operands anew: look at the node.
// - body: instructions that the last does not need are left out; types of reads and ops are filled in (only constants
//   need theirs); operands are numbered in the order in which the body first reads them, equal reads of one tensor are
//   one operand (a sum of squares has one), operands that are not read are left out;
// - a missing, unusable or second index name is replaced; DIV_NONE and divisor 1 go together; lanes 0 is 1;
// - SUM and PROD over no index at all are a MAP; MAP has Order {0, 1}.
// Result dtype: the body's, or i32 for ARGMAX/ARGMIN.
NodeId build_index(Builder *b, const IndexDef *def, const NodeId *in, int n_in);
NodeId build_reshape(Builder *b, NodeId a, const Shape *shape);  // element counts must agree
NodeId build_concat(Builder *b, int axis, const NodeId *in, int n_in);
NodeId build_gather(Builder *b, NodeId rows, NodeId index);
NodeId build_scatter_add(Builder *b, NodeId index, NodeId rows, Dim n_rows);
NodeId build_random(Builder *b, uint64_t stream, const Shape *shape);
// Sugar: index nodes that only move elements, or reduce plainly. Each returns `a` itself where nothing would change.
NodeId build_broadcast(Builder *b, NodeId a, const Shape *shape,
                       const int *axis_of);  // axis_of[a's dim] = result's dim; dims of 1 stretch
NodeId build_broadcast_to(Builder *b, NodeId a, const Shape *shape);   // NumPy alignment from the right
NodeId build_transpose(Builder *b, NodeId a, const int *permutation);  // result dim k = a's dim permutation[k]
NodeId build_slice(Builder *b, NodeId a, int axis, int64_t start, int64_t count, int64_t step);
NodeId build_pad(Builder *b, NodeId a, const int64_t *before, const int64_t *after);         // zeros
NodeId build_reduce(Builder *b, Combine combine, NodeId a, const bool *reduced, bool keep);  // over the marked dims

// Copies node `id` of `from` into b's graph with operands renamed by map[]; returns its new id. Keeps its origin.
NodeId build_copy(Builder *b, const Graph *from, NodeId id, const NodeId *map);

// ---- index algebra ------------------------------------------------------------------------------------------------

IndexExpr index_const(int64_t offset);
IndexExpr index_of(int index);                               // 1 * index
void index_add_term(IndexExpr *e, int index, int64_t coef);  // merges, keeps order, drops a zero
bool index_is(const IndexExpr *e, int index);                // exactly 1*index + 0
bool index_equal(const IndexExpr *a, const IndexExpr *b);
bool read_equal(const Read *a, const Read *b);      // same rank, same expressions
int64_t index_coef(const IndexExpr *e, int index);  // 0 where absent
// Evaluates (division rounds down); *outside is set when DIV_EXACT does not divide, and else left as it was.
int64_t index_value(const IndexExpr *e, const int64_t *indices, bool *outside);
// Smallest and largest value over the box 0..extent of each index, DIV_EXACT counted only where it divides (bounds may
// be loose by less than 1, and low > high where it divides nowhere between them). An empty box gives low 0, high -1.
// Symbolic extents: false unless symbol_values gives their values. False also when 64 bits overflow.
bool index_range(const IndexExpr *e, const Dim *extent, const int64_t *symbol_values, int64_t *low, int64_t *high);
// Is dimension d of the read always inside the operand, whatever the run-time symbols (>= 1)? Exact: true if and only
// if no point of the node's index space falls outside (an empty space has none; DIV_EXACT must divide at every point).
bool read_in_bounds(const IndexDef *def, const Read *read, const Shape *operand, int d);
// Does it read the operand at its own output point: at[d] == out index d for every d, ranks equal?
bool read_is_identity(const IndexDef *def, const Read *read);
bool index_is_plain_product(const IndexDef *def);  // f32 SUM with body mul(read0, read1): exactly two operands
// True for MAP nodes whose body is one read: pure movement.
bool index_is_movement(const IndexDef *def);

// ---- text ---------------------------------------------------------------------------------------------------------
// parse(print(g)) == g, spans apart. The form is described in ir/README.md:
//   graph lenet5 (N) {
//     %0 = input "image" : f32[N,28,28,1]
//     %2 = index sum [n:N, i:28, j:28, o:6 | r:5, s:5, c:1] { mul(%0[n, i + r - 2, j + s - 2, c], %1[r, s, c, o]) } :
//     f32[N,28,28,6] @conv2d "lenet5.conv2d_1" %3 = const 0.0 : f32[] %4 = max %3, %2 : f32[N,28,28,6] @relu return
//     result "out" = %4
//   }

void graph_print(const Graph *g, Text *out);
void node_print(const Graph *g, NodeId id, Text *out);  // its line, without indentation or newline
// Parses one graph from a registered source; NULL after reporting E05xx. The result is verified.
Graph *graph_parse(Arena *arena, DiagSink *sink, uint32_t file);
// Equal but for spans and node numbering gaps: same nodes in the same order, same outputs.
bool graph_equal(const Graph *a, const Graph *b);

// Checks every invariant; the first breach as text in *why, false. Never crashes on a malformed graph.
bool graph_verify(const Graph *g, Text *why);
// For one index node against its operands' shapes (used by the verifier and the parser).
bool index_verify(const Graph *g, const Node *node, Text *why);

// ---- evaluator ----------------------------------------------------------------------------------------------------
// Computes a graph in double, slowly and obviously: the oracle of every test. i32 and bool are held as doubles, exactly
// (integers wrap at 32 bits); f32 values are not rounded to float in between (constants are: the builder did that; a
// source gives what it gives). Not used by any compiled run.

// The random op: element k of node n is random_uniform(seed, random_step_stream(n.stream, step), k), base/random.h.
// Steps get streams of their own; the factor is odd, so that no two steps share one.
static inline uint64_t random_step_stream(uint64_t stream, uint64_t step) {
  return stream ^ (step * 0x9E3779B97F4A7C15u);
}

typedef struct EvalTensor {
  Shape shape;  // constants only
  DType type;
  double *data;  // row-major
} EvalTensor;

typedef struct EvalEnv {
  const int64_t *symbol_values;  // [n_symbols]
  // Gives the data of a source node (input, param, state): fills data[count]; false when it has none.
  bool (*source)(void *state, const Node *node, double *data, int64_t count);
  void *state;
  uint64_t seed, step;  // for `random`
  bool all;             // evaluate every node, also those that no output needs (`dlc grad --at`)
} EvalEnv;

// Evaluates every node that an output needs (or every one: env->all); values[id] is filled for those, .data NULL for
// the rest. values is [g->n_nodes]; data goes into `arena`. False (with *why) when a source has no data, or when the
// symbols' values make a tensor or an index space larger than 63 bits.
bool graph_eval(const Graph *g, const EvalEnv *env, Arena *arena, EvalTensor *values, const char **why);
// One pointwise op on scalars, as the evaluator does it. `type` is the operands' type (a select's: of b and c).
double eval_pointwise(Op op, DType type, const double *operands);

// ---- cost ---------------------------------------------------------------------------------------------------------
// Floating-point operations of a node at these symbol values: 2 per multiply-add, 1 per other arithmetic op; moving and
// converting cost nothing. Of a sum with DIV_EXACT reads only the share of points that the divisors let through counts.
// INT64_MAX where it would not fit.
int64_t node_flops(const Graph *g, NodeId id, const int64_t *symbol_values);
