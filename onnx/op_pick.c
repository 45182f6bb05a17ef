// Operators that pick elements by numbers: gathers, scatters, tables, resizing.
#include <math.h>
#include <string.h>

#include "operators.h"

Val *known_numbers(Im *m, const int64_t *list, int64_t n) {
  Known *k = known_new(m, ELEM_I32, 1, &n);
  for (int64_t i = 0; i < n; i++) ((int64_t *)k->i)[i] = list[i];
  return val_of_known(m, k);
}

Val *make_picked(Im *m, Val *x, int p, const int64_t *table, int64_t n) {
  Text read = text_new(m->arena);
  Val *y = val_view(m, x), *in[2] = {x, known_numbers(m, table, n)};
  for (int d = 0; d < x->rank; d++) text_printf(&read, d == p ? "%s$1[%s]" : "%s%s", d ? ", " : "", index_name(d));
  y->var = make_formula(m, x->type, 0, NULL, index_list(m, x->rank), text_of(m, "$0[%s]", read.bytes), in, 2)->var;
  y->known = NULL;
  y->squeezed = NULL;
  y->dim[x->axis[p]] = size_of(n);
  return y;
}

// Whole numbers from 0 on: negative ones count from the end.
static Val *positions(Im *m, Val *index, int64_t size) {
  if (!index->known || index->var) {
    const char *text = text_of(m, "where($0 < 0, $0 + %lld, $0)", (long long)size);
    return make_pointwise(m, ELEM_I32, text, &index, 1);
  }
  Known *k = known_new(m, ELEM_I32, index->rank, index->known->dim);
  for (int64_t n = 0; n < k->count; n++) {
    int64_t at = index->known->i[n];
    ((int64_t *)k->i)[n] = at < 0 ? at + size : at;
  }
  return val_of_known(m, k);
}

static bool index_fits(Im *m, const Val *index) {
  return index->type == ELEM_I32 || refuse(m, "its indices are no whole numbers");
}

bool op_gather(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *index = val_plain(m, node->in[1]);
  int axis, rank = x->rank + index->rank - 1;
  double at;
  if (!axis_fits(m, attribute_int(node, "axis", 0), x->rank, &axis) || !index_fits(m, index)) return false;
  if (x->dim[axis].batch || rank > MAX_RANK) return refuse(m, "it picks from the batch, or has too many dimensions");
  index = positions(m, index, x->dim[axis].scale);
  bool fixed = known_scalar(index, &at) && index->rank == 0;
  if (fixed && (at < 0 || at >= (double)x->dim[axis].scale)) return refuse(m, "its index is outside of its input");
  Size dim[MAX_RANK];
  Text read = text_new(m->arena), inner = text_new(m->arena);
  for (int d = 0; d < index->rank; d++) text_printf(&inner, "%s%s", d ? ", " : "", index_name(axis + d));
  int out = 0;
  for (int d = 0; d < x->rank; d++) {
    text_add(&read, d ? ", " : "");
    if (d == axis) {
      text_add(&read, fixed         ? text_of(m, "%lld", (long long)at)
                      : index->rank ? text_of(m, "$1[%s]", inner.bytes)
                                    : "$1");
      for (int k = 0; k < index->rank; k++) dim[out++] = index->dim[k];
      continue;
    }
    text_add(&read, index_name(out));
    dim[out++] = x->dim[d];
  }
  if (!fixed && !index->rank) {  // a single number from the data
    index = val_reshaped(m, index, 1, (Size[]){size_of(1)});
    const char *name = rank == 0 ? NULL : index_list(m, rank);
    if (!name) return refuse(m, "its result is a single number");
    Text again = text_new(m->arena);
    for (const char *c = read.bytes; *c; c++) {
      text_add_n(&again, c, 1);
      if (c > read.bytes && c[-1] == '$') text_add(&again, "[0]");
    }
    return done(node,
                make_formula(m, x->type, rank, dim, name, text_of(m, "$0[%s]", again.bytes), (Val *[]){x, index}, 2));
  }
  Val *in[2] = {x, index};
  const char *text = text_of(m, "$0[%s]", read.bytes);
  if (rank == 0) {
    Val *one = make_formula(m, x->type, 1, (Size[]){size_of(1)}, "i",
                            text_of(m, "$0[i + %lld] where i in 1", (long long)at), in, 1);
    return done(node, val_reshaped(m, one, 0, NULL));
  }
  return done(node, make_formula(m, x->type, rank, dim, index_list(m, rank), text, in, fixed ? 1 : 2));
}

