// Shape arithmetic: what models compute of sizes, and constants that are only moved, is known when the program is made.
//
// On entry: a node whose operands have been looked up. On exit: true with its outputs known, or false and nothing done.
// The batch may be among the numbers (Known.batch): it can be moved about, and scaled.
#include <math.h>
#include <string.h>

#include "inside.h"

typedef Val *Fold(Im *m, Node *node);

static Known *known_in(const Node *node, int k) { return k < node->n_in && node->in[k] ? node->in[k]->known : NULL; }

// An empty result with room for the batch's marks where an operand has some.
static Known *result_like(Im *m, const Node *node, Elem type, int rank, const int64_t *dim) {
  Known *to = known_new(m, type, rank, dim);
  for (int k = 0; k < node->n_in; k++)
    if (known_in(node, k) && known_in(node, k)->batch) to->batch = arena_array(m->arena, (size_t)to->count, 1);
  return to;
}

static void copy(Known *to, int64_t at, const Known *from, int64_t k) {
  if (to->f)
    ((float *)to->f)[at] = (float)known_at(from, k);
  else
    ((int64_t *)to->i)[at] = from->f ? (int64_t)from->f[k] : from->i[k];
  if (to->batch && from->batch) ((bool *)to->batch)[at] = from->batch[k];
}

// ---- sources
// --------------------------------------------------------------------------------------------------------------

static Val *fold_Shape(Im *m, Node *node) {
  const Val *x = node->in[0];
  int64_t from = attribute_int(node, "start", 0), to = attribute_int(node, "end", x->rank);
  if (from < 0) from += x->rank;
  if (to < 0) to += x->rank;
  from = from < 0 ? 0 : from > x->rank ? x->rank : from;
  to = to > x->rank ? x->rank : to < from ? from : to;
  Known *k = known_new(m, ELEM_I32, 1, (int64_t[]){to - from});
  bool *batch = arena_array(m->arena, MAX_RANK, 1), any = false;
  for (int64_t d = from; d < to; d++) {
    ((int64_t *)k->i)[d - from] = x->dim[d].scale;
    any |= batch[d - from] = x->dim[d].batch;
  }
  if (any) k->batch = batch;
  return val_of_known(m, k);
}

static Val *fold_Size(Im *m, Node *node) {
  Size elements;
  if (!val_elements(node->in[0], &elements)) return NULL;
  Known *k = known_new(m, ELEM_I32, 0, NULL);
  ((int64_t *)k->i)[0] = elements.scale;
  if (elements.batch) *(bool *)(k->batch = arena_alloc(m->arena, 1)) = true;
  return val_of_known(m, k);
}

static Known *numbers(Im *m, Elem type, bool list, size_t count) {
  return known_new(m, type, list ? 1 : 0, (int64_t[]){(int64_t)count});
}

static Val *fold_Constant(Im *m, Node *node) {
  const Onnx__AttributeProto *a;
  if ((a = attribute(node, "value")) && a->t) {
    Known *k = known_read(m, a->t);
    return k ? val_of_known(m, k) : NULL;
  }
  if ((a = attribute(node, "value_float")) || (a = attribute(node, "value_floats"))) {
    bool list = !a->has_f;
    Known *k = numbers(m, ELEM_F32, list, a->n_floats);
    for (int64_t n = 0; n < k->count; n++) ((float *)k->f)[n] = list ? a->floats[n] : a->f;
    return val_of_known(m, k);
  }
  if ((a = attribute(node, "value_int")) || (a = attribute(node, "value_ints"))) {
    bool list = !a->has_i;
    Known *k = numbers(m, ELEM_I32, list, a->n_ints);
    for (int64_t n = 0; n < k->count; n++) ((int64_t *)k->i)[n] = list ? a->ints[n] : a->i;
    return val_of_known(m, k);
  }
  return NULL;
}

static Val *fold_ConstantOfShape(Im *m, Node *node) {
  const Known *shape = known_in(node, 0);
  const Onnx__AttributeProto *a = attribute(node, "value");
  Known *value = a && a->t ? known_read(m, a->t) : NULL;
  if (!shape || shape->batch || shape->f || shape->count > MAX_RANK || (a && (!value || value->count != 1)))
    return NULL;
  int64_t count = 1;
  for (int64_t d = 0; d < shape->count; d++) {
    if (shape->i[d] < 0 || shape->i[d] > MOST_FOLDED) return NULL;
    if ((count *= shape->i[d]) > 16 * MOST_FOLDED) return NULL;
  }
  Known *k = known_new(m, value ? value->type : ELEM_F32, (int)shape->count, shape->i);
  for (int64_t n = 0; value && n < k->count; n++) copy(k, n, value, 0);
  return val_of_known(m, k);
}

