// The text form read back: one function per rule of the grammar (README.md). The first mistake ends the reading; each
// node is verified as soon as it is read, so that a breach has its place.
#include "parse.h"

#include <math.h>
#include <string.h>

#include "inside.h"

// ---- parts --------------------------------------------------------------------------------------------------------

bool parse_value(Parser *p, NodeId *id) {
  if (p->r.token.kind != TOKEN_VALUE) return reader_expected(&p->r, "a value such as %0");
  uint64_t number = p->r.token.integer;
  size_t low = 0, high = p->n_numbers;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if ((uint64_t)p->numbers[middle] < number)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == p->n_numbers || (uint64_t)p->numbers[low] != number)
    return reader_fail(&p->r, DIAG_E0503, reader_span(&p->r), "%%%llu is not defined before its use",
                       (unsigned long long)number);
  *id = (NodeId)low;
  reader_next(&p->r);
  return true;
}

static bool parse_symbol(Parser *p, int32_t *symbol) {
  Span span = reader_span(&p->r);
  const char *name;
  if (!expect_name(&p->r, &name, "a dimension: a number or a symbol")) return false;
  for (int k = 0; k < p->graph->n_symbols; k++)
    if (!strcmp(p->graph->symbols[k], name)) {
      *symbol = k + 1;
      return true;
    }
  return reader_fail(&p->r, DIAG_E0503, span, "no symbol '%s' behind the graph's name", name);
}

bool parse_dim(Parser *p, Dim *d) {
  *d = dim_const(1);
  if (p->r.token.kind != TOKEN_INTEGER) return parse_symbol(p, &d->symbol);
  if (!expect_integer(&p->r, &d->scale, "a number")) return false;
  return !accept_punct(&p->r, '*') || parse_symbol(p, &d->symbol);
}

static bool parse_type(Parser *p, DType *type, Shape *shape) {
  Span span = reader_span(&p->r);
  const char *name;
  if (!expect_name(&p->r, &name, "a type such as f32[2,3]")) return false;
  if (!dtype_by_name(name, type)) return reader_fail(&p->r, DIAG_E0503, span, "no type '%s': f32, i32, bool, u8", name);
  if (!expect_punct(&p->r, '[')) return false;
  *shape = (Shape){0};
  while (!accept_punct(&p->r, ']')) {
    if (shape->rank && !expect_punct(&p->r, ',')) return false;
    if (shape->rank == IR_MAX_RANK)
      return reader_fail(&p->r, DIAG_E0504, reader_span(&p->r), "more than %d dimensions", IR_MAX_RANK);
    if (!parse_dim(p, &shape->dim[shape->rank++])) return false;
  }
  return true;
}

static bool word_number(Parser *p, bool minus, DType *type, double *number) {
  if (at_word(&p->r, "nan") || at_word(&p->r, "inf"))
    *type = DT_F32, *number = at_word(&p->r, "nan") ? NAN : INFINITY;
  else if (!minus && (at_word(&p->r, "true") || at_word(&p->r, "false")))
    *type = DT_BOOL, *number = at_word(&p->r, "true");
  else
    return reader_expected(&p->r, "a number");
  reader_next(&p->r);
  return true;
}

bool parse_number(Parser *p, DType *type, double *number) {
  bool minus = accept_punct(&p->r, '-');
  if (p->r.token.kind == TOKEN_INTEGER) {
    int64_t whole;
    if (!expect_integer(&p->r, &whole, "a number")) return false;
    *type = DT_I32;
    *number = (double)whole;
  } else if (p->r.token.kind == TOKEN_REAL) {
    *type = DT_F32;
    *number = (double)p->r.token.real;
    reader_next(&p->r);
  } else if (!word_number(p, minus, type, number)) {
    return false;
  }
  if (minus) *number = -*number;
  return true;
}

// ---- nodes --------------------------------------------------------------------------------------------------------

static bool parse_op(Parser *p, Op *op) {
  Span span = reader_span(&p->r);
  const char *name;
  if (!expect_name(&p->r, &name, "an op")) return false;
  if (op_by_name(name, op)) return true;
  const char *near = text_nearest(name, op_names(), OP_COUNT);
  return reader_fail(&p->r, DIAG_E0503, span, near ? "no op '%s'; did you mean '%s'?" : "no op '%s'", name, near);
}

static bool parse_operands(Parser *p, Node *node) {
  size_t capacity = 0;
  while (node->n_in || p->r.token.kind == TOKEN_VALUE) {
    if (node->n_in && !accept_punct(&p->r, ',')) break;
    node->in = arena_grow(p->r.arena, node->in, (size_t)node->n_in, &capacity, sizeof *node->in);
    if (!parse_value(p, &node->in[node->n_in++])) return false;
  }
  return true;
}

static bool parse_axis(Parser *p, int *axis) {
  int64_t value;
  if (!expect_word(&p->r, "axis") || !expect_integer(&p->r, &value, "an axis")) return false;
  *axis = value < IR_MAX_RANK ? (int)value : IR_MAX_RANK;  // the verifier refuses it
  return true;
}

static bool parse_stream(Parser *p, uint64_t *stream) {
  if (!expect_word(&p->r, "stream")) return false;
  if (p->r.token.kind != TOKEN_INTEGER) return reader_expected(&p->r, "a stream's number");
  *stream = p->r.token.integer;
  reader_next(&p->r);
  return true;
}

static bool parse_attributes(Parser *p, Node *node, DType *literal) {
  switch (node->op) {
    case OP_input:
    case OP_param:
    case OP_state:
      return expect_text(&p->r, &node->name, "a name in quotes");
    case OP_const:
      return parse_number(p, literal, &node->number);
    case OP_concat:
      return parse_axis(p, &node->axis);
    case OP_scatter_add:
      return expect_word(&p->r, "rows") && parse_dim(p, &node->rows);
    case OP_random:
      return parse_stream(p, &node->stream);
    default:
      return true;
  }
}

