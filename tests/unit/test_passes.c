// The manager and the simplifications: what each leaves, that they keep every bit, and that they come to an end.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "op_cases.h"
#include "passes.h"

static Arena *fresh(Guard *guard) {
  Arena *arena = arena_new(allocator_system(), guard);
  assert_non_null(arena);
  return arena;
}

static const char SIMPLIFICATIONS[] = "canonicalise,fold,simplify,cse,dce";

static PassContext context_of(Arena *arena) {
  return (PassContext){.arena = arena, .sink = diag_sink_new(arena), .verify = true};
}

static Graph *run(const Graph *g, const char *passes) {
  PassContext ctx = context_of(g->arena);
  Graph *result = passes_run(&ctx, g, PASS_BOTH, passes, NULL);
  assert_non_null(result);
  return result;
}

static const char *print(const Graph *g) {
  Text text = text_new(g->arena);
  graph_print(g, &text);
  return text.bytes;
}

// ---- one graph becomes another --------------------------------------------------------------------------------------

typedef struct Rule {
  const char *name, *passes;
  const char *before, *after;  // statements; after NULL: nothing changes, and the graph itself comes back
} Rule;

#define X "%0 = input \"x\" : f32[N,4] "
#define Y "%1 = input \"y\" : f32[N,4] "
#define OUT(k) " return result \"y\" = %" #k

