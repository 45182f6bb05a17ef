// `memory seen: f32[M, D] = cifar.train.image`: a data set's field bound into the model. In the graph it is an input
// named MEMORY_PREFIX "cifar.train.image", which the driver fills once; its rows are a symbol of the split's own, so
// that a step is compiled once for any number of them.
#include <string.h>

#include "blocks.h"
#include "elab_inside.h"

static const SplitSpec *find_split(const DataBlock *block, const char *name) {
  for (int k = 0; k < block->spec.n_splits; k++)
    if (!strcmp(block->spec.splits[k].name, name)) return &block->spec.splits[k];
  return NULL;
}

static bool has_field(const SplitSpec *split, const char *name) {
  for (int k = 0; k < split->n_fields; k++)
    if (!strcmp(split->fields[k].name, name)) return true;
  return false;
}

static const DataBlock *find_data(Elab *e, const char *name) {
  const Program *p = e->program;
  for (size_t k = 0; p && k < p->n_data; k++)
    if (!strcmp(p->data[k]->decl->name->text, name)) return p->data[k];
  return NULL;
}

static const char *nearest_data(Elab *e, const char *word) {
  const Program *p = e->program;
  const char **names = arena_array(e->arena, p ? p->n_data : 0, sizeof *names);
  for (size_t k = 0; p && k < p->n_data; k++) names[k] = p->data[k]->decl->name->text;
  return elab_suggestion(e, word, names, p ? p->n_data : 0);
}

// Is it data.split.field, and is there such a field? False after reporting (a broken data block was reported before).
static bool check_source(Elab *e, const Expr *value) {
  const Name *data = value->kind == EXPR_PATH ? value->path : NULL;
  const Name *split = data ? data->next : NULL, *field = split ? split->next : NULL;
  if (!field || field->next) {
    if (value->kind == EXPR_ERROR) return false;
    Diag *diag = elab_error(e, DIAG_E0105, value->span, "memory holds a field of a data set");
    diag_line(e->sink, diag, DIAG_HELP, "memory seen: f32[M, 4] = data.train.image");
    return false;
  }
  const DataBlock *block = find_data(e, data->text);
  if (!block) {
    elab_error(e, DIAG_E0151, data->span, "there is no data set '%s'%s", data->text, nearest_data(e, data->text));
    return false;
  }
  if (block->broken) return false;
  const SplitSpec *at = find_split(block, split->text);
  if (!at)
    elab_error(e, DIAG_E0152, split->span, "data set '%s' has no split '%s'", data->text, split->text);
  else if (!has_field(at, field->text))
    elab_error(e, DIAG_E0152, field->span, "split '%s' of data '%s' has no field '%s'", split->text, data->text,
               field->text);
  return at && has_field(at, field->text);
}

// ---- the number of rows ---------------------------------------------------------------------------------------------

// A symbol of the split's own, named as the program names it, if it can be.
static bool split_symbol(Elab *e, const Name *data, const char *wanted, Span span, Dim *rows) {
  Graph *g = e->builder.graph;
  const char *key = arena_printf(e->arena, "%s.%s", data->text, data->next->text);
  if (g->n_symbols == 0) elab_batch(e, "N");  // the first symbol is the batch
  for (int k = 1; k < g->n_symbols; k++)
    if (!strcmp(e->memory_keys[k], key)) return *rows = (Dim){1, k + 1}, true;
  if (g->n_symbols == IR_MAX_SYMBOLS) {
    elab_error(e, DIAG_E0206, span, "a model holds fields of at most %d splits as memory", IR_MAX_SYMBOLS - 1);
    return false;
  }
  const char *name = wanted;
  for (int n = 2;; n++) {
    bool taken = false;
    for (int k = 0; k < g->n_symbols; k++) taken |= !strcmp(g->symbols[k], name);
    if (!taken) break;
    name = arena_printf(e->arena, "%s_%d", wanted, n);
  }
  *rows = (Dim){1, graph_symbol(g, name)};
  e->memory_keys[g->n_symbols - 1] = key;
  return true;
}

