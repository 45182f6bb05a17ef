// The graph's text form: what is printed, that it reads back as the same graph, and what wrong text says.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ir.h"
#include "op_cases.h"
#include "random.h"

typedef struct Fixture {
  Guard guard;
  Arena *arena;
  DiagSink *sink;
} Fixture;

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  if (setjmp(f->guard.jump)) return -1;
  f->arena = arena_new(allocator_system(), &f->guard);
  f->sink = diag_sink_new(f->arena);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Fixture *)*state)->arena);
  free(*state);
  return 0;
}

static Graph *parse(Fixture *f, const char *text, size_t length) {
  f->sink = diag_sink_new(f->arena);
  return graph_parse(f->arena, f->sink, diag_add_source(f->sink, "g.dlir", text, length));
}

static const char *print(Fixture *f, const Graph *g) {
  Text text = text_new(f->arena);
  graph_print(g, &text);
  return text.bytes;
}

static const char *complaint(Fixture *f) {
  Text text = text_new(f->arena);
  diag_render(f->sink, false, &text);
  return text.bytes;
}

static void assert_round_trip(Fixture *f, const Graph *g) {
  const char *text = print(f, g);
  const Graph *again = parse(f, text, strlen(text));
  if (!again) fail_msg("%s\n%s", text, complaint(f));
  if (!graph_equal(g, again)) fail_msg("%s\nis read back as\n%s", text, print(f, again));
}

// ---- round trips --------------------------------------------------------------------------------------------------

static const char whole_form[] =
    "graph \"a \\\"name\\\"\" (N, M) {\n"
    "  %0 = input \"image\\x01\\\\\" : f32[N,9,16*M]\n"
    "  %1 = state \"bn.mean\" : f32[]\n"
    "  %2 = const -0.0 : f32[]\n"
    "  %3 = const 1e-45 : f32[] @tag.of_2\n"
    "  %4 = const nan : f32[] @\"2 words\" \"a.path\"\n"
    "  %5 = const -inf : f32[] \"only a path\"\n"
    "  %6 = const -2147483648 : i32[]\n"
    "  %7 = const true : bool[]\n"
    "  %8 = input \"bytes\" : u8[3,0]\n"
    "  %9 = index map [] { %1[] } : f32[]\n"
    "  %10 = index sum [| k:9] { to_f32(k) } : f32[]\n"
    "  %11 = index argmax [n:N | k:16*M, j:9] { %0[n, j, k] } : i32[N]\n"
    "  %12 = index sum [i:3 | n:N] order(chunk 8, lanes 16) { %0[n, 2*i + 1, (-3*i - n + 7) /! 2] } : f32[3]\n"
    "  %13 = index map [i:3] { t0 = %0[i // 2, (i - 1) // 3, (4) // 5]; select(lt(i, 1), t0, neg(t0)) } : f32[3]\n"
    "  %14 = random stream 18446744073709551615 : f32[3]\n"
    "  %15 = concat %13, %14 axis 0 : f32[6]\n"
    "  %16 = gather %0, %11 : f32[N,9,16*M]\n"
    "  %17 = scatter_add %11, %16 rows 4 : f32[4,9,16*M]\n"
    "  %18 = reshape %15 : f32[2,3]\n"
    "  return result \"y\" = %18\n"
    "  return loss = %10\n"
    "  return metric \"m\" = %10\n"
    "  return state \"bn.mean\" = %9\n"
    "  return grad \"image\" = %17\n"
    "}\n";

static void the_whole_form_reads_and_prints_as_itself(void **state) {
  Fixture *f = *state;
  const Graph *g = parse(f, whole_form, strlen(whole_form));
  if (!g) fail_msg("%s", complaint(f));
  assert_string_equal(print(f, g), whole_form);
  assert_true(graph_equal(g, parse(f, whole_form, strlen(whole_form))));
}

