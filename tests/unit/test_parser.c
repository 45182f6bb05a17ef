// The parser: tokens, the tree, and what happens to text that is no program.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ast.h"

// ---- fixture ------------------------------------------------------------------------------------------------------

typedef struct Parsed {
  Arena *arena;
  DiagSink *sink;
  Ast *ast;
} Parsed;

static Guard guard;

static Parsed parse_n(const char *text, size_t length) {
  Parsed r = {.arena = arena_new(allocator_system(), &guard)};
  assert_non_null(r.arena);
  if (setjmp(guard.jump)) fail_msg("out of memory");
  r.sink = diag_sink_new(r.arena);
  r.ast = ast_parse(r.arena, r.sink, diag_add_source(r.sink, "t.dl", text, length));
  assert_non_null(r.ast);
  return r;
}

static Parsed parse(const char *text) { return parse_n(text, strlen(text)); }

static const char *rendered(Parsed r) {
  Text out = text_new(r.arena);
  diag_render(r.sink, false, &out);
  return out.bytes;
}

static const char *printed(Parsed r) {
  Text out = text_new(r.arena);
  ast_print(r.ast, &out);
  return out.bytes;
}

static void assert_parses(const char *text) {
  Parsed r = parse(text);
  if (r.sink->n_errors) fail_msg("%s", rendered(r));
  arena_free(r.arena);
}

// The text has one mistake: of this code at this place, underlined from there on for `width` bytes, in these words.
static void assert_mistake(const char *text, const char *code, uint32_t line, uint32_t column, uint32_t width,
                           const char *message) {
  Parsed r = parse(text);
  if (r.sink->n_errors != 1) fail_msg("%zu mistakes in: %s\n%s", r.sink->n_errors, text, rendered(r));
  const Diag *diag = r.sink->items[0];
  uint32_t at_line, at_column;
  diag_position(diag_source(r.sink, diag->span.file), diag->span.begin, &at_line, &at_column);
  assert_string_equal(diag_code_name(diag->code), code);
  assert_string_equal(diag->message, message);
  assert_int_equal(at_line, line);
  assert_int_equal(at_column, column);
  assert_int_equal(diag->span.end - diag->span.begin, width);
  arena_free(r.arena);
}

// Two ways to write the same program.
static void assert_same_tree(const char *a, const char *b) {
  Parsed x = parse(a), y = parse(b);
  if (x.sink->n_errors || y.sink->n_errors) fail_msg("%s%s", rendered(x), rendered(y));
  assert_string_equal(printed(x), printed(y));
  arena_free(x.arena);
  arena_free(y.arena);
}

// ---- the whole language -------------------------------------------------------------------------------------------

