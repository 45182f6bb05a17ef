// What the formula's files share: formula.c finds the indices and their ranges, formula_read.c turns `x[i + 1, j]` into
// reads, formula_body.c builds the nodes.
#pragma once
#include "elab_inside.h"
#include "formula.h"

// An index of the formula. Its number is its place in Formula.index; those of the result come first, in order.
typedef struct FormulaIndex {
  const Name *name;  // where it is declared: on the left, or in a reduction
  bool reduced, ranged;
  Dim extent;             // it runs over from .. from + extent; inside nodes always over 0 .. extent
  int64_t from;           // 0 where extent is open
  const Expr *ranged_by;  // the element whose tensor gave the range; NULL: a `where`
} FormulaIndex;

typedef struct Formula {
  Elab *e;
  Scope *scope;
  const Stmt *stmt;
  FormulaIndex *index;
  size_t n_index, capacity;
  bool failed;  // a mistake was reported, or a value is poison
  Value first;  // the first tensor read, for the result's history; VALUE_NOTHING without one
} Formula;

// The indices in sight at a place, innermost first.
typedef struct Visible {
  const char *name;
  int index;
  const struct Visible *outer;
} Visible;

// ---- formula.c ----------------------------------------------------------------------------------------------------
const Visible *formula_enter(Formula *f, const Visible *outer, const Name *names);  // into a reduction's body
int formula_find(const Visible *visible, const char *name);                         // -1 where it is no index
// Is there nothing of a formula in the expression, no index, element or reduction, so that it means what it means
// elsewhere?
bool formula_is_plain(const Visible *visible, const Expr *expr);
Value formula_base(Formula *f, const Visible *visible, const Expr *element);  // x in x[i, j]; poison after reporting
Diag *formula_error(Formula *f, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// ---- formula_read.c -----------------------------------------------------------------------------------------------
// A read in terms of the formula's indices, and the tensor that it reads.
typedef struct Element {
  NodeId tensor;
  Read read;
} Element;
// What x[...] reads; false after reporting. A subscript that is no sum of indices makes it a gather.
bool formula_element(Formula *f, const Visible *visible, const Expr *expr, Value tensor, Element *element);

// ---- formula_lookup.c ---------------------------------------------------------------------------------------------
// Replaces an element, some of whose subscripts are computed, by a read of what was looked up there. False after
// reporting.
bool formula_look_up(Formula *f, const Visible *visible, const Expr *expr, const bool *computed, Element *element);

// ---- formula_body.c -----------------------------------------------------------------------------------------------
typedef struct Part {  // a tensor over some of the formula's indices
  NodeId node;         // NODE_NONE: poison
  int n;
  int index[IR_MAX_INDICES];  // [n], ascending
} Part;
// The whole right side as a tensor over all indices of the result; NODE_NONE after reporting.
NodeId formula_result(Formula *f, const Visible *visible);

// What an input of a sheet stands for: an element, or the value of an index.
typedef struct Slot {
  NodeId input;  // in the sheet
  int index;     // -1: an element
  Element element;
} Slot;

// A graph of scalars: inputs, constants and pointwise ops.
typedef struct Sheet {
  Formula *f;
  Graph *graph;
  Slot *slots;
  size_t n_slots, capacity;
} Sheet;
Sheet formula_sheet(Formula *f);
// The expression's scalar in the sheet, or a compile-time value; poison after reporting.
Value formula_scalar(Sheet *sheet, const Visible *visible, const Expr *expr);
// An operator on scalars of the sheet and compile-time values.
Value formula_binary(Sheet *sheet, AstOp op, Value a, Value b, Span span);
// The value as a node of the sheet; NODE_NONE after reporting.
NodeId formula_scalar_node(Sheet *sheet, Value v, Span span);

// ---- formula_node.c -----------------------------------------------------------------------------------------------
typedef struct Over {  // a reduction over its own indices
  Combine combine;
  bool mean;  // a sum, which the formula then divides
  int n;
  int index[IR_MAX_INDICES];  // [n]
} Over;
// A scalar of the sheet as a tensor: reduced over `over` (NULL: not reduced), over the indices `out` or, where that is
// NULL, those that are used. Its node is NODE_NONE after reporting that it is more than a graph can hold.
Part formula_lower(const Sheet *sheet, NodeId root, const Over *over, const Part *out, Span span);