static const char *zero_of(const Val *v) { return v->type == ELEM_F32 ? "0.0" : "0"; }

// "i, j, k" with the index of one dimension by another name.
static const char *indices_but(Im *m, int rank, int axis, const char *other) {
  Text text = text_new(m->arena);
  for (int d = 0; d < rank; d++) text_printf(&text, "%s%s", d ? ", " : "", d == axis ? other : index_name(d));
  return text.bytes;
}

bool op_gather_elements(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *index = val_plain(m, node->in[1]);
  int axis;
  if (!axis_fits(m, attribute_int(node, "axis", 0), x->rank, &axis) || !index_fits(m, index)) return false;
  if (index->rank != x->rank || x->dim[axis].batch || x->type == ELEM_BOOL)
    return refuse(m, "its indices do not fit its input");
  index = positions(m, index, x->dim[axis].scale);
  Text where = text_new(m->arena);
  for (int d = 0; d < x->rank; d++) {
    if (d != axis && !size_equal(x->dim[d], index->dim[d]) && (x->dim[d].batch || index->dim[d].batch))
      return refuse(m, "its indices do not fit its input");
    text_printf(&where, "%s%s in %s", d ? ", " : "", index_name(d), size_text(m, index->dim[d]));
  }
  const char *text = text_of(m, "sum(v) where($1[%s] == v, $0[%s], %s) where %s, v in %s", index_list(m, x->rank),
                             indices_but(m, x->rank, axis, "v"), zero_of(x), where.bytes, size_text(m, x->dim[axis]));
  return done(node,
              make_formula(m, x->type, x->rank, index->dim, index_list(m, x->rank), text, (Val *[]){x, index}, 2));
}

// ---- GatherND and ScatterND: rows of indices
// ------------------------------------------------------------------------------------

// The indices [.., K] as a flat position over the first K dimensions of x, [..].
static Val *flat_position(Im *m, Val *x, Val *index, int k) {
  Text text = text_new(m->arena);
  Size dim[MAX_RANK];
  int rank = index->rank - 1;
  for (int d = 0; d < rank; d++) dim[d] = index->dim[d];
  const char *lead = index_list(m, rank);
  for (int d = 0; d < k; d++) {
    int64_t stride = 1;
    for (int e = d + 1; e < k; e++) stride *= x->dim[e].scale;
    const char *at = text_of(m, rank ? "$0[%s, %d]" : "$0[%s%d]", lead, d);
    text_printf(&text, "%swhere(%s < 0, %s + %lld, %s) * %lld", d ? " + " : "", at, at, (long long)x->dim[d].scale, at,
                (long long)stride);
  }
  return make_formula(m, ELEM_I32, rank, dim, lead, text.bytes, &index, 1);
}

// x [d0 .. dk-1, rest..] as [d0 * .. * dk-1, rest..].
static Val *joined(Im *m, Val *x, int k, int64_t *rows) {
  Size dim[MAX_RANK];
  int n = 0;
  *rows = 1;
  for (int d = 0; d < k; d++) *rows *= x->dim[d].scale;
  dim[n++] = size_of(*rows);
  for (int d = k; d < x->rank; d++) dim[n++] = x->dim[d];
  return val_reshaped(m, x, n, dim);
}

static bool rows_fit(Im *m, const Val *x, const Val *index, int *k) {
  if (!index->rank || !index_fits(m, index)) return refuse(m, "its indices do not fit its input");
  Size last = index->dim[index->rank - 1];
  *k = (int)last.scale;
  bool fits = !last.batch && last.scale >= 1 && last.scale <= x->rank && index->rank >= 2;
  return (fits && val_static(x) && val_static(index)) || refuse(m, "its indices do not fit its input");
}

