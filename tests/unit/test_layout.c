// Product analysis and the passes halo, layout, order and outputs: what they insert, where they refuse, and that every
// bit of what the evaluator computes stays.
#include "plan_fixture.h"

#include <math.h>

// ---- oracle: a graph before and after computes the same -------------------------------------------------------------

// Small whole numbers, so that sums are exact; different for every source.
static bool source_values(void *state, const Node *node, double *data, int64_t count) {
  (void)state;
  uint32_t x = 17;
  for (const char *c = node->name; *c; c++) x = x * 31 + (unsigned char)*c;
  for (int64_t k = 0; k < count; k++) {
    x = x * 1664525u + 1013904223u;
    data[k] = (double)(int)(x >> 24) / 8 - 16;
  }
  return true;
}

static EvalTensor *evaluate(Fixture *f, const Graph *g) {
  const int64_t values[IR_MAX_SYMBOLS] = {3, 3, 3, 3};
  EvalEnv env = {.symbol_values = values, .source = source_values};
  EvalTensor *tensors = arena_array(f->arena, g->n_nodes, sizeof *tensors);
  const char *why = NULL;
  if (!graph_eval(g, &env, f->arena, tensors, &why)) fail_msg("%s", why);
  return tensors;
}

static void assert_same_outputs(Fixture *f, const Graph *before, const Graph *after) {
  assert_int_equal(before->n_outputs, after->n_outputs);
  const EvalTensor *a = evaluate(f, before), *b = evaluate(f, after);
  for (size_t k = 0; k < before->n_outputs; k++) {
    const EvalTensor *x = &a[before->outputs[k].value], *y = &b[after->outputs[k].value];
    assert_true(shape_equal(&x->shape, &y->shape));
    assert_string_equal(before->outputs[k].name, after->outputs[k].name);
    int64_t count = shape_count(&x->shape, NULL);
    for (int64_t e = 0; e < count; e++)
      if (x->data[e] != y->data[e] && !isnan(x->data[e] + y->data[e]))
        fail_msg("output %zu, element %d: %g, then %g", k, (int)e, x->data[e], y->data[e]);
  }
}

static Graph *run(Fixture *f, PassFn pass, const char *text) {
  const Graph *before = fixture_parse(f, text);
  Graph *after = fixture_pass(f, pass, before);
  assert_same_outputs(f, before, after);
  return after;
}

// ---- product.h ------------------------------------------------------------------------------------------------------

static unsigned needs_of(Fixture *f, const char *text) {
  const Graph *g = fixture_parse(f, text);
  return product_analyse(g, graph_node(g, g->outputs[0].value)).needs;
}

#define PRODUCT(a, b, body) \
  "graph g (N) { %0 = input \"a\" : " a " %1 = input \"b\" : " b " %2 = index sum " body " return result \"y\" = %2 }"

static void test_product_fits(void **state) {
  Fixture *f = *state;
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,7]", "f32[7,5]", "[n:N, o:5 | k:7] { mul(%0[n, k], %1[k, o]) } : f32[N,5]")), 0);
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,7]", "f32[N,5]", "[k:7, o:5 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[7,5]")), 0);
  // The other way round: the operand in front moves with the last index.
  assert_int_equal(
      needs_of(f, PRODUCT("f32[7,5]", "f32[N,7]", "[n:N, o:5 | k:7] { mul(%0[k, o], %1[n, k]) } : f32[N,5]")), 0);
  // Image rows as vectors, the filter broadcast.
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,9,9]", "f32[3,3]",
                          "[n:N, i:7, j:7 | r:3, s:3] { mul(%0[n, i + r, j + s], %1[r, s]) } : f32[N,7,7]")),
      0);
  // A dimension of 1 behind the moving one is no obstacle.
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,7]", "f32[7,5,1]", "[n:N, o:5 | k:7] { mul(%0[n, k], %1[k, o, 0]) } : f32[N,5]")), 0);
}

