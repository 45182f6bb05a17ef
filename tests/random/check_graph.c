#include "check_graph.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "product.h"
#include "run_graph.h"
#include "twin.h"

static const char *const fault_names[] = {"none", "verify", "text",     "local", "pass",
                                          "run",  "bits",   "gradient", "twin",  "source"};
const char *fault_name(Fault fault) { return fault_names[fault]; }

#define FIRST "autodiff,factor,variance"
#define LAST "halo,layout,order,winograd,outputs"

// ---- text -----------------------------------------------------------------------------------------------------------

static Fault check_text(Check *c, const Graph *g) {
  if (!graph_verify(g, &c->why)) return FAULT_VERIFY;
  Text first = text_new(c->arena), second = text_new(c->arena);
  graph_print(g, &first);
  DiagSink *sink = diag_sink_new(c->arena);
  Graph *parsed = graph_parse(c->arena, sink, diag_add_source(sink, "printed", first.bytes, first.length));
  diag_render(sink, false, &c->why);
  if (!parsed) return FAULT_TEXT;
  graph_print(parsed, &second);
  if (graph_equal(g, parsed) && !strcmp(first.bytes, second.bytes)) return FAULT_NONE;
  text_add(&c->why, "the text reads back as another graph");
  return FAULT_TEXT;
}

// ---- passes ---------------------------------------------------------------------------------------------------------

static PassContext context_of(Check *c, const Graph *g) {
  PassContext ctx = {.arena = g->arena, .sink = diag_sink_new(c->arena), .verify = true};
  const char **names = arena_array(c->arena, g->n_nodes, sizeof *names);
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_input && g->nodes[k].type == DT_F32) names[ctx.n_grad_inputs++] = g->nodes[k].name;
  ctx.grad_inputs = names;
  return ctx;
}

const Graph *check_passes(Check *c, const Graph *g, const char *list) {
  PassContext ctx = context_of(c, g);
  const Graph *result = passes_run(&ctx, g, c->train ? PASS_TRAIN : PASS_INFER, list, NULL);
  if (!result) diag_render(ctx.sink, false, &c->why);
  return result;
}

// Which of the standard passes change the graph.
static void count_passes(Check *c, const Graph *g) {
  for (int k = 0; k < pass_count; k++) {
    if (!(pass_table[k].mode & (c->train ? PASS_TRAIN : PASS_INFER))) continue;
    const Graph *next = check_passes(c, g, pass_table[k].name);
    if (!next) return;
    c->tally->fired[k] += next != g && !graph_equal(next, g);
    g = next;
  }
  tally_order(c->tally, g);
}

static EvalTensor *reference_of(Check *c, const Graph *g, double **bound) {
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(&c->fill, symbols);
  EvalTensor *values = arena_array(c->arena, g->n_nodes, sizeof *values);
  reference_eval(c->functions, g, &env, c->arena, values, bound);
  return values;
}

static EvalTensor *outputs_of(Check *c, const Graph *g, const EvalTensor *values) {
  EvalTensor *outputs = arena_array(c->arena, g->n_outputs, sizeof *outputs);
  for (size_t k = 0; k < g->n_outputs; k++) outputs[k] = values[g->outputs[k].value];
  return outputs;
}

// Are the outputs the same, bit for bit? The first that is not goes into the report.
static bool same_outputs(Check *c, const Graph *g, const EvalTensor *want, const EvalTensor *got, const char *what) {
  for (size_t k = 0; k < g->n_outputs; k++)
    for (int64_t i = 0; i < shape_count(&want[k].shape, NULL); i++) {
      if (same_number(want[k].data[i], got[k].data[i])) continue;
      text_printf(&c->why, "%s: element %lld of %s '%s' is %.9g, not %.9g", what, (long long)i,
                  output_kind_name(g->outputs[k].kind), g->outputs[k].name ? g->outputs[k].name : "", got[k].data[i],
                  want[k].data[i]);
      return false;
    }
  return true;
}

// Pass lists that must leave every bit: all but one, and the others in some order, some of them twice or not at all.
static const char *pass_list(Check *c, int way) {
  static const char *const rows[] = {"canonicalise", "fold", "simplify", "cse", "dce", "tidy"};
  enum { ROWS = sizeof rows / sizeof *rows };
  if (way == 0) return NULL;
  if (way <= ROWS) return arena_printf(c->arena, "-%s", rows[way - 1]);
  Text list = text_new(c->arena);
  text_add(&list, c->train ? FIRST : "");
  for (int64_t n = choice_in(c->chance, 2, 8); n > 0; n--) text_printf(&list, ",%s", CHOICE_OF(c->chance, rows));
  text_printf(&list, "," LAST);
  return list.bytes;
}

