// From a file's bytes to a program: reads the graph, puts its nodes in order, calls each one's operator.
//
// On entry: bytes that nobody has looked at. On exit: a program, or a report: what the file is not (E0420), or every
// node that dlc has nothing for, with its reason (E0422).
#include <string.h>

#include "inside.h"

enum { MOST_NOTES = 200 };

static const size_t most_bytes = (size_t)2 << 30;  // protocol buffers go no further

__attribute__((format(printf, 2, 3))) static bool damaged(Im *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *what = arena_vprintf(m->arena, format, args);
  va_end(args);
  if (!m->damaged) diag_error(m->sink, DIAG_E0420, SPAN_NONE, "'%s' cannot be imported: %s", m->path, what);
  m->damaged = true;
  return false;
}

// ---- names
// ----------------------------------------------------------------------------------------------------------------

Val *find_val(Im *m, const char *name) {
  int k = hash_find(&m->names, hash_bytes(name, strlen(name)));
  return k < 0 ? NULL : m->vals[k];
}

static bool add_val(Im *m, const char *name, Val *v) {
  Hash key = hash_bytes(name, strlen(name));
  if (hash_find(&m->names, key) >= 0) return damaged(m, "the value '%s' is made twice", name);
  m->vals = arena_grow(m->arena, m->vals, m->n_vals, &m->vals_capacity, sizeof *m->vals);
  m->vals[m->n_vals] = v;
  hash_add(m->arena, &m->names, key, (int)m->n_vals++);
  v->source = name;
  return true;
}

// ---- the file
// -------------------------------------------------------------------------------------------------------------

static void *unpack_alloc(void *state, size_t bytes) { return arena_alloc(((Im *)state)->arena, bytes); }
static void unpack_free(void *state, void *block) { (void)state, (void)block; }

static bool unpack(Im *m, const uint8_t *bytes, size_t size) {
  ProtobufCAllocator allocator = {unpack_alloc, unpack_free, m};
  const char *wrong = size > most_bytes ? "it is larger than 2 GiB" : size ? NULL : "it is empty";
  if (!wrong) wrong = wire_check(&onnx__model_proto__descriptor, bytes, size);
  if (!wrong) m->model = onnx__model_proto__unpack(&allocator, size, bytes);
  if (!wrong && !m->model) wrong = "it is no ONNX model";
  if (!wrong && !m->model->graph) wrong = "it holds no graph";
  return !wrong || damaged(m, "%s", wrong);
}

static bool read_opset(Im *m) {
  for (size_t k = 0; k < m->model->n_opset_import; k++) {
    const Onnx__OperatorSetIdProto *set = m->model->opset_import[k];
    if (!set->domain || !*set->domain || !strcmp(set->domain, "ai.onnx")) m->opset = set->version;
  }
  if (m->opset >= ONNX_OLDEST && m->opset <= ONNX_NEWEST) return true;
  return damaged(
      m, m->opset ? "its operators are of version %lld; dlc knows %d to %d" : "it names no version of its operators",
      (long long)m->opset, ONNX_OLDEST, ONNX_NEWEST);
}

// ---- inputs
// ---------------------------------------------------------------------------------------------------------------

static bool read_initializers(Im *m) {
  const Onnx__GraphProto *g = m->model->graph;
  for (size_t k = 0; k < g->n_initializer; k++) {
    const Onnx__TensorProto *proto = g->initializer[k];
    Known *known = known_read(m, proto);
    if (!known) return m->damaged ? false : damaged(m, "%s", m->why);
    known->weight = true;
    if (!add_val(m, proto->name ? proto->name : "", val_of_known(m, known))) return false;
  }
  if (g->n_sparse_initializer) return damaged(m, "it has sparse tensors");
  return true;
}

static const OnnxSize *named_size(const Im *m, const char *name) {
  for (int k = 0; k < m->asked->n_sizes; k++)
    if (!strcmp(m->asked->sizes[k].name, name)) return &m->asked->sizes[k];
  return NULL;
}

