// Fusion: what shares a kernel, what is stored and what is recomputed.
#include "plan_fixture.h"

// ---- looking at plans -----------------------------------------------------------------------------------------------

static bool holds(const NodeId *ids, int n, NodeId id) {
  for (int k = 0; k < n; k++)
    if (ids[k] == id) return true;
  return false;
}

static int storing_kernel(const Plan *plan, NodeId id) {
  for (int k = 0; k < plan->n_kernels; k++)
    if (holds(plan->kernels[k].outputs, plan->kernels[k].n_outputs, id)) return k;
  return -1;
}

static int computing_kernels(const Plan *plan, NodeId id) {
  int n = 0;
  for (int k = 0; k < plan->n_kernels; k++) n += holds(plan->kernels[k].nodes, plan->kernels[k].n_nodes, id);
  return n;
}

static bool is_stored(const Plan *plan, NodeId id) { return storing_kernel(plan, id) >= 0; }

static void assert_kernels(Fixture *f, const Plan *plan, int n) {
  if (plan->n_kernels == n) return;
  Text out = text_new(f->arena);
  plan_print_groups(plan, &out);
  fail_msg("not %d kernels: %s", n, out.bytes);
}

static NodeId sum_of(const Plan *plan, int number) { return fixture_find(plan->graph, OP_index, COMBINE_SUM, number); }

#define CONV \
  "%0 = input \"x\" : f32[N,8,8,4] %1 = param \"c.w\" : f32[3,3,4,8] %2 = param \"c.b\" : f32[8]\n" \
  "%3 = index sum [n:N, i:6, j:6, o:8 | r:3, s:3, c:4] { mul(%0[n, i + r, j + s, c], %1[r, s, c, o]) }" \
  "  : f32[N,6,6,8] @conv2d \"m.conv2d\"\n" \
  "%4 = index map [n:N, i:6, j:6, o:8] { %2[o] } : f32[N,6,6,8] @conv2d \"m.conv2d\"\n" \
  "%5 = add %3, %4 : f32[N,6,6,8] @conv2d \"m.conv2d\" %6 = const 0.0 : f32[]\n" \
  "%7 = max %6, %5 : f32[N,6,6,8] @relu \"m.relu\"\n"

// ---- after the root -------------------------------------------------------------------------------------------------

