// A graph and its tensors as an ONNX model.
//
// On entry: the inference graph as the frontend gives it. On exit: messages for every node that the outputs need, or a
// report at the program's own place of each that ONNX has nothing for (E0423).
//
// Inputs and outputs are as the program has them. In between images are channels first, as ONNX's layers want them: a
// value has an order (`axis`: dimension p of ONNX's tensor is the graph's dimension axis[p]), and transposes stand only
// where an order has to change.
#include "export.h"

#include <string.h>

typedef struct Value {
  const char *name;  // NULL: not made; what it is then follows from its match
  int axis[IR_MAX_RANK];
  const char *plain, *first;  // the same in the graph's order, and channels first, once somebody needed it
} Value;

typedef struct Ex {
  Out out;
  const Graph *g;
  DiagSink *sink;
  const OnnxWeights *weights;
  Match *match;
  Value *values;
  int *uses;
  bool failed;
} Ex;

static const int identity[IR_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};

static bool same_order(const int *a, const int *b, int rank) { return !memcmp(a, b, sizeof *a * (size_t)rank); }

static void channels_first(int rank, int *axis) {
  for (int p = 0; p < rank; p++) axis[p] = p < 2 ? (p == 0 ? 0 : rank - 1) : p - 1;
}

static const Node *node_of(const Ex *e, NodeId id) { return graph_node(e->g, id); }

static const char *fail(Ex *e, NodeId id, const char *what) {
  const Node *n = node_of(e, id);
  diag_error(e->sink, DIAG_E0423, n->span, "ONNX has nothing for %s%s%s", what, n->tag ? " of " : "",
             n->tag ? n->tag : "");
  e->failed = true;
  return "";
}

// ---- tensors that are known
// -----------------------------------------------------------------------------------------------

static bool is_weight(const Ex *e, NodeId id) {
  return node_of(e, id)->op == OP_param || node_of(e, id)->op == OP_state;
}

static const char *weight_name(Ex *e, const char *path) {
  for (size_t k = 0; k < e->out.proto.n_initializer; k++)
    if (!strcmp(e->out.proto.initializer[k]->name, path)) return out_name(&e->out, path);
  return path;
}

// A parameter's elements with dimension p of the result its dimension axis[p], under the sizes `dim` [rank].
static const char *weight_as(Ex *e, NodeId id, const int *axis, int rank, const int64_t *dim) {
  const Node *n = node_of(e, id);
  int64_t count = 1, stride[IR_MAX_RANK], at[IR_MAX_RANK] = {0}, from = 0;
  const float *data = e->weights->data(e->weights->state, n->name);
  for (int d = n->shape.rank - 1; d >= 0; d--) stride[d] = count, count *= n->shape.dim[d].scale;
  float *to = arena_array(e->out.arena, (size_t)count, sizeof *to);
  for (int64_t k = 0; k < count; k++) {
    to[k] = data[from];
    for (int p = n->shape.rank - 1; p >= 0; p--) {
      from += stride[axis[p]];
      if (++at[p] < n->shape.dim[axis[p]].scale) break;
      from -= stride[axis[p]] * at[p];
      at[p] = 0;
    }
  }
  return out_floats(&e->out, weight_name(e, n->name), rank, dim, to);
}

static const char *weight_turned(Ex *e, NodeId id, const int *axis) {
  const Node *n = node_of(e, id);
  int64_t dim[IR_MAX_RANK] = {0};
  for (int p = 0; p < n->shape.rank; p++) dim[p] = n->shape.dim[axis[p]].scale;
  return weight_as(e, id, axis, n->shape.rank, dim);
}

static const char *constant(Ex *e, const Node *n) {
  float *value = arena_alloc(e->out.arena, sizeof *value);
  *value = (float)n->number;
  const char *name = out_floats(&e->out, out_name(&e->out, "constant"), 0, NULL, value);
  if (n->type == DT_F32) return name;
  name = out_node(&e->out, "Cast", &name, 1, NULL);
  out_int(&e->out, "to",
          n->type == DT_I32 ? ONNX__TENSOR_PROTO__DATA_TYPE__INT32 : ONNX__TENSOR_PROTO__DATA_TYPE__BOOL);
  return name;
}

// ---- orders
// ---------------------------------------------------------------------------------------------------------------

