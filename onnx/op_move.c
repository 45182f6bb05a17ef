// Operators that move elements: other sizes, other orders, parts, borders, repetitions.
#include <string.h>

#include "checked.h"
#include "operators.h"

// ---- sizes
// ----------------------------------------------------------------------------------------------------------------

// A flattened image stays as it lies: what follows turns its weights, or puts the values in order.
static Val *flat_image(Im *m, Val *x, Size rest) {
  Val *y = make_call(m, x, "flatten", NULL);
  y->rank = 2;
  y->dim[1] = rest;
  y->axis[0] = 0;
  y->axis[1] = 1;
  y->image = false;
  bool ordered = true;
  int last = -1;
  for (int p = 0; p < x->rank; p++)
    if (!size_is_one(val_physical(x, p))) ordered &= x->axis[p] > last, last = x->axis[p];
  y->image_of = ordered ? NULL : val_view(m, x);
  return y;
}

static Val *reshaped(Im *m, Val *x, int rank, const Size *dim) {
  Val *squeezed = x->squeezed;
  if (squeezed && rank == 2 && size_equal(dim[0], squeezed->dim[0]) && size_equal(dim[1], squeezed->dim[1]))
    return squeezed;
  bool flat = rank == 2 && x->rank > 2 && x->axis[0] == 0 && size_equal(dim[0], x->dim[0]) && !x->image_of;
  if (flat && (!x->known || x->var)) return flat_image(m, x, dim[1]);
  return val_reshaped(m, x, rank, dim);
}

// The sizes that are asked for, with 0 and -1 resolved.
static bool read_shape(Im *m, const Node *node, const Val *x, const Known *shape, Size *dim) {
  bool zero = attribute_int(node, "allowzero", 0) != 0;
  Size all, rest = size_of(1);
  int open = -1;
  if (!val_elements(x, &all)) return refuse(m, "its sizes are too large");
  for (int d = 0; d < shape->count; d++) {
    int64_t s = shape->i[d];
    dim[d] = (Size){s, shape->batch && shape->batch[d]};
    if (s == 0 && !zero) {
      if (d >= x->rank) return refuse(m, "its shape keeps a size that there is not");
      dim[d] = x->dim[d];
    }
    if (s < -1 || (s == -1 && open >= 0)) return refuse(m, "its shape has the size %lld", (long long)s);
    if (s == -1) {
      open = d;
      continue;
    }
    if (rest.batch && dim[d].batch) return refuse(m, "its shape has the batch twice");
    rest.batch |= dim[d].batch;
    if (!checked_mul(rest.scale, dim[d].scale, &rest.scale)) return refuse(m, "its sizes are too large");
  }
  if (open >= 0) {
    if (rest.scale == 0 || all.scale % rest.scale || (rest.batch && !all.batch))
      return refuse(m, "its shape does not fit its input");
    dim[open] = (Size){all.scale / rest.scale, all.batch && !rest.batch};
    rest = all;
  }
  return size_equal(rest, all) || refuse(m, "its shape does not fit its input");
}

bool op_reshape(Im *m, Node *node, const char *kind) {
  (void)kind;
  const Known *shape;
  const int64_t *given;
  int n = attribute_ints(node, "shape", &given);
  int64_t list[MAX_RANK];
  Size dim[MAX_RANK];
  if (operand(node, 1)) {
    shape = node->in[1]->known;
    if (!shape) return known_list(m, node->in[1], "shape", list, MAX_RANK), false;
  } else {
    if (n > MAX_RANK) return refuse(m, "it has too many dimensions");
    Known *k = known_new(m, ELEM_I32, 1, (int64_t[]){n});
    for (int d = 0; d < n; d++) ((int64_t *)k->i)[d] = given[d];
    shape = k;
  }
  if (shape->count > MAX_RANK || shape->f) return refuse(m, "it has too many dimensions");
  if (!read_shape(m, node, node->in[0], shape, dim)) return false;
  return done(node, reshaped(m, node->in[0], (int)shape->count, dim));
}

