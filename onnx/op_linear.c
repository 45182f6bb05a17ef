// Matrix products: layers where the weights are known, with the rows turned where a flattened image comes in.
#include <string.h>

#include "operators.h"

// The weights [K, U] in the order in which a flattened image's values lie.
static Known *turned_rows(Im *m, const Val *x, const Known *weights) {
  if (!x->image_of) return known_permuted(m, weights, (int[]){0, 1});
  const Val *image = x->image_of;
  int64_t dim[MAX_RANK];
  int axis[MAX_RANK], n = image->rank - 1;
  for (int d = 0; d < n; d++) dim[d] = image->dim[d + 1].scale;
  for (int p = 0; p < n; p++) axis[p] = image->axis[p + 1] - 1;
  dim[n] = weights->dim[1];
  axis[n] = n;
  Known *turned = known_permuted(m, known_reshaped(m, weights, n + 1, dim), axis);
  return known_reshaped(m, turned, 2, weights->dim);
}

// dense: x [.., K], weights [K, U], bias [U] or NULL.
static Val *dense(Im *m, Val *x, const Known *weights, Known *bias) {
  int64_t units = weights->dim[1];
  Val *y = make_call(m, x, "dense", text_of(m, "%lld%s", (long long)units, bias ? "" : ", bias = false"));
  step_tensor(m, y, turned_rows(m, x, weights), false);
  if (bias) step_tensor(m, y, bias, false);
  y->image_of = NULL;
  y->image = false;
  y->dim[y->rank - 1] = size_of(units);
  return y;
}

static Val *transposed(Im *m, Val *x, bool turn) {
  if (!turn) return val_plain(m, x);
  Val *v = val_view(m, x->image_of ? val_plain(m, x) : x);
  v->dim[0] = x->dim[1];
  v->dim[1] = x->dim[0];
  for (int p = 0; p < 2; p++) v->axis[p] = 1 - v->axis[p];
  return val_plain(m, v);
}

static Val *scaled(Im *m, Val *v, float by) {
  if (by == 1) return v;
  return make_pointwise(m, v->type, text_of(m, "$0 * %s", float_text(m, (double)by)), &v, 1);
}

// The bias as a vector of `units`, where it is one: NULL otherwise.
static Known *bias_vector(Im *m, const Val *c, int64_t units) {
  if (!c->known || c->known->count != units || (c->rank > 1 && !size_is_one(c->dim[0])) || c->rank > 2 || c->rank < 1)
    return NULL;
  return known_reshaped(m, c->known, 1, &units);
}

static bool gemm_layer(Im *m, Node *node, bool turn_b) {
  Val *x = node->in[0], *b = node->in[1], *c = operand(node, 2);
  if (!b->known || attribute_float(node, "alpha", 1) != 1 || attribute_int(node, "transA", 0)) return false;
  if (c && attribute_float(node, "beta", 1) != 1) return false;
  Known *weights = known_permuted(m, b->known, turn_b ? (int[]){1, 0} : (int[]){0, 1});
  Known *bias = c ? bias_vector(m, c, weights->dim[1]) : NULL;
  if ((c && !bias) || x->dim[1].scale != weights->dim[0]) return false;
  if (!val_is_plain(x) && !x->image_of) x = val_plain(m, x);
  return done(node, dense(m, x, weights, bias));
}