static const char *transpose(Ex *e, const char *name, int rank, const int *from, const int *to) {
  int64_t perm[IR_MAX_RANK];
  if (same_order(from, to, rank)) return name;
  for (int p = 0; p < rank; p++)
    for (int q = 0; q < rank; q++)
      if (from[q] == to[p]) perm[p] = q;
  name = out_node(&e->out, "Transpose", &name, 1, NULL);
  out_ints(&e->out, "perm", perm, rank);
  return name;
}

// Sizes for a Reshape: the batch is what is left.
static const char *reshape(Ex *e, const char *name, int rank, const Dim *dim) {
  int64_t sizes[IR_MAX_RANK];
  for (int d = 0; d < rank; d++) sizes[d] = dim_is_const(dim[d]) ? dim[d].scale : -1;
  const char *in[2] = {name, out_whole(&e->out, 1, rank, sizes)};
  return out_node(&e->out, "Reshape", in, 2, NULL);
}

static const char *plain(Ex *e, NodeId id);

// What a broadcast reads, with sizes of 1 where it stretches: in the order `axis` of its result.
static const char *spread(Ex *e, NodeId id, const int *axis) {
  const Node *n = node_of(e, id);
  NodeId from = e->match[id].leaf[0];
  const Shape *shape = &node_of(e, from)->shape;
  int order[IR_MAX_RANK], used = 0, first = -1;
  int64_t sizes[IR_MAX_RANK];
  Dim dim[IR_MAX_RANK];
  bool taken[IR_MAX_RANK] = {false};
  for (int p = 0; p < n->shape.rank; p++) {
    dim[p] = dim_const(1);
    for (int d = 0; d < shape->rank; d++) {
      const IndexExpr *at = &n->index->reads[0].at[d];
      if (at->n_terms != 1 || at->term[0].index != axis[p]) continue;
      dim[p] = shape->dim[d];
      order[used++] = d;
      taken[d] = true;
      if (first < 0) first = p;
    }
    sizes[p] = dim[p].scale;
  }
  bool whole = shape->rank == n->shape.rank && used == shape->rank, rising = true;
  for (int k = 1; k < used; k++) rising = rising && order[k] > order[k - 1];
  for (int d = 0; d < shape->rank; d++)
    if (!taken[d]) order[used++] = d;  // sizes of 1
  if (first < 0) first = n->shape.rank;
  if (is_weight(e, from)) return weight_as(e, from, order, n->shape.rank - first, sizes + first);
  const char *name = plain(e, from);
  if (!rising) name = transpose(e, name, shape->rank, identity, order);
  return whole ? name : reshape(e, name, n->shape.rank, dim);
}

static const char *expanded(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  int64_t sizes[IR_MAX_RANK];
  for (int d = 0; d < n->shape.rank; d++) {
    bool open = !dim_is_const(n->shape.dim[d]), read = false;
    sizes[d] = open ? 1 : n->shape.dim[d].scale;
    for (int k = 0; k < n->index->reads[0].rank; k++)
      read |= n->index->reads[0].at[k].n_terms == 1 && n->index->reads[0].at[k].term[0].index == d;
    if (open && !read) return fail(e, id, "repeating a value over the batch");
  }
  const char *in[2] = {spread(e, id, identity), out_whole(&e->out, 1, n->shape.rank, sizes)};
  return out_node(&e->out, "Expand", in, 2, NULL);
}

// The value in the graph's own order, whole.
static const char *plain(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  Value *v = &e->values[id];
  if (v->plain) return v->plain;
  if (e->match[id].kind == MATCH_RESHAPE)
    v->plain = reshape(e, plain(e, e->match[id].leaf[0]), n->shape.rank, n->shape.dim);
  else if (is_weight(e, id))
    v->plain = weight_turned(e, id, identity);
  else if (n->op == OP_const)
    v->plain = constant(e, n);
  else if (!v->name)
    v->plain = expanded(e, id);
  else
    v->plain = transpose(e, v->name, n->shape.rank, v->axis, identity);
  return v->plain;
}

static const char *first(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  Value *v = &e->values[id];
  int axis[IR_MAX_RANK];
  channels_first(n->shape.rank, axis);
  if (v->first) return v->first;
  bool ready = v->name && same_order(v->axis, axis, n->shape.rank);
  return v->first = ready ? v->name : transpose(e, plain(e, id), n->shape.rank, identity, axis);
}

