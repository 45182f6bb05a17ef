// Convolutions, pools and what goes with them: images are channels last here.
//
// What the library has becomes its layer, with the weights turned; what it lacks becomes a formula.
#include <stdlib.h>
#include <string.h>

#include "operators.h"

enum { MAX_SPACE = 3 };

// A window over the places of an image, in the model's order of directions.
typedef struct Window {
  int n;  // directions
  int64_t in[MAX_SPACE], out[MAX_SPACE], k[MAX_SPACE], stride[MAX_SPACE], dilation[MAX_SPACE];
  int64_t begin[MAX_SPACE], end[MAX_SPACE];  // padding
  bool same;                                 // padded as `same` does
  bool ceil;
} Window;

static bool read_list(Im *m, const Node *node, const char *name, int n, int64_t least, int64_t otherwise, int64_t *to) {
  const int64_t *given;
  int count = attribute_ints(node, name, &given);
  if (count && count != n) return refuse(m, "its %s has %d numbers, not %d", name, count, n);
  for (int d = 0; d < n; d++) {
    to[d] = count ? given[d] : otherwise;
    if (to[d] < least || to[d] > INT32_MAX) return refuse(m, "its %s has the number %lld", name, (long long)to[d]);
  }
  return true;
}

static int64_t reach(const Window *w, int d) { return w->dilation[d] * (w->k[d] - 1) + 1; }

// SAME: ceil(in / stride) outputs; the odd pixel of padding at the end, or with SAME_LOWER at the beginning.
static void pad_same(Window *w, bool lower) {
  w->same = !lower;
  for (int d = 0; d < w->n; d++) {
    int64_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
    int64_t total = (out - 1) * w->stride[d] + reach(w, d) - w->in[d];
    if (total < 0) total = 0;
    w->begin[d] = lower ? (total + 1) / 2 : total / 2;
    w->end[d] = total - w->begin[d];
  }
}

static bool count_places(Im *m, Window *w) {
  for (int d = 0; d < w->n; d++) {
    int64_t padded = w->in[d] + w->begin[d] + w->end[d], free = padded - reach(w, d);
    if (free < 0) return refuse(m, "its window is larger than its input");
    w->out[d] = (free + (w->ceil ? w->stride[d] - 1 : 0)) / w->stride[d] + 1;
    if (w->ceil && (w->out[d] - 1) * w->stride[d] >= w->in[d] + w->begin[d]) w->out[d]--;
  }
  return true;
}

// Everything but the window's own sizes, which are there already.
static bool read_window(Im *m, const Node *node, const Val *x, Window *w) {
  int64_t pads[2 * MAX_SPACE];
  const char *how = attribute_text(m, node, "auto_pad", "NOTSET");
  for (int d = 0; d < w->n; d++) {
    if (x->dim[d + 2].batch) return refuse(m, "the size of its image is open");
    w->in[d] = x->dim[d + 2].scale;
  }
  w->ceil = attribute_int(node, "ceil_mode", 0) != 0;
  if (!read_list(m, node, "strides", w->n, 1, 1, w->stride) ||
      !read_list(m, node, "dilations", w->n, 1, 1, w->dilation) || !read_list(m, node, "pads", 2 * w->n, 0, 0, pads))
    return false;
  for (int d = 0; d < w->n; d++) w->begin[d] = pads[d], w->end[d] = pads[d + w->n];
  if (!strncmp(how, "SAME_", 5)) pad_same(w, !strcmp(how, "SAME_LOWER"));
  if (!strcmp(how, "VALID")) memset(w->begin, 0, sizeof w->begin), memset(w->end, 0, sizeof w->end);
  return count_places(m, w);
}

static bool space_fits(Im *m, const Val *x, Window *w) {
  w->n = x->rank - 2;
  if (!need_float(m, x)) return false;
  return (w->n >= 1 && w->n <= MAX_SPACE) || refuse(m, "dlc has windows of one to three directions, not of %d", w->n);
}

// ---- texts
// ----------------------------------------------------------------------------------------------------------------

static bool all_are(const int64_t *list, int n, int64_t value) {
  for (int k = 0; k < n; k++)
    if (list[k] != value) return false;
  return true;
}

static bool leaves_rest(const Window *w) {
  for (int d = 0; d < w->n; d++)
    if ((w->in[d] + w->begin[d] + w->end[d] - reach(w, d)) % w->stride[d]) return true;
  return false;
}

