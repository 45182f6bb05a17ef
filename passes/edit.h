// Rewriting the body of an index node, instruction by instruction:
//
//   IndexEdit edit = edit_begin(w);
//   for (int k = 0; k < edit.def.n_body; k++) edit_set(&edit, k, <what instruction k becomes>);
//   edit_end(&edit);
//
// Equal instructions become one. The node is built anew only if something has changed, and only if that keeps every
// bit. An f32 sum's bits hang on its order of adding up, which pass `order` chooses later on by its indices and reads,
// and on whether it is a plain sum of products: these must not depend on what has been simplified before. So an edit of
// such a sum comes to nothing where it would change them. Neither may a read go that leaves points out of a maximum, a
// minimum or a position for being outside.
#pragma once
#include "emitter.h"

typedef struct IndexEdit {
  Rewrite *w;
  const Node *node;  // as it was
  IndexDef def;      // its definition; indices and combine may be changed (set `changed`)
  Body body;
  int *copy;  // [n_body of the node]: what instructions have become
  bool changed;
  bool ordered;  // an f32 sum: its indices must stay as they are, and its reads unless `rereads` says they may change
  bool rereads;  // reads have been changed in a way that its order does not see
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
