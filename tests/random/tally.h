// What a campaign has used and seen: how often each op, each kind of index node, each pass.
#pragma once
#include "passes.h"

enum { TALLY_PASSES = 32, TALLY_WORDS = 256 };

typedef struct TallyWord {
  const char *word;
  int64_t count;
} TallyWord;

typedef struct Tally {
  int64_t node[OP_COUNT], scalar[OP_COUNT];  // as nodes, in bodies
  int64_t combine[COMBINE_COUNT], division[3], chunked, lanes, transformed;
  int64_t fired[TALLY_PASSES];   // by pass_table: graphs that it changed
  TallyWord words[TALLY_WORDS];  // whatever else is counted, by name; the names are kept
  int n_words;
} Tally;

void tally_graph(Tally *tally, const Graph *g);  // of a graph as it was made
void tally_order(Tally *tally, const Graph *g);  // of a graph that pass `order` has seen
void tally_add(Tally *tally, const char *word, int64_t count);
void tally_print(const Tally *tally);
// Adds what tally_print wrote; the words are kept in the arena. Lines of other kinds are skipped.
void tally_read(Tally *tally, Arena *arena, const char *text);
// The ops of ops.def, combines, divisions and passes that occur less often than `least`; returns how many.
int tally_missing(const Tally *tally, int64_t least);