// ", pad = 1", or nothing.
static const char *pad_text(Im *m, const Window *w) {
  bool even = !memcmp(w->begin, w->end, sizeof *w->begin * (size_t)w->n);
  int64_t sides[4] = {w->begin[0], w->end[0], w->begin[1], w->end[1]};
  if (all_are(w->begin, w->n, 0) && all_are(w->end, w->n, 0)) return "";
  if (w->same) return ", pad = same";
  return text_of(m, ", pad = %s", even ? numbers_text(m, w->begin, w->n) : numbers_text(m, sides, 2 * w->n));
}

static const char *option_text(Im *m, const char *name, const int64_t *list, int n) {
  return all_are(list, n, 1) ? "" : text_of(m, ", %s = %s", name, numbers_text(m, list, n));
}

static const char *round_text(const Window *w) {
  if (w->same || !leaves_rest(w)) return "";
  return w->ceil ? ", round = ceil" : ", round = floor";
}

static const char *const place_names[] = {"i", "j", "k"}, *const offset_names[] = {"r", "s", "t"};

// Where the window at a place reads: "i * 2 + r * 3 - 1".
static const char *read_text(Im *m, const Window *w, int d) {
  Text text = text_new(m->arena);
  text_add(&text, place_names[d]);
  if (w->stride[d] != 1) text_printf(&text, " * %lld", (long long)w->stride[d]);
  text_printf(&text, " + %s", offset_names[d]);
  if (w->dilation[d] != 1) text_printf(&text, " * %lld", (long long)w->dilation[d]);
  if (w->begin[d]) text_printf(&text, " - %lld", (long long)w->begin[d]);
  return text.bytes;
}

// "i + r - 1, j + s - 1", or the names alone.
static const char *space_text(Im *m, const Window *w, const char *const *names) {
  Text text = text_new(m->arena);
  for (int d = 0; d < w->n; d++) text_printf(&text, "%s%s", d ? ", " : "", names ? names[d] : read_text(m, w, d));
  return text.bytes;
}

static const char *ranges_text(Im *m, const Window *w, bool offsets) {
  Text text = text_new(m->arena);
  for (int d = 0; d < w->n; d++)
    text_printf(&text, "%s%s in %lld", d ? ", " : "", place_names[d], (long long)w->out[d]);
  for (int d = 0; offsets && d < w->n; d++) text_printf(&text, ", %s in %lld", offset_names[d], (long long)w->k[d]);
  return text.bytes;
}

// The shape that the window leaves, channels last; `like` gives the batch.
static Val *placed(Im *m, const Val *like, const Window *w, int64_t channels) {
  Val *v = val_view(m, like);
  v->known = NULL;
  v->dim[1] = size_of(channels);
  for (int d = 0; d < w->n; d++) v->dim[d + 2] = size_of(w->out[d]);
  return v;
}

// ---- convolutions
// ---------------------------------------------------------------------------------------------------------

typedef struct Conv {
  Window w;
  Val *x, *filters, *bias;  // filters [out, in / groups, k..], of the transposed [in, out / groups, k..]
  int64_t in, out, groups;
} Conv;

// [out, in, k..] to [k.., in, out].
static Known *turned_filters(Im *m, const Conv *c) {
  int axis[MAX_RANK];
  for (int d = 0; d < c->w.n; d++) axis[d] = d + 2;
  axis[c->w.n] = 1;
  axis[c->w.n + 1] = 0;
  return known_permuted(m, c->filters->known, axis);
}

static bool is_layer(const Conv *c) {
  const Window *w = &c->w;
  bool even = !memcmp(w->begin, w->end, sizeof *w->begin * (size_t)w->n);
  if (!c->filters->known || (c->bias && !c->bias->known)) return false;
  return w->n == 2 || (c->groups == 1 && (w->n == 1 || even));
}

