// What a report says of its runs in numbers: one run's as a list, several as a table with a row each.
#include <math.h>
#include <string.h>

#include "report_page.h"
#include "svg.h"

enum { MOST_FACTS = 128 };  // of a run; columns of the table

typedef struct Fact {
  const char *name, *value;
} Fact;

static void add(Fact *facts, int *n, const char *name, const char *value) {
  if (*n < MOST_FACTS) facts[(*n)++] = (Fact){name, value};
}

// A run's last line: every split's scores; then what it was started with.
static int facts_of(Arena *arena, const RunLog *run, Fact *facts) {
  static const char *const keys[] = {"seed", "batch", "numerics"};
  int n = 0, epochs = cJSON_GetArraySize(run->epochs);
  const cJSON *last = epochs ? cJSON_GetArrayItem(run->epochs, epochs - 1) : NULL, *item;
  cJSON_ArrayForEach(item, last) {
    if (cJSON_IsNumber(item)) add(facts, &n, item->string, arena_printf(arena, "%.6g", item->valuedouble));
  }
  for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(run->options, keys[k]);
    if (cJSON_IsNumber(value)) add(facts, &n, keys[k], arena_printf(arena, "%.17g", value->valuedouble));
    if (cJSON_IsString(value)) add(facts, &n, keys[k], value->valuestring);
  }
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(run->options, "set")) {
    if (cJSON_IsString(item)) add(facts, &n, item->string, item->valuestring);
  }
  return n;
}

void report_facts(const RunLog *run, Text *out) {
  Fact facts[MOST_FACTS];
  int n = facts_of(out->arena, run, facts);
  text_add(out, "<dl>\n");
  for (int k = 0; k < n; k++) {
    text_add(out, "<div><dt>");
    svg_add_escaped(out, facts[k].name);
    text_add(out, "</dt><dd>");
    svg_add_escaped(out, facts[k].value);
    text_add(out, "</dd></div>\n");
  }
  text_add(out, "</dl>\n");
}

// ---- several runs ---------------------------------------------------------------------------------------------------

typedef struct Table {
  const char *columns[MOST_FACTS];
  int n_columns, n_runs;
  const char **cells;  // [n_runs][MOST_FACTS], NULL where a run says nothing of it
} Table;

static void set_cell(Table *t, int run, const Fact *fact) {
  int column = 0;
  while (column < t->n_columns && strcmp(t->columns[column], fact->name) != 0) column++;
  if (column == MOST_FACTS) return;
  if (column == t->n_columns) t->columns[t->n_columns++] = fact->name;
  t->cells[run * MOST_FACTS + column] = fact->value;
}

static Table table_of(Arena *arena, const RunLog *runs, int n_runs) {
  Table t = {.n_runs = n_runs, .cells = arena_array(arena, (size_t)n_runs * MOST_FACTS, sizeof *t.cells)};
  for (int run = 0; run < n_runs; run++) {
    Fact facts[MOST_FACTS];
    int n = facts_of(arena, &runs[run], facts);
    for (int k = 0; k < n; k++) set_cell(&t, run, &facts[k]);
  }
  return t;
}

static bool is_same_everywhere(const Table *t, int column) {
  for (int run = 0; run < t->n_runs; run++) {
    const char *first = t->cells[column], *cell = t->cells[run * MOST_FACTS + column];
    if (!first || !cell || strcmp(first, cell) != 0) return false;
  }
  return true;
}

static void add_row(const Table *t, int run, const char *name, Text *out) {
  text_printf(out, "<tr><th><svg width=\"12\" height=\"10\"><circle class=\"f%d\" cx=\"5\" cy=\"5\" r=\"5\"/></svg> ",
              run % SVG_COLOURS);
  svg_add_escaped(out, name);
  text_add(out, "</th>");
  for (int column = 0; column < t->n_columns; column++) {
    if (is_same_everywhere(t, column)) continue;
    const char *cell = t->cells[run * MOST_FACTS + column];
    text_add(out, "<td>");
    svg_add_escaped(out, cell ? cell : "");
    text_add(out, "</td>");
  }
  text_add(out, "</tr>\n");
}

void report_runs(const RunLog *runs, int n_runs, Text *out) {
  Table t = table_of(out->arena, runs, n_runs);
  text_add(out, "<section><h2>Runs</h2><div class=\"table\"><table>\n<tr><th></th>");
  for (int column = 0; column < t.n_columns; column++) {
    if (is_same_everywhere(&t, column)) continue;
    text_add(out, "<th>");
    svg_add_escaped(out, t.columns[column]);
    text_add(out, "</th>");
  }
  text_add(out, "</tr>\n");
  for (int run = 0; run < n_runs; run++) add_row(&t, run, runs[run].name, out);
  text_add(out, "</table></div><p class=\"small\">the same in all:");
  for (int column = 0, n = 0; column < t.n_columns; column++) {
    if (!is_same_everywhere(&t, column)) continue;
    text_add(out, n++ ? ", " : " ");
    svg_add_escaped(out, t.columns[column]);
    text_add(out, " ");
    svg_add_escaped(out, t.cells[column]);
  }
  text_add(out, "</p></section>\n");
}
