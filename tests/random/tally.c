#include "tally.h"

#include <stdio.h>
#include <string.h>

void tally_add(Tally *tally, const char *word, int64_t count) {
  int k = 0;
  while (k < tally->n_words && strcmp(tally->words[k].word, word)) k++;
  if (k == TALLY_WORDS) dlc_bug("more than %d words are counted", TALLY_WORDS);
  if (k == tally->n_words) tally->words[tally->n_words++] = (TallyWord){word, 0};
  tally->words[k].count += count;
}

void tally_graph(Tally *tally, const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    tally->node[node->op]++;
    if (node->op != OP_index) continue;
    tally->combine[node->index->combine]++;
    for (int i = 0; i < node->index->n_body; i++)
      if (node->index->body[i].kind == SCALAR_OP) tally->scalar[node->index->body[i].op]++;
    for (int r = 0; r < node->n_in; r++)
      for (int d = 0; d < node->index->reads[r].rank; d++) tally->division[node->index->reads[r].at[d].kind]++;
  }
}

void tally_order(Tally *tally, const Graph *g) {
  for (size_t k = 0; k < g->n_nodes; k++) {
    if (g->nodes[k].op != OP_index) continue;
    Order order = g->nodes[k].index->order;
    tally->chunked += order.chunk > 0;
    tally->lanes += order.lanes == 16;
    tally->transformed += order.winograd != 0;
  }
}

static const char *const divisions[] = {"whole", "exact", "floor"};

static int64_t *counter(Tally *tally, const char *kind, const char *name) {
  for (int k = 0; k < OP_COUNT; k++)
    if (!strcmp(op_info((Op)k)->name, name)) {
      if (!strcmp(kind, "node")) return &tally->node[k];
      if (!strcmp(kind, "body")) return &tally->scalar[k];
    }
  for (int k = 0; k < COMBINE_COUNT; k++)
    if (!strcmp(kind, "index") && !strcmp(combine_name((Combine)k), name)) return &tally->combine[k];
  for (int k = 0; k < 3; k++)
    if (!strcmp(kind, "read") && !strcmp(divisions[k], name)) return &tally->division[k];
  for (int k = 0; k < pass_count; k++)
    if (!strcmp(kind, "pass") && !strcmp(pass_table[k].name, name)) return &tally->fired[k];
  if (strcmp(kind, "order")) return NULL;
  return !strcmp(name, "chunked") ? &tally->chunked : !strcmp(name, "lanes") ? &tally->lanes : &tally->transformed;
}

static void print_one(const char *kind, const char *name, int64_t count) {
  printf("%s %8lld %s\n", kind, (long long)count, name);
}

void tally_print(const Tally *tally) {
  for (int k = 0; k < OP_COUNT; k++) print_one("node ", op_info((Op)k)->name, tally->node[k]);
  for (int k = 0; k < OP_COUNT; k++)
    if (op_info((Op)k)->class == OPC_POINTWISE) print_one("body ", op_info((Op)k)->name, tally->scalar[k]);
  for (int k = 0; k < COMBINE_COUNT; k++) print_one("index", combine_name((Combine)k), tally->combine[k]);
  for (int k = 0; k < 3; k++) print_one("read ", divisions[k], tally->division[k]);
  print_one("order", "chunked", tally->chunked);
  print_one("order", "lanes", tally->lanes);
  print_one("order", "transformed", tally->transformed);
  for (int k = 0; k < pass_count; k++) print_one("pass ", pass_table[k].name, tally->fired[k]);
  for (int k = 0; k < tally->n_words; k++) print_one("word ", tally->words[k].word, tally->words[k].count);
}

void tally_read(Tally *tally, Arena *arena, const char *text) {
  for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    char kind[8];
    long long count;
    int length = 0;
    if (sscanf(line, "%7[a-z] %lld %n", kind, &count, &length) < 2 || !length) continue;
    const char *name = arena_strndup(arena, line + length, strcspn(line + length, "\n"));
    int64_t *known = counter(tally, kind, name);
    if (known) *known += count;
    if (!strcmp(kind, "word")) tally_add(tally, name, count);
  }
}

static int missing(const char *kind, const char *name, int64_t count, int64_t least) {
  if (count >= least) return 0;
  printf("%s %s occurs %lld times only\n", kind, name, (long long)count);
  return 1;
}

int tally_missing(const Tally *tally, int64_t least) {
  int n = 0;
  for (int k = 0; k < OP_COUNT; k++) n += missing("op", op_info((Op)k)->name, tally->node[k], least);
  for (int k = 0; k < COMBINE_COUNT; k++) n += missing("combine", combine_name((Combine)k), tally->combine[k], least);
  for (int k = 0; k < 3; k++) n += missing("division", divisions[k], tally->division[k], least);
  for (int k = 0; k < pass_count; k++) n += missing("pass", pass_table[k].name, tally->fired[k], least);
  return n;
}
