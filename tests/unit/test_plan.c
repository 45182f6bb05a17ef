// The memory plan: packing, regions, scratch, the limit; and that the checker sees what is wrong.
#include "plan_fixture.h"

#include "plan_pack.h"

// ---- random numbers -------------------------------------------------------------------------------------------------

static uint32_t below(uint32_t *state, uint32_t bound) {
  *state = *state * 1664525u + 1013904223u;
  return (*state >> 8) % bound;
}

// ---- packing --------------------------------------------------------------------------------------------------------

static void assert_apart(const Block *blocks, size_t n) {
  for (size_t a = 0; a < n; a++) {
    assert_int_equal(blocks[a].offset % PACK_ALIGN, 0);
    for (size_t b = 0; b < a; b++) {
      bool at_once = blocks[a].first <= blocks[b].last && blocks[b].first <= blocks[a].last;
      bool apart = blocks[a].offset + blocks[a].bytes <= blocks[b].offset ||
                   blocks[b].offset + blocks[b].bytes <= blocks[a].offset;
      if (at_once && !apart) fail_msg("blocks %zu and %zu overlap", a, b);
    }
  }
}

// The most bytes that live at one time: no packing can need less.
static int64_t lower_bound(const Block *blocks, size_t n, int times) {
  int64_t most = 0;
  for (int t = 0; t < times; t++) {
    int64_t sum = 0;
    for (size_t k = 0; k < n; k++)
      if (blocks[k].first <= t && t <= blocks[k].last) sum += blocks[k].bytes;
    if (sum > most) most = sum;
  }
  return most;
}

static void fill_blocks(Block *blocks, size_t n, uint32_t seed, int times) {
  for (size_t k = 0; k < n; k++) {
    int first = (int)below(&seed, (uint32_t)times), life = (int)below(&seed, 9);
    int last = first + life < times ? first + life : times - 1;
    blocks[k] = (Block){.bytes = 1 + (int64_t)below(&seed, 40000), .first = first, .last = last};
  }
}

static void test_pack_random(void **state) {
  Fixture *f = *state;
  Block blocks[200];
  for (uint32_t seed = 1; seed <= 20; seed++) {
    fill_blocks(blocks, 200, seed, 60);
    int64_t bytes = pack_blocks(f->arena, blocks, 200, true), least = lower_bound(blocks, 200, 60);
    assert_apart(blocks, 200);
    assert_true(bytes >= least);
    if (bytes > least + least / 4)
      fail_msg("seed %u: %lld bytes, %lld would do", seed, (long long)bytes, (long long)least);
  }
}

// Above the number up to which the slow way is taken.
static void test_pack_many(void **state) {
  Fixture *f = *state;
  enum { N = 6000, TIMES = 3000 };
  Block *blocks = arena_array(f->arena, N, sizeof *blocks);
  fill_blocks(blocks, N, 5, TIMES);
  int64_t bytes = pack_blocks(f->arena, blocks, N, true), least = lower_bound(blocks, N, TIMES);
  assert_apart(blocks, N);
  assert_true(bytes <= 2 * least);
}

static void test_pack_without_reuse(void **state) {
  Fixture *f = *state;
  Block blocks[2] = {{.bytes = 100, .first = 0, .last = 0}, {.bytes = 100, .first = 5, .last = 5}};
  pack_blocks(f->arena, blocks, 2, true);
  assert_int_equal(blocks[0].offset, blocks[1].offset);
  pack_blocks(f->arena, blocks, 2, false);
  assert_int_not_equal(blocks[0].offset, blocks[1].offset);
}

// Tensors of whole pages that one kernel streams do not start at the same place in a page.
static void test_pack_staggers(void **state) {
  Fixture *f = *state;
  Block blocks[3];
  for (int k = 0; k < 3; k++) blocks[k] = (Block){.bytes = 8192, .first = 0, .last = 0};
  pack_blocks(f->arena, blocks, 3, true);
  for (int a = 0; a < 3; a++)
    for (int b = 0; b < a; b++) assert_int_not_equal(blocks[a].offset % 4096, blocks[b].offset % 4096);
}

static void test_pack_overflow(void **state) {
  Fixture *f = *state;
  Block blocks[2] = {{.bytes = INT64_MAX / 2 + 1}, {.bytes = INT64_MAX / 2 + 1}};
  assert_int_equal(pack_blocks(f->arena, blocks, 2, true), -1);
  assert_int_equal(pack_blocks(f->arena, NULL, 0, true), 0);
}

