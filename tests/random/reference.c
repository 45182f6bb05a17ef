#include "reference.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "codegen.h"
#include "product.h"
#include "run_step.h"

bool same_number(double a, double b) { return (isnan(a) && isnan(b)) || (a == b && !signbit(a) == !signbit(b)); }

bool reference_is_exact(const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_index && g->nodes[k].index->order.winograd) return false;
  return true;
}

// ---- compiled functions ---------------------------------------------------------------------------------------------

struct Functions {
  Compiled *compiled[OP_COUNT];
  StepRun run[OP_COUNT];
};

static bool is_function(Op op) {
  return op == OP_exp || op == OP_log || op == OP_tanh || op == OP_sigmoid || op == OP_erf || op == OP_pow;
}

static Compiled *compile_function(Arena *arena, Op op) {
  static const CodegenOptions how = {.cpu = "native", .threads = 1};
  static const PlanOptions options;
  static const TensorTable none;
  static const int64_t symbols[IR_MAX_SYMBOLS];
  Builder b = {.graph = graph_new(arena, op_info(op)->name)};
  Shape one = {1, {dim_const(1)}};
  NodeId in[2] = {build_input(&b, "a", DT_F32, &one), NODE_NONE};
  if (op_info(op)->arity == 2) in[1] = build_input(&b, "b", DT_F32, &one);
  graph_output(b.graph, OUT_RESULT, "y", build_pointwise(&b, op, op_info(op)->arity, in));
  DiagSink *sink = diag_sink_new(arena);
  Plan *plan = plan_make(arena, sink, b.graph, &none, &none, symbols, &options);
  Compiled *compiled = plan ? codegen_jit(arena, sink, plan, &how) : NULL;
  if (!compiled) dlc_bug("%s cannot be compiled", op_info(op)->name);
  return compiled;
}

Functions *functions_new(Arena *arena) {
  static const int64_t symbols[IR_MAX_SYMBOLS];
  Functions *f = arena_alloc(arena, sizeof *f);
  for (int op = 0; op < OP_COUNT; op++) {
    if (!is_function((Op)op)) continue;
    f->compiled[op] = compile_function(arena, (Op)op);
    f->run[op] = step_run_new(codegen_step(f->compiled[op]), symbols, 0, 0);
  }
  return f;
}

void functions_free(Functions *f) {
  for (int op = 0; op < OP_COUNT; op++) {
    if (!f->compiled[op]) continue;
    step_run_free(&f->run[op]);
    codegen_free(f->compiled[op]);
  }
}

static double call_function(const Functions *f, Op op, const double *x) {
  const StepRun *run = &f->run[op];
  for (int a = 0; a < op_info(op)->arity; a++) step_put(DT_F32, run->inputs[a].base, 0, x[a]);
  step_execute(run, 1);
  return step_get(DT_F32, step_address(run, run->step->outputs[0].at), 0);
}

// ---- one operation --------------------------------------------------------------------------------------------------

// `type`: the operands' (a select's: of b and c).
static double scalar_op(const Functions *f, Op op, DType type, const double *x) {
  if (type != DT_F32 || op == OP_to_i32) return eval_pointwise(op, type, x);
  if (is_function(op)) return call_function(f, op, x);
  float a = (float)x[0], b = op_info(op)->arity == 2 ? (float)x[1] : 0;
  if (op == OP_rsqrt) return (double)(1.0f / sqrtf(a));
  if (op == OP_floordiv) return (double)floorf(a / b);
  if (op == OP_mod) return (double)(a - b * floorf(a / b));
  return (double)(float)eval_pointwise(op, type, x);
}