// The first size of an input may be open: the batch, under one name in all inputs.
static bool read_size(Im *m, const char *input, int d, const Onnx__TensorShapeProto__Dimension *proto, Size *size) {
  bool number = proto->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
  bool named = proto->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
  const char *name = named && proto->dim_param ? proto->dim_param : "";
  const OnnxSize *given = *name ? named_size(m, name) : NULL;
  *size = size_of(number ? proto->dim_value : given ? given->size : 1);
  if (number && proto->dim_value == 0)
    return damaged(
        m, "'%s' (which has no elements) must be known when the program is made: --input %s=FILE.npy holds it fixed",
        input, input);
  if (number || given)
    return size->scale >= 1 || damaged(m, "size %d of the input '%s' is %lld", d, input, (long long)size->scale);
  bool same = !m->batch || !strcmp(m->batch, name);
  if (d > 0 || !same) {
    if (*name)
      return damaged(m, "size %d of the input '%s' is open: --set %s=SIZE says what '%s' is", d, input, name, name);
    return damaged(m, "size %d of the input '%s' is open and has no name", d, input);
  }
  size->batch = m->batched = true;
  m->batch = name;
  return true;
}

static bool read_input(Im *m, const Onnx__ValueInfoProto *proto, Val **v) {
  const char *name = proto->name ? proto->name : "";
  const Onnx__TypeProto *type = proto->type;
  if (!type || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !type->tensor_type)
    return damaged(m, "the input '%s' is no tensor", name);
  Elem elem;
  if (!elem_of(type->tensor_type->elem_type, &elem) || is_double(type->tensor_type->elem_type))
    return damaged(m, "the input '%s' is of a type that dlc lacks", name);
  const Onnx__TensorShapeProto *shape = type->tensor_type->shape;
  if (!shape) return damaged(m, "the input '%s' has no shape", name);
  if (shape->n_dim > MAX_RANK) return damaged(m, "the input '%s' has %zu dimensions", name, shape->n_dim);
  Size dim[MAX_RANK];
  for (size_t d = 0; d < shape->n_dim; d++)
    if (!read_size(m, name, (int)d, shape->dim[d], &dim[d])) return false;
  *v = val_new(m, elem, (int)shape->n_dim, dim);
  Size elements;
  if (!val_elements(*v, &elements) || elements.scale > INT32_MAX)
    return damaged(m, "the input '%s' is too large", name);
  return true;
}

static Val *fixed_value(Im *m, const char *name) {
  for (int k = 0; k < m->asked->n_fixed; k++) {
    const OnnxFixed *f = &m->asked->fixed[k];
    if (strcmp(f->name, name) != 0) continue;
    Elem type = f->type == 0 ? ELEM_F32 : f->type == 2 ? ELEM_BOOL : ELEM_I32;
    Known *known = known_new(m, type, f->rank, f->dim);
    for (int64_t n = 0; n < known->count; n++) {
      if (f->type == 0) ((float *)known->f)[n] = ((const float *)f->data)[n];
      if (f->type == 1) ((int64_t *)known->i)[n] = ((const int32_t *)f->data)[n];
      if (f->type >= 2) ((int64_t *)known->i)[n] = ((const uint8_t *)f->data)[n];
    }
    return val_of_known(m, known);
  }
  return NULL;
}

// Do images come in here? Then the program's input has its channels last.
static bool feeds_images(const Im *m, const char *name) {
  static const char *const layers[] = {
      "Conv",          "ConvTranspose",      "MaxPool", "AveragePool",          "GlobalAveragePool",
      "GlobalMaxPool", "BatchNormalization", "LRN",     "InstanceNormalization"};
  const Onnx__GraphProto *g = m->model->graph;
  for (size_t k = 0; k < g->n_node; k++) {
    if (!g->node[k]->n_input || strcmp(g->node[k]->input[0], name) != 0 || !g->node[k]->op_type) continue;
    for (size_t n = 0; n < sizeof layers / sizeof *layers; n++)
      if (!strcmp(g->node[k]->op_type, layers[n])) return true;
  }
  return false;
}

