// What a search holds. Private to search*.c.
#pragma once
#include "data_bind.h"
#include "memory.h"
#include "progress.h"
#include "threads.h"

// Split train, bound to a network's steps.
typedef struct FoldSplits {
  BoundSplit *scored, *rows, *held_loss;  // as in Network; the last two NULL where there is nothing to train
} FoldSplits;

// A compiled network with the splits bound to it; serves every candidate that makes the same graph.
typedef struct Network {
  Unit *score;         // the search block's number, inference version
  Unit *train, *loss;  // the train block's loss, both versions; NULL where there is nothing to train
  int64_t batch;
  bool fast;
  BoundSplit *scored;     // `train`, bound to score: what folds hold out
  BoundSplit *held;       // the validation split, bound to score; NULL in cross-validation
  BoundSplit *test;       // bound to score; NULL where there is no such split
  BoundSplit *rows;       // `train`, bound to train
  BoundSplit *held_loss;  // what is held out, bound to loss
  FoldSplits *folds;      // [folds] with their own statistics; NULL, and NULL inside, until a fold asks
} Network;

typedef struct Result {
  double *scores;    // [n_scores], NaN where training diverged
  double mean, std;  // over the folds; std divides by their number
} Result;

typedef struct Search {
  Session *session;
  const SearchSpec *spec;
  int model;
  int64_t n;         // candidates
  int64_t n_scores;  // of each: folds, or 1
  Result *results;   // [n]
  int64_t winner;    // -1: none
  bool has_test;
  double test;         // the winner's on the test split
  Network **networks;  // every one compiled so far: [compiled]
  int compiled;
  size_t networks_capacity;
  Network *network;  // the candidate's
  DataStore *store;
  DataStore **fold_stores;  // [folds] as Network.folds
  Memory *memory;
  Team *team;
  Progress progress;
} Search;

// What one fold is made of.
typedef struct Fold {
  RowSet kept, held;  // places in split train
  FoldSplits splits;  // of which these are rows
  const Memory *memory;
} Fold;

// Parts split train for a fold of the network of s. In the arena; false after reporting.
bool search_fold(Search *s, Pipeline *p, Arena *arena, int64_t fold, Fold *parts);  // search_folds.c

int search_choice(const SearchSpec *spec, int64_t candidate, int axis);  // which value of the axis
const char *search_words(const Search *search, int64_t candidate);       // "k = 3  distance = l1"
void search_table(const Search *search, Text *out);
void search_json(const Search *search, Text *out);
// The scores over the first axis of numbers, and the table below, as one picture.
void search_svg(const Search *search, Text *out);
