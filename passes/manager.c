// The manager: which passes run, in which order, and what is checked in between.
#include "passes.h"

#include <string.h>

const PassInfo pass_table[] = {
#define PASS(name, kind, mode, meaning) {#name, pass_##name, PASS_##kind, PASS_##mode, meaning},
#include "passes.def"
#undef PASS
};
const int pass_count = sizeof pass_table / sizeof *pass_table;

static const PassInfo *find_pass(const char *name, size_t length) {
  for (int k = 0; k < pass_count; k++)
    if (strlen(pass_table[k].name) == length && !strncmp(pass_table[k].name, name, length)) return &pass_table[k];
  return NULL;
}

const PassInfo *pass_find(const char *name) { return find_pass(name, strlen(name)); }

// ---- lists of names -------------------------------------------------------------------------------------------------

static const PassInfo *report_unknown(PassContext *ctx, const char *name) {
  const char **names = arena_array(ctx->arena, (size_t)pass_count, sizeof *names);
  for (int k = 0; k < pass_count; k++) names[k] = pass_table[k].name;
  const char *near = text_nearest(name, names, (size_t)pass_count);
  if (near)
    diag_error(ctx->sink, DIAG_E0601, SPAN_NONE, "unknown pass '%s'; did you mean '%s'?", name, near);
  else
    diag_error(ctx->sink, DIAG_E0601, SPAN_NONE, "unknown pass '%s'", name);
  return NULL;
}

// What a list of names asks for.
typedef struct Sequence {
  const PassInfo **rows;
  size_t n_rows, capacity;
  bool *off;  // [pass_count]: switched off by '-name'
  bool any_off;
} Sequence;

static void add_row(PassContext *ctx, Sequence *s, const PassInfo *row) {
  s->rows = arena_grow(ctx->arena, s->rows, s->n_rows, &s->capacity, sizeof *s->rows);
  s->rows[s->n_rows++] = row;
}

static bool switch_off(PassContext *ctx, Sequence *s, const PassInfo *row) {
  if (row->kind == PASS_DEFINES) {
    diag_error(ctx->sink, DIAG_E0601, SPAN_NONE, "pass '%s' cannot be switched off: it gives the program its meaning",
               row->name);
    return false;
  }
  s->off[row - pass_table] = s->any_off = true;
  return true;
}

static bool take_name(PassContext *ctx, Sequence *s, const char *name, size_t length) {
  bool off = length && *name == '-';
  const PassInfo *row = find_pass(name + off, length - off);
  if (!row) row = report_unknown(ctx, arena_strndup(ctx->arena, name + off, length - off));
  if (!row) return false;
  if (off) return switch_off(ctx, s, row);
  add_row(ctx, s, row);
  return true;
}

// Takes the list apart; false after reporting.
static bool parse_list(PassContext *ctx, Sequence *s, const char *list) {
  bool good = true;
  while (*list) {
    list += strspn(list, " ,");
    size_t length = strcspn(list, " ,");
    if (length) good &= take_name(ctx, s, list, length);
    list += length;
  }
  if (good && s->any_off && s->n_rows) {
    diag_error(ctx->sink, DIAG_E0601, SPAN_NONE,
               "a list of passes names those to run or, all with '-', those to leave out");
    good = false;
  }
  return good;
}

// The rows to run; false after reporting.
static bool choose_rows(PassContext *ctx, Sequence *s, PassMode mode, const char *only) {
  s->off = arena_array(ctx->arena, (size_t)pass_count, sizeof *s->off);
  if (only && !parse_list(ctx, s, only)) return false;
  if (only && !s->any_off) return true;
  for (int k = 0; k < pass_count; k++)
    if ((pass_table[k].mode & mode) && !s->off[k]) add_row(ctx, s, &pass_table[k]);
  return true;
}

// ---- running --------------------------------------------------------------------------------------------------------

static void check_graph(PassContext *ctx, const Graph *g, const PassInfo *after) {
  Text why = text_new(ctx->arena);
  if (ctx->verify && !graph_verify(g, &why)) dlc_bug("after pass '%s': %s", after->name, why.bytes);
}

Graph *passes_run(PassContext *ctx, const Graph *g, PassMode mode, const char *only, const char *stop_after) {
  const PassInfo *last = stop_after ? pass_find(stop_after) : NULL;
  if (stop_after && !last) last = report_unknown(ctx, stop_after);
  Sequence s = {0};
  if ((stop_after && !last) || !choose_rows(ctx, &s, mode, only)) return NULL;
  bool listed = only && !s.any_off;  // then rows need not stand in the table's order
  for (size_t k = 0; k < s.n_rows; k++) {
    if (last && !listed && s.rows[k] > last) break;
    g = s.rows[k]->run(ctx, g);
    if (!g) return NULL;
    check_graph(ctx, g, s.rows[k]);
    if (s.rows[k] == last) break;
  }
  return (Graph *)g;  // where no pass changed anything, it is the caller's own
}
