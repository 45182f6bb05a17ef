// Tables for people.
#include "report.h"

#include "memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "optimizer.h"

void report_shape(const Graph *g, const Shape *shape, Text *out) {
  text_add(out, "[");
  for (int d = 0; d < shape->rank; d++) {
    Dim dim = shape->dim[d];
    if (d) text_add(out, ", ");
    if (dim_is_const(dim) || dim.scale != 1) text_printf(out, "%lld", (long long)dim.scale);
    if (!dim_is_const(dim)) text_add(out, g->symbols[dim.symbol - 1]);
  }
  text_add(out, "]");
}

void report_number(int64_t number, Text *out) {
  char digits[24];
  int n = snprintf(digits, sizeof digits, "%lld", (long long)number);
  for (int k = 0; k < n; k++) {
    if (k && digits[k - 1] != '-' && (n - k) % 3 == 0) text_add(out, ",");
    text_add_n(out, &digits[k], 1);
  }
}

static bool takes_images(const Graph *g) {
  for (size_t id = 0; id < g->n_nodes; id++) {
    const Node *node = &g->nodes[id];
    if (node->op != OP_input || memory_is_input(node->name)) continue;
    return node->shape.rank == 4 && !dim_is_const(node->shape.dim[0]);
  }
  return false;
}

void report_rate(double per_second, const Graph *g, Text *out) {
  report_number(per_second < 1e18 ? llround(per_second) : INT64_MAX, out);
  text_add(out, takes_images(g) ? " images/s" : " rows/s");
}

