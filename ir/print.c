// The graph's text form (README.md has the grammar). On entry the graph verifies.
#include "inside.h"

#include <stdlib.h>

// ---- index expressions --------------------------------------------------------------------------------------------

static void print_term(const IndexDef *def, const IndexTerm *term, bool first, Text *out) {
  int64_t coef = term->coef;
  if (!first)
    text_add(out, coef < 0 ? " - " : " + ");
  else if (coef < 0)
    text_add(out, "-");
  uint64_t size = coef < 0 ? -(uint64_t)coef : (uint64_t)coef;
  if (size != 1) text_printf(out, "%llu*", (unsigned long long)size);
  text_add(out, def->name[term->index]);
}

static void print_expr(const IndexDef *def, const IndexExpr *e, Text *out) {
  bool divided = e->kind != DIV_NONE;
  bool bare = e->n_terms == 1 && e->offset == 0 && e->term[0].coef == 1;
  if (divided && !bare) text_add(out, "(");
  for (int k = 0; k < e->n_terms; k++) print_term(def, &e->term[k], k == 0, out);
  if (e->n_terms == 0)
    text_printf(out, "%lld", (long long)e->offset);
  else if (e->offset)
    text_printf(out, e->offset < 0 ? " - %lld" : " + %lld", llabs(e->offset));
  if (divided && !bare) text_add(out, ")");
  if (divided) text_printf(out, e->kind == DIV_EXACT ? " /! %lld" : " // %lld", (long long)e->divisor);
}

static void print_read(const Node *node, int operand, Text *out) {
  const Read *read = &node->index->reads[operand];
  text_printf(out, "%%%d[", node->in[operand]);
  for (int d = 0; d < read->rank; d++) {
    if (d) text_add(out, ", ");
    print_expr(node->index, &read->at[d], out);
  }
  text_add(out, "]");
}

static void print_indices(const Graph *g, const IndexDef *def, Text *out) {
  text_add(out, "[");
  for (int k = 0; k < def->n_out + def->n_red; k++) {
    if (k == def->n_out)
      text_add(out, k ? " | " : "| ");
    else if (k)
      text_add(out, ", ");
    text_printf(out, "%s:", def->name[k]);
    dim_print(def->extent[k], g->symbols, g->n_symbols, out);
  }
  text_add(out, "]");
}

// ---- bodies -------------------------------------------------------------------------------------------------------
// A body prints as nested calls. Reading it back makes instructions in the order: arguments from left to right, then
// the call. An instruction whose place in the body that would not give back (it is used twice, or not where it was
// made) is bound to a name of its own first: `t0 = ...; `. Deep nests are cut in the same way.

enum { DEEPEST_NEST = 16 };

typedef struct BodyPrint {
  const Node *node;
  int *uses;   // [n_body]
  int *label;  // [n_body] number of the bound name + 1; 0: printed where it is used
  int *stack;  // unbound instructions that wait for their user, in order
  int *depth;  // [n_body] of the nest
  int n_stack;
  bool *ends;  // [n_body] a statement ends here
} BodyPrint;

static int args_of(const Scalar *s) { return s->kind == SCALAR_OP ? op_info(s->op)->arity : 0; }

// Everything that waits becomes a statement.
static void bind_waiting(BodyPrint *p) {
  for (int k = 0; k < p->n_stack; k++) p->ends[p->stack[k]] = true;
  p->n_stack = 0;
}

// Takes s's unbound arguments off the stack where they are its top in the right order; otherwise binds all that waits.
// Returns the depth of the nest below s.
static int take_arguments(BodyPrint *p, const Scalar *s) {
  int unbound = 0, depth = 0;
  for (int a = 0; a < args_of(s); a++) unbound += !p->ends[s->arg[a]];
  int at = p->n_stack - unbound;
  bool fits = at >= 0;
  for (int a = 0; a < args_of(s) && fits; a++)
    if (!p->ends[s->arg[a]]) fits = p->stack[at++] == s->arg[a];
  if (!fits) {
    bind_waiting(p);
    return 0;
  }
  p->n_stack -= unbound;
  for (int a = 0; a < args_of(s); a++)
    if (!p->ends[s->arg[a]] && p->depth[s->arg[a]] > depth) depth = p->depth[s->arg[a]];
  return depth;
}

// Decides which instructions end a statement.
static void cut_statements(BodyPrint *p) {
  const IndexDef *def = p->node->index;
  for (int k = 0; k < def->n_body; k++)
    for (int a = 0; a < args_of(&def->body[k]); a++) p->uses[def->body[k].arg[a]]++;
  for (int k = 0; k < def->n_body; k++) {
    bool last = k == def->n_body - 1;
    p->depth[k] = take_arguments(p, &def->body[k]) + 1;
    if (last || p->uses[k] != 1 || p->depth[k] >= DEEPEST_NEST) {
      bind_waiting(p);
      p->ends[k] = true;
    } else {
      p->stack[p->n_stack++] = k;
    }
  }
}

static void print_number(DType type, double number, Text *out) {
  if (type == DT_F32)
    text_add_float(out, (float)number);
  else if (type == DT_BOOL)
    text_add(out, number != 0 ? "true" : "false");
  else
    text_printf(out, "%.0f", number);
}

