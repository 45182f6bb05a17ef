// The verifier: every invariant of ir.h, each said in words where it is broken. Nothing is believed on entry: any graph
// whose arrays have the lengths that they state is judged without a crash. The memory it needs is in the graph's arena.
#include "checked.h"
#include "inside.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Appends the reason and is false, so that a check reads `ok || fail(why, ...)`.
static bool __attribute__((format(printf, 2, 3))) fail(Text *why, const char *format, ...) {
  va_list args;
  va_start(args, format);
  text_vprintf(why, format, args);
  va_end(args);
  return false;
}

static bool is_number(DType type) { return type == DT_F32 || type == DT_I32; }

// ---- shapes -------------------------------------------------------------------------------------------------------

// The product of the scales: what an overflow would break whatever the symbols are.
static bool product_fits(const Dim *dim, int count, int64_t limit) {
  int64_t product = 1;
  for (int d = 0; d < count; d++)
    if (dim[d].scale == 0) return true;
  for (int d = 0; d < count; d++)
    if (!checked_mul(product, dim[d].scale, &product) || product > limit) return false;
  return true;
}

static bool shape_verify(const Graph *g, const Shape *shape, Text *why) {
  if (shape->rank < 0 || shape->rank > IR_MAX_RANK)
    return fail(why, "rank %d is not in 0..%d", shape->rank, IR_MAX_RANK);
  for (int d = 0; d < shape->rank; d++)
    if (!dim_valid(g, shape->dim[d])) return fail(why, "dimension %d is negative or of an unknown symbol", d);
  return product_fits(shape->dim, shape->rank, INT64_MAX) || fail(why, "the number of elements does not fit 63 bits");
}

static bool number_verify(DType type, double number, Text *why) {
  switch (type) {
    case DT_F32:
      return number_equal(number, (double)(float)number) || fail(why, "constant %.17g is no float", number);
    case DT_I32:
      return (number >= INT32_MIN && number <= INT32_MAX && floor(number) == number) ||
             fail(why, "constant %.17g is no i32", number);
    case DT_BOOL:
      return number == 0 || number == 1 || fail(why, "constant %.17g is no bool", number);
    default:
      return fail(why, "no constants of this type");
  }
}

// ---- index nodes --------------------------------------------------------------------------------------------------

static bool indices_verify(const Graph *g, const IndexDef *def, Text *why) {
  if (def->n_out < 0 || def->n_out > IR_MAX_RANK || def->n_red < 0 || def->n_red > IR_MAX_INDICES - def->n_out)
    return fail(why, "%d result and %d reduced indices", def->n_out, def->n_red);
  int n = def->n_out + def->n_red;
  for (int k = 0; k < n; k++) {
    if (!dim_valid(g, def->extent[k]))
      return fail(why, "the extent of index %d is negative or of an unknown symbol", k);
    if (!def->name[k] || !name_is_plain(def->name[k])) return fail(why, "index %d has no usable name", k);
    for (int j = 0; j < k; j++)
      if (!strcmp(def->name[j], def->name[k])) return fail(why, "two indices are named %s", def->name[k]);
  }
  return product_fits(def->extent, n, INT64_MAX) || fail(why, "the index space does not fit 63 bits");
}

// Far enough from the ends of 64 bits that no sum of a few such values overflows.
static bool expr_fits(const IndexDef *def, const IndexExpr *e) {
  const int64_t limit = (int64_t)1 << 60;
  if (e->offset < -limit || e->offset > limit || e->divisor > limit) return false;
  int64_t sum = 0;
  for (int k = 0; k < e->n_terms; k++) {
    int64_t coef = e->term[k].coef, reach;
    if (coef < -limit || coef > limit) return false;
    if (!checked_mul(coef < 0 ? -coef : coef, def->extent[e->term[k].index].scale, &reach)) return false;
    if (!checked_add(sum, reach, &sum) || sum > limit) return false;
  }
  return true;
}