bool op_gather_nd(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *index = val_plain(m, node->in[1]);
  int k, rank = 0;
  int64_t rows;
  if (attribute_int(node, "batch_dims", 0)) return refuse(m, "dlc does not have its batch_dims");
  if (!rows_fit(m, x, index, &k) || index->rank - 1 + x->rank - k > MAX_RANK || x->type == ELEM_BOOL)
    return refuse(m, "its indices do not fit its input");
  Val *at = flat_position(m, x, index, k), *flat = joined(m, x, k, &rows);
  Size dim[MAX_RANK];
  for (int d = 0; d < at->rank; d++) dim[rank++] = at->dim[d];
  Text read = text_new(m->arena);
  text_printf(&read, "$1[%s]", index_list(m, at->rank));
  for (int d = k; d < x->rank; d++) {
    text_printf(&read, ", %s", index_name(rank));
    dim[rank++] = x->dim[d];
  }
  const char *text = text_of(m, "$0[%s]", read.bytes);
  return done(node, make_formula(m, x->type, rank, dim, index_list(m, rank), text, (Val *[]){flat, at}, 2));
}

// How an update meets what is there: a formula's reduction and the operator.
static bool reduction_of(Im *m, const Node *node, const char **combine, const char **neutral, const char **op) {
  const char *how = attribute_text(m, node, "reduction", "none");
  *combine = "sum";
  *neutral = "0.0";
  *op = NULL;
  if (!strcmp(how, "none")) return true;
  if (!strcmp(how, "add")) return *op = "+", true;
  if (!strcmp(how, "mul")) return *combine = "prod", *neutral = "1.0", *op = "*", true;
  return refuse(m, "dlc does not have its reduction");
}

// y[i] = x[i], or with the updates u whose position is i. `at` and `u` are read with `key`, u over the summed index
// too.
static Val *scattered(Im *m, const Node *node, Val *x, Val *at, Val *u, const char *out, const char *key,
                      const char *read, const char *sums, const char *hit, const char *where) {
  const char *combine, *neutral, *op;
  if (!reduction_of(m, node, &combine, &neutral, &op)) return NULL;
  const char *sum = text_of(m, "%s(%s) where($1[%s] == %s, $2[%s], %s)", combine, sums, key, hit, read, neutral);
  Val *in[3] = {x, at, u};
  if (op)
    return make_formula(m, x->type, x->rank, x->dim, out, text_of(m, "$0[%s] %s (%s)%s", out, op, sum, where), in, 3);
  const char *seen = text_of(m, "sum(%s) f32($0[%s] == %s)%s", sums, key, hit, where);
  Val *count = make_formula(m, ELEM_F32, x->rank, x->dim, out, seen, &at, 1);
  Val *all[4] = {x, at, u, count};
  return make_formula(m, x->type, x->rank, x->dim, out,
                      text_of(m, "where($3[%s] > 0.0, 0.0, $0[%s]) + (%s)%s", out, out, sum, where), all, 4);
}

bool op_scatter_elements(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *index = val_plain(m, node->in[1]), *u = val_plain(m, node->in[2]);
  int axis;
  if (!axis_fits(m, attribute_int(node, "axis", 0), x->rank, &axis) || !index_fits(m, index) || !need_float(m, x))
    return false;
  bool fits = index->rank == x->rank && u->rank == x->rank && val_static(x) && val_static(index) && u->type == ELEM_F32;
  if (!fits) return refuse(m, "its indices do not fit its input");
  index = positions(m, index, x->dim[axis].scale);
  Text where = text_new(m->arena);
  for (int d = 0; d < x->rank; d++)
    text_printf(&where, "%s%s in %lld", d ? ", " : " where ", index_name(d), (long long)x->dim[d].scale);
  for (int d = 0; d < x->rank; d++)
    if (d != axis && !size_equal(index->dim[d], x->dim[d])) {  // elsewhere nothing is written: no index is -1
      const char *pad =
          text_of(m, "where(%s < %lld, $0[%s], -1) where %s in %lld", index_name(d), (long long)index->dim[d].scale,
                  index_list(m, x->rank), index_name(d), (long long)x->dim[d].scale);
      Size dim[MAX_RANK];
      for (int e = 0; e < x->rank; e++) dim[e] = e == d ? x->dim[d] : index->dim[e];
      index = make_formula(m, ELEM_I32, x->rank, dim, index_list(m, x->rank), pad, &index, 1);
      u = make_formula(
          m, ELEM_F32, x->rank, dim, index_list(m, x->rank),
          text_of(m, "$0[%s] where %s in %lld", index_list(m, x->rank), index_name(d), (long long)x->dim[d].scale), &u,
          1);
    }
  text_printf(&where, ", v in %lld", (long long)index->dim[axis].scale);
  const char *key = indices_but(m, x->rank, axis, "v");
  return done(node,
              scattered(m, node, x, index, u, index_list(m, x->rank), key, key, "v", index_name(axis), where.bytes));
}