static void numbers_may_leave_gaps_and_blanks_mean_nothing(void **state) {
  Fixture *f = *state;
  const char *loose =
      "#first\ngraph g()\n{%3=const 1.0:f32[]# a number\n%10\n=\n neg %3:f32[] return\tresult\"y\"=%10}";
  const Graph *g = parse(f, loose, strlen(loose));
  if (!g) fail_msg("%s", complaint(f));
  assert_string_equal(print(f, g),
                      "graph g () {\n  %0 = const 1.0 : f32[]\n  %1 = neg %0 : f32[]\n  return result \"y\" = %1\n}\n");
}

static void reads_are_brought_into_order(void **state) {
  Fixture *f = *state;
  const char *text =
      "graph g () { %0 = input \"a\" : f32[9] %1 = index map [i:3, j:2] { %0[j*2 + 1 + i - j + 3 - 0*i] } : f32[3,2] }";
  const Graph *g = parse(f, text, strlen(text));
  if (!g) fail_msg("%s", complaint(f));
  assert_non_null(strstr(print(f, g), "{ %0[i + j + 4] }"));
}

static void every_case_reads_back(void *state, const OpCase *c) { assert_round_trip(state, c->graph); }
static void cases_round_trip(void **state) {
  assert_true(op_cases_each(OP_CASES_ALL, every_case_reads_back, *state) > 200);
}

// ---- random bodies ------------------------------------------------------------------------------------------------

typedef struct Dice {
  uint64_t seed, at;
} Dice;
static int roll(Dice *d, int low, int high) {
  return low + (int)random_below(d->seed, 2, d->at++, (uint64_t)(high - low + 1));
}

// An earlier instruction of this type, or -1.
static int pick(Dice *dice, const Scalar *body, int n, DType type) {
  for (int tries = 0; tries < 20 && n; tries++) {
    int k = roll(dice, roll(dice, 0, 1) ? 0 : n > 3 ? n - 3 : 0, n - 1);
    if (body[k].type == type) return k;
  }
  return -1;
}

// An op whose operands are there; false where the dice find none.
static bool random_call(Dice *dice, const Scalar *body, int n, Scalar *s) {
  static const DType kinds[] = {DT_F32, DT_I32, DT_BOOL};
  *s = (Scalar){.kind = SCALAR_OP, .op = (Op)roll(dice, 0, OP_COUNT - 1)};
  if (op_info(s->op)->class != OPC_POINTWISE) return false;
  DType in[3], type = kinds[roll(dice, 0, 2)];
  for (int a = 0; a < op_info(s->op)->arity; a++) {
    in[a] = s->op == OP_select && a == 0 ? DT_BOOL : type;
    s->arg[a] = pick(dice, body, n, in[a]);
    if (s->arg[a] < 0) return false;
  }
  return op_result_type(s->op, in, &s->type);
}

static Scalar random_leaf(Dice *dice) {
  static const double numbers[] = {0.1, -0.0, 1e30, INFINITY, NAN, 3, -1e-45};
  switch (roll(dice, 0, 4)) {
    case 0:
      return (Scalar){.kind = SCALAR_INDEX, .type = DT_I32, .arg = {roll(dice, 0, 2)}};
    case 1:
      return (Scalar){.kind = SCALAR_CONST, .type = DT_I32, .number = roll(dice, -9, 9)};
    case 2:
      return (Scalar){.kind = SCALAR_CONST, .type = DT_F32, .number = numbers[roll(dice, 0, 6)]};
    default:
      return (Scalar){.kind = SCALAR_READ, .type = DT_F32, .arg = {roll(dice, 0, 2)}};
  }
}

enum { LONGEST_BODY = 60 };

// Adds up what nothing uses yet, so that little of the body is dead. Returns the new length.
static int use_everything(Scalar *body, int n) {
  bool used[2 * LONGEST_BODY] = {false};
  int sum = -1, end = n;
  for (int k = 0; k < n; k++)
    for (int a = 0; body[k].kind == SCALAR_OP && a < op_info(body[k].op)->arity; a++) used[body[k].arg[a]] = true;
  for (int k = 0; k < n; k++) {
    if (used[k] || body[k].type != DT_F32) continue;
    if (sum >= 0) body[end] = (Scalar){.kind = SCALAR_OP, .op = OP_add, .type = DT_F32, .arg = {k, sum}};
    sum = sum < 0 ? k : end++;
  }
  return end;
}

