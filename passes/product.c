// What a product-sum needs before the micro-kernel can take it. Pure functions of the graph.
#include "product.h"

#include <math.h>
#include "checked.h"

enum {
  PACK_MIN_REUSE = 8,           // multiply-adds per element of b that make a transposed copy worth its price
  TURN_MIN_ELEMENTS = 1 << 18,  // of b, from which on a transposed copy would go through memory
  TURN_MIN_REDUCED = 64,
  IN_ORDER_MIN_ROW = 8  // points along the last but one index: shorter rows of tiles would be wasteful
};

static Product unfit(const char *why) { return (Product){.needs = PRODUCT_UNFIT, .why = why}; }

static double extent_points(Dim d, const int64_t *symbol_values) {
  if (dim_is_const(d)) return (double)d.scale;
  return (double)d.scale * (symbol_values ? (double)symbol_values[d.symbol - 1] : NOMINAL_SYMBOL);
}

double index_points(const IndexDef *def, const int64_t *symbol_values) {
  double points = 1;
  for (int k = 0; k < def->n_out + def->n_red; k++) points *= extent_points(def->extent[k], symbol_values);
  return points;
}

double shape_points(const Shape *shape, const int64_t *symbol_values) {
  double count = 1;
  for (int d = 0; d < shape->rank; d++) count *= extent_points(shape->dim[d], symbol_values);
  return count;
}

bool read_overhang(const IndexDef *def, const Read *read, int d, Dim dim, int64_t *before, int64_t *after) {
  *before = *after = 0;
  const IndexExpr *e = &read->at[d];
  if (e->kind == DIV_FLOOR) return false;
  Shape alone = {.rank = read->rank};
  alone.dim[d] = dim;
  if (read_in_bounds(def, read, &alone, d)) return true;
  int64_t low, high;
  if (!dim_is_const(dim) || !index_range(e, def->extent, NULL, &low, &high)) return false;
  if (low > high) return true;
  if (low < 0) *before = -low;
  if (high >= dim.scale) *after = high - dim.scale + 1;
  return true;
}

void read_renumber(Read *read, const int *place) {
  for (int d = 0; d < read->rank; d++) {
    IndexExpr old = read->at[d];
    read->at[d].n_terms = 0;
    for (int t = 0; t < old.n_terms; t++) index_add_term(&read->at[d], place[old.term[t].index], old.term[t].coef);
  }
}

bool read_stride(const Read *read, const Shape *operand, int index, int64_t *stride) {
  int64_t unit = 1;
  bool known = true;
  *stride = 0;
  for (int d = operand->rank - 1; d >= 0; d--) {
    int64_t coef = index_coef(&read->at[d], index), step;
    if (coef && (!known || read->at[d].kind != DIV_NONE)) return false;
    if (coef && (__builtin_mul_overflow(coef, unit, &step) || __builtin_add_overflow(*stride, step, stride)))
      return false;
    known = known && dim_is_const(operand->dim[d]) && !__builtin_mul_overflow(unit, operand->dim[d].scale, &unit);
  }
  return true;
}

// ---- the conditions, one by one -------------------------------------------------------------------------------------

static bool moves_with(const Read *read, int index) {
  for (int d = 0; d < read->rank; d++)
    if (index_coef(&read->at[d], index)) return true;
  return false;
}

static bool const_behind_first(const Shape *shape) {
  for (int d = 1; d < shape->rank; d++)
    if (!dim_is_const(shape->dim[d])) return false;
  return true;
}

static bool symbols_lead(const IndexDef *def) {
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (!dim_is_const(def->extent[k]) && k != 0 && k != def->n_out) return false;
  return true;
}

static bool is_empty(const IndexDef *def) {
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (def->extent[k].scale < 1) return true;
  return false;
}

// The terms of one exact division; `divided` are the indices that one has already, `classes` the residue classes so
// far.
static bool division_fits(const IndexDef *def, const IndexExpr *e, bool *divided, int64_t *classes) {
  int n_out = 0, n_red = 0;
  for (int t = 0; t < e->n_terms; t++) {
    int index = e->term[t].index;
    if (divided[index] || index == def->n_out - 1 || !dim_is_const(def->extent[index])) return false;
    divided[index] = true;
    n_out += index < def->n_out;
    n_red += index >= def->n_out;
    if (index < def->n_out) *classes *= e->divisor / whole_gcd(e->term[t].coef, e->divisor);
    if (*classes > PRODUCT_MAX_CLASSES) return false;
  }
  return n_out <= 1 && n_red <= 1;
}