bool op_scatter_nd(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]), *index = val_plain(m, node->in[1]), *u = val_plain(m, node->in[2]);
  int k;
  int64_t rows, count = 1, last;
  if (!rows_fit(m, x, index, &k) || !need_float(m, x) || u->type != ELEM_F32 ||
      u->rank != index->rank - 1 + x->rank - k)
    return refuse(m, "its indices do not fit its input");
  for (int d = 0; d < index->rank - 1; d++) count *= index->dim[d].scale;
  last = k;
  index = val_reshaped(m, index, 2, (Size[]){size_of(count), size_of(last)});
  Val *at = flat_position(m, x, index, k), *flat = joined(m, x, k, &rows);
  Size dim[MAX_RANK] = {size_of(count)};
  Text read = text_new(m->arena), where = text_new(m->arena);
  text_add(&read, "v");
  text_printf(&where, " where i in %lld, v in %lld", (long long)rows, (long long)count);
  for (int d = 1; d < flat->rank; d++) {
    dim[d] = flat->dim[d];
    text_printf(&read, ", %s", index_name(d));
    text_printf(&where, ", %s in %lld", index_name(d), (long long)flat->dim[d].scale);
  }
  u = val_reshaped(m, u, flat->rank, dim);
  Val *y = scattered(m, node, flat, at, u, index_list(m, flat->rank), "v", read.bytes, "v", "i", where.bytes);
  return done(node, y ? val_reshaped(m, y, x->rank, x->dim) : NULL);
}

// ---- tables
// -----------------------------------------------------------------------------------------------------------------

bool op_one_hot(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *index = val_plain(m, node->in[0]), *values = val_plain(m, node->in[2]);
  int64_t depth;
  int axis, rank = index->rank + 1;
  if (known_list(m, node->in[1], "depth", &depth, 1) != 1 || depth < 1 || depth > INT32_MAX || rank > MAX_RANK)
    return refuse(m, "its depth is no size");
  if (!axis_fits(m, attribute_int(node, "axis", -1), rank, &axis)) return false;
  if (values->rank != 1 || values->dim[0].scale != 2 || values->type == ELEM_BOOL)
    return refuse(m, "its values are no pair");
  if (index->type == ELEM_F32) index = make_converted(m, index, ELEM_I32);
  index = positions(m, index, depth);
  Size dim[MAX_RANK];
  Text read = text_new(m->arena);
  for (int d = 0, n = 0; d < rank; d++) {
    dim[d] = d == axis ? size_of(depth) : index->dim[n];
    if (d != axis) text_printf(&read, "%s%s", n++ ? ", " : "", index_name(d));
  }
  const char *at = index->rank ? text_of(m, "$0[%s]", read.bytes) : "$0";
  const char *text = text_of(m, "where(%s == %s, $1[1], $1[0]) where %s in %lld", at, index_name(axis),
                             index_name(axis), (long long)depth);
  return done(node, make_formula(m, values->type, rank, dim, index_list(m, rank), text, (Val *[]){index, values}, 2));
}