// ---- regions --------------------------------------------------------------------------------------------------------

static void test_regions(void **state) {
  Plan *plan = fixture_plan_text(
      *state,
      "graph g (N) { %0 = input \"x\" : f32[N,40] %1 = input \"d\" : f32[N,24] %2 = param \"m.b\" : f32[3]\n"
      "%3 = param \"m.w\" : f32[40,24] %4 = state \"m.s\" : f32[24]\n"
      "%5 = index sum [k:40, o:24 | n:N] { mul(%0[n, k], %1[n, o]) } : f32[40,24] %6 = neg %4 : f32[24] %7 = exp %1 : f32[N,24]\n"
      "return grad \"m.w\" = %5 return state \"m.s\" = %6 return grad \"d\" = %7 }",
      5);
  const Place *places = plan->place;
  assert_int_equal(places[1].region, REGION_INPUT);
  assert_int_equal(places[1].input, 1);
  assert_int_equal(places[1].bytes, 5 * 24 * 4);
  assert_int_equal(places[3].region, REGION_PARAM);
  assert_int_equal(places[3].offset, 64);  // behind three floats, on the next 64 bytes
  assert_int_equal(places[4].region, REGION_STATE);
  assert_int_equal(places[5].region, REGION_GRAD);
  assert_int_equal(places[5].offset, 64);
  assert_int_equal(places[6].region, REGION_STATE_NEXT);
  assert_int_equal(places[7].region, REGION_ARENA);  // of an input: a result like others
  assert_int_equal(places[7].last, plan->n_kernels);
}

static void test_bytes_of_types(void **state) {
  Plan *plan =
      fixture_plan_text(*state,
                        "graph g (N) { %0 = input \"x\" : f32[N,7] %1 = const 0.0 : f32[] %2 = lt %0, %1 : bool[N,7]\n"
                        "return result \"y\" = %2 }",
                        5);
  assert_int_equal(plan->place[2].bytes, 35);
}

// ---- scratch --------------------------------------------------------------------------------------------------------

#define WEIGHT_GRADIENT \
  "graph g (N) { %0 = input \"x\" : f32[N,10,10,4] %1 = input \"d\" : f32[N,8,8,8]\n" \
  "%2 = index sum [r:3, s:3, c:4, o:8 | n:N, i:8, j:8] { mul(%0[n, i + r, j + s, c], %1[n, i, j, o]) } : f32[3,3,4,8]\n" \
  "return result \"y\" = %2 }"

static void test_scratch_of_chunks(void **state) {
  Plan *plan = fixture_plan_text(*state, WEIGHT_GRADIENT, 20);  // chunks of 8, 8 and 4 images
  assert_int_equal(plan->kernels[0].scratch_bytes, 3 * 3 * 3 * 4 * 8 * 4);
  assert_true(plan->arena_bytes >= plan->kernels[0].scratch_bytes + plan->place[2].bytes);
}

static void test_no_scratch_for_one_chunk(void **state) {
  Plan *plan = fixture_plan_text(*state, WEIGHT_GRADIENT, 8);
  assert_int_equal(plan->kernels[0].scratch_bytes, 0);
}

// ---- reuse and limits -----------------------------------------------------------------------------------------------

// A chain through reshapes, one kernel a link: two places are enough, in turn.
static const char *chain_text(Fixture *f, int links) {
  Text text = text_new(f->arena);
  text_add(&text, "graph g (N) { %0 = input \"x\" : f32[N,60]\n");
  for (int k = 0; k < links; k++) {
    const char *from = k % 2 ? "10,6" : "60", *to = k % 2 ? "60" : "10,6";
    text_printf(&text, "%%%d = exp %%%d : f32[N,%s] %%%d = reshape %%%d : f32[N,%s]\n", 2 * k + 1, 2 * k, from,
                2 * k + 2, 2 * k + 1, to);
  }
  text_printf(&text, "return result \"y\" = %%%d }", 2 * links - 1);
  return text.bytes;
}

static void test_places_are_reused(void **state) {
  Fixture *f = *state;
  Plan *plan = fixture_plan_text(f, chain_text(f, 20), 16);
  assert_int_equal(plan->n_kernels, 20);
  assert_int_equal(plan->arena_bytes, 2 * 16 * 60 * 4);
  const PlanOptions options = {.no_reuse = true};
  plan = fixture_plan(f, plan->graph, 16, &options);
  assert_true(plan->arena_bytes >= 20 * 16 * 60 * 4);
}

