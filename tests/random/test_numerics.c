// The tables of docs/numerics.md against what compiled code gives, on each instruction set, and against the evaluator
// in double. A row that is wrong is printed as it should be.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "io.h"
#include "passes.h"
#include "program.h"
#include "reference.h"
#include "run_graph.h"

enum { MOST_CELLS = 24 };

typedef struct Line {
  const char *cell[MOST_CELLS];
  int n;
} Line;

static Line cells_of(Arena *arena, const char *line) {
  Line l = {.n = 0};
  for (const char *c = line + 1; *c && *c != '\n' && l.n < MOST_CELLS;) {
    size_t length = strcspn(c, "|\n");
    if (c[length] != '|') break;
    while (length && *c == ' ') c++, length--;
    size_t trimmed = length;
    while (trimmed && c[trimmed - 1] == ' ') trimmed--;
    l.cell[l.n++] = arena_strndup(arena, c, trimmed);
    c += length + 1;
  }
  return l;
}

static const char *next_line(const char *c) {
  c += strcspn(c, "\n");
  return *c ? c + 1 : c;
}

// ---- one expression -------------------------------------------------------------------------------------------------

typedef struct Values {  // of the inputs x and y
  int n;
  double x[MOST_CELLS], y[MOST_CELLS];
} Values;

static double give(const void *given, const Node *source, int64_t k) {
  const Values *v = given;
  if (!strcmp(source->name, "x")) return v->x[k];
  if (!strcmp(source->name, "y")) return v->y[k];
  return strstr(source->name, "gamma") || !strcmp(source->name, "cotangent") ? 1 : 0;
}

// The expression as a graph, with `gradient` with what the table's second half shows.
static const Graph *graph_of(Arena *arena, const char *type, int n, bool two, const char *expression, bool gradient) {
  DiagSink *sink = diag_sink_new(arena);
  Text why = text_new(arena);
  const char *y = two ? arena_printf(arena, ", y: %s[%d]", type, n) : "";
  const char *text = arena_printf(arena, "model m(x: %s[%d]%s) { return %s }", type, n, y, expression);
  Program *program = program_from_text(arena, sink, io_system(), expression, text, NULL, 0);
  LowerWhat what = gradient ? LOWER_COTANGENT : LOWER_OUTPUT;
  Lowered *lowered = sink->n_errors ? NULL : program_lower(program, 0, MODE_INFER, what);
  static const char *const inputs[] = {"x", "y"};
  PassContext ctx = {.arena = arena, .sink = sink, .verify = true, .grad_inputs = inputs, .n_grad_inputs = 1 + two};
  const Graph *g = lowered ? passes_run(&ctx, lowered->graph, gradient ? PASS_TRAIN : PASS_INFER, NULL, NULL) : NULL;
  diag_render(sink, false, &why);
  if (!g) fail_msg("%s", why.bytes);
  return g;
}

static int output_number(const Graph *g, OutputKind kind, const char *name) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == kind && (!name || !strcmp(g->outputs[k].name, name))) return (int)k;
  fail_msg("no such output");
  return -1;
}

static void compare_cpus(Arena *arena, const Graph *g, const Fill *fill, const EvalTensor *native, const char *what) {
  static const char *const cpus[] = {"x86-64", "x86-64-v2", "x86-64-v3"};
  for (int c = 0; c < 3; c++) {
    Text why = text_new(arena);
    How how = {.cpu = cpus[c], .plan = {.no_fuse = c == 1}, .no_contract = c == 2, .parts = 1};
    EvalTensor *got = arena_array(arena, g->n_outputs, sizeof *got);
    if (!run_graph(arena, g, fill, &how, got, &why)) fail_msg("%s: %s", what, why.bytes);
    for (size_t k = 0; k < g->n_outputs; k++)
      for (int64_t i = 0; i < shape_count(&got[k].shape, NULL); i++)
        if (!same_number(got[k].data[i], native[k].data[i]))
          fail_msg("%s: on %s %.9g, on this machine %.9g", what, cpus[c], got[k].data[i], native[k].data[i]);
  }
}

static int work_of(const Graph *g) {
  int n = 0;
  for (size_t k = 0; k < g->n_nodes; k++) n += op_info(g->nodes[k].op)->class != OPC_SOURCE;
  return n;
}

// Of results: to 2 units in the last place; of what takes several operations, to 1e-7 besides.
static void compare_evaluator(Arena *arena, const Graph *g, const Fill *fill, const EvalTensor *native,
                              const char *what) {
  int64_t symbols[IR_MAX_SYMBOLS];
  EvalEnv env = fill_env(fill, symbols);
  EvalTensor *values = arena_array(arena, g->n_nodes, sizeof *values);
  double loose = work_of(g) > 2 ? 1e-7 : 0;
  const char *why;
  if (!graph_eval(g, &env, arena, values, &why)) fail_msg("%s", why);
  for (size_t k = 0; k < g->n_outputs; k++)
    for (int64_t i = 0; i < shape_count(&native[k].shape, NULL); i++) {
      double got = native[k].data[i], want = (double)(float)values[g->outputs[k].value].data[i];
      if (!same_number(got, want) && !(fabs(got - want) <= ldexp(fabs(want), -22) + loose))
        fail_msg("%s: %.9g, the evaluator gives %.9g", what, got, want);
    }
}

static const EvalTensor *run_everywhere(Arena *arena, const Graph *g, const Values *values, bool exact,
                                        const char *what) {
  Fill fill = {.symbol = 1, .give = give, .given = values};
  Text why = text_new(arena);
  How how = {.cpu = "native", .parts = 1};
  EvalTensor *native = arena_array(arena, g->n_outputs, sizeof *native);
  if (!run_graph(arena, g, &fill, &how, native, &why)) fail_msg("%s: %s", what, why.bytes);
  compare_cpus(arena, g, &fill, native, what);
  if (exact) compare_evaluator(arena, g, &fill, native, what);
  return native;
}