// The programs of the language's page.
static const char *const pages[] = {
    "# lenet.dl\n"
    "data fashion {\n"
    "  train { image = idx(\"train-images-idx3-ubyte.gz\") / 255    label = idx(\"train-labels-idx1-ubyte.gz\") }\n"
    "  test  { image = idx(\"t10k-images-idx3-ubyte.gz\")  / 255    label = idx(\"t10k-labels-idx1-ubyte.gz\") }\n"
    "}\n"
    "fn conv_bn_relu(x: f32[N, H, W, C], filters, k = 3, stride = 1) {\n"
    "  x |> conv2d(filters, k, stride = stride, pad = same, bias = false) |> batch_norm |> relu\n"
    "}\n"
    "model lenet5(image: f32[N, 28, 28, 1]) {\n"
    "  image\n"
    "  |> conv2d(6, 5, pad = 2) |> relu |> max_pool(2)\n"
    "  |> conv2d(16, 5)         |> relu |> max_pool(2)\n"
    "  |> flatten\n"
    "  |> dense(120) |> relu |> dense(84) |> relu |> dense(10)\n"
    "}\n"
    "train lenet5 on fashion {\n"
    "  score     = lenet5(image)\n"
    "  loss      = cross_entropy(score, label) + 1e-4 * l2(lenet5)\n"
    "  metric accuracy = mean(argmax(score) == label)\n"
    "  optimizer = adam(lr = 1e-3)\n"
    "  batch     = 64\n"
    "  epochs    = 3\n"
    "}\n",
    "fn matmul(a: f32[I, K], b: f32[K, J]) { c[i, j] = sum(k) a[i, k] * b[k, j] }\n"
    "fn l1_distance(q: f32[Q, D], t: f32[T, D]) { d[i, j] = sum(k) abs(q[i, k] - t[j, k]) }\n"
    "fn depthwise3x3(x: f32[N, H, W, C]) {\n"
    "  param w: f32[3, 3, C] = kaiming_normal(fan_in = 9)\n"
    "  y[n, i, j, c] = sum(r, s) x[n, i + r - 1, j + s - 1, c] * w[r, s, c]   where i in H, j in W\n"
    "}\n",
    "data cifar {\n"
    "  all   = cifar10(\"data/cifar-10\")\n"
    "  train, valid = split(all.train, 0.9, seed = 7)\n"
    "  test  = all.test\n"
    "  normalize image per_channel                 # or per_feature\n"
    "  augment image { flip_horizontal(0.5)  crop(32, pad = 4)  brightness(0.1)  contrast(0.1) }   # training only\n"
    "}\n",
    "model neighbours(image: f32[N, 32, 32, 3]; k = 5, distance = l2) {\n"
    "  memory seen:  f32[M, 32, 32, 3] = cifar.train.image\n"
    "  memory label: i32[M]            = cifar.train.label\n"
    "  knn(flatten(image), flatten(seen), label, k, distance, classes = 10)\n"
    "}\n"
    "search neighbours on cifar {\n"
    "  k in [1, 3, 5, 7, 11, 21]\n"
    "  distance in [l1, l2]\n"
    "  by cross_validation(5)                      # or: by validation(valid)\n"
    "  maximize accuracy = mean(neighbours(image) == label)\n"
    "}\n",
    "model f(x: f32, y: f32, z: f32) { q = x + y   q * z }\n",
    "train m(k = 3) on d {\n"
    "  memory = \"256 MB\"  loss = mse(m(x), y)  schedule = warmup(5) >> cosine(to = 0)\n"
    "  checkpoint = every(epochs = 1, keep = 3)  early_stop = stall(valid.loss, 5)\n"
    "}\n",
    "# what it does\n"
    "use \"blocks.dl\"\n"
    "const sizes = [16, 32, 64,]\n"
    "fn block(x: f32[..., C], filters, stride = 1,) -> f32[..., 2 * C], i32 {\n"
    "  enc = layer dense(64) as e\n"
    "  r = x |> conv2d(filters, 3, pad = same) as c1 |> batch_norm as bn : [14, 14, 6]\n"
    "  |> relu\n"
    "  if stride == 1 and training { r = r + x } else if stride == 2 { r = x |> f } else { r = (x |> g) + r }\n"
    "  v = if stride == 1 { 3 } else { 4 } - 1\n"
    "  for i in 0..sizes[0] { r = r |> enc |> block.part.if(if = 3, where = 4) }\n"
    "  repeat 3 { r = r |> f }\n"
    "  require(stride > 0, \"no {stride}\\n\\\"x\\\"\")\n"
    "  param w: f32[3, 3, C] = kaiming_normal(fan_in = 9), decay = false\n"
    "  state mean: f32[C] = zeros\n"
    "  mean <- 0.1 * mean + x\n"
    "  a, b, _ = split(r)\n"
    "  first[n, d] = x[n, 0, d]\n"
    "  y[n, i] = sum(r, s) x[n, i + r - 1, s] * w[r, s] + max(x[n, 0], 0) - exp(sum(k) -x[k] ** 2)\n"
    "    where i in 1..H, n in W\n"
    "  z[i] = mean(k) (x[i, k] - 1) ** 2 / sum(j) where(x[i, j] > 0, 1, 0.5) where i in N\n"
    "  t[i] = x[i]  u[i] = x[i]\n"
    "  data = train + search * on\n"
    "  return a, b\n"
    "}\n",
};

