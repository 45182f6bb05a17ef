// Index nodes of known kinds: products, windows, reductions, movements.
#include "make_inside.h"

#include <string.h>

// ---- a definition under construction --------------------------------------------------------------------------------

typedef struct Draft {
  IndexDef def;
  Read reads[3];
  Scalar body[4];
  NodeId in[3];
  int n_in;
} Draft;

static int add_index(Draft *d, Dim extent) {
  int k = d->def.n_out + d->def.n_red;
  d->def.extent[k] = extent;
  return k;
}
static int add_out(Draft *d, Dim extent) {
  int k = add_index(d, extent);
  d->def.n_out++;
  return k;
}
static int add_red(Draft *d, Dim extent) {
  int k = add_index(d, extent);
  d->def.n_red++;
  return k;
}

static Read *add_operand(Draft *d, NodeId x) {
  d->in[d->n_in] = x;
  d->reads[d->n_in].rank = 0;
  return &d->reads[d->n_in++];
}
static IndexExpr *read_at(Read *read, int index) {
  IndexExpr *e = &read->at[read->rank++];
  *e = index < 0 ? index_const(0) : index_of(index);
  return e;
}

// The node, or NODE_NONE where its index space is too large. The body: the product of the operands, or the only one.
static NodeId finish(Maker *m, Draft *d, bool swapped) {
  Shape result = {.rank = d->def.n_out};
  static const int64_t most[IR_MAX_SYMBOLS] = {9, 9, 9, 9};
  int64_t points = 1;
  for (int k = 0; k < d->def.n_out + d->def.n_red; k++) {
    points *= dim_value(d->def.extent[k], most);
    if (k < d->def.n_out) result.dim[k] = d->def.extent[k];
    if (points > MAKE_POINTS) return NODE_NONE;
  }
  if (!make_fits(&result)) return NODE_NONE;
  int n = 0;
  for (; n < d->n_in; n++) d->body[n] = (Scalar){.kind = SCALAR_READ, .arg = {n}};
  if (d->n_in == 2) d->body[n++] = (Scalar){.kind = SCALAR_OP, .op = OP_mul, .arg = {swapped, !swapped}};
  d->def.reads = d->reads;
  d->def.body = d->body;
  d->def.n_body = n;
  return build_index(&m->b, &d->def, d->in, d->n_in);
}

// ---- products -------------------------------------------------------------------------------------------------------

// y[.., i, j] = sum(k) a[.., i, k] * b[.., k, j], each matrix as it is or transposed.
static NodeId make_product(Maker *m) {
  Draft d = {.def = {.combine = COMBINE_SUM}};
  int lead = (int)choice_below(m->chance, 3) / 2;
  NodeId a = make_operand(m, choice_once_in(m->chance, 12) ? DT_I32 : DT_F32, 2 + lead);
  Shape shape = make_node(m, a)->shape, other = shape;
  bool turn_a = choice_once_in(m->chance, 3), turn_b = choice_once_in(m->chance, 3);
  Dim rows = shape.dim[lead + turn_a], inner = shape.dim[lead + !turn_a], columns = make_dim(m);
  other.dim[lead + turn_b] = inner;
  other.dim[lead + !turn_b] = columns;
  if (!make_fits(&other)) return NODE_NONE;
  int n = lead ? add_out(&d, shape.dim[0]) : 0, i = add_out(&d, rows), j = add_out(&d, columns), k = add_red(&d, inner);
  NodeId b = make_like(m, make_node(m, a)->type, &other, false);
  Read *x = add_operand(&d, a);
  if (lead) read_at(x, n);
  read_at(x, turn_a ? k : i);
  read_at(x, turn_a ? i : k);
  Read *y = add_operand(&d, b);
  if (lead) read_at(y, n);
  read_at(y, turn_b ? j : k);
  read_at(y, turn_b ? k : j);
  return finish(m, &d, choice_once_in(m->chance, 6));
}

// ---- windows --------------------------------------------------------------------------------------------------------

typedef struct Window {
  int64_t size, k, stride, dilation, before, places;
} Window;

