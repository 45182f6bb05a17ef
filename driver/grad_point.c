// The point of dlc grad --at: x=-2,y=[1,2],W=[[1,0],[0,1]],v=v.npy,u=normal.
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "grad_inside.h"
#include "random.h"

typedef struct Reader {
  Session *session;
  const char *at;
  size_t capacity;
} Reader;

static bool point_error(Session *s, const char *text) {
  Diag *diag = diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at cannot be read from '%s' on", text);
  diag_line(s->sink, diag, DIAG_HELP, "a point is written x=-2,y=[1,2],W=[[1,0],[0,1]],v=v.npy,u=normal");
  return false;
}

// A number, or a list of equally long items in brackets; `depth` is the dimension that the list is.
static bool read_value(Reader *r, Point *point, int depth) {
  if (*r->at != '[') {
    char *end;
    double number = strtod(r->at, &end);
    if (end == r->at || depth != point->rank) return point_error(r->session, r->at);
    point->data = arena_grow(r->session->arena, point->data, (size_t)point->count, &r->capacity, sizeof *point->data);
    point->data[point->count++] = number;
    r->at = end;
    return true;
  }
  bool first_list = depth >= point->rank;
  if (depth >= IR_MAX_RANK || (first_list && point->count > 0)) return point_error(r->session, r->at);
  if (first_list) point->rank = depth + 1;
  int64_t items = 0;
  do {
    r->at++;
    if (!read_value(r, point, depth + 1)) return false;
    items++;
  } while (*r->at == ',');
  if (*r->at != ']' || (point->dim[depth] && point->dim[depth] != items)) return point_error(r->session, r->at);
  point->dim[depth] = items;
  r->at++;
  return true;
}

static double element(const NpyArray *array, int64_t k) {
  if (array->type == DATA_F32) return (double)((const float *)array->data)[k];
  return array->type == DATA_I32 ? (double)((const int32_t *)array->data)[k] : ((const uint8_t *)array->data)[k];
}

static bool read_file(Reader *r, Point *point, const char *path) {
  Session *s = r->session;
  NpyArray array;
  if (!npy_read(s->arena, s->sink, s->io, path, &array)) return false;
  point->rank = array.rank;
  memcpy(point->dim, array.dim, sizeof point->dim);
  point->count = array.count;
  point->data = arena_array(s->arena, (size_t)array.count, sizeof *point->data);
  for (int64_t k = 0; k < array.count; k++) point->data[k] = element(&array, k);
  return true;
}

// What is no number and no list: the word `normal`, or a file.
static bool read_word(Reader *r, Point *point) {
  size_t length = strcspn(r->at, ",");
  const char *word = arena_strndup(r->session->arena, r->at, length);
  bool is_file = length > 4 && strcmp(word + length - 4, ".npy") == 0;
  point->normal = strcmp(word, "normal") == 0;
  if (!point->normal && !is_file) return read_value(r, point, 0);
  r->at += length;
  return point->normal || read_file(r, point, word);
}

static bool read_points(AtRun *run) {
  Session *s = run->p->session;
  Reader r = {.session = s, .at = s->options.at};
  size_t capacity = 0;
  while (*r.at) {
    size_t length = strcspn(r.at, "=,");
    if (r.at[length] != '=' || length == 0) return point_error(s, r.at);
    Point point = {.name = arena_strndup(s->arena, r.at, length)};
    r.at += length + 1;
    r.capacity = 0;
    if (!read_word(&r, &point)) return false;
    run->points = arena_grow(s->arena, run->points, (size_t)run->n_points, &capacity, sizeof *run->points);
    run->points[run->n_points++] = point;
    if (*r.at && *r.at++ != ',') return point_error(s, r.at - 1);
  }
  return true;
}

Point *grad_point_find(const AtRun *run, const char *name) {
  for (int k = 0; k < run->n_points; k++)
    if (!strcmp(run->points[k].name, name)) return &run->points[k];
  return NULL;
}

bool grad_is_cotangent(const char *name) { return !strncmp(name, "cotangent", 9) && (!name[9] || name[9] == '.'); }

// ---- against the model ----------------------------------------------------------------------------------------------

// The batch is that of the first value given for an input that has one; --batch where all are drawn.
static int64_t find_rows(const AtRun *run) {
  const Graph *g = run->lowered->graph;
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    const Point *point = node->op == OP_input ? grad_point_find(run, node->name) : NULL;
    if (!point || point->normal || point->rank != node->shape.rank) continue;
    for (int d = 0; d < point->rank; d++) {
      Dim dim = node->shape.dim[d];
      if (!dim_is_const(dim) && point->dim[d] >= dim.scale) return point->dim[d] / dim.scale;
    }
  }
  int64_t given = run->p->session->options.batch;
  return given ? given : 1;
}

static void draw(const AtRun *run, const Node *node, const int64_t *symbols, Point *point) {
  point->rank = node->shape.rank;
  point->count = shape_count(&node->shape, symbols);
  for (int d = 0; d < point->rank; d++) point->dim[d] = dim_value(node->shape.dim[d], symbols);
  point->data = arena_array(run->p->session->arena, (size_t)point->count, sizeof *point->data);
  uint64_t stream = random_stream(node->name);
  for (int64_t k = 0; k < point->count; k++) point->data[k] = random_normal(run->p->seed, stream, (uint64_t)k);
}

static bool check_point(const AtRun *run, const Node *node, Point *point) {
  Session *s = run->p->session;
  const int64_t symbols[IR_MAX_SYMBOLS] = {run->rows, run->rows, run->rows, run->rows};
  if (point->normal && node->type == DT_F32) draw(run, node, symbols, point);
  bool fits = point->rank == node->shape.rank && point->data;
  for (int d = 0; fits && d < point->rank; d++) fits = point->dim[d] == dim_value(node->shape.dim[d], symbols);
  if (fits) return true;
  Text shape = text_new(s->arena);
  shape_print(&node->shape, run->lowered->graph->symbols, &shape);
  diag_error(s->sink, DIAG_E0451, SPAN_NONE,
             point->normal ? "'%s' is i32%s: normal values are for f32 inputs"
                           : "the value of '%s' does not have the shape %s",
             node->name, shape.bytes);
  return false;
}

bool grad_points_read(AtRun *run) {
  if (!read_points(run)) return false;
  Session *s = run->p->session;
  const Graph *g = run->lowered->graph;
  int used = 0;
  run->rows = find_rows(run);
  for (size_t k = 0; k < g->n_nodes; k++) {
    const Node *node = &g->nodes[k];
    if (node->op != OP_input || grad_is_cotangent(node->name)) continue;
    Point *point = grad_point_find(run, node->name);
    if (!point)
      return diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at gives no value for input '%s'", node->name), false;
    if (!check_point(run, node, point)) return false;
    used++;
  }
  if (used == run->n_points) return true;
  diag_error(s->sink, DIAG_E0451, SPAN_NONE, "--at names something that is no input of the model, or one twice");
  return false;
}
