// Between the files of the parser.
#pragma once
#include "hash.h"
#include "lex.h"

typedef struct Parser {
  Reader r;
  Graph *graph;
  int64_t *numbers;  // [graph->n_nodes] the number that each node has in the text; rising
  size_t n_numbers, numbers_capacity;
  HashTable sources;  // once all nodes are there
} Parser;

// %12, defined before. Reports where it is not.
bool parse_value(Parser *p, NodeId *id);
// N, 16*N or 28, of the graph's symbols.
bool parse_dim(Parser *p, Dim *d);
// An optional '-', then a number, true, false, nan or inf: its type follows from how it is written.
bool parse_number(Parser *p, DType *type, double *number);
// What follows the word `index`: combine, indices, order and body. Sets the node's index, in and n_in.
bool parse_index(Parser *p, Node *node);