// What is read at its own points only, and for the last time, gives its place to what is made of it.
static void test_places_are_taken_over(void **state) {
  Fixture *f = *state;
  const PlanOptions apart = {.no_fuse = true};
  const Graph *g = fixture_prepare(f, fixture_parse(f,
                                                    "graph g (N) { %0 = input \"x\" : f32[N,64]\n"
                                                    "%1 = exp %0 : f32[N,64] %2 = tanh %1 : f32[N,64]\n"
                                                    "%3 = add %2, %2 : f32[N,64] return result \"y\" = %3 }"));
  Plan *plan = fixture_plan(f, g, 16, &apart);
  assert_int_equal(plan->n_kernels, 3);
  assert_int_equal(plan->arena_bytes, 16 * 64 * 4);
  assert_int_equal(plan->in_place[3], 2);
  // Read at another point too, or once more later: a place of its own.
  g = fixture_prepare(f,
                      fixture_parse(f,
                                    "graph g (N) { %0 = input \"x\" : f32[N,64]\n"
                                    "%1 = exp %0 : f32[N,64] %2 = index map [n:N, c:64] { %1[n, 63 - c] } : f32[N,64]\n"
                                    "%3 = add %2, %1 : f32[N,64] return result \"y\" = %3 }"));
  plan = fixture_plan(f, g, 16, &apart);
  assert_int_equal(plan->in_place[2], NODE_NONE);
  assert_true(plan->in_place[3] == 1 || plan->in_place[3] == 2);
}

static void spoil_in_place(Plan *plan) {
  for (NodeId id = 0; (size_t)id < plan->graph->n_nodes; id++)
    if (plan->in_place[id] != NODE_NONE) plan->in_place[id] = 0;
}

static void test_wrong_places_are_found(void **state) {
  Fixture *f = *state;
  const PlanOptions apart = {.no_fuse = true};
  const Graph *g = fixture_prepare(f, fixture_parse(f,
                                                    "graph g (N) { %0 = input \"x\" : f32[N,64]\n"
                                                    "%1 = exp %0 : f32[N,64] %2 = tanh %1 : f32[N,64]\n"
                                                    "return result \"y\" = %2 }"));
  Plan *plan = fixture_plan(f, g, 16, &apart);
  spoil_in_place(plan);
  Text why = text_new(f->arena);
  assert_false(plan_verify(plan, &why));
  assert_non_null(strstr(why.bytes, "may not take the place"));
}

// Over the limit, what can be computed anew in the backward part is; the outputs stay the same ones.
static void test_values_are_computed_anew(void **state) {
  Fixture *f = *state;
  const char *text =
      "graph g (N) { %0 = input \"x\" : f32[N,64] %1 = param \"w\" : f32[64,64]\n"
      "%2 = index sum [n:N, o:64 | k:64] { mul(%0[n, k], %1[k, o]) } : f32[N,64] %3 = exp %2 : f32[N,64]\n"
      "%4 = tanh %3 : f32[N,64] %5 = index sum [n:N, o:64 | k:64] { mul(%4[n, k], %1[k, o]) } : f32[N,64]\n"
      "%6 = index sum [n:N, o:64 | k:64] { mul(%5[n, k], %1[k, o]) } : f32[N,64]\n"
      "%7 = index sum [| n:N, o:64] { %6[n, o] } : f32[]\n"
      "%8 = index sum [k:64, o:64 | n:N] { mul(%4[n, k], %6[n, o]) } : f32[64,64]\n"
      "%9 = index sum [k:64, o:64 | n:N] { mul(%2[n, k], %6[n, o]) } : f32[64,64]\n"
      "%10 = add %8, %9 : f32[64,64] return loss \"loss\" = %7 return grad \"w\" = %10 }";
  const Graph *g = fixture_prepare(f, fixture_parse(f, text));
  const PlanOptions free_of_limits = {0};
  Plan *whole = fixture_plan(f, g, 512, &free_of_limits);
  assert_false(whole->recomputes);
  const PlanOptions tight = {.memory_limit = whole->arena_bytes - 1};
  Plan *plan = fixture_plan(f, g, 512, &tight);
  assert_non_null(plan);
  assert_true(plan->recomputes && plan->arena_bytes < whole->arena_bytes);
}