enum { PASS_WAYS = 9 };

static Fault check_pass_ways(Check *c, const Graph *g, const Graph *plain, const EvalTensor *want,
                             const Graph **standard) {
  const Graph *seen[PASS_WAYS + 1] = {plain};
  for (int way = 0; way < PASS_WAYS; way++) {
    const char *list = pass_list(c, way);
    const Graph *other = seen[way + 1] = check_passes(c, g, list);
    if (!other) return FAULT_PASS;
    if (way == 0) *standard = other;
    bool known = false;
    for (int k = 0; k <= way; k++) known |= graph_equal(seen[k], other);
    if (known) continue;
    tally_add(c->tally, "graphs that passes make, compared", 1);
    const EvalTensor *got = outputs_of(c, other, reference_of(c, other, NULL));
    if (!same_outputs(c, other, want, got, list ? list : "all passes")) return FAULT_PASS;
  }
  return FAULT_NONE;
}

// ---- each node alone ------------------------------------------------------------------------------------------------

static bool agrees(double got, double want, double bound) {
  if (same_number(got, want) || isinf(bound) || isnan(bound)) return true;
  if (isnan(got) || isnan(want)) return false;
  if (isinf(got) || isinf(want)) return fabs(want) > (double)FLT_MAX * 0.999 && (got < 0) == (want < 0);
  return fabs(got - want) <= 1.01 * bound;
}

static Fault check_local(Check *c, const Graph *g, const EvalTensor *values, double *const *bound) {
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(&c->fill, symbols);
  for (size_t id = 0; id < g->n_nodes; id++) {
    OpClass class = op_info(g->nodes[id].op)->class;
    if (!values[id].data || class == OPC_SOURCE || class == OPC_RANDOM || class == OPC_VIEW) continue;
    const EvalTensor *want = reference_alone(g, (NodeId)id, &env, c->arena, values);
    for (int64_t k = 0; want && k < shape_count(&want->shape, NULL); k++) {
      if (agrees(values[id].data[k], want->data[k], bound[id][k])) continue;
      node_print(g, (NodeId)id, &c->why);
      text_printf(&c->why, "\nelement %lld is %.17g, in double %.17g, allowed %.3g", (long long)k, values[id].data[k],
                  want->data[k], bound[id][k]);
      return FAULT_LOCAL;
    }
  }
  return FAULT_NONE;
}

// ---- compiled -------------------------------------------------------------------------------------------------------

static const How hows[] = {
    {.cpu = "native", .parts = 1},
    {.cpu = "x86-64-v3", .plan = {.no_fuse = true}, .parts = 3},
    {.cpu = "native", .plan = {.no_fuse = true}, .no_contract = true, .threads = 2},
    {.cpu = "x86-64", .plan = {.no_reuse = true}, .parts = 2},
    {.cpu = "native", .threads = 3, .spare = 3},
    {.cpu = "x86-64-v3", .no_contract = true, .parts = 8},
    {.cpu = "native", .plan = {.no_reuse = true}, .threads = 8},
    {.cpu = "x86-64", .plan = {.no_fuse = true}, .no_contract = true, .parts = 1},
    {.cpu = "x86-64-v3", .threads = 2, .spare = 1},
    {.cpu = "x86-64-v2", .parts = 3},
};
enum { HOWS = sizeof hows / sizeof *hows };

static const char *how_text(Check *c, const How *how) {
  return arena_printf(c->arena, "compiled for %s%s%s%s, %d %s, spare %d", how->cpu,
                      how->plan.no_fuse ? ", not fused" : "", how->plan.no_reuse ? ", no memory reused" : "",
                      how->no_contract ? ", loops only" : "", how->parts ? how->parts : how->threads,
                      how->parts ? "parts" : "threads", (int)how->spare);
}

// Has the graph sums with exact divisions that the micro-kernel takes? Where not all is finite loops would give other
// bits.
static bool is_dense(const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++)
    for (int r = 0; product_fits(g, &g->nodes[k]) && r < g->nodes[k].n_in; r++)
      for (int d = 0; d < g->nodes[k].index->reads[r].rank; d++)
        if (g->nodes[k].index->reads[r].at[d].kind == DIV_EXACT) return true;
  return false;
}