static Val *conv_layer(Im *m, const Conv *c) {
  static const char *const names[] = {"conv1d", "conv2d", "conv3d"};
  const Window *w = &c->w;
  bool each = w->n == 2 && c->groups > 1 && c->groups == c->in && c->out == c->in;
  Text args = text_new(m->arena);
  if (!each) text_printf(&args, "%lld, ", (long long)c->out);
  text_add(&args, numbers_text(m, w->k, w->n));
  text_printf(&args, "%s%s%s", option_text(m, "stride", w->stride, w->n), pad_text(m, w),
              option_text(m, "dilation", w->dilation, w->n));
  if (c->groups > 1 && !each) text_printf(&args, ", groups = %lld", (long long)c->groups);
  text_printf(&args, "%s%s", c->bias ? "" : ", bias = false", round_text(w));
  Val *y = placed(m, c->x, w, c->out);
  y->var = make_call(m, c->x, each ? "depthwise_conv2d" : names[w->n - 1], args.bytes)->var;
  Known *filters = turned_filters(m, c);
  if (each) filters = known_reshaped(m, filters, 3, (int64_t[]){w->k[0], w->k[1], c->out});
  filters->source = c->filters->source;
  step_tensor(m, y, filters, false);
  if (c->bias) step_tensor(m, y, c->bias->known, false);
  return y;
}

static Val *add_bias(Im *m, Val *y, Val *bias) {
  return bias ? make_alike(m, y, ELEM_F32, "$0 + $1", (Val *[]){y, val_plain(m, bias)}, 2) : y;
}

// The same as a formula over filters that are a value.
static Val *conv_formula(Im *m, const Conv *c) {
  const Window *w = &c->w;
  const char *offsets = space_text(m, w, offset_names), *read = space_text(m, w, NULL);
  Val *in[2] = {c->x, val_plain(m, c->filters)}, *y = placed(m, c->x, w, c->out);
  const char *places = space_text(m, w, place_names), *ranges = ranges_text(m, w, false);
  if (c->groups == 1) {
    const char *text = text_of(m, "sum(%s, c) $0[n, %s, c] * $1[o, c, %s] where %s", offsets, read, offsets, ranges);
    y->var = make_formula(m, ELEM_F32, 0, NULL, text_of(m, "n, %s, o", places), text, in, 2)->var;
    return add_bias(m, y, c->bias);
  }
  long long d = c->in / c->groups, q = c->out / c->groups;
  const char *text = text_of(
      m, "sum(%s, c) $0[n, %s, g * %lld + c] * $1[g * %lld + o, c, %s] where %s, g in %lld, o in %lld, c in %lld",
      offsets, read, d, q, offsets, ranges, (long long)c->groups, q, d);
  Val *parts = val_view(m, y);
  parts->var = make_formula(m, ELEM_F32, 0, NULL, text_of(m, "n, %s, g, o", places), text, in, 2)->var;
  y->var = make_call(m, parts, "reshape", shape_list(m, y))->var;
  return add_bias(m, y, c->bias);
}

bool op_conv(Im *m, Node *node, const char *kind) {
  (void)kind;
  Conv c = {.filters = node->in[1], .bias = operand(node, 2), .groups = attribute_int(node, "group", 1)};
  const Val *f = c.filters;
  if (!space_fits(m, node->in[0], &c.w)) return false;
  if (f->rank != c.w.n + 2 || !val_static(f)) return refuse(m, "its filters do not fit its input");
  for (int d = 0; d < c.w.n; d++) c.w.k[d] = f->dim[d + 2].scale;
  c.in = node->in[0]->dim[1].scale;
  c.out = f->dim[0].scale;
  if (c.groups < 1 || node->in[0]->dim[1].batch || c.in % c.groups || c.out % c.groups ||
      f->dim[1].scale * c.groups != c.in)
    return refuse(m, "its filters, groups and input do not fit each other");
  if (c.bias && (c.bias->rank != 1 || c.bias->dim[0].scale != c.out))
    return refuse(m, "its bias does not fit its filters");
  if (!read_window(m, node, node->in[0], &c.w)) return false;
  c.x = val_last(m, node->in[0]);
  return done(node, is_layer(&c) ? conv_layer(m, &c) : conv_formula(m, &c));
}

// ---- transposed convolutions
// ------------------------------------------------------------------------------------------------

