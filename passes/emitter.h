// Writing pointwise operations without saying where: the same rule (a gradient, a simplification) serves graphs and the
// bodies of index nodes. A value is a node's id in a graph, an instruction's number in a body.
#pragma once
#include "rewrite.h"

enum { NO_VALUE = -1 };

typedef enum TermKind { TERM_OTHER, TERM_NUMBER, TERM_OP } TermKind;

// What a value is, as far as rules ask.
typedef struct Term {
  TermKind kind;
  DType type;
  double number;   // TERM_NUMBER
  Op op;           // TERM_OP: a pointwise op
  const int *arg;  // TERM_OP: its operands, until the next value is written
} Term;

typedef struct Emitter Emitter;
struct Emitter {
  int (*op)(Emitter *e, Op op, const int *args);
  int (*number)(Emitter *e, DType type, double number);
  Term (*term)(const Emitter *e, int value);
};

int emit_1(Emitter *e, Op op, int a);
int emit_2(Emitter *e, Op op, int a, int b);
int emit_select(Emitter *e, int condition, int yes, int no);
int emit_f32(Emitter *e, double number);
int emit_i32(Emitter *e, double number);
// a and b for `and`: either may be NO_VALUE, which stands for true.
int emit_both(Emitter *e, int a, int b);

// ---- into a graph ---------------------------------------------------------------------------------------------------

typedef struct GraphEmitter {
  Emitter emit;  // first
  Builder *b;
  Rewrite *w;  // not NULL: nodes are built by rewrite_builder(w)
} GraphEmitter;

GraphEmitter graph_emitter(Builder *b);
GraphEmitter rewrite_emitter(Rewrite *w);

// ---- into the body of an index node ---------------------------------------------------------------------------------

// A scalar program that is being written, with the reads that it makes. No instruction is written twice.
typedef struct Body {
  Emitter emit;        // first
  const Graph *graph;  // which the operands belong to
  Arena *arena;        // where the program is written
  Scalar *code;
  size_t n_code, code_capacity;
  NodeId *in;   // operands
  Read *reads;  // [n_in]
  size_t n_in, in_capacity, reads_capacity;
} Body;

Body body_new(const Graph *g, Arena *arena);
int body_read(Body *body, NodeId operand, const Read *read);
int body_index(Body *body, int index);
// Builds the node: indices, extents, names, combine and order from `def`, the rest from the body, whose value is
// `value`. Instructions come to stand where they are first needed, arguments from left to right: the order in which
// text is read.
NodeId body_build(Body *body, Builder *b, const IndexDef *def, int value);