static const Rule rules[] = {
    // ---- canonicalise ----------------------------------------------------------------------------------------------
    {"operands in order", "canonicalise", X Y "%2 = mul %1, %0 : f32[N,4]" OUT(2),
     X Y "%2 = mul %0, %1 : f32[N,4]" OUT(2)},
    {"constants last", "canonicalise",
     "%0 = const 2.0 : f32[] %1 = input \"x\" : f32[4] %2 = add %0, %1 : f32[4]" OUT(2),
     "%0 = const 2.0 : f32[] %1 = input \"x\" : f32[4] %2 = add %1, %0 : f32[4]" OUT(2)},
    {"max has an order of its own", "canonicalise", X Y "%2 = max %1, %0 : f32[N,4]" OUT(2), NULL},
    {"operands in order in a body", "canonicalise",
     X Y "%2 = index map [n:N, i:4] { t0 = %0[n, i]; add(%1[n, i], t0) } : f32[N,4]" OUT(2),
     X Y "%2 = index map [n:N, i:4] { add(%0[n, i], %1[n, i]) } : f32[N,4]" OUT(2)},
    {"reshape of a reshape", "canonicalise,dce", X "%1 = reshape %0 : f32[N,2,2] %2 = reshape %1 : f32[N,4,1]" OUT(2),
     X "%1 = reshape %0 : f32[N,4,1]" OUT(1)},
    {"reshape there and back", "canonicalise,dce",
     X "%1 = reshape %0 : f32[N,2,2] %2 = reshape %1 : f32[N,4] %3 = exp %2 : f32[N,4]" OUT(3),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"concat of one", "canonicalise", X "%1 = concat %0 axis 1 : f32[N,4] %2 = exp %1 : f32[N,4]" OUT(2),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"movement to its own place", "canonicalise,dce",
     X "%1 = index map [n:N, i:4] { %0[n, i] } : f32[N,4] %2 = exp %1 : f32[N,4]" OUT(2),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"transpose of a transpose", "canonicalise,dce",
     X
     "%1 = index map [i:4, n:N] { %0[n, i] } : f32[4,N] %2 = index map [n:N, i:4] { exp(%1[i, n]) } : f32[N,4]" OUT(2),
     X "%1 = index map [n:N, i:4] { exp(%0[n, i]) } : f32[N,4]" OUT(1)},
    {"slice of a slice", "canonicalise,dce",
     "%0 = input \"x\" : f32[20] %1 = index map [i:9] { %0[2*i + 1] } : f32[9]"
     "%2 = index map [i:4] { %1[2*i + 1] } : f32[4]" OUT(2),
     "%0 = input \"x\" : f32[20] %1 = index map [i:4] { %0[4*i + 3] } : f32[4]" OUT(1)},
    {"product of a transposed operand", "canonicalise,dce",
     X "%1 = input \"w\" : f32[7,4] %2 = index map [k:4, j:7] { %1[j, k] } : f32[4,7]"
       "%3 = index sum [n:N, j:7 | k:4] { mul(%0[n, k], %2[k, j]) } : f32[N,7]" OUT(3),
     X "%1 = input \"w\" : f32[7,4] %2 = index sum [n:N, j:7 | k:4] { mul(%0[n, k], %1[j, k]) } : f32[N,7]" OUT(2)},
    {"but not if the micro-kernel would lose it", "canonicalise",
     X "%1 = input \"w\" : f32[4,4] %2 = index map [k:4, j:8] { %1[k, j // 2] } : f32[4,8]"
       "%3 = index sum [n:N, j:8 | k:4] { mul(%0[n, k], %2[k, j]) } : f32[N,8]" OUT(3),
     NULL},
    {"nor if it would add up in another order", "canonicalise",
     "%0 = input \"x\" : f32[2,5,3] %1 = input \"w\" : f32[3,5,8]"
     "%2 = index map [n:2, c:3, i:5] { %0[n, i, c] } : f32[2,3,5]"
     "%3 = index sum [n:2, o:8 | c:3, i:5] { mul(%2[n, c, i], %1[c, i, o]) } : f32[2,8]" OUT(3),
     NULL},
    {"a crop's edge is not the source's", "canonicalise,dce",
     "%0 = input \"x\" : f32[9] %1 = index map [i:5] { %0[i + 2] } : f32[5]"
     "%2 = index map [i:7] { %1[i - 1] } : f32[7]" OUT(2),
     NULL},
    {"a pad read inside", "canonicalise,dce",
     "%0 = input \"x\" : f32[5] %1 = index map [i:9] { %0[i - 2] } : f32[9]"
     "%2 = index map [i:7] { %1[i + 1] } : f32[7]" OUT(2),
     "%0 = input \"x\" : f32[5] %1 = index map [i:7] { %0[i - 1] } : f32[7]" OUT(1)},
    {"a pad's zeros count in a maximum", "canonicalise,dce",
     "%0 = input \"x\" : f32[5] %1 = index map [i:7] { %0[i - 1] } : f32[7]"
     "%2 = index max [i:5 | r:3] { %1[i + r] } : f32[5]" OUT(2),
     NULL},
    {"a transposed operand that is left", "canonicalise,dce",
     "%0 = input \"x\" : f32[4,5] %1 = index map [i:5, j:4] { %0[j, i] } : f32[5,4]"
     "%2 = index max [i:5, j:4 | r:3] { %1[i, j + r - 1] } : f32[5,4]" OUT(2),
     "%0 = input \"x\" : f32[4,5] %1 = index max [i:5, j:4 | r:3] { %0[j + r - 1, i] } : f32[5,4]" OUT(1)},
    {"upsampled twice", "canonicalise,dce",
     "%0 = input \"x\" : f32[3] %1 = index map [i:6] { %0[i // 2] } : f32[6]"
     "%2 = index map [i:12] { %1[i // 2] } : f32[12]" OUT(2),
     "%0 = input \"x\" : f32[3] %1 = index map [i:12] { %0[i // 4] } : f32[12]" OUT(1)},
    {"every second of what was spread", "canonicalise,dce",
     "%0 = input \"x\" : f32[3] %1 = index map [i:6] { %0[i /! 2] } : f32[6]"
     "%2 = index map [i:3] { %1[2*i] } : f32[3] %3 = exp %2 : f32[3]" OUT(3),
     "%0 = input \"x\" : f32[3] %1 = exp %0 : f32[3]" OUT(1)},
    {"spread, then upsampled", "canonicalise,dce",
     "%0 = input \"x\" : f32[3] %1 = index map [i:5] { %0[i /! 2] } : f32[5]"
     "%2 = index map [i:10] { %1[i // 2] } : f32[10]" OUT(2),
     NULL},
    {"a division with a common factor", "canonicalise",
     "%0 = input \"x\" : f32[9] %1 = index map [i:9] { %0[(2*i + 4) /! 4] } : f32[9]" OUT(1),
     "%0 = input \"x\" : f32[9] %1 = index map [i:9] { %0[(i + 2) /! 2] } : f32[9]" OUT(1)},
    {"detach goes where there is no loss", "canonicalise", X "%1 = detach %0 : f32[N,4] %2 = exp %1 : f32[N,4]" OUT(2),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"detach stays before the gradient", "canonicalise",
     "%0 = param \"w\" : f32[] %1 = detach %0 : f32[] return loss = %1", NULL},
    // ---- fold ------------------------------------------------------------------------------------------------------
    {"exact ops on constants", "fold,dce",
     "%0 = const 3.0 : f32[] %1 = const 0.1 : f32[] %2 = mul %0, %1 : f32[] %3 = sqrt %2 : f32[]" OUT(3),
     "%0 = const 0.5477226 : f32[]" OUT(0)},
    {"dlc's own functions are not folded", "fold", "%0 = const 3.0 : f32[] %1 = exp %0 : f32[]" OUT(1), NULL},
    {"nor ops of several roundings", "fold",
     "%0 = const 3.0 : f32[] %1 = rsqrt %0 : f32[] %2 = mod %1, %0 : f32[]" OUT(2), NULL},
    {"nor what gives NaN", "fold", "%0 = const 0.0 : f32[] %1 = div %0, %0 : f32[]" OUT(1), NULL},
    {"integers fold always", "fold,dce", "%0 = const 7 : i32[] %1 = const 3 : i32[] %2 = mod %0, %1 : i32[]" OUT(2),
     "%0 = const 1 : i32[]" OUT(0)},
    {"a constant operand of an index node", "fold,dce",
     "%0 = const 2.0 : f32[] %1 = const 3.0 : f32[] %2 = index map [i:4] { mul(%0[], %1[]) } : f32[4]" OUT(2),
     "%0 = index map [i:4] { 6.0 } : f32[4]" OUT(0)},
    {"a sum of products stays one", "fold",
     "%0 = input \"x\" : f32[4] %1 = const 0.3 : f32[] %2 = index sum [| i:4] { mul(%0[i], %1[]) } : f32[]" OUT(2),
     NULL},
    // ---- simplify --------------------------------------------------------------------------------------------------
    {"times one, minus zero, by one", "simplify,dce",
     X "%1 = const 1.0 : f32[] %2 = const 0.0 : f32[] %3 = mul %0, %1 : f32[N,4] %4 = sub %3, %2 : f32[N,4]"
       "%5 = div %4, %1 : f32[N,4] %6 = exp %5 : f32[N,4]" OUT(6),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"a read that leaves points out of a minimum stays", "simplify,fold,canonicalise",
     "%0 = input \"x\" : f32[5] %1 = index min [i:5 | r:2] { select(false, %0[i + r], 1.0) } : f32[5]" OUT(1), NULL},
    {"inside, it may go", "simplify,dce",
     "%0 = input \"x\" : f32[9] %1 = index min [i:5 | r:2] { select(false, %0[i + r], 1.0) } : f32[5]" OUT(1),
     "%0 = input \"x\" : f32[9] %1 = index min [i:5 | r:2] { 1.0 } : f32[5]" OUT(1)},
    {"plus zero makes 0 of -0", "simplify", X "%1 = const 0.0 : f32[] %2 = add %0, %1 : f32[N,4]" OUT(2), NULL},
    {"plus minus zero", "simplify,dce",
     X "%1 = const -0.0 : f32[] %2 = add %0, %1 : f32[N,4] %3 = exp %2 : f32[N,4]" OUT(3),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"times zero is not zero", "simplify", X "%1 = const 0.0 : f32[] %2 = mul %0, %1 : f32[N,4]" OUT(2), NULL},
    {"integers plus zero", "simplify,dce",
     "%0 = input \"x\" : i32[4] %1 = const 0 : i32[] %2 = add %0, %1 : i32[4] %3 = neg %2 : i32[4]" OUT(3),
     "%0 = input \"x\" : i32[4] %1 = neg %0 : i32[4]" OUT(1)},
    {"twice negative", "simplify,dce", X "%1 = neg %0 : f32[N,4] %2 = neg %1 : f32[N,4] %3 = exp %2 : f32[N,4]" OUT(3),
     X "%1 = exp %0 : f32[N,4]" OUT(1)},
    {"plus a negative", "simplify,dce", X Y "%2 = neg %1 : f32[N,4] %3 = add %0, %2 : f32[N,4]" OUT(3),
     X Y "%2 = sub %0, %1 : f32[N,4]" OUT(2)},
    {"by a power of two", "simplify,dce", X "%1 = const 4.0 : f32[] %2 = div %0, %1 : f32[N,4]" OUT(2),
     X "%1 = const 0.25 : f32[] %2 = mul %0, %1 : f32[N,4]" OUT(2)},
    {"by another number", "simplify", X "%1 = const 3.0 : f32[] %2 = div %0, %1 : f32[N,4]" OUT(2), NULL},
    {"by a power without a full reciprocal", "simplify",
     X "%1 = const 1.7014118e+38 : f32[] %2 = div %0, %1 : f32[N,4]" OUT(2), NULL},
    {"select of a constant", "simplify,dce",
     X Y "%2 = const false : bool[] %3 = select %2, %0, %1 : f32[N,4] %4 = exp %3 : f32[N,4]" OUT(4),
     X Y "%2 = exp %1 : f32[N,4]" OUT(2)},
    {"select of one value", "simplify,dce",
     "%0 = input \"c\" : bool[N] %1 = input \"x\" : f32[] %2 = select %0, %1, %1 : f32[N]" OUT(2),
     "%0 = input \"c\" : bool[N] %1 = input \"x\" : f32[] %2 = index map [i:N] { %1[] } : f32[N]" OUT(2)},
    {"select of a negation", "simplify,dce",
     "%0 = input \"c\" : bool[4] %1 = not %0 : bool[4] %2 = input \"x\" : f32[4] %3 = exp %2 : f32[4]"
     "%4 = select %1, %2, %3 : f32[4]" OUT(4),
     "%0 = input \"c\" : bool[4] %1 = input \"x\" : f32[4] %2 = exp %1 : f32[4] %3 = select %0, %2, %1 : f32[4]" OUT(
         3)},
    {"a repeated scalar as an operand", "simplify,dce",
     X "%1 = input \"s\" : f32[] %2 = index map [n:N, i:4] { %1[] } : f32[N,4] %3 = mul %0, %2 : f32[N,4]" OUT(3),
     X "%1 = input \"s\" : f32[] %2 = mul %0, %1 : f32[N,4]" OUT(2)},
    {"only repeated scalars", "simplify,dce",
     "%0 = input \"s\" : f32[] %1 = index map [i:4] { %0[] } : f32[4] %2 = index map [i:4] { 2.0 } : f32[4]"
     "%3 = max %1, %2 : f32[4]" OUT(3),
     "%0 = input \"s\" : f32[] %1 = const 2.0 : f32[] %2 = max %0, %1 : f32[] %3 = index map [i:4] { %2[] } : f32[4]" OUT(
         3)},
    {"a repeated scalar in a body", "simplify,dce",
     X "%1 = index map [n:N, i:4] { 3.0 } : f32[N,4]"
       "%2 = index map [n:N, i:4] { max(%0[n, i], %1[n, i]) } : f32[N,4]" OUT(2),
     X "%1 = index map [n:N, i:4] { max(%0[n, i], 3.0) } : f32[N,4]" OUT(1)},
    {"but not where it is left", "simplify",
     "%0 = index map [i:4] { 3.0 } : f32[4] %1 = index map [i:4] { %0[i - 1] } : f32[4]" OUT(1), NULL},
    {"identities in a body", "simplify", X "%1 = index map [n:N, i:4] { exp(mul(%0[n, i], 1.0)) } : f32[N,4]" OUT(1),
     X "%1 = index map [n:N, i:4] { exp(%0[n, i]) } : f32[N,4]" OUT(1)},
    {"a reduced index of one value", "simplify",
     X "%1 = index max [n:N | r:1, c:4] { add(%0[n + r, c], to_f32(r)) } : f32[N]" OUT(1),
     X "%1 = index max [n:N | c:4] { add(%0[n, c], to_f32(0)) } : f32[N]" OUT(1)},
    {"f32 sums keep their indices", "simplify", X "%1 = index sum [n:N, i:4 | r:1] { %0[n, i] } : f32[N,4]" OUT(1),
     NULL},
    {"i32 sums need not", "simplify",
     "%0 = input \"x\" : i32[4] %1 = index sum [i:4 | r:1] { neg(%0[i]) } : i32[4]" OUT(1),
     "%0 = input \"x\" : i32[4] %1 = index map [i:4] { neg(%0[i]) } : i32[4]" OUT(1)},
    {"f32 sums keep their reads", "canonicalise,simplify",
     X "%1 = index map [k:4, n:N] { %0[n, k] } : f32[4,N] %2 = index map [k:4, n:N] { 2.0 } : f32[4,N]"
       "%3 = index sum [n:N | k:4] { select(true, %1[k, n], %2[k, n]) } : f32[N]" OUT(3),
     NULL},
    {"a product of one is", "simplify", X "%1 = index prod [n:N, i:4 | r:1] { exp(%0[n, i]) } : f32[N,4]" OUT(1),
     X "%1 = index map [n:N, i:4] { exp(%0[n, i]) } : f32[N,4]" OUT(1)},
    {"so is a maximum of one", "simplify", X "%1 = index max [n:N, i:4 | r:1] { exp(%0[n, i]) } : f32[N,4]" OUT(1),
     X "%1 = index map [n:N, i:4] { exp(%0[n, i]) } : f32[N,4]" OUT(1)},
    {"unless it may be of none", "simplify", X "%1 = index max [n:N, i:5 | r:1] { %0[n, i] } : f32[N,5]" OUT(1), NULL},
    {"a sum of products times one", "simplify",
     X "%1 = index sum [n:N | i:4] { mul(mul(%0[n, i], %0[i, n]), 1.0) } : f32[N]" OUT(1), NULL},
    // ---- cse and dce -----------------------------------------------------------------------------------------------
    {"equal nodes", "cse", X "%1 = exp %0 : f32[N,4] %2 = exp %0 : f32[N,4] %3 = sub %1, %2 : f32[N,4]" OUT(3),
     X "%1 = exp %0 : f32[N,4] %2 = sub %1, %1 : f32[N,4]" OUT(2)},
    {"equal but for their names", "cse",
     X "%1 = index sum [n:N | i:4] { %0[n, i] } : f32[N] @mean %2 = index sum [m:N | k:4] { %0[m, k] } : f32[N] @sum"
       "%3 = sub %1, %2 : f32[N]" OUT(3),
     X "%1 = index sum [n:N | i:4] { %0[n, i] } : f32[N] @mean %2 = sub %1, %1 : f32[N]" OUT(2)},
    {"equal constants, not equal zeros", "cse",
     "%0 = const 0.0 : f32[] %1 = const -0.0 : f32[] %2 = const 0.0 : f32[] %3 = add %1, %2 : f32[] %4 = add %0, %3 : f32[]" OUT(
         4),
     "%0 = const 0.0 : f32[] %1 = const -0.0 : f32[] %2 = add %1, %0 : f32[] %3 = add %0, %2 : f32[]" OUT(3)},
    {"random numbers of two streams", "cse",
     "%0 = random stream 1 : f32[4] %1 = random stream 2 : f32[4] %2 = sub %0, %1 : f32[4]" OUT(2), NULL},
    {"operands that become one read", "cse",
     X
     "%1 = exp %0 : f32[N,4] %2 = exp %0 : f32[N,4] %3 = index map [n:N, i:4] { add(%1[n, i], %2[n, i]) } : f32[N,4]" OUT(
         3),
     X "%1 = exp %0 : f32[N,4] %2 = index map [n:N, i:4] { add(%1[n, i], %1[n, i]) } : f32[N,4]" OUT(2)},
    {"a sum of products does not become a square", "cse,dce",
     X
     "%1 = exp %0 : f32[N,4] %2 = exp %0 : f32[N,4] %3 = index sum [n:N | i:4] { mul(%1[n, i], %2[n, i]) } : f32[N]" OUT(
         3),
     X
     "%1 = exp %0 : f32[N,4] %2 = exp %0 : f32[N,4] %3 = index sum [n:N | i:4] { mul(%1[n, i], %2[n, i]) } : f32[N]" OUT(
         3)},
    {"what no output needs", "dce", X Y "%2 = exp %0 : f32[N,4] %3 = const 1.0 : f32[] %4 = neg %0 : f32[N,4]" OUT(4),
     X Y "%2 = neg %0 : f32[N,4]" OUT(2)},
};