static bool expr_verify(const IndexDef *def, const IndexExpr *e, Text *why) {
  if (e->n_terms < 0 || e->n_terms > IR_MAX_TERMS) return fail(why, "a read has %d terms", e->n_terms);
  for (int k = 0; k < e->n_terms; k++) {
    int index = e->term[k].index;
    if (index < 0 || index >= def->n_out + def->n_red)
      return fail(why, "a read uses index %d, which is not there", index);
    if (k && index <= e->term[k - 1].index) return fail(why, "the terms of a read are not sorted by index");
    if (e->term[k].coef == 0) return fail(why, "a read has a term with coefficient 0");
  }
  bool divides = e->kind == DIV_EXACT || e->kind == DIV_FLOOR;
  if (divides ? e->divisor < 2 : e->kind != DIV_NONE || e->divisor != 1)
    return fail(why, "a read has divisor %lld, which does not go with its kind", (long long)e->divisor);
  return expr_fits(def, e) || fail(why, "a read reaches too far");
}

static bool reads_verify(const Graph *g, const Node *node, Text *why) {
  const IndexDef *def = node->index;
  if (node->n_in && !def->reads) return fail(why, "no reads");
  for (int k = 0; k < node->n_in; k++) {
    const Read *read = &def->reads[k];
    int rank = graph_node(g, node->in[k])->shape.rank;
    if (read->rank != rank) return fail(why, "operand %d has rank %d and is read with %d indices", k, rank, read->rank);
    for (int d = 0; d < rank; d++)
      if (!expr_verify(def, &read->at[d], why)) return false;
    for (int j = 0; j < k; j++)
      if (node->in[j] == node->in[k] && read_equal(&def->reads[j], read))
        return fail(why, "operands %d and %d are the same read", j, k);
  }
  return true;
}

static bool call_verify(const IndexDef *def, int k, Text *why) {
  const Scalar *s = &def->body[k];
  if ((unsigned)s->op >= OP_COUNT || op_info(s->op)->class != OPC_POINTWISE)
    return fail(why, "instruction %d is no pointwise op", k);
  DType in[3], type;
  for (int a = 0; a < op_info(s->op)->arity; a++) {
    if (s->arg[a] < 0 || s->arg[a] >= k) return fail(why, "instruction %d uses one that is not before it", k);
    in[a] = def->body[s->arg[a]].type;
  }
  if (!op_result_type(s->op, in, &type))
    return fail(why, "%s takes %s", op_info(s->op)->name, op_types_meaning(op_info(s->op)->types));
  return type == s->type || fail(why, "instruction %d has the wrong type", k);
}

static bool scalar_verify(const Graph *g, const Node *node, int k, int *operands_seen, Text *why) {
  const IndexDef *def = node->index;
  const Scalar *s = &def->body[k];
  int from = s->arg[0];
  switch (s->kind) {
    case SCALAR_READ:
      if (from < 0 || from >= node->n_in)
        return fail(why, "instruction %d reads operand %d of %d", k, from, node->n_in);
      if (from > *operands_seen) return fail(why, "operands are not numbered in the order of their first read");
      *operands_seen += from == *operands_seen;
      return s->type == graph_node(g, node->in[from])->type || fail(why, "instruction %d has the wrong type", k);
    case SCALAR_INDEX:
      if (from < 0 || from >= def->n_out + def->n_red)
        return fail(why, "instruction %d uses index %d, which is not there", k, from);
      return s->type == DT_I32 || fail(why, "the value of an index is i32");
    case SCALAR_CONST:
      return number_verify(s->type, s->number, why);
    case SCALAR_OP:
      return call_verify(def, k, why);
  }
  return fail(why, "instruction %d is of no kind", k);
}

static bool body_verify(const Graph *g, const Node *node, Text *why) {
  const IndexDef *def = node->index;
  if (def->n_body < 1 || !def->body) return fail(why, "the body is empty");
  bool *used = arena_array(g->arena, (size_t)def->n_body, sizeof *used);
  int operands = 0;
  for (int k = 0; k < def->n_body; k++) {
    if (!scalar_verify(g, node, k, &operands, why)) return false;
    const Scalar *s = &def->body[k];
    for (int a = 0; s->kind == SCALAR_OP && a < op_info(s->op)->arity; a++) used[s->arg[a]] = true;
  }
  for (int k = 0; k < def->n_body - 1; k++)
    if (!used[k]) return fail(why, "instruction %d is never used", k);
  return operands == node->n_in || fail(why, "operand %d is never read", operands);
}