// The value as an operand of something element by element in this order: it need not be whole.
static const char *operand(Ex *e, NodeId id, int rank, const int *axis) {
  const Node *n = node_of(e, id);
  if (n->shape.rank == 0) return plain(e, id);
  if (e->match[id].kind == MATCH_BROADCAST && !e->values[id].name) return spread(e, id, axis);
  if (is_weight(e, id)) return weight_turned(e, id, axis);
  if (e->values[id].name && same_order(e->values[id].axis, axis, rank)) return e->values[id].name;
  return transpose(e, plain(e, id), rank, identity, axis);
}

// ---- nodes
// ----------------------------------------------------------------------------------------------------------------

static void windows(Ex *e, const Windows *w, bool dilated) {
  int64_t pads[6];
  for (int d = 0; d < w->n; d++) pads[d] = w->begin[d], pads[d + w->n] = w->end[d];
  out_ints(&e->out, "kernel_shape", w->k, w->n);
  out_ints(&e->out, "strides", w->stride, w->n);
  out_ints(&e->out, "pads", pads, 2 * w->n);
  if (dilated) out_ints(&e->out, "dilations", w->dilation, w->n);
}

// [k.., in, out] to [out, in, k..]; [k.., C] to [C, 1, k..].
static const char *filters(Ex *e, const Match *m) {
  int n = m->windows.n, axis[IR_MAX_RANK];
  const Shape *shape = &node_of(e, m->leaf[1])->shape;
  bool each = m->kind == MATCH_EACH_CONV;
  axis[0] = shape->rank - 1;
  if (!each) axis[1] = shape->rank - 2;
  for (int d = 0; d < n; d++) axis[shape->rank - n + d] = d;
  if (!each)
    return is_weight(e, m->leaf[1]) ? weight_turned(e, m->leaf[1], axis)
                                    : transpose(e, plain(e, m->leaf[1]), shape->rank, identity, axis);
  Dim dim[IR_MAX_RANK] = {shape->dim[n], dim_const(1)};
  int64_t sizes[IR_MAX_RANK] = {shape->dim[n].scale, 1};
  for (int d = 0; d < n; d++) dim[d + 2] = shape->dim[d], sizes[d + 2] = shape->dim[d].scale;
  if (is_weight(e, m->leaf[1])) return weight_as(e, m->leaf[1], axis, n + 2, sizes);
  return reshape(e, transpose(e, plain(e, m->leaf[1]), shape->rank, identity, axis), n + 2, dim);
}

static const char *conv(Ex *e, NodeId id) {
  const Match *m = &e->match[id];
  const char *in[3] = {first(e, m->leaf[0]), filters(e, m), NULL};
  if (m->n_leaves == 3) in[2] = plain(e, m->leaf[2]);
  const char *name = out_node(&e->out, "Conv", in, m->n_leaves, NULL);
  windows(e, &m->windows, true);
  if (m->kind == MATCH_EACH_CONV) out_int(&e->out, "group", node_of(e, m->leaf[1])->shape.dim[m->windows.n].scale);
  channels_first(node_of(e, id)->shape.rank, e->values[id].axis);
  return name;
}

static const char *pool(Ex *e, NodeId id) {
  const Match *m = &e->match[id];
  bool max = m->kind == MATCH_MAX_POOL;
  const char *in[2] = {first(e, m->leaf[0])};
  const char *name = out_node(&e->out, max ? "MaxPool" : "AveragePool", in, 1, NULL);
  windows(e, &m->windows, false);
  channels_first(node_of(e, id)->shape.rank, e->values[id].axis);
  if (max) return name;
  out_int(&e->out, "count_include_pad", 1);
  float *size = arena_alloc(e->out.arena, sizeof *size);
  *size = 1;
  for (int d = 0; d < m->windows.n; d++) *size *= (float)m->windows.k[d];
  in[0] = name;
  in[1] = out_floats(&e->out, out_name(&e->out, "size"), 0, NULL, size);
  return out_node(&e->out, "Mul", in, 2, NULL);
}

static const char *batch_norm(Ex *e, NodeId id) {
  const Match *m = &e->match[id];
  const char *in[5] = {first(e, m->leaf[0])};
  for (int k = 1; k < 5; k++) in[k] = plain(e, m->leaf[k]);
  const char *name = out_node(&e->out, "BatchNormalization", in, 5, NULL);
  out_float(&e->out, "epsilon", m->number);
  channels_first(node_of(e, id)->shape.rank, e->values[id].axis);
  return name;
}