bool op_eye_like(Im *m, Node *node, const char *kind) {
  (void)kind;
  const Val *x = node->in[0];
  int64_t k = attribute_int(node, "k", 0);
  Elem type = x->type;
  const Onnx__AttributeProto *a = attribute(node, "dtype");
  if (a && (!elem_of((int32_t)a->i, &type) || is_double(a->i))) return refuse(m, "dlc has no such type");
  if (x->rank != 2 || !val_static(x) || type == ELEM_BOOL || k < -INT32_MAX || k > INT32_MAX)
    return refuse(m, "its input is no matrix of known size");
  const char *text = text_of(m, "%s(i + %lld == j) where i in %lld, j in %lld", elem_name(type), (long long)k,
                             (long long)x->dim[0].scale, (long long)x->dim[1].scale);
  return done(node, make_formula(m, type, 2, x->dim, "i, j", text, NULL, 0));
}

bool op_trilu(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]);
  int64_t k = 0;
  bool upper = attribute_int(node, "upper", 1) != 0;
  if (operand(node, 1) && known_list(m, node->in[1], "k", &k, 1) != 1) return refuse(m, "its k is no number");
  if (x->rank < 2 || x->type == ELEM_BOOL || k < -INT32_MAX || k > INT32_MAX)
    return refuse(m, "its input is no matrix");
  const char *row = index_name(x->rank - 2), *column = index_name(x->rank - 1);
  const char *text = text_of(m, "where(%s - %s %s %lld, $0[%s], %s)", column, row, upper ? ">=" : "<=", (long long)k,
                             index_list(m, x->rank), zero_of(x));
  return done(node, make_formula(m, x->type, x->rank, x->dim, index_list(m, x->rank), text, &x, 1));
}

// ---- resizing
// ---------------------------------------------------------------------------------------------------------------

typedef struct Axis {  // of a resized image
  int64_t in, out;
  double scale;
  double from, to;  // of the input, as shares: what is cropped
  const char *coordinates;
} Axis;

// Where the result's pixel k lies in the input.
static double source_of(const Axis *a, int64_t k) {
  double x = (double)k;
  if (!strcmp(a->coordinates, "align_corners"))
    return a->out == 1 ? 0 : x * (double)(a->in - 1) / ((double)a->in * a->scale - 1);
  if (!strcmp(a->coordinates, "tf_crop_and_resize")) {
    double last = (double)(a->in - 1);
    return a->out == 1 ? 0.5 * (a->from + a->to) * last
                       : a->from * last + x * (a->to - a->from) * last / (double)(a->out - 1);
  }
  if (!strcmp(a->coordinates, "asymmetric")) return x / a->scale;
  if (!strcmp(a->coordinates, "pytorch_half_pixel") && a->out == 1) return 0;
  if (!strcmp(a->coordinates, "tf_half_pixel_for_nn")) return (x + 0.5) / a->scale;
  if (!strcmp(a->coordinates, "half_pixel_symmetric")) {
    double adjust = (double)a->out / (a->scale * (double)a->in), centre = (double)a->in / 2;
    return centre * (1 - adjust) + (x + 0.5) / a->scale - 0.5;
  }
  return (x + 0.5) / a->scale - 0.5;
}

static int64_t nearest_of(const char *mode, double x, int64_t size) {
  double at = !strcmp(mode, "floor")               ? floor(x)
              : !strcmp(mode, "ceil")              ? ceil(x)
              : !strcmp(mode, "round_prefer_ceil") ? floor(x + 0.5)
                                                   : ceil(x - 0.5);
  return at < 0 ? 0 : at >= (double)size ? size - 1 : (int64_t)at;
}

static void add_weight(float *row, int64_t size, int64_t at, double weight) {
  row[at < 0 ? 0 : at >= size ? size - 1 : at] += (float)weight;
}