static void every_construct_parses(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) assert_parses(pages[k]);
}

// All pages in one text.
static char *long_program(void) {
  size_t length = 0;
  for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) length += strlen(pages[k]);
  char *text = calloc(1, length + 1);
  for (size_t k = 0; k < sizeof pages / sizeof *pages; k++) strcat(text, pages[k]);
  return text;
}

static void every_prefix_is_read_to_its_end(void **state) {
  (void)state;
  char *text = long_program();
  for (size_t length = 0; length <= strlen(text); length++) {
    char *copy = malloc(length + 1);  // so that a sanitizer sees a byte too far
    memcpy(copy, text, length);
    copy[length] = 0;
    Parsed r = parse_n(copy, length);
    printed(r), rendered(r);
    arena_free(r.arena);
    free(copy);
  }
  free(text);
}

static void a_hole_anywhere_gives_a_few_mistakes(void **state) {
  (void)state;
  char *text = long_program();
  size_t length = strlen(text);
  for (size_t at = 0; at + 7 < length; at += 3) {
    char *copy = strdup(text);
    memmove(copy + at, copy + at + 7, length - at - 7 + 1);
    Parsed r = parse(copy);
    assert_in_range(r.sink->n_errors, 0, 4);
    printed(r);
    arena_free(r.arena);
    free(copy);
  }
  free(text);
}

static void a_foreign_byte_anywhere_is_reported(void **state) {
  (void)state;
  static const char *const page = "fn f(x) { y = x + 1  a[i] = sum(k) x[i, k]  g(y, \"t\") }";
  static const char bytes[] = {0, '\x01', '\x80', '\xff', '\xc3', '$'};
  for (size_t at = 0; at <= strlen(page); at++)
    for (size_t k = 0; k < sizeof bytes; k++) {
      char copy[100];
      memcpy(copy, page, at);
      copy[at] = bytes[k];
      memcpy(copy + at + 1, page + at, strlen(page) - at + 1);
      Parsed r = parse_n(copy, strlen(page) + 1);
      bool in_string = at > (size_t)(strchr(page, '"') - page) && at <= (size_t)(strrchr(page, '"') - page);
      if (!(in_string && bytes[k] == '$')) assert_in_range(r.sink->n_errors, 1, 2);  // 2: a name is cut in two
      arena_free(r.arena);
    }
}

// ---- tokens -------------------------------------------------------------------------------------------------------

static const char *tokens(Parsed r, const char *text) {
  Text out = text_new(r.arena);
  tokens_print(r.arena, r.sink, diag_add_source(r.sink, "t.dl", text, strlen(text)), &out);
  return out.bytes;
}

static void tokens_have_kinds_and_places(void **state) {
  (void)state;
  Parsed r = parse("");
  assert_string_equal(tokens(r, "fn f # c\n\t\"a\\n\" 0..3 2.5e-3"),
                      "1:1 keyword fn\n1:4 name f\n2:2 string \"a\\n\"\n2:8 integer 0\n2:9 symbol ..\n2:11 integer 3\n"
                      "2:13 number 2.5e-3\n");
  assert_string_equal(tokens(r,
                             "\xef\xbb\xbf"
                             "a\r\nb|>c"),
                      "1:1 name a\n2:1 name b\n2:2 symbol |>\n2:4 name c\n");
  assert_string_equal(tokens(r, "train data"), "1:1 name train\n1:7 name data\n");
  assert_int_equal(r.sink->n_errors, 0);
  arena_free(r.arena);
}