// The sizes of the result, and the padding that is cut off of it.
static bool read_transposed(Im *m, const Node *node, Conv *c) {
  Window *w = &c->w;
  int64_t pads[2 * MAX_SPACE], more[MAX_SPACE], shape[MAX_SPACE];
  const int64_t *given;
  const char *how = attribute_text(m, node, "auto_pad", "NOTSET");
  bool sized = attribute_ints(node, "output_shape", &given) == w->n, same = !strncmp(how, "SAME_", 5);
  if (!read_list(m, node, "strides", w->n, 1, 1, w->stride) ||
      !read_list(m, node, "dilations", w->n, 1, 1, w->dilation) || !read_list(m, node, "pads", 2 * w->n, 0, 0, pads) ||
      !read_list(m, node, "output_padding", w->n, 0, 0, more))
    return false;
  for (int d = 0; d < w->n; d++) {
    if (c->x->dim[d + 2].batch) return refuse(m, "the size of its image is open");
    w->in[d] = c->x->dim[d + 2].scale;
    int64_t full = (w->in[d] - 1) * w->stride[d] + reach(w, d) + more[d];
    shape[d] = sized ? given[d] : same ? w->in[d] * w->stride[d] : full - pads[d] - pads[d + w->n];
    int64_t cut = full - shape[d] > 0 ? full - shape[d] : 0;
    if (shape[d] < 1 || shape[d] > INT32_MAX) return refuse(m, "its result has no such size");
    bool upper = !strcmp(how, "SAME_UPPER");
    w->begin[d] = sized || same ? (upper ? cut / 2 : cut - cut / 2) : pads[d];
    w->end[d] = cut - w->begin[d];
    w->out[d] = shape[d];
    w->same |= more[d] || full < shape[d];  // not what the library's layer gives
  }
  return true;
}

static bool is_transposed_layer(const Conv *c) {
  const Window *w = &c->w;
  if (w->n != 2 || c->groups != 1 || w->same || !c->filters->known || (c->bias && !c->bias->known)) return false;
  return w->dilation[0] == 1 && w->dilation[1] == 1;
}

static Val *transposed_layer(Im *m, const Conv *c) {
  const Window *w = &c->w;
  int64_t sides[4] = {w->begin[0], w->end[0], w->begin[1], w->end[1]};
  const char *pad = all_are(sides, 4, 0) ? "" : text_of(m, ", pad = %s", numbers_text(m, sides, 4));
  const char *args = text_of(m, "%lld, %s%s%s%s", (long long)c->out, numbers_text(m, w->k, 2),
                             option_text(m, "stride", w->stride, 2), pad, c->bias ? "" : ", bias = false");
  Val *y = placed(m, c->x, w, c->out);
  y->var = make_call(m, c->x, "conv2d_transpose", args)->var;
  step_tensor(m, y, known_permuted(m, c->filters->known, (int[]){2, 3, 0, 1}), false);
  if (c->bias) step_tensor(m, y, c->bias->known, false);
  return y;
}

// The input with zeros between its pixels, under the filters turned round.
static Val *transposed_formula(Im *m, const Conv *c) {
  const Window *w = &c->w;
  Text guard = text_new(m->arena), from = text_new(m->arena), ranges = text_new(m->arena), read = text_new(m->arena),
       filter = text_new(m->arena);
  Window wide = *w;
  bool strided = !all_are(w->stride, w->n, 1);
  for (int d = 0; d < w->n; d++) {
    const char *i = place_names[d];
    long long s = w->stride[d];
    text_printf(&guard, "%s%s %% %lld == 0", d ? " and " : "", i, s);
    text_printf(&from, "%s%s // %lld", d ? ", " : "", i, s);
    text_printf(&ranges, "%s%s in %lld", d ? ", " : "", i, (w->in[d] - 1) * s + 1);
    wide.stride[d] = 1;
    wide.begin[d] = reach(w, d) - 1 - w->begin[d];
    text_printf(&read, "%s%s", d ? ", " : "", read_text(m, &wide, d));
    text_printf(&filter, ", %lld - %s", (long long)w->k[d] - 1, offset_names[d]);
  }
  Val *in[2] = {c->x, val_plain(m, c->filters)};
  const char *places = space_text(m, w, place_names);
  if (strided) {
    const char *text = text_of(m, "where(%s, $0[n, %s, c], 0.0) where %s", guard.bytes, from.bytes, ranges.bytes);
    in[0] = make_formula(m, ELEM_F32, 0, NULL, text_of(m, "n, %s, c", places), text, in, 1);
  }
  long long d = c->in / c->groups, q = c->out / c->groups;
  const char *offsets = space_text(m, w, offset_names);
  Val *y = placed(m, c->x, w, c->out), *parts = val_view(m, y);
  const char *text =
      text_of(m, "sum(%s, c) $0[n, %s, g * %lld + c] * $1[g * %lld + c, o%s] where %s, g in %lld, c in %lld", offsets,
              read.bytes, d, d, filter.bytes, ranges_text(m, w, true), (long long)c->groups, d);
  parts->var = make_formula(m, ELEM_F32, 0, NULL, text_of(m, "n, %s, g, o", places), text, in, 2)->var;
  (void)q;
  y->var = make_call(m, parts, "reshape", shape_list(m, y))->var;
  return add_bias(m, y, c->bias);
}

