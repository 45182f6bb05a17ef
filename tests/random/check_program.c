#include "check_program.h"

#include <string.h>

#include "io.h"
#include "program.h"
#include "twin.h"

static Lowered *lower(Check *c, const char *text, Mode mode, LowerWhat what) {
  DiagSink *sink = diag_sink_new(c->arena);
  Program *program = program_from_text(c->arena, sink, io_system(), "random.dl", text, NULL, 0);
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, program_find_model(program, NULL), mode, what);
  diag_render(sink, false, &c->why);
  if (lowered) text_clear(&c->why);  // warnings
  return lowered;
}

static const char *format(Check *c, const char *text) {
  DiagSink *sink = diag_sink_new(c->arena);
  Text out = text_new(c->arena);
  return ast_format(c->arena, sink, diag_add_source(sink, "random.dl", text, strlen(text)), &out) ? out.bytes : NULL;
}

static Fault check_format(Check *c, const char *text, const Graph *g) {
  const char *once = format(c, text), *twice = once ? format(c, once) : NULL;
  if (!twice || strcmp(once, twice)) return text_add(&c->why, "dlc fmt changes what it wrote"), FAULT_SOURCE;
  Lowered *again = lower(c, once, MODE_TRAIN, LOWER_LOSS);
  if (again && graph_equal(again->graph, g)) return FAULT_NONE;
  text_add(&c->why, "dlc fmt changes what the program means");
  return FAULT_SOURCE;
}

// ---- the other way
// ----------------------------------------------------------------------------------------------------

static const char *renamed(const TensorTable *from, const TensorTable *to, const char *name) {
  int k = tensor_find(from, name);
  return k < 0 ? name : to->items[k].path;
}

// The twin's graph with the names of the original's parameters and states, which stand in the same order.
static const Graph *with_names(Check *c, const Lowered *twin, const Lowered *original) {
  Builder b = {.graph = graph_like(twin->graph)};
  NodeId *map = arena_array(c->arena, twin->graph->n_nodes, sizeof *map);
  for (size_t k = 0; k < twin->graph->n_nodes; k++) {
    Node node = twin->graph->nodes[k];
    if (node.op == OP_param)
      map[k] = build_param(&b, renamed(&twin->params, &original->params, node.name), &node.shape);
    else if (node.op == OP_state)
      map[k] = build_state(&b, renamed(&twin->states, &original->states, node.name), &node.shape);
    else
      map[k] = build_copy(&b, twin->graph, (NodeId)k, map);
  }
  for (size_t k = 0; k < twin->graph->n_outputs; k++) {
    const Output *o = &twin->graph->outputs[k];
    const char *name = o->kind == OUT_STATE ? renamed(&twin->states, &original->states, o->name) : o->name;
    graph_output(b.graph, o->kind, name, map[o->value]);
  }
  return b.graph;
}

static Fault check_twin(Check *c, const MadeProgram *p, Mode mode, LowerWhat what, const Lowered *original) {
  Lowered *twin = lower(c, p->twin.bytes, mode, what);
  if (!twin) return FAULT_SOURCE;
  if (twin->params.n_items != original->params.n_items || twin->states.n_items != original->states.n_items)
    return text_add(&c->why, "the other way to write it has other parameters"), FAULT_TWIN;
  return check_same(c, original->graph, with_names(c, twin, original));
}

// ---- the whole
// --------------------------------------------------------------------------------------------------------

static Fault check_mode(Check *c, const MadeProgram *p, Mode mode, LowerWhat what) {
  Lowered *lowered = lower(c, p->text.bytes, mode, what);
  if (!lowered) return FAULT_SOURCE;
  c->train = mode == MODE_TRAIN;
  Fault fault = c->train ? check_format(c, p->text.bytes, lowered->graph) : FAULT_NONE;
  if (!fault && p->has_twin) fault = check_twin(c, p, mode, what, lowered);
  if (!fault) fault = check_graph(c, lowered->graph);
  return fault;
}

Fault check_program(Check *c, const MadeProgram *p) {
  c->whole = true;
  Fault fault = check_mode(c, p, MODE_TRAIN, LOWER_LOSS);
  return fault ? fault : check_mode(c, p, MODE_INFER, LOWER_OUTPUT);
}

const Graph *program_graph(Check *c, const MadeProgram *p, bool inference) {
  Lowered *lowered =
      inference ? lower(c, p->text.bytes, MODE_INFER, LOWER_OUTPUT) : lower(c, p->text.bytes, MODE_TRAIN, LOWER_LOSS);
  return lowered ? lowered->graph : NULL;
}