bool op_gemm(Im *m, Node *node, const char *kind) {
  (void)kind;
  bool turn_a = attribute_int(node, "transA", 0), turn_b = attribute_int(node, "transB", 0);
  Val *a = node->in[0], *b = node->in[1], *c = operand(node, 2);
  if (!need_float(m, a) || b->type != ELEM_F32 || a->rank != 2 || b->rank != 2)
    return refuse(m, "its operands are no matrices");
  Size inner = a->dim[turn_a ? 0 : 1];
  if (!size_equal(inner, b->dim[turn_b ? 1 : 0])) return refuse(m, "its matrices do not fit each other");
  if (gemm_layer(m, node, turn_b)) return true;
  Val *in[2] = {transposed(m, a, turn_a), transposed(m, b, turn_b)};
  Size dim[2] = {a->dim[turn_a ? 1 : 0], b->dim[turn_b ? 0 : 1]};
  Val *y = scaled(m, make_expr(m, ELEM_F32, 2, dim, "$0 @ $1", in, 2), attribute_float(node, "alpha", 1));
  float beta = attribute_float(node, "beta", 1);
  if (!c || beta == 0) return done(node, y);
  return done(node, make_pointwise(m, ELEM_F32, "$0 + $1", (Val *[]){y, scaled(m, c, beta)}, 2));
}

// The shape of a @ b, as NumPy has it.
static bool product_shape(Im *m, const Val *a, const Val *b, int *rank, Size *dim) {
  int la = a->rank > 1 ? a->rank - 2 : 0, lb = b->rank > 1 ? b->rank - 2 : 0, n = la > lb ? la : lb;
  if (!a->rank || !b->rank) return refuse(m, "its operands are single numbers");
  if (!size_equal(a->dim[a->rank - 1], b->dim[b->rank > 1 ? b->rank - 2 : 0]))
    return refuse(m, "its matrices do not fit each other");
  for (int d = 0; d < n; d++) {
    Size x = d >= n - la ? a->dim[d - (n - la)] : size_of(1), y = d >= n - lb ? b->dim[d - (n - lb)] : size_of(1);
    if (!size_is_one(x) && !size_is_one(y) && !size_equal(x, y)) return refuse(m, "its matrices do not fit each other");
    dim[d] = size_is_one(x) ? y : x;
  }
  if (a->rank > 1) dim[n++] = a->dim[a->rank - 2];
  if (b->rank > 1) dim[n++] = b->dim[b->rank - 1];
  *rank = n;
  return true;
}

bool op_matmul(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *a = node->in[0], *b = node->in[1];
  int rank = 0;
  Size dim[2 * MAX_RANK];
  if (!need_float(m, a) || b->type != ELEM_F32) return refuse(m, "dlc computes it for floats only");
  if (!product_shape(m, a, b, &rank, dim)) return false;
  if (b->known && b->rank == 2 && a->rank > 1 && !b->var) {
    if (!val_is_plain(a) && !a->image_of) a = val_plain(m, a);
    return done(node, dense(m, a, known_permuted(m, b->known, (int[]){0, 1}), NULL));
  }
  return done(node, make_expr(m, ELEM_F32, rank, dim, "$0 @ $1", (Val *[]){val_plain(m, a), val_plain(m, b)}, 2));
}

// ---- Einsum
// ---------------------------------------------------------------------------------------------------------------

typedef struct Labels {
  const char *name[26];  // the formula's index of each letter that occurs
  Size size[26];
  int n;
} Labels;

static const char *label_name(Im *m, Labels *l, char letter) {
  int k = letter - 'a';
  if (!l->name[k]) l->name[k] = text_of(m, "e%d", ++l->n);
  return l->name[k];
}

// One operand's letters as a read; NULL with m->why set where they do not fit.
static const char *einsum_read(Im *m, Labels *l, const char **at, const Val *v, int k) {
  Text text = text_new(m->arena);
  int d = 0;
  text_printf(&text, "$%d[", k);
  for (; **at && **at != ',' && **at != '-'; ++*at) {
    if (**at == ' ') continue;
    if (**at < 'a' || **at > 'z' || d >= v->rank) return refuse(m, "dlc does not read its equation"), NULL;
    int letter = **at - 'a';
    text_printf(&text, "%s%s", d ? ", " : "", label_name(m, l, **at));
    if (l->size[letter].scale && !size_equal(l->size[letter], v->dim[d]))
      return refuse(m, "its sizes do not fit"), NULL;
    l->size[letter] = v->dim[d++];
  }
  if (**at == ',') ++*at;
  text_add(&text, "]");
  return d == v->rank ? text.bytes : (refuse(m, "dlc does not read its equation"), NULL);
}