static Window make_window(Maker *m, int64_t size) {
  Window w = {.size = size};
  do {
    w.k = choice_once_in(m->chance, 8) ? 5 : choice_in(m->chance, 1, 3);
    w.stride = choice_once_in(m->chance, 2) ? 1 : choice_in(m->chance, 1, 3);
    w.dilation = choice_once_in(m->chance, 4) ? 2 : 1;
    w.before = choice_below(m->chance, 3);
    w.places = (size + w.before + choice_below(m->chance, 3) - w.dilation * (w.k - 1) - 1);
  } while (w.places < 0);
  w.places = w.places / w.stride + 1;
  return w;
}

// [N, sizes.., C]
static NodeId make_image(Maker *m, int spatial, DType type) {
  Shape shape = {.rank = spatial + 2,
                 .dim = {choice_once_in(m->chance, 3) ? (Dim){1, 1} : dim_const(choice_in(m->chance, 1, 3))}};
  for (int s = 0; s < spatial; s++) shape.dim[1 + s] = dim_const(choice_in(m->chance, 1, spatial == 1 ? 20 : 8));
  shape.dim[spatial + 1] =
      choice_once_in(m->chance, 2) ? dim_const(make_size(m)) : dim_const(choice_in(m->chance, 1, 9));
  while (!make_fits(&shape)) shape.dim[choice_in(m->chance, 1, spatial + 1)] = dim_const(choice_in(m->chance, 1, 3));
  return make_like(m, type, &shape, false);
}

static void read_window(Read *read, const Window *w, int place, int tap) {
  IndexExpr *e = read_at(read, -1);
  index_add_term(e, place, w->stride);
  index_add_term(e, tap, w->dilation);
  e->offset = -w->before;
}

enum { CONV, CONV_DEPTHWISE, CONV_GROUPED, CONV_KINDS };

static NodeId make_convolution(Maker *m) {
  Draft d = {.def = {.combine = COMBINE_SUM}};
  int spatial = (int)choice_in(m->chance, 1, 2), place[3], tap[3], kind = (int)choice_below(m->chance, CONV_KINDS);
  NodeId x = make_image(m, spatial, DT_F32);
  Shape shape = make_node(m, x)->shape, weights = {0};
  Dim channels = shape.dim[spatial + 1], group = {2, 0};
  if (kind == CONV_GROUPED && channels.scale % 2) group.scale = 1;
  Dim part = dim_const(kind == CONV_GROUPED ? channels.scale / group.scale : channels.scale);
  Dim outputs = dim_const(choice_once_in(m->chance, 2) ? choice_in(m->chance, 1, 8) : make_size(m));
  Window window[3];
  int n = add_out(&d, shape.dim[0]), g = 0, o = 0, c = 0;
  for (int s = 0; s < spatial; s++) {
    window[s] = make_window(m, shape.dim[1 + s].scale);
    place[s] = add_out(&d, dim_const(window[s].places));
  }
  if (kind == CONV_GROUPED) g = add_out(&d, group);
  o = add_out(&d, kind == CONV_DEPTHWISE ? channels : outputs);
  for (int s = 0; s < spatial; s++) {
    tap[s] = add_red(&d, dim_const(window[s].k));
    weights.dim[weights.rank++] = dim_const(window[s].k);
  }
  if (kind != CONV_DEPTHWISE) c = add_red(&d, part), weights.dim[weights.rank++] = part;
  if (kind == CONV_GROUPED) weights.dim[weights.rank++] = group;
  weights.dim[weights.rank++] = kind == CONV_DEPTHWISE ? channels : outputs;
  if (!make_fits(&weights)) return NODE_NONE;
  Read *r = add_operand(&d, x);
  read_at(r, n);
  for (int s = 0; s < spatial; s++) read_window(r, &window[s], place[s], tap[s]);
  IndexExpr *e = read_at(r, kind == CONV_DEPTHWISE ? o : c);
  if (kind == CONV_GROUPED) index_add_term(e, g, part.scale);
  Read *w = add_operand(&d, make_like(m, DT_F32, &weights, false));
  for (int s = 0; s < spatial; s++) read_at(w, tap[s]);
  if (kind != CONV_DEPTHWISE) read_at(w, c);
  if (kind == CONV_GROUPED) read_at(w, g);
  read_at(w, o);
  return finish(m, &d, false);
}

