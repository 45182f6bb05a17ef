// The doctor's look at gradients: against finite differences of the compiled step itself, on a whole batch, where steps
// that have no slope anywhere show in the mean; and by name, the operations that pass no gradient.
#include <math.h>
#include <string.h>

#include "doctor_inside.h"
#include "random.h"

enum { DIRECTIONS = 6 };

static const double CLOSE = 0.05, WRONG = 0.15;  // relative differences

// Of a tensor's own size. The smaller one counts where the larger one meets many kinks of relus.
static const double STEPS[] = {2e-3, 4e-4};

// ---- operations that pass no gradient -------------------------------------------------------------------------------

static bool has_no_slope(Op op) {
  return op == OP_floor || op == OP_sign || op == OP_floordiv || op == OP_to_f32 || op == OP_to_i32;
}

// The operation in a node that stops the gradient, or NULL. Comparisons alone do not: they choose between slopes.
static const char *stopper(const Node *node) {
  if (has_no_slope(node->op)) return op_info(node->op)->name;
  if (node->op != OP_index) return NULL;
  if (node->index->combine == COMBINE_ARGMAX || node->index->combine == COMBINE_ARGMIN)
    return combine_name(node->index->combine);
  for (int k = 0; k < node->index->n_body; k++) {
    const Scalar *scalar = &node->index->body[k];
    bool of_value = scalar->kind == SCALAR_OP && node->index->body[scalar->arg[0]].kind != SCALAR_INDEX;
    if (of_value && has_no_slope(scalar->op)) return op_info(scalar->op)->name;
  }
  return NULL;
}

static uint32_t line_of(const Doctor *d, Span span) {
  uint32_t line = 0, column;
  const Source *source = diag_source(d->session->sink, span.file);
  if (source) diag_position(source, span.begin, &line, &column);
  return line;
}

// Operators that stand in the model itself have the place of the model's call: its name says more.
static void add_place(const Doctor *d, const Node *node, Text *out) {
  bool in_call = node->path && strchr(node->path, '.');
  if (in_call)
    text_printf(out, " (line %u)", line_of(d, node->span));
  else
    text_printf(out, " in %s", node->path ? node->path : "the loss");
}

static bool *leads_to_loss(const Graph *g) {
  bool *leads = arena_array(g->arena, g->n_nodes, sizeof *leads);
  leads[graph_find_output(g, OUT_LOSS, NULL)->value] = true;
  for (size_t k = g->n_nodes; k-- > 0;)
    for (int i = 0; leads[k] && i < g->nodes[k].n_in; i++) leads[g->nodes[k].in[i]] = true;
  return leads;
}

// "floor (line 9)", "lt in net" for each on a way from a parameter to the loss; NULL where there is none.
static const char *find_stoppers(const Doctor *d) {
  const Graph *g = d->whole.unit->lowered->graph;
  const bool *leads = leads_to_loss(g);
  bool *from_param = arena_array(d->arena, g->n_nodes, sizeof *from_param);
  Text found = text_new(d->arena);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    from_param[k] = node->op == OP_param;
    bool operand = false;
    for (int i = 0; i < node->n_in; i++) operand |= from_param[node->in[i]];
    from_param[k] |= operand;
    const char *name = operand && leads[k] ? stopper(node) : NULL;
    if (!name) continue;
    text_printf(&found, "%s%s", found.length ? ", " : "", name);
    add_place(d, node, &found);
  }
  return found.length ? found.bytes : NULL;
}

void doctor_steps_without(Doctor *d) {
  const char *found = find_stoppers(d);
  if (found)
    doctor_find(
        d, "slopes", SICK,
        "nothing is learnt through it: use something with a slope (sigmoid, softplus), or detach it if that is meant",
        "%s has no slope, and stands between parameters and the loss", found);
  else
    doctor_find(d, "slopes", FINE, NULL, "every operation between parameters and the loss passes a gradient");
}

// ---- finite differences ---------------------------------------------------------------------------------------------

static double size_of(const TensorInfo *tensor, const float *values) {
  double sum = 0;
  for (int64_t k = 0; k < tensor->count; k++) sum += (double)values[k] * (double)values[k];
  double size = sqrt(sum / (double)tensor->count);
  return size > 0 ? size : 0.05;  // of biases and weights that start as 0
}

