// Writing an index node in terms of what a solution (grad_solve.h) made of another node's indices.
//
// Functions that find too much of something (terms, indices, size) note it in `why` and return a value that may be used
// but means nothing; who writes a node looks at `why` before building it.
#pragma once
#include "emitter.h"
#include "grad_solve.h"

// What a gradient may need that cannot be had.
static const char TOO_LARGE[] = "index expressions that are too large";

typedef struct Writer {
  Builder *b;
  const IndexDef *from;  // whose indices were solved
  const ReadSolution *s;
  IndexDef def;               // of the node being written: its indices so far
  int index_of[SOLVE_COUNT];  // the index that a variable has become, -1 for none
  Body body;
  const char *why;
} Writer;

Writer writer_new(Builder *b, const IndexDef *from, const ReadSolution *s);
// The next index: first those of the result, then (reduced) the others.
void write_index(Writer *w, int variable, Dim extent, const char *name, bool reduced);
// A read that the old node makes, or could make.
int write_read(Writer *w, NodeId operand, const Read *read);
// The old node's body: its instruction k is written as copy[k].
void write_body(Writer *w, const Node *node, int *copy);
// The value of a form, i32. Rounded down where its divisor does not divide.
int write_form(Writer *w, const Form *form);
// The value of the old node's index, i32.
int write_value(Writer *w, int index);
// The number of values that an index of this extent takes, i32.
int write_extent(Writer *w, Dim extent);
// The form as an expression of the new node's indices; `kind` says how its divisor, where it has one, divides.
IndexExpr writer_expr(Writer *w, const Form *form, DivKind kind);
// Is the form so divided in 0..extent (and whole, if DIV_EXACT) at every point of the new node?
bool writer_always_inside(Writer *w, const Form *form, DivKind kind, Dim extent);
// The same as a condition; NO_VALUE where it always holds.
int write_inside(Writer *w, const Form *form, DivKind kind, Dim extent);
// The same for an expression of the old node's indices.
int write_expr_inside(Writer *w, const IndexExpr *e, Dim extent);