static const Name *free_name(Elab *e, Scope *scope, const Expr *v) {
  bool is_name = v && v->kind == EXPR_PATH && !v->path->next;
  return is_name && !scope_find(scope, v->path->text) && !elab_global(e, v->path->text) ? v->path : NULL;
}

static bool memory_shape(Elab *e, Scope *scope, const Stmt *stmt, Shape *shape) {
  for (const TypeDim *d = stmt->type->dims; d; d = d->next) {
    if (shape->rank == IR_MAX_RANK) {
      elab_error(e, DIAG_E0207, stmt->type->span, "a tensor has at most %d dimensions", IR_MAX_RANK);
      return false;
    }
    Dim *dim = &shape->dim[shape->rank++];
    const Name *name = shape->rank == 1 ? free_name(e, scope, d->value) : NULL;
    if (name) {
      if (!split_symbol(e, stmt->value->path, name->text, d->span, dim)) return false;
      scope_define(scope, name->text, name->span, value_dim(*dim))->used = true;
    } else if (d->kind == TYPE_DIM_REST) {
      elab_error(e, DIAG_E0206, d->span, "the size of this dimension must be known");
      return false;
    } else if (!elab_dim(e, scope, d->value, dim)) {
      return false;
    }
    if (shape->rank > 1 && dim_is_const(*dim)) continue;
    Dim rows;
    if (shape->rank == 1 && !split_symbol(e, stmt->value->path, "M", d->span, &rows)) return false;
    if (shape->rank == 1 && dim_equal(*dim, rows)) continue;
    elab_error(e, DIAG_E0206, d->span,
               shape->rank == 1 ? "the first dimension of memory is open: a name, for the rows of the split"
                                : "the size of this dimension must be known");
    return false;
  }
  return true;
}

// ---- the statement --------------------------------------------------------------------------------------------------

static bool memory_type(Elab *e, const Stmt *stmt, DType *type) {
  if (!elab_element_type(stmt->type, type)) return false;
  if (stmt->type->has_dims && stmt->type->dims && (*type == DT_F32 || *type == DT_I32)) return true;
  elab_error(e, DIAG_E0301, stmt->type->span,
             "memory is f32 or i32, with the rows of its split as the first dimension");
  return false;
}

static NodeId memory_input(Elab *e, const char *name, DType type, const Shape *shape, Span span) {
  NodeId found = graph_find_source(e->builder.graph, OP_input, name);
  Builder at_top = {.graph = e->builder.graph, .origin = {.span = span}};
  if (found == NODE_NONE) return build_input(&at_top, name, type, shape);
  const Node *node = graph_node(e->builder.graph, found);
  if (node->type == type && shape_equal(&node->shape, shape)) return found;
  elab_error(e, DIAG_E0230, span, "'%s' is held here as %s and before as %s", name + strlen(MEMORY_PREFIX),
             elab_type_text(e, type, shape), elab_type_text(e, node->type, &node->shape));
  return NODE_NONE;
}

void run_memory(Elab *e, Scope *scope, const Stmt *stmt) {
  const Name *name = stmt->names;
  Shape shape = {0};
  DType type;
  NodeId node = NODE_NONE;
  bool ok = check_source(e, stmt->value);
  ok = memory_type(e, stmt, &type) && ok;
  if (ok && memory_shape(e, scope, stmt, &shape) && elab_fits(e, &shape, stmt->type->span)) {
    const Name *at = stmt->value->path;
    const char *input =
        arena_printf(e->arena, MEMORY_PREFIX "%s.%s.%s", at->text, at->next->text, at->next->next->text);
    node = memory_input(e, input, type, &shape, stmt->span);
  }
  Value v = node == NODE_NONE ? value_poison() : elab_tensor(e, node, NULL);
  if (node != NODE_NONE) {
    History *history = elab_history(e, name->text, name->span, &shape, NULL);
    history->is_input = true;
    v.history = history;
  }
  scope_define(scope, name->text, name->span, v);
}