static Val *fold_Range(Im *m, Node *node) {
  double start, limit, delta;
  if (!known_scalar(node->in[0], &start) || !known_scalar(node->in[1], &limit) || !known_scalar(node->in[2], &delta))
    return NULL;
  double count = delta == 0 ? -1 : ceil((limit - start) / delta);
  if (!(count >= 0 && count <= MOST_FOLDED)) return NULL;
  Known *k = known_new(m, node->in[0]->type, 1, (int64_t[]){(int64_t)count});
  for (int64_t n = 0; n < k->count; n++) {
    if (k->f) ((float *)k->f)[n] = (float)(start + (double)n * delta);
    if (k->i) ((int64_t *)k->i)[n] = (int64_t)start + n * (int64_t)delta;
  }
  return val_of_known(m, k);
}

// ---- moving
// ---------------------------------------------------------------------------------------------------------------

static Val *fold_Gather(Im *m, Node *node) {
  const Known *x = known_in(node, 0), *at = known_in(node, 1);
  if (x->rank != 1 || at->rank > 1 || at->f || at->batch) return NULL;
  Known *to = result_like(m, node, x->type, at->rank, at->dim);
  for (int64_t n = 0; n < at->count; n++) {
    int64_t k = at->i[n] < 0 ? at->i[n] + x->count : at->i[n];
    if (k < 0 || k >= x->count) return NULL;
    copy(to, n, x, k);
  }
  return val_of_known(m, to);
}

static Val *fold_Concat(Im *m, Node *node) {
  int64_t count = 0;
  for (int k = 0; k < node->n_in; k++) {
    if (known_in(node, k)->rank != 1 || known_in(node, k)->type != known_in(node, 0)->type) return NULL;
    count += known_in(node, k)->count;
  }
  Known *to = result_like(m, node, known_in(node, 0)->type, 1, &count);
  count = 0;
  for (int k = 0; k < node->n_in; k++)
    for (int64_t n = 0; n < known_in(node, k)->count; n++) copy(to, count++, known_in(node, k), n);
  return val_of_known(m, to);
}

static Val *fold_Slice(Im *m, Node *node) {
  const Known *x = known_in(node, 0);
  int64_t from, to, step = 1;
  const int64_t *list;
  if (x->rank != 1) return NULL;
  if (m->opset < 10) {
    if (attribute_ints(node, "starts", &list) != 1) return NULL;
    from = list[0];
    if (attribute_ints(node, "ends", &list) != 1) return NULL;
    to = list[0];
  } else {
    if (node->n_in < 3 || known_list(m, node->in[1], "start", &from, 1) != 1 ||
        known_list(m, node->in[2], "end", &to, 1) != 1)
      return NULL;
    if (node->n_in > 4 && node->in[4] && (known_list(m, node->in[4], "step", &step, 1) != 1 || step < 1)) return NULL;
  }
  if (from < 0) from += x->count;
  if (to < 0) to += x->count;
  from = from < 0 ? 0 : from > x->count ? x->count : from;
  to = to < from ? from : to > x->count ? x->count : to;
  Known *k = result_like(m, node, x->type, 1, (int64_t[]){(to - from + step - 1) / step});
  for (int64_t n = 0; n < k->count; n++) copy(k, n, x, from + n * step);
  return val_of_known(m, k);
}

static Val *fold_Cast(Im *m, Node *node) {
  const Known *x = known_in(node, 0);
  Elem type;
  if (!elem_of((int32_t)attribute_int(node, "to", 0), &type)) return NULL;
  Known *k = result_like(m, node, type, x->rank, x->dim);
  for (int64_t n = 0; n < k->count; n++) {
    copy(k, n, x, n);
    if (type == ELEM_BOOL) ((int64_t *)k->i)[n] = known_at(x, n) != 0;
  }
  k->weight = x->weight;
  return val_of_known(m, k);
}

// ---- arithmetic
// -----------------------------------------------------------------------------------------------------------

static double floor_div(double a, double b) { return b == 0 ? 0 : floor(a / b); }

static bool compute(const char *op, bool whole, double a, double b, double *y) {
  if (!strcmp(op, "Add")) return *y = a + b, true;
  if (!strcmp(op, "Sub")) return *y = a - b, true;
  if (!strcmp(op, "Mul")) return *y = a * b, true;
  if (!strcmp(op, "Div")) return *y = !whole ? a / b : b == 0 ? 0 : trunc(a / b), !whole || b != 0;
  if (!strcmp(op, "Mod")) return *y = a - b * floor_div(a, b), true;
  if (!strcmp(op, "Max")) return *y = a > b ? a : b, true;
  if (!strcmp(op, "Min")) return *y = a < b ? a : b, true;
  if (!strcmp(op, "Equal")) return *y = a == b, true;
  if (!strcmp(op, "Less")) return *y = a < b, true;
  if (!strcmp(op, "Greater")) return *y = a > b, true;
  if (!strcmp(op, "Neg")) return *y = -a, true;
  if (!strcmp(op, "Floor")) return *y = floor(a), true;
  if (!strcmp(op, "Ceil")) return *y = ceil(a), true;
  if (!strcmp(op, "Sqrt")) return *y = sqrt(a), true;
  return false;
}