bool op_flatten(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0], part = *x;
  int64_t axis = attribute_int(node, "axis", 1);
  Size dim[2];
  if (axis < -x->rank || axis > x->rank) return refuse(m, "there is no axis %lld", (long long)axis);
  if (axis < 0) axis += x->rank;
  part.rank = (int)axis;
  bool fits = val_elements(&part, &dim[0]);
  part.rank = x->rank - (int)axis;
  for (int d = 0; d < part.rank; d++) part.dim[d] = x->dim[d + (int)axis];
  if (!fits || !val_elements(&part, &dim[1])) return refuse(m, "its sizes are too large");
  return done(node, reshaped(m, x, 2, dim));
}

// The axes of Squeeze and Unsqueeze, marked; of a result of `rank` dimensions.
static bool mark_axes(Im *m, const Node *node, int rank, bool *marked, int *count) {
  int64_t list[MAX_RANK];
  const int64_t *given;
  int n = attribute_ints(node, "axes", &given), axis;
  if (n > MAX_RANK) return refuse(m, "it has too many axes");
  for (int k = 0; k < n; k++) list[k] = given[k];
  if (operand(node, 1) && (n = known_list(m, node->in[1], "axes", list, MAX_RANK)) < 0) return false;
  *count = n;
  if (rank < 0) rank = n - rank - 1;
  if (rank > MAX_RANK) return refuse(m, "it has too many dimensions");
  for (int k = 0; k < n; k++) {
    if (!axis_fits(m, list[k], rank, &axis)) return false;
    if (marked[axis]) return refuse(m, "axis %d stands twice", axis);
    marked[axis] = true;
  }
  return true;
}

bool op_squeeze(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0];
  bool gone[MAX_RANK] = {false};
  Size dim[MAX_RANK];
  int count, n = 0;
  if (!mark_axes(m, node, x->rank, gone, &count)) return false;
  for (int d = 0; d < x->rank; d++) {
    if (!count) gone[d] = size_is_one(x->dim[d]);
    if (gone[d] && !size_is_one(x->dim[d])) return refuse(m, "size %d is not 1", d);
    if (!gone[d]) dim[n++] = x->dim[d];
  }
  return done(node, reshaped(m, x, n, dim));
}

bool op_unsqueeze(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0];
  bool fresh[MAX_RANK] = {false};
  Size dim[MAX_RANK];
  int count, n = 0;
  if (!mark_axes(m, node, -x->rank - 1, fresh, &count)) return false;
  if (x->rank + count > MAX_RANK) return refuse(m, "it has too many dimensions");
  for (int d = 0; d < x->rank + count; d++) dim[d] = fresh[d] ? size_of(1) : x->dim[n++];
  return done(node, reshaped(m, x, x->rank + count, dim));
}

// Costs nothing: the same tensor, whose dimensions have other numbers.
bool op_transpose(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0], *y = val_view(m, x);
  const int64_t *perm;
  int n = attribute_ints(node, "perm", &perm), place[MAX_RANK];
  bool seen[MAX_RANK] = {false};
  if (n && n != x->rank) return refuse(m, "its perm has %d numbers", n);
  for (int d = 0; d < x->rank; d++) {
    int64_t from = n ? perm[d] : x->rank - 1 - d;
    if (from < 0 || from >= x->rank || seen[from]) return refuse(m, "its perm is none");
    seen[from] = true;
    y->dim[d] = x->dim[from];
    place[from] = d;
  }
  for (int p = 0; p < x->rank; p++) y->axis[p] = place[x->axis[p]];
  y->image = false;
  y->squeezed = NULL;
  y->known = x->known && !x->var ? x->known : NULL;
  if (y->known) {  // known tensors lie in logical order
    int64_t order[MAX_RANK];
    int axis[MAX_RANK];
    for (int d = 0; d < x->rank; d++) order[d] = n ? perm[d] : x->rank - 1 - d, axis[d] = (int)order[d];
    y = val_of_known(m, known_permuted(m, x->known, axis));
  }
  return done(node, y);
}

// ---- parts
// ----------------------------------------------------------------------------------------------------------------