static double number(const char *literal) {
  char text[200];
  snprintf(text, sizeof text, "const a = %s", literal);
  Parsed r = parse(text);
  if (r.sink->n_errors) fail_msg("%s", rendered(r));
  const Expr *e = r.ast->decls->value;
  double value = e->kind == EXPR_INT ? (double)e->integer : e->number;
  assert_true(e->kind == EXPR_INT || e->kind == EXPR_FLOAT);
  arena_free(r.arena);
  return value;
}

static void numbers_are_read_exactly_in_any_locale(void **state) {
  (void)state;
  static const char *const locales[] = {"C", "de_DE.UTF-8", "C.UTF-8"};
  for (size_t k = 0; k < sizeof locales / sizeof *locales; k++) {
    if (!setlocale(LC_ALL, locales[k])) continue;
    assert_true(number("0.1") == 0.1);
    assert_true(number("1e-3") == 1e-3);
    assert_true(number("12.5E+2") == 1250);
    assert_true(number("9223372036854775807") == 9223372036854775807.0);
    assert_true(number("1e308") == 1e308);
    assert_true(number("5e-324") == 5e-324);
    assert_true(number("0.0e-999") == 0);
  }
  setlocale(LC_ALL, "C");
}

static void bad_numbers_are_one_mistake_each(void **state) {
  (void)state;
  assert_mistake("const a = 1e999", "E0003", 1, 11, 5, "the number '1e999' is too large");
  assert_mistake("const a = 1e-999", "E0003", 1, 11, 6, "the number '1e-999' is too small");
  assert_mistake("const a = 9223372036854775808", "E0003", 1, 11, 19,
                 "the number '9223372036854775808' is too large for an integer");
  assert_mistake("const a = 2. + 1", "E0003", 1, 11, 2, "'2.' is not a number");
  assert_mistake("const a = .5", "E0003", 1, 11, 2, "'.5' is not a number");
  assert_mistake("const a = 0x1p3", "E0003", 1, 11, 5, "'0x1p3' is not a number");
  assert_mistake("const a = 1e", "E0003", 1, 11, 2, "'1e' is not a number");
}

static void strings_end_on_their_line(void **state) {
  (void)state;
  assert_mistake("use \"a\nconst b = 1", "E0004", 1, 5, 2, "this string does not end");
  assert_mistake("use \"a\\", "E0004", 1, 5, 3, "this string does not end");
  assert_mistake("use \"a\\qb\"", "E0001", 1, 7, 2, "a string has no escape '\\q'");
  Parsed r = parse("use \"\xc3\xa9\\t\\\\\\\"\"");
  assert_string_equal(r.ast->decls->text, "\xc3\xa9\t\\\"");
  arena_free(r.arena);
}

static void bytes_that_are_no_text_are_reported(void **state) {
  (void)state;
  assert_mistake("const a = \xc3(1)", "E0001", 1, 11, 1, "byte 0xc3: this text is not valid UTF-8");
  assert_mistake("# \xed\xa0\x80\nconst a = 1", "E0001", 1, 3, 3, "byte 0xed: this text is not valid UTF-8");
  assert_mistake("# \xf4\x90\x80\x80", "E0001", 1, 3, 4, "byte 0xf4: this text is not valid UTF-8");
  assert_mistake("# \xc0\xaf", "E0001", 1, 3, 2, "byte 0xc0: this text is not valid UTF-8");
  assert_mistake("const caf\xc3\xa9 = 1", "E0001", 1, 10, 2, "the language has no character '\xc3\xa9'");
  assert_mistake("const a = 1 \x07", "E0001", 1, 13, 1, "the language has no control character 0x07");
  Parsed r = parse_n("const a = 1\0", 12);
  assert_int_equal(r.sink->n_errors, 1);
  assert_string_equal(r.sink->items[0]->message, "a zero byte: this is not a text file");
  arena_free(r.arena);
}

// ---- the tree -----------------------------------------------------------------------------------------------------