static void test_bias_and_relu_follow(void **state) {
  Plan *plan = fixture_plan_text(*state, "graph g (N) { " CONV " return result \"y\" = %7 }", 5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(plan->kernels[0].kind, KERNEL_CONTRACT);
  assert_string_equal(plan->kernels[0].name, "conv2d.relu");
  assert_int_equal(plan->kernels[0].n_outputs, 1);
  assert_int_equal(plan->kernels[0].n_inputs, 3);
}

// The pool reads what the convolution's kernel has finished; it does not compute bias and ReLU for itself.
static void test_tail_is_stored_not_recomputed(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { " CONV
                        "%8 = index max [n:N, i:3, j:3, c:8 | r:2, s:2] { %7[n, 2*i + r, 2*j + s, c] } : f32[N,3,3,8]\n"
                        "return result \"y\" = %8 }",
                        5);
  assert_kernels(*state, plan, 2);
  NodeId relu = fixture_find(plan->graph, OP_max, 0, 0);
  assert_int_equal(storing_kernel(plan, relu), 0);
  assert_int_equal(computing_kernels(plan, relu), 1);
}

static void test_value_used_twice_is_second_output(void **state) {
  Plan *plan =
      fixture_plan_text(*state, "graph g (N) { " CONV " return result \"y\" = %7 return result \"z\" = %5 }", 5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(plan->kernels[0].n_outputs, 2);
}

// The next convolution's padded input is written by the kernel in front; the value itself is never stored.
static void test_halo_is_stored_by_producer(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { " CONV
      " %8 = param \"d.w\" : f32[3,3,8,8]\n"
      "%9 = index sum [n:N, i:6, j:6, o:8 | r:3, s:3, c:8] { mul(%7[n, i + r - 1, j + s - 1, c], %8[r, s, c, o]) } : f32[N,6,6,8]\n"
      "return result \"y\" = %9 }",
      5);
  assert_kernels(*state, plan, 2);
  NodeId pad = fixture_tagged(plan->graph, "halo", 0);
  assert_int_equal(storing_kernel(plan, pad), 0);
  assert_false(is_stored(plan, graph_node(plan->graph, pad)->in[0]));
}

// A copy that only adds room behind reads at the same indices; it is no copy at the point.
static void test_halo_behind_only(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { " CONV
      " %8 = param \"d.w\" : f32[3,8,8]\n"
      "%9 = index sum [n:N, i:6, j:6, o:8 | r:3, c:8] { mul(%7[n, i + r, j, c], %8[r, c, o]) } : f32[N,6,6,8]\n"
      "return result \"y\" = %9 }",
      5);
  assert_kernels(*state, plan, 2);
  assert_int_equal(storing_kernel(plan, fixture_tagged(plan->graph, "halo", 0)), 0);
}

// Scale and shift depend on parameters alone; they come later in the graph, and run before the convolution.
static void test_affine_of_parameters_follows(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { " CONV
      "%10 = param \"bn.g\" : f32[8] %11 = state \"bn.v\" : f32[8] %12 = const 0.001 : f32[]\n"
      "%13 = add %11, %12 : f32[8] %14 = rsqrt %13 : f32[8] %15 = mul %14, %10 : f32[8]\n"
      "%16 = index map [n:N, i:6, j:6, c:8] { %15[c] } : f32[N,6,6,8] %17 = mul %5, %16 : f32[N,6,6,8]\n"
      "%18 = max %6, %17 : f32[N,6,6,8] return result \"y\" = %18 }",
      5);
  assert_kernels(*state, plan, 2);
  assert_int_equal(plan->kernels[0].root, NODE_NONE);
  assert_int_equal(plan->kernels[1].kind, KERNEL_CONTRACT);
}

// Statistics of the convolution's result cannot be had before it: what needs them has a kernel of its own.
static void test_no_cycle_through_statistics(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { " CONV
                        "%8 = index sum [o:8 | n:N, i:6, j:6] { %3[n, i, j, o] } : f32[8]\n"
                        "%9 = index map [n:N, i:6, j:6, o:8] { %8[o] } : f32[N,6,6,8] %10 = sub %3, %9 : f32[N,6,6,8]\n"
                        "return result \"y\" = %10 }",
                        5);
  assert_kernels(*state, plan, 3);
  assert_int_equal(storing_kernel(plan, sum_of(plan, 0)), 0);
  assert_int_equal(storing_kernel(plan, sum_of(plan, 1)), 1);
}

static void test_residual_sum_follows_the_later(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { " CONV
      " %8 = param \"d.w\" : f32[4,8]\n"
      "%9 = index sum [n:N, i:6, j:6, o:8 | c:4] { mul(%0[n, i + 1, j + 1, c], %8[c, o]) } : f32[N,6,6,8]\n"
      "%10 = add %7, %9 : f32[N,6,6,8] %11 = max %6, %10 : f32[N,6,6,8] return result \"y\" = %11 }",
      5);
  assert_kernels(*state, plan, 2);
  assert_int_equal(plan->kernels[1].n_outputs, 1);
  assert_int_equal(storing_kernel(plan, fixture_find(plan->graph, OP_max, 0, 1)), 1);
  assert_int_equal(storing_kernel(plan, fixture_find(plan->graph, OP_max, 0, 0)), 0);  // the first keeps its own tail
}

// ---- before the root ------------------------------------------------------------------------------------------------

static void test_sum_computes_what_it_adds(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { %0 = input \"x\" : f32[N,9] %1 = exp %0 : f32[N,9]\n"
                                 "%2 = index sum [n:N | c:9] { %1[n, c] } : f32[N] return result \"y\" = %2 }",
                                 5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(plan->kernels[0].n_outputs, 1);
}

static void test_micro_kernel_reads_memory(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[N,7] %1 = param \"w\" : f32[7,5] %2 = neg %0 : f32[N,7]\n"
      "%3 = index sum [n:N, o:5 | k:7] { mul(%2[n, k], %1[k, o]) } : f32[N,5] return result \"y\" = %3 }",
      5);
  assert_kernels(*state, plan, 2);
  assert_true(is_stored(plan, fixture_find(plan->graph, OP_neg, 0, 0)));
}

// A window of 25 around each point would compute every exponential 25 times.
static void test_costly_values_are_not_repeated(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { %0 = input \"x\" : f32[N,9,9] %1 = exp %0 : f32[N,9,9]\n"
                                 "%2 = index max [n:N, i:5, j:5 | r:5, s:5] { %1[n, i + r, j + s] } : f32[N,5,5]\n"
                                 "return result \"y\" = %2 }",
                                 5);
  assert_kernels(*state, plan, 2);
}

static void test_cheap_values_are_recomputed(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[N,9] %1 = const 2.0 : f32[] %2 = mul %0, %1 : f32[N,9]\n"
                        "%3 = index sum [n:N | c:9] { %2[n, c] } : f32[N]\n"
                        "%4 = index max [c:9 | n:N] { %2[n, c] } : f32[9]\n"
                        "return result \"y\" = %3 return result \"z\" = %4 }",
                        5);
  NodeId twice = fixture_find(plan->graph, OP_mul, 0, 0);
  assert_false(is_stored(plan, twice));
  assert_int_equal(computing_kernels(plan, twice), 2);
}

static void test_dear_values_are_stored(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { %0 = input \"x\" : f32[N,9] %2 = exp %0 : f32[N,9]\n"
                                 "%3 = index sum [n:N | c:9] { %2[n, c] } : f32[N]\n"
                                 "%4 = index max [n:N | c:9] { %2[n, c] } : f32[N]\n"
                                 "return result \"y\" = %3 return result \"z\" = %4 }",
                                 5);
  NodeId dear = fixture_find(plan->graph, OP_exp, 0, 0);
  assert_true(is_stored(plan, dear));
  assert_int_equal(computing_kernels(plan, dear), 1);
}

// Two readers of a sum of two tensors load four; were the sum stored, it would be one more. Three readers load six.
static void test_two_readers_recompute_three_load(void **state) {
#define TWO_TENSORS \
  "graph g (N) { %0 = input \"x\" : f32[N,9] %1 = input \"y\" : f32[N,9] %2 = add %0, %1 : f32[N,9]\n" \
  "%3 = index sum [n:N | c:9] { %2[n, c] } : f32[N] %4 = index max [c:9 | n:N] { %2[n, c] } : f32[9]\n" \
  "%5 = index min [| n:N, c:9] { %2[n, c] } : f32[] return result \"a\" = %3 return result \"b\" = %4 "
  Plan *plan = fixture_plan_text(*state, TWO_TENSORS "}", 5);
  assert_int_equal(computing_kernels(plan, 2), 2);
  assert_false(is_stored(plan, 2));
  plan = fixture_plan_text(*state, TWO_TENSORS "return result \"c\" = %5 }", 5);
  assert_int_equal(computing_kernels(plan, 2), 1);
  assert_true(is_stored(plan, 2));
}

// The mask of a gradient is stored by the product that it masks, however many read it.
static void test_what_follows_a_root_is_stored(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { " CONV
                                 "%8 = input \"z\" : f32[N,6,6,8] %9 = mul %3, %8 : f32[N,6,6,8]\n"
                                 "%10 = index max [o:8 | n:N, i:6, j:6] { %9[n, i, j, o] } : f32[8]\n"
                                 "%11 = index min [o:8 | n:N, i:6, j:6] { %9[n, i, j, o] } : f32[8]\n"
                                 "return result \"a\" = %10 return result \"b\" = %11 return result \"c\" = %3 }",
                                 5);
  assert_int_equal(storing_kernel(plan, fixture_find(plan->graph, OP_mul, 0, 0)), 0);
}

// Something that is one number for each channel is computed once for each channel, not once for each pixel.
static void test_small_values_are_not_spread(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[N,9] %1 = param \"v\" : f32[9] %2 = sqrt %1 : f32[9]\n"
                        "%3 = index map [n:N, c:9] { %2[c] } : f32[N,9] %4 = mul %0, %3 : f32[N,9]\n"
                        "return result \"y\" = %4 }",
                        5);
  assert_kernels(*state, plan, 2);
  assert_true(is_stored(plan, fixture_find(plan->graph, OP_sqrt, 0, 0)));
}