// Sums in transformed tiles are not the reference's: of those only that all runs give the same.
static Fault check_runs(Check *c, const Graph *const graphs[2], const EvalTensor *want, bool finite) {
  bool exact = reference_is_exact(graphs[0]) && reference_is_exact(graphs[1]);
  if (!exact) tally_add(c->tally, "graphs with transformed tiles", 1);
  int64_t first = choice_below(c->chance, HOWS);
  for (int k = 0; k < c->runs; k++) {
    How how = hows[(first + k * 3) % HOWS];
    const Graph *g = graphs[choice_once_in(c->chance, 3)];
    how.front = choice_once_in(c->chance, 2);
    how.no_contract &= finite || !is_dense(g);
    EvalTensor *got = arena_array(c->arena, g->n_outputs, sizeof *got);
    tally_add(c->tally, "runs of compiled code", 1);
    if (!run_graph(c->arena, g, &c->fill, &how, got, &c->why)) return FAULT_RUN;
    if (!exact && k == 0) want = got;
    if (!same_outputs(c, g, want, got, how_text(c, &how))) return FAULT_BITS;
  }
  return FAULT_NONE;
}

// ---- gradients ------------------------------------------------------------------------------------------------------

static const EvalTensor *evaluate(Check *c, const Graph *g, Fill fill) {
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(&fill, symbols);
  EvalTensor *values = arena_array(c->arena, g->n_nodes, sizeof *values);
  const char *why;
  if (!graph_eval(g, &env, c->arena, values, &why)) dlc_bug("%s", why);
  return values;
}

static double loss_at(Check *c, const Graph *g, Fill fill, double step) {
  fill.step = step;
  return evaluate(c, g, fill)[graph_find_output(g, OUT_LOSS, NULL)->value].data[0];
}

// The slope of the loss from the gradients. *size: the sum of the absolute values that were added up.
static double slope_of(Check *c, const Graph *g, Fill fill, double *size) {
  const EvalTensor *values = evaluate(c, g, fill);
  double sum = 0;
  *size = 0;
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (g->outputs[k].kind != OUT_GRAD) continue;
    NodeId source = graph_find_source(g, OP_param, g->outputs[k].name);
    if (source == NODE_NONE) source = graph_find_source(g, OP_input, g->outputs[k].name);
    const EvalTensor *d = &values[g->outputs[k].value];
    for (int64_t i = 0; i < shape_count(&d->shape, NULL); i++) {
      double part = d->data[i] * fill_direction(&fill, graph_node(g, source), i);
      sum += part;
      *size += fabs(part);
    }
  }
  return sum;
}

// Gradients say what flows through `detach`, differences do not; states move with differences but have no gradients.
static bool is_differentiable(const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (node->op == OP_detach || node->op == OP_state) return false;
    for (int i = 0; node->op == OP_index && i < node->index->n_body; i++)
      if (node->index->body[i].kind == SCALAR_OP && node->index->body[i].op == OP_detach) return false;
  }
  return true;
}

// At one of three points they must agree. At the others a kink or a jump may lie between the points of the difference;
// where the differences of two distances do not agree with each other, one does.
static Fault check_gradients(Check *c, const Graph *g) {
  static const double steps[] = {1e-5, 3e-6, 3e-5};
  double found = 0, expected = 0;
  int wrong = 0;
  for (int k = 0; k < 3; k++) {
    Fill fill = c->fill;
    double h = steps[k], size;
    fill.jitter = (uint64_t)k + 1;
    found = slope_of(c, g, fill, &size);
    double one = loss_at(c, g, fill, h) - loss_at(c, g, fill, -h);
    double two = loss_at(c, g, fill, 2 * h) - loss_at(c, g, fill, -2 * h), loss = loss_at(c, g, fill, 0);
    expected = (8 * one - two) / (12 * h);
    if (!isfinite(found) || !isfinite(expected) || !(size < 1e8) || !(fabs(loss) < 1e8)) continue;
    if (fabs(found - expected) <= 1e-5 * (size + fabs(expected)) + 1e-13 * fabs(loss) / h + 1e-8) {
      tally_add(c->tally, "gradients compared with differences", 1);
      return FAULT_NONE;
    }
    if (fabs(one / (2 * h) - two / (4 * h)) > 1e-3 * (size + fabs(expected))) continue;
    wrong++;
    text_clear(&c->why);
    text_printf(&c->why, "the gradients give a slope of %.12g, differences %.12g", found, expected);
  }
  if (wrong >= 2) return FAULT_GRADIENT;
  text_clear(&c->why);
  tally_add(c->tally, "gradients not compared: not smooth, or too large", 1);
  return FAULT_NONE;
}