bool op_conv_transpose(Im *m, Node *node, const char *kind) {
  (void)kind;
  Conv c = {.filters = node->in[1], .bias = operand(node, 2), .groups = attribute_int(node, "group", 1)};
  if (!space_fits(m, node->in[0], &c.w)) return false;
  if (c.filters->rank != c.w.n + 2 || !val_static(c.filters)) return refuse(m, "its filters do not fit its input");
  for (int d = 0; d < c.w.n; d++) c.w.k[d] = c.filters->dim[d + 2].scale;
  c.in = node->in[0]->dim[1].scale;
  c.out = c.filters->dim[1].scale * c.groups;
  if (c.groups < 1 || c.in % c.groups || c.filters->dim[0].scale != c.in)
    return refuse(m, "its filters, groups and input do not fit each other");
  if (c.bias && (c.bias->rank != 1 || c.bias->dim[0].scale != c.out))
    return refuse(m, "its bias does not fit its filters");
  c.x = val_last(m, node->in[0]);
  if (!read_transposed(m, node, &c)) return false;
  return done(node, is_transposed_layer(&c) ? transposed_layer(m, &c) : transposed_formula(m, &c));
}

// ---- pools
// ----------------------------------------------------------------------------------------------------------------

static bool read_pool(Im *m, const Node *node, Window *w) {
  const Val *x = node->in[0];
  if (!space_fits(m, x, w) || x->dim[1].batch) return false;
  if (!attribute(node, "kernel_shape")) return refuse(m, "its kernel_shape is missing");
  if (!read_list(m, node, "kernel_shape", w->n, 1, 1, w->k)) return false;
  return read_window(m, node, x, w);
}

static const char *pool_args(Im *m, const Window *w) {
  bool steps = !memcmp(w->k, w->stride, sizeof *w->k * (size_t)w->n);
  const char *stride = steps ? "" : text_of(m, ", stride = %s", numbers_text(m, w->stride, w->n));
  return text_of(m, "%s%s%s%s", numbers_text(m, w->k, w->n), stride, pad_text(m, w), round_text(w));
}

static Val *pool_formula(Im *m, Val *x, const Window *w, const char *how) {
  const char *text = text_of(m, "%s(%s) $0[n, %s, c] where %s", how, space_text(m, w, offset_names),
                             space_text(m, w, NULL), ranges_text(m, w, true));
  Val *y = placed(m, x, w, x->dim[1].scale);
  y->var = make_formula(m, ELEM_F32, 0, NULL, text_of(m, "n, %s, c", space_text(m, w, place_names)), text, &x, 1)->var;
  return y;
}

// Where in the whole input, [N, C, ..] row by row, the greatest of each window stands: the first of equals. In
// column-major storage order the last direction counts most.
static Val *pool_positions(Im *m, Val *x, Val *y, const Window *w, bool columns) {
  Text at = text_new(m->arena);
  if (!val_static(x)) return refuse(m, "its positions depend on the batch"), NULL;
  text_printf(&at, "(n * %lld + c)", (long long)x->dim[1].scale);
  long long size = 1, last = INT32_MAX;
  for (int d = 0; d < w->n; d++) size *= w->in[d];
  if (columns) {
    text_printf(&at, " * %lld", size);
    for (int d = 0; d < w->n; d++) {
      text_printf(&at, " + (%s)", read_text(m, w, d));
      for (int e = 0; e < d; e++) text_printf(&at, " * %lld", (long long)w->in[e]);
    }
  }
  const char *row = at.bytes;
  for (int d = 0; !columns && d < w->n; d++)
    row = text_of(m, "(%s * %lld + %s)", row, (long long)w->in[d], read_text(m, w, d));
  const char *places = space_text(m, w, place_names);
  const char *text =
      text_of(m, "min(%s) where($0[n, %s, c] == $1[n, %s, c], %s, %lld) where %s", space_text(m, w, offset_names),
              space_text(m, w, NULL), places, row, last, ranges_text(m, w, true));
  Val *p = val_view(m, y);
  p->var = make_formula(m, ELEM_I32, 0, NULL, text_of(m, "n, %s, c", places), text, (Val *[]){x, y}, 2)->var;
  p->type = ELEM_I32;
  return p;
}