static void add_input(Im *m, Val *v) {
  v->var = arena_alloc(m->arena, sizeof *v->var);
  v->var->name = name_clean(m, v->source, "x");
  m->inputs[m->n_inputs++] = v;
  if (v->rank < 3 || v->type != ELEM_F32 || !feeds_images(m, v->source)) return;
  for (int d = 2; d < v->rank; d++) v->axis[d - 1] = d;
  v->axis[v->rank - 1] = 1;
  v->image = true;
}

static bool read_inputs(Im *m) {
  const Onnx__GraphProto *g = m->model->graph;
  m->inputs = arena_array(m->arena, g->n_input, sizeof *m->inputs);
  for (size_t k = 0; k < g->n_input; k++) {
    const char *name = g->input[k]->name ? g->input[k]->name : "";
    if (find_val(m, name)) continue;  // it has an initializer
    Val *v = fixed_value(m, name), *read = v;
    if (!read && !read_input(m, g->input[k], &read)) return false;
    if (!add_val(m, name, read)) return false;
    if (!v) add_input(m, read);
  }
  for (int k = 0; k < m->asked->n_fixed; k++)
    if (!find_val(m, m->asked->fixed[k].name)) return damaged(m, "it has no input '%s'", m->asked->fixed[k].name);
  return true;
}

// ---- the order of nodes
// -----------------------------------------------------------------------------------------------------

typedef struct Order {
  HashTable made_by;         // values' names -> nodes
  int *waits;                // [n_node]: operands that are not made yet
  int *first, *next, *user;  // lists: for each node, those that use it
  int n_uses;
  int *order;
} Order;

static bool count_uses(Im *m, Order *o) {
  const Onnx__GraphProto *g = m->model->graph;
  for (size_t k = 0; k < g->n_node; k++) {
    for (size_t n = 0; n < g->node[k]->n_input; n++) {
      const char *name = g->node[k]->input[n];
      if (!*name || find_val(m, name)) continue;
      int maker = hash_find(&o->made_by, hash_bytes(name, strlen(name)));
      if (maker < 0) return damaged(m, "node %zu uses '%s', which nothing makes", k + 1, name);
      o->waits[k]++;
      o->user[o->n_uses] = (int)k;
      o->next[o->n_uses] = o->first[maker];
      o->first[maker] = o->n_uses++;
    }
  }
  return true;
}

static bool list_makers(Im *m, Order *o, size_t *uses) {
  const Onnx__GraphProto *g = m->model->graph;
  for (size_t k = 0; k < g->n_node; k++) {
    o->first[k] = -1;
    *uses += g->node[k]->n_input;
    for (size_t n = 0; n < g->node[k]->n_output; n++) {
      const char *name = g->node[k]->output[n];
      Hash key = hash_bytes(name, strlen(name));
      if (!*name) continue;
      if (hash_find(&o->made_by, key) >= 0 || find_val(m, name))
        return damaged(m, "the value '%s' is made twice", name);
      hash_add(m->arena, &o->made_by, key, (int)k);
    }
  }
  return true;
}