static bool combine_verify(const IndexDef *def, Text *why) {
  Order order = def->order;
  if (order.chunk < 0 || (order.lanes != 1 && order.lanes != 16))
    return fail(why, "order(chunk %lld, lanes %d)", (long long)order.chunk, order.lanes);
  if (order.winograd &&
      ((order.winograd != 4 && order.winograd != 2) || order.lanes != 1 || !index_is_plain_product(def)))
    return fail(why, "winograd %d of what is no plain product with lanes 1", order.winograd);
  if (def->combine == COMBINE_MAP) {
    if (def->n_red) return fail(why, "a map has no reduced indices");
    return (order.chunk == 0 && order.lanes == 1 && !order.winograd) || fail(why, "a map has no order");
  }
  const char *name = combine_name(def->combine);
  if (def->n_red < 1) return fail(why, "%s needs a reduced index", name);
  if (!is_number(def->body[def->n_body - 1].type)) return fail(why, "%s is over f32 or i32", name);
  bool position = def->combine == COMBINE_ARGMAX || def->combine == COMBINE_ARGMIN;
  return !position || product_fits(def->extent + def->n_out, def->n_red, INT32_MAX) ||
         fail(why, "positions in the reduced space do not fit i32");
}

bool index_verify(const Graph *g, const Node *node, Text *why) {
  const IndexDef *def = node->index;
  if (!def) return fail(why, "no definition");
  if ((unsigned)def->combine >= COMBINE_COUNT) return fail(why, "no such combine");
  return indices_verify(g, def, why) && reads_verify(g, node, why) && body_verify(g, node, why) &&
         combine_verify(def, why);
}

// ---- nodes --------------------------------------------------------------------------------------------------------

static bool operands_verify(const Node *node, NodeId id, Text *why) {
  if (node->n_in < 0 || (node->n_in && !node->in)) return fail(why, "no operands");
  int arity = op_info(node->op)->arity;
  if (arity >= 0 && node->n_in != arity)
    return fail(why, "%s takes %d operands, not %d", op_info(node->op)->name, arity, node->n_in);
  if (node->op == OP_concat && node->n_in == 0) return fail(why, "concat takes at least one operand");
  for (int k = 0; k < node->n_in; k++)
    if (node->in[k] < 0 || node->in[k] >= id)
      return fail(why, "operand %d is %%%d, which is not before it", k, node->in[k]);
  return true;
}

static bool attributes_verify(const Graph *g, const Node *node, Text *why) {
  switch (node->op) {
    case OP_input:
    case OP_param:
    case OP_state:
      return node->name || fail(why, "%s without a name", op_info(node->op)->name);
    case OP_const:
      return number_verify(node->type, node->number, why);
    case OP_index:
      return index_verify(g, node, why);
    default:
      return true;
  }
}

bool node_verify(const Graph *g, NodeId id, Text *why) {
  const Node *node = graph_node(g, id);
  if ((unsigned)node->op >= OP_COUNT) return fail(why, "no such op");
  if ((unsigned)node->type >= DT_COUNT) return fail(why, "no such type");
  if (!operands_verify(node, id, why) || !shape_verify(g, &node->shape, why) || !attributes_verify(g, node, why))
    return false;
  DType type;
  Shape shape;
  if (!node_infer(g, node, &type, &shape, why) || !shape_verify(g, &shape, why)) return false;
  if (type == node->type && shape_equal(&shape, &node->shape)) return true;
  text_add(why, "the result is ");
  type_print(g, type, &shape, why);
  text_add(why, ", not ");
  type_print(g, node->type, &node->shape, why);
  return false;
}

// ---- outputs and the whole ----------------------------------------------------------------------------------------

Hash graph_source_key(Op op, const char *name) {
  Hash key = hash_text(name);
  key.high ^= (uint64_t)op;
  return key;
}

static bool has_name(const Node *node) { return op_info(node->op)->class == OPC_SOURCE && node->op != OP_const; }

HashTable graph_sources(const Graph *g) {
  HashTable sources = {0};
  for (size_t k = 0; k < g->n_nodes; k++)
    if (has_name(&g->nodes[k]))
      hash_add(g->arena, &sources, graph_source_key(g->nodes[k].op, g->nodes[k].name), (int)k);
  return sources;
}