static void test_product_unfit(void **state) {
  Fixture *f = *state;
  static const char *const texts[] = {
      // depthwise: both move with the channel
      PRODUCT("f32[N,9,8]", "f32[3,8]", "[n:N, i:7, c:8 | r:3] { mul(%0[n, i + r, c], %1[r, c]) } : f32[N,7,8]"),
      // a dot product has no index for the vector
      PRODUCT("f32[64]", "f32[64]", "[| k:64] { mul(%0[k], %1[k]) } : f32[]"),
      // too narrow
      PRODUCT("f32[N,7]", "f32[7,3]", "[n:N, o:3 | k:7] { mul(%0[n, k], %1[k, o]) } : f32[N,3]"),
      // rounded down
      PRODUCT("f32[N,7]", "f32[7,5]", "[n:N, o:5 | k:14] { mul(%0[n, k // 2], %1[k // 2, o]) } : f32[N,5]"),
      // steps of two
      PRODUCT("f32[N,7]", "f32[7,10]", "[n:N, o:5 | k:7] { mul(%0[n, k], %1[k, 2*o]) } : f32[N,5]"),
      // the batch behind the first dimension
      PRODUCT("f32[7,N]", "f32[7,5]", "[n:N, o:5 | k:7] { mul(%0[k, n], %1[k, o]) } : f32[N,5]"),
      // the batch itself out of bounds: no constant padding helps
      PRODUCT("f32[N,7]", "f32[7,5]", "[n:N, o:5 | k:7] { mul(%0[n - 1, k], %1[k, o]) } : f32[N,5]"),
      // nothing to sum
      PRODUCT("f32[N,0]", "f32[0,5]", "[n:N, o:5 | k:0] { mul(%0[n, k], %1[k, o]) } : f32[N,5]"),
      // two summed indices under one division
      PRODUCT("f32[N,7]", "f32[3,3,5]",
              "[n:N, u:13, o:5 | r:3, s:3] { mul(%0[n, (u - r - s)/!2], %1[r, s, o]) } : f32[N,13,5]"),
  };
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
    if (!(needs_of(f, texts[k]) & PRODUCT_UNFIT)) fail_msg("fits: %s", texts[k]);
}

static void test_product_needs(void **state) {
  Fixture *f = *state;
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,8,4]", "f32[3,4,5]",
                          "[n:N, i:8, o:5 | r:3, c:4] { mul(%0[n, i + r - 1, c], %1[r, c, o]) } : f32[N,8,5]")),
      PRODUCT_NEEDS_HALO);
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,5]", "f32[7,5]", "[n:N, k:7 | o:5] { mul(%0[n, o], %1[k, o]) } : f32[N,7]")),
      PRODUCT_NEEDS_PACK);
  // A large matrix is turned on the way; not where the result may be summed in chunks.
  assert_int_equal(needs_of(f, PRODUCT("f32[N,512]", "f32[512,512]",
                                       "[n:N, k:512 | o:512] { mul(%0[n, o], %1[k, o]) } : f32[N,512]")),
                   0);
  assert_int_equal(needs_of(f, PRODUCT("f32[64,512]", "f32[512,512]",
                                       "[n:64, k:512 | o:512] { mul(%0[n, o], %1[k, o]) } : f32[64,512]")),
                   PRODUCT_NEEDS_PACK);
  // The gradient of stride 2 is in bounds wherever 2 divides, but for one row behind the end.
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,4,5]", "f32[3,5,6]",
                          "[n:N, u:7, c:6 | r:3, o:5] { mul(%0[n, (u - r + 2)/!2, o], %1[r, o, c]) } : f32[N,7,6]")),
      PRODUCT_NEEDS_HALO);
  assert_int_equal(
      needs_of(f, PRODUCT("f32[N,6,5]", "f32[3,5,6]",
                          "[n:N, u:7, c:6 | r:3, o:5] { mul(%0[n, (u - r + 2)/!2, o], %1[r, o, c]) } : f32[N,7,6]")),
      0);
  // Four rows are no reuse for a copy of b: 4 * 7 * 5 products against 7 * 5 elements.
  assert_int_equal(
      needs_of(f, PRODUCT("f32[4,5]", "f32[7,5]", "[n:4, k:7 | o:5] { mul(%0[n, o], %1[k, o]) } : f32[4,7]")),
      PRODUCT_UNFIT);
}

