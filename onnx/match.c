// What a node of the graph is in ONNX's terms. The library's layers are ordinary index nodes and pointwise ops in the
// graph: here they are recognised by what they compute, whoever wrote them.
#include <string.h>

#include "export.h"

static bool is_op(const Graph *g, NodeId id, Op op) { return graph_node(g, id)->op == op; }

static bool is_const(const Graph *g, NodeId id, double *number) {
  const Node *n = graph_node(g, id);
  *number = n->number;
  return n->op == OP_const;
}

static bool is_parameter(const Graph *g, NodeId id) { return is_op(g, id, OP_param) || is_op(g, id, OP_state); }

// A vector along the last dimension of the result: {%v[l]}.
static bool is_spread_vector(const Graph *g, NodeId id, NodeId *vector) {
  const Node *n = graph_node(g, id);
  if (n->op != OP_index || !index_is_movement(n->index) || n->n_in != 1) return false;
  const Read *read = &n->index->reads[0];
  *vector = n->in[0];
  return read->rank == 1 && index_is(&read->at[0], n->index->n_out - 1) && n->index->n_out > 1;
}

// ---- batch norm
// -----------------------------------------------------------------------------------------------------------

// gamma * rsqrt(var + eps)
static bool is_scale(const Graph *g, NodeId id, Match *m) {
  if (!is_op(g, id, OP_mul)) return false;
  const Node *mul = graph_node(g, id);
  if (!is_op(g, mul->in[1], OP_rsqrt)) return false;
  const Node *sum = graph_node(g, graph_node(g, mul->in[1])->in[0]);
  if (sum->op != OP_add || !is_const(g, sum->in[1], &m->number)) return false;
  m->leaf[1] = mul->in[0];
  m->leaf[4] = sum->in[0];
  return is_parameter(g, m->leaf[1]) && is_parameter(g, m->leaf[4]);
}

// x * scale + (beta - mean * scale)
static bool match_batch_norm(const Graph *g, NodeId id, Match *m) {
  const Node *add = graph_node(g, id);
  NodeId scale, shift;
  if (add->op != OP_add || add->shape.rank < 2 || !is_op(g, add->in[0], OP_mul)) return false;
  const Node *mul = graph_node(g, add->in[0]);
  if (!is_spread_vector(g, mul->in[1], &scale) || !is_spread_vector(g, add->in[1], &shift)) return false;
  if (!is_scale(g, scale, m) || !is_op(g, shift, OP_sub)) return false;
  const Node *sub = graph_node(g, shift), *moved = graph_node(g, sub->in[1]);
  if (moved->op != OP_mul || moved->in[1] != scale) return false;
  m->leaf[0] = mul->in[0];
  m->leaf[2] = sub->in[0];
  m->leaf[3] = moved->in[0];
  m->n_leaves = 5;
  m->kind = MATCH_BATCH_NORM;
  return is_parameter(g, m->leaf[2]) && is_parameter(g, m->leaf[3]);
}

// ---- windows
// --------------------------------------------------------------------------------------------------------------

// stride * place + dilation * offset - padding: a window's read along one direction.
static bool is_window(const IndexDef *def, const IndexExpr *e, int place, int offset, Dim size, Windows *w) {
  int d = w->n;
  if (e->kind != DIV_NONE || e->n_terms != (index_coef(e, offset) ? 2 : 1) || !dim_is_const(size)) return false;
  int64_t out = def->extent[place].scale;
  w->stride[d] = index_coef(e, place);
  w->dilation[d] = index_coef(e, offset) ? index_coef(e, offset) : 1;
  w->k[d] = def->extent[offset].scale;
  w->begin[d] = -e->offset;
  if (w->stride[d] < 1 || w->dilation[d] < 1 || w->begin[d] < 0 || e->n_terms == 0) return false;
  if (!index_coef(e, offset) && w->k[d] != 1) return false;
  int64_t end = (out - 1) * w->stride[d] + w->dilation[d] * (w->k[d] - 1) + 1 - w->begin[d] - size.scale;
  w->end[d] = end > 0 ? end : 0;
  w->n++;
  return true;
}

// x read at [n, window.., last] where the result is [n, place.., last2] and the window's offsets are the first reduced
// indices. Leaves the last subscript to the caller.
static bool windows_of(const Graph *g, const Node *node, int operand, Windows *w) {
  const IndexDef *def = node->index;
  const Read *read = &def->reads[operand];
  const Shape *shape = &graph_node(g, node->in[operand])->shape;
  int n = read->rank - 2;
  *w = (Windows){0};
  if (n < 1 || n > 3 || def->n_out != n + 2 || def->n_red < n || !index_is(&read->at[0], 0)) return false;
  for (int d = 0; d < n; d++)
    if (!is_window(def, &read->at[d + 1], d + 1, def->n_out + d, shape->dim[d + 1], w)) return false;
  return true;
}