bool op_max_pool(Im *m, Node *node, const char *kind) {
  (void)kind;
  Window w = {0};
  if (!read_pool(m, node, &w)) return false;
  Val *x = val_last(m, node->in[0]);
  bool layer = w.n == 2 && all_are(w.dilation, 2, 1) && w.begin[0] < w.k[0] && w.begin[1] < w.k[1];
  Val *y = layer ? placed(m, x, &w, x->dim[1].scale) : pool_formula(m, x, &w, "max");
  if (layer) y->var = make_call(m, x, "max_pool", pool_args(m, &w))->var;
  if (wants(node, 1) && !(node->out[1] = pool_positions(m, x, y, &w, attribute_int(node, "storage_order", 0))))
    return false;
  return done(node, y);
}

// Are there places where the window sees what does not count?
static bool is_cut(const Window *w, bool with_padding) {
  for (int d = 0; d < w->n; d++) {
    int64_t last = (w->out[d] - 1) * w->stride[d] + reach(w, d) - w->begin[d];
    if (!with_padding && w->begin[d]) return true;
    if (last > w->in[d] + (with_padding ? w->end[d] : 0)) return true;
  }
  return false;
}

// How many of the window's pixels count, at each place.
static Val *pool_counts(Im *m, const Window *w, bool with_padding) {
  Text inside = text_new(m->arena);
  Size dim[MAX_RANK];
  for (int d = 0; d < w->n; d++) {
    long long low = with_padding ? -w->begin[d] : 0, high = w->in[d] + (with_padding ? w->end[d] : 0);
    const char *at = read_text(m, w, d);
    text_printf(&inside, "%s%s >= %lld and %s < %lld", d ? " and " : "", at, low, at, high);
    dim[d] = size_of(w->out[d]);
  }
  dim[w->n] = size_of(1);
  const char *text =
      text_of(m, "sum(%s) f32(%s) where %s", space_text(m, w, offset_names), inside.bytes, ranges_text(m, w, true));
  Val *counts = make_formula(m, ELEM_F32, w->n, dim, space_text(m, w, place_names), text, NULL, 0);
  return val_reshaped(m, counts, w->n + 1, dim);
}

bool op_average_pool(Im *m, Node *node, const char *kind) {
  (void)kind;
  Window w = {0};
  if (!read_pool(m, node, &w)) return false;
  Val *x = val_last(m, node->in[0]);
  bool with_padding = attribute_int(node, "count_include_pad", 0) != 0, cut = is_cut(&w, with_padding);
  if (w.n == 2 && !cut && all_are(w.dilation, 2, 1)) {
    Val *y = placed(m, x, &w, x->dim[1].scale);
    y->var = make_call(m, x, "avg_pool", pool_args(m, &w))->var;
    return done(node, y);
  }
  Val *total = pool_formula(m, x, &w, "sum");
  double size = 1;
  for (int d = 0; d < w.n; d++) size *= (double)w.k[d];
  if (!cut) return done(node, make_alike(m, total, ELEM_F32, text_of(m, "$0 / %s", float_text(m, size)), &total, 1));
  return done(node, make_alike(m, total, ELEM_F32, "$0 / $1", (Val *[]){total, pool_counts(m, &w, with_padding)}, 2));
}

// [N, C, 1, 1]; what flattens it takes the library's [N, C] instead (op_move.c).
bool op_global_pool(Im *m, Node *node, const char *kind) {
  Val *x = val_last(m, node->in[0]);
  bool reduced[MAX_RANK] = {false};
  if (!need_float(m, x) || x->rank < 3) return refuse(m, "its input has no places to reduce");
  for (int p = 1; p < x->rank - 1; p++) reduced[p] = true;
  if (x->rank != 4)
    return done(node, make_reduced(m, x, !strcmp(kind, "global_avg_pool") ? "mean" : "max", reduced, true));
  Val *pooled = make_call(m, x, kind, NULL);
  pooled->rank = 2;
  pooled->axis[0] = 0;
  pooled->axis[1] = 1;
  pooled->image = false;
  Val *y = val_reshaped(m, pooled, 4, (Size[]){x->dim[0], x->dim[1], size_of(1), size_of(1)});
  y = val_view(m, val_last(m, y));
  y->squeezed = pooled;
  return done(node, y);
}

