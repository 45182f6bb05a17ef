// Autodiff beyond numbers: what form gradients have, where they go at kinks and borders, and what is said where none
// goes. That the numbers are right is shown in test_ops_grad.c.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "passes.h"

static Arena *fresh(Guard *guard) {
  Arena *arena = arena_new(allocator_system(), guard);
  assert_non_null(arena);
  return arena;
}

// A graph and what is needed to differentiate it. The text is the graph's source: line numbers in messages are its own.
typedef struct Fixture {
  Guard guard;
  Arena *arena;
  PassContext ctx;
  Graph *graph;
} Fixture;

static void open_fixture(Fixture *f, const char *statements) {
  f->arena = fresh(&f->guard);
  DiagSink *sink = diag_sink_new(f->arena);
  const char *text = arena_printf(f->arena, "graph net (N) {\n%s\n}\n", statements);
  f->graph = graph_parse(f->arena, sink, diag_add_source(sink, "net.dlir", text, strlen(text)));
  assert_non_null(f->graph);
  f->ctx = (PassContext){.arena = f->arena, .sink = sink, .verify = true};
}

static Graph *differentiate(Fixture *f, const char *passes) {
  Graph *g = passes_run(&f->ctx, f->graph, PASS_TRAIN, passes, NULL);
  if (!g) fail_msg("%s", f->ctx.sink->items[0]->message);
  return g;
}

static const Node *gradient(const Graph *g, const char *name) {
  const Output *output = graph_find_output(g, OUT_GRAD, name);
  assert_non_null(output);
  return graph_node(g, output->value);
}

// ---- form -----------------------------------------------------------------------------------------------------------

typedef struct Form {
  const char *name, *forward;  // from params "x" and "w" to a value, the last node
  const char *x, *w;           // the gradients, given the gradient "dy" by the value; NULL: not asked
} Form;