// Each level reads the level below at two points: inlining all of them would evaluate the lowest 2^20 times for a
// point.
static void test_reads_at_many_points_stay_bounded(void **state) {
  Fixture *f = *state;
  Text text = text_new(f->arena);
  text_add(&text, "graph g (N) { %0 = input \"x\" : f32[64]\n");
  for (int k = 1; k <= 20; k++)
    text_printf(&text, "%%%d = index map [i:64] { mul(%%%d[i], %%%d[i - 1]) } : f32[64]\n", k, k - 1, k - 1);
  text_add(&text, "return result \"y\" = %20 }");
  Plan *plan = fixture_plan_text(f, text.bytes, 5);
  assert_in_range(plan->n_kernels, 5, 20);
}

// ---- beside each other, apart ---------------------------------------------------------------------------------------

static void test_equal_shapes_share_their_input(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[N,9] %1 = exp %0 : f32[N,9] %2 = tanh %0 : f32[N,9]\n"
                        "return result \"y\" = %1 return result \"z\" = %2 }",
                        5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(plan->kernels[0].n_inputs, 1);
  assert_int_equal(plan->kernels[0].n_outputs, 2);
}

// The second reads the first through a reshape and x at its point: it must not slip in beside it.
static void test_beside_is_not_behind(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[3,3] %1 = exp %0 : f32[3,3] %2 = reshape %1 : f32[9]\n"
                        "%3 = reshape %2 : f32[3,3] %4 = add %0, %3 : f32[3,3] return result \"y\" = %4 }",
                        5);
  assert_kernels(*state, plan, 2);
}