void report_bytes(int64_t bytes, Text *out) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double size = (double)bytes;
  size_t unit = 0;
  while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) size /= 1024, unit++;
  text_printf(out, unit ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

int64_t report_parameters(const TensorTable *params) {
  int64_t sum = 0;
  for (int k = 0; k < params->n_items; k++) sum += params->items[k].count;
  return sum;
}

int64_t report_flops(const Graph *g, int first, int last) {
  int64_t one_row[IR_MAX_SYMBOLS] = {1, 1, 1, 1}, sum = 0;
  for (int id = first; id < last; id++) sum += node_flops(g, id, one_row);
  return sum;
}

// ---- the table of layers --------------------------------------------------------------------------------------------

enum { COLUMNS = 6, LONGEST_CALL = 44 };

// One line of cells. Numbers stand to the right.
typedef struct Line {
  const char *cell[COLUMNS];
} Line;

static const char *number_text(Arena *arena, int64_t number) {
  Text text = text_new(arena);
  report_number(number, &text);
  return text.bytes;
}

static const char *shape_text(Arena *arena, const Graph *g, const Shape *shape) {
  Text text = text_new(arena);
  report_shape(g, shape, &text);
  return text.bytes;
}

static const char *call_text(Arena *arena, const char *text) {
  return strlen(text) <= LONGEST_CALL ? text : arena_printf(arena, "%.*s..", LONGEST_CALL - 2, text);
}

static Line layer_line(Arena *arena, const Graph *g, const LayerInfo *layer) {
  return (Line){{layer->name, call_text(arena, layer->text), shape_text(arena, g, &layer->shape),
                 number_text(arena, layer->parameters),
                 number_text(arena, report_flops(g, layer->first_node, layer->last_node)),
                 arena_printf(arena, "%u", layer->line)}};
}

// Display width: UTF-8 continuation bytes take no room.
static int width(const char *text) {
  int n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

static void add_table(const Line *lines, int n, Text *out) {
  int widest[COLUMNS] = {0};
  for (int k = 0; k < n; k++)
    for (int c = 0; c < COLUMNS; c++)
      if (width(lines[k].cell[c]) > widest[c]) widest[c] = width(lines[k].cell[c]);
  for (int k = 0; k < n; k++) {
    for (int c = 0; c < COLUMNS; c++) {
      int blank = widest[c] - width(lines[k].cell[c]);
      bool right = c >= 3;
      text_printf(out, "%s%*s%s", c ? "  " : "", right ? blank : 0, "", lines[k].cell[c]);
      if (!right) text_printf(out, "%*s", blank, "");
    }
    while (out->bytes[out->length - 1] == ' ') out->bytes[--out->length] = '\0';
    text_add(out, "\n");
  }
}

// "f32[N, 10]"; a scalar is "f32".
static void add_type(const Graph *g, const Node *node, Text *out) {
  text_add(out, dtype_name(node->type));
  if (node->shape.rank) report_shape(g, &node->shape, out);
}

static void add_signature(const Pipeline *p, const Graph *g, Text *out) {
  text_add(out, p->model_name);
  int inputs = 0, results = 0;
  for (size_t id = 0; id < g->n_nodes; id++) {
    const Node *node = &g->nodes[id];
    if (node->op != OP_input || memory_is_input(node->name)) continue;
    text_printf(out, "%s%s: ", inputs++ ? ", " : "(", node->name);
    add_type(g, node, out);
  }
  text_add(out, inputs ? ")" : "()");
  for (size_t k = 0; k < g->n_outputs; k++) {
    if (g->outputs[k].kind != OUT_RESULT) continue;
    text_add(out, results++ ? ", " : " -> ");
    add_type(g, graph_node(g, g->outputs[k].value), out);
  }
  text_printf(out, "   (%s)\n\n", p->path);
}

void report_layers(const Pipeline *p, const Lowered *lowered, Text *out) {
  const Graph *g = lowered->graph;
  Arena *arena = out->arena;
  Line *lines = arena_array(arena, (size_t)lowered->n_layers + 2, sizeof *lines);
  int n = 0;
  lines[n++] = (Line){{"layer", "", "shape", "parameters", "FLOPs", "line"}};
  for (int k = 0; k < lowered->n_layers; k++) lines[n++] = layer_line(arena, g, &lowered->layers[k]);
  lines[n++] = (Line){{"total", "", "", number_text(arena, report_parameters(&lowered->params)),
                       number_text(arena, report_flops(g, 0, (int)g->n_nodes)), ""}};
  add_signature(p, g, out);
  add_table(lines, n, out);
  text_add(out, "\n");
}

enum { MEMORY_PARTS = 7 };
static const char *const memory_parts[MEMORY_PARTS] = {
    "intermediate values", "inputs", "parameters", "gradients", "states", "optimizer", "threads"};

static int64_t input_bytes(const Unit *unit) {
  const Graph *g = unit->graph;
  int64_t bytes = 0;
  for (size_t id = 0; id < g->n_nodes; id++)
    if (g->nodes[id].op == OP_input)
      bytes += shape_count(&g->nodes[id].shape, unit->plan->symbol_values) * dtype_size(g->nodes[id].type);
  return bytes;
}

static int64_t memory_of(const Pipeline *p, const Unit *unit, int64_t *bytes) {
  bool training = unit->mode == MODE_TRAIN;
  int64_t block = unit->lowered->params.block_floats * 4, states = unit->lowered->states.block_floats * 4;
  int64_t slots = training && p->train ? optimizer_slots(p->train->optimizer.kind) * block : 0;
  int64_t local = unit->compiled ? codegen_step(unit->compiled)->local_bytes
                                 : codegen_local_bytes(p->session->arena, p->session->sink, unit->plan, &p->codegen);
  // states: the old ones and the new ones
  const int64_t parts[] = {unit->plan->arena_bytes,
                           input_bytes(unit),
                           block,
                           training ? block : 0,
                           2 * states,
                           slots,
                           local > 0 ? local * p->codegen.threads : 0};
  int64_t sum = 0;
  for (int k = 0; k < MEMORY_PARTS; k++) sum += bytes[k] = parts[k];
  return sum;
}

int64_t report_step_bytes(const Pipeline *p, const Unit *unit) {
  int64_t bytes[MEMORY_PARTS];
  return memory_of(p, unit, bytes);
}

void report_memory(const Pipeline *p, const Unit *unit, Text *out) {
  int64_t bytes[MEMORY_PARTS];
  text_printf(out, "memory     %s with %lld row%s: ", unit->mode == MODE_TRAIN ? "training" : "inference",
              (long long)p->batch, p->batch == 1 ? "" : "s");
  report_bytes(memory_of(p, unit, bytes), out);
  for (int k = 0; k < MEMORY_PARTS; k++) {
    if (bytes[k] == 0 && k > 0) continue;
    text_printf(out, "%s%s ", k ? " + " : " = ", memory_parts[k]);
    report_bytes(bytes[k], out);
  }
  text_add(out, unit->plan->recomputes ? "; values are computed anew in the backward pass to fit\n" : "\n");
}