static const Form forms[] = {
    {"dense",
     "%0 = param \"x\" : f32[4,3] %1 = param \"w\" : f32[3,5]"
     "%9 = index sum [n:4, o:5 | k:3] { mul(%0[n, k], %1[k, o]) } : f32[4,5]",
     "sum [n:4, k:3 | o:5] { mul(%dy[n, o], %w[k, o]) }", "sum [k:3, o:5 | n:4] { mul(%dy[n, o], %x[n, k]) }"},
    {"conv2d",
     "%0 = param \"x\" : f32[2,8,8,3] %1 = param \"w\" : f32[3,3,3,5]"
     "%9 = index sum [n:2, i:8, j:8, o:5 | r:3, s:3, c:3] { mul(%0[n, i + r - 1, j + s - 1, c], %1[r, s, c, o]) }"
     " : f32[2,8,8,5]",
     "sum [n:2, u:8, v:8, c:3 | r:3, s:3, o:5] { mul(%dy[n, u - r + 1, v - s + 1, o], %w[r, s, c, o]) }",
     "sum [r:3, s:3, c:3, o:5 | n:2, i:8, j:8] { mul(%dy[n, i, j, o], %x[n, r + i - 1, s + j - 1, c]) }"},
    {"conv2d, stride 2, dilation 2, groups",
     "%0 = param \"x\" : f32[2,9,9,2,3] %1 = param \"w\" : f32[3,3,3,2,4]"
     "%9 = index sum [n:2, i:3, j:3, g:2, o:4 | r:3, s:3, c:3] { mul(%0[n, 2*i + 2*r, 2*j + 2*s - 1, g, c], %1[r, s, c, g, o]) }"
     " : f32[2,3,3,2,4]",
     "sum [n:2, u:9, v:9, g:2, c:3 | r:3, s:3, o:4]"
     " { mul(%dy[n, (u - 2*r) /! 2, (v - 2*s + 1) /! 2, g, o], %w[r, s, c, g, o]) }",
     "sum [r:3, s:3, c:3, g:2, o:4 | n:2, i:3, j:3]"
     " { mul(%dy[n, i, j, g, o], %x[n, 2*r + 2*i, 2*s + 2*j - 1, g, c]) }"},
    {"transposed conv1d",
     "%0 = param \"x\" : f32[2,5,3] %1 = param \"w\" : f32[3,4,3]"
     "%9 = index sum [n:2, u:11, o:4 | r:3, c:3] { mul(%0[n, (u - r) /! 2, c], %1[r, o, c]) } : f32[2,11,4]",
     "sum [n:2, u:5, c:3 | r:3, o:4] { mul(%dy[n, 2*u + r, o], %w[r, o, c]) }",
     "sum [r:3, o:4, c:3 | n:2, u:11] { mul(%dy[n, u, o], %x[n, (-r + u) /! 2, c]) }"},
    {"groups in one channel dimension",
     "%0 = param \"x\" : f32[2,9,6] %1 = param \"w\" : f32[3,3,8]"
     "%9 = index sum [n:2, i:7, g:2, o:4 | r:3, c:3] { mul(%0[n, i + r, 3*g + c], %1[r, c, 4*g + o]) } : f32[2,7,2,4]",
     "sum [n:2, u:9, g:2, c:3 | r:3, o:4] { mul(%dy[n, u - r, g, o], %w[r, c, 4*g + o]) }",
     "sum [r:3, c:3, g:2, o:4 | n:2, i:7] { mul(%dy[n, i, g, o], %x[n, r + i, c + 3*g]) }"},
    {"patches",
     "%0 = param \"x\" : f32[2,12,3] %1 = param \"w\" : f32[4,3,5]"
     "%9 = index sum [n:2, i:3, o:5 | r:4, c:3] { mul(%0[n, 4*i + r, c], %1[r, c, o]) } : f32[2,3,5]",
     "sum [n:2, i:3, r:4, c:3 | o:5] { mul(%dy[n, i, o], %w[r, c, o]) }",
     "sum [r:4, c:3, o:5 | n:2, i:3] { mul(%dy[n, i, o], %x[n, r + 4*i, c]) }"},
    {"l1 distances",
     "%0 = param \"x\" : f32[4,3] %1 = param \"w\" : f32[5,3]"
     "%9 = index sum [i:4, j:5 | k:3] { abs(sub(%0[i, k], %1[j, k])) } : f32[4,5]",
     "sum [i:4, k:3 | j:5] { mul(%dy[i, j], sign(sub(%x[i, k], %w[j, k]))) }",
     "sum [j:5, k:3 | i:4] { neg(mul(%dy[i, j], sign(sub(%x[i, k], %w[j, k])))) }"},
    {"max pool, padded",
     "%0 = param \"x\" : f32[2,7,7,3] %1 = param \"w\" : f32[]"
     "%2 = index max [n:2, i:4, j:4, c:3 | r:3, s:3] { %0[n, 2*i + r - 1, 2*j + s - 1, c] } : f32[2,4,4,3]"
     "%9 = mul %2, %1 : f32[2,4,4,3]",
     "sum [n:2, u:7, v:7, c:3 | r:3, s:3] { select(eq(%position[n, (u - r + 1) /! 2, (v - s + 1) /! 2, c], add(mul(r, 3), s)),"
     " %term[n, (u - r + 1) /! 2, (v - s + 1) /! 2, c], 0.0) }",
     NULL},
    {"average of windows side by side",
     "%0 = param \"x\" : f32[2,7,7,3] %1 = param \"w\" : f32[]"
     "%2 = index sum [n:2, i:3, j:3, c:3 | r:2, s:2] { %0[n, 2*i + r, 2*j + s, c] } : f32[2,3,3,3]"
     "%9 = mul %2, %1 : f32[2,3,3,3]",
     "map [n:2, u:7, v:7, c:3] { %term[n, u // 2, v // 2, c] }", NULL},
    {"first row",
     "%0 = param \"x\" : f32[2,7,3] %1 = param \"w\" : f32[3,4]"
     "%9 = index sum [n:2, j:4 | d:3] { mul(%0[n, 0, d], %1[d, j]) } : f32[2,4]",
     "map [n:2, u:7, d:3] { select(eq(u, 0), %term[n, d], 0.0) }",
     "sum [d:3, j:4 | n:2] { mul(%dy[n, j], %x[n, 0, d]) }"},
    {"quotient with a window",
     "%0 = param \"x\" : f32[8] %1 = param \"w\" : f32[6]"
     "%9 = index sum [i:6 | r:3] { div(%0[i + r], %1[i]) } : f32[6]",
     "sum [u:8 | r:3] { t0 = 0; t1 = sub(u, r); select(and(le(t0, t1), lt(t1, 6)), div(%dy[u - r], %w[u - r]), 0.0) }",
     NULL},
};

