// Operators that reduce axes, and those that normalise by what they reduce.
#include <string.h>

#include "operators.h"

const char *numbers_text(Im *m, const int64_t *list, int n) {
  bool same = n > 0;
  Text text = text_new(m->arena);
  for (int k = 0; k < n; k++) {
    same &= list[k] == list[0];
    text_printf(&text, "%s%lld", k ? ", " : "[", (long long)list[k]);
  }
  text_add(&text, n ? "]" : "[]");
  return same ? text_of(m, "%lld", (long long)list[0]) : text.bytes;
}

// The axes that are reduced, as arguments: "axis = 1, keep = true".
static const char *axes_text(Im *m, const bool *reduced, int rank, bool keep) {
  Text text = text_new(m->arena);
  int n = 0, only = 0;
  for (int p = 0; p < rank; p++)
    if (reduced[p]) text_printf(&text, "%s%d", n++ ? ", " : "", only = p);
  const char *axis = n == 1 ? text_of(m, "axis = %d", only) : n == rank ? "" : text_of(m, "axis = [%s]", text.bytes);
  return text_of(m, "%s%s", axis, !keep ? "" : *axis ? ", keep = true" : "keep = true");
}

Val *make_reduced(Im *m, Val *x, const char *function, const bool *reduced, bool keep) {
  Val *y = make_call(m, x, function, axes_text(m, reduced, x->rank, keep));
  int number[MAX_RANK], n = 0;
  bool gone[MAX_RANK] = {false};
  for (int p = 0; p < x->rank; p++) gone[x->axis[p]] = reduced[p];
  for (int d = 0; d < x->rank; d++) {
    if (gone[d] && keep) y->dim[d] = size_of(1);
    number[d] = n;
    if (gone[d] && !keep) continue;
    y->dim[n++] = y->dim[d];
  }
  if (keep) return y;
  y->rank = n;
  y->image = false;
  n = 0;
  for (int p = 0; p < x->rank; p++)
    if (!reduced[p]) y->axis[n++] = number[x->axis[p]];
  return y;
}

Val *make_alike(Im *m, const Val *like, Elem type, const char *text, Val *const *in, int n) {
  Val *v = val_view(m, like);
  v->known = NULL;
  v->squeezed = NULL;
  v->type = type;
  v->var = make_expr(m, type, 0, NULL, text, in, n)->var;
  return v;
}

// The node's axes as physical dimensions of x. False after refusing.
static bool read_axes(Im *m, const Node *node, const Val *x, bool *reduced) {
  int64_t list[MAX_RANK] = {0};
  const int64_t *given;
  int n = attribute_ints(node, "axes", &given), axis;
  if (n > MAX_RANK) return refuse(m, "it has too many axes");
  for (int k = 0; k < n; k++) list[k] = given[k];
  if (operand(node, 1) && (n = known_list(m, node->in[1], "axes", list, MAX_RANK)) < 0) return false;
  bool all = n == 0 && !attribute_int(node, "noop_with_empty_axes", 0);
  for (int p = 0; p < x->rank; p++) reduced[p] = all;
  for (int k = 0; k < n; k++) {
    if (!axis_fits(m, list[k], x->rank, &axis)) return false;
    reduced[val_place(x, axis)] = true;
  }
  return true;
}

static Val *reduce_as(Im *m, Val *x, const char *kind, const bool *reduced, bool keep) {
  if (!strcmp(kind, "L1")) return make_reduced(m, make_call(m, x, "abs", NULL), "sum", reduced, keep);
  if (!strcmp(kind, "L2")) return make_reduced(m, x, "norm", reduced, keep);
  if (!strcmp(kind, "SumSquare")) return make_reduced(m, make_call(m, x, "square", NULL), "sum", reduced, keep);
  if (!strcmp(kind, "LogSum")) return make_call(m, make_reduced(m, x, "sum", reduced, keep), "log", NULL);
  if (strcmp(kind, "LogSumExp") != 0) return make_reduced(m, x, kind, reduced, keep);
  // The greatest is taken out first, so that nothing overflows.
  Val *top = make_reduced(m, x, "max", reduced, true);
  Val *e = make_alike(m, x, ELEM_F32, "exp($0 - $1)", (Val *[]){x, top}, 2);
  Val *total = make_reduced(m, e, "sum", reduced, keep);
  if (!keep) top = make_reduced(m, top, "sum", reduced, false);
  return make_alike(m, total, ELEM_F32, "log($0) + $1", (Val *[]){total, top}, 2);
}