static void check_rule(const Rule *rule) {
  Guard guard;
  Arena *arena = fresh(&guard);
  Graph *before = op_case_parse(arena, rule->name, rule->before);
  Graph *after = rule->after ? op_case_parse(arena, rule->name, rule->after) : before;
  Graph *found = run(before, rule->passes);
  if (!rule->after && found != before) fail_msg("%s: changed into\n%s", rule->name, print(found));
  if (!graph_equal(found, after)) fail_msg("%s: found\n%sinstead of\n%s", rule->name, print(found), print(after));
  arena_free(arena);
}

static void each_rule_gives_what_it_should(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof rules / sizeof *rules; k++) check_rule(&rules[k]);
}

// ---- bits -----------------------------------------------------------------------------------------------------------

// Same bits, any two NaNs alike. Folding rounds to float, as compiled code does and the evaluator does not.
static bool same_value(double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
  if (signbit(a) != signbit(b)) return false;
  return a == b || fabs(a - b) <= 1e-6 * fabs(a);
}

static void check_values(const OpCase *c, const Graph *a, const Graph *b, OpFill fill) {
  EvalTensor *before = op_case_eval(c, a, fill, a->arena), *after = op_case_eval(c, b, fill, b->arena);
  assert_int_equal(a->n_outputs, b->n_outputs);
  for (size_t k = 0; k < a->n_outputs; k++) {
    const EvalTensor *x = &before[a->outputs[k].value], *y = &after[b->outputs[k].value];
    for (int64_t i = 0; i < shape_count(&x->shape, NULL); i++)
      if (!same_value(x->data[i], y->data[i]))
        fail_msg("%s: element %lld of %s was %.17g and is %.17g", c->name, (long long)i, a->outputs[k].name, x->data[i],
                 y->data[i]);
  }
}

