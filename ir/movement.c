// Builders of index nodes that only move elements or reduce plainly. Each returns its operand where nothing would
// change.
#include "inside.h"

#include <string.h>

static const Shape *shape_of(const Builder *b, NodeId id) { return &graph_node(b->graph, id)->shape; }

// y[out] = a[read]
static NodeId build_move(Builder *b, NodeId a, const Shape *shape, const Read *read) {
  Scalar body = {.kind = SCALAR_READ};
  Read copy = *read;
  IndexDef def = {.combine = COMBINE_MAP, .n_out = shape->rank, .reads = &copy, .n_body = 1, .body = &body};
  for (int d = 0; d < shape->rank; d++) def.extent[d] = shape->dim[d];
  if (shape_equal(shape, shape_of(b, a)) && read_is_identity(&def, read)) return a;
  return build_index(b, &def, &a, 1);
}

NodeId build_broadcast(Builder *b, NodeId a, const Shape *shape, const int *axis_of) {
  Shape from = *shape_of(b, a);
  Read read = {.rank = from.rank};
  for (int d = 0; d < from.rank; d++) {
    Dim to = shape->dim[axis_of[d]];
    bool stretched = dim_equal(from.dim[d], dim_const(1)) && !dim_equal(to, from.dim[d]);
    dlc_assert(stretched || dim_equal(from.dim[d], to));
    read.at[d] = stretched ? index_const(0) : index_of(axis_of[d]);
  }
  return build_move(b, a, shape, &read);
}

NodeId build_broadcast_to(Builder *b, NodeId a, const Shape *shape) {
  int rank = shape_of(b, a)->rank, axis_of[IR_MAX_RANK];
  dlc_assert(rank <= shape->rank);
  for (int d = 0; d < rank; d++) axis_of[d] = shape->rank - rank + d;
  return build_broadcast(b, a, shape, axis_of);
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *result) {
  *result = a->rank >= b->rank ? *a : *b;
  const Shape *narrow = a->rank >= b->rank ? b : a;
  for (int d = 0; d < narrow->rank; d++) {
    Dim *wide = &result->dim[result->rank - narrow->rank + d];
    if (dim_equal(*wide, dim_const(1))) *wide = narrow->dim[d];
    if (!dim_equal(narrow->dim[d], dim_const(1)) && !dim_equal(*wide, narrow->dim[d])) return false;
  }
  return true;
}

NodeId build_transpose(Builder *b, NodeId a, const int *permutation) {
  const Shape *from = shape_of(b, a);
  Shape shape = {.rank = from->rank};
  Read read = {.rank = from->rank};
  for (int d = 0; d < from->rank; d++) {
    shape.dim[d] = from->dim[permutation[d]];
    read.at[permutation[d]] = index_of(d);
  }
  return build_move(b, a, &shape, &read);
}

static Read identity_read(int rank) {
  Read read = {.rank = rank};
  for (int d = 0; d < rank; d++) read.at[d] = index_of(d);
  return read;
}

NodeId build_slice(Builder *b, NodeId a, int axis, int64_t start, int64_t count, int64_t step) {
  Shape shape = *shape_of(b, a);
  dlc_assert(axis >= 0 && axis < shape.rank && step != 0 && count >= 0);
  Read read = identity_read(shape.rank);
  bool whole = start == 0 && step == 1 && dim_equal(shape.dim[axis], dim_const(count));
  if (whole) return a;
  shape.dim[axis] = dim_const(count);
  read.at[axis] = index_const(start);
  index_add_term(&read.at[axis], axis, step);
  return build_move(b, a, &shape, &read);
}

NodeId build_pad(Builder *b, NodeId a, const int64_t *before, const int64_t *after) {
  Shape shape = *shape_of(b, a);
  Read read = identity_read(shape.rank);
  for (int d = 0; d < shape.rank; d++) {
    if (before[d] == 0 && after[d] == 0) continue;
    dlc_assert(dim_is_const(shape.dim[d]));
    shape.dim[d].scale += before[d] + after[d];
    dlc_assert(shape.dim[d].scale >= 0);
    read.at[d].offset = -before[d];
  }
  return build_move(b, a, &shape, &read);
}

// Out indices are the kept dimensions (of extent 1 where a reduced one is kept), then the reduced ones.
NodeId build_reduce(Builder *b, Combine combine, NodeId a, const bool *reduced, bool keep) {
  Shape from = *shape_of(b, a);
  Scalar body = {.kind = SCALAR_READ};
  Read read = {.rank = from.rank};
  IndexDef def = {.combine = combine, .reads = &read, .n_body = 1, .body = &body};
  for (int d = 0; d < from.rank; d++) {
    if (reduced[d] && !keep) continue;
    def.name[def.n_out] =
        reduced[d] ? arena_printf(b->graph->arena, "%s_", index_default_name(d)) : index_default_name(d);
    read.at[d] = index_of(def.n_out);
    def.extent[def.n_out++] = reduced[d] ? dim_const(1) : from.dim[d];
  }
  for (int d = 0; d < from.rank; d++) {
    if (!reduced[d]) continue;
    int at = def.n_out + def.n_red++;
    dlc_assert(at < IR_MAX_INDICES);
    def.name[at] = index_default_name(d);
    def.extent[at] = from.dim[d];
    read.at[d] = index_of(at);
  }
  bool position = combine == COMBINE_ARGMAX || combine == COMBINE_ARGMIN;
  dlc_assert(combine != COMBINE_MAP && (def.n_red || !position));
  return def.n_red ? build_index(b, &def, &a, 1) : a;
}
