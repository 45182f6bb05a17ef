// dlc graph: a network drawn through Graphviz. A call that the model makes is one box, whatever is inside; --depth 2
// opens the user's own functions, --depth 3 those that they call. The standard library's layers stay closed.
#include <string.h>

#include "commands.h"
#include "graphviz.h"
#include "pipeline.h"
#include "report.h"

enum { MOST_TENSORS = 3, LONGEST_TITLE = 40 };

typedef struct Box {
  int layer;            // number of the model's call that it is in, -1: the model itself
  const char *path;     // of the call that the box is; with layer -1 and of sources: the node's own name
  const char *title;    // "conv2d(6, 5, pad = 2)"
  const char *cluster;  // path of the opened call that it is drawn in; NULL: none
  Text tensors;         // "w [5, 5, 1, 6]", a line each
  int n_tensors;
  int64_t parameters;
  bool is_source;  // an input, or a parameter of the model itself
} Box;

typedef struct Drawing {
  const Pipeline *p;
  const Lowered *lowered;
  const Graph *g;
  Arena *arena;
  int64_t depth;
  const char *const *library;  // names of the standard library
  int n_library;
  Box *boxes;
  int n_boxes;
  size_t capacity;
  int *box_of;  // [n_nodes], -1: not drawn
  Text *out;
} Drawing;

// ---- from nodes to boxes --------------------------------------------------------------------------------------------

// The innermost of the model's calls that made the node; -1 where the model itself did.
static int layer_of(const Lowered *lowered, int id) {
  int found = -1, least = 0;
  for (int k = 0; k < lowered->n_layers; k++) {
    const LayerInfo *layer = &lowered->layers[k];
    int nodes = layer->last_node - layer->first_node;
    if (id < layer->first_node || id >= layer->last_node || (found >= 0 && nodes >= least)) continue;
    found = k;
    least = nodes;
  }
  return found;
}

// Is a path's component the library's own? "conv2d_1" is.
static bool is_library(const Drawing *d, const char *component, size_t length) {
  const char *number = memrchr(component, '_', length);
  size_t name = number ? (size_t)(number - component) : length;
  for (int k = 0; k < d->n_library; k++)
    if (strlen(d->library[k]) == name && memcmp(d->library[k], component, name) == 0) return true;
  return false;
}

// How much of a path is the box's: the model, and up to `depth` calls, none inside the library's. *cluster: how much of
// it is the opened call around the box, or 0. The result is 0 for what stands in an opened call itself.
static size_t box_path(const Drawing *d, const char *path, size_t *cluster) {
  const char *at = strchr(path, '.');
  *cluster = 0;
  if (!at) return strlen(path);
  for (int64_t depth = 1;; depth++) {
    const char *end = strchr(at + 1, '.');
    size_t length = end ? (size_t)(end - path) : strlen(path);
    if (depth == d->depth || is_library(d, at + 1, length - (size_t)(at + 1 - path))) return length;
    *cluster = length;
    if (!end) return 0;
    at = end;
  }
}

static const char *own_title(const Node *node) {
  if (op_info(node->op)->class == OPC_SOURCE) return node->name;
  if (node->op == OP_index) return combine_name(node->index->combine);
  return node->op == OP_add ? "+" : node->op == OP_sub ? "-" : node->op == OP_mul ? "*" : op_info(node->op)->name;
}

// The call as it is written, where it is short and the box is the model's own call; else its name.
static const char *call_title(const Drawing *d, const Box *box) {
  const char *dot = strchr(box->path, '.'), *inner = dot ? strrchr(box->path, '.') : NULL;
  const LayerInfo *layer = &d->lowered->layers[box->layer];
  if (inner != dot) return inner + 1;
  return strlen(layer->text) <= LONGEST_TITLE ? layer->text : layer->name;
}

static int find_box(const Drawing *d, int layer, const char *path, size_t length) {
  for (int k = 0; k < d->n_boxes; k++)
    if (d->boxes[k].layer == layer && strlen(d->boxes[k].path) == length && !memcmp(d->boxes[k].path, path, length))
      return k;
  return -1;
}

static int add_box(Drawing *d, Box box) {
  d->boxes = arena_grow(d->arena, d->boxes, (size_t)d->n_boxes, &d->capacity, sizeof *d->boxes);
  box.tensors = text_new(d->arena);
  d->boxes[d->n_boxes] = box;
  return d->n_boxes++;
}