bool op_reduce(Im *m, Node *node, const char *kind) {
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0];
  bool reduced[MAX_RANK] = {false}, any = false;
  bool sums = !strcmp(kind, "sum") || !strcmp(kind, "max") || !strcmp(kind, "min") || !strcmp(kind, "prod");
  if (x->type == ELEM_BOOL || (!sums && !need_float(m, x))) return refuse(m, "dlc computes it for numbers only");
  if (!read_axes(m, node, x, reduced)) return false;
  for (int p = 0; p < x->rank; p++) any |= reduced[p];
  if (!any && sums) return done(node, x);
  return done(node, reduce_as(m, x, kind, reduced, attribute_int(node, "keepdims", 1) != 0));
}

// ---- positions
// ------------------------------------------------------------------------------------------------------------

Val *make_slice(Im *m, Val *x, const int64_t *start, const int64_t *step, const Size *size) {
  Text read = text_new(m->arena), where = text_new(m->arena);
  Val *y = val_view(m, x);
  for (int p = 0; p < x->rank; p++) {
    Size old = val_physical(x, p);
    const char *name = index_name(p);
    bool whole = size_equal(size[p], old) && start[p] == 0 && step[p] == 1;
    text_add(&read, p ? ", " : "");
    if (size_is_one(size[p]) && !size_is_one(old))
      text_printf(&read, "%lld", (long long)start[p]);
    else if (step[p] < 0)
      text_printf(&read, step[p] == -1 ? "%lld - %s" : "%lld - %s * %lld", (long long)start[p], name,
                  -(long long)step[p]);
    else
      text_printf(&read, step[p] == 1 ? "%s" : "%s * %lld", name, (long long)step[p]);
    if (step[p] > 0 && start[p] && !size_is_one(size[p])) text_printf(&read, " + %lld", (long long)start[p]);
    if (!whole) text_printf(&where, "%s%s in %s", where.length ? ", " : " where ", name, size_text(m, size[p]));
    y->dim[x->axis[p]] = size[p];
  }
  if (!where.length) return x;
  const char *text = text_of(m, "$0[%s]%s", read.bytes, where.bytes);
  y->var = make_formula(m, x->type, 0, NULL, index_list(m, x->rank), text, &x, 1)->var;
  y->known = NULL;
  return y;
}

static Val *reversed(Im *m, Val *x, int p) {
  int64_t start[MAX_RANK] = {0}, step[MAX_RANK];
  Size size[MAX_RANK];
  for (int d = 0; d < x->rank; d++) step[d] = 1, size[d] = val_physical(x, d);
  start[p] = size[p].scale - 1;
  step[p] = -1;
  return make_slice(m, x, start, step, size);
}

bool op_arg(Im *m, Node *node, const char *kind) {
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0];
  bool reduced[MAX_RANK] = {false}, last = attribute_int(node, "select_last_index", 0) != 0;
  int axis;
  if (!axis_fits(m, attribute_int(node, "axis", 0), x->rank, &axis)) return false;
  if (!need_float(m, x)) return false;
  if (last && x->dim[axis].batch) return refuse(m, "its axis is the batch");
  int p = val_place(x, axis);
  reduced[p] = true;
  if (last && x->dim[axis].scale > 1) x = reversed(m, x, p);
  Val *y = make_reduced(m, x, kind, reduced, attribute_int(node, "keepdims", 1) != 0);
  y->type = ELEM_I32;
  if (!last) return done(node, y);
  return done(node, make_alike(m, y, ELEM_I32, text_of(m, "%lld - $0", (long long)x->dim[axis].scale - 1), &y, 1));
}

bool op_top_k(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]);
  int64_t k = attribute_int(node, "k", 1);
  int axis;
  bool smallest = !attribute_int(node, "largest", 1);
  if (operand(node, 1) && known_list(m, node->in[1], "k", &k, 1) != 1) return refuse(m, "its k is no number");
  if (!axis_fits(m, attribute_int(node, "axis", -1), x->rank, &axis) || !need_float(m, x)) return false;
  if (x->dim[axis].batch || k < 1 || k > x->dim[axis].scale) return refuse(m, "its k does not fit the axis");
  use(m, x);
  Step *step = step_new(m, STEP_EXPR, 2, 1);
  step->refs[0] = x->var;
  step->text = text_of(m, "top_k(%s$0, %lld, axis = %d)", smallest ? "-" : "", (long long)k, axis);
  for (int r = 0; r < 2; r++) {
    node->out[r] = val_view(m, x);
    node->out[r]->known = NULL;
    node->out[r]->var = step->out[r];
    node->out[r]->dim[axis] = size_of(k);
    node->out[r]->type = r ? ELEM_I32 : ELEM_F32;
  }
  if (smallest) node->out[0] = make_pointwise(m, ELEM_F32, "-$0", &node->out[0], 1);
  return true;
}