// A state's next value and a gradient have the shape of what they belong to, where that is still in the graph.
static bool belongs(const Graph *g, const HashTable *sources, const Output *output, Op op, Text *why) {
  NodeId owner = hash_find(sources, graph_source_key(op, output->name));
  if (owner == NODE_NONE || shape_equal(&graph_node(g, owner)->shape, &graph_node(g, output->value)->shape))
    return true;
  return fail(why, "%s '%s' has another shape than its %s", output_kind_name(output->kind), output->name,
              op_info(op)->name);
}

bool output_verify(const Graph *g, const HashTable *sources, size_t k, Text *why) {
  const Output *output = &g->outputs[k];
  if ((unsigned)output->kind >= OUT_KIND_COUNT) return fail(why, "output %zu is of no kind", k);
  if (output->value < 0 || (size_t)output->value >= g->n_nodes)
    return fail(why, "output %zu is %%%d, which is not there", k, output->value);
  const Node *value = graph_node(g, output->value);
  if (output->kind == OUT_LOSS)
    return (value->type == DT_F32 && value->shape.rank == 0) || fail(why, "the loss is not f32[]");
  if (!output->name) return fail(why, "a %s without a name", output_kind_name(output->kind));
  if (output->kind == OUT_STATE) return belongs(g, sources, output, OP_state, why);
  return output->kind != OUT_GRAD || belongs(g, sources, output, OP_param, why);
}

// What must be there once: a source by op and name, an output by kind and name.
typedef struct Key {
  int kind;
  const char *name;
} Key;

static int key_compare(const void *a, const void *b) {
  const Key *p = a, *q = b;
  return p->kind != q->kind ? (p->kind > q->kind) - (p->kind < q->kind) : strcmp(p->name, q->name);
}

// A key that is there twice, or NULL. Sorts.
static const Key *find_twice(Key *keys, size_t count) {
  qsort(keys, count, sizeof *keys, key_compare);
  for (size_t k = 1; k < count; k++)
    if (key_compare(&keys[k - 1], &keys[k]) == 0) return &keys[k];
  return NULL;
}

static bool sources_differ(const Graph *g, Text *why) {
  Key *keys = arena_array(g->arena, g->n_nodes, sizeof *keys);
  size_t count = 0;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (has_name(node)) keys[count++] = (Key){(int)node->op, node->name};
  }
  const Key *twice = find_twice(keys, count);
  return !twice || fail(why, "two %s nodes are named '%s'", op_info((Op)twice->kind)->name, twice->name);
}

static bool outputs_verify(const Graph *g, Text *why) {
  Key *keys = arena_array(g->arena, g->n_outputs, sizeof *keys);
  HashTable sources = graph_sources(g);
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (!output_verify(g, &sources, k, why)) return false;
    const Output *output = &g->outputs[k];
    keys[k] = (Key){(int)output->kind, output->kind == OUT_LOSS ? "" : output->name};
  }
  const Key *twice = find_twice(keys, g->n_outputs);
  return !twice || fail(why, "two %s outputs are named '%s'", output_kind_name((OutputKind)twice->kind), twice->name);
}

static bool header_verify(const Graph *g, Text *why) {
  if (!g->name) return fail(why, "the graph has no name");
  if (g->n_symbols < 0 || g->n_symbols > IR_MAX_SYMBOLS) return fail(why, "%d symbols", g->n_symbols);
  for (int k = 0; k < g->n_symbols; k++) {
    if (!g->symbols[k] || !name_is_word(g->symbols[k])) return fail(why, "symbol %d has no usable name", k + 1);
    for (int j = 0; j < k; j++)
      if (!strcmp(g->symbols[j], g->symbols[k])) return fail(why, "two symbols are named %s", g->symbols[k]);
  }
  return true;
}

bool graph_verify(const Graph *g, Text *why) {
  if (!header_verify(g, why)) return false;
  for (size_t k = 0; k < g->n_nodes; k++) {
    Text reason = text_new(g->arena);
    if (!node_verify(g, (NodeId)k, &reason)) return fail(why, "%%%zu: %s", k, reason.bytes);
  }
  return sources_differ(g, why) && outputs_verify(g, why);
}