// A node's definition in which operands have names: those of sources, else %position for i32 and %term for f32.
static const char *named_definition(const Graph *g, const Node *node) {
  Text line = text_new(g->arena), named = text_new(g->arena);
  node_print(g, (NodeId)(node - g->nodes), &line);
  const char *at = strstr(line.bytes, "index ") + strlen("index ");
  const char *end = strstr(at, " : f32");
  while (at < end) {
    if (*at != '%') {
      text_add_n(&named, at++, 1);
      continue;
    }
    char *rest;
    const Node *operand = graph_node(g, (NodeId)strtol(at + 1, &rest, 10));
    const char *name = operand->name ? operand->name : operand->type == DT_I32 ? "position" : "term";
    text_printf(&named, "%%%s", name);
    at = rest;
  }
  return named.bytes;
}

static void check_gradient(const Form *form, const Graph *g, const char *param, const char *expected) {
  const Node *node = gradient(g, param);
  if (node->op == OP_reshape) node = graph_node(g, node->in[0]);
  const char *found = expected ? named_definition(g, node) : NULL;
  if (expected && strcmp(found, expected))
    fail_msg("%s: the gradient by %s is\n  %s\ninstead of\n  %s", form->name, param, found, expected);
}

// Adds the loss: the sum over value * dy.
static void add_loss(Graph *g) {
  static const bool all[IR_MAX_RANK] = {true, true, true, true, true, true, true, true};
  Builder b = {.graph = g};
  NodeId value = (NodeId)g->n_nodes - 1;
  Shape shape = graph_node(g, value)->shape;
  NodeId product = build_binary(&b, OP_mul, value, build_input(&b, "dy", DT_F32, &shape));
  graph_output(g, OUT_LOSS, NULL, build_reduce(&b, COMBINE_SUM, product, all, false));
}

static void check_form(const Form *form) {
  Fixture f;
  open_fixture(&f, form->forward);
  add_loss(f.graph);
  Graph *g = differentiate(&f, "autodiff,tidy");
  check_gradient(form, g, "x", form->x);
  check_gradient(form, g, "w", form->w);
  arena_free(f.arena);
}

static void gradients_have_their_forms(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) check_form(&forms[k]);
}

// Without any simplification, too: the micro-kernel takes nothing else.
static void gradients_of_products_are_plain_products(void **state) {
  (void)state;
  for (size_t k = 0; k < 4; k++) {
    Fixture f;
    open_fixture(&f, forms[k].forward);
    add_loss(f.graph);
    Graph *g = differentiate(&f, "autodiff");
    assert_true(index_is_plain_product(gradient(g, "x")->index));
    assert_true(index_is_plain_product(gradient(g, "w")->index));
    arena_free(f.arena);
  }
}

static void gradients_come_in_order_with_their_origin(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,
               "%0 = input \"x\" : f32[4] %1 = param \"b\" : f32[4] %2 = param \"a\" : f32[4]"
               "%3 = mul %0, %2 : f32[4] @scale \"net.scale_1\" %4 = mul %3, %1 : f32[4] @scale"
               "%5 = index sum [| i:4] { %4[i] } : f32[] return result \"r\" = %4 return loss = %5");
  const char *inputs[] = {"x"};
  f.ctx.grad_inputs = inputs;
  f.ctx.n_grad_inputs = 1;
  Graph *g = differentiate(&f, "autodiff");
  static const char *const names[] = {"r", NULL, "b", "a", "x"};
  assert_int_equal(g->n_outputs, 5);
  for (size_t k = 0; k < 5; k++)
    if (names[k]) assert_string_equal(g->outputs[k].name, names[k]);
  assert_string_equal(gradient(g, "a")->tag, "d.scale");
  assert_string_equal(gradient(g, "a")->path, "net.scale_1");
  assert_int_equal(gradient(g, "a")->span.begin, f.graph->nodes[3].span.begin);
  Graph *again = passes_run(&f.ctx, g, PASS_TRAIN, "autodiff", NULL);  // gradients are replaced, not doubled
  assert_int_equal(again->n_outputs, 5);
  arena_free(f.arena);
}