static double cubic_weight(double d, double a) {
  d = fabs(d);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// How much of each pixel along an axis goes into each of the result: [out, in].
static Known *resize_weights(Im *m, const Axis *a, bool cubic, double coefficient, bool exclude) {
  Known *k = known_new(m, ELEM_F32, 2, (int64_t[]){a->out, a->in});
  for (int64_t i = 0; i < a->out; i++) {
    float *row = (float *)k->f + i * a->in;
    double x = source_of(a, i), base = floor(x), part = x - base, total = 0;
    int64_t at = (int64_t)base;
    if (!cubic) {
      if (x < 0) at = 0, part = 0;
      add_weight(row, a->in, at, 1 - part);
      add_weight(row, a->in, at + 1, part);
      continue;
    }
    for (int64_t o = -1; o <= 2; o++) {
      double w = cubic_weight(part - (double)o, coefficient);
      bool outside = at + o < 0 || at + o >= a->in;
      if (exclude && outside) continue;
      total += w;
      add_weight(row, a->in, at + o, w);
    }
    for (int64_t j = 0; exclude && total != 0 && j < a->in; j++) row[j] = (float)((double)row[j] / total);
  }
  return k;
}

// The sizes and scales of all logical dimensions.
static bool read_resize(Im *m, const Node *node, const Val *x, Axis *axes) {
  bool old = m->opset < 11;
  Val *scales = operand(node, old ? 1 : 2), *sizes = old ? NULL : operand(node, 3);
  const char *coordinates =
      attribute_text(m, node, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  int64_t list[MAX_RANK];
  const Onnx__AttributeProto *given = attribute(node, "scales");
  bool sized = sizes && (!sizes->known || sizes->known->count > 0);
  if (attribute(node, "axes") || attribute(node, "antialias") || attribute(node, "keep_aspect_ratio_policy"))
    if (attribute(node, "axes") || attribute_int(node, "antialias", 0))
      return refuse(m, "dlc does not have its axes or antialias");
  bool crops = !strcmp(coordinates, "tf_crop_and_resize");
  const Known *roi = crops && operand(node, 1) ? node->in[1]->known : NULL;
  if (crops && !roi)
    return operand(node, 1) ? (known_list(m, node->in[1], "roi", list, 0), false) : refuse(m, "its roi is missing");
  if (crops && (!roi->f || roi->count != 2 * x->rank)) return refuse(m, "its roi does not fit its input");
  if (sized && known_list(m, sizes, "sizes", list, MAX_RANK) != x->rank)
    return refuse(m, "its sizes do not fit its input");
  if (!sized && scales && known_list(m, scales, "scales", list, MAX_RANK) != x->rank)
    return refuse(m, "its scales do not fit its input");
  if (!sized && !scales && (!given || (int)given->n_floats != x->rank)) return refuse(m, "it has no scales");
  if (!sized && scales && !scales->known->f) return refuse(m, "its scales do not fit its input");
  for (int d = 0; d < x->rank; d++) {
    Axis *a = &axes[d];
    double scale = sized ? 0 : (double)(scales ? scales->known->f[d] : given->floats[d]);
    *a = (Axis){.in = x->dim[d].scale, .coordinates = coordinates};
    if (x->dim[d].batch && (sized || scale != 1)) return refuse(m, "it resizes the batch");
    double out = sized ? (double)list[d] : floor((double)a->in * scale + 1e-6);
    if (!(out >= 1 && out <= 1 << 20)) return refuse(m, "its result has no such size");
    a->out = (int64_t)out;
    a->scale = sized ? out / (double)a->in : scale;
    if (crops) a->from = (double)roi->f[d], a->to = (double)roi->f[d + x->rank];
  }
  return true;
}

// What stands where a cropped image reaches out of the input: [out], or NULL where it does not.
static Known *resize_outside(Im *m, const Axis *a, double value) {
  bool any = false;
  Known *k = known_new(m, ELEM_F32, 1, &a->out);
  for (int64_t i = 0; i < a->out && a->to > 0; i++) {
    double x = source_of(a, i);
    bool outside = x < 0 || x > (double)(a->in - 1);
    any |= outside;
    ((float *)k->f)[i] = outside ? (float)value : 0;
  }
  return any ? k : NULL;
}

static Val *weighted(Im *m, Val *x, int p, Known *weights, Known *outside) {
  Val *in[3] = {x, val_of_known(m, weights), outside ? val_of_known(m, outside) : NULL}, *y = val_view(m, x);
  Text read = text_new(m->arena);
  for (int d = 0; d < x->rank; d++) text_printf(&read, "%s%s", d ? ", " : "", d == p ? "v" : index_name(d));
  const char *text = text_of(m, outside ? "(sum(v) $1[%s, v] * $0[%s]) + $2[%s]" : "sum(v) $1[%s, v] * $0[%s]",
                             index_name(p), read.bytes, index_name(p));
  y->var = make_formula(m, ELEM_F32, 0, NULL, index_list(m, x->rank), text, in, outside ? 3 : 2)->var;
  y->known = NULL;
  y->squeezed = NULL;
  y->dim[x->axis[p]] = size_of(weights->dim[0]);
  return y;
}

// upsample by whole factors, where that is what is asked for.
static Val *upsampled(Im *m, Val *x, const Axis *axes, const char *how) {
  int64_t f[2] = {axes[2].out / axes[2].in, axes[3].out / axes[3].in};
  const char *args = text_of(m, "%s%s", numbers_text(m, f, 2), !strcmp(how, "nearest") ? "" : ", bilinear");
  Val *y = val_view(m, val_last(m, x));
  y->var = make_call(m, y, "upsample", args)->var;
  y->known = NULL;
  y->squeezed = NULL;
  for (int d = 2; d < 4; d++) y->dim[d] = size_of(axes[d].out);
  return y;
}

static bool is_whole(const Val *x, const Axis *axes) {
  if (x->rank != 4 || axes[0].out != axes[0].in || axes[1].out != axes[1].in) return false;
  for (int d = 2; d < 4; d++)
    if (axes[d].out % axes[d].in || axes[d].scale != (double)(axes[d].out / axes[d].in)) return false;
  return true;
}

static Val *resize_nearest(Im *m, const Node *node, Val *x, const Axis *axes) {
  const char *mode = attribute_text(m, node, "nearest_mode", m->opset < 11 ? "floor" : "round_prefer_floor");
  bool blocks = is_whole(x, axes);
  int64_t *table[MAX_RANK];
  for (int d = 0; d < x->rank; d++) {
    table[d] = arena_array(m->arena, (size_t)axes[d].out, sizeof **table);
    for (int64_t k = 0; k < axes[d].out; k++) {
      table[d][k] = nearest_of(mode, source_of(&axes[d], k), axes[d].in);
      blocks = blocks && table[d][k] == k / (axes[d].out / axes[d].in);
    }
  }
  if (blocks) return upsampled(m, x, axes, "nearest");
  for (int d = 0; d < x->rank; d++)
    if (!x->dim[d].batch && (axes[d].out != axes[d].in || axes[d].scale != 1 || axes[d].to > 0))
      x = make_picked(m, x, val_place(x, d), table[d], axes[d].out);
  return x;
}

bool op_resize(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0];
  Axis axes[MAX_RANK];
  const char *mode = attribute_text(m, node, "mode", "nearest");
  if (!need_float(m, x) || !read_resize(m, node, x, axes)) return false;
  if (!strcmp(mode, "nearest")) return done(node, resize_nearest(m, node, x, axes));
  bool cubic = !strcmp(mode, "cubic"), exclude = attribute_int(node, "exclude_outside", 0) != 0;
  if (!cubic && strcmp(mode, "linear") != 0 && strcmp(mode, "bilinear") != 0)
    return refuse(m, "dlc does not have its mode");
  if (!cubic && is_whole(x, axes) && !strcmp(axes[2].coordinates, "half_pixel"))
    return done(node, upsampled(m, x, axes, "bilinear"));
  for (int d = 0; d < x->rank; d++) {
    if (x->dim[d].batch || (axes[d].out == axes[d].in && axes[d].scale == 1 && axes[d].to == 0)) continue;
    if (axes[d].in * axes[d].out > MOST_FOLDED * 16) return refuse(m, "its image is too large");
    double a = (double)attribute_float(node, "cubic_coeff_a", -0.75f);
    double value = (double)attribute_float(node, "extrapolation_value", 0);
    Known *outside = resize_outside(m, &axes[d], value), *weights = resize_weights(m, &axes[d], cubic, a, exclude);
    for (int64_t k = 0; outside && k < weights->count; k++)
      if (source_of(&axes[d], k / axes[d].in) < 0 || source_of(&axes[d], k / axes[d].in) > (double)(axes[d].in - 1))
        ((float *)weights->f)[k] = 0;
    x = weighted(m, x, val_place(x, d), weights, outside);
  }
  return done(node, x);
}
