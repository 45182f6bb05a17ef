// From a sheet of scalars to nodes of the graph: an index node, or pointwise nodes where every tensor is read at the
// result's own place.
#include "formula_inside.h"

#include "checked.h"

// A scalar on its way to be a node.
typedef struct Body {
  const Sheet *sheet;
  NodeId root;
  bool *live;          // [n_nodes] the root needs it
  const Slot **slots;  // [n_nodes] of a live input
  bool *used;          // [n_index] of the formula's indices
} Body;

static const Node *sheet_node(const Body *body, NodeId id) { return graph_node(body->sheet->graph, id); }

static void mark_live(Body *body) {
  body->live[body->root] = true;
  for (NodeId id = body->root; id >= 0; id--)
    for (int k = 0; body->live[id] && k < sheet_node(body, id)->n_in; k++)
      body->live[sheet_node(body, id)->in[k]] = true;
}

static void mark_slot(Body *body, const Slot *slot) {
  body->slots[slot->input] = slot;
  if (slot->index >= 0) body->used[slot->index] = true;
  for (int d = 0; slot->index < 0 && d < slot->element.read.rank; d++) {
    const IndexExpr *at = &slot->element.read.at[d];
    for (int t = 0; t < at->n_terms; t++) body->used[at->term[t].index] = true;
  }
}

static Body body_new(const Sheet *sheet, NodeId root) {
  Arena *arena = sheet->f->e->arena;
  size_t n = sheet->graph->n_nodes;
  Body body = {.sheet = sheet, .root = root};
  body.live = arena_array(arena, n, sizeof *body.live);
  body.slots = arena_array(arena, n, sizeof *body.slots);
  body.used = arena_array(arena, sheet->f->n_index, sizeof *body.used);
  mark_live(&body);
  for (size_t k = 0; k < sheet->n_slots; k++)
    if (body.live[sheet->slots[k].input]) mark_slot(&body, &sheet->slots[k]);
  return body;
}

// ---- pointwise nodes ------------------------------------------------------------------------------------------------

// Is the element's tensor read at the result's place (*whole), or a scalar?
static bool at_own_place(const Formula *f, const Element *element, const Part *out, bool *whole) {
  const Shape *shape = &graph_node(f->e->builder.graph, element->tensor)->shape;
  if (shape->rank == 0) return true;
  if (shape->rank != out->n) return false;
  for (int d = 0; d < out->n; d++) {
    if (!index_is(&element->read.at[d], out->index[d])) return false;
    if (!dim_equal(shape->dim[d], f->index[out->index[d]].extent)) return false;
  }
  return *whole = true;
}

static bool is_pointwise(const Body *body, const Part *out) {
  bool whole = out->n == 0;
  for (NodeId id = 0; id <= body->root; id++) {
    const Slot *slot = body->slots[id];
    if (!slot) continue;
    if (slot->index >= 0 || !at_own_place(body->sheet->f, &slot->element, out, &whole)) return false;
  }
  return whole;
}

static NodeId build_pointwise_nodes(const Body *body) {
  Elab *e = body->sheet->f->e;
  NodeId *map = arena_array(e->arena, (size_t)body->root + 1, sizeof *map);
  for (NodeId id = 0; id <= body->root; id++) {
    const Node *node = sheet_node(body, id);
    NodeId in[3];
    if (!body->live[id]) continue;
    for (int k = 0; k < node->n_in; k++) in[k] = map[node->in[k]];
    if (body->slots[id])
      map[id] = body->slots[id]->element.tensor;
    else if (node->op == OP_const)
      map[id] = build_const(&e->builder, node->type, node->number);
    else
      map[id] = build_pointwise(&e->builder, node->op, node->n_in, in);
  }
  return map[body->root];
}

// ---- index nodes
// ------------------------------------------------------------------------------------------------------

typedef struct Making {
  const Body *body;
  IndexDef def;
  int *place;   // [n_index] of a formula's index in the node, -1 where it is not there
  int *scalar;  // [n_nodes] instruction of a sheet's node
  NodeId *in;   // [n_in] operands
  int n_in;
} Making;

static bool too_much(Formula *f, Span span, const char *what) {
  formula_error(f, DIAG_E0216, span, "%s", what);
  return false;
}

static void place_index(Making *m, int index) {
  const FormulaIndex *from = &m->body->sheet->f->index[index];
  int k = m->def.n_out + m->def.n_red;
  m->def.extent[k] = from->extent;
  m->def.name[k] = from->name->text;
  m->place[index] = k;
}

static bool space_fits(const IndexDef *def) {
  int64_t points = 1;
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (def->extent[k].scale == 0) return true;
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (!checked_mul(points, def->extent[k].scale, &points)) return false;
  return true;
}