static void test_memory_limit(void **state) {
  Fixture *f = *state;
  const Graph *g = fixture_prepare(
      f, fixture_parse(f,
                       "graph g (N) { %0 = input \"x\" : f32[N,60] %1 = exp %0 : f32[N,60] @exp \"m.exp\"\n"
                       "return result \"y\" = %1 }"));
  PlanOptions options = {.memory_limit = 16 * 60 * 4};
  assert_non_null(fixture_plan(f, g, 16, &options));
  options.memory_limit--;
  assert_null(fixture_plan(f, g, 16, &options));
  assert_int_equal(f->sink->n_errors, 1);
  assert_string_equal(diag_code_name(f->sink->items[0]->code), "E0602");
  assert_string_equal(f->sink->items[0]->message, "the step needs 3.8 KiB of memory, the limit is 3.7 KiB");
  assert_string_equal(f->sink->items[0]->lines[0].text, "3.8 KiB: f32[N,60] of m.exp, needed by kernels 0 to 0 of 1");
}

static void test_limit_names_the_largest_first(void **state) {
  Fixture *f = *state;
  const Graph *g =
      fixture_prepare(f, fixture_parse(f,
                                       "graph g (N) { %0 = input \"x\" : f32[N,60]\n"
                                       "%1 = index sum [n:N | c:60] { %0[n, c] } : f32[N] @sum \"m.small\"\n"
                                       "%2 = exp %0 : f32[N,60] @exp \"m.large\"\n"
                                       "return result \"y\" = %1 return result \"z\" = %2 }"));
  const PlanOptions options = {.memory_limit = 1};
  assert_null(fixture_plan(f, g, 16, &options));
  assert_non_null(strstr(f->sink->items[0]->lines[0].text, "m.large"));
  assert_non_null(strstr(f->sink->items[0]->lines[1].text, "m.small"));
}

static void test_sizes_beyond_memory(void **state) {
  Fixture *f = *state;
  const Graph *g = fixture_prepare(
      f, fixture_parse(f,
                       "graph g (N) { %0 = input \"x\" : f32[N,4294967296] %1 = exp %0 : f32[N,4294967296]\n"
                       "return result \"y\" = %1 }"));
  const PlanOptions options = {0};
  assert_null(fixture_plan(f, g, 4294967296, &options));
  assert_string_equal(diag_code_name(f->sink->items[0]->code), "E0620");
}

// ---- the checker ----------------------------------------------------------------------------------------------------

#define CHAIN3 \
  "graph g (N) { %0 = input \"x\" : f32[N,6] %1 = exp %0 : f32[N,6] %2 = reshape %1 : f32[N,2,3]\n" \
  "%3 = exp %2 : f32[N,2,3] %4 = index sum [n:N | i:2, j:3] { %3[n, i, j] } : f32[N]\n" \
  "return result \"y\" = %4 return result \"z\" = %3 }"

// The plan is right, and wrong in these words after `spoil`.
static void assert_breach(Fixture *f, void (*spoil)(Plan *plan), const char *words) {
  Plan *plan = fixture_plan_text(f, CHAIN3, 5);
  assert_int_equal(plan->n_kernels, 3);
  spoil(plan);
  Text why = text_new(f->arena);
  assert_false(plan_verify(plan, &why));
  if (!strstr(why.bytes, words)) fail_msg("'%s', not '%s'", why.bytes, words);
}

static void spoil_overlap(Plan *plan) { plan->place[3].offset = plan->place[1].offset; }
static void spoil_alignment(Plan *plan) { plan->place[3].offset += 4; }
static void spoil_arena(Plan *plan) { plan->arena_bytes = 64; }
static void spoil_lifetime(Plan *plan) { plan->place[1].last = 0; }
static void spoil_result(Plan *plan) { plan->place[4].last = 2; }
static void spoil_region(Plan *plan) { plan->place[1].region = REGION_NONE; }
static void spoil_kind(Plan *plan) { plan->kernels[2].kind = KERNEL_CONTRACT; }
static void spoil_output(Plan *plan) { plan->kernels[0].n_outputs = 0; }
static void spoil_input(Plan *plan) { plan->kernels[1].n_inputs = 0; }
static void spoil_node(Plan *plan) { plan->kernels[1].n_nodes = 0; }
static void spoil_view(Plan *plan) { plan->kernels[1].space = plan->kernels[1].nodes[0] = 2; }
static void spoil_order(Plan *plan) {
  Kernel first = plan->kernels[0];
  plan->kernels[0] = plan->kernels[1];
  plan->kernels[1] = first;
}