static bool is_pool(const Graph *g, const Node *node, Match *m) {
  const IndexDef *def = node->index;
  if (def->n_body != 1 || def->body[0].kind != SCALAR_READ || node->n_in != 1 || node->type != DT_F32) return false;
  if (!windows_of(g, node, 0, &m->windows) || def->n_red != m->windows.n) return false;
  if (!index_is(&def->reads[0].at[def->reads[0].rank - 1], def->n_out - 1)) return false;
  bool even = true;
  for (int d = 0; d < m->windows.n; d++)
    even = even && m->windows.dilation[d] == 1 && m->windows.begin[d] < m->windows.k[d];
  m->kind = def->combine == COMBINE_MAX ? MATCH_MAX_POOL : MATCH_SUM_POOL;
  return even && (def->combine == COMBINE_MAX || def->combine == COMBINE_SUM);
}

// The operand that is the image, or -1: y[n, i, j, o] = sum(r, s, c) x[n, .., c] * w[r, s, c, o], or without c and o.
static int conv_image(const Graph *g, const Node *node, Match *m, bool *each) {
  const IndexDef *def = node->index;
  for (int image = 0; image < 2; image++) {
    const Read *x = &def->reads[image], *w = &def->reads[1 - image];
    if (!windows_of(g, node, image, &m->windows)) continue;
    int n = m->windows.n, last = def->n_out - 1;
    bool fits = w->rank >= n;
    for (int d = 0; fits && d < n; d++) fits = index_is(&w->at[d], def->n_out + d);
    if (!fits) continue;
    *each = def->n_red == n && w->rank == n + 1 && index_is(&w->at[n], last) && index_is(&x->at[n + 1], last);
    bool whole = def->n_red == n + 1 && w->rank == n + 2 && index_is(&w->at[n], def->n_out + n) &&
                 index_is(&w->at[n + 1], last) && index_is(&x->at[n + 1], def->n_out + n);
    if (*each || whole) return image;
  }
  return -1;
}

static bool match_product(const Graph *g, NodeId id, Match *m) {
  const Node *node = graph_node(g, id);
  bool each;
  if (node->op != OP_index || !index_is_plain_product(node->index) || node->n_in != 2) return false;
  m->n_leaves = 2;
  int image = conv_image(g, node, m, &each);
  if (image >= 0) {
    m->kind = each ? MATCH_EACH_CONV : MATCH_CONV;
    m->leaf[0] = node->in[image];
    m->leaf[1] = node->in[1 - image];
    return true;
  }
  for (int k = 0; k < 2; k++) {
    m->leaf[k] = node->in[k];
    for (int d = 0; d < node->index->reads[k].rank; d++) {
      const IndexExpr *e = &node->index->reads[k].at[d];
      if (e->n_terms != 1 || !index_is(e, e->term[0].index)) return false;
      if (!dim_equal(node->index->extent[e->term[0].index], graph_node(g, node->in[k])->shape.dim[d])) return false;
    }
  }
  m->kind = MATCH_PRODUCT;
  return true;
}

// x[i, k] * w[k, j] over k, of two dimensions each.
static bool is_matrix_product(const Node *node) {
  const IndexDef *def = node->index;
  const Read *a = &def->reads[0], *b = &def->reads[1];
  return def->n_out == 2 && def->n_red == 1 && a->rank == 2 && b->rank == 2 && index_is(&a->at[0], 0) &&
         index_is(&a->at[1], 2) && index_is(&b->at[0], 2) && index_is(&b->at[1], 1);
}

// A product with a vector added along the last dimension, where nobody else wants the product.
static bool match_biased(const Graph *g, NodeId id, const int *uses, Match *m) {
  const Node *add = graph_node(g, id);
  NodeId bias;
  if (add->op != OP_add || uses[add->in[0]] != 1 || !is_spread_vector(g, add->in[1], &bias) || !is_parameter(g, bias))
    return false;
  if (!match_product(g, add->in[0], m)) return false;
  if (m->kind == MATCH_PRODUCT) {
    if (!is_matrix_product(graph_node(g, add->in[0])) || !is_parameter(g, m->leaf[1])) return false;
    m->kind = MATCH_DENSE;
  }
  m->leaf[2] = bias;
  m->n_leaves = 3;
  return true;
}

// ---- movement and reduction
// -----------------------------------------------------------------------------------------------

// Every subscript an index of its own, or 0 where the operand has one element there.
static bool is_broadcast(const Graph *g, const Node *node) {
  const Read *read = &node->index->reads[0];
  const Shape *shape = &graph_node(g, node->in[0])->shape;
  bool seen[IR_MAX_INDICES] = {false};
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *e = &read->at[d];
    if (e->kind != DIV_NONE || (e->n_terms == 0 && (e->offset || shape->dim[d].scale != 1 || shape->dim[d].symbol)))
      return false;
    if (e->n_terms == 0) continue;
    int k = e->term[0].index;
    if (!index_is(e, k) || seen[k] || !dim_equal(node->index->extent[k], shape->dim[d])) return false;
    seen[k] = true;
  }
  return true;
}