// ---- normalising along axes
// -------------------------------------------------------------------------------------------------

// Before version 13 everything from the axis on counts as one.
static Val *as_rows(Im *m, Val *x, int axis) {
  Val before = *x, behind = *x;
  Size dim[2];
  before.rank = axis;
  behind.rank = x->rank - axis;
  for (int d = axis; d < x->rank; d++) behind.dim[d - axis] = x->dim[d];
  if (!val_elements(&before, &dim[0]) || !val_elements(&behind, &dim[1])) return NULL;
  return val_reshaped(m, x, 2, dim);
}

bool op_softmax(Im *m, Node *node, const char *kind) {
  Val *x = node->in[0];
  int axis;
  if (!axis_fits(m, attribute_int(node, "axis", m->opset < 13 ? 1 : -1), x->rank, &axis) || !need_float(m, x))
    return false;
  bool rows = m->opset < 13 && axis != x->rank - 1;
  if (x->image_of) x = val_plain(m, x);
  if (rows) {
    Val *flat = as_rows(m, x, axis);
    if (!flat) return refuse(m, "its sizes are too large");
    return done(node, val_reshaped(m, make_call(m, flat, kind, NULL), x->rank, x->dim));
  }
  int p = val_place(x, axis);
  return done(node, make_call(m, x, kind, p == x->rank - 1 ? NULL : text_of(m, "axis = %d", p)));
}

bool op_hardmax(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *whole = val_plain(m, node->in[0]), *x = whole;
  int axis;
  bool reduced[MAX_RANK] = {false};
  if (!axis_fits(m, attribute_int(node, "axis", m->opset < 13 ? 1 : -1), x->rank, &axis) || !need_float(m, x))
    return false;
  if (m->opset < 13 && axis != x->rank - 1) {
    if (!(x = as_rows(m, x, axis))) return refuse(m, "its sizes are too large");
    axis = 1;
  }
  reduced[axis] = true;
  Val *top = make_reduced(m, x, "argmax", reduced, false);
  Text index = text_new(m->arena);
  for (int d = 0, n = 0; d < x->rank; d++)
    if (d != axis) text_printf(&index, "%s%s", n++ ? ", " : "", index_name(d));
  const char *read = top->rank ? text_of(m, "$0[%s]", index.bytes) : "$0";
  const char *text =
      text_of(m, "f32(%s == %s) where %s in %s", read, index_name(axis), index_name(axis), size_text(m, x->dim[axis]));
  Val *y = make_formula(m, ELEM_F32, x->rank, x->dim, index_list(m, x->rank), text, &top, 1);
  return done(node, val_reshaped(m, y, whole->rank, whole->dim));
}

bool op_cumsum(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]);
  int64_t given;
  int axis;
  if (x->type == ELEM_BOOL) return refuse(m, "dlc computes it for numbers only");
  if (known_list(m, node->in[1], "axis", &given, 1) != 1 || !axis_fits(m, given, x->rank, &axis))
    return refuse(m, "its axis is no number");
  bool without = attribute_int(node, "exclusive", 0) != 0, back = attribute_int(node, "reverse", 0) != 0;
  Text read = text_new(m->arena);
  for (int d = 0; d < x->rank; d++) text_printf(&read, "%s%s", d ? ", " : "", d == axis ? "v" : index_name(d));
  const char *text = text_of(m, "sum(v) where(v %s%s %s, $0[%s], %s) where %s in %s", back ? ">" : "<",
                             without ? "" : "=", index_name(axis), read.bytes, x->type == ELEM_F32 ? "0.0" : "0",
                             index_name(axis), size_text(m, x->dim[axis]));
  return done(node, make_formula(m, x->type, x->rank, x->dim, index_list(m, x->rank), text, &x, 1));
}

// ---- norms
// ----------------------------------------------------------------------------------------------------------------

// (x - mean) / sqrt(var + eps) over physical dimensions; what it divides by, and the mean, for those who want them.
static Val *normalised(Im *m, Val *x, const bool *reduced, double eps, Val **mean, Val **scale) {
  *mean = make_reduced(m, x, "mean", reduced, true);
  Val *d = make_alike(m, x, ELEM_F32, "$0 - $1", (Val *[]){x, *mean}, 2);
  Val *v = make_reduced(m, make_call(m, d, "square", NULL), "mean", reduced, true);
  *scale = make_alike(m, v, ELEM_F32, text_of(m, "rsqrt($0 + %s)", float_text(m, eps)), &v, 1);
  return make_alike(m, x, ELEM_F32, "$0 * $1", (Val *[]){d, *scale}, 2);
}