// ---- halo -----------------------------------------------------------------------------------------------------------

static void test_halo_pads(void **state) {
  Graph *g = run(*state, pass_halo,
                 "graph g (N) { %0 = input \"x\" : f32[N,8,4] %1 = param \"w\" : f32[3,4,5]\n"
                 "%2 = index sum [n:N, i:8, o:5 | r:3, c:4] { mul(%0[n, i + r - 1, c], %1[r, c, o]) } : f32[N,8,5]\n"
                 "return result \"y\" = %2 }");
  NodeId pad = fixture_tagged(g, "halo", 0);
  assert_int_not_equal(pad, NODE_NONE);
  assert_int_equal(graph_node(g, pad)->shape.dim[1].scale, 10);
  assert_int_equal(fixture_count_tag(g, "halo"), 1);
  assert_true(product_fits(g, graph_node(g, g->outputs[0].value)));
}

static void test_halo_shares_one_copy(void **state) {
  Graph *g =
      run(*state, pass_halo,
          "graph g (N) { %0 = input \"x\" : f32[N,16,4] %1 = param \"v\" : f32[3,4,8] %2 = param \"w\" : f32[5,4,8]\n"
          "%3 = index sum [n:N, i:16, o:8 | r:3, c:4] { mul(%0[n, i + r - 1, c], %1[r, c, o]) } : f32[N,16,8]\n"
          "%4 = index sum [n:N, i:16, o:8 | r:5, c:4] { mul(%0[n, i + r - 1, c], %2[r, c, o]) } : f32[N,16,8]\n"
          "return result \"y\" = %3 return result \"z\" = %4 }");
  assert_int_equal(fixture_count_tag(g, "halo"), 1);
  const Node *pad = graph_node(g, fixture_tagged(g, "halo", 0));
  assert_int_equal(pad->shape.dim[1].scale, 20);  // one row before, three behind
  for (int k = 0; k < 2; k++) assert_true(product_fits(g, graph_node(g, g->outputs[k].value)));
}

// x is padded; dy is read in bounds by one product-sum and out of bounds by another.
#define TWO_READERS(extra) \
  "graph g (N) { %0 = input \"d\" : f32[N,8,8] %1 = param \"w\" : f32[3,8,8] %2 = input \"x\" : f32[N,8,8]\n" \
  "%3 = exp %0 : f32[N,8,8]\n" \
  "%4 = index sum [n:N, i:8, o:8 | r:3, c:8] { mul(%3[n, i - r + 1, c], %1[r, c, o]) } : f32[N,8,8]\n" \
  "%5 = index sum [k:8, o:8 | n:N, i:8] { mul(%2[n, i, k], %3[n, i, o]) } : f32[8,8]\n" \
  "return result \"y\" = %4 return result \"z\" = %5 " extra "}"

static void test_halo_moves_all_product_sums(void **state) {
  Graph *g = run(*state, pass_halo, TWO_READERS(""));
  NodeId pad = fixture_tagged(g, "halo", 0), source = graph_node(g, pad)->in[0];
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++)
    for (int k = 0; k < graph_node(g, id)->n_in; k++)
      if (graph_node(g, id)->in[k] == source) assert_int_equal(id, pad);
}

static void test_halo_leaves_others_alone(void **state) {
  Graph *g = run(*state, pass_halo, TWO_READERS("return result \"e\" = %3 "));
  NodeId source = graph_node(g, fixture_tagged(g, "halo", 0))->in[0];
  const Node *inside = graph_node(g, g->outputs[1].value);
  assert_true(inside->in[0] == source || inside->in[1] == source);
}