static bool divisions_fit(const IndexDef *def) {
  bool divided[IR_MAX_INDICES] = {false};
  int64_t classes = 1;
  for (int k = 0; k < 2; k++)
    for (int d = 0; d < def->reads[k].rank; d++) {
      const IndexExpr *e = &def->reads[k].at[d];
      if (e->kind == DIV_EXACT && !division_fits(def, e, divided, &classes)) return false;
    }
  return true;
}

// 0, NEEDS_HALO, or UNFIT where a read leaves its operand in a way that no padding mends.
static unsigned halo_need(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  unsigned need = 0;
  for (int k = 0; k < 2; k++)
    for (int d = 0; d < def->reads[k].rank; d++) {
      int64_t before, after;
      Dim dim = graph_node(g, node->in[k])->shape.dim[d];
      if (!read_overhang(def, &def->reads[k], d, dim, &before, &after)) return PRODUCT_UNFIT;
      if (before || after) need = PRODUCT_NEEDS_HALO;
    }
  return need;
}

// The one dimension of b that the vector index moves, by 1; -1 where it is otherwise.
static int moving_dim(const Read *read, int vector) {
  int found = -1;
  for (int d = 0; d < read->rank; d++) {
    int64_t coef = index_coef(&read->at[d], vector);
    if (coef == 0) continue;
    if (found >= 0 || coef != 1 || read->at[d].kind != DIV_NONE) return -1;
    found = d;
  }
  return found;
}

static bool dim_is_contiguous(const Shape *shape, int dim) {
  for (int d = dim + 1; d < shape->rank; d++)
    if (!dim_equal(shape->dim[d], dim_const(1))) return false;
  return true;
}

static bool pack_pays(const IndexDef *def, const Shape *shape) {
  return index_points(def, NULL) >= PACK_MIN_REUSE * shape_points(shape, NULL);
}

// A large matrix that is read transposed, every element by one vector of the result: the micro-kernel turns it block by
// block on the way to its registers, so that the transpose is never in memory. A result of unknown size is not chunked.
static bool turns_on_the_way(const Node *node, const Read *read, int b_dim, const Shape *shape) {
  const IndexDef *def = node->index;
  Dim elements;
  if (def->n_red != 1 || shape->rank != 2 || b_dim != 0 || !shape_elements(shape, &elements)) return false;
  if (!dim_is_const(elements) || elements.scale < TURN_MIN_ELEMENTS) return false;
  if (!shape_elements(&node->shape, &elements) || dim_is_const(elements)) return false;
  const IndexExpr *last = &read->at[1];
  bool plain = last->kind == DIV_NONE && last->n_terms == 1 && index_coef(last, def->n_out) == 1;
  return plain && read->at[0].n_terms == 1 && def->extent[def->n_out].scale >= TURN_MIN_REDUCED;
}

static Product product_of_operands(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  int vector = def->n_out - 1;
  bool first = moves_with(&def->reads[0], vector), second = moves_with(&def->reads[1], vector);
  if (first == second) return unfit(first ? "both operands move with the last index" : "nothing moves with it");
  Product p = {.a = first ? 1 : 0, .b = first ? 0 : 1};
  const Shape *shape = &graph_node(g, node->in[p.b])->shape;
  p.b_dim = moving_dim(&def->reads[p.b], vector);
  if (p.b_dim < 0) return unfit("the operand that moves with the last index does so by steps other than 1");
  if (turns_on_the_way(node, &def->reads[p.b], p.b_dim, shape)) {
    p.turned = true;
  } else if (!dim_is_contiguous(shape, p.b_dim)) {
    if (!dim_is_const(shape->dim[p.b_dim])) return unfit("the dimension to be made contiguous is the batch");
    if (!pack_pays(def, shape)) return unfit("too little work for a transposed copy of its operand");
    p.needs |= PRODUCT_NEEDS_PACK;
  }
  p.needs |= halo_need(g, node);
  if (p.needs & PRODUCT_UNFIT) return unfit("reads outside its operands that no constant padding covers");
  return p;
}