static bool parse_origin(Parser *p, Node *node) {
  if (accept_punct(&p->r, '@')) {
    bool quoted = p->r.token.kind == TOKEN_STRING;
    if (quoted ? !expect_text(&p->r, &node->tag, "a tag") : !expect_name(&p->r, &node->tag, "a tag")) return false;
  }
  return p->r.token.kind != TOKEN_STRING || expect_text(&p->r, &node->path, "a path");
}

// The number behind '%' at a definition: above all before it.
static bool parse_new_number(Parser *p) {
  if (p->r.token.kind != TOKEN_VALUE) return reader_expected(&p->r, "a node or a return");
  uint64_t number = p->r.token.integer;
  if (number > INT64_MAX || (p->n_numbers && (int64_t)number <= p->numbers[p->n_numbers - 1]))
    return reader_fail(&p->r, DIAG_E0503, reader_span(&p->r),
                       "values are numbered upwards; %%%llu is not above the last", (unsigned long long)number);
  p->numbers = arena_grow(p->r.arena, p->numbers, p->n_numbers, &p->numbers_capacity, sizeof *p->numbers);
  p->numbers[p->n_numbers] = (int64_t)number;  // counted once the node is there
  reader_next(&p->r);
  return true;
}

static bool add_node(Parser *p, const Node *node) {
  NodeId id = graph_append(p->graph, node);
  p->n_numbers++;
  Text why = text_new(p->r.arena);
  return node_verify(p->graph, id, &why) || reader_fail(&p->r, DIAG_E0505, node->span, "%s", why.bytes);
}

static bool parse_node(Parser *p) {
  Node node = {.span = reader_span(&p->r)};
  if (!parse_new_number(p) || !expect_punct(&p->r, '=') || !parse_op(p, &node.op)) return false;
  DType literal = DT_F32;
  bool read =
      node.op == OP_index ? parse_index(p, &node) : parse_operands(p, &node) && parse_attributes(p, &node, &literal);
  if (!read || !expect_punct(&p->r, ':') || !parse_type(p, &node.type, &node.shape) || !parse_origin(p, &node))
    return false;
  node.span.end = p->r.last_end;
  if (node.op == OP_const && literal != node.type)
    return reader_fail(&p->r, DIAG_E0505, node.span, "a constant written as %s is said to be %s", dtype_name(literal),
                       dtype_name(node.type));
  return add_node(p, &node);
}

// ---- graph --------------------------------------------------------------------------------------------------------

static bool parse_kind(Parser *p, OutputKind *kind) {
  for (int k = 0; k < OUT_KIND_COUNT; k++)
    if (accept_word(&p->r, output_kind_name((OutputKind)k))) {
      *kind = (OutputKind)k;
      return true;
    }
  return reader_expected(&p->r, "result, loss, metric, state or grad");
}

static bool parse_return(Parser *p) {
  Span span = reader_span(&p->r);
  OutputKind kind = OUT_RESULT;
  const char *name = NULL;
  NodeId value;
  if (!expect_word(&p->r, "return") || !parse_kind(p, &kind)) return false;
  if (p->r.token.kind == TOKEN_STRING) expect_text(&p->r, &name, "a name");
  if (!expect_punct(&p->r, '=') || !parse_value(p, &value)) return false;
  span.end = p->r.last_end;
  graph_output(p->graph, kind, name, value);
  Text why = text_new(p->r.arena);
  return output_verify(p->graph, &p->sources, p->graph->n_outputs - 1, &why) ||
         reader_fail(&p->r, DIAG_E0505, span, "%s", why.bytes);
}

static bool parse_symbols(Parser *p) {
  if (!expect_punct(&p->r, '(')) return false;
  Graph *g = p->graph;
  while (!accept_punct(&p->r, ')')) {
    if (g->n_symbols && !expect_punct(&p->r, ',')) return false;
    if (g->n_symbols == IR_MAX_SYMBOLS)
      return reader_fail(&p->r, DIAG_E0504, reader_span(&p->r), "more than %d symbols", IR_MAX_SYMBOLS);
    if (!expect_name(&p->r, &g->symbols[g->n_symbols], "a symbol")) return false;
    g->n_symbols++;
  }
  return true;
}

static bool parse_statements(Parser *p) {
  while (p->r.token.kind == TOKEN_VALUE)
    if (!parse_node(p)) return false;
  p->sources = graph_sources(p->graph);
  while (at_word(&p->r, "return"))
    if (!parse_return(p)) return false;
  if (!accept_punct(&p->r, '}'))
    return reader_expected(&p->r, p->graph->n_outputs ? "a return or '}'" : "a node, a return or '}'");
  return p->r.token.kind == TOKEN_END || reader_expected(&p->r, "nothing behind the graph");
}

Graph *graph_parse(Arena *arena, DiagSink *sink, uint32_t file) {
  Parser p = {.r = reader_new(arena, sink, file), .graph = graph_new(arena, NULL)};
  if (!expect_word(&p.r, "graph")) return NULL;
  Span span = reader_span(&p.r);
  bool quoted = p.r.token.kind == TOKEN_STRING;
  bool named =
      quoted ? expect_text(&p.r, &p.graph->name, "a name") : expect_name(&p.r, &p.graph->name, "the graph's name");
  if (!named || !parse_symbols(&p) || !expect_punct(&p.r, '{') || !parse_statements(&p)) return NULL;
  Text why = text_new(arena);
  if (graph_verify(p.graph, &why)) return p.graph;
  reader_fail(&p.r, DIAG_E0505, span, "%s", why.bytes);
  return NULL;
}