// ---- batch norm and local response norm
// -------------------------------------------------------------------------------------

static bool is_vector(const Val *v, Size size) { return v->rank == 1 && size_equal(v->dim[0], size); }

// In training mode: by the batch's own mean and variance, which move the running ones.
static bool batch_norm_training(Im *m, Node *node, Val *x, double eps, double momentum) {
  bool reduced[MAX_RANK] = {false};
  for (int p = 0; p < x->rank - 1; p++) reduced[p] = true;
  Val *mean = make_reduced(m, x, "mean", reduced, false), *var = make_reduced(m, x, "var", reduced, false);
  const char *text = text_of(m, "($0 - $1) * rsqrt($2 + %s) * $3 + $4", float_text(m, eps));
  node->out[0] = make_alike(m, x, ELEM_F32, text, (Val *[]){x, mean, var, node->in[1], node->in[2]}, 5);
  const char *moved = text_of(m, "$0 * %s + $1 * %s", float_text(m, momentum), float_text(m, 1 - momentum));
  if (wants(node, 1)) node->out[1] = make_alike(m, mean, ELEM_F32, moved, (Val *[]){node->in[3], mean}, 2);
  if (wants(node, 2)) node->out[2] = make_alike(m, var, ELEM_F32, moved, (Val *[]){node->in[4], var}, 2);
  return true;
}

bool op_batch_norm(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->rank > 2 ? val_last(m, node->in[0]) : val_plain(m, node->in[0]);
  double eps = (double)attribute_float(node, "epsilon", 1e-5f),
         momentum = (double)attribute_float(node, "momentum", 0.9f);
  bool layer = true;
  if (!need_float(m, x) || x->rank < 2) return refuse(m, "its input has no channels");
  for (int k = 1; k < 5; k++) {
    if (!node->in[k] || !is_vector(node->in[k], x->dim[1]))
      return refuse(m, "operand %d is no number for each channel", k + 1);
    layer &= node->in[k]->known != NULL;
  }
  if (attribute_int(node, "training_mode", 0)) return batch_norm_training(m, node, x, eps, momentum);
  if (wants(node, 1)) return refuse(m, "its statistics are wanted");
  if (!layer) {
    const char *text = text_of(m, "($0 - $3) * rsqrt($4 + %s) * $1 + $2", float_text(m, eps));
    return done(node,
                make_alike(m, x, ELEM_F32, text, (Val *[]){x, node->in[1], node->in[2], node->in[3], node->in[4]}, 5));
  }
  bool usual_eps = (float)eps == 1e-5f, usual_momentum = (float)momentum == 0.9f;
  Text args = text_new(m->arena);
  if (!usual_momentum) text_printf(&args, "momentum = %s", float_argument(m, (double)(1.0f - (float)momentum)));
  if (!usual_eps) text_printf(&args, "%seps = %s", args.length ? ", " : "", float_argument(m, eps));
  Val *y = make_call(m, x, "batch_norm", args.bytes);
  for (int k = 1; k < 5; k++) step_tensor(m, y, node->in[k]->known, k > 2);
  return done(node, y);
}

bool op_lrn(Im *m, Node *node, const char *kind) {
  (void)kind;
  int64_t size = attribute_int(node, "size", 0);
  double alpha = (double)attribute_float(node, "alpha", 1e-4f), beta = (double)attribute_float(node, "beta", 0.75f),
         bias = (double)attribute_float(node, "bias", 1.0f);
  if (!need_float(m, node->in[0]) || node->in[0]->rank != 4) return refuse(m, "dlc has it for images only");
  if (size < 1 || size % 2 == 0 || size > 1 << 20) return refuse(m, "its size is not odd");
  Val *x = val_last(m, node->in[0]);
  const char *args = text_of(m, "size = %lld, alpha = %s, beta = %s, k = %s", (long long)size,
                             float_argument(m, alpha / (double)size), float_argument(m, beta), float_argument(m, bias));
  return done(node, make_call(m, x, "local_response_norm", args));
}
