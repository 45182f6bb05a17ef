// Reading a split's fields whole, through the same binding and conversion as batches.
#include "memory.h"

#include <string.h>

#include "data_bind.h"
#include "runner.h"

bool memory_is_input(const char *name) { return strncmp(name, MEMORY_PREFIX, strlen(MEMORY_PREFIX)) == 0; }

const MemoryField *memory_find(const Memory *memory, const char *name) {
  for (int k = 0; memory && k < memory->n_items; k++)
    if (strcmp(memory->items[k].name, name) == 0) return &memory->items[k];
  return NULL;
}

// "memory cifar.train.image" taken apart.
typedef struct Parts {
  const char *data, *split, *field;
} Parts;

static Parts parts_of(Arena *arena, const char *name) {
  char *save, *copy = arena_strdup(arena, name + strlen(MEMORY_PREFIX));
  const char *data = strtok_r(copy, ".", &save), *split = strtok_r(NULL, ".", &save);
  return (Parts){data, split, strtok_r(NULL, ".", &save)};
}

// The input as data_bind wants it: named after the field, its rows as the batch.
static DlcTensor tensor_of(const Node *node, const char *field) {
  DlcTensor t = {.name = field, .type = node->type, .rank = node->shape.rank};
  for (int d = 0; d < t.rank; d++) t.scale[d] = node->shape.dim[d].scale;
  t.symbol[0] = 1;
  return t;
}

// Copies every row of the split in its order. False after reporting.
static bool read_rows(Pipeline *p, Arena *arena, const BoundSplit *split, MemoryField *field) {
  Loader *loader = loader_new(arena, split->fields, 1, &split->rows, p->batch, false, 0, 0, 0);
  if (!loader) {
    diag_error(p->session->sink, DIAG_E0602, SPAN_NONE, "a thread for the data cannot be had");
    return false;
  }
  field->rows = split->rows.count;
  field->data = arena_alloc(arena, (size_t)(field->rows * field->row_bytes));
  for (int64_t done = 0; done < field->rows;) {
    const Batch *batch = loader_next(loader);
    memcpy(field->data + done * field->row_bytes, batch->fields[0], (size_t)(batch->count * field->row_bytes));
    done += batch->count;
  }
  loader_free(loader);
  return true;
}

// Into the arena: the rows of the field's split, or those at some places of it.
static bool read_field(Pipeline *p, Arena *arena, DataStore *store, const Node *node, const RowSet *places,
                       MemoryField *field) {
  Parts parts = parts_of(arena, node->name);
  DlcTensor input = tensor_of(node, parts.field);
  DlcStep step = {.inputs = &input, .n_inputs = 1};
  *field = (MemoryField){.name = node->name, .symbol = node->shape.dim[0].symbol - 1};
  field->row_bytes = runner_elements(&input, 1) * dtype_size(node->type);
  BoundSplit *split = data_bind(p, store, program_data_named(p->program, parts.data), parts.split, &step);
  if (split && places) split->rows = rows_narrowed(arena, &split->rows, places);
  bool done = split && read_rows(p, arena, split, field);
  data_release(split);
  return done;
}

static bool add_field(Pipeline *p, const Node *node, Memory *memory) {
  MemoryField *field = &memory->items[memory->n_items++];
  const MemoryField *known = memory_find(p->memory, node->name);
  if (known) {
    *field = *known;
    field->symbol = node->shape.dim[0].symbol - 1;
    return true;
  }
  Arena *arena = p->session->arena;
  return read_field(p, arena, data_store_new(arena, p->session->io), node, NULL, field);
}

static bool bind_inputs(Pipeline *p, Unit *unit) {
  const Graph *g = unit->lowered->graph;
  Memory *memory = NULL;
  for (size_t n = 0; n < g->n_nodes; n++) {
    if (g->nodes[n].op != OP_input || !memory_is_input(g->nodes[n].name)) continue;
    if (!memory) {
      memory = arena_alloc(p->session->arena, sizeof *memory);
      *memory = (Memory){.items = arena_array(p->session->arena, g->n_nodes, sizeof *memory->items)};
    }
    if (!add_field(p, &g->nodes[n], memory)) return false;
  }
  unit->memory = memory;
  if (memory) p->memory = memory;
  return true;
}

// Reading a field asks for the model's labels, which lowers the model again: without its memory then.
bool memory_bind(Pipeline *p, Unit *unit) {
  p->opens_data = false;
  bool done = bind_inputs(p, unit);
  p->opens_data = true;
  return done;
}

Memory *memory_select(Arena *arena, const Memory *memory, const char *data, const char *split, const int64_t *rows,
                      int64_t count) {
  if (!memory) return NULL;
  Memory *part = arena_alloc(arena, sizeof *part);
  *part =
      (Memory){.items = arena_array(arena, (size_t)memory->n_items, sizeof *part->items), .n_items = memory->n_items};
  for (int k = 0; k < memory->n_items; k++) {
    MemoryField *to = &part->items[k];
    const MemoryField *from = &memory->items[k];
    *to = *from;
    Parts parts = parts_of(arena, from->name);
    if (strcmp(parts.data, data) != 0 || strcmp(parts.split, split) != 0) continue;
    to->rows = count;
    to->data = arena_alloc(arena, (size_t)(count * from->row_bytes));
    for (int64_t row = 0; row < count; row++)
      memcpy(to->data + row * from->row_bytes, from->data + rows[row] * from->row_bytes, (size_t)from->row_bytes);
  }
  return part;
}

static const Node *input_named(const Graph *g, const char *name) {
  for (size_t n = 0; n < g->n_nodes; n++)
    if (g->nodes[n].op == OP_input && strcmp(g->nodes[n].name, name) == 0) return &g->nodes[n];
  dlc_bug("memory without an input");
}

Memory *memory_read_again(Pipeline *p, Arena *arena, DataStore *store, const Unit *unit, const char *data,
                          const RowSet *places) {
  const Memory *memory = unit->memory;
  Memory *part = arena_alloc(arena, sizeof *part);
  *part =
      (Memory){.items = arena_array(arena, (size_t)memory->n_items, sizeof *part->items), .n_items = memory->n_items};
  bool opens_data = p->opens_data, done = true;
  p->opens_data = false;  // as in memory_bind
  for (int k = 0; done && k < memory->n_items; k++) {
    Parts parts = parts_of(arena, memory->items[k].name);
    part->items[k] = memory->items[k];
    if (strcmp(parts.data, data) != 0) continue;
    const Node *node = input_named(unit->lowered->graph, memory->items[k].name);
    done = read_field(p, arena, store, node, strcmp(parts.split, "train") == 0 ? places : NULL, &part->items[k]);
  }
  p->opens_data = opens_data;
  return done ? part : NULL;
}