bool op_concat(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *in[MAX_OPERANDS], *like = NULL;
  int axis;
  Text text = text_new(m->arena);
  int64_t total = 0;
  if (m->opset < 4 && !attribute(node, "axis")) return refuse(m, "its axis is missing");
  for (int k = 0; k < node->n_in; k++) {
    if (!node->in[k]) return refuse(m, "operand %d is missing", k + 1);
    if (!like || (like->known && !node->in[k]->known)) like = node->in[k];
  }
  if (like->image_of) like = val_plain(m, like);
  if (!axis_fits(m, attribute_int(node, "axis", 1), like->rank, &axis)) return false;
  for (int k = 0; k < node->n_in; k++) {
    Val *v = node->in[k];
    bool fits = v->rank == like->rank && v->type == like->type;
    for (int d = 0; fits && d < v->rank; d++) fits = d == axis || size_equal(v->dim[d], like->dim[d]);
    if (!fits || v->dim[axis].batch) return refuse(m, "its operands do not fit together");
    in[k] = val_ordered(m, v, like->axis);
    total += v->dim[axis].scale;
    text_printf(&text, "%s$%c", k ? ", " : "", '0' + k);
  }
  if (node->n_in == 1) return done(node, in[0]);
  const char *call = text_of(m, "concat([%s], axis = %d)", text.bytes, val_place(like, axis));
  Val *y = make_alike(m, like, like->type, call, in, node->n_in);
  y->dim[axis] = size_of(total);
  return done(node, y);
}

static void whole_slice(const Val *x, int64_t *start, int64_t *step, Size *size) {
  for (int p = 0; p < x->rank; p++) start[p] = 0, step[p] = 1, size[p] = val_physical(x, p);
}

bool op_split(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0];
  int64_t sizes[MAX_OPERANDS], start[MAX_RANK], step[MAX_RANK], at = 0;
  const int64_t *given;
  Size size[MAX_RANK];
  int axis, n = attribute_ints(node, "split", &given), parts = node->n_out;
  if (!axis_fits(m, attribute_int(node, "axis", 0), x->rank, &axis)) return false;
  if (x->dim[axis].batch || parts > MAX_OPERANDS) return refuse(m, "its axis is the batch");
  for (int k = 0; k < n && k < MAX_OPERANDS; k++) sizes[k] = given[k];
  if (operand(node, 1) && (n = known_list(m, node->in[1], "split", sizes, MAX_OPERANDS)) < 0) return false;
  if (n && n != parts) return refuse(m, "it names %d parts, and has %d results", n, parts);
  int64_t each = (x->dim[axis].scale + parts - 1) / parts, p = val_place(x, axis);
  for (int k = 0; k < parts; k++) {
    int64_t rest = x->dim[axis].scale - at, count = n ? sizes[k] : each < rest ? each : rest;
    if (count < 0 || count > rest) return refuse(m, "its parts do not fit the axis");
    if (count == 0) return refuse(m, "a part has no elements");
    whole_slice(x, start, step, size);
    start[p] = at;
    size[p] = size_of(count);
    node->out[k] = make_slice(m, x, start, step, size);
    at += count;
  }
  return at == x->dim[axis].scale || refuse(m, "its parts do not fill the axis");
}

// One direction of a slice, as ONNX clamps it.
static void clamp_slice(int64_t size, int64_t *from, int64_t to, int64_t step, int64_t *count) {
  if (*from < 0) *from = *from < -size ? -1 : *from + size;
  if (to < 0) to = to < -size ? -1 : to + size;
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  if (*from < 0) *from = 0;
  if (*from > high) *from = high;
  if (to < low) to = low;
  if (to > high) to = high;
  int64_t span = step > 0 ? to - *from : *from - to, stride = step > 0 ? step : -step;
  *count = span > 0 ? (span + stride - 1) / stride : 0;
}

typedef struct Slices {
  int64_t from[MAX_RANK], to[MAX_RANK], axes[MAX_RANK], steps[MAX_RANK];
  int n;
} Slices;

static bool copy_list(Im *m, const Node *node, const char *name, int64_t *to, int *n) {
  const int64_t *given;
  *n = attribute_ints(node, name, &given);
  if (*n > MAX_RANK) return refuse(m, "its %s has too many numbers", name);
  for (int k = 0; k < *n; k++) to[k] = given[k];
  return true;
}