// A transposed copy of a square has the space's shape, but whoever reads it reads other points.
static void test_moved_output_is_not_at_the_point(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[3,3,4] %1 = exp %0 : f32[3,3,4]\n"
                        "%2 = index map [i:3, j:3, c:4] { %1[j, i, c] } : f32[3,3,4] %3 = tanh %2 : f32[3,3,4]\n"
                        "return result \"t\" = %2 return result \"y\" = %3 }",
                        5);
  assert_kernels(*state, plan, 2);
  assert_int_equal(storing_kernel(plan, fixture_find(plan->graph, OP_index, COMBINE_MAP, 0)), 0);
}

// Stored through a map that puts the last dimension elsewhere, every element would be a store of its own.
static void test_last_dimension_stays_last(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[5,4] %1 = exp %0 : f32[5,4]\n"
      "%2 = index map [i:4, j:5] { %1[j, i] } : f32[4,5] return result \"t\" = %2 return result \"y\" = %1 }",
      5);
  assert_kernels(*state, plan, 2);
}

static void test_reshape_divides(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[N,6] %1 = exp %0 : f32[N,6] %2 = reshape %1 : f32[N,2,3]\n"
      "%3 = exp %2 : f32[N,2,3] return result \"y\" = %3 }",
      5);
  assert_kernels(*state, plan, 2);
  NodeId view = fixture_find(plan->graph, OP_reshape, 0, 0);
  assert_int_equal(plan->kernels[1].inputs[0], view);
  assert_int_equal(plan->place[view].offset, plan->place[graph_node(plan->graph, view)->in[0]].offset);
}