static void test_halo_refuses_excess(void **state) {
  // One row, a window of 33: the copy would have 65 rows.
  Graph *g = run(*state, pass_halo,
                 "graph g (N) { %0 = input \"x\" : f32[N,1,4] %1 = param \"w\" : f32[33,4,8]\n"
                 "%2 = index sum [n:N, i:33, o:8 | r:33, c:4] { mul(%0[n, i - r, c], %1[r, c, o]) } : f32[N,33,8]\n"
                 "return result \"y\" = %2 }");
  assert_int_equal(fixture_count_tag(g, "halo"), 0);
}

static void test_halo_of_stride(void **state) {
  Graph *g =
      run(*state, pass_halo,
          "graph g (N) { %0 = input \"d\" : f32[N,4,5] %1 = param \"w\" : f32[3,5,6]\n"
          "%2 = index sum [n:N, u:8, c:6 | r:3, o:5] { mul(%0[n, (u - r + 1)/!2, o], %1[r, o, c]) } : f32[N,8,6]\n"
          "return result \"y\" = %2 }");
  const Node *pad = graph_node(g, fixture_tagged(g, "halo", 0));
  assert_int_equal(pad->shape.dim[1].scale, 5);  // (7 - 0 + 1)/2 = 4 is one behind the end
  assert_true(product_fits(g, graph_node(g, g->outputs[0].value)));
}

// A margin in front is one of whole elements: in units of the divisor inside the expression.
static void test_halo_in_front_of_stride(void **state) {
  Graph *g = run(*state, pass_halo,
                 "graph g (N) { %0 = input \"d\" : f32[N,6,5] %1 = param \"w\" : f32[5,5,6]\n"
                 "%2 = index sum [n:N, u:8, c:6 | r:5, o:5] { mul(%0[n, (u - r)/!2, o], %1[r, o, c]) } : f32[N,8,6]\n"
                 "return result \"y\" = %2 }");
  const Node *sum = graph_node(g, g->outputs[0].value);
  assert_int_equal(graph_node(g, fixture_tagged(g, "halo", 0))->shape.dim[1].scale, 8);
  assert_int_equal(sum->index->reads[0].at[1].offset, 4);
}

// ---- layout ---------------------------------------------------------------------------------------------------------

static void test_layout_packs(void **state) {
  Graph *g = run(*state, pass_layout,
                 "graph g (N) { %0 = input \"d\" : f32[N,10,5] %1 = param \"w\" : f32[3,4,5]\n"
                 "%2 = index sum [n:N, u:8, c:4 | r:3, o:5] { mul(%0[n, u - r + 2, o], %1[r, c, o]) } : f32[N,8,4]\n"
                 "return result \"y\" = %2 }");
  const Node *pack = graph_node(g, fixture_tagged(g, "pack", 0));
  assert_int_equal(pack->shape.dim[1].scale, 5);
  assert_int_equal(pack->shape.dim[2].scale, 4);
  assert_true(product_fits(g, graph_node(g, g->outputs[0].value)));
}

static void test_layout_shares_copies(void **state) {
  Graph *g = run(*state, pass_layout,
                 "graph g (N) { %0 = input \"d\" : f32[N,5] %1 = param \"w\" : f32[7,5] %2 = input \"e\" : f32[N,5]\n"
                 "%3 = index sum [n:N, k:7 | o:5] { mul(%0[n, o], %1[k, o]) } : f32[N,7]\n"
                 "%4 = index sum [n:N, k:7 | o:5] { mul(%2[n, o], %1[k, o]) } : f32[N,7]\n"
                 "return result \"y\" = %3 return result \"z\" = %4 }");
  assert_int_equal(fixture_count_tag(g, "pack"), 1);
}

static void test_layout_leaves_what_fits(void **state) {
  Graph *g = run(*state, pass_layout,
                 "graph g (N) { %0 = input \"d\" : f32[N,5] %1 = param \"w\" : f32[5,7]\n"
                 "%2 = index sum [n:N, k:7 | o:5] { mul(%0[n, o], %1[o, k]) } : f32[N,7]\n"
                 "return result \"y\" = %2 }");
  assert_int_equal(fixture_count_tag(g, "pack"), 0);
}