static Graph *random_graph(Fixture *f, Dice *dice) {
  Builder b = {.graph = graph_new(f->arena, "random")};
  NodeId in[3];
  in[0] = in[1] = build_input(&b, "a", DT_F32, &(Shape){1, {dim_const(9)}});
  in[2] = build_input(&b, "b", DT_F32, &(Shape){1, {dim_const(7)}});
  Read reads[3];
  for (int k = 0; k < 3; k++) {
    reads[k] = (Read){.rank = 1, .at = {index_const(roll(dice, -2, 2))}};
    for (int i = 0; i < 3; i++) index_add_term(&reads[k].at[0], i, roll(dice, -2, 2));
  }
  Scalar body[2 * LONGEST_BODY];
  int n = 0, length = roll(dice, 1, LONGEST_BODY);
  for (; n < length; n++)
    if (roll(dice, 0, 3) == 0 || !random_call(dice, body, n, &body[n])) body[n] = random_leaf(dice);
  n = use_everything(body, n);
  IndexDef def = {COMBINE_MAP, 3,    0,        {dim_const(2), dim_const(3), dim_const(2)}, {"i", "j", "k"}, reads,
                  n,           body, {0, 1, 0}};
  graph_output(b.graph, OUT_RESULT, "y", build_index(&b, &def, in, 3));
  return b.graph;
}

static void random_bodies_round_trip(void **state) {
  (void)state;
  Dice dice = {5, 0};
  int long_ones = 0;
  for (int round = 0; round < 3000; round++) {
    void *fixture;
    assert_int_equal(setup(&fixture), 0);
    Graph *g = random_graph(fixture, &dice);
    long_ones += g->nodes[g->n_nodes - 1].index->n_body > 20;
    assert_round_trip(fixture, g);
    teardown(&fixture);
  }
  assert_true(long_ones > 200);
}

// A chain deeper than any reader's stack should go.
static void deep_bodies_round_trip(void **state) {
  Fixture *f = *state;
  enum { DEPTH = 5000 };
  Scalar *body = arena_array(f->arena, DEPTH, sizeof *body);
  body[0] = (Scalar){.kind = SCALAR_CONST, .type = DT_F32, .number = 0.5};
  for (int k = 1; k < DEPTH; k++) body[k] = (Scalar){.kind = SCALAR_OP, .op = OP_neg, .type = DT_F32, .arg = {k - 1}};
  Builder b = {.graph = graph_new(f->arena, "deep")};
  IndexDef def = {.combine = COMBINE_MAP, .n_body = DEPTH, .body = body};
  build_index(&b, &def, NULL, 0);
  assert_round_trip(f, b.graph);
}

// ---- wrong text ---------------------------------------------------------------------------------------------------

#define A "%0 = input \"a\" : f32[9] "
#define G(statements) "graph g (N) { " statements " }"