static void what_needs_no_gradient_gets_none(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,
               "%0 = input \"x\" : f32[4] %1 = exp %0 : f32[4] %2 = param \"w\" : f32[4] %3 = mul %1, %2 : f32[4]"
               "%4 = index sum [| i:4] { %3[i] } : f32[] return loss = %4");
  Graph *g = differentiate(&f, "autodiff");
  for (size_t k = f.graph->n_nodes; k < g->n_nodes; k++)
    for (int a = 0; a < g->nodes[k].n_in; a++)
      assert_int_not_equal(g->nodes[k].in[a], 0);      // x itself is not read again
  assert_int_equal(g->n_nodes, f.graph->n_nodes + 3);  // 1, repeated, times exp(x)
  arena_free(f.arena);
}

static void an_input_that_is_not_reached_has_gradient_zero(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,
               "%0 = input \"x\" : f32[N,4] %1 = input \"k\" : i32[4] %2 = param \"w\" : f32[] %3 = floor %0 : f32[N,4]"
               "%4 = index sum [| n:N, i:4] { %3[n, i] } : f32[] %5 = mul %4, %2 : f32[] return loss = %5");
  const char *inputs[] = {"x", "k"};
  f.ctx.grad_inputs = inputs;
  f.ctx.n_grad_inputs = 2;
  Graph *g = differentiate(&f, "autodiff,tidy");
  const Node *zero = gradient(g, "x");
  assert_true(shape_equal(&zero->shape, &f.graph->nodes[0].shape));
  assert_int_equal(zero->index->body[0].kind, SCALAR_CONST);
  assert_true(zero->index->body[0].number == 0);
  assert_null(graph_find_output(g, OUT_GRAD, "k"));
  arena_free(f.arena);
}

// ---- kinks and borders ----------------------------------------------------------------------------------------------

typedef struct Kink {
  const char *op;
  double a, b, da, db;  // the point, and the gradients that it must have
} Kink;

static const Kink kinks[] = {
    {"max", 2, 2, 1, 0},        {"max", 1, 2, 0, 1},   {"min", 2, 2, 1, 0},      {"min", 2, 1, 0, 1},
    {"max", NAN, 1, 1, 0},      {"max", 1, NAN, 1, 0}, {"max", -0.0, 0.0, 1, 0}, {"pow", 0, 0, 0, 0},
    {"pow", 0, 2, 0, 0},        {"pow", 0, 1, 1, 0},   {"pow", -2, 3, 12, NAN},  {"pow", 3, 0, 0, 1.0986122886681098},
    {"div", 1, INFINITY, 0, 0}, {"mod", 7, 2, 1, -3},  {"mod", -7, 2, 1, 4},
};

static bool point_source(void *state, const Node *node, double *data, int64_t count) {
  const Kink *kink = state;
  (void)count;
  data[0] = node->name[0] == 'a' ? kink->a : kink->b;
  return true;
}

static double value_of(const Graph *g, const EvalTensor *values, const char *name) {
  return values[graph_find_output(g, OUT_GRAD, name)->value].data[0];
}

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void gradients_at_kinks_are_as_defined(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof kinks / sizeof *kinks; k++) {
    Fixture f;
    Kink kink = kinks[k];
    char text[200];
    snprintf(text, sizeof text,
             "%%0 = param \"a\" : f32[] %%1 = param \"b\" : f32[] %%2 = %s %%0, %%1 : f32[] return loss = %%2",
             kink.op);
    open_fixture(&f, text);
    Graph *g = differentiate(&f, "autodiff,tidy");
    EvalEnv env = {.source = point_source, .state = &kink};
    EvalTensor *values = arena_array(f.arena, g->n_nodes, sizeof *values);
    const char *why;
    assert_true(graph_eval(g, &env, f.arena, values, &why));
    if (!same_number(value_of(g, values, "a"), kink.da) || !same_number(value_of(g, values, "b"), kink.db))
      fail_msg("%s at (%g, %g): gradients %g and %g, not %g and %g", kink.op, kink.a, kink.b, value_of(g, values, "a"),
               value_of(g, values, "b"), kink.da, kink.db);
    arena_free(f.arena);
  }
}