// What the model, or an opened call, computes itself has a box for each node; so have inputs.
static int own_box(Drawing *d, NodeId id, int layer, const char *cluster) {
  const Node *node = graph_node(d->g, id);
  Box box = {.layer = layer, .path = arena_printf(d->arena, "%%%d", (int)id), .cluster = cluster};
  box.is_source = op_info(node->op)->class == OPC_SOURCE;
  box.title = own_title(node);
  return add_box(d, box);
}

static int call_box(Drawing *d, int layer, NodeId id) {
  const char *path = graph_node(d->g, id)->path;
  size_t around, length = box_path(d, path, &around);
  const char *cluster = around ? arena_strndup(d->arena, path, around) : NULL;
  if (!length) return own_box(d, id, layer, cluster);
  int found = find_box(d, layer, path, length);
  if (found >= 0) return found;
  Box box = {.layer = layer, .path = arena_strndup(d->arena, path, length), .cluster = cluster};
  box.title = call_title(d, &box);
  return add_box(d, box);
}

// A parameter's place is the call that declares it: "lenet5.conv2d_1.w". Shared ones stand where they are used first.
static void add_tensor(Box *box, const Graph *g, const Node *node) {
  static const int64_t ones[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  const char *dot = strrchr(node->name, '.');
  box->parameters += shape_count(&node->shape, ones);
  box->n_tensors++;
  text_printf(&box->tensors, "%s ", dot ? dot + 1 : node->name);
  report_shape(g, &node->shape, &box->tensors);
  text_add(&box->tensors, "\n");
}

static void place_nodes(Drawing *d, const bool *needed) {
  for (size_t k = 0; k < d->g->n_nodes; k++) {
    const Node *node = &d->g->nodes[k];
    d->box_of[k] = -1;
    if (!needed[k] || node->op == OP_const) continue;
    int layer = node->op == OP_input ? -1 : layer_of(d->lowered, (int)k);
    int box = layer >= 0 && node->path ? call_box(d, layer, (NodeId)k) : own_box(d, (NodeId)k, -1, NULL);
    if (node->op == OP_param) add_tensor(&d->boxes[box], d->g, node);
    d->box_of[k] = box;
  }
}

static bool *needed_nodes(const Drawing *d) {
  bool *needed = arena_array(d->arena, d->g->n_nodes, sizeof *needed);
  for (size_t k = 0; k < d->g->n_outputs; k++)
    if (d->g->outputs[k].kind == OUT_RESULT) needed[d->g->outputs[k].value] = true;
  for (size_t k = d->g->n_nodes; k-- > 0;)
    for (int i = 0; needed[k] && i < d->g->nodes[k].n_in; i++) needed[d->g->nodes[k].in[i]] = true;
  return needed;
}

// ---- Graphviz's text ------------------------------------------------------------------------------------------------

static void add_small(const Drawing *d, const char *text) {
  text_add(d->out, "<br/><font point-size=\"9\" color=\"#57606a\">");
  graphviz_add_escaped(d->out, text);
  text_add(d->out, "</font>");
}

static void draw_box(const Drawing *d, int k) {
  Box *box = &d->boxes[k];
  const char *fill = box->is_source ? "#eef2f7" : box->parameters ? "#ddf4ff" : "#ffffff";
  text_printf(d->out, "  b%d [fillcolor=\"%s\"%s, label=<", k, fill, box->is_source ? ", shape=ellipse" : "");
  graphviz_add_escaped(d->out, box->title);
  if (box->parameters) {
    Text count = text_new(d->arena);
    report_number(box->parameters, &count);
    add_small(d, arena_printf(d->arena, box->parameters == 1 ? "%s parameter" : "%s parameters", count.bytes));
  }
  for (char *line = box->tensors.bytes, *end; box->n_tensors <= MOST_TENSORS && line && (end = strchr(line, '\n'));
       line = end + 1)
    add_small(d, arena_strndup(d->arena, line, (size_t)(end - line)));
  text_add(d->out, ">];\n");
}

// Boxes of one opened call stand together in a frame with its name. Frames do not nest: the innermost is drawn.
static void draw_clusters(const Drawing *d) {
  for (int k = 0; k < d->n_boxes; k++) {
    const char *cluster = d->boxes[k].cluster;
    bool first = cluster != NULL;
    for (int j = 0; first && j < k; j++) first = !d->boxes[j].cluster || strcmp(d->boxes[j].cluster, cluster) != 0;
    if (!first) continue;
    text_printf(d->out, "  subgraph cluster_%d {\n    color=\"#8c959f\"; fontsize=11; labeljust=l; label=\"", k);
    graphviz_add_escaped(d->out, strchr(cluster, '.') + 1);
    text_add(d->out, "\";\n   ");
    for (int j = k; j < d->n_boxes; j++)
      if (d->boxes[j].cluster && strcmp(d->boxes[j].cluster, cluster) == 0) text_printf(d->out, " b%d;", j);
    text_add(d->out, "\n  }\n");
  }
}

// An edge for each value that leaves its box, with its shape; between two boxes each value once.
static void draw_edges(const Drawing *d, const bool *needed) {
  bool *drawn = arena_array(d->arena, (size_t)d->n_boxes, sizeof *drawn);
  for (size_t from = 0; from < d->g->n_nodes; from++) {
    if (d->box_of[from] < 0) continue;
    memset(drawn, 0, (size_t)d->n_boxes * sizeof *drawn);
    for (size_t to = from + 1; to < d->g->n_nodes; to++) {
      int box = d->box_of[to];
      bool reads = false;
      for (int i = 0; needed[to] && i < d->g->nodes[to].n_in; i++) reads |= (size_t)d->g->nodes[to].in[i] == from;
      if (!reads || box < 0 || box == d->box_of[from] || drawn[box]) continue;
      drawn[box] = true;
      text_printf(d->out, "  b%d -> b%d [label=\" ", d->box_of[from], box);
      report_shape(d->g, &d->g->nodes[from].shape, d->out);
      text_add(d->out, "\"];\n");
    }
  }
}

static void draw_results(const Drawing *d) {
  for (size_t k = 0; k < d->g->n_outputs; k++) {
    const Output *output = &d->g->outputs[k];
    if (output->kind != OUT_RESULT || d->box_of[output->value] < 0) continue;
    text_printf(d->out, "  r%zu [shape=ellipse, fillcolor=\"#eef2f7\", label=\"", k);
    graphviz_add_escaped(d->out, output->name);
    text_printf(d->out, "\"];\n  b%d -> r%zu [label=\" ", d->box_of[output->value], k);
    report_shape(d->g, &graph_node(d->g, output->value)->shape, d->out);
    text_add(d->out, "\"];\n");
  }
}

static void draw(Drawing *d, const bool *needed) {
  Text count = text_new(d->arena);
  report_number(report_parameters(&d->lowered->params), &count);
  text_printf(
      d->out,
      "digraph \"%s\" {\n"
      "  graph [fontname=\"Helvetica,Arial,sans-serif\", fontsize=12, bgcolor=\"white\", ranksep=0.35,\n"
      "         labelloc=t, label=\"%s: %s parameters\"];\n"
      "  node [shape=box, style=\"filled,rounded\", color=\"#8c959f\", fontname=\"Helvetica,Arial,sans-serif\",\n"
      "        fontsize=11, height=0.3, margin=\"0.12,0.05\"];\n"
      "  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, color=\"#57606a\", fontcolor=\"#57606a\",\n"
      "        arrowsize=0.6];\n",
      d->p->model_name, d->p->model_name, count.bytes);
  for (int k = 0; k < d->n_boxes; k++) draw_box(d, k);
  draw_clusters(d);
  draw_edges(d, needed);
  draw_results(d);
  text_add(d->out, "}\n");
}

// ---- the command ----------------------------------------------------------------------------------------------------

int command_graph(Session *session) {
  Pipeline *p = pipeline_open(session);
  Unit *unit = p ? pipeline_lower(p, MODE_TRAIN, LOWER_OUTPUT) : NULL;
  if (!unit) return STATUS_WRONG;
  const Options *o = &session->options;
  Text text = text_new(session->arena);
  Drawing d = {.p = p, .lowered = unit->lowered, .g = unit->lowered->graph, .arena = session->arena};
  d.depth = o->depth ? o->depth : 1;
  d.library = program_std_names(session->arena, &d.n_library);
  d.box_of = arena_array(session->arena, d.g->n_nodes, sizeof *d.box_of);
  d.out = o->output ? &text : &session->out;
  bool *needed = needed_nodes(&d);
  place_nodes(&d, needed);
  draw(&d, needed);
  return !o->output || graphviz_write(session, o->output, text.bytes) ? STATUS_DONE : STATUS_WRITE;
}