static void wrong_text_says_what_is_wrong(void **state) {
  static const struct {
    const char *text, *code, *place, *message;  // place: the text that is underlined
  } mistakes[] = {
      {"", "E0501", "", "expected graph, found the end of the text"},
      {"model g", "E0501", "model", "expected graph, found 'model'"},
      {"graph g (N, A, B, C, D) {}", "E0504", "D", "more than 4 symbols"},
      {"graph g (N, N) {}", "E0505", "g", "two symbols are named N"},
      {"graph g (a.b) {}", "E0505", "g", "symbol 1 has no usable name"},
      {"graph g () {} x", "E0501", "x", "expected nothing behind the graph"},
      {"graph g () {", "E0501", "", "expected a node, a return or '}', found the end"},
      {G("%0 = input \"a : f32[9]"), "E0502", "\"a : f32[9] }", "does not end on its line"},
      {G("%0 = input \"a\\q\" : f32[9]"), "E0502", "\"a\\q", "an escape that strings do not have"},
      {G("%0 = input \"a\\x00\" : f32[9]"), "E0502", "\"a\\x00", "an escape that strings do not have"},
      {G("%0 = input a : f32[9]"), "E0501", "a", "expected a name in quotes, found 'a'"},
      {G("%0 = input \"a\" : f64[9]"), "E0503", "f64", "no type 'f64'"},
      {G("%0 = input \"a\" : f32[9,]"), "E0501", "]", "expected a dimension"},
      {G("%0 = input \"a\" : f32[-9]"), "E0501", "-", "expected a dimension"},
      {G("%0 = input \"a\" : f32[M]"), "E0503", "M", "no symbol 'M'"},
      {G("%0 = input \"a\" : f32[1,1,1,1,1,1,1,1,1]"), "E0504", "1", "more than 8 dimensions"},
      {G("%0 = input \"a\" : f32[0*N]"), "E0505", "%0 = input \"a\" : f32[0*N]",
       "dimension 0 is negative or of an unknown symbol"},
      {G("%0 = input \"a\" : f32[99999999999999999999]"), "E0502", "99999999999999999999", "does not fit 64 bits"},
      {G("%0 = input \"a\" : f32[9223372036854775808]"), "E0502", "9223372036854775808", "does not fit 63 bits"},
      {G("%0 = input \"a\" : f32[9999999999,9999999999]"), "E0505", "%0 = input \"a\" : f32[9999999999,9999999999]",
       "does not fit 63 bits"},
      {G("%0 = const 1e999 : f32[]"), "E0502", "1e999", "does not fit f32"},
      {G("%0 = const 3 : f32[]"), "E0505", "%0 = const 3 : f32[]", "a constant written as i32 is said to be f32"},
      {G("%0 = const 3000000000 : i32[]"), "E0505", "%0 = const 3000000000 : i32[]", "is no i32"},
      {G("%0 = const 1.0 : f32[1]"), "E0505", "%0 = const 1.0 : f32[1]", "the result is f32[], not f32[1]"},
      {G("%0 = const -true : bool[]"), "E0501", "true", "expected a number"},
      {G("%0 = const 1.0 : f32[] $"), "E0502", "$", "a character"},
      {G("% = const 1.0 : f32[]"), "E0502", "%", "'%' without a number"},
      {G(A "%0 = neg %0 : f32[9]"), "E0503", "%0", "values are numbered upwards; %0 is not above the last"},
      {G(A "%1 = neg %2 : f32[9]"), "E0503", "%2", "%2 is not defined before its use"},
      {G(A "%1 = neg %1 : f32[9]"), "E0503", "%1", "%1 is not defined before its use"},
      {G(A "%1 = tahn %0 : f32[9]"), "E0503", "tahn", "no op 'tahn'; did you mean 'tanh'?"},
      {G(A "%1 = add %0 : f32[9]"), "E0505", "%1 = add %0 : f32[9]", "add takes 2 operands, not 1"},
      {G(A "%1 = and %0, %0 : bool[9]"), "E0505", "%1 = and %0, %0 : bool[9]", "and takes bool operands, not f32, f32"},
      {G(A "%1 = neg %0 : f32[8] @relu \"m.relu\""), "E0505", "%1 = neg %0 : f32[8] @relu \"m.relu\"",
       "the result is f32[9], not f32[8]"},
      {G(A "%1 = reshape %0 : f32[2,4]"), "E0505", "%1 = reshape %0 : f32[2,4]",
       "[9] and [2,4] have different numbers of elements"},
      {G(A "%1 = concat %0 axis 1 : f32[9]"), "E0505", "%1 = concat %0 axis 1 : f32[9]", "no axis 1 in rank 1"},
      {G(A "%1 = concat axis 0 : f32[9]"), "E0505", "%1 = concat axis 0 : f32[9]", "at least one operand"},
      {G(A "%1 = gather %0, %0 : f32[9]"), "E0505", "%1 = gather %0, %0 : f32[9]", "an i32 index"},
      {G(A "%1 = scatter_add %0, %0 rows 3 : f32[3]"), "E0505", "%1 = scatter_add %0, %0 rows 3 : f32[3]",
       "takes an i32 index"},
      {G(A "%1 = random 3 : f32[9]"), "E0501", "3", "expected stream"},
      {G(A "%1 = index total [] { %0[0] } : f32[]"), "E0503", "total", "no combine 'total'"},
      {G(A "%1 = index sum [i] { %0[i] } : f32[9]"), "E0501", "]", "expected ':'"},
      {G(A "%1 = index map [i:9, i:9] { %0[i] } : f32[9,9]"), "E0505", "%1 = index map [i:9, i:9] { %0[i] } : f32[9,9]",
       "two indices are named i"},
      {G(A "%1 = index map [a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1] { %0[i] } : f32[]"), "E0505", NULL,
       "9 result and 0 reduced indices"},
      {G(A "%1 = index sum [|a:1,b:1,c:1,d:1,e:1,f:1,g:1,h:1,i:1,j:1,k:1,l:1,m:1] { %0[i] } : f32[]"), "E0504", "m",
       "more than 12 indices"},
      {G(A "%1 = index map [i:9] { %0[j] } : f32[9]"), "E0503", "j", "no index 'j' in this node"},
      {G(A "%1 = index map [i:9] { %0[i, i] } : f32[9]"), "E0505", "%1 = index map [i:9] { %0[i, i] } : f32[9]",
       "operand 0 has rank 1 and is read with 2 indices"},
      {G(A "%1 = index map [i:9] { %0[i // 0] } : f32[9]"), "E0505", "0", "a divisor is at least 1"},
      {G(A "%1 = index map [i:9] { %0[i + 1 // 2] } : f32[9]"), "E0501", "//",
       "expected parentheses around the sum that is divided"},
      {G(A "%1 = index map [i:9] { %0[4611686018427387904*i] } : f32[9]"), "E0504", "i", "below 2^60"},
      {G(A "%1 = index map [a:1,b:1,c:1,d:1,e:1,f:1,g:1] { %0[a+b+c+d+e+f+g] } : f32[1,1,1,1,1,1,1]"), "E0504", "g",
       "at most 6 terms"},
      {G(A "%1 = index map [i:9] { neg(%0[i] } : f32[9]"), "E0501", "}", "expected ')'"},
      {G(A "%1 = index map [i:9] { reshape(%0[i]) } : f32[9]"), "E0503", "reshape", "no pointwise op 'reshape'"},
      {G(A "%1 = index map [i:9] { add(%0[i], i) } : f32[9]"), "E0505", "add",
       "add takes operands that are all f32 or all i32"},
      {G(A "%1 = index map [i:9] { add(%0[i], t0) } : f32[9]"), "E0503", "t0", "t0 is not defined before its use"},
      {G(A "%1 = index map [i:9] { t1 = %0[i]; t1 } : f32[9]"), "E0503", "t1",
       "expected t0: parts are numbered upwards"},
      {G(A "%1 = index map [i:9] { t0 = %0[i]; t1 = %0[1]; t0 } : f32[9]"), "E0505", "t0",
       "the body's value is not its last instruction"},
      {G(A "%1 = index map [i:9] { t0 = %0[i]; 1.0 } : f32[9]"), "E0505", NULL, "instruction 0 is never used"},
      {G(A "%1 = index map [i:9] { } : f32[9]"), "E0501", "}", "expected a number"},
      {G(A "%1 = index map [|i:9] { %0[i] } : f32[]"), "E0505", NULL, "a map has no reduced indices"},
      {G(A "%1 = index sum [i:9] { %0[i] } : f32[9]"), "E0505", NULL, "sum needs a reduced index"},
      {G(A "%1 = index sum [|i:9] { lt(i, 3) } : bool[]"), "E0505", NULL, "sum is over f32 or i32"},
      {G(A "%1 = index sum [|i:9] order(chunk 8, lanes 4) { %0[i] } : f32[]"), "E0505", NULL,
       "order(chunk 8, lanes 0)"},
      {G(A "return = %0"), "E0501", "=", "expected result, loss, metric, state or grad"},
      {G(A "return loss = %0"), "E0505", "return loss = %0", "the loss is not f32[]"},
      {G(A "return result = %0"), "E0505", "return result = %0", "a result without a name"},
      {G(A "return result \"y\" = %0 return result \"y\" = %0"), "E0505", "g", "two result outputs are named 'y'"},
      {G(A "%1 = input \"a\" : f32[1]"), "E0505", "g", "two input nodes are named 'a'"},
  };
  Fixture *f = *state;
  for (size_t k = 0; k < sizeof mistakes / sizeof *mistakes; k++) {
    const char *text = mistakes[k].text;
    if (parse(f, text, strlen(text))) fail_msg("accepted: %s", text);
    assert_int_equal(f->sink->n_errors, 1);
    const Diag *d = f->sink->items[0];
    const char *place = arena_strndup(f->arena, text + d->span.begin, d->span.end - d->span.begin);
    bool right = !strcmp(diag_code_name(d->code), mistakes[k].code) && strstr(d->message, mistakes[k].message) &&
                 (!mistakes[k].place || !strcmp(place, mistakes[k].place));
    if (!right) fail_msg("%s\n%s at '%s': %s", text, diag_code_name(d->code), place, d->message);
  }
}