// ---- the whole ------------------------------------------------------------------------------------------------------

// The graph with a loss: the sum of its f32 results, each times a tensor that is given. NULL where there are none.
static const Graph *with_loss(Check *c, const Graph *g) {
  static const bool every[IR_MAX_RANK] = {true, true, true, true, true, true, true, true};
  if (graph_find_output(g, OUT_LOSS, NULL)) return g;
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(c->arena, g->n_nodes, sizeof *map), loss = NODE_NONE;
  for (size_t k = 0; k < g->n_nodes; k++) map[k] = build_copy(&b, g, (NodeId)k, map);
  for (size_t k = 0; k < g->n_outputs; k++) {
    NodeId value = map[g->outputs[k].value];
    Node node = *graph_node(b.graph, value);
    graph_output(b.graph, g->outputs[k].kind, g->outputs[k].name, value);
    if (node.type != DT_F32 || g->outputs[k].kind != OUT_RESULT) continue;
    NodeId weight = build_input(&b, arena_printf(g->arena, "cotangent.%s", g->outputs[k].name), DT_F32, &node.shape);
    NodeId part = build_reduce(&b, COMBINE_SUM, build_binary(&b, OP_mul, value, weight), every, false);
    loss = loss == NODE_NONE ? part : build_binary(&b, OP_add, loss, part);
  }
  if (loss == NODE_NONE) return NULL;
  graph_output(b.graph, OUT_LOSS, "loss", loss);
  return b.graph;
}

// The same graph with its params as inputs: no gradient need reach those.
static const Graph *without_params(Check *c, const Graph *g) {
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(c->arena, g->n_nodes, sizeof *map);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    map[k] = node->op == OP_param ? build_input(&b, node->name, node->type, &node->shape)
                                  : build_copy(&b, g, (NodeId)k, map);
  }
  for (size_t k = 0; k < g->n_outputs; k++)
    graph_output(b.graph, g->outputs[k].kind, g->outputs[k].name, map[g->outputs[k].value]);
  return b.graph;
}

enum { MOST_POINTS = 400000 };  // of all index nodes together

static bool is_small(Check *c, const Graph *g) {
  int64_t symbols[IR_MAX_SYMBOLS];
  fill_env(&c->fill, symbols);
  double points = 0;
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_index) points += index_points(g->nodes[k].index, symbols);
  return points < MOST_POINTS;
}

// The graph as it means something: with its loss and gradients where it is to be trained.
static const Graph *meaning(Check *c, const Graph *g) {
  const Graph *loss = c->train ? with_loss(c, g) : NULL;
  c->train = loss != NULL;
  if (!c->train) return g;
  const Graph *d = check_passes(c, loss, FIRST);
  if (d) return loss;
  text_clear(&c->why);
  return without_params(c, loss);
}

static bool all_finite(const Graph *g, const EvalTensor *values) {
  for (size_t id = 0; id < g->n_nodes; id++)
    for (int64_t k = 0; values[id].data && k < shape_count(&values[id].shape, NULL); k++)
      if (!isfinite(values[id].data[k])) return false;
  return true;
}

Fault check_graph(Check *c, const Graph *g) {
  Fault fault = check_text(c, g);
  if (fault) return fault;
  tally_graph(c->tally, g);
  const Graph *whole = meaning(c, g);
  const Graph *derived = c->train ? check_passes(c, whole, FIRST) : whole;
  if (!derived) return FAULT_PASS;
  if (!is_small(c, derived)) return tally_add(c->tally, "graphs left out as too large", 1), FAULT_NONE;
  if ((fault = check_text(c, derived))) return fault;
  count_passes(c, whole);
  const Graph *plain = check_passes(c, derived, LAST), *standard = NULL;
  if (!plain) return FAULT_PASS;
  double **bound = arena_array(c->arena, plain->n_nodes, sizeof *bound);
  const EvalTensor *values = reference_of(c, plain, bound), *want = outputs_of(c, plain, values);
  if ((fault = check_local(c, plain, values, bound))) return fault;
  if ((fault = check_pass_ways(c, whole, plain, want, &standard))) return fault;
  if (c->train && c->tame && (c->whole || is_differentiable(whole)) && (fault = check_gradients(c, derived)))
    return fault;
  if ((fault = check_twins(c, g))) return fault;
  return check_runs(c, (const Graph *const[]){standard, plain}, want, all_finite(plain, values));
}