// A flattened image behind which only a matrix product stands: it is flattened as it lies, and the weights' rows are
// turned.
static bool is_flat_image(const Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  if (e->match[id].kind != MATCH_RESHAPE || n->shape.rank != 2) return false;
  NodeId image = e->match[id].leaf[0];
  const Node *from = node_of(e, image);
  int axis[IR_MAX_RANK];
  channels_first(from->shape.rank, axis);
  return from->shape.rank > 2 && dim_equal(n->shape.dim[0], from->shape.dim[0]) && e->values[image].name &&
         same_order(e->values[image].axis, axis, from->shape.rank);
}

// The weights [K, U] of such a product, in the order of the channels-first image.
static const char *turned_rows(Ex *e, NodeId weights, const Shape *image) {
  int64_t dim[2] = {node_of(e, weights)->shape.dim[0].scale, node_of(e, weights)->shape.dim[1].scale};
  int64_t channels = image->dim[image->rank - 1].scale, places = dim[0] / channels;
  const float *data = e->weights->data(e->weights->state, node_of(e, weights)->name);
  float *to = arena_array(e->out.arena, (size_t)(dim[0] * dim[1]), sizeof *to);
  for (int64_t c = 0; c < channels; c++)
    for (int64_t place = 0; place < places; place++)
      memcpy(to + (c * places + place) * dim[1], data + (place * channels + c) * dim[1], (size_t)dim[1] * sizeof *to);
  return out_floats(&e->out, weight_name(e, node_of(e, weights)->name), 2, dim, to);
}

static const char *dense(Ex *e, NodeId id) {
  const Match *m = &e->match[id];
  const char *in[3] = {NULL, NULL, NULL};
  if (is_flat_image(e, m->leaf[0])) {
    NodeId image = e->match[m->leaf[0]].leaf[0];
    const char *name = e->values[image].name;
    in[0] = out_node(&e->out, "Flatten", &name, 1, NULL);
    in[1] = turned_rows(e, m->leaf[1], &node_of(e, image)->shape);
  } else {
    in[0] = plain(e, m->leaf[0]);
    in[1] = plain(e, m->leaf[1]);
  }
  in[2] = plain(e, m->leaf[2]);
  return out_node(&e->out, "Gemm", in, 3, NULL);
}

// Any sum of products: its indices as Einsum's letters.
static const char *product(Ex *e, NodeId id) {
  const Match *m = &e->match[id];
  const IndexDef *def = node_of(e, id)->index;
  Text text = text_new(e->out.arena);
  for (int k = 0; k < 2; k++) {
    text_add(&text, k ? "," : "");
    for (int d = 0; d < def->reads[k].rank; d++) text_printf(&text, "%c", 'a' + def->reads[k].at[d].term[0].index);
  }
  text_add(&text, "->");
  for (int k = 0; k < def->n_out; k++) text_printf(&text, "%c", 'a' + k);
  const char *in[2] = {plain(e, m->leaf[0]), plain(e, m->leaf[1])};
  if (!strcmp(text.bytes, "ac,cb->ab")) return out_node(&e->out, "MatMul", in, 2, NULL);
  const char *name = out_node(&e->out, "Einsum", in, 2, NULL);
  out_text(&e->out, "equation", text.bytes);
  return name;
}