static bool counting_source(void *state, const Node *node, double *data, int64_t count) {
  (void)state, (void)node;
  for (int64_t k = 0; k < count; k++) data[k] = (double)(k % 3);
  return true;
}

static const double *evaluate_gradient(Fixture *f, const Graph *g, const char *name) {
  static const int64_t three[IR_MAX_SYMBOLS] = {3, 3, 3, 3};
  EvalEnv env = {.symbol_values = three, .source = counting_source};
  EvalTensor *values = arena_array(f->arena, g->n_nodes, sizeof *values);
  const char *why;
  assert_true(graph_eval(g, &env, f->arena, values, &why));
  return values[graph_find_output(g, OUT_GRAD, name)->value].data;
}

static void the_first_of_equals_takes_the_gradient(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,  // 0 1 2 0 1 2 0 1: windows of 4 hold their maximum 2 once or twice
               "%0 = param \"x\" : f32[8] %1 = index max [i:5 | r:4] { %0[i + r] } : f32[5]"
               "%2 = index sum [| i:5] { %1[i] } : f32[] return loss = %2");
  static const double expected[] = {0, 0, 3, 0, 0, 2, 0, 0};
  const double *found = evaluate_gradient(&f, differentiate(&f, "autodiff"), "x");
  for (int k = 0; k < 8; k++) assert_true(found[k] == expected[k]);
  arena_free(f.arena);
}

static void points_left_out_of_an_extreme_get_nothing(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,  // every point reads t outside, so y is -inf and depends on nothing
               "%0 = param \"x\" : f32[4] %1 = input \"t\" : f32[4]"
               "%2 = index max [i:2 | r:2] { add(%0[i + r], %1[i + r + 4]) } : f32[2]"
               "%3 = index sum [| i:2] { %2[i] } : f32[] return loss = %3");
  const double *found = evaluate_gradient(&f, differentiate(&f, "autodiff"), "x");
  for (int k = 0; k < 4; k++) assert_true(found[k] == 0);
  arena_free(f.arena);
}

static void an_empty_sum_has_an_empty_gradient(void **state) {
  (void)state;
  Fixture f;
  open_fixture(&f,
               "%0 = param \"x\" : f32[3,0] %1 = param \"w\" : f32[0,2]"
               "%2 = index sum [i:3, j:2 | k:0] { mul(%0[i, k], %1[k, j]) } : f32[3,2]"
               "%3 = index sum [| i:3, j:2] { %2[i, j] } : f32[] return loss = %3");
  Graph *g = differentiate(&f, "autodiff,tidy");
  assert_int_equal(shape_count(&gradient(g, "x")->shape, NULL), 0);
  arena_free(f.arena);
}

// ---- messages -------------------------------------------------------------------------------------------------------

typedef struct Refusal {
  const char *name, *text;
  DiagCode code;
  const char *message, *note;  // note NULL: none
} Refusal;