// ---- cells ----------------------------------------------------------------------------------------------------------

static void add_number(Text *out, DType type, double value) {
  Text text = text_new(out->arena);
  if (type != DT_F32) {
    text_printf(out, "%.0f", value);
    return;
  }
  text_add_float(&text, isnan(value) ? NAN : (float)value);
  size_t n = text.length;
  if (n > 2 && !strcmp(text.bytes + n - 2, ".0")) text.bytes[n - 2] = 0;
  text_add(out, text.bytes);
}

static void add_list(Text *out, const EvalTensor *t) {
  for (int64_t k = 0; k < shape_count(&t->shape, NULL); k++) {
    text_add(out, k ? ", " : "");
    add_number(out, t->type, t->data[k]);
  }
}

static double number(const char *text, bool integer, char **end) {
  return integer ? strtod(text, end) : (double)strtof(text, end);
}

static void read_numbers(const char *cell, bool integer, double *first, double *second) {
  char *end;
  *first = number(cell, integer, &end);
  if (second) *second = *end == ',' ? number(end + 1, integer, &end) : 0;
}

typedef struct Table {
  const char *name;
  bool integer, two, gradient, vectors;
} Table;

static const Table tables[] = {{"unary values", .two = false},
                               {"unary gradients", .gradient = true},
                               {"binary values", .two = true},
                               {"binary gradients", .two = true, .gradient = true},
                               {"integer values", .two = true, .integer = true},
                               {"vectors", .vectors = true}};

static const char *expression_of(Arena *arena, const char *cell) {
  size_t n = strlen(cell);
  assert_true(n > 2 && cell[0] == '`' && cell[n - 1] == '`');
  return arena_strndup(arena, cell + 1, n - 2);
}

// A row of one element a column.
static const char *columns_row(Arena *arena, const Table *t, const Line *head, const Line *row) {
  Values v = {.n = head->n - 1};
  for (int k = 0; k < v.n; k++) read_numbers(head->cell[k + 1], t->integer, &v.x[k], t->two ? &v.y[k] : NULL);
  const char *expression = expression_of(arena, row->cell[0]);
  const Graph *g = graph_of(arena, t->integer ? "i32" : "f32", v.n, t->two, expression, t->gradient);
  const EvalTensor *out = run_everywhere(arena, g, &v, !t->gradient, expression);
  Text text = text_new(arena);
  text_printf(&text, "| %s |", row->cell[0]);
  for (int k = 0; k < v.n; k++) {
    text_add(&text, " ");
    if (t->gradient) {
      add_number(&text, DT_F32, out[output_number(g, OUT_GRAD, "x")].data[k]);
      if (t->two) text_add(&text, ", "), add_number(&text, DT_F32, out[output_number(g, OUT_GRAD, "y")].data[k]);
    } else {
      const EvalTensor *y = &out[output_number(g, OUT_RESULT, NULL)];
      add_number(&text, y->type, y->data[k]);
    }
    text_add(&text, " |");
  }
  return text.bytes;
}

static const char *vector_row(Arena *arena, const Line *row) {
  Values v = {0};
  char *end;
  for (const char *c = row->cell[1]; v.n < MOST_CELLS; c = end + 1) {
    v.x[v.n++] = (double)strtof(c, &end);
    if (*end != ',') break;
  }
  const char *expression = expression_of(arena, row->cell[0]);
  const Graph *g = graph_of(arena, "f32", v.n, false, expression, true);
  const EvalTensor *out = run_everywhere(arena, g, &v, false, expression);
  Text text = text_new(arena);
  text_printf(&text, "| %s | %s | ", row->cell[0], row->cell[1]);
  add_list(&text, &out[output_number(g, OUT_RESULT, NULL)]);
  text_add(&text, " | ");
  add_list(&text, &out[output_number(g, OUT_GRAD, "x")]);
  text_add(&text, " |");
  return text.bytes;
}

// ---- the page -------------------------------------------------------------------------------------------------------

static int check_table(Arena *arena, const Table *t, const char *page, int *rows) {
  const char *mark = arena_printf(arena, "<!-- test: %s -->", t->name), *line = strstr(page, mark);
  if (!line) fail_msg("docs/numerics.md has no table '%s'", t->name);
  Line head = cells_of(arena, line = next_line(line));
  int wrong = 0;
  for (line = next_line(next_line(line)); *line == '|'; line = next_line(line)) {
    Line row = cells_of(arena, line);
    const char *right = t->vectors ? vector_row(arena, &row) : columns_row(arena, t, &head, &row);
    ++*rows;
    size_t n = strlen(right);
    if (strncmp(line, right, n) == 0 && (line[n] == '\n' || line[n] == 0)) continue;
    print_error("%s should be\n%s\n", t->name, right);
    wrong++;
  }
  return wrong;
}

static void the_page_is_true(void **state) {
  (void)state;
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  char *page;
  size_t size;
  assert_int_equal(io_read_file(io_system(), arena, DLC_SOURCE_DIR "/docs/numerics.md", 1 << 20, &page, &size), 0);
  int wrong = 0, rows = 0;
  for (size_t k = 0; k < sizeof tables / sizeof *tables; k++) wrong += check_table(arena, &tables[k], page, &rows);
  arena_free(arena);
  assert_in_range(rows, 100, 1000);
  assert_int_equal(wrong, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_page_is_true)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
