// Gradients at a point, in double by the evaluator. The derivative by an intermediate value is that of the graph cut
// there: the value becomes an input of a copy of the graph, and autodiff differentiates by it.
#include "grad_at.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Point {  // one input's value
  const char *name;
  double *data;
  int64_t count;
  int rank;
  int64_t dim[IR_MAX_RANK];
} Point;

typedef struct AtRun {
  Pipeline *p;
  Lowered *lowered;
  Point *points;
  int n_points;
  const char *cut_name;  // the node that stands as an input, with its value
  const EvalTensor *cut;
} AtRun;

// ---- the point ------------------------------------------------------------------------------------------------------

typedef struct Reader {
  Session *session;
  const char *at;
  size_t capacity;
} Reader;

static bool point_error(Session *s, const char *text) {
  Diag *diag = diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at cannot be read from '%s' on", text);
  diag_line(s->sink, diag, DIAG_HELP, "a point is written x=-2,y=[1,2],W=[[1,0],[0,1]]");
  return false;
}

// A number, or a list of equally long items in brackets; `depth` is the dimension that the list is.
static bool read_value(Reader *r, Point *point, int depth) {
  if (*r->at != '[') {
    char *end;
    double number = strtod(r->at, &end);
    if (end == r->at || depth != point->rank) return point_error(r->session, r->at);
    point->data = arena_grow(r->session->arena, point->data, (size_t)point->count, &r->capacity, sizeof *point->data);
    point->data[point->count++] = number;
    r->at = end;
    return true;
  }
  bool first_list = depth >= point->rank;
  if (depth >= IR_MAX_RANK || (first_list && point->count > 0)) return point_error(r->session, r->at);
  if (first_list) point->rank = depth + 1;
  int64_t items = 0;
  do {
    r->at++;
    if (!read_value(r, point, depth + 1)) return false;
    items++;
  } while (*r->at == ',');
  if (*r->at != ']' || (point->dim[depth] && point->dim[depth] != items)) return point_error(r->session, r->at);
  point->dim[depth] = items;
  r->at++;
  return true;
}

static bool read_points(AtRun *run) {
  Session *s = run->p->session;
  Reader r = {.session = s, .at = s->options.at};
  size_t capacity = 0;
  while (*r.at) {
    size_t length = strcspn(r.at, "=,");
    if (r.at[length] != '=' || length == 0) return point_error(s, r.at);
    Point point = {.name = arena_strndup(s->arena, r.at, length)};
    r.at += length + 1;
    r.capacity = 0;
    if (!read_value(&r, &point, 0)) return false;
    run->points = arena_grow(s->arena, run->points, (size_t)run->n_points, &capacity, sizeof *run->points);
    run->points[run->n_points++] = point;
    if (*r.at && *r.at++ != ',') return point_error(s, r.at - 1);
  }
  return true;
}

static Point *find_point(const AtRun *run, const char *name) {
  for (int k = 0; k < run->n_points; k++)
    if (!strcmp(run->points[k].name, name)) return &run->points[k];
  return NULL;
}

// The cotangents are inputs of their own ("cotangent", "cotangent.NAME"), always ones here.
static bool is_cotangent(const char *name) { return !strncmp(name, "cotangent", 9) && (!name[9] || name[9] == '.'); }

// Every input has a point of its shape; every point belongs to an input. The batch symbol stands for 1.
static bool check_points(AtRun *run) {
  Session *s = run->p->session;
  const Graph *g = run->lowered->graph;
  int used = 0;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (node->op != OP_input || is_cotangent(node->name)) continue;
    const Point *point = find_point(run, node->name);
    const int64_t ones[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
    if (!point) {
      diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at gives no value for input '%s'", node->name);
      return false;
    }
    bool fits = point->rank == node->shape.rank;
    for (int d = 0; fits && d < point->rank; d++) fits = point->dim[d] == dim_value(node->shape.dim[d], ones);
    if (!fits) {
      Text shape = text_new(s->arena);
      shape_print(&node->shape, g->symbols, &shape);
      diag_error(s->sink, DIAG_E0451, SPAN_NONE, "the value of '%s' does not have the shape %s", node->name,
                 shape.bytes);
      return false;
    }
    used++;
  }
  if (used == run->n_points) return true;
  diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at names something that is no input of the model, or one twice");
  return false;
}

// ---- evaluation -----------------------------------------------------------------------------------------------------

