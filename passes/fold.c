// Pass `fold`: what can be computed at compile time is, where the result has the very bits that the op would give.
//
// On exit: no pointwise op, in the graph or in a body, has constants only as its operands, unless it is one of those
// that dlc computes by more than one rounding (traits.h), or its result is NaN (whose sign is the processor's
// business). No index node reads a constant: the number stands in its body.
#include "edit.h"
#include "traits.h"

#include <math.h>

// The number that the op gives for these arguments, if it can be known.
static bool fold_call(Emitter *e, Op op, const int *args, DType type, double *number) {
  double in[3];
  DType operand_type = DT_F32;
  for (int k = 0; k < op_info(op)->arity; k++) {
    Term term = e->term(e, args[k]);
    if (term.kind != TERM_NUMBER) return false;
    in[k] = term.number;
    operand_type = term.type;
  }
  if (!op_folds(op, operand_type)) return false;
  *number = eval_pointwise(op, operand_type, in);
  if (type == DT_F32) *number = (double)(float)*number;
  return !isnan(*number);
}

static void fold_elements(Rewrite *w) {
  const Node *node = rewrite_node(w);
  GraphEmitter e = rewrite_emitter(w);
  int args[3];
  double number;
  for (int k = 0; k < node->n_in; k++) args[k] = rewrite_operand(w, k);
  if (fold_call(&e.emit, node->op, args, node->type, &number))
    rewrite_replace(w, e.emit.number(&e.emit, node->type, number));
  else
    rewrite_keep(w);
}

static void fold_read(IndexEdit *edit, int k) {
  Read read;
  const Node *operand = graph_node(rewrite_graph(edit->w), edit_read(edit, k, &read));
  if (operand->op != OP_const) {
    edit_copy(edit, k);
    return;
  }
  edit->changed = true;
  edit_set(edit, k, edit->body.emit.number(&edit->body.emit, operand->type, operand->number));
}

static void fold_scalar(IndexEdit *edit, int k) {
  const Scalar *s = edit_scalar(edit, k);
  Emitter *e = &edit->body.emit;
  int args[3];
  double number;
  edit_args(edit, k, args);
  if (!fold_call(e, s->op, args, s->type, &number)) {
    edit_copy(edit, k);
    return;
  }
  edit->changed = true;
  edit_set(edit, k, e->number(e, s->type, number));
}

static void fold_index(Rewrite *w) {
  IndexEdit edit = edit_begin(w);
  for (int k = 0; k < edit.node->index->n_body; k++) {
    ScalarKind kind = edit_scalar(&edit, k)->kind;
    if (kind == SCALAR_READ)
      fold_read(&edit, k);
    else if (kind == SCALAR_OP)
      fold_scalar(&edit, k);
    else
      edit_copy(&edit, k);
  }
  edit_end(&edit);
}

Graph *pass_fold(PassContext *ctx, const Graph *g) {
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    const Node *node = rewrite_node(&w);
    if (op_info(node->op)->class == OPC_POINTWISE)
      fold_elements(&w);
    else if (node->op == OP_index)
      fold_index(&w);
    else
      rewrite_keep(&w);
  }
  return rewrite_end(&w);
}