static void precedence_is_as_documented(void **state) {
  (void)state;
  assert_same_tree("const a = 1 + 2 * 3 ** 2 ** 2", "const a = 1 + (2 * (3 ** (2 ** 2)))");
  assert_same_tree("const a = -2 ** 2 * 3", "const a = (-(2 ** 2)) * 3");
  assert_same_tree("const a = 2 ** -1 - 1", "const a = (2 ** (-1)) - 1");
  assert_same_tree("const a = not b == c and d or e", "const a = ((not (b == c)) and d) or e");
  assert_same_tree("const a = b + 1..c - 1", "const a = (b + 1)..(c - 1)");
  assert_same_tree("const a = b < 0..3", "const a = b < (0..3)");
  assert_same_tree("const a = b or c >> d", "const a = (b or c) >> d");
  assert_same_tree("const a = b + c |> f |> g", "const a = ((b + c) |> f) |> g");
  assert_same_tree("const a = b |> f : [1] |> g", "const a = ((b |> f) : [1]) |> g");
  assert_same_tree("const a = 1 - 2 - 3 // 4 / 5 % 6 @ 7", "const a = (1 - 2) - ((((3 // 4) / 5) % 6) @ 7)");
}

static void reductions_reach_over_products_only(void **state) {
  (void)state;
  assert_same_tree("fn f(a) { y[i] = sum(k) a[i, k] * 2 ** 3 + 1 }",
                   "fn f(a) { y[i] = (sum(k) (a[i, k] * (2 ** 3))) + 1 }");
  assert_same_tree("fn f(a) { y[i] = 2 * sum(k) a[k] // 2 < 3 }", "fn f(a) { y[i] = (2 * (sum(k) (a[k] // 2))) < 3 }");
  assert_same_tree("fn f(a) { y[i] = sum(j) a[j] / sum(k) a[k] @ 3 }",
                   "fn f(a) { y[i] = sum(j) (a[j] / (sum(k) (a[k] @ 3))) }");
  assert_same_tree("fn f(a) { y[i] = -sum(k) -a[k] * 2 }", "fn f(a) { y[i] = -(sum(k) ((-a[k]) * 2)) }");
  assert_same_tree("fn f(a) { y[i] = sum(j, k,) (a[j, k]) }", "fn f(a) { y[i] = sum(j, k) a[j, k] }");
}

static void calls_of_the_same_words_are_no_reductions(void **state) {
  (void)state;
  Parsed r = parse("fn f(k) { a = sum(k) b = max(k, 0) c[i] = max(k, 0) sum(k) }");
  if (r.sink->n_errors) fail_msg("%s", rendered(r));
  assert_null(strstr(printed(r), "reduce"));
  arena_free(r.arena);
  assert_mistake("fn f(k) { c[i] = sum(k) }", "E0002", 1, 25, 1, "found '}', expected an expression");
}

static void newlines_mean_nothing(void **state) {
  (void)state;
  char *text = long_program();
  char *flat = strdup(text);
  for (char *at = flat; *at; at++) {
    bool doc_or_comment = *at == '#';
    for (; doc_or_comment && *at != '\n'; at++) *at = ' ';
    if (*at == '\n') *at = ' ';
  }
  Parsed a = parse(text), b = parse(flat);
  assert_int_equal(b.sink->n_errors, 0);
  for (Decl *d = a.ast->decls; d; d = d->next) d->doc = NULL;
  assert_string_equal(printed(a), printed(b));
  arena_free(a.arena);
  arena_free(b.arena);
  free(text);
  free(flat);
}

static const char *spelled(Parsed r, Span span) {
  const char *text = diag_source(r.sink, span.file)->text;
  return arena_strndup(r.arena, text + span.begin, span.end - span.begin);
}

