// See edit.h.
#include "edit.h"

IndexEdit edit_begin(Rewrite *w) {
  const Node *node = rewrite_node(w);
  arena_reset(w->scratch);
  IndexEdit edit = {.w = w, .node = node, .def = *node->index, .body = body_new(rewrite_graph(w), w->scratch)};
  edit.copy = arena_array(w->scratch, (size_t)node->index->n_body, sizeof *edit.copy);
  edit.ordered = node->type == DT_F32 && node->index->combine == COMBINE_SUM;
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
    case SCALAR_READ:
      return body_read(&edit->body, edit_read(edit, k, &read), &edit->node->index->reads[s->arg[0]]);
    case SCALAR_INDEX:
      return body_index(&edit->body, s->arg[0]);
    case SCALAR_CONST:
      return e->number(e, s->type, s->number);
    case SCALAR_OP:
      edit_args(edit, k, args);
      break;
  }
  return e->op(e, s->op, args);
}

void edit_copy(IndexEdit *edit, int k) { edit_set(edit, k, copy_scalar(edit, k)); }

// ---- f32 sums -------------------------------------------------------------------------------------------------------

static bool reads_operand(const Body *body, int k) { return body->code[k].kind == SCALAR_READ; }

// Plain sums of products add up by fused multiply-add, all others by rounded operations.
static bool will_be_product(const IndexEdit *edit, int value) {
  const Body *body = &edit->body;
  const Scalar *s = &body->code[value];
  if (s->kind != SCALAR_OP || s->op != OP_mul) return false;
  return reads_operand(body, s->arg[0]) && reads_operand(body, s->arg[1]) && s->arg[0] != s->arg[1];
}

static bool is_unit(const Scalar *s) { return s->kind == SCALAR_CONST && (s->number == 1 || s->number == -1); }

// fma(1, x, sum) is sum + x: a product with 1 or -1 may lose its factor.
static bool is_product_with_unit(const IndexEdit *edit, int value) {
  const Scalar *s = &edit->body.code[value];
  if (s->kind != SCALAR_OP || s->op != OP_mul) return s->kind == SCALAR_READ;
  return is_unit(&edit->body.code[s->arg[0]]) || is_unit(&edit->body.code[s->arg[1]]);
}

// How many different reads of tensors (a scalar's place does not move) the value needs.
static size_t count_reads(Arena *arena, const Scalar *code, const Read *reads, int value) {
  bool *needed = arena_array(arena, (size_t)value + 1, sizeof *needed),
       *seen = arena_array(arena, (size_t)value + 1, 1);
  size_t count = 0;
  needed[value] = true;
  for (int k = value; k >= 0; k--) {
    const Scalar *s = &code[k];
    if (!needed[k]) continue;
    for (int a = 0; s->kind == SCALAR_OP && a < op_info(s->op)->arity; a++) needed[s->arg[a]] = true;
    if (s->kind != SCALAR_READ || reads[s->arg[0]].rank == 0 || seen[s->arg[0]]) continue;
    seen[s->arg[0]] = true;
    count++;
  }
  return count;
}

// ---- extremes -------------------------------------------------------------------------------------------------------

static bool leaves_points_out(Combine combine) {
  return combine != COMBINE_MAP && combine != COMBINE_SUM && combine != COMBINE_PROD;
}

static bool may_be_outside(const IndexDef *def, const Read *read, const Shape *shape) {
  for (int d = 0; d < read->rank; d++)
    if (!read_in_bounds(def, read, shape, d)) return true;
  return false;
}

// How many different reads the value needs that may be outside: those leave a point out, whatever is made of them.
static int count_outside(const IndexEdit *edit, const Scalar *code, int value, const Read *reads, const NodeId *in) {
  Arena *arena = edit->w->scratch;
  bool *needed = arena_array(arena, (size_t)value + 1, sizeof *needed),
       *seen = arena_array(arena, (size_t)value + 1, 1);
  int count = 0;
  needed[value] = true;
  for (int k = value; k >= 0; k--) {
    const Scalar *s = &code[k];
    if (!needed[k]) continue;
    for (int a = 0; s->kind == SCALAR_OP && a < op_info(s->op)->arity; a++) needed[s->arg[a]] = true;
    if (s->kind != SCALAR_READ || seen[s->arg[0]]) continue;
    seen[s->arg[0]] = true;
    const Graph *g = in ? edit->body.graph : edit->w->from;
    const Node *operand = graph_node(g, in ? in[s->arg[0]] : edit->node->in[s->arg[0]]);
    count += may_be_outside(in ? &edit->def : edit->node->index, &reads[s->arg[0]], &operand->shape);
  }
  return count;
}

static bool keeps_points(const IndexEdit *edit, int value) {
  const IndexDef *was = edit->node->index;
  int before = count_outside(edit, was->body, was->n_body - 1, was->reads, NULL);
  return before == 0 || count_outside(edit, edit->body.code, value, edit->body.reads, edit->body.in) == before;
}

// ---------------------------------------------------------------------------------------------------------------------

static bool keeps_bits(const IndexEdit *edit, int value) {
  if (leaves_points_out(edit->node->index->combine)) return keeps_points(edit, value);
  if (!edit->ordered) return true;
  const IndexDef *was = edit->node->index;
  Arena *arena = edit->w->scratch;
  size_t reads = count_reads(arena, was->body, was->reads, was->n_body - 1);
  if (!edit->rereads && count_reads(arena, edit->body.code, edit->body.reads, value) != reads) return false;
  bool product = index_is_plain_product(was);
  return product == will_be_product(edit, value) || (product && is_product_with_unit(edit, value));
}

void edit_end(IndexEdit *edit) {
  int value = edit->copy[edit->node->index->n_body - 1];
  if (edit->changed && keeps_bits(edit, value))
    rewrite_replace(edit->w, body_build(&edit->body, rewrite_builder(edit->w), &edit->def, value));
  else
    rewrite_keep(edit->w);
}