// The products of an input gradient come by channels, then rows and columns; they are added up in dy's order.
static void test_layout_orders_reduced_indices(void **state) {
  Graph *g =
      run(*state, pass_layout,
          "graph g (N) { %0 = input \"d\" : f32[N,10,10,8] %1 = param \"w\" : f32[3,3,8,4]\n"
          "%2 = index sum [n:N, u:8, w:8, c:4 | o:8, s:3, r:3] { mul(%0[n, u - r + 2, w - s + 2, o], %1[r, s, o, c]) }"
          "  : f32[N,8,8,4]\n"
          "return result \"y\" = %2 }");
  const IndexDef *def = graph_node(g, g->outputs[0].value)->index;
  const char *const names[] = {"n", "u", "w", "c", "r", "s", "o"};
  for (int k = 0; k < 7; k++) assert_string_equal(def->name[k], names[k]);
  assert_int_equal(def->extent[6].scale, 8);
}

// ---- order ----------------------------------------------------------------------------------------------------------

static void assert_order(Fixture *f, const char *text, int64_t chunk, int lanes) {
  Graph *g = run(f, pass_order, text);
  const Order *order = &graph_node(g, g->outputs[0].value)->index->order;
  if (order->chunk != chunk || order->lanes != lanes)
    fail_msg("chunk %d, lanes %d: %s", (int)order->chunk, order->lanes, text);
}

#define SUM1(a, body) "graph g (N) { %0 = input \"a\" : " a " %1 = index sum " body " return result \"y\" = %1 }"

static void test_order_of_products(void **state) {
  Fixture *f = *state;
  // forward: the result grows with the batch
  assert_order(
      f,
      PRODUCT("f32[N,10,10,4]", "f32[3,3,4,8]",
              "[n:N, i:8, j:8, o:8 | r:3, s:3, c:4] { mul(%0[n, i + r, j + s, c], %1[r, s, c, o]) } : f32[N,8,8,8]"),
      0, 1);
  // weight gradient of a convolution: 8 images of 64 points make 512
  assert_order(
      f,
      PRODUCT("f32[N,10,10,4]", "f32[N,8,8,8]",
              "[r:3, s:3, c:4, o:8 | n:N, i:8, j:8] { mul(%0[n, i + r, j + s, c], %1[n, i, j, o]) } : f32[3,3,4,8]"),
      8, 1);
  // the same with 16 points an image: 32 images
  assert_order(
      f,
      PRODUCT("f32[N,6,6,4]", "f32[N,4,4,8]",
              "[r:3, s:3, c:4, o:8 | n:N, i:4, j:4] { mul(%0[n, i + r, j + s, c], %1[n, i, j, o]) } : f32[3,3,4,8]"),
      32, 1);
  // of a dense layer: 512 rows
  assert_order(f, PRODUCT("f32[N,7]", "f32[N,5]", "[k:7, o:5 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[7,5]"), 512, 1);
  // too many results
  assert_order(
      f, PRODUCT("f32[N,513]", "f32[N,512]", "[k:513, o:512 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[513,512]"), 0, 1);
  // constant extents: cut where at least two chunks come out
  assert_order(f, PRODUCT("f32[4,1024]", "f32[1024,5]", "[n:4, o:5 | k:1024] { mul(%0[n, k], %1[k, o]) } : f32[4,5]"),
               512, 1);
  assert_order(f, PRODUCT("f32[4,1023]", "f32[1023,5]", "[n:4, o:5 | k:1023] { mul(%0[n, k], %1[k, o]) } : f32[4,5]"),
               0, 1);
  // dot products along the rows of both
  assert_order(f, PRODUCT("f32[4,64]", "f32[7,64]", "[n:4, k:7 | o:64] { mul(%0[n, o], %1[k, o]) } : f32[4,7]"), 0, 16);
}