static bool source(void *state, const Node *node, double *data, int64_t count) {
  const AtRun *run = state;
  if (node->op != OP_input) {  // parameters and states: as training with this seed would start
    bool param = node->op == OP_param;
    const TensorTable *table = param ? &run->lowered->params : &run->lowered->states;
    int at = tensor_find(table, node->name);
    float *block = arena_array(run->p->session->arena, (size_t)table->block_floats, sizeof *block);
    if (at < 0) return false;
    tensor_init(&table->items[at], run->p->seed, block);
    for (int64_t k = 0; k < count; k++) data[k] = (double)block[table->items[at].offset + k];
    return true;
  }
  if (run->cut_name && !strcmp(node->name, run->cut_name)) {
    memcpy(data, run->cut->data, (size_t)count * sizeof *data);
    return true;
  }
  const Point *point = find_point(run, node->name);
  for (int64_t k = 0; k < count; k++) data[k] = point ? point->data[k] : 1;  // the cotangent is ones
  return true;
}

static EvalTensor *evaluate(AtRun *run, const Graph *g) {
  static const int64_t ones[IR_MAX_SYMBOLS] = {1, 1, 1, 1};
  Session *s = run->p->session;
  EvalEnv env = {.symbol_values = ones, .source = source, .state = run, .seed = run->p->seed, .all = true};
  EvalTensor *values = arena_array(s->arena, g->n_nodes, sizeof *values);
  const char *why;
  if (graph_eval(g, &env, s->arena, values, &why)) return values;
  diag_error(s->sink, DIAG_E0451, SPAN_NONE, "the evaluator cannot run this: %s", why);
  return NULL;
}

static NodeId loss_of(const Graph *g) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS) return g->outputs[k].value;
  return NODE_NONE;
}

// What the loss needs, with the graph cut at `cut`: what only the cut node needs is not among it.
static bool *needed_nodes(const AtRun *run, NodeId cut) {
  const Graph *g = run->lowered->graph;
  bool *needed = arena_array(run->p->session->arena, g->n_nodes, sizeof *needed);
  needed[loss_of(g)] = true;
  for (size_t k = g->n_nodes; k-- > 0;)
    for (int i = 0; needed[k] && (NodeId)k != cut && i < g->nodes[k].n_in; i++) needed[g->nodes[k].in[i]] = true;
  return needed;
}

// What computes the loss, with node `cut` replaced by an input of the name, or as it is where cut is NODE_NONE. The
// input that is differentiated by is there in any case.
static Graph *cut_graph(const AtRun *run, NodeId cut, const char *name) {
  const Graph *g = run->lowered->graph;
  Builder b = {.graph = graph_like(g)};
  const bool *needed = needed_nodes(run, cut);
  NodeId *map = arena_array(run->p->session->arena, g->n_nodes, sizeof *map);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if ((NodeId)k == cut)
      map[k] = build_input(&b, name, node->type, &node->shape);
    else if (needed[k] || node->op == OP_input)
      map[k] = build_copy(&b, g, (NodeId)k, map);
  }
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS) graph_output(b.graph, OUT_LOSS, g->outputs[k].name, map[g->outputs[k].value]);
  return b.graph;
}

// d loss / d `name`, where `name` is an input of the graph. NULL data where the loss does not depend on it.
static bool gradient(AtRun *run, const Graph *g, const char *name, EvalTensor *result) {
  Session *s = run->p->session;
  PassContext context = {.arena = s->arena, .sink = s->sink, .grad_inputs = &name, .n_grad_inputs = 1};
  const Graph *joint = pass_autodiff(&context, g);
  EvalTensor *values = joint ? evaluate(run, joint) : NULL;
  *result = (EvalTensor){0};
  for (size_t k = 0; values && k < joint->n_outputs; k++)
    if (joint->outputs[k].kind == OUT_GRAD && !strcmp(joint->outputs[k].name, name))
      *result = values[joint->outputs[k].value];
  return values != NULL;
}

// ---- printing -------------------------------------------------------------------------------------------------------

static void add_number(Text *out, double value) {
  Text number = text_new(out->arena);
  text_printf(&number, "%.6g", value == 0 ? 0 : value);
  text_add(out, number.bytes);
}