static bool read_slices(Im *m, const Node *node, Slices *s) {
  int n_to, n_axes = 0, n_steps = 0;
  if (m->opset < 10) {
    if (!copy_list(m, node, "starts", s->from, &s->n) || !copy_list(m, node, "ends", s->to, &n_to) ||
        !copy_list(m, node, "axes", s->axes, &n_axes))
      return false;
  } else {
    if (node->n_in < 3) return refuse(m, "its starts or ends are missing");
    s->n = known_list(m, node->in[1], "starts", s->from, MAX_RANK);
    n_to = known_list(m, node->in[2], "ends", s->to, MAX_RANK);
    if (operand(node, 3)) n_axes = known_list(m, node->in[3], "axes", s->axes, MAX_RANK);
    if (operand(node, 4)) n_steps = known_list(m, node->in[4], "steps", s->steps, MAX_RANK);
    if (m->why) return false;
  }
  for (int k = n_axes; !n_axes && k < s->n; k++) s->axes[k] = k;
  for (int k = 0; !n_steps && k < s->n; k++) s->steps[k] = 1;
  if (s->n != n_to || (n_axes && n_axes != s->n) || (n_steps && n_steps != s->n))
    return refuse(m, "its lists have different lengths");
  return true;
}

bool op_slice(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0];
  Slices s = {.n = 0};
  int64_t start[MAX_RANK], step[MAX_RANK];
  Size size[MAX_RANK];
  if (!read_slices(m, node, &s)) return false;
  whole_slice(x, start, step, size);
  for (int k = 0; k < s.n; k++) {
    int axis;
    int64_t count;
    if (!axis_fits(m, s.axes[k], x->rank, &axis)) return false;
    bool all = s.from[k] == 0 && s.to[k] >= INT32_MAX && s.steps[k] == 1;
    if (x->dim[axis].batch && all) continue;
    if (x->dim[axis].batch) return refuse(m, "it takes a part of the batch");
    if (s.steps[k] == 0 || s.steps[k] < -INT32_MAX || s.steps[k] > INT32_MAX)
      return refuse(m, "it has a step of no use");
    clamp_slice(x->dim[axis].scale, &s.from[k], s.to[k], s.steps[k], &count);
    if (count == 0) return refuse(m, "its result has no elements");
    int p = val_place(x, axis);
    start[p] = s.from[k];
    step[p] = s.steps[k];
    size[p] = size_of(count);
  }
  return done(node, make_slice(m, x, start, step, size));
}

// ---- borders
// ----------------------------------------------------------------------------------------------------------------

// How many elements come before and behind each logical dimension.
static bool read_pads(Im *m, const Node *node, const Val *x, int64_t *before, int64_t *behind) {
  int64_t list[2 * MAX_RANK], axes[MAX_RANK];
  const int64_t *given;
  int n = attribute_ints(node, m->opset < 2 ? "paddings" : "pads", &given), n_axes = x->rank, axis;
  if (n > 2 * MAX_RANK) return refuse(m, "it has too many pads");
  for (int k = 0; k < n; k++) list[k] = given[k];
  if (operand(node, 1) && (n = known_list(m, node->in[1], "pads", list, 2 * MAX_RANK)) < 0) return false;
  for (int k = 0; k < x->rank; k++) axes[k] = k, before[k] = behind[k] = 0;
  if (operand(node, 3) && (n_axes = known_list(m, node->in[3], "axes", axes, MAX_RANK)) < 0) return false;
  if (n != 2 * n_axes) return refuse(m, "its pads do not fit its input");
  for (int k = 0; k < n_axes; k++) {
    if (!axis_fits(m, axes[k], x->rank, &axis)) return false;
    before[axis] = list[k];
    behind[axis] = list[k + n_axes];
    bool open = x->dim[axis].batch && (before[axis] || behind[axis]);
    if (open || before[axis] < 0 || behind[axis] < 0 || before[axis] > INT32_MAX || behind[axis] > INT32_MAX)
      return refuse(m, "it pads the batch, or cuts");
  }
  return true;
}

// Which element stands at place k of a padded axis.
static int64_t mirrored(const char *mode, int64_t k, int64_t size) {
  if (!strcmp(mode, "edge")) return k < 0 ? 0 : k >= size ? size - 1 : k;
  if (!strcmp(mode, "wrap")) return (k % size + size) % size;
  while (size > 1 && (k < 0 || k >= size)) k = k < 0 ? -k : 2 * size - 2 - k;
  return size > 1 ? k : 0;
}

static Val *pad_by_elements(Im *m, Val *x, const char *mode, const int64_t *before, const int64_t *behind) {
  for (int d = 0; d < x->rank; d++) {
    if (!before[d] && !behind[d]) continue;
    int64_t size = x->dim[d].scale, total = size + before[d] + behind[d];
    if (total > MOST_FOLDED) return refuse(m, "it pads too much"), NULL;
    int64_t *table = arena_array(m->arena, (size_t)total, sizeof *table);
    for (int64_t k = 0; k < total; k++) table[k] = mirrored(mode, k - before[d], size);
    x = make_picked(m, x, val_place(x, d), table, total);
  }
  return x;
}