Product product_analyse(const Graph *g, const Node *node) {
  if (node->op != OP_index || !index_is_plain_product(node->index)) return unfit("no plain sum of products");
  const IndexDef *def = node->index;
  if (def->n_out < 1 || def->n_red < 1) return unfit("no index left for the vector");
  for (int k = 0; k < 2; k++)
    if (graph_node(g, node->in[k])->op == OP_const) return unfit("an operand is a constant");
  Dim width = def->extent[def->n_out - 1];
  if (!dim_is_const(width)) return unfit("the last dimension is the batch");
  if (width.scale < PRODUCT_MIN_WIDTH) return unfit("the last dimension is too narrow for a vector");
  if (is_empty(def)) return unfit("empty");
  bool lead = symbols_lead(def) && const_behind_first(&node->shape);
  for (int k = 0; k < 2; k++) lead = lead && const_behind_first(&graph_node(g, node->in[k])->shape);
  if (!lead) return unfit("the batch is not the leading dimension");
  if (!divisions_fit(def)) return unfit("its exact divisions do not split into dense loops");
  return product_of_operands(g, node);
}

bool product_fits(const Graph *g, const Node *node) { return product_analyse(g, node).needs == 0; }

bool product_in_order(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  if (def->order.chunk > 0 || def->n_out < 2) return false;
  if (def->order.winograd) return true;
  Product p = product_analyse(g, node);
  Dim row = def->extent[def->n_out - 2];
  if (p.needs || p.turned || (dim_is_const(row) && row.scale < IN_ORDER_MIN_ROW)) return false;
  for (int k = 0; k + 1 < def->n_out; k++)
    if (moves_with(&def->reads[p.b], k)) return false;
  for (int k = 0; k < 2; k++)
    for (int d = 0; d < def->reads[k].rank; d++)
      if (def->reads[k].at[d].kind != DIV_NONE) return false;
  return true;
}

// ---- sums along rows
// --------------------------------------------------------------------------------------------------

static bool read_is_contiguous(const Graph *g, const Node *node, int k, int index) {
  int64_t stride;
  return read_stride(&node->index->reads[k], &graph_node(g, node->in[k])->shape, index, &stride) && stride == 1;
}

// The last output index that takes more than one value, or -1.
static int last_moving(const IndexDef *def) {
  int k = def->n_out - 1;
  while (k >= 0 && dim_equal(def->extent[k], dim_const(1))) k--;
  return k;
}

int row_lanes(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  int inner = def->n_out + def->n_red - 1, last = last_moving(def);
  if (def->n_red == 0 || (dim_is_const(def->extent[inner]) && def->extent[inner].scale < ROW_LANES)) return 1;
  bool along = false;
  for (int k = 0; k < node->n_in; k++) {
    if (!moves_with(&def->reads[k], inner)) continue;
    if (last >= 0 && read_is_contiguous(g, node, k, last)) return 1;
    along |= read_is_contiguous(g, node, k, inner);
  }
  return along ? ROW_LANES : 1;
}

int reduction_lanes(const Graph *g, const Node *node) {
  const IndexDef *def = node->index;
  bool ordered = def->combine == COMBINE_SUM || def->combine == COMBINE_PROD;
  if (!ordered || def->body[def->n_body - 1].type != DT_F32) return row_lanes(g, node);
  return def->order.lanes > 1 ? def->order.lanes : 1;
}

// Elements that the read moves by when the index grows by one (for a division, on average); always positive.
static double step_of(const Read *read, const Shape *shape, int index) {
  double unit = 1, step = 0;
  for (int d = shape->rank - 1; d >= 0; d--) {
    step += (double)index_coef(&read->at[d], index) * unit / (double)read->at[d].divisor;
    unit *= (double)shape->dim[d].scale;
  }
  return fabs(step);
}

bool product_walk(const Graph *g, const Node *node, const Product *p, int *order) {
  const IndexDef *def = node->index;
  const Read *read = &def->reads[p->a];
  const Shape *shape = &graph_node(g, node->in[p->a])->shape;
  bool moved = false;
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    double step = step_of(read, shape, k);
    int at = k;
    for (; at > def->n_out && k > def->n_out && step > step_of(read, shape, order[at - 1]); at--)
      order[at] = order[at - 1];
    order[at] = k;
    moved |= at != k;
  }
  return moved;
}