// The node's indices: the result's, then the reduced ones. False after reporting.
static bool place_indices(Making *m, const Over *over, const Part *out, Span span) {
  Formula *f = m->body->sheet->f;
  int n_red = over ? over->n : 0;
  if (out->n > IR_MAX_RANK) return too_much(f, span, "this needs a tensor of more than 8 dimensions");
  if (out->n + n_red > IR_MAX_INDICES) return too_much(f, span, "a formula has at most 12 indices");
  for (size_t k = 0; k < f->n_index; k++) m->place[k] = -1;
  for (int k = 0; k < out->n; k++, m->def.n_out++) place_index(m, out->index[k]);
  for (int k = 0; k < n_red; k++, m->def.n_red++) place_index(m, over->index[k]);
  return space_fits(&m->def) || too_much(f, span, "this runs over more than 2**63 points");
}

// The furthest that the subscript gets from 0 must stay far inside 64 bits.
static bool subscript_fits(const IndexDef *def, const IndexExpr *at) {
  int64_t sum = 0, reach;
  for (int t = 0; t < at->n_terms; t++) {
    int64_t coef = at->term[t].coef;
    if (!checked_mul(coef < 0 ? -coef : coef, def->extent[at->term[t].index].scale, &reach)) return false;
    if (!checked_add(sum, reach, &sum) || sum > (int64_t)1 << 59) return false;
  }
  return true;
}

static bool make_read(Making *m, const Element *element, Read *read) {
  *read = element->read;
  for (int d = 0; d < read->rank; d++) {
    const IndexExpr *from = &element->read.at[d];
    IndexExpr *to = &read->at[d];
    to->n_terms = 0;
    for (int t = 0; t < from->n_terms; t++) index_add_term(to, m->place[from->term[t].index], from->term[t].coef);
    if (!subscript_fits(&m->def, to)) return false;
  }
  return true;
}

static bool make_scalar(Making *m, NodeId id, Scalar *scalar) {
  const Node *node = sheet_node(m->body, id);
  const Slot *slot = m->body->slots[id];
  *scalar = (Scalar){.type = node->type};
  if (slot && slot->index >= 0) {
    scalar->kind = SCALAR_INDEX;
    scalar->arg[0] = m->place[slot->index];
  } else if (slot) {
    scalar->kind = SCALAR_READ;
    scalar->arg[0] = m->n_in;
    m->in[m->n_in] = slot->element.tensor;
    return make_read(m, &slot->element, &m->def.reads[m->n_in++]);
  } else if (node->op == OP_const) {
    scalar->kind = SCALAR_CONST;
    scalar->number = node->number;
  } else {
    scalar->kind = SCALAR_OP;
    scalar->op = node->op;
    for (int k = 0; k < node->n_in; k++) scalar->arg[k] = m->scalar[node->in[k]];
  }
  return true;
}

static bool make_body(Making *m, Span span) {
  for (NodeId id = 0; id <= m->body->root; id++) {
    if (!m->body->live[id]) continue;
    m->scalar[id] = m->def.n_body;
    if (!make_scalar(m, id, &m->def.body[m->def.n_body++]))
      return too_much(m->body->sheet->f, span, "a subscript in this reaches further than 2**59");
  }
  return true;
}

static NodeId build_node(const Body *body, const Over *over, const Part *out, Span span) {
  const Sheet *sheet = body->sheet;
  Elab *e = sheet->f->e;
  size_t n = sheet->graph->n_nodes;
  Making m = {.body = body, .def = {.combine = over ? over->combine : COMBINE_MAP, .order = {.lanes = 1}}};
  m.place = arena_array(e->arena, sheet->f->n_index, sizeof *m.place);
  m.scalar = arena_array(e->arena, n, sizeof *m.scalar);
  m.in = arena_array(e->arena, sheet->n_slots, sizeof *m.in);
  m.def.reads = arena_array(e->arena, sheet->n_slots, sizeof *m.def.reads);
  m.def.body = arena_array(e->arena, n, sizeof *m.def.body);
  if (!place_indices(&m, over, out, span) || !make_body(&m, span)) return NODE_NONE;
  return build_index(&e->builder, &m.def, m.in, m.n_in);
}

// ---- the way in
// -------------------------------------------------------------------------------------------------------

static bool is_reduced(const Over *over, int index) {
  for (int k = 0; over && k < over->n; k++)
    if (over->index[k] == index) return true;
  return false;
}

// The indices that the body uses and does not reduce; false where they are too many.
static bool free_indices(const Body *body, const Over *over, Part *out) {
  for (size_t k = 0; k < body->sheet->f->n_index; k++) {
    if (!body->used[k] || is_reduced(over, (int)k)) continue;
    if (out->n == IR_MAX_RANK) return false;
    out->index[out->n++] = (int)k;
  }
  return true;
}

Part formula_lower(const Sheet *sheet, NodeId root, const Over *over, const Part *out, Span span) {
  const Body body = body_new(sheet, root);
  Part part = {.node = NODE_NONE};
  if (out) {
    part = *out;
  } else if (!free_indices(&body, over, &part)) {
    too_much(sheet->f, span, "this needs a tensor of more than 8 dimensions");
    return part;
  }
  bool pointwise = !over && is_pointwise(&body, &part);
  part.node = pointwise ? build_pointwise_nodes(&body) : build_node(&body, over, &part, span);
  return part;
}