// Reads outside of a tensor give 0; another value is chosen by the place.
static Val *pad_by_value(Im *m, Val *x, Val *value, const int64_t *before, const int64_t *behind) {
  Text read = text_new(m->arena), inside = text_new(m->arena), where = text_new(m->arena);
  Val *y = val_view(m, x), *in[2] = {x, value};
  double number = 0;
  for (int p = 0; p < x->rank; p++) {
    const char *i = index_name(p);
    int64_t b = before[x->axis[p]], size = x->dim[x->axis[p]].scale, total = size + b + behind[x->axis[p]];
    text_printf(&read, b ? "%s%s - %lld" : "%s%s", p ? ", " : "", i, (long long)b);
    if (total == size) continue;
    y->dim[x->axis[p]] = size_of(total);
    text_printf(&where, "%s%s in %lld", where.length ? ", " : " where ", i, (long long)total);
    text_printf(&inside, "%s%s >= %lld and %s < %lld", inside.length ? " and " : "", i, (long long)b, i,
                (long long)(b + size));
  }
  if (!where.length) return x;
  bool known = !value || known_scalar(value, &number), floats = x->type == ELEM_F32;
  const char *other = !known ? "$1" : floats ? float_argument(m, number) : int_text(m, (int64_t)number);
  const char *text = known && number == 0
                         ? text_of(m, "$0[%s]%s", read.bytes, where.bytes)
                         : text_of(m, "where(%s, $0[%s], %s)%s", inside.bytes, read.bytes, other, where.bytes);
  y->known = NULL;
  y->squeezed = NULL;
  y->var = make_formula(m, x->type, 0, NULL, index_list(m, x->rank), text, in, known ? 1 : 2)->var;
  return y;
}

bool op_pad(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0]->image_of ? val_plain(m, node->in[0]) : node->in[0], *value = operand(node, 2);
  int64_t before[MAX_RANK], behind[MAX_RANK];
  const char *mode = attribute_text(m, node, "mode", "constant");
  if (x->type == ELEM_BOOL) return refuse(m, "dlc pads numbers only");
  if (!read_pads(m, node, x, before, behind)) return false;
  if (strcmp(mode, "constant") != 0) return done(node, pad_by_elements(m, x, mode, before, behind));
  if (!value && attribute(node, "value")) {
    Known *k = known_new(m, ELEM_F32, 0, NULL);
    ((float *)k->f)[0] = attribute_float(node, "value", 0);
    value = val_of_known(m, k);
  }
  if (value && value->rank) value = val_reshaped(m, value, 0, NULL);
  return done(node, pad_by_value(m, x, value, before, behind));
}

// ---- repetitions
// ------------------------------------------------------------------------------------------------------------

bool op_expand(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]);
  const Known *shape = node->in[1]->known;
  int64_t list[MAX_RANK];
  if (!shape) return known_list(m, node->in[1], "shape", list, MAX_RANK), false;
  if (shape->count > MAX_RANK || shape->f) return refuse(m, "it has too many dimensions");
  int n = (int)shape->count, rank = n > x->rank ? n : x->rank;
  Size dim[MAX_RANK];
  Text read = text_new(m->arena), where = text_new(m->arena);
  for (int d = 0; d < rank; d++) {
    int own = d - (rank - x->rank), asked = d - (rank - n);
    Size has = own < 0 ? size_of(1) : x->dim[own];
    Size wanted = asked < 0 ? size_of(1) : (Size){shape->i[asked], shape->batch && shape->batch[asked]};
    if (!size_is_one(has) && !size_is_one(wanted) && !size_equal(has, wanted))
      return refuse(m, "its shape does not fit its input");
    dim[d] = size_is_one(has) ? wanted : has;
    bool stretched = size_is_one(has) && !size_is_one(wanted);
    if (own >= 0) text_printf(&read, "%s%s", own ? ", " : "", stretched ? "0" : index_name(d));
    if (stretched || own < 0)
      text_printf(&where, "%s%s in %s", where.length ? ", " : " where ", index_name(d), size_text(m, dim[d]));
  }
  if (!where.length) return done(node, x);
  const char *text = text_of(m, x->rank ? "$0[%s]%s" : "$0%s%s", read.bytes, where.bytes);
  return done(node, make_formula(m, x->type, rank, dim, index_list(m, rank), text, &x, 1));
}

