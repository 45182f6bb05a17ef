// Rewriting the body of an index node, instruction by instruction:
//
//   IndexEdit edit = edit_begin(w);
//   for (int k = 0; k < edit.def.n_body; k++) edit_set(&edit, k, <what instruction k becomes>);
//   edit_end(&edit);
//
// Equal instructions become one. The node is built anew only if something has changed.
#pragma once
#include "emitter.h"

typedef struct IndexEdit {
  Rewrite *w;
  const Node *node;  // as it was
  IndexDef def;      // its definition; indices and combine may be changed (set `changed`)
  Body body;
  int *copy;         // [n_body of the node]: what instructions have become
  bool changed;
} IndexEdit;

IndexEdit edit_begin(Rewrite *w);
static inline const Scalar *edit_scalar(const IndexEdit *edit, int k) { return &edit->node->index->body[k]; }
// The arguments of instruction k, an op, as they are now: returns how many.
int edit_args(const IndexEdit *edit, int k, int *args);
// The operand of instruction k, a read, as it is now, and the read.
NodeId edit_read(const IndexEdit *edit, int k, Read *read);
void edit_set(IndexEdit *edit, int k, int value);
// Copies instruction k as it is.
void edit_copy(IndexEdit *edit, int k);
// Ends with the current node kept or replaced.
void edit_end(IndexEdit *edit);