// The nodes in an order in which each comes after what it uses. NULL after reporting a circle or a loose end.
static const int *node_order(Im *m) {
  const Onnx__GraphProto *g = m->model->graph;
  Order o = {.waits = arena_array(m->arena, g->n_node, sizeof(int)),
             .first = arena_array(m->arena, g->n_node, sizeof(int)),
             .order = arena_array(m->arena, g->n_node, sizeof(int))};
  size_t uses = 0, done = 0;
  if (!list_makers(m, &o, &uses)) return NULL;
  o.next = arena_array(m->arena, uses, sizeof(int));
  o.user = arena_array(m->arena, uses, sizeof(int));
  if (!count_uses(m, &o)) return NULL;
  for (size_t k = 0; k < g->n_node; k++)
    if (!o.waits[k]) o.order[done++] = (int)k;
  for (size_t at = 0; at < done; at++)
    for (int u = o.first[o.order[at]]; u >= 0; u = o.next[u])
      if (--o.waits[o.user[u]] == 0) o.order[done++] = o.user[u];
  for (size_t k = 0; k < g->n_node && done < g->n_node; k++)
    if (o.waits[k] > 0) {
      damaged(m, "its nodes form a circle, which goes through node %zu ('%s')", k + 1,
              g->node[k]->n_output ? g->node[k]->output[0] : "");
      return NULL;
    }
  return o.order;
}

// ---- nodes
// ------------------------------------------------------------------------------------------------------------------

static void note_refusal(Im *m, const Onnx__NodeProto *proto, int number) {
  if (!m->refusals)
    m->refusals = diag_error(m->sink, DIAG_E0422, SPAN_NONE, "'%s' has nodes that dlc has nothing for", m->path);
  Text name = text_new(m->arena);
  text_add_quoted(&name, proto->name && *proto->name ? proto->name : proto->n_output ? proto->output[0] : "");
  if (m->n_refused++ < MOST_NOTES)
    diag_line(m->sink, m->refusals, DIAG_NOTE, "node %d, %s %s: %s", number + 1, proto->op_type ? proto->op_type : "?",
              name.bytes, m->why ? m->why : "it cannot be had");
}

static bool is_standard(const Onnx__NodeProto *proto) {
  return !proto->domain || !*proto->domain || !strcmp(proto->domain, "ai.onnx");
}

// Looks the operands up. False where one is of a refused node: then this one says nothing more.
static bool find_operands(Im *m, Node *node) {
  const Onnx__NodeProto *proto = node->proto;
  node->n_in = (int)proto->n_input;
  node->n_out = (int)proto->n_output;
  node->in = arena_array(m->arena, proto->n_input, sizeof *node->in);
  node->out = arena_array(m->arena, proto->n_output + 8, sizeof *node->out);
  bool whole = true;
  for (int k = 0; k < node->n_in; k++) {
    node->in[k] = *proto->input[k] ? find_val(m, proto->input[k]) : NULL;
    if (node->in[k] && node->in[k]->broken) whole = false;
  }
  while (node->n_in && !node->in[node->n_in - 1]) node->n_in--;
  return whole;
}

static bool operands_fit(Im *m, const Node *node, const Operator *op) {
  if (node->n_in < op->least || node->n_in > op->most) return refuse(m, "it has %d operands", node->n_in);
  for (int k = 0; k < op->least; k++)
    if (!node->in[k]) return refuse(m, "operand %d is missing", k + 1);
  return true;
}

static bool results_fit(Im *m, const Node *node) {
  for (int k = 0; k < node->n_out; k++) {
    const Val *v = node->out[k];
    Size elements;
    if (!v) continue;
    if (!val_elements(v, &elements) || elements.scale > INT32_MAX) return refuse(m, "its result is too large");
    if (elements.scale == 0 && !v->known) return refuse(m, "its result has no elements");
    for (int d = 0; d < v->rank; d++)
      if (v->dim[d].batch && v->dim[d].scale != 1) return refuse(m, "it makes one size of the batch and another");
  }
  return true;
}

static bool run_operator(Im *m, Node *node) {
  const Onnx__NodeProto *proto = node->proto;
  const Operator *op = is_standard(proto) && proto->op_type ? operator_find(proto->op_type) : NULL;
  if (!op) return refuse(m, is_standard(proto) ? "dlc has no such operator" : "it is not one of ONNX's own operators");
  if (!find_operands(m, node)) return m->why = NULL, false;
  if (!operands_fit(m, node, op)) return false;
  if (fold_node(m, node)) return true;
  return op->run(m, node, op->kind) && !m->why && results_fit(m, node);
}