static void check_bits(void *state, const OpCase *c) {
  (void)state;
  Graph *simple = run(c->graph, SIMPLIFICATIONS);
  Graph *tidy = run(c->graph, "tidy");
  for (OpFill fill = FILL_PLAIN; fill <= FILL_SPECIAL; fill++) {
    if (fill == FILL_SPECIAL && !c->special) continue;
    check_values(c, c->graph, simple, fill);
    check_values(c, c->graph, tidy, fill);
  }
  if (!graph_equal(run(tidy, "tidy"), tidy)) fail_msg("%s: not at rest\n%s", c->name, print(tidy));
}

static void simplifications_keep_every_value_and_come_to_rest(void **state) {
  (void)state;
  assert_true(op_cases_each(OP_CASES_ALL, check_bits, NULL) > 100);
}

// Gradients give the simplifications most to do.
static void check_rest(void *state, const OpCase *c) {
  (void)state;
  Graph *loss = op_case_with_loss(c);
  if (!graph_find_output(loss, OUT_LOSS, NULL)) return;
  PassContext ctx = context_of(loss->arena);
  const char *names[100];
  for (size_t k = 0; k < loss->n_nodes; k++)
    if (loss->nodes[k].op == OP_input && ctx.n_grad_inputs < 100) names[ctx.n_grad_inputs++] = loss->nodes[k].name;
  ctx.grad_inputs = names;
  Graph *tidy = passes_run(&ctx, loss, PASS_TRAIN, NULL, "tidy");
  assert_non_null(tidy);
  if (!graph_equal(run(tidy, "tidy"), tidy)) fail_msg("%s: not at rest\n%s", c->name, print(tidy));
}

