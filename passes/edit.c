// See edit.h.
#include "edit.h"

IndexEdit edit_begin(Rewrite *w) {
  const Node *node = rewrite_node(w);
  IndexEdit edit = {.w = w, .node = node, .def = *node->index, .body = body_new(rewrite_graph(w))};
  edit.copy = arena_array(w->from->arena, (size_t)node->index->n_body, sizeof *edit.copy);
  return edit;
}

int edit_args(const IndexEdit *edit, int k, int *args) {
  const Scalar *s = edit_scalar(edit, k);
  int n = op_info(s->op)->arity;
  for (int a = 0; a < n; a++) args[a] = edit->copy[s->arg[a]];
  return n;
}

NodeId edit_read(const IndexEdit *edit, int k, Read *read) {
  int operand = edit_scalar(edit, k)->arg[0];
  *read = edit->node->index->reads[operand];
  return rewrite_operand(edit->w, operand);
}

void edit_set(IndexEdit *edit, int k, int value) {
  edit->copy[k] = value;
  edit->changed |= value != k;
}

static int copy_scalar(IndexEdit *edit, int k) {
  const Scalar *s = edit_scalar(edit, k);
  Emitter *e = &edit->body.emit;
  int args[3];
  Read read;
  switch (s->kind) {
    case SCALAR_READ: return body_read(&edit->body, edit_read(edit, k, &read), &edit->node->index->reads[s->arg[0]]);
    case SCALAR_INDEX: return body_index(&edit->body, s->arg[0]);
    case SCALAR_CONST: return e->number(e, s->type, s->number);
    case SCALAR_OP: edit_args(edit, k, args); break;
  }
  return e->op(e, s->op, args);
}

void edit_copy(IndexEdit *edit, int k) { edit_set(edit, k, copy_scalar(edit, k)); }

void edit_end(IndexEdit *edit) {
  int value = edit->copy[edit->node->index->n_body - 1];
  if (edit->changed)
    rewrite_replace(edit->w, body_build(&edit->body, rewrite_builder(edit->w), &edit->def, value));
  else
    rewrite_keep(edit->w);
}