// Every subscript stride * its own index + offset, one dimension for one.
static bool is_part(const Graph *g, const Node *node) {
  const Read *read = &node->index->reads[0];
  const Shape *shape = &graph_node(g, node->in[0])->shape;
  if (read->rank != node->index->n_out) return false;
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *e = &read->at[d];
    if (index_is(e, d) && dim_equal(node->index->extent[d], shape->dim[d])) continue;
    if (e->kind != DIV_NONE || e->n_terms > 1 || (e->n_terms && e->term[0].index != d)) return false;
    if (!dim_is_const(shape->dim[d]) || !dim_is_const(node->index->extent[d])) return false;
    if (e->n_terms == 0 && node->index->extent[d].scale != 1) return false;
    int64_t last = e->offset + (e->n_terms ? e->term[0].coef : 0) * (node->index->extent[d].scale - 1);
    bool inside = e->offset >= 0 && e->offset < shape->dim[d].scale && last >= 0 && last < shape->dim[d].scale;
    bool padded = e->n_terms == 1 && e->term[0].coef == 1 && e->offset <= 0 && last >= shape->dim[d].scale - 1;
    if (!inside && !padded) return false;
  }
  return true;
}

// One read, each subscript an index of its own; results in the operand's order, with sizes of 1 anywhere.
static bool is_reduction(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  const Read *read = &def->reads[0];
  if (def->n_body != 1 || def->body[0].kind != SCALAR_READ || node->n_in != 1) return false;
  bool seen[IR_MAX_INDICES] = {false};
  int last = -1;
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *e = &read->at[d];
    if (e->kind != DIV_NONE || e->n_terms != 1 || !index_is(e, e->term[0].index) || seen[e->term[0].index])
      return false;
    int k = e->term[0].index;
    if (!dim_equal(def->extent[k], graph_node(g, node->in[0])->shape.dim[d])) return false;
    seen[k] = true;
    if (k >= def->n_out) continue;
    if (k < last) return false;
    last = k;
  }
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (!seen[k] && (def->extent[k].scale != 1 || def->extent[k].symbol)) return false;
  return true;
}

static void match_index(const Graph *g, const Node *node, Match *m) {
  m->n_leaves = 1;
  m->leaf[0] = node->in[0];
  m->kind = MATCH_NONE;
  if (node->n_in != 1) return;
  if (index_is_movement(node->index))
    m->kind = is_broadcast(g, node) ? MATCH_BROADCAST : is_part(g, node) ? MATCH_PART : MATCH_NONE;
  else if (is_reduction(g, node))
    m->kind = MATCH_REDUCE;
  else if (!is_pool(g, node, m))
    m->kind = MATCH_NONE;
}

// The sum over height and width of [N, H, W, C], divided by their product.
static bool match_global(const Graph *g, const Node *node, Match *m) {
  double number;
  if (node->op != OP_div || !is_op(g, node->in[0], OP_index) || !is_const(g, node->in[1], &number)) return false;
  const Node *sum = graph_node(g, node->in[0]);
  const IndexDef *def = sum->index;
  if (def->combine != COMBINE_SUM || def->n_out != 2 || def->n_red != 2 || !is_reduction(g, sum)) return false;
  const Read *read = &def->reads[0];
  bool image = read->rank == 4 && index_is(&read->at[0], 0) && index_is(&read->at[3], 1);
  if (!image || (double)(def->extent[2].scale * def->extent[3].scale) != number) return false;
  m->kind = MATCH_GLOBAL;
  m->leaf[0] = sum->in[0];
  m->n_leaves = 1;
  return true;
}

static bool match_relu(const Graph *g, const Node *node, Match *m) {
  double number;
  if (node->op != OP_max || node->type != DT_F32 || !is_const(g, node->in[0], &number) || number != 0) return false;
  m->kind = MATCH_RELU;
  m->leaf[0] = node->in[1];
  m->n_leaves = 1;
  return true;
}

void match_node(const Graph *g, NodeId id, const int *uses, Match *m) {
  const Node *node = graph_node(g, id);
  *m = (Match){.kind = MATCH_NONE};
  if (op_info(node->op)->class == OPC_SOURCE) {
    m->kind = MATCH_SOURCE;
    return;
  }
  if (match_batch_norm(g, id, m) || match_biased(g, id, uses, m) || match_product(g, id, m) || match_relu(g, node, m))
    return;
  if (match_global(g, node, m)) return;
  *m = (Match){.kind = MATCH_NONE};
  if (node->op == OP_index) {
    match_index(g, node, m);
    return;
  }
  if (op_info(node->op)->class == OPC_POINTWISE) m->kind = MATCH_POINTWISE;
  if (node->op == OP_reshape) m->kind = MATCH_RESHAPE;
  if (node->op == OP_concat) m->kind = MATCH_CONCAT;
  if (node->op == OP_gather) m->kind = MATCH_GATHER;
}