static void tidied_gradients_are_at_rest(void **state) {
  (void)state;
  op_cases_each(OP_CASES_ALL, check_rest, NULL);
}

// ---- size -----------------------------------------------------------------------------------------------------------

// Bytes that all passes up to tidy take for a network of that many layers.
static size_t bytes_for(int layers) {
  Guard guard;
  Arena *arena = fresh(&guard);
  Builder b = {.graph = graph_new(arena, "deep")};
  Shape shape = {.rank = 2, .dim = {{1, graph_symbol(b.graph, "N")}, dim_const(8)}};
  Shape weights = {.rank = 2, .dim = {dim_const(8), dim_const(8)}};
  Read reads[2] = {{2, {index_of(0), index_of(2)}}, {2, {index_of(2), index_of(1)}}};
  Scalar body[3] = {
      {.kind = SCALAR_READ}, {.kind = SCALAR_READ, .arg = {1}}, {.kind = SCALAR_OP, .op = OP_mul, .arg = {0, 1}}};
  IndexDef product = {.combine = COMBINE_SUM, .n_out = 2, .n_red = 1, .reads = reads, .n_body = 3, .body = body};
  for (int k = 0; k < 3; k++) product.extent[k] = k ? dim_const(8) : shape.dim[0];
  NodeId x = build_input(&b, "x", DT_F32, &shape);
  for (int k = 0; k < layers; k++) {
    NodeId in[] = {x, build_param(&b, arena_printf(arena, "w%d", k), &weights)};
    x = build_binary(&b, OP_max, build_const(&b, DT_F32, 0), build_index(&b, &product, in, 2));
  }
  const bool all[IR_MAX_RANK] = {true, true};
  graph_output(b.graph, OUT_LOSS, "loss", build_reduce(&b, COMBINE_SUM, x, all, false));
  size_t before = arena_bytes(arena);
  PassContext ctx = {.arena = arena, .sink = diag_sink_new(arena)};
  assert_non_null(passes_run(&ctx, b.graph, PASS_TRAIN, NULL, "tidy"));
  size_t bytes = arena_bytes(arena) - before;
  arena_free(arena);
  return bytes;
}

