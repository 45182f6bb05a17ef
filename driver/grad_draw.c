// The graph of dlc grad --at: backpropagation as it is drawn on a blackboard, each value above its gradient.
#include <string.h>

#include "grad_inside.h"
#include "graphviz.h"

enum { MOST_DRAWN = 80, MOST_NUMBERS = 16, DRAWN_IN_A_LINE = 6 };

typedef struct Drawing {
  const AtRun *run;
  Arena *arena;
  bool *drawn;   // [n_nodes]
  bool *needed;  // [n_nodes]: leads to a result
  int n_needed;
  Text *out;
} Drawing;

// A movement that only repeats or renames a value is drawn all the same: it has a gradient of its own.
static Drawing drawing_of(const AtRun *run, Text *out) {
  const Graph *g = run->lowered->graph;
  Drawing d = {.run = run, .arena = out->arena, .out = out};
  d.drawn = arena_array(d.arena, g->n_nodes, sizeof *d.drawn);
  d.needed = arena_array(d.arena, g->n_nodes, sizeof *d.needed);
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_RESULT) d.needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;) {
    d.n_needed += d.needed[k];
    for (int i = 0; d.needed[k] && i < g->nodes[k].n_in; i++) d.needed[g->nodes[k].in[i]] = true;
  }
  return d;
}

// ---- what stands at a node ------------------------------------------------------------------------------------------

static const char *index_text(Arena *arena, const Node *node) {
  const IndexDef *def = node->index;
  if (def->combine == COMBINE_MAP) return node->tag ? node->tag : "move";
  Text text = text_new(arena);
  text_printf(&text, "%s over", combine_name(def->combine));
  for (int k = def->n_out; k < def->n_out + def->n_red; k++)
    text_printf(&text, "%s %s", k > def->n_out ? "," : "", def->name[k]);
  return text.bytes;
}

// "+", "exp", "sum over j"; NULL of a source.
static const char *operation(Arena *arena, const Node *node) {
  static const struct {
    Op op;
    const char *sign;
  } signs[] = {{OP_add, "+"},  {OP_sub, "-"}, {OP_mul, "*"}, {OP_div, "/"},
               {OP_pow, "**"}, {OP_neg, "-"}, {OP_lt, "<"},  {OP_le, "<="}};
  if (op_info(node->op)->class == OPC_SOURCE) return NULL;
  if (node->op == OP_index) return index_text(arena, node);
  for (size_t k = 0; k < sizeof signs / sizeof *signs; k++)
    if (signs[k].op == node->op) return signs[k].sign;
  return op_info(node->op)->name;
}

static const char *label(const Drawing *d, NodeId id) {
  const Node *node = graph_node(d->run->lowered->graph, id);
  const char *name = grad_name_of(d->run, id), *sign = operation(d->arena, node);
  if (node->op == OP_const) return arena_printf(d->arena, "%.6g", node->number);
  if (!sign) return name;
  return name ? arena_printf(d->arena, "%s = %s", name, sign) : sign;
}

// An image of one channel is shown as a matrix: of more than two axes those of size 1 are left out.
static EvalTensor squeezed(EvalTensor value) {
  int rank = 0;
  for (int k = 0; k < value.shape.rank; k++)
    if (value.shape.dim[k].scale != 1 || value.shape.rank <= 2) value.shape.dim[rank++] = value.shape.dim[k];
  value.shape.rank = rank;
  return value;
}

static const char *number_text(const Drawing *d, const EvalTensor *value, int in_a_line) {
  Text text = text_new(d->arena);
  EvalTensor shown = squeezed(*value);
  grad_add_value(&text, &shown, shown.shape.rank > 1 ? MOST_NUMBERS : in_a_line);
  return text.bytes;
}

static bool has_gradient(const Drawing *d, NodeId id) {
  const Node *node = graph_node(d->run->lowered->graph, id);
  return node->type == DT_F32 && node->op != OP_const && node->op != OP_state;
}

// ---- text -----------------------------------------------------------------------------------------------------------