// A random direction, each tensor (or only number `only`) by its own size, into direction[block_floats].
static void make_direction(const Doctor *d, int number, int only, float *direction) {
  const Runner *r = d->whole.runner;
  memset(direction, 0, (size_t)r->params->block_floats * sizeof *direction);
  for (int k = 0; k < r->params->n_items; k++) {
    const TensorInfo *tensor = &r->params->items[k];
    if (only >= 0 && k != only) continue;
    double size = size_of(tensor, r->param + tensor->offset);
    uint64_t stream = random_stream(tensor->path) + (uint64_t)number;
    for (int64_t e = 0; e < tensor->count; e++)
      direction[tensor->offset + e] = (float)(size * random_normal(1, stream, (uint64_t)e));
  }
}

static double loss_beside(const Doctor *d, const float *kept, const float *direction, double h) {
  Runner *r = d->whole.runner;
  for (int64_t k = 0; k < r->params->block_floats; k++) r->param[k] = kept[k] + (float)h * direction[k];
  return doctor_step(d, &d->bare, 0, d->batch);
}

// The relative difference of slopes along some directions: as gradients say, and as the loss does. -1: the loss hardly
// moves, so that nothing can be said.
static double compare_at(const Doctor *d, int only, double step) {
  const Runner *r = d->whole.runner;
  int64_t count = r->params->block_floats;
  Arena *arena = arena_beside(d->arena);
  float *kept = arena_array(arena, (size_t)count, sizeof *kept),
        *direction = arena_array(arena, (size_t)count, sizeof *kept);
  float *gradient = arena_array(arena, (size_t)count, sizeof *kept);
  doctor_reset(d);
  double loss = doctor_step(d, &d->bare, 0, d->batch), off = 0, size = 0;
  memcpy(kept, r->param, (size_t)count * sizeof *kept);
  memcpy(gradient, d->bare.runner->grad, (size_t)count * sizeof *kept);
  for (int n = 0; n < DIRECTIONS; n++) {
    memcpy(r->param, kept, (size_t)count * sizeof *kept);
    make_direction(d, n, only, direction);
    double expected = 0;
    for (int64_t k = 0; k < count; k++) expected += (double)gradient[k] * (double)direction[k];
    double above = loss_beside(d, kept, direction, step), below = loss_beside(d, kept, direction, -step);
    double found = (above - below) / (2 * step);
    off += (found - expected) * (found - expected);
    size += fmax(found * found, expected * expected);
  }
  memcpy(r->param, kept, (size_t)count * sizeof *kept);
  arena_free(arena);
  double noise = 4e-7 * fabs(loss) / step;
  return size > 100 * noise * noise ? sqrt(off / size) : -1;
}

static double compare(const Doctor *d, int only) {
  double off = compare_at(d, only, STEPS[0]);
  if (off < CLOSE) return off;
  double finer = compare_at(d, only, STEPS[1]);
  return finer >= 0 && finer < off ? finer : off;
}

// The weight whose gradient is furthest off.
static const char *worst_tensor(const Doctor *d) {
  const TensorTable *params = d->whole.runner->params;
  const char *worst = params->items[0].path;
  double most = -1;
  for (int k = 0; k < params->n_items && k < 64; k++) {
    double off = compare(d, k);
    if (off > most) most = off, worst = params->items[k].path;
  }
  return worst;
}

void doctor_gradients(Doctor *d) {
  if (!d->bare.runner) return;  // said already
  double off = compare(d, -1);
  if (off < 0) {
    doctor_find(d, "gradients", LEFT_OUT, NULL, "the loss hardly moves with the weights: nothing to compare");
  } else if (off > WRONG) {
    doctor_find(d, "gradients", SICK, "a detach or a step without slope is in the way: what it computes is not learnt",
                "they do not agree with finite differences: %.0f %% off, most for %s", 100 * off, worst_tensor(d));
  } else {
    doctor_find(d, "gradients", FINE, NULL, "they agree with finite differences within %.2g %%", 100 * off);
  }
}