static void test_moves_read_memory(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[N,6] %1 = exp %0 : f32[N,6] %2 = concat %0, %1 axis 1 : f32[N,12]\n"
      "%3 = exp %2 : f32[N,12] return result \"y\" = %3 }",
      5);
  assert_kernels(*state, plan, 3);
}

// A number that somebody wants as a tensor.
static void test_constant_shown_by_reshape(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = const 2.0 : f32[] %1 = reshape %0 : f32[1,1] %2 = input \"x\" : f32[N,1]\n"
                        "%3 = index map [n:N, i:1] { mul(%1[0, 0], %2[n, i]) } : f32[N,1] return result \"y\" = %3 }",
                        5);
  assert_true(is_stored(plan, 0));
}

static void test_dead_nodes_have_no_kernel(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[N,6] %1 = exp %0 : f32[N,6] %2 = log %0 : f32[N,6]\n"
                        "return result \"y\" = %1 }",
                        5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(computing_kernels(plan, fixture_find(plan->graph, OP_log, 0, 0)), 0);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

#define SOFTMAX \
  "graph g (N) { %0 = input \"x\" : f32[N,24] %1 = index max [n:N | c:24] { %0[n, c] } : f32[N]\n" \
  "%2 = index map [n:N, c:24] { exp(sub(%0[n, c], %1[n])) } : f32[N,24]\n" \
  "%3 = index sum [n:N | c:24] { %2[n, c] } : f32[N]\n"

static void test_sums_of_a_row_share_a_kernel(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 SOFTMAX
                                 "%4 = index map [n:N, c:24] { div(%2[n, c], %3[n]) } : f32[N,24]\n"
                                 "return result \"y\" = %4 }",
                                 5);
  assert_kernels(*state, plan, 1);
  const Kernel *kernel = &plan->kernels[0];
  assert_int_equal(kernel->root, fixture_find(plan->graph, OP_index, COMBINE_SUM, 0));
  assert_int_equal(kernel->n_outputs, 1);
}

// A sum that reads the same rows joins although it needs nothing of the others.
static void test_sums_beside_each_other_share_a_kernel(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 SOFTMAX
                                 "%4 = index min [n:N | c:24] { %0[n, c] } : f32[N]\n"
                                 "return result \"y\" = %3 return result \"z\" = %4 }",
                                 5);
  assert_kernels(*state, plan, 1);
  assert_int_equal(plan->kernels[0].n_outputs, 2);
}

// Rows reversed, columns, and parts of rows are no rows.
static void test_other_points_are_no_rows(void **state) {
  static const char *const others[] = {
      "%4 = index sum [n:N | c:24] { mul(%0[n, c], %3[n]) } : f32[N] %5 = index map [c:24, n:N] { mul(%0[n, c], %4[n]) } "
      ": f32[24,N] return result \"y\" = %5 }",
      "%4 = index max [n:N | c:12] { mul(%0[n, c], %3[n]) } : f32[N] return result \"y\" = %4 }",
  };
  static const int kernels[] = {2, 2};
  for (int k = 0; k < 2; k++) {
    Plan *plan = fixture_plan_text(*state, arena_printf(((Fixture *)*state)->arena, "%s%s", SOFTMAX, others[k]), 5);
    assert_int_equal(plan->n_kernels, kernels[k]);
  }
}

// A sum over the batch is in chunks, which threads share: it waits, and what it makes of a row has a kernel of its own.
static void test_chunked_sums_are_no_rows(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { %0 = input \"x\" : f32[N] %1 = index sum [| n:N] { %0[n] } : f32[]\n"
                                 "%2 = div %0, %1 : f32[N] return result \"y\" = %2 }",
                                 2000);
  assert_int_equal(plan->n_kernels, 2);
}