static const char *reduce(Ex *e, NodeId id) {
  static const char *const names[] = {
      [COMBINE_MAP] = "",          [COMBINE_SUM] = "ReduceSum",   [COMBINE_MAX] = "ReduceMax",
      [COMBINE_MIN] = "ReduceMin", [COMBINE_PROD] = "ReduceProd", [COMBINE_ARGMAX] = "ArgMax",
      [COMBINE_ARGMIN] = "ArgMin"};
  const Node *n = node_of(e, id);
  const IndexDef *def = n->index;
  NodeId from = e->match[id].leaf[0];
  const Value *v = &e->values[from];
  const int *axis = v->name ? v->axis : identity;
  const char *in[2] = {v->name ? v->name : plain(e, from), NULL}, *name = names[def->combine];
  int64_t axes[IR_MAX_RANK];
  int rank = def->reads[0].rank, reduced = 0, kept[IR_MAX_RANK], n_kept = 0, order[IR_MAX_RANK], next = 0;
  for (int p = 0; p < rank; p++) {
    if (def->reads[0].at[axis[p]].term[0].index >= def->n_out)
      axes[reduced++] = p;
    else
      kept[n_kept++] = axis[p];
  }
  for (int d = 0; d < rank; d++)
    for (int k = 0; k < n_kept; k++)
      if (kept[k] == d) order[k] = next++;
  bool position = def->combine == COMBINE_ARGMAX || def->combine == COMBINE_ARGMIN;
  if (position && reduced != 1) return fail(e, id, "a position over several axes");
  if (def->combine == COMBINE_SUM) in[1] = out_whole(&e->out, 1, reduced, axes);
  name = out_node(&e->out, name, in, in[1] ? 2 : 1, NULL);
  if (position)
    out_int(&e->out, "axis", axes[0]);
  else if (!in[1])
    out_ints(&e->out, "axes", axes, reduced);
  out_int(&e->out, "keepdims", 0);
  if (position) {
    name = out_node(&e->out, "Cast", &name, 1, NULL);
    out_int(&e->out, "to", ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
  }
  name = transpose(e, name, n_kept, order, identity);
  return n_kept == n->shape.rank ? name : reshape(e, name, n->shape.rank, n->shape.dim);
}

// A part of a tensor by Slice, then zeros around it by Pad.
static const char *part(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  const Read *read = &n->index->reads[0];
  const Shape *shape = &node_of(e, e->match[id].leaf[0])->shape;
  int64_t start[IR_MAX_RANK], end[IR_MAX_RANK], step[IR_MAX_RANK], axes[IR_MAX_RANK], pads[2 * IR_MAX_RANK] = {0};
  int sliced = 0;
  bool padded = false;
  for (int d = 0; d < read->rank; d++) {
    int64_t coef = read->at[d].n_terms ? read->at[d].term[0].coef : 1, extent = n->index->extent[d].scale;
    int64_t last = read->at[d].offset + coef * (extent - 1);
    if (!dim_is_const(shape->dim[d])) continue;
    if (read->at[d].offset < 0 || last >= shape->dim[d].scale) {
      pads[d] = -read->at[d].offset;
      pads[d + read->rank] = last - shape->dim[d].scale + 1;
      padded = true;
      continue;
    }
    axes[sliced] = d;
    start[sliced] = read->at[d].offset;
    step[sliced] = coef;
    end[sliced++] = last + (coef > 0 ? 1 : last > 0 ? -1 : -shape->dim[d].scale - 1);
  }
  const char *name = plain(e, e->match[id].leaf[0]);
  if (sliced) {
    const char *in[5] = {name, out_whole(&e->out, 1, sliced, start), out_whole(&e->out, 1, sliced, end),
                         out_whole(&e->out, 1, sliced, axes), out_whole(&e->out, 1, sliced, step)};
    name = out_node(&e->out, "Slice", in, 5, NULL);
  }
  if (!padded) return name;
  const char *in[2] = {name, out_whole(&e->out, 1, 2 * read->rank, pads)};
  return out_node(&e->out, "Pad", in, 2, NULL);
}

// ---- element by element
// -----------------------------------------------------------------------------------------------------

static const char *pointwise_name(Op op, DType type) {
  static const char *const names[OP_COUNT] = {
      [OP_neg] = "Neg",    [OP_abs] = "Abs",         [OP_sign] = "Sign",      [OP_floor] = "Floor",
      [OP_exp] = "Exp",    [OP_log] = "Log",         [OP_sqrt] = "Sqrt",      [OP_rsqrt] = "Sqrt",
      [OP_tanh] = "Tanh",  [OP_sigmoid] = "Sigmoid", [OP_erf] = "Erf",        [OP_detach] = "Identity",
      [OP_add] = "Add",    [OP_sub] = "Sub",         [OP_mul] = "Mul",        [OP_div] = "Div",
      [OP_pow] = "Pow",    [OP_max] = "Max",         [OP_min] = "Min",        [OP_eq] = "Equal",
      [OP_ne] = "Equal",   [OP_lt] = "Less",         [OP_le] = "LessOrEqual", [OP_and] = "And",
      [OP_or] = "Or",      [OP_not] = "Not",         [OP_select] = "Where",   [OP_to_f32] = "Cast",
      [OP_to_i32] = "Cast"};
  if (op == OP_mod && type == DT_I32) return "Mod";
  return names[op];
}

// The order in which most of it is there already.
static void choose_order(const Ex *e, const Node *n, int *axis) {
  memcpy(axis, identity, sizeof identity);
  for (int k = 0; k < n->n_in; k++) {
    const Value *v = &e->values[n->in[k]];
    if (!v->name || node_of(e, n->in[k])->shape.rank != n->shape.rank) continue;
    memcpy(axis, v->axis, sizeof v->axis);
    if (!same_order(axis, identity, n->shape.rank)) return;
  }
}

static const char *pointwise(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  const char *op = e->match[id].kind == MATCH_RELU ? "Relu" : pointwise_name(n->op, n->type), *in[3];
  const NodeId *operands = e->match[id].kind == MATCH_RELU ? e->match[id].leaf : n->in;
  int count = e->match[id].kind == MATCH_RELU ? 1 : n->n_in;
  Value *v = &e->values[id];
  if (!op) return fail(e, id, op_info(n->op)->name);
  choose_order(e, n, v->axis);
  for (int k = 0; k < count; k++) in[k] = operand(e, operands[k], n->shape.rank, v->axis);
  const char *name = out_node(&e->out, op, in, count, NULL);
  if (n->op == OP_to_f32) out_int(&e->out, "to", ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT);
  if (n->op == OP_to_i32) out_int(&e->out, "to", ONNX__TENSOR_PROTO__DATA_TYPE__INT32);
  if (n->op == OP_rsqrt) name = out_node(&e->out, "Reciprocal", &name, 1, NULL);
  if (n->op == OP_ne) name = out_node(&e->out, "Not", &name, 1, NULL);
  return name;
}

static const char *concat(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  const char **in = arena_array(e->out.arena, (size_t)n->n_in, sizeof *in);
  int *axis = e->values[id].axis, place = 0;
  choose_order(e, n, axis);
  for (int k = 0; k < n->n_in; k++) in[k] = transpose(e, plain(e, n->in[k]), n->shape.rank, identity, axis);
  for (int k = 0; k < n->n_in; k++) {
    const Value *v = &e->values[n->in[k]];
    if (v->name && same_order(v->axis, axis, n->shape.rank)) in[k] = v->name;
  }
  while (axis[place] != n->axis) place++;
  const char *name = out_node(&e->out, "Concat", in, n->n_in, NULL);
  out_int(&e->out, "axis", place);
  return name;
}

// A transpose is the same tensor whose dimensions have other numbers; any other broadcast is made where it is used.
static const char *broadcast(Ex *e, NodeId id) {
  const Node *n = node_of(e, id);
  NodeId from = e->match[id].leaf[0];
  const Read *read = &n->index->reads[0];
  if (read->rank != n->shape.rank || is_weight(e, from)) return NULL;
  for (int d = 0; d < read->rank; d++)
    if (read->at[d].n_terms != 1) return NULL;
  const char *name = e->values[from].name ? e->values[from].name : plain(e, from);
  const int *axis = e->values[from].name ? e->values[from].axis : identity;
  for (int p = 0; p < read->rank; p++) e->values[id].axis[p] = read->at[axis[p]].term[0].index;
  return name;
}

static const char *gather(Ex *e, NodeId id) {
  const char *in[2] = {plain(e, node_of(e, id)->in[0]), plain(e, node_of(e, id)->in[1])};
  return out_node(&e->out, "Gather", in, 2, NULL);
}

static const char *global_pool(Ex *e, NodeId id) {
  const char *name = first(e, e->match[id].leaf[0]);
  name = out_node(&e->out, "GlobalAveragePool", &name, 1, NULL);
  return out_node(&e->out, "Flatten", &name, 1, NULL);
}

static const char *emit(Ex *e, NodeId id) {
  switch (e->match[id].kind) {
    case MATCH_POINTWISE:
    case MATCH_RELU:
      return pointwise(e, id);
    case MATCH_BATCH_NORM:
      return batch_norm(e, id);
    case MATCH_CONV:
    case MATCH_EACH_CONV:
      return conv(e, id);
    case MATCH_DENSE:
      return dense(e, id);
    case MATCH_PRODUCT:
      return product(e, id);
    case MATCH_MAX_POOL:
    case MATCH_SUM_POOL:
      return pool(e, id);
    case MATCH_GLOBAL:
      return global_pool(e, id);
    case MATCH_REDUCE:
      return reduce(e, id);
    case MATCH_BROADCAST:
      return broadcast(e, id);
    case MATCH_PART:
      return part(e, id);
    case MATCH_CONCAT:
      return concat(e, id);
    case MATCH_GATHER:
      return gather(e, id);
    case MATCH_SOURCE:
      return node_of(e, id)->op == OP_input ? node_of(e, id)->name : NULL;
    case MATCH_RESHAPE:
      return NULL;  // made where it is used: some only turn weights
    case MATCH_NONE:
      break;
  }
  return fail(e, id,
              op_info(node_of(e, id)->op)->class == OPC_INDEX ? "this formula" : op_info(node_of(e, id)->op)->name);
}

// ---- the whole
// ------------------------------------------------------------------------------------------------------------

static void want(Ex *e, NodeId id) { e->uses[id]++; }

// From the outputs back: which nodes count, and what they are.
static void match_all(Ex *e) {
  const Graph *g = e->g;
  int *all = arena_array(e->out.arena, g->n_nodes, sizeof *all);
  for (size_t id = 0; id < g->n_nodes; id++)
    for (int k = 0; k < g->nodes[id].n_in; k++) all[g->nodes[id].in[k]]++;
  for (size_t k = 0; k < g->n_outputs; k++) {
    want(e, g->outputs[k].value);
    all[g->outputs[k].value]++;
  }
  for (size_t id = g->n_nodes; id-- > 0;) {
    if (!e->uses[id]) continue;
    Match *m = &e->match[id];
    match_node(g, (NodeId)id, all, m);
    const Node *n = graph_node(g, (NodeId)id);
    if (!m->n_leaves && n->n_in) {
      if (m->kind == MATCH_RESHAPE) m->leaf[0] = n->in[0], m->n_leaves = 1;
    }
    for (int k = 0; k < m->n_leaves; k++) want(e, m->leaf[k]);
    for (int k = 0; !m->n_leaves && k < n->n_in; k++) want(e, n->in[k]);
  }
}

static void add_inputs(Ex *e) {
  Out *o = &e->out;
  o->proto.input = arena_array(o->arena, e->g->n_nodes, sizeof *o->proto.input);
  for (size_t id = 0; id < e->g->n_nodes; id++) {
    const Node *n = &e->g->nodes[id];
    if (n->op == OP_input) o->proto.input[o->proto.n_input++] = out_port(o, n->name, n->type, &n->shape);
  }
}

static void add_outputs(Ex *e) {
  Out *o = &e->out;
  o->proto.output = arena_array(o->arena, e->g->n_outputs, sizeof *o->proto.output);
  for (size_t k = 0; k < e->g->n_outputs; k++) {
    const Output *output = &e->g->outputs[k];
    const Node *n = graph_node(e->g, output->value);
    const char *name = plain(e, output->value);
    const char *result =
        graph_find_source(e->g, OP_input, output->name) == NODE_NONE ? output->name : out_name(o, output->name);
    out_node(o, "Identity", &name, 1, result);
    o->proto.output[o->proto.n_output++] = out_port(o, result, n->type, &n->shape);
  }
}

uint8_t *onnx_export(Arena *arena, DiagSink *sink, const Graph *g, const OnnxWeights *weights, size_t *size) {
  Ex e = {.out = {.arena = arena, .graph = g}, .g = g, .sink = sink, .weights = weights};
  onnx__graph_proto__init(&e.out.proto);
  e.out.proto.name = arena_strdup(arena, g->name);
  e.match = arena_array(arena, g->n_nodes, sizeof *e.match);
  e.values = arena_array(arena, g->n_nodes, sizeof *e.values);
  e.uses = arena_array(arena, g->n_nodes, sizeof *e.uses);
  match_all(&e);
  add_inputs(&e);
  for (size_t id = 0; id < g->n_nodes; id++) {
    if (!e.uses[id]) continue;
    memcpy(e.values[id].axis, identity, sizeof identity);
    e.values[id].name = emit(&e, (NodeId)id);
  }
  if (e.failed) return NULL;
  add_outputs(&e);
  if (e.failed) return NULL;
  uint8_t *bytes = out_bytes(&e.out, size);
  if (!bytes)
    diag_error(sink, DIAG_E0423, SPAN_NONE, "the model is larger than 2 GiB, which is more than ONNX's files can hold");
  return bytes;
}