static void add_value(Text *out, const EvalTensor *value, int d, int64_t *at) {
  if (!value->data) {
    text_add(out, "0");
    return;
  }
  if (d == value->shape.rank) {
    add_number(out, value->data[(*at)++]);
    return;
  }
  text_add(out, "[");
  for (int64_t k = 0; k < value->shape.dim[d].scale; k++) {
    if (k) text_add(out, ", ");
    add_value(out, value, d + 1, at);
  }
  text_add(out, "]");
}

enum { VALUE_COLUMN = 28 };

static void print_line(AtRun *run, const char *name, const EvalTensor *value, const EvalTensor *slope) {
  Text *out = &run->p->session->out;
  size_t begin = out->length;
  int64_t at = 0;
  text_printf(out, "%s = ", name);
  add_value(out, value, 0, &at);
  if (slope) {
    int used = (int)(out->length - begin);
    at = 0;
    text_printf(out, "%*sd%s/d%s = ", used < VALUE_COLUMN ? VALUE_COLUMN - used : 2, "", run->p->model_name, name);
    add_value(out, slope, 0, &at);
  }
  text_add(out, "\n");
}

// ---- central differences --------------------------------------------------------------------------------------------

static double loss_at(AtRun *run) {
  EvalTensor *values = evaluate(run, run->lowered->graph);
  return values ? values[loss_of(run->lowered->graph)].data[0] : NAN;
}

// The largest difference between the gradient and (f(x + h) - f(x - h)) / 2h, relative to the gradient's largest
// element.
static double check_gradient(AtRun *run, const char *name, const EvalTensor *slope) {
  Point *point = find_point(run, name);
  double worst = 0, largest = 1e-30;
  for (int64_t k = 0; k < point->count; k++) {
    double kept = point->data[k], h = 1e-5 * fmax(1, fabs(kept));
    point->data[k] = kept + h;
    double above = loss_at(run);
    point->data[k] = kept - h;
    double below = loss_at(run);
    point->data[k] = kept;
    double expected = (above - below) / (2 * h), found = slope->data ? slope->data[k] : 0;
    worst = fmax(worst, fabs(found - expected));
    largest = fmax(largest, fmax(fabs(found), fabs(expected)));
  }
  return worst / largest;
}

// ---- the command ----------------------------------------------------------------------------------------------------

static bool show_input(AtRun *run, const EvalTensor *values, const Node *node, NodeId id) {
  EvalTensor slope;
  if (!gradient(run, cut_graph(run, NODE_NONE, NULL), node->name, &slope)) return false;
  print_line(run, node->name, &values[id], &slope);
  if (run->p->session->options.check) {
    double off = check_gradient(run, node->name, &slope);
    text_printf(&run->p->session->out, "  central differences agree within %.1e%s\n", off, off < 1e-6 ? "" : ": WRONG");
  }
  return true;
}

static bool show_named(AtRun *run, const EvalTensor *values, const char *name, NodeId id) {
  EvalTensor slope = {0};
  if (values[id].type != DT_F32 || graph_node(run->lowered->graph, id)->op == OP_input) return true;
  run->cut_name = arena_printf(run->p->session->arena, "%s at %d", name, (int)id);  // no input has such a name
  run->cut = &values[id];
  bool done = gradient(run, cut_graph(run, id, run->cut_name), run->cut_name, &slope);
  run->cut_name = NULL;
  if (done) print_line(run, name, &values[id], &slope);
  return done;
}

static bool show_all(AtRun *run) {
  const Graph *g = run->lowered->graph;
  EvalTensor *values = evaluate(run, g);
  if (!values) return false;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    bool shown = node->op == OP_input && node->type == DT_F32 && !is_cotangent(node->name);
    if (shown && !show_input(run, values, node, (NodeId)k)) return false;
  }
  for (int k = 0; k < run->lowered->n_named; k++)
    if (!show_named(run, values, run->lowered->names[k], run->lowered->named[k])) return false;
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_RESULT) print_line(run, g->outputs[k].name, &values[g->outputs[k].value], NULL);
  return true;
}

int grad_at(Pipeline *p) {
  AtRun run = {.p = p, .lowered = program_lower(p->program, p->model, MODE_TRAIN, LOWER_COTANGENT)};
  if (!run.lowered || p->session->sink->n_errors) return STATUS_WRONG;
  if (!read_points(&run) || !check_points(&run)) return STATUS_USAGE;
  return show_all(&run) ? STATUS_DONE : STATUS_WRONG;
}