// Few long rows are shared out by kernels of their own.
static void test_long_rows_are_shared_out(void **state) {
#define LONG \
  "graph g (N) { %0 = input \"x\" : f32[N,16384] %1 = index max [n:N | c:16384] { %0[n, c] } : f32[N]\n" \
  "%2 = index map [n:N, c:16384] { sub(%0[n, c], %1[n]) } : f32[N,16384] return result \"y\" = %2 }"
  assert_int_equal(fixture_plan_text(*state, LONG, 2)->n_kernels, 2);
  assert_int_equal(fixture_plan_text(*state, LONG, 64)->n_kernels, 1);
}

static void test_no_fuse(void **state) {
  Fixture *f = *state;
  const PlanOptions options = {.no_fuse = true};
  const Graph *g = fixture_prepare(f, fixture_parse(f, "graph g (N) { " CONV " return result \"y\" = %7 }"));
  Plan *plan = fixture_plan(f, g, 5, &options);
  assert_kernels(f, plan, 4);  // sum, broadcast, add, max
  for (int k = 0; k < plan->n_kernels; k++) assert_int_equal(plan->kernels[k].n_outputs, 1);
}

static void test_names_are_unique(void **state) {
  Plan *plan = fixture_plan_text(*state,
                                 "graph g (N) { %0 = input \"x\" : f32[N,8]\n"
                                 "%1 = index max [n:N | c:8] { %0[n, c] } : f32[N] @softmax \"m.softmax\"\n"
                                 "%2 = index min [c:8 | n:N] { %0[n, c] } : f32[8] @softmax \"m.softmax\"\n"
                                 "%3 = index prod [| n:N, c:8] { %0[n, c] } : f32[]\n"
                                 "return result \"a\" = %1 return result \"b\" = %2 return result \"c\" = %3 }",
                                 5);
  assert_string_equal(plan->kernels[0].name, "softmax");
  assert_string_equal(plan->kernels[1].name, "softmax#2");
  assert_string_equal(plan->kernels[2].name, "prod");
}

static void test_weight_gradients_are_named_after_them(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[N,8] %1 = input \"d\" : f32[N,4] %2 = param \"m.dense_1.w\" : f32[8,4]\n"
      "%3 = index sum [k:8, o:4 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[8,4] @d.dense \"m.dense_1\"\n"
      "return grad \"m.dense_1.w\" = %3 }",
      5);
  assert_string_equal(plan->kernels[0].name, "d.dense_1.w");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_bias_and_relu_follow),
      TEST(test_tail_is_stored_not_recomputed),
      TEST(test_value_used_twice_is_second_output),
      TEST(test_halo_is_stored_by_producer),
      TEST(test_halo_behind_only),
      TEST(test_affine_of_parameters_follows),
      TEST(test_no_cycle_through_statistics),
      TEST(test_residual_sum_follows_the_later),
      TEST(test_sum_computes_what_it_adds),
      TEST(test_micro_kernel_reads_memory),
      TEST(test_costly_values_are_not_repeated),
      TEST(test_cheap_values_are_recomputed),
      TEST(test_dear_values_are_stored),
      TEST(test_two_readers_recompute_three_load),
      TEST(test_what_follows_a_root_is_stored),
      TEST(test_small_values_are_not_spread),
      TEST(test_reads_at_many_points_stay_bounded),
      TEST(test_equal_shapes_share_their_input),
      TEST(test_beside_is_not_behind),
      TEST(test_moved_output_is_not_at_the_point),
      TEST(test_last_dimension_stays_last),
      TEST(test_reshape_divides),
      TEST(test_moves_read_memory),
      TEST(test_constant_shown_by_reshape),
      TEST(test_dead_nodes_have_no_kernel),
      TEST(test_sums_of_a_row_share_a_kernel),
      TEST(test_sums_beside_each_other_share_a_kernel),
      TEST(test_other_points_are_no_rows),
      TEST(test_chunked_sums_are_no_rows),
      TEST(test_long_rows_are_shared_out),
      TEST(test_no_fuse),
      TEST(test_names_are_unique),
      TEST(test_weight_gradients_are_named_after_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