static double ulp(double x) {
  int exponent;
  frexp(x, &exponent);
  return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

// How far the op's rounded result may be off, where its operands are exact: in ulps of the result.
static double op_error(Op op) {
  if (op == OP_pow) return 2;
  return is_function(op) || op == OP_rsqrt ? 2 : op == OP_floordiv || op == OP_mod ? INFINITY : 0.5;
}

// First-order bound of the result's error: that of the op, and how far the operands' errors move it.
static double error_bound(Op op, DType operand, DType result, const double *x, const double *error, double value) {
  int arity = op_info(op)->arity;
  double exact = eval_pointwise(op, operand, x), moved = 0;
  for (int corner = 0; corner < 1 << (2 * arity); corner++) {
    double at[3] = {0};
    bool used = true;
    for (int a = 0; a < arity; a++) {
      int way = corner >> (2 * a) & 3;  // as it is, up, down
      used &= way < 3 && (way == 0 || error[a] > 0);
      at[a] = x[a] + (way == 1 ? error[a] : way == 2 ? -error[a] : 0);
    }
    if (used) moved = fmax(moved, fabs(eval_pointwise(op, operand, at) - exact));
  }
  if (!isfinite(moved) || !isfinite(value)) return INFINITY;
  if (result != DT_F32 || operand != DT_F32) return moved;
  return 1.5 * moved + op_error(op) * ulp(value);
}

// ---- index nodes ----------------------------------------------------------------------------------------------------

typedef struct Point {
  const Functions *f;
  const IndexDef *def;
  const EvalTensor **operand;      // [n_in]
  int64_t extent[IR_MAX_INDICES];  // [n_out + n_red]
  int64_t index[IR_MAX_INDICES];
  double *value, *error;  // [n_body]; error NULL: not wanted
  DType type;             // of the body
  bool outside;           // some read is
  bool remainder;         // because an exact division leaves one
} Point;

static double read_value(Point *p, int operand) {
  const Read *read = &p->def->reads[operand];
  const EvalTensor *t = p->operand[operand];
  int64_t offset = 0;
  for (int d = 0; d < read->rank; d++) {
    bool out = false;
    int64_t n = t->shape.dim[d].scale, at = index_value(&read->at[d], p->index, &out);
    p->remainder |= out;
    if (out || at < 0 || at >= n) {
      p->outside = true;
      return 0;
    }
    offset = offset * n + at;
  }
  return t->data[offset];
}

static double call_value(Point *p, int k) {
  const Scalar *s = &p->def->body[k];
  double in[3], error[3] = {0};
  int arity = op_info(s->op)->arity;
  for (int a = 0; a < arity; a++) {
    in[a] = p->value[s->arg[a]];
    if (p->error) error[a] = p->error[s->arg[a]];
  }
  DType type = p->def->body[s->arg[arity - 1]].type;
  double value = scalar_op(p->f, s->op, type, in);
  if (p->error) p->error[k] = error_bound(s->op, type, s->type, in, error, value);
  return value;
}

static double body_value(Point *p) {
  p->outside = p->remainder = false;
  for (int k = 0; k < p->def->n_body; k++) {
    const Scalar *s = &p->def->body[k];
    if (p->error) p->error[k] = 0;
    if (s->kind == SCALAR_READ) p->value[k] = read_value(p, s->arg[0]);
    if (s->kind == SCALAR_INDEX) p->value[k] = (double)(int32_t)(uint32_t)(uint64_t)p->index[s->arg[0]];
    if (s->kind == SCALAR_CONST) p->value[k] = s->number;
    if (s->kind == SCALAR_OP) p->value[k] = call_value(p, k);
  }
  return p->value[p->def->n_body - 1];
}

static bool advance(Point *p, int first, int end) {
  for (int k = end - 1; k >= first; k--) {
    if (++p->index[k] < p->extent[k]) return true;
    p->index[k] = 0;
  }
  return false;
}

static bool box_is_empty(const Point *p, int first, int end) {
  for (int k = first; k < end; k++)
    if (p->extent[k] == 0) return true;
  return false;
}

// An f32 sum on its way: up to 16 lanes of the current chunk, and the chunks before it.
typedef struct Sum {
  float lane[16], total;
  int64_t chunks;
  bool product;        // adds up by fused multiply-add
  bool dense;          // by the micro-kernel, which leaves out points where an exact division leaves a remainder
  bool open;           // such a point has a factor that is no number: the evaluator says NaN
  double size, error;  // of what was added: absolute values, error bounds
  int64_t terms;
} Sum;

static void sum_take(Sum *sum, const Point *p, int lane, double value) {
  float *acc = &sum->lane[lane];
  sum->open |= sum->dense && p->remainder && isnan(value);
  if (sum->dense && p->remainder) return;
  if (sum->product)
    *acc = fmaf((float)p->value[0], (float)p->value[1], *acc);
  else
    *acc += (float)value;
  sum->terms++;
  sum->size += fabs(value);
  if (p->error && !sum->product) sum->error += p->error[p->def->n_body - 1];
}

static void sum_end_chunk(Sum *sum, int lanes) {
  for (int apart = lanes / 2; apart; apart /= 2)
    for (int k = 0; k < apart; k++) sum->lane[k] += sum->lane[k + apart];
  sum->total = sum->chunks++ ? sum->total + sum->lane[0] : sum->lane[0];
  memset(sum->lane, 0, sizeof sum->lane);
}

// The f32 sum at the current output point. The order: Order in ir.h.
static double sum_value(Point *p, bool dense, double *bound) {
  const IndexDef *def = p->def;
  int first = def->n_out, inner = def->n_out + def->n_red - 1, lanes = def->order.lanes;
  Sum sum = {.product = index_is_plain_product(def) && p->def->n_body == 3, .dense = dense};
  if (bound) *bound = 0;
  if (box_is_empty(p, first, inner + 1)) return 0;
  do {
    double value = body_value(p);
    sum_take(&sum, p, lanes == 16 ? (int)(p->index[inner] % 16) : 0, value);
    int64_t before = p->index[first];
    bool more = advance(p, first, inner + 1);
    bool ends = def->order.chunk && p->index[first] != before && p->index[first] % def->order.chunk == 0;
    if (!more || ends) sum_end_chunk(&sum, lanes);
    if (!more) break;
  } while (true);
  if (bound) *bound = sum.error + ((double)sum.terms + 2) * (sum.size * 0x1p-24 + 0x1p-149);
  if (bound && (sum.open || !(sum.size < (double)FLT_MAX / 4))) *bound = INFINITY;
  return (double)sum.total;
}

typedef struct Best {
  double value, position, error;
  bool any;
} Best;

static bool more_extreme(Combine combine, double value, double best) {
  if (isnan(best)) return false;
  bool greatest = combine == COMBINE_ARGMAX || combine == COMBINE_MAX;
  return isnan(value) || (greatest ? value > best : value < best);
}

static double nothing(Combine combine, DType type) {
  if (combine == COMBINE_MAX) return type == DT_I32 ? INT32_MIN : -(double)INFINITY;
  if (combine == COMBINE_MIN) return type == DT_I32 ? INT32_MAX : (double)INFINITY;
  return 0;
}

// MAX, MIN, ARGMAX, ARGMIN: the first extreme element of those that are inside.
static double extreme_value(Point *p, double *bound) {
  const IndexDef *def = p->def;
  int first = def->n_out, end = first + def->n_red;
  bool position = def->combine == COMBINE_ARGMAX || def->combine == COMBINE_ARGMIN;
  Best best = {.value = nothing(def->combine, p->type)};
  double at = 0;
  if (!box_is_empty(p, first, end)) do {
      double value = body_value(p);
      if (!p->outside && p->error) best.error = fmax(best.error, p->error[def->n_body - 1]);
      if (!p->outside && ((!best.any && position) || more_extreme(def->combine, value, best.value)))
        best.value = value, best.position = at, best.any = true;
      at++;
    } while (advance(p, first, end));
  if (bound) *bound = position && best.error > 0 ? INFINITY : best.error;
  return position ? best.position : best.value;
}

// MAP, PROD and sums of i32.
static double plain_value(Point *p, double *bound) {
  const IndexDef *def = p->def;
  int first = def->n_out, end = first + def->n_red;
  Op op = def->combine == COMBINE_PROD ? OP_mul : OP_add;
  double total = def->combine == COMBINE_PROD, error = 0;
  if (!box_is_empty(p, first, end)) do {
      double value = body_value(p), pair[] = {total, value};
      double errors[] = {error, p->error ? p->error[def->n_body - 1] : 0};
      if (def->combine == COMBINE_MAP) {
        total = value, error = errors[1];
        break;
      }
      total = scalar_op(p->f, op, p->type, pair);
      if (bound) error = error_bound(op, p->type, p->type, pair, errors, total);
    } while (advance(p, first, end));
  if (bound) *bound = error;
  return total;
}

static double index_element(Point *p, bool dense, double *bound) {
  Combine combine = p->def->combine;
  if (combine == COMBINE_SUM && p->type == DT_F32) return sum_value(p, dense, bound);
  if (combine == COMBINE_MAP || combine == COMBINE_SUM || combine == COMBINE_PROD) return plain_value(p, bound);
  return extreme_value(p, bound);
}

static void index_values(const Functions *f, const Graph *g, const Node *node, const EvalEnv *env, Arena *arena,
                         EvalTensor *values, EvalTensor *result, double *bound) {
  const IndexDef *def = node->index;
  Point p = {.f = f, .def = def, .type = def->body[def->n_body - 1].type};
  p.operand = arena_array(arena, (size_t)node->n_in, sizeof *p.operand);
  for (int k = 0; k < node->n_in; k++) p.operand[k] = &values[node->in[k]];
  for (int k = 0; k < def->n_out + def->n_red; k++) p.extent[k] = dim_value(def->extent[k], env->symbol_values);
  p.value = arena_array(arena, (size_t)def->n_body, sizeof *p.value);
  if (bound) p.error = arena_array(arena, (size_t)def->n_body, sizeof *p.error);
  if (box_is_empty(&p, 0, def->n_out)) return;
  int64_t k = 0;
  bool dense = product_fits(g, node);
  do {
    result->data[k] = index_element(&p, dense, bound ? &bound[k] : NULL);
    k++;
  } while (advance(&p, 0, def->n_out));
}

// ---- graphs ---------------------------------------------------------------------------------------------------------

static void pointwise_values(const Functions *f, const Graph *g, const Node *node, EvalTensor *values,
                             EvalTensor *result, double *bound) {
  DType type = graph_node(g, node->in[node->n_in - 1])->type;
  const double exact[3] = {0};
  for (int64_t k = 0; k < shape_count(&result->shape, NULL); k++) {
    double in[3];
    for (int a = 0; a < node->n_in; a++) {
      const EvalTensor *t = &values[node->in[a]];
      in[a] = t->data[t->shape.rank ? k : 0];
    }
    result->data[k] = scalar_op(f, node->op, type, in);
    if (bound) bound[k] = error_bound(node->op, type, node->type, in, exact, result->data[k]);
  }
}

typedef struct Given {  // EvalEnv.state: one node alone, its operands given
  const EvalTensor *operand;
  const EvalEnv *env;
} Given;

static bool given_source(void *state, const Node *node, double *data, int64_t count) {
  const Given *given = state;
  memcpy(data, given->operand[node->name[0] - 'a'].data, (size_t)count * sizeof *data);
  return true;
}

// The node by the evaluator, in double, from the operands' values. NULL where there are too many operands to name.
EvalTensor *reference_alone(const Graph *g, NodeId id, const EvalEnv *env, Arena *arena, const EvalTensor *values) {
  const Node *node = graph_node(g, id);
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(arena, g->n_nodes, sizeof *map);
  EvalTensor *operand = arena_array(arena, (size_t)node->n_in, sizeof *operand);
  int n = 0;
  for (int k = 0; k < node->n_in; k++) map[node->in[k]] = NODE_NONE;
  for (int k = 0; k < node->n_in; k++) {
    const Node *in = graph_node(g, node->in[k]);
    if (map[node->in[k]] != NODE_NONE) continue;
    if (n == 26) return NULL;
    operand[n] = values[node->in[k]];
    map[node->in[k]] = build_input(&b, arena_printf(arena, "%c", 'a' + n++), in->type, &in->shape);
  }
  NodeId alone = build_copy(&b, g, id, map);
  graph_output(b.graph, OUT_RESULT, "y", alone);
  Given given = {operand, env};
  EvalEnv one = *env;
  one.source = given_source, one.state = &given;
  EvalTensor *results = arena_array(arena, b.graph->n_nodes, sizeof *results);
  const char *why;
  if (!graph_eval(b.graph, &one, arena, results, &why)) dlc_bug("%s", why);
  return &results[alone];
}

static void scatter_values(const Node *node, EvalTensor *values, EvalTensor *result, double *bound) {
  const EvalTensor *index = &values[node->in[0]], *rows = &values[node->in[1]];
  int64_t width = 1, n_rows = result->shape.dim[0].scale, count = shape_count(&index->shape, NULL);
  for (int d = 1; d < result->shape.rank; d++) width *= result->shape.dim[d].scale;
  for (int64_t k = 0; k < count; k++) {
    int64_t row = (int64_t)index->data[k];
    for (int64_t c = 0; row >= 0 && row < n_rows && c < width; c++) {
      double *sum = &result->data[row * width + c];
      *sum = (double)((float)*sum + (float)rows->data[k * width + c]);
      if (bound) bound[row * width + c] += (double)count * ulp(fmax(fabs(*sum), fabs(rows->data[k * width + c])));
    }
  }
}

static void node_values(const Functions *f, const Graph *g, NodeId id, const EvalEnv *env, Arena *arena,
                        EvalTensor *values, double *bound) {
  const Node *node = graph_node(g, id);
  EvalTensor *result = &values[id];
  OpClass class = op_info(node->op)->class;
  if (class == OPC_SOURCE && node->op != OP_const) {
    env->source(env->state, node, result->data, shape_count(&result->shape, NULL));
  } else if (node->op == OP_index) {
    index_values(f, g, node, env, arena, values, result, bound);
  } else if (class == OPC_POINTWISE) {
    pointwise_values(f, g, node, values, result, bound);
  } else if (node->op == OP_scatter_add && node->type == DT_F32) {
    scatter_values(node, values, result, bound);
  } else {  // these only move, or count
    EvalTensor *alone = reference_alone(g, id, env, arena, values);
    if (!alone) dlc_bug("%%%d has too many operands", id);
    *result = *alone;
  }
}

void reference_eval(const Functions *f, const Graph *g, const EvalEnv *env, Arena *arena, EvalTensor *values,
                    double **bound) {
  bool *needed = arena_array(arena, g->n_nodes, sizeof *needed);
  for (size_t k = 0; k < g->n_outputs; k++) needed[g->outputs[k].value] = true;
  for (size_t k = g->n_nodes; k-- > 0;)
    for (int a = 0; needed[k] && a < g->nodes[k].n_in; a++) needed[g->nodes[k].in[a]] = true;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    values[k] = (EvalTensor){.type = node->type, .shape = node->shape};
    if (!needed[k]) continue;
    for (int d = 0; d < node->shape.rank; d++)
      values[k].shape.dim[d] = dim_const(dim_value(node->shape.dim[d], env->symbol_values));
    size_t count = (size_t)shape_count(&values[k].shape, NULL);
    values[k].data = arena_array(arena, count, sizeof(double));
    if (bound) bound[k] = arena_array(arena, count, sizeof(double));
    node_values(f, g, (NodeId)k, env, arena, values, bound ? bound[k] : NULL);
  }
}