static void work_grows_with_the_number_of_layers_and_no_faster(void **state) {
  (void)state;
  size_t some = bytes_for(250), many = bytes_for(1000);
  assert_in_range(many, 2 * some, 6 * some);
}

// ---- the manager ----------------------------------------------------------------------------------------------------

static const char TRAIN_GRAPH[] =
    "%0 = param \"w\" : f32[4] %1 = const 1.0 : f32[] %2 = mul %0, %1 : f32[4]"
    "%3 = index sum [| i:4] { %2[i] } : f32[] return loss = %3";

typedef struct Asked {
  PassMode mode;
  const char *only, *stop_after;
  const char *error;  // part of the one message; NULL: it runs
} Asked;

static void lists_of_passes_are_checked(void **state) {
  (void)state;
  static const Asked asked[] = {
      {PASS_TRAIN, "cse,dce", NULL, NULL},
      {PASS_TRAIN, " cse , dce ", NULL, NULL},
      {PASS_TRAIN, "", NULL, NULL},
      {PASS_TRAIN, "-fold,-cse", NULL, NULL},
      {PASS_TRAIN, "fould", NULL, "unknown pass 'fould'; did you mean 'fold'?"},
      {PASS_TRAIN, "-fould", NULL, "unknown pass 'fould'; did you mean 'fold'?"},
      {PASS_TRAIN, NULL, "zzz", "unknown pass 'zzz'"},
      {PASS_TRAIN, "-autodiff", NULL, "pass 'autodiff' cannot be switched off"},
      {PASS_TRAIN, "cse,-fold", NULL, "names those to run or, all with '-', those to leave out"},
  };
  for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
    Guard guard;
    Arena *arena = fresh(&guard);
    PassContext ctx = context_of(arena);
    Graph *g = op_case_parse(arena, "asked", TRAIN_GRAPH);
    Graph *result = passes_run(&ctx, g, asked[k].mode, asked[k].only, asked[k].stop_after);
    assert_int_equal(result != NULL, asked[k].error == NULL);
    assert_int_equal(ctx.sink->n_errors, asked[k].error != NULL);
    if (asked[k].error) {
      assert_int_equal(ctx.sink->items[0]->code, DIAG_E0601);
      assert_non_null(strstr(ctx.sink->items[0]->message, asked[k].error));
    }
    arena_free(arena);
  }
}