bool op_instance_norm(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_last(m, node->in[0]), *mean, *scale;
  bool reduced[MAX_RANK] = {false};
  if (!need_float(m, x) || x->rank < 3) return refuse(m, "its input has no places to take the mean over");
  for (int p = 1; p < x->rank - 1; p++) reduced[p] = true;
  Val *y = normalised(m, x, reduced, (double)attribute_float(node, "epsilon", 1e-5f), &mean, &scale);
  return done(node, make_alike(m, y, ELEM_F32, "$0 * $1 + $2", (Val *[]){y, node->in[1], node->in[2]}, 3));
}

bool op_mean_variance_norm(Im *m, Node *node, const char *kind) {
  (void)kind;
  const int64_t *axes, otherwise[] = {0, 2, 3};
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0], *mean, *scale;
  int n = attribute_ints(node, "axes", &axes), axis;
  bool reduced[MAX_RANK] = {false};
  if (!n) n = 3, axes = otherwise;
  for (int k = 0; k < n; k++) {
    if (!axis_fits(m, axes[k], x->rank, &axis)) return false;
    reduced[val_place(x, axis)] = true;
  }
  if (!need_float(m, x)) return false;
  return done(node, normalised(m, x, reduced, 1e-9, &mean, &scale));
}

// layer_norm where it is one: over the last axis, with weights of its own.
static bool layer_norm_layer(Im *m, Node *node, Val *x, int axis) {
  Val *gamma = node->in[1], *beta = operand(node, 2);
  if (axis != x->rank - 1 || x->rank < 2 || x->dim[axis].batch || wants(node, 1) || wants(node, 2)) return false;
  if (!gamma->known || gamma->rank != 1 || (beta && (!beta->known || beta->rank != 1))) return false;
  float eps = attribute_float(node, "epsilon", 1e-5f);
  Val *y = make_call(m, x, "layer_norm", eps == 1e-5f ? NULL : text_of(m, "eps = %s", float_argument(m, (double)eps)));
  step_tensor(m, y, gamma->known, false);
  step_tensor(m, y, beta ? beta->known : known_new(m, ELEM_F32, 1, gamma->known->dim), false);
  return done(node, y);
}

bool op_layer_norm(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *beta = operand(node, 2), *mean, *scale;
  bool reduced[MAX_RANK] = {false};
  int axis;
  if (!axis_fits(m, attribute_int(node, "axis", -1), x->rank, &axis) || !need_float(m, x)) return false;
  if (layer_norm_layer(m, node, x, axis)) return true;
  for (int d = axis; d < x->rank; d++) reduced[d] = true;
  Val *y = normalised(m, x, reduced, (double)attribute_float(node, "epsilon", 1e-5f), &mean, &scale);
  y = make_pointwise(m, ELEM_F32, beta ? "$0 * $1 + $2" : "$0 * $1", (Val *[]){y, node->in[1], beta}, beta ? 3 : 2);
  if (wants(node, 1)) node->out[1] = mean;
  if (wants(node, 2)) node->out[2] = scale;
  return done(node, y);
}

bool op_group_norm(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *mean, *scale;
  int64_t groups = attribute_int(node, "num_groups", 0);
  bool reduced[MAX_RANK] = {false, false, true};
  if (!need_float(m, x) || x->rank < 3 || groups < 1 || x->dim[1].scale % groups)
    return refuse(m, "its channels do not divide into its groups");
  Val rest = *x;
  Size count;
  rest.dim[0] = size_of(1);
  if (!val_elements(&rest, &count) || count.batch) return refuse(m, "its sizes are not known");
  Val *rows = val_reshaped(m, x, 3, (Size[]){x->dim[0], size_of(groups), size_of(count.scale / groups)});
  Val *y = normalised(m, rows, reduced, (double)attribute_float(node, "epsilon", 1e-5f), &mean, &scale);
  Size each[MAX_RANK] = {m->opset < 21 ? size_of(groups) : x->dim[1]};
  for (int d = 1; d < x->rank - 1; d++) each[d] = size_of(1);
  if (m->opset < 21) {  // a scale for each group
    Val *in[3] = {y, val_reshaped(m, node->in[1], 2, each),
                  val_reshaped(m, node->in[2], 2, (Size[]){each[0], size_of(1)})};
    y = make_pointwise(m, ELEM_F32, "$0 * $1 + $2", in, 3);
    return done(node, y ? val_reshaped(m, y, x->rank, x->dim) : NULL);
  }
  y = val_reshaped(m, y, x->rank, x->dim);
  Val *in[3] = {y, val_reshaped(m, node->in[1], x->rank - 1, each), val_reshaped(m, node->in[2], x->rank - 1, each)};
  return done(node, make_pointwise(m, ELEM_F32, "$0 * $1 + $2", in, 3));
}