bool op_tile(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = val_plain(m, node->in[0]);
  int64_t repeats[MAX_RANK];
  int n = known_list(m, node->in[1], "repeats", repeats, MAX_RANK);
  if (n < 0) return false;
  if (n != x->rank) return refuse(m, "its repeats do not fit its input");
  for (int d = 0; d < n; d++) {
    int64_t total;
    if (repeats[d] == 1) continue;
    if (x->dim[d].batch || repeats[d] < 1 || repeats[d] > INT32_MAX ||
        !checked_mul(repeats[d], x->dim[d].scale, &total) || total > INT32_MAX)
      return refuse(m, "it repeats the batch, or too often, or nothing");
    // [.., size, ..] to [.., repeats, size, ..] to [.., repeats * size, ..]
    Val *in = x, *wide = val_view(m, x);
    if (x->rank == MAX_RANK) return refuse(m, "it has too many dimensions");
    Text read = text_new(m->arena);
    for (int k = 0; k < x->rank; k++) text_printf(&read, "%s%s", k ? ", " : "", index_name(k < d ? k : k + 1));
    const char *text = text_of(m, "$0[%s] where %s in %lld", read.bytes, index_name(d), (long long)repeats[d]);
    wide->var = make_formula(m, x->type, 0, NULL, index_list(m, x->rank + 1), text, &in, 1)->var;
    wide->known = NULL;
    wide->dim[d] = size_of(total);
    x = val_view(m, wide);
    x->var = make_call(m, wide, "reshape", shape_list(m, wide))->var;
  }
  return done(node, x);
}

// ---- blocks of pixels
// -------------------------------------------------------------------------------------------------------

bool op_depth_to_space(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0];
  long long r = attribute_int(node, "blocksize", 0);
  bool rows = !strcmp(attribute_text(m, node, "mode", "DCR"), "DCR");
  if (!need_float(m, x) || x->rank != 4 || x->dim[1].batch || r < 1 || r > 1 << 15 || x->dim[1].scale % (r * r))
    return refuse(m, "its channels do not divide into its blocks");
  x = val_last(m, x);
  long long d = x->dim[1].scale / (r * r);
  Val *y = val_view(m, x);
  y->dim[1] = size_of(d);
  for (int k = 2; k < 4; k++) y->dim[k].scale *= r;
  if (rows) {
    y->var = make_call(m, x, "depth_to_space", text_of(m, "%lld", r))->var;
    return done(node, y);
  }
  const char *text =
      text_of(m, "$0[n, i, j, c * %lld + p * %lld + q] where p in %lld, q in %lld, c in %lld", r * r, r, r, r, d);
  Val *blocks = val_view(m, y);
  blocks->var = make_formula(m, ELEM_F32, 0, NULL, "n, i, p, j, q, c", text, &x, 1)->var;
  y->var = make_call(m, blocks, "reshape", shape_list(m, y))->var;
  return done(node, y);
}

bool op_space_to_depth(Im *m, Node *node, const char *kind) {
  (void)kind;
  Val *x = node->in[0];
  long long r = attribute_int(node, "blocksize", 0);
  if (!need_float(m, x) || x->rank != 4 || r < 1 || r > 1 << 15 || x->dim[2].scale % r || x->dim[3].scale % r)
    return refuse(m, "its image does not divide into its blocks");
  x = val_last(m, x);
  Val *y = val_view(m, x);
  y->dim[1].scale *= r * r;
  for (int k = 2; k < 4; k++) y->dim[k].scale /= r;
  const char *text = text_of(m, "$0[n, i * %lld + p, j * %lld + q, c] where i in %lld, j in %lld, p in %lld, q in %lld",
                             r, r, (long long)y->dim[2].scale, (long long)y->dim[3].scale, r, r);
  Val *blocks = val_view(m, y);
  blocks->var = make_formula(m, ELEM_F32, 0, NULL, "n, i, j, p, q, c", text, &x, 1)->var;
  y->var = make_call(m, blocks, "reshape", shape_list(m, y))->var;
  return done(node, y);
}