static void test_checker_sees(void **state) {
  Fixture *f = *state;
  assert_breach(f, spoil_overlap, "overlaps");
  assert_breach(f, spoil_alignment, "not aligned");
  assert_breach(f, spoil_arena, "outside the arena");
  assert_breach(f, spoil_lifetime, "after the end of its place");
  assert_breach(f, spoil_result, "does not keep its place");
  assert_breach(f, spoil_region, "no place");
  assert_breach(f, spoil_kind, "wrong kind");
  assert_breach(f, spoil_output, "stores nothing");
  assert_breach(f, spoil_input, "which it has not");
  assert_breach(f, spoil_node, "does not compute its root or space");
  assert_breach(f, spoil_view, "both reads and computes");
  assert_breach(f, spoil_order, "no kernel before it stores");
}

#define ROWS \
  "graph g (N) { %0 = input \"x\" : f32[N,24] %1 = index max [n:N | c:24] { %0[n, c] } : f32[N]\n" \
  "%2 = index sum [n:N | c:24] { sub(%0[n, c], %1[n]) } : f32[N]\n" \
  "%3 = index map [n:N, c:24] { sub(%0[n, c], %2[n]) } : f32[N,24]\n" \
  "%4 = index map [c:24, n:N] { %0[n, c] } : f32[24,N] return result \"y\" = %3 return result \"z\" = %4 }"

// One kernel takes %1 and %2 and stores %3; as the spoiler changes the graph, it may not.
static void assert_row_breach(Fixture *f, void (*spoil)(Plan *plan, Node *sum, Node *row), const char *words) {
  Plan *plan = fixture_plan_text(f, ROWS, 5);
  Text why = text_new(f->arena);
  assert_true(plan_verify(plan, &why));
  spoil(plan, (Node *)graph_node(plan->graph, 2), (Node *)graph_node(plan->graph, 3));
  assert_false(plan_verify(plan, &why));
  if (!strstr(why.bytes, words)) fail_msg("'%s', not '%s'", why.bytes, words);
}

static void spoil_sum_extent(Plan *plan, Node *sum, Node *row) {
  (void)plan, (void)row;
  sum->index->extent[1] = dim_const(23);
}
static void spoil_row_read(Plan *plan, Node *sum, Node *row) {
  (void)plan, (void)sum;
  row->index->reads[1].at[0].offset = -1;
}
static void spoil_row_shape(Plan *plan, Node *sum, Node *row) {
  (void)plan, (void)sum;
  row->shape.dim[1] = dim_const(12);
}
static void spoil_chunk(Plan *plan, Node *sum, Node *row) {
  (void)plan, (void)row;
  sum->index->order.chunk = 8;
}

static void test_checker_sees_rows(void **state) {
  Fixture *f = *state;
  assert_row_breach(f, spoil_sum_extent, "no sum of the same rows");
  assert_row_breach(f, spoil_row_read, "reads the root at other points");
  assert_row_breach(f, spoil_row_shape, "another shape");
  assert_row_breach(f, spoil_chunk, "no sum of the same rows");
}

// ---- random graphs --------------------------------------------------------------------------------------------------

enum { RANDOM_NODES = 60 };

// A node of shape [N,8] or [N,8,8].
static NodeId pick(const Graph *g, uint32_t *seed, int rank) {
  for (;;) {
    NodeId id = (NodeId)below(seed, (uint32_t)g->n_nodes);
    const Shape *shape = &graph_node(g, id)->shape;
    if (shape->rank == rank && dim_equal(shape->dim[1], dim_const(8))) return id;
  }
}