static void print_scalar(const BodyPrint *p, int k, bool inside, Text *out) {
  const IndexDef *def = p->node->index;
  const Scalar *s = &def->body[k];
  if (inside && p->ends[k]) return text_printf(out, "t%d", p->label[k]);
  switch (s->kind) {
    case SCALAR_READ:
      return print_read(p->node, s->arg[0], out);
    case SCALAR_INDEX:
      return text_add(out, def->name[s->arg[0]]);
    case SCALAR_CONST:
      return print_number(s->type, s->number, out);
    case SCALAR_OP:
      break;
  }
  text_printf(out, "%s(", op_info(s->op)->name);
  for (int a = 0; a < args_of(s); a++) {
    if (a) text_add(out, ", ");
    print_scalar(p, s->arg[a], true, out);
  }
  text_add(out, ")");
}

static void print_body(const Node *node, Text *out) {
  size_t n = (size_t)node->index->n_body;
  BodyPrint p = {.node = node};
  p.uses = arena_array(out->arena, n, sizeof *p.uses);
  p.label = arena_array(out->arena, n, sizeof *p.label);
  p.stack = arena_array(out->arena, n, sizeof *p.stack);
  p.depth = arena_array(out->arena, n, sizeof *p.depth);
  p.ends = arena_array(out->arena, n, sizeof *p.ends);
  cut_statements(&p);
  int labels = 0, last = (int)n - 1;
  text_add(out, "{ ");
  for (int k = 0; k < last; k++) {
    if (!p.ends[k]) continue;
    p.label[k] = labels++;
    text_printf(out, "t%d = ", p.label[k]);
    print_scalar(&p, k, false, out);
    text_add(out, "; ");
  }
  print_scalar(&p, last, false, out);
  text_add(out, " }");
}

// ---- nodes --------------------------------------------------------------------------------------------------------

static void print_index(const Graph *g, const Node *node, Text *out) {
  const IndexDef *def = node->index;
  text_printf(out, " %s ", combine_name(def->combine));
  print_indices(g, def, out);
  const Order *order = &def->order;
  if (order->chunk || order->lanes != 1 || order->winograd)
    text_printf(out, " order(chunk %lld, lanes %d", (long long)order->chunk, order->lanes);
  if (order->winograd) text_printf(out, ", winograd %d", order->winograd);
  if (order->chunk || order->lanes != 1 || order->winograd) text_add(out, ")");
  text_add(out, " ");
  print_body(node, out);
}

static void print_operands(const Node *node, Text *out) {
  for (int k = 0; k < node->n_in; k++) text_printf(out, "%s %%%d", k ? "," : "", node->in[k]);
}

static void print_attributes(const Graph *g, const Node *node, Text *out) {
  switch (node->op) {
    case OP_input:
    case OP_param:
    case OP_state:
      text_add(out, " ");
      return text_add_quoted(out, node->name);
    case OP_const:
      text_add(out, " ");
      return print_number(node->type, node->number, out);
    case OP_concat:
      return text_printf(out, " axis %d", node->axis);
    case OP_scatter_add:
      text_add(out, " rows ");
      return dim_print(node->rows, g->symbols, g->n_symbols, out);
    case OP_random:
      return text_printf(out, " stream %llu", (unsigned long long)node->stream);
    default:
      return;
  }
}

static bool is_dotted_word(const char *text) {
  for (const char *c = text; *c; c++)
    if (!ascii_word(*c) && *c != '.') return false;
  return *text && !ascii_digit(*text) && *text != '.';
}

static void print_origin(const Node *node, Text *out) {
  if (node->tag) {
    text_add(out, " @");
    if (is_dotted_word(node->tag))
      text_add(out, node->tag);
    else
      text_add_quoted(out, node->tag);
  }
  if (node->path) {
    text_add(out, " ");
    text_add_quoted(out, node->path);
  }
}

void node_print(const Graph *g, NodeId id, Text *out) {
  const Node *node = graph_node(g, id);
  text_printf(out, "%%%d = %s", id, op_info(node->op)->name);
  if (node->op == OP_index)
    print_index(g, node, out);
  else
    print_operands(node, out);
  print_attributes(g, node, out);
  text_add(out, " : ");
  type_print(g, node->type, &node->shape, out);
  print_origin(node, out);
}

static void print_header(const Graph *g, Text *out) {
  text_add(out, "graph ");
  if (is_dotted_word(g->name))
    text_add(out, g->name);
  else
    text_add_quoted(out, g->name);
  text_add(out, " (");
  for (int k = 0; k < g->n_symbols; k++) text_printf(out, "%s%s", k ? ", " : "", g->symbols[k]);
  text_add(out, ") {\n");
}

void graph_print(const Graph *g, Text *out) {
  print_header(g, out);
  for (size_t k = 0; k < g->n_nodes; k++) {
    text_add(out, "  ");
    node_print(g, (NodeId)k, out);
    text_add(out, "\n");
  }
  for (size_t k = 0; k < g->n_outputs; k++) {
    const Output *output = &g->outputs[k];
    text_printf(out, "  return %s ", output_kind_name(output->kind));
    if (output->name) {
      text_add_quoted(out, output->name);
      text_add(out, " ");
    }
    text_printf(out, "= %%%d\n", output->value);
  }
  text_add(out, "}\n");
}