static void nests_have_a_limit(void **state) {
  Fixture *f = *state;
  Text text = text_new(f->arena);
  text_add(&text, "graph g () { %0 = index map [] { ");
  for (int k = 0; k < 100000; k++) text_add(&text, "neg(");
  assert_null(parse(f, text.bytes, text.length));
  assert_int_equal(f->sink->items[0]->code, DIAG_E0504);
}

static void every_prefix_is_refused(void **state) {
  (void)state;
  size_t closing = strlen(whole_form) - 2;
  for (size_t length = 0; length <= closing; length++) {
    void *fixture;
    assert_int_equal(setup(&fixture), 0);
    Fixture *f = fixture;
    char *prefix = malloc(length + 1);  // of its own, so that a sanitizer sees a read beyond it
    memcpy(prefix, whole_form, length);
    prefix[length] = 0;
    assert_null(parse(f, prefix, length));
    assert_int_equal(f->sink->n_errors, 1);
    free(prefix);
    teardown(&fixture);
  }
}

// Bytes changed, dropped and doubled at random: an error or a graph that round-trips, never a crash.
static void mutated_text_never_crashes(void **state) {
  static const char bytes[] = "%[]{}():,|=@\"0123456789ijkNt-+*/!. #\n";
  (void)state;
  Dice dice = {77, 0};
  int accepted = 0;
  for (int round = 0; round < 4000; round++) {
    void *fixture;
    assert_int_equal(setup(&fixture), 0);
    Fixture *f = fixture;
    char *text = arena_strdup(f->arena, whole_form);
    size_t length = strlen(text);
    for (int change = roll(&dice, 1, 3); change > 0; change--) {
      size_t at = (size_t)roll(&dice, 0, (int)length - 2);
      if (roll(&dice, 0, 1))
        text[at] = bytes[roll(&dice, 0, (int)sizeof bytes - 2)];
      else
        memmove(text + at, text + at + 1, length - at), length--;
    }
    const Graph *g = parse(f, text, length);
    accepted += g != NULL;
    assert_true(g ? f->sink->n_errors == 0 : f->sink->n_errors >= 1);
    if (g) assert_round_trip(f, g);
    teardown(&fixture);
  }
  assert_true(accepted > 100);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(the_whole_form_reads_and_prints_as_itself),
      TEST(numbers_may_leave_gaps_and_blanks_mean_nothing),
      TEST(reads_are_brought_into_order),
      TEST(cases_round_trip),
      TEST(random_bodies_round_trip),
      TEST(deep_bodies_round_trip),
      TEST(wrong_text_says_what_is_wrong),
      TEST(nests_have_a_limit),
      TEST(every_prefix_is_refused),
      TEST(mutated_text_never_crashes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