// One more node of a few kinds over [N,8,8] tensors, their row sums and their products.
static void grow(Builder *b, uint32_t *seed) {
  static const bool last[3] = {false, false, true};
  static const int swapped[3] = {0, 2, 1}, spread[2] = {0, 1};
  Graph *g = b->graph;
  NodeId a = pick(g, seed, 3), c = pick(g, seed, 3);
  Shape full = graph_node(g, a)->shape;
  const int64_t before[3] = {0, 1, 0}, after[3] = {0, 2, 0};
  switch (below(seed, 9)) {
    case 0:
      build_unary(b, OP_exp, a);
      break;
    case 1:
      build_unary(b, OP_neg, a);
      break;
    case 2:
      build_binary(b, OP_add, a, c);
      break;
    case 3:
      build_binary(b, OP_mul, a, c);
      break;
    case 4:
      build_reduce(b, COMBINE_MAX, a, last, false);
      break;
    case 5:
      build_transpose(b, a, swapped);
      break;
    case 6:
      build_broadcast(b, pick(g, seed, 2), &full, spread);
      break;
    case 7:
      build_pad(b, build_slice(b, a, 1, 1, 5, 1), before, after);
      break;
    default: {
      Scalar body[] = {
          {.kind = SCALAR_READ}, {.kind = SCALAR_READ, .arg = {1}}, {.kind = SCALAR_OP, .op = OP_mul, .arg = {0, 1}}};
      Read reads[2] = {{3, {index_of(0), index_of(1), index_of(3)}}, {3, {index_of(0), index_of(3), index_of(2)}}};
      if (below(seed, 2)) reads[0].at[1].offset = -1;
      if (below(seed, 2)) reads[1] = (Read){3, {index_of(0), index_of(2), index_of(3)}};
      IndexDef def = {.combine = COMBINE_SUM, .n_out = 3, .n_red = 1, .reads = reads, .n_body = 3, .body = body};
      for (int k = 0; k < 4; k++) def.extent[k] = k ? dim_const(8) : full.dim[0];
      build_index(b, &def, (NodeId[]){a, c}, 2);
    }
  }
}

static Graph *random_graph(Fixture *f, uint32_t seed) {
  Graph *g = graph_new(f->arena, "random");
  Builder b = {.graph = g};
  Dim n = {1, graph_symbol(g, "N")};
  Shape full = {3, {n, dim_const(8), dim_const(8)}}, rows = {2, {n, dim_const(8)}};
  build_input(&b, "x", DT_F32, &full);
  build_input(&b, "r", DT_F32, &rows);
  for (int k = 0; k < RANDOM_NODES; k++) grow(&b, &seed);
  const char *const names[] = {"a", "b", "c", "d"};
  for (int k = 0; k < 4; k++) graph_output(g, OUT_RESULT, names[k], (NodeId)(g->n_nodes - 1 - below(&seed, 20)));
  return g;
}

static void test_random_graphs(void **state) {
  Fixture *f = *state;
  for (uint32_t seed = 1; seed <= 200; seed++) {
    const Graph *g = fixture_prepare(f, random_graph(f, seed));
    for (int k = 0; k < 3; k++) {
      const PlanOptions options = {.no_fuse = k == 1, .no_reuse = k == 2};
      assert_non_null(fixture_plan(f, g, 3, &options));
    }
  }
}

// Fusion and planning stay near linear: four times the nodes, not much more than four times the kernels' contents.
static void test_long_graph(void **state) {
  Fixture *f = *state;
  Graph *g = graph_new(f->arena, "long");
  Builder b = {.graph = g};
  Shape shape = {1, {dim_const(8)}};
  NodeId last = build_input(&b, "x", DT_F32, &shape);
  for (int k = 0; k < 50000; k++) last = k % 3 ? build_unary(&b, OP_exp, last) : build_binary(&b, OP_add, last, 0);
  graph_output(g, OUT_RESULT, "y", last);
  const PlanOptions options = {0};
  Plan *plan = fixture_plan(f, g, 1, &options);
  size_t evaluated = 0;
  for (int k = 0; k < plan->n_kernels; k++) {
    evaluated += (size_t)plan->kernels[k].n_nodes;
    assert_in_range(plan->kernels[k].n_nodes, 1, 400);
  }
  assert_in_range(evaluated, 50000, 60000);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_pack_random),
      TEST(test_pack_many),
      TEST(test_pack_without_reuse),
      TEST(test_pack_staggers),
      TEST(test_pack_overflow),
      TEST(test_regions),
      TEST(test_bytes_of_types),
      TEST(test_scratch_of_chunks),
      TEST(test_no_scratch_for_one_chunk),
      TEST(test_places_are_reused),
      TEST(test_places_are_taken_over),
      TEST(test_wrong_places_are_found),
      TEST(test_values_are_computed_anew),
      TEST(test_memory_limit),
      TEST(test_limit_names_the_largest_first),
      TEST(test_sizes_beyond_memory),
      TEST(test_checker_sees),
      TEST(test_checker_sees_rows),
      TEST(test_random_graphs),
      TEST(test_long_graph),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