// Characters, not bytes: branches are drawn in UTF-8.
static int width(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

// The place of the values: behind the longest label. Visits what text_node will, a node's operands once.
static int longest(const Drawing *d, NodeId id, int depth, bool *visited) {
  const Node *node = graph_node(d->run->lowered->graph, id);
  int most = 3 * depth + width(label(d, id));
  if (visited[id]) return most;
  visited[id] = true;
  for (int k = 0; k < node->n_in; k++) {
    int below = longest(d, node->in[k], depth + 1, visited);
    if (below > most) most = below;
  }
  return most;
}

static void text_node(Drawing *d, NodeId id, const char *lead, const char *branch, const char *below, int column) {
  const Node *node = graph_node(d->run->lowered->graph, id);
  const char *name = label(d, id);
  int used = width(lead) + width(branch) + width(name);
  bool again = d->drawn[id] && node->n_in > 0;
  text_printf(d->out, "%s%s%s", lead, branch, name);
  if (node->op != OP_const)
    text_printf(d->out, "%*s%s", column - used, "",
                again ? "(above)" : number_text(d, &d->run->values[id], MOST_NUMBERS));
  text_add(d->out, "\n");
  d->drawn[id] = true;
  if (again) return;
  const char *next = arena_printf(d->arena, "%s%s", lead, below);
  if (has_gradient(d, id)) {
    text_printf(d->out, "%s%s%*s%s\n", next, node->n_in ? "│" : " ", column - width(next) - 1, "",
                number_text(d, &d->run->slopes[id], MOST_NUMBERS));
  }
  for (int k = 0; k < node->n_in; k++) {
    bool last = k + 1 == node->n_in;
    text_node(d, node->in[k], next, last ? "└─ " : "├─ ", last ? "   " : "│  ", column);
  }
}

void grad_draw_text(const AtRun *run, Text *out) {
  Drawing d = drawing_of(run, out);
  const Graph *g = run->lowered->graph;
  if (d.n_needed > MOST_DRAWN) return;
  text_add(out, "\nvalues, and below each the gradient:\n\n");
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (g->outputs[k].kind != OUT_RESULT) continue;
    NodeId id = g->outputs[k].value;
    bool *visited = arena_array(d.arena, g->n_nodes, sizeof *visited);
    memcpy(visited, d.drawn, g->n_nodes * sizeof *visited);
    text_node(&d, id, "", "", "", longest(&d, id, 0, visited) + 3);
  }
}

// ---- Graphviz -------------------------------------------------------------------------------------------------------

// Escaped; a matrix row by row, and what is known of a large value below its shape, so that no box becomes as wide as
// the line of text.
static void dot_value(const Drawing *d, const char *text) {
  for (const char *end; (end = strchr(text, ']')); text = end) {
    end += strncmp(end, "], [", 4) == 0 ? 3 : strncmp(end, "] ", 2) == 0 ? 2 : 1;
    bool ends_line = end[-1] == ' ';
    graphviz_add_escaped(d->out, arena_strndup(d->arena, text, (size_t)(end - text) - ends_line));
    if (ends_line) text_add(d->out, "<br/>");
  }
  graphviz_add_escaped(d->out, text);
}

static void dot_row(const Drawing *d, const char *colour, const EvalTensor *value) {
  text_printf(d->out, "<tr><td><font color=\"%s\">", colour);
  dot_value(d, number_text(d, value, DRAWN_IN_A_LINE));
  text_add(d->out, "</font></td></tr>");
}

// A node is a column of three: its value in green, what it is, its gradient in red. Edges end at the middle one.
static void dot_node(const Drawing *d, NodeId id) {
  const Node *node = graph_node(d->run->lowered->graph, id);
  bool source = node->n_in == 0, gradient = has_gradient(d, id);
  text_printf(d->out, "  n%d [label=<<table border=\"0\" cellborder=\"0\" cellspacing=\"0\" cellpadding=\"2\">",
              (int)id);
  if (node->op != OP_const) dot_row(d, "#1a7f37", &d->run->values[id]);
  text_printf(d->out, "<tr><td port=\"op\" border=\"1\" cellpadding=\"5\" bgcolor=\"%s\"%s>",
              source ? "#eef2f7" : "#ffffff", source ? "" : " style=\"rounded\"");
  graphviz_add_escaped(d->out, label(d, id));
  text_add(d->out, "</td></tr>");
  if (gradient) dot_row(d, "#cf222e", &d->run->slopes[id]);
  text_add(d->out, "</table>>];\n");
}

void grad_draw_dot(const AtRun *run, Text *out) {
  Drawing d = drawing_of(run, out);
  const Graph *g = run->lowered->graph;
  text_printf(out,
              "digraph \"%s\" {\n"
              "  // values in green above, gradients in red below\n"
              "  graph [rankdir=LR, ranksep=0.5, nodesep=0.25, bgcolor=\"white\"];\n"
              "  node [shape=none, margin=0, fontname=\"Helvetica,Arial,sans-serif\", fontsize=12];\n"
              "  edge [arrowsize=0.6, color=\"#57606a\"];\n",
              run->p->model_name);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (d.needed[k]) dot_node(&d, (NodeId)k);
  for (size_t k = 0; k < g->n_nodes; k++)
    for (int i = 0; d.needed[k] && i < g->nodes[k].n_in; i++)
      text_printf(out, "  n%d:op:e -> n%d:op:w;\n", (int)g->nodes[k].in[i], (int)k);
  text_add(out, "}\n");
}