// y[n, i, o] = sum(r, c) x[n, (i + p - r) /! stride, c] * w[r, c, o], over one or two directions.
static NodeId make_transposed(Maker *m) {
  Draft d = {.def = {.combine = COMBINE_SUM}};
  int spatial = (int)choice_in(m->chance, 1, 2), place[2], tap[2];
  NodeId x = make_image(m, spatial, DT_F32);
  Shape shape = make_node(m, x)->shape, weights = {.rank = spatial + 2};
  int64_t stride = choice_in(m->chance, 1, 3), before[2];
  int n = add_out(&d, shape.dim[0]);
  for (int s = 0; s < spatial; s++) {
    int64_t k = choice_in(m->chance, 1, 4), places = (shape.dim[1 + s].scale - 1) * stride + k;
    before[s] = choice_below(m->chance, k < places ? k : 1);
    weights.dim[s] = dim_const(k);
    place[s] = add_out(&d, dim_const(places - before[s]));
  }
  int o = add_out(&d, weights.dim[spatial + 1] = dim_const(choice_in(m->chance, 1, 9)));
  for (int s = 0; s < spatial; s++) tap[s] = add_red(&d, weights.dim[s]);
  int c = add_red(&d, weights.dim[spatial] = shape.dim[spatial + 1]);
  if (!make_fits(&weights)) return NODE_NONE;
  Read *r = add_operand(&d, x), *w;
  read_at(r, n);
  for (int s = 0; s < spatial; s++) {
    IndexExpr *e = read_at(r, place[s]);
    index_add_term(e, tap[s], -1);
    *e = (IndexExpr){before[s], e->n_terms, {e->term[0], e->term[1]}, stride, stride > 1 ? DIV_EXACT : DIV_NONE};
  }
  read_at(r, c);
  w = add_operand(&d, make_like(m, DT_F32, &weights, false));
  for (int s = 0; s < spatial; s++) read_at(w, tap[s]);
  read_at(w, c);
  read_at(w, o);
  return finish(m, &d, false);
}

static NodeId make_pool(Maker *m) {
  static const Combine combines[] = {COMBINE_MAX, COMBINE_MAX,    COMBINE_SUM,
                                     COMBINE_MIN, COMBINE_ARGMAX, COMBINE_ARGMIN};
  Draft d = {.def = {.combine = CHOICE_OF(m->chance, combines)}};
  int spatial = (int)choice_in(m->chance, 1, 2), place[2], tap[2];
  NodeId x = make_image(m, spatial, choice_once_in(m->chance, 5) ? DT_I32 : DT_F32);
  Shape shape = make_node(m, x)->shape;
  Window window[2];
  int n = add_out(&d, shape.dim[0]);
  for (int s = 0; s < spatial; s++) {
    window[s] = make_window(m, shape.dim[1 + s].scale);
    place[s] = add_out(&d, dim_const(window[s].places));
  }
  int c = add_out(&d, shape.dim[spatial + 1]);
  for (int s = 0; s < spatial; s++) tap[s] = add_red(&d, dim_const(window[s].k));
  Read *r = add_operand(&d, x);
  read_at(r, n);
  for (int s = 0; s < spatial; s++) read_window(r, &window[s], place[s], tap[s]);
  read_at(r, c);
  return finish(m, &d, false);
}

// ---- reductions and movements ---------------------------------------------------------------------------------------

static NodeId make_reduction(Maker *m) {
  Combine combine = (Combine)choice_in(m->chance, COMBINE_SUM, COMBINE_COUNT - 1);
  if (choice_once_in(m->chance, 3)) combine = COMBINE_SUM;
  NodeId x = make_operand(m, choice_once_in(m->chance, 4) ? DT_I32 : DT_F32, (int)choice_in(m->chance, 1, 4));
  bool reduced[IR_MAX_RANK] = {false};
  for (int d = 0; d < make_node(m, x)->shape.rank; d++) reduced[d] = choice_once_in(m->chance, 2);
  reduced[choice_below(m->chance, make_node(m, x)->shape.rank)] = true;
  return build_reduce(&m->b, combine, x, reduced, choice_once_in(m->chance, 3));
}

