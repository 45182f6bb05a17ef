// What dlc grad --at is made of. Private to grad_at.c, grad_point.c, grad_draw.c and grad_jacobian.c.
#pragma once
#include "grad_at.h"

typedef struct Point {  // one input's value
  const char *name;
  double *data;  // NULL with `normal`: not drawn yet
  int64_t count;
  int rank;
  int64_t dim[IR_MAX_RANK];
  bool normal;  // x=normal: random values of the input's shape
} Point;

typedef struct AtRun {
  Pipeline *p;
  Lowered *lowered;
  Point *points;
  int n_points;
  int64_t rows;     // what the batch symbol stands for
  const char *hot;  // the cotangent that is 1 at hot_at and 0 elsewhere, all others being 0; NULL: all are ones
  int64_t hot_at;
  EvalTensor *values;  // [n_nodes] at the point
  EvalTensor *slopes;  // [n_nodes] of the sum of all results by each f32 node; data NULL: it does not depend on it
} AtRun;

// ---- grad_point.c ----

// Reads --at and checks it against the graph's inputs: every one has a value of its shape. Sets points and rows. False
// after reporting E0451, or E04xx of a file.
bool grad_points_read(AtRun *run);
Point *grad_point_find(const AtRun *run, const char *name);  // NULL where absent
// The cotangents are inputs of their own: "cotangent", "cotangent.NAME".
bool grad_is_cotangent(const char *name);

// ---- grad_at.c ----

// Every node's value; NULL after reporting.
EvalTensor *grad_evaluate(AtRun *run, Arena *arena, const Graph *g);
// What the user calls a node: an input's, parameter's, assigned or result's name; NULL where it has none.
const char *grad_name_of(const AtRun *run, NodeId id);
int64_t grad_count(const EvalTensor *value);
void grad_add_number(Text *out, double value);
// "[0.22, 0.26]"; more than `most` numbers are summed up: "[100, 4096] from -4.4 to 4.5, mean 0.001".
void grad_add_value(Text *out, const EvalTensor *value, int64_t most);

// ---- grad_draw.c ----

// The graph that leads to the results, with each node's value and, below it, its gradient: as lines of text; as
// Graphviz's text.
void grad_draw_text(const AtRun *run, Text *out);
void grad_draw_dot(const AtRun *run, Text *out);

// ---- grad_jacobian.c ----

// Prints the Jacobian of each result by each input. False after reporting.
bool grad_jacobians(AtRun *run);
