// The reducer, on predicates that are known: what it leaves still fails and is, nine times in ten, as small as can be.
// And that the checks see a pass that is wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "check_program.h"
#include "make_graph.h"
#include "reduce.h"

enum { SEEDS = 200, LEAST = 8, SMALL = 5 };

static Graph *graph_of(Arena *arena, uint64_t seed) {
  Choice chance = {.seed = seed, .stream = 1};
  MakeOptions options = {.most = 10};
  return make_graph(arena, &chance, &options);
}

static bool has_op(const Graph *g, Op op) {
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == op) return true;
  return false;
}

// ---- a fault that is known ------------------------------------------------------------------------------------------

static bool has_sum_over_two(void *state, const Graph *g) {
  ++*(int *)state;
  for (size_t k = 0; k < g->n_nodes; k++)
    if (g->nodes[k].op == OP_index && g->nodes[k].index->combine == COMBINE_SUM && g->nodes[k].index->n_red >= 2)
      return true;
  return false;
}

static bool has_tanh_and_index(void *state, const Graph *g) {
  ++*(int *)state;
  return has_op(g, OP_tanh) && has_op(g, OP_index);
}

static int64_t largest_size(const Graph *g) {
  int64_t most = 0;
  for (size_t k = 0; k < g->n_nodes; k++)
    for (int d = 0; d < g->nodes[k].shape.rank; d++)
      if (g->nodes[k].shape.dim[d].scale > most) most = g->nodes[k].shape.dim[d].scale;
  return most;
}

static void reduce_all(ReduceTest fails, int nodes, int64_t size) {
  int reduced = 0, few = 0;
  for (uint64_t seed = 1; seed <= SEEDS; seed++) {
    Guard guard;
    Arena *arena = arena_new(allocator_system(), &guard);
    Graph *g = graph_of(arena, seed);
    int asked = 0;
    if (fails(&asked, g) && reduce_size(g) > nodes) {
      const Graph *small = reduce_graph(g, fails, &asked);
      assert_true(fails(&asked, small));
      few += reduce_size(small) <= nodes && largest_size(small) <= size;
      assert_in_range(asked, 2, 3000);
      reduced++;
    }
    arena_free(arena);
  }
  assert_in_range(reduced, LEAST, SEEDS);
  assert_in_range(few, reduced - reduced / 10, reduced);
}

static void a_single_node_is_found(void **state) {
  (void)state;
  reduce_all(has_sum_over_two, 1, 2);
}

static void few_nodes_are_found(void **state) {
  (void)state;
  reduce_all(has_tanh_and_index, 3, 2);
}

// ---- a pass that is wrong -------------------------------------------------------------------------------------------

// As a pass that takes a - b for b - a: the graphs' results differ.
typedef struct Wrong {
  const Functions *functions;
} Wrong;

static const Graph *with_swapped_sub(const Graph *g) {
  Builder b = {.graph = graph_like(g)};
  NodeId *map = arena_array(g->arena, g->n_nodes, sizeof *map);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    map[k] = node->op == OP_sub ? build_binary(&b, OP_sub, map[node->in[1]], map[node->in[0]])
                                : build_copy(&b, g, (NodeId)k, map);
  }
  for (size_t k = 0; k < g->n_outputs; k++)
    graph_output(b.graph, g->outputs[k].kind, g->outputs[k].name, map[g->outputs[k].value]);
  return b.graph;
}

static bool results_differ(void *state, const Graph *g) {
  const Wrong *wrong = state;
  Fill fill = {.seed = 1, .symbol = 3};
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(&fill, symbols);
  const Graph *other = with_swapped_sub(g);
  EvalTensor *want = arena_array(g->arena, g->n_nodes, sizeof *want),
             *got = arena_array(g->arena, g->n_nodes, sizeof *got);
  reference_eval(wrong->functions, g, &env, g->arena, want, NULL);
  reference_eval(wrong->functions, other, &env, g->arena, got, NULL);
  for (size_t k = 0; k < g->n_outputs; k++) {
    const EvalTensor *a = &want[g->outputs[k].value], *b = &got[other->outputs[k].value];
    for (int64_t i = 0; i < shape_count(&a->shape, NULL); i++)
      if (!same_number(a->data[i], b->data[i])) return true;
  }
  return false;
}

static void a_wrong_pass_is_found_and_reduced(void **state) {
  (void)state;
  Guard guard;
  Arena *shared = arena_new(allocator_system(), &guard);
  Functions *functions = functions_new(shared);
  Wrong wrong = {functions};
  int found = 0, small = 0;
  for (uint64_t seed = 1; seed <= 300 && found < 12; seed++) {
    Arena *arena = arena_new(allocator_system(), &guard);
    Graph *g = graph_of(arena, seed);
    if (has_op(g, OP_sub) && results_differ(&wrong, g)) {
      found++;
      small += reduce_size(reduce_graph(g, results_differ, &wrong)) <= SMALL;
    }
    arena_free(arena);
  }
  functions_free(functions);
  arena_free(shared);
  assert_in_range(found, 5, 12);
  assert_int_equal(small, found);
}

// ---- what is made ---------------------------------------------------------------------------------------------------

static void the_same_seed_makes_the_same(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  for (uint64_t seed = 1; seed <= 50; seed++) {
    assert_true(graph_equal(graph_of(arena, seed), graph_of(arena, seed)));
    Tally tally = {0};
    Choice a = {.seed = seed, .stream = 3}, b = a;
    assert_string_equal(make_program(arena, &a, &tally).text.bytes, make_program(arena, &b, &tally).text.bytes);
  }
  arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_single_node_is_found), cmocka_unit_test(few_nodes_are_found),
                                     cmocka_unit_test(a_wrong_pass_is_found_and_reduced),
                                     cmocka_unit_test(the_same_seed_makes_the_same)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