static const Refusal refusals[] = {
    {"argmax",
     "%0 = param \"net.head.w\" : f32[N,4]\n%1 = index argmax [n:N | k:4] { %0[n, k] } : i32[N]\n"
     "%2 = to_f32 %1 : f32[N] %3 = index sum [| n:N] { %2[n] } : f32[]\nreturn loss = %3",
     DIAG_E0305, "no gradient reaches 'head.w': argmax (line 3) is not differentiable", NULL},
    {"several params behind one op",
     "%0 = param \"a\" : f32[4] %1 = param \"b\" : f32[4] %2 = param \"c\" : f32[4] %3 = mul %0, %1 : f32[4]\n"
     "%4 = mul %3, %2 : f32[4] %5 = floor %4 : f32[4] %6 = index sum [| i:4] { %5[i] } : f32[] return loss = %6",
     DIAG_E0305, "no gradient reaches 'a' and 2 more parameters: floor (line 3) is not differentiable", NULL},
    {"two ops in the way",
     "%0 = param \"a\" : f32[] %1 = param \"b\" : f32[] %2 = floor %0 : f32[]\n%3 = detach %1 : f32[]\n"
     "%4 = mul %2, %3 : f32[] return loss = %4",
     DIAG_E0305, "no gradient reaches 'a': floor (line 2) is not differentiable",
     "no gradient reaches 'b': detach (line 3) is not differentiable"},
    {"one param, several ways, all blocked",
     "%0 = param \"a\" : f32[] %1 = floor %0 : f32[]\n%2 = sign %0 : f32[]\n%3 = mul %1, %2 : f32[] return loss = %3",
     DIAG_E0305, "no gradient reaches 'a': floor (line 2) is not differentiable",
     "no gradient reaches 'a': sign (line 3) is not differentiable"},
    {"an op inside a formula",
     "%0 = param \"a\" : f32[4]\n%1 = index sum [| i:4] { to_f32(lt(%0[i], 1.0)) } : f32[]\nreturn loss = %1",
     DIAG_E0305, "no gradient reaches 'a': lt (line 3) is not differentiable", NULL},
    {"the index of a gather",
     "%0 = param \"a\" : f32[4] %1 = to_i32 %0 : i32[4]\n%2 = input \"x\" : f32[9] %3 = gather %2, %1 : f32[4]\n"
     "%4 = index sum [| i:4] { %3[i] } : f32[] return loss = %4",
     DIAG_E0305, "no gradient reaches 'a': to_i32 (line 2) is not differentiable", NULL},
    {"no dependence",
     "%0 = param \"a\" : f32[4] %1 = param \"b\" : f32[] %2 = param \"c\" : f32[] %3 = exp %0 : f32[4]\n"
     "return result \"r\" = %3 return loss = %1",
     DIAG_E0330, "the loss does not depend on 'a' and 1 more parameter", NULL},
    {"no loss", "%0 = param \"a\" : f32[] return result \"r\" = %0", DIAG_E0332,
     "graph 'net' has no loss to differentiate", NULL},
    {"too many indices",
     "%0 = param \"a\" : f32[2,2,2,2,2,2,2,2]\n"
     "%1 = index sum [i:2, j:2, k:2, l:2, m:2 | p:2] { mul(%0[0, 1, 0, 1, i, 0, 0, 0], to_f32(p)) } : f32[2,2,2,2,2]"
     "%2 = index prod [| i:2, j:2, k:2, l:2, m:2, p:2, q:2, r:2, s:2] { add(%1[i, j, k, l, m], to_f32(p)) } : f32[]"
     "return loss = %2",
     DIAG_E0331, "no gradient can be written for this: it needs too many indices", NULL},
};

static void check_refusal(const Refusal *refusal) {
  Fixture f;
  open_fixture(&f, refusal->text);
  assert_null(passes_run(&f.ctx, f.graph, PASS_TRAIN, "autodiff", NULL));
  assert_int_equal(f.ctx.sink->n_items, 1);
  const Diag *diag = f.ctx.sink->items[0];
  assert_int_equal(diag->code, refusal->code);
  assert_string_equal(diag->message, refusal->message);
  assert_int_equal(diag->n_lines, refusal->note != NULL);
  if (refusal->note) assert_string_equal(diag->lines[0].text, refusal->note);
  const Output *loss = graph_find_output(f.graph, OUT_LOSS, NULL);
  bool at_loss = refusal->code == DIAG_E0305 || refusal->code == DIAG_E0330;
  if (at_loss) assert_int_equal(diag->span.begin, graph_node(f.graph, loss->value)->span.begin);
  arena_free(f.arena);
}

static void what_stops_a_gradient_is_named(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof refusals / sizeof *refusals; k++) check_refusal(&refusals[k]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gradients_have_their_forms),
      cmocka_unit_test(gradients_of_products_are_plain_products),
      cmocka_unit_test(gradients_come_in_order_with_their_origin),
      cmocka_unit_test(what_needs_no_gradient_gets_none),
      cmocka_unit_test(an_input_that_is_not_reached_has_gradient_zero),
      cmocka_unit_test(gradients_at_kinks_are_as_defined),
      cmocka_unit_test(the_first_of_equals_takes_the_gradient),
      cmocka_unit_test(points_left_out_of_an_extreme_get_nothing),
      cmocka_unit_test(an_empty_sum_has_an_empty_gradient),
      cmocka_unit_test(what_stops_a_gradient_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