static bool has_gradient(const Graph *g) { return graph_find_output(g, OUT_GRAD, NULL); }

static void rows_run_in_their_mode_and_up_to_the_last(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = fresh(&guard);
  PassContext ctx = context_of(arena);
  Graph *g = op_case_parse(arena, "rows", TRAIN_GRAPH);
  assert_true(has_gradient(passes_run(&ctx, g, PASS_TRAIN, NULL, NULL)));
  assert_false(has_gradient(passes_run(&ctx, g, PASS_INFER, NULL, NULL)));
  assert_false(has_gradient(passes_run(&ctx, g, PASS_INFER, NULL, "autodiff")));
  assert_ptr_equal(passes_run(&ctx, g, PASS_TRAIN, "", NULL), g);
  static const char *const equal[][3] = {
      // a list, and a last row that stop the standard sequence at the same place
      {NULL, "autodiff", "autodiff"},
      {NULL, "dce", "autodiff,factor,variance,canonicalise,fold,simplify,cse,dce"},
      {"-simplify,-tidy", "dce", "autodiff,factor,variance,canonicalise,fold,cse,dce"},
      {"dce,autodiff", "autodiff", "dce,autodiff"},
  };
  for (size_t k = 0; k < sizeof equal / sizeof *equal; k++) {
    Graph *stopped = passes_run(&ctx, g, PASS_TRAIN, equal[k][0], equal[k][1]);
    assert_true(graph_equal(stopped, passes_run(&ctx, g, PASS_TRAIN, equal[k][2], NULL)));
  }
  arena_free(arena);
}

static void every_row_can_be_found(void **state) {
  (void)state;
  for (int k = 0; k < pass_count; k++) assert_ptr_equal(pass_find(pass_table[k].name), &pass_table[k]);
  assert_null(pass_find("none"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_rule_gives_what_it_should),
      cmocka_unit_test(simplifications_keep_every_value_and_come_to_rest),
      cmocka_unit_test(tidied_gradients_are_at_rest),
      cmocka_unit_test(work_grows_with_the_number_of_layers_and_no_faster),
      cmocka_unit_test(lists_of_passes_are_checked),
      cmocka_unit_test(rows_run_in_their_mode_and_up_to_the_last),
      cmocka_unit_test(every_row_can_be_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