static void spans_cover_the_whole_text(void **state) {
  (void)state;
  Parsed r = parse("fn f(x: f32[N] = 1) { y[i] = (a[i] + b) * sum(k) c[k]  x |> g(1, k = (2)) as h : [3] }");
  const Decl *d = r.ast->decls;
  assert_string_equal(spelled(r, d->params->span), "x: f32[N] = 1");
  assert_string_equal(spelled(r, d->body->span), "y[i] = (a[i] + b) * sum(k) c[k]");
  assert_string_equal(spelled(r, d->body->value->a->span), "(a[i] + b)");
  assert_string_equal(spelled(r, d->body->value->op_span), "*");
  assert_string_equal(spelled(r, d->body->value->b->span), "sum(k) c[k]");
  const Expr *shaped = d->body->next->value;
  assert_string_equal(spelled(r, shaped->span), "x |> g(1, k = (2)) as h : [3]");
  assert_string_equal(spelled(r, shaped->a->b->span), "g(1, k = (2)) as h");
  assert_string_equal(spelled(r, shaped->a->b->args->next->value->span), "(2)");
  assert_string_equal(spelled(r, shaped->a->op_span), "|>");
  arena_free(r.arena);
}

static void the_comment_above_a_declaration_is_kept(void **state) {
  (void)state;
  Parsed r = parse("# not this\n\n  # one\n#\n# two \r\n  fn f(x) { x } # nor this\nfn g(x) { x }");
  assert_string_equal(r.ast->decls->doc, "one\n\ntwo");
  assert_null(r.ast->decls->next->doc);
  arena_free(r.arena);
}

// ---- mistakes -----------------------------------------------------------------------------------------------------

static void mistakes_are_worded(void **state) {
  (void)state;
  assert_mistake("fn f(x) { y = x + }", "E0002", 1, 19, 1, "found '}', expected an expression");
  assert_mistake("fn f(x) { g(x y) }", "E0002", 1, 15, 1, "found 'y', expected ',' or ')'");
  assert_mistake("modle f(x) { x }", "E0002", 1, 1, 5, "found 'modle', expected a declaration");
  assert_mistake("fn f(x) { y = x<-1 }", "E0002", 1, 16, 2, "found '<-', expected a statement or '}'");
  assert_mistake("fn f(x) { if x < 1 < 2 { y } }", "E0002", 1, 20, 1, "found '<', expected '{'");
  assert_mistake("fn f(x) { x |> g + 1 }", "E0002", 1, 18, 1, "found '+', expected a statement or '}'");
  assert_mistake("fn f(x) {\n  g(x", "E0002", 2, 6, 0, "found the end of the file, expected ',' or ')'");
  assert_mistake("train m {}", "E0002", 1, 9, 1, "found '{', expected 'on'");
  assert_mistake("fn f(x) { a.b = 1 }", "E0002", 1, 11, 3,
                 "found 'a.b', expected a name without dots on the left of '='");
  assert_mistake("fn f(x) { c[0] = 1 }", "E0002", 1, 13, 1,
                 "found '0', expected the name of an index: a formula defines all elements at once");
  assert_mistake("fn f(x: float) { x }", "E0002", 1, 9, 5, "found 'float', expected a type: f32, i32 or bool");
  assert_mistake("fn f(x) { return x y = 1 }", "E0002", 1, 20, 1, "found 'y', expected ',' or '}'");
  assert_mistake("fn f(x) { for i in 0..3 { g(i) } (x) }", "E0002", 1, 34, 1, "found '(', expected a statement or '}'");
  assert_mistake("fn f(in) { x }", "E0002", 1, 6, 2, "found 'in', expected a name or ')'");
}