static NodeId make_transpose(Maker *m, NodeId x) {
  int rank = make_node(m, x)->shape.rank, order[IR_MAX_RANK];
  for (int d = 0; d < rank; d++) order[d] = d;
  for (int d = rank - 1; d > 0; d--) {
    int with = (int)choice_below(m->chance, d + 1), t = order[d];
    order[d] = order[with], order[with] = t;
  }
  return build_transpose(&m->b, x, order);
}

static NodeId make_slice(Maker *m, NodeId x) {
  Shape shape = make_node(m, x)->shape;
  int axis = (int)choice_below(m->chance, shape.rank);
  int64_t size = shape.dim[axis].scale;
  if (shape.dim[axis].symbol || size == 0) return NODE_NONE;
  int64_t start = choice_below(m->chance, size), step = choice_in(m->chance, 1, 3);
  if (choice_once_in(m->chance, 3))
    return build_slice(&m->b, x, axis, start, choice_in(m->chance, 1, start / step + 1), -step);
  return build_slice(&m->b, x, axis, start, choice_in(m->chance, 1, (size - 1 - start) / step + 1), step);
}

static NodeId make_pad(Maker *m, NodeId x) {
  int64_t before[IR_MAX_RANK], after[IR_MAX_RANK];
  Shape shape = make_node(m, x)->shape;
  for (int d = 0; d < shape.rank; d++) {
    bool pads = choice_once_in(m->chance, 2) && !shape.dim[d].symbol;
    before[d] = pads ? choice_below(m->chance, 3) : 0;
    after[d] = pads ? choice_below(m->chance, 3) : 0;
    shape.dim[d].scale += before[d] + after[d];
  }
  return make_fits(&shape) ? build_pad(&m->b, x, before, after) : NODE_NONE;
}

// A MAP of one read, one expression per dimension: upsampling, zeros between, backwards, a diagonal.
static NodeId make_stretch(Maker *m, NodeId x) {
  Draft d = {.def = {.combine = COMBINE_MAP}};
  Shape shape = make_node(m, x)->shape;
  Read *read = add_operand(&d, x);
  for (int k = 0; k < shape.rank; k++) {
    int64_t size = shape.dim[k].scale, way = shape.dim[k].symbol ? 0 : choice_below(m->chance, 5),
            by = choice_in(m->chance, 2, 3);
    int index = way == 4 && d.def.n_out ? d.def.n_out - 1
                                        : add_out(&d, way == 1 || way == 2 ? dim_const(size * by) : shape.dim[k]);
    IndexExpr *e = read_at(read, index);
    if (way == 1) e->divisor = by, e->kind = DIV_FLOOR;
    if (way == 2) e->divisor = by, e->kind = DIV_EXACT, e->offset = choice_below(m->chance, by);
    if (way == 3) e->offset = size - 1, e->term[0].coef = -1;
  }
  return finish(m, &d, false);
}

static NodeId make_movement(Maker *m) {
  static const DType types[] = {DT_F32, DT_F32, DT_F32, DT_I32, DT_BOOL, DT_U8};
  NodeId x = make_operand(m, CHOICE_OF(m->chance, types), (int)choice_in(m->chance, 1, 4));
  switch (choice_below(m->chance, 4)) {
    case 0:
      return make_transpose(m, x);
    case 1:
      return make_slice(m, x);
    case 2:
      return make_pad(m, x);
    default:
      return make_stretch(m, x);
  }
}

NodeId make_index(Maker *m) {
  switch (choice_below(m->chance, 12)) {
    case 0:
    case 1:
      return make_product(m);
    case 2:
    case 3:
      return make_convolution(m);
    case 4:
      return make_transposed(m);
    case 5:
      return make_pool(m);
    case 6:
    case 7:
      return make_reduction(m);
    case 8:
    case 9:
      return make_movement(m);
    default:
      return make_free_index(m);
  }
}