static bool name_results(Im *m, Node *node, bool done) {
  for (int k = 0; k < node->n_out; k++) {
    const char *name = node->proto->output[k];
    if (!*name) continue;
    Val *v = done && node->out[k] ? val_view(m, node->out[k]) : val_new(m, ELEM_F32, 0, NULL);
    v->broken = !done || !node->out[k];
    if (!add_val(m, name, v)) return false;
  }
  return true;
}

static bool run_node(Im *m, int k) {
  Node node = {.proto = m->model->graph->node[k]};
  node.n_out = (int)node.proto->n_output;
  m->why = NULL;
  bool broken_operand = false;
  bool done = run_operator(m, &node);
  if (!done) {
    for (size_t n = 0; n < node.proto->n_input; n++) {
      const Val *v = find_val(m, node.proto->input[n]);
      broken_operand |= v && v->broken;
    }
    if (m->why || !broken_operand) note_refusal(m, node.proto, k);
  }
  return name_results(m, &node, done) && !m->damaged;
}

static bool run_nodes(Im *m) {
  const int *order = node_order(m);
  if (!order) return false;
  for (size_t k = 0; k < m->model->graph->n_node; k++)
    if (!run_node(m, order[k])) return false;
  if (m->n_refused > MOST_NOTES)
    diag_line(m->sink, m->refusals, DIAG_NOTE, "and %zu more nodes", m->n_refused - MOST_NOTES);
  return !m->refusals;
}

static bool read_outputs(Im *m) {
  const Onnx__GraphProto *g = m->model->graph;
  if (!g->n_output) return damaged(m, "it has no outputs");
  m->outputs = arena_array(m->arena, g->n_output, sizeof *m->outputs);
  for (size_t k = 0; k < g->n_output; k++) {
    const char *name = g->output[k]->name ? g->output[k]->name : "";
    Val *v = find_val(m, name);
    if (!v) return damaged(m, "nothing makes the output '%s'", name);
    if (v->broken) return damaged(m, "the output '%s' is one that dlc does not compute", name);
    if (v->known && !v->known->count) return damaged(m, "the output '%s' has no elements", name);
    if (v->known && v->known->batch) return damaged(m, "the output '%s' is a size of the batch", name);
    Val *turned = v->image && !v->image_of ? val_last(m, v) : val_plain(m, v);
    use(m, turned);
    for (size_t other = 0; other < k; other++)
      if (m->outputs[other]->var == turned->var) turned = make_call(m, turned, "identity", NULL);
    Val *output = val_view(m, turned);
    output->source = name;
    m->outputs[m->n_outputs++] = output;
  }
  return true;
}

OnnxProgram *onnx_import_bytes(Arena *arena, DiagSink *sink, Io io, const char *path, const void *bytes, size_t size,
                               const OnnxAsked *asked) {
  Im m = {.arena = arena, .sink = sink, .io = io, .path = path, .asked = asked};
  bool read = unpack(&m, bytes, size) && read_opset(&m) && read_initializers(&m) && read_inputs(&m) && run_nodes(&m) &&
              read_outputs(&m);
  if (!read) return NULL;
  OnnxProgram *program = arena_alloc(arena, sizeof *program);
  program->n_nodes = (int)m.model->graph->n_node;
  program_print(&m, program);
  return program;
}

OnnxProgram *onnx_import(Arena *arena, DiagSink *sink, Io io, const char *path, const OnnxAsked *asked) {
  char *bytes;
  size_t size;
  int error = io_read_file(io, arena, path, most_bytes, &bytes, &size);
  if (!error) return onnx_import_bytes(arena, sink, io, path, bytes, size, asked);
  diag_error(sink, DIAG_E0403, SPAN_NONE, "cannot read '%s': %s", path, io_reason(error));
  return NULL;
}