static void independent_mistakes_are_all_found(void **state) {
  (void)state;
  Parsed r = parse(
      "fn f(x) {\n"
      "  a = x +\n"
      "  b = g(x\n"   // 3: '='
      "  return }\n"  // 4
      "fn g(x) {\n"
      "  y = )\n"           // 6
      "  z = x ]\n"         // 7
      "  if x { w = , }\n"  // 8
      "  q = x\n"
      "}\n"
      "const = 3\n"  // 11
      "fn h(x) {\n"
      "  x\n"
      "fn i(x) { x }\n"              // 14
      "train i on d { loss = }\n");  // 15
  static const uint32_t lines[] = {3, 4, 6, 7, 8, 11, 14, 15};
  assert_int_equal(r.sink->n_errors, sizeof lines / sizeof *lines);
  for (size_t k = 0; k < r.sink->n_items; k++) {
    uint32_t line, column;
    diag_position(diag_source(r.sink, 1), r.sink->items[k]->span.begin, &line, &column);
    assert_int_equal(line, lines[k]);
  }
  int n = 0;
  for (const Decl *d = r.ast->decls; d; d = d->next) n++;
  assert_int_equal(n, 5);  // all but the const
  arena_free(r.arena);
}

static char *repeated(const char *open, size_t count, const char *middle, const char *close) {
  size_t a = strlen(open), b = strlen(close), m = strlen(middle);
  char *text = calloc(1, 100 + count * (a + b) + m);
  char *at = text + sprintf(text, "fn f(x) { y = ");
  for (size_t k = 0; k < count; k++, at += a) memcpy(at, open, a);
  memcpy(at, middle, m);
  at += m;
  for (size_t k = 0; k < count; k++, at += b) memcpy(at, close, b);
  strcpy(at, " }");
  return text;
}

static int tree_depth_errors(const char *open, size_t count, const char *middle, const char *close) {
  char *text = repeated(open, count, middle, close);
  Parsed r = parse(text);
  int n = 0;
  for (size_t k = 0; k < r.sink->n_items; k++) n += r.sink->items[k]->code == DIAG_E0005;
  if (!n && r.sink->n_errors) fail_msg("%s", rendered(r));
  printed(r);
  arena_free(r.arena);
  free(text);
  return n;
}

static void nesting_is_bounded(void **state) {
  (void)state;
  static const struct {
    const char *open, *close;
  } forms[] = {
      {"(", ")"},
      {"[", "]"},
      {"f(", ")"},
      {"f(a, b = ", ")"},
      {"a[", "]"},
      {"-", ""},
      {"not ", ""},
      {"2 ** ", ""},
      {"x + ", ""},
      {"", " |> f"},
      {"", "[0]"},
      {"if x { ", " }"},
      {"if x { 1 } else ", ""},
      {"if x { for i in y { repeat 2 { z = ", " } } }"},
      {"x or x and x == x + x * x ** (", ")"},
  };
  for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
    const char *middle = strstr(forms[k].open, "else") ? "if x { 1 }" : "x";
    assert_int_equal(tree_depth_errors(forms[k].open, 30, middle, forms[k].close), 0);
    assert_int_equal(tree_depth_errors(forms[k].open, 300, middle, forms[k].close), 1);
    assert_int_equal(tree_depth_errors(forms[k].open, 100000, middle, forms[k].close), 1);
  }
}

static void parentheses_may_be_250_deep(void **state) {
  (void)state;
  assert_int_equal(tree_depth_errors("(", 250, "x", ")"), 0);
  assert_int_equal(tree_depth_errors("f(", 250, "x", ")"), 0);
}

static void long_lexemes_are_refused(void **state) {
  (void)state;
  static const char *const forms[] = {"const %s = 1", "const a = %s", "use \"%s\"", "# %s", "const a = \"%s"};
  static const char fill[] = {'a', '7', 's', 'c', 'u'};
  static const size_t mistakes[] = {1, 1, 1, 0, 1};
  for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
    char *body = malloc(100 * 1024 + 1);
    memset(body, fill[k], 100 * 1024);
    body[100 * 1024] = 0;
    char *text = malloc(101 * 1024);
    sprintf(text, forms[k], body);
    Parsed r = parse(text);
    assert_int_equal(r.sink->n_errors, mistakes[k]);
    arena_free(r.arena);
    free(text);
    free(body);
  }
}