// "abk,kc->abc" with known weights: a dense layer over the last dimension.
static bool is_layer(const char *equation, const Val *x, const Val *weights) {
  char letters[64];
  size_t n = 0;
  for (const char *c = equation; *c && n < sizeof letters - 1; c++)
    if (*c != ' ') letters[n++] = *c;
  letters[n] = '\0';
  size_t rank = (size_t)x->rank;
  if (!weights->known || weights->var || weights->rank != 2 || rank < 2 || n != 2 * rank + 5) return false;
  const char *second = letters + rank + 1, *result = letters + rank + 5;
  bool arrow = letters[rank] == ',' && letters[rank + 3] == '-' && letters[rank + 4] == '>';
  bool sums = second[0] == letters[rank - 1] && result[rank - 1] == second[1] && !memchr(letters, second[1], rank);
  return arrow && sums && !memcmp(letters, result, rank - 1) && !memchr(letters, second[0], rank - 1);
}

typedef struct Einsum {
  Labels labels;
  Val *in[MAX_OPERANDS];
  Text body, out, sums;
  Size dim[MAX_RANK];
  int rank, n_sums;
} Einsum;

static bool einsum_operands(Im *m, const Node *node, Einsum *e, const char **at) {
  for (int k = 0; k < node->n_in && k < 10; k++) {
    if (!node->in[k] || !need_float(m, node->in[k]) || !node->in[k]->rank)
      return refuse(m, "dlc does not read its equation");
    e->in[k] = val_plain(m, node->in[k]);
    const char *read = einsum_read(m, &e->labels, at, e->in[k], k);
    if (!read) return false;
    text_printf(&e->body, "%s%s", k ? " * " : "", read);
  }
  return true;
}

static bool einsum_result(Im *m, Einsum *e, const char *at) {
  bool kept[26] = {false};
  for (; *at; at++) {
    if (*at == ' ') continue;
    if (*at < 'a' || *at > 'z' || !e->labels.name[*at - 'a'] || kept[*at - 'a'] || e->rank == MAX_RANK)
      return refuse(m, "dlc does not read its equation");
    kept[*at - 'a'] = true;
    text_printf(&e->out, "%s%s", e->rank ? ", " : "", e->labels.name[*at - 'a']);
    e->dim[e->rank++] = e->labels.size[*at - 'a'];
  }
  for (int k = 0; k < 26; k++)
    if (e->labels.name[k] && !kept[k]) text_printf(&e->sums, "%s%s", e->n_sums++ ? ", " : "", e->labels.name[k]);
  return e->rank > 0 || refuse(m, "its result is a single number");
}

bool op_einsum(Im *m, Node *node, const char *kind) {
  (void)kind;
  const char *at = attribute_text(m, node, "equation", "");
  Einsum e = {.body = text_new(m->arena), .out = text_new(m->arena), .sums = text_new(m->arena)};
  Val *x = node->n_in == 2 ? node->in[0] : NULL, *weights = x ? node->in[1] : NULL;
  bool layer = x && weights && x->type == ELEM_F32 && weights->type == ELEM_F32 && is_layer(at, x, weights);
  if (layer && size_equal(x->dim[x->rank - 1], weights->dim[0])) {
    if (!val_is_plain(x)) x = val_plain(m, x);
    return done(node, dense(m, x, weights->known, NULL));
  }
  if (!einsum_operands(m, node, &e, &at)) return false;
  if (strncmp(at, "->", 2) != 0) return refuse(m, "its equation does not say the result");
  if (!einsum_result(m, &e, at + 2)) return false;
  const char *text = e.n_sums ? text_of(m, "sum(%s) %s", e.sums.bytes, e.body.bytes) : e.body.bytes;
  return done(node, make_formula(m, ELEM_F32, e.rank, e.dim, e.out.bytes, text, e.in, node->n_in));
}
