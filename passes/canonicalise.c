// Pass `canonicalise`: one form for what can be written in several ways.
//
// On exit: operands of commutative ops stand in the order of their ids (in bodies: of their instructions), constants
// last; no reshape of a reshape, no index node that reads a movement whose source it could read itself, no division of
// an index that has a factor in common; nothing that only passes its operand on (a movement to its own place, a reshape
// to the same shape, a concat of one). detach passes its operand on as soon as it has no meaning left: the graph has
// its gradients, or no loss. f32 sums keep their reads but for products that stay in the micro-kernel (edit.h).
#include "compose.h"
#include "edit.h"
#include "product.h"
#include "traits.h"
#include "winograd.h"

#include <string.h>

static bool detach_is_idle(const Graph *g) {
  return !graph_find_output(g, OUT_LOSS, NULL) || graph_find_output(g, OUT_GRAD, NULL);
}

// Does an op's value stand behind another's? Constants behind everything else.
static bool stands_behind(Emitter *e, int a, int b) {
  bool a_number = e->term(e, a).kind == TERM_NUMBER, b_number = e->term(e, b).kind == TERM_NUMBER;
  return a_number != b_number ? a_number : a > b;
}

// Puts the arguments of a commutative op in order. True where they were not.
static bool order_args(Emitter *e, Op op, int *args) {
  if (!op_has(op, TRAIT_COMMUTES) || !stands_behind(e, args[0], args[1])) return false;
  int first = args[0];
  args[0] = args[1];
  args[1] = first;
  return true;
}

static void rewrite_elements(Rewrite *w, bool drop_detach) {
  const Node *node = rewrite_node(w);
  GraphEmitter e = rewrite_emitter(w);
  int args[3];
  for (int k = 0; k < node->n_in; k++) args[k] = rewrite_operand(w, k);
  if (node->op == OP_detach && drop_detach)
    rewrite_replace(w, args[0]);
  else if (order_args(&e.emit, node->op, args))
    rewrite_replace(w, e.emit.op(&e.emit, node->op, args));
  else
    rewrite_keep(w);
}

static void rewrite_reshape(Rewrite *w) {
  const Node *node = rewrite_node(w);
  NodeId in = rewrite_operand(w, 0);
  const Node *operand = graph_node(rewrite_graph(w), in);
  if (shape_equal(&operand->shape, &node->shape))
    rewrite_replace(w, in);
  else if (operand->op == OP_reshape && shape_equal(&graph_node(rewrite_graph(w), operand->in[0])->shape, &node->shape))
    rewrite_replace(w, operand->in[0]);
  else if (operand->op == OP_reshape)
    rewrite_replace(w, build_reshape(rewrite_builder(w), operand->in[0], &node->shape));
  else
    rewrite_keep(w);
}

// ---- index nodes ----------------------------------------------------------------------------------------------------

// The plain product with both operands read through movements, or as it is: does the micro-kernel take it, as it is or
// packed, and not in transformed tiles, which see what lies around a window? In which order it then adds up: order[].
static bool product_is_taken(Rewrite *w, bool composed, int *order) {
  Node node = *rewrite_node(w);
  IndexDef def = *node.index;
  NodeId in[2];
  Read reads[2];
  for (int k = 0; k < 2; k++) {
    in[k] = rewrite_operand(w, k);
    reads[k] = def.reads[k];
    if (composed) read_compose(rewrite_graph(w), &def, &in[k], &reads[k]);
  }
  def.reads = reads;
  node.index = &def;
  node.in = in;
  Product p = product_analyse(rewrite_graph(w), &node);
  Winograd tiles;
  if (p.needs & ~(unsigned)PRODUCT_NEEDS_PACK) return false;
  if (winograd_analyse(rewrite_graph(w), &node, &tiles) && winograd_pays(&tiles)) return false;
  product_walk(rewrite_graph(w), &node, &p, order);
  return true;
}

// Where the micro-kernel takes a product either way and walks it in the same order, it adds up the same: it may read
// through movements. Other f32 sums may not.
static bool may_compose(const IndexEdit *edit) {
  if (!edit->ordered) return true;
  const IndexDef *def = edit->node->index;
  int order[IR_MAX_INDICES], composed[IR_MAX_INDICES];
  if (!index_is_plain_product(def) || !product_is_taken(edit->w, false, order)) return false;
  if (!product_is_taken(edit->w, true, composed)) return false;
  return !memcmp(order, composed, sizeof *order * (size_t)(def->n_out + def->n_red));
}

static void edit_movement(IndexEdit *edit, int k) {
  Read read;
  NodeId operand = edit_read(edit, k, &read);
  bool composed = may_compose(edit) && read_compose(rewrite_graph(edit->w), &edit->def, &operand, &read);
  bool reduced = !edit->ordered && read_reduce(&read);
  edit->changed |= composed | reduced;
  edit->rereads |= composed;
  edit_set(edit, k, body_read(&edit->body, operand, &read));
}

static void edit_call(IndexEdit *edit, int k, bool drop_detach) {
  Emitter *e = &edit->body.emit;
  Op op = edit_scalar(edit, k)->op;
  int args[3];
  edit_args(edit, k, args);
  edit->changed |= order_args(e, op, args);
  edit_set(edit, k, op == OP_detach && drop_detach ? args[0] : e->op(e, op, args));
}

// The operand that an index node only passes on, or NODE_NONE.
static NodeId passed_on(const Graph *g, NodeId id) {
  const Node *node = graph_node(g, id);
  if (node->op != OP_index || !index_is_movement(node->index)) return NODE_NONE;
  bool same = shape_equal(&graph_node(g, node->in[0])->shape, &node->shape);
  return same && read_is_identity(node->index, &node->index->reads[0]) ? node->in[0] : NODE_NONE;
}

static void rewrite_index(Rewrite *w, bool drop_detach) {
  IndexEdit edit = edit_begin(w);
  for (int k = 0; k < edit.node->index->n_body; k++) {
    ScalarKind kind = edit_scalar(&edit, k)->kind;
    if (kind == SCALAR_READ)
      edit_movement(&edit, k);
    else if (kind == SCALAR_OP)
      edit_call(&edit, k, drop_detach);
    else
      edit_copy(&edit, k);
  }
  edit_end(&edit);
  NodeId operand = passed_on(rewrite_graph(w), w->map[w->at]);
  if (operand != NODE_NONE) rewrite_replace(w, operand);
}

Graph *pass_canonicalise(PassContext *ctx, const Graph *g) {
  bool drop_detach = detach_is_idle(g);
  Rewrite w = rewrite_begin(ctx, g);
  for (; rewrite_more(&w); w.at++) {
    const Node *node = rewrite_node(&w);
    if (op_info(node->op)->class == OPC_POINTWISE)
      rewrite_elements(&w, drop_detach);
    else if (node->op == OP_reshape)
      rewrite_reshape(&w);
    else if (node->op == OP_index)
      rewrite_index(&w, drop_detach);
    else if (node->op == OP_concat && node->n_in == 1)
      rewrite_replace(&w, rewrite_operand(&w, 0));
    else
      rewrite_keep(&w);
  }
  return rewrite_end(&w);
}