static void a_huge_file_is_refused_at_once(void **state) {
  (void)state;
  size_t length = 5 * 1024 * 1024;
  char *text = malloc(length + 1);
  memset(text, ' ', length);
  text[length] = 0;
  Parsed r = parse_n(text, length);
  assert_int_equal(r.sink->n_errors, 1);
  assert_int_equal(r.sink->items[0]->code, DIAG_E0004);
  arena_free(r.arena);
  free(text);
}

static void noise_ends_after_a_while(void **state) {
  (void)state;
  size_t length = 400 * 1000;
  char *text = malloc(length + 1);
  uint32_t seed = 1;
  for (size_t k = 0; k < length; k++) text[k] = (char)(seed = seed * 1664525 + 1013904223, seed >> 24);
  text[length] = 0;
  Parsed r = parse_n(text, length);
  assert_in_range(r.sink->n_errors, 1, 400);
  arena_free(r.arena);
  for (size_t k = 0; k < length; k++) text[k] = "(){}[],=ab1 \n|>#"[(unsigned char)text[k] % 16];
  r = parse_n(text, length);
  assert_in_range(r.sink->n_errors, 1, 400);
  arena_free(r.arena);
  free(text);
}

// ---- memory -------------------------------------------------------------------------------------------------------

typedef struct Budget {
  int calls, live;
} Budget;

static void *budget_alloc(void *state, size_t bytes, size_t align) {
  Budget *budget = state;
  (void)align;
  if (budget->calls-- <= 0) return NULL;
  budget->live++;
  return malloc(bytes);
}

static void budget_release(void *state, void *block, size_t bytes) {
  (void)bytes;
  ((Budget *)state)->live--;
  free(block);
}

// True when the program was parsed within so many allocations.
static bool parses_within(const char *text, int calls) {
  Budget budget = {calls, 0};
  Allocator allocator = {budget_alloc, budget_release, &budget, NULL};
  Guard here;
  Arena *volatile arena = arena_new(&allocator, &here);
  if (!arena) return false;
  volatile bool done = false;
  if (!setjmp(here.jump)) {
    DiagSink *sink = diag_sink_new(arena);
    ast_parse(arena, sink, diag_add_source(sink, "t.dl", text, strlen(text)));
    done = true;
  }
  arena_free(arena);
  assert_int_equal(budget.live, 0);
  return done;
}

static void running_out_of_memory_leaks_nothing(void **state) {
  (void)state;
  char *text = long_program();
  int calls = 0;
  while (!parses_within(text, calls)) assert_true(++calls < 10000);
  assert_true(calls > 1);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_construct_parses),
      cmocka_unit_test(every_prefix_is_read_to_its_end),
      cmocka_unit_test(a_hole_anywhere_gives_a_few_mistakes),
      cmocka_unit_test(a_foreign_byte_anywhere_is_reported),
      cmocka_unit_test(tokens_have_kinds_and_places),
      cmocka_unit_test(numbers_are_read_exactly_in_any_locale),
      cmocka_unit_test(bad_numbers_are_one_mistake_each),
      cmocka_unit_test(strings_end_on_their_line),
      cmocka_unit_test(bytes_that_are_no_text_are_reported),
      cmocka_unit_test(precedence_is_as_documented),
      cmocka_unit_test(reductions_reach_over_products_only),
      cmocka_unit_test(calls_of_the_same_words_are_no_reductions),
      cmocka_unit_test(newlines_mean_nothing),
      cmocka_unit_test(spans_cover_the_whole_text),
      cmocka_unit_test(the_comment_above_a_declaration_is_kept),
      cmocka_unit_test(mistakes_are_worded),
      cmocka_unit_test(independent_mistakes_are_all_found),
      cmocka_unit_test(nesting_is_bounded),
      cmocka_unit_test(parentheses_may_be_250_deep),
      cmocka_unit_test(long_lexemes_are_refused),
      cmocka_unit_test(a_huge_file_is_refused_at_once),
      cmocka_unit_test(noise_ends_after_a_while),
      cmocka_unit_test(running_out_of_memory_leaks_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