static void test_order_of_sums(void **state) {
  Fixture *f = *state;
  assert_order(f, SUM1("f32[N,16]", "[n:N | c:16] { %0[n, c] } : f32[N]"), 0, 16);  // softmax
  assert_order(f, SUM1("f32[N,15]", "[n:N | c:15] { %0[n, c] } : f32[N]"), 0, 1);   // too few for lanes
  // what does not move along the row has no say
  assert_order(f, PRODUCT("f32[N,16]", "f32[N]", "[n:N | c:16] { exp(sub(%0[n, c], %1[n])) } : f32[N]"), 0, 16);
  assert_order(f, PRODUCT("f32[N,16]", "f32[16,N]", "[n:N | c:16] { mul(%0[n, c], %1[c, n]) } : f32[N]"), 0, 1);
  assert_order(f, SUM1("f32[N,8,8,16]", "[c:16 | n:N, i:8, j:8] { %0[n, i, j, c] } : f32[16]"), 8, 1);  // statistics
  assert_order(f, SUM1("f32[N,10]", "[c:10 | n:N] { %0[n, c] } : f32[10]"), 512, 1);                    // bias gradient
  assert_order(f, SUM1("f32[N]", "[| n:N] { %0[n] } : f32[]"), 512, 16);                                // loss
  assert_order(f, SUM1("f32[N,4,4,16]", "[n:N, c:16 | i:4, j:4] { %0[n, i, j, c] } : f32[N,16]"), 0, 1);  // global pool
  assert_order(f, SUM1("f32[40,40]", "[| i:40, j:40] { %0[i, j] } : f32[]"), 16, 16);
  assert_order(f, SUM1("f32[N,19]", "[n:N, o:1 | c:19] { %0[n, c] } : f32[N,1]"), 0, 16);  // a last index of 1
}

static void test_order_not_of_divided_index(void **state) {
  assert_order(
      *state,
      PRODUCT("f32[600,6]", "f32[3,6]", "[r:3, c:6 | u:1100] { mul(%0[(u - r + 2)/!2, c], %1[r, 0]) } : f32[3,6]"), 0,
      1);
}

// ---- outputs --------------------------------------------------------------------------------------------------------

static void test_outputs(void **state) {
  Graph *g = run(*state, pass_outputs,
                 "graph g (N) { %0 = input \"x\" : f32[N,4] %1 = exp %0 : f32[N,4] %2 = reshape %1 : f32[N,2,2]\n"
                 "%3 = const 2.0 : f32[] %4 = log %0 : f32[N,4]\n"
                 "return result \"source\" = %0 return result \"plain\" = %1 return result \"twice\" = %1\n"
                 "return result \"view\" = %2 return metric \"number\" = %3 return result \"alone\" = %4 }");
  const char *const ops[] = {"index", "exp", "index", "index", "index", "log"};
  for (size_t k = 0; k < g->n_outputs; k++) {
    assert_string_equal(op_info(graph_node(g, g->outputs[k].value)->op)->name, ops[k]);
    for (size_t j = 0; j < k; j++) assert_int_not_equal(g->outputs[j].value, g->outputs[k].value);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_product_fits),
      TEST(test_product_unfit),
      TEST(test_product_needs),
      TEST(test_halo_pads),
      TEST(test_halo_shares_one_copy),
      TEST(test_halo_moves_all_product_sums),
      TEST(test_halo_leaves_others_alone),
      TEST(test_halo_refuses_excess),
      TEST(test_halo_of_stride),
      TEST(test_halo_in_front_of_stride),
      TEST(test_layout_packs),
      TEST(test_layout_shares_copies),
      TEST(test_layout_leaves_what_fits),
      TEST(test_layout_orders_reduced_indices),
      TEST(test_order_of_products),
      TEST(test_order_of_sums),
      TEST(test_order_not_of_divided_index),
      TEST(test_outputs),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