// The batch times a number is the only product with it that is a size.
static bool batch_result(const char *op, bool a, bool b, bool *result) {
  *result = a || b;
  return !*result || (!strcmp(op, "Mul") && a != b);
}

static Val *fold_arithmetic(Im *m, Node *node) {
  const char *op = node->proto->op_type;
  const Known *a = known_in(node, 0), *b = node->n_in > 1 ? known_in(node, 1) : a;
  if (node->n_in > 2 || a->type != b->type || a->type == ELEM_BOOL) return NULL;
  if (a->rank > 1 || b->rank > 1 || (a->count != b->count && a->count != 1 && b->count != 1)) return NULL;
  const Known *longer = a->rank > b->rank || a->count > b->count ? a : b;
  bool logical = !strcmp(op, "Equal") || !strcmp(op, "Less") || !strcmp(op, "Greater");
  Known *y = result_like(m, node, logical ? ELEM_BOOL : a->type, longer->rank, longer->dim);
  for (int64_t n = 0; n < y->count; n++) {
    int64_t ka = a->count == 1 ? 0 : n, kb = b->count == 1 ? 0 : n;
    double value;
    bool batch;
    if (!batch_result(op, a->batch && a->batch[ka], b != a && b->batch && b->batch[kb], &batch)) return NULL;
    if (!compute(op, a->type != ELEM_F32, known_at(a, ka), known_at(b, kb), &value)) return NULL;
    if (y->f) ((float *)y->f)[n] = (float)value;
    if (y->i) ((int64_t *)y->i)[n] = (int64_t)value;
    if (y->batch) ((bool *)y->batch)[n] = batch;
  }
  return val_of_known(m, y);
}

static Val *fold_ReduceProd(Im *m, Node *node) {
  const Known *x = known_in(node, 0);
  if (x->rank != 1 || x->batch || x->f) return NULL;
  bool keep = attribute_int(node, "keepdims", 1);
  Known *y = known_new(m, ELEM_I32, keep, (int64_t[]){1});
  double product = 1;
  for (int64_t n = 0; n < x->count; n++) product *= (double)x->i[n];
  if (fabs(product) > 1e15) return NULL;
  ((int64_t *)y->i)[0] = (int64_t)product;
  return val_of_known(m, y);
}

static Val *fold_Where(Im *m, Node *node) {
  const Known *c = known_in(node, 0), *a = known_in(node, 1), *b = known_in(node, 2);
  if (c->rank > 1 || c->f || a->count != c->count || b->count != c->count || a->type != b->type) return NULL;
  Known *y = result_like(m, node, a->type, c->rank, c->dim);
  for (int64_t n = 0; n < y->count; n++) copy(y, n, c->i[n] ? a : b, n);
  return val_of_known(m, y);
}

typedef struct FoldRow {
  const char *name;
  Fold *run;
  bool all_known;  // needs every operand
} FoldRow;

static const FoldRow rows[] = {
    {"Shape", fold_Shape, false},
    {"Size", fold_Size, false},
    {"Constant", fold_Constant, false},
    {"Range", fold_Range, true},
    {"Gather", fold_Gather, true},
    {"Concat", fold_Concat, true},
    {"Slice", fold_Slice, true},
    {"Cast", fold_Cast, true},
    {"ReduceProd", fold_ReduceProd, true},
    {"Where", fold_Where, true},
    {"Add", fold_arithmetic, true},
    {"Sub", fold_arithmetic, true},
    {"Mul", fold_arithmetic, true},
    {"Div", fold_arithmetic, true},
    {"Mod", fold_arithmetic, true},
    {"Max", fold_arithmetic, true},
    {"Min", fold_arithmetic, true},
    {"Equal", fold_arithmetic, true},
    {"Less", fold_arithmetic, true},
    {"Greater", fold_arithmetic, true},
    {"Neg", fold_arithmetic, true},
    {"Floor", fold_arithmetic, true},
    {"Ceil", fold_arithmetic, true},
    {"Sqrt", fold_arithmetic, true},
    {"ConstantOfShape", fold_ConstantOfShape, true},
};

// What training may change is computed by the program.
static bool may_fold(const Node *node) {
  if (!node->n_in) return false;
  for (int k = 0; k < node->n_in; k++) {
    const Val *v = node->in[k];
    if (!v || !v->known || v->var || v->known->count > MOST_FOLDED) return false;
    if (v->known->weight && v->type == ELEM_F32) return false;
  }
  return true;
}

bool fold_node(Im *m, Node *node) {
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    if (strcmp(rows[k].name, node->proto->op_type) != 0 || (rows[k].all_known && !may_fold(node))) continue;
    Val *v = rows[k].run(m, node);
    if (!v) return false;
    node->out[0] = v;
    return true;
  }
  return false;
}
