// Index nodes read back: indices, order, body, reads.
#include "checked.h"
#include "inside.h"
#include "parse.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST_NEST = 256 };  // far above what the printer writes

typedef struct BodyParse {
  Parser *p;
  Node *node;
  IndexDef *def;
  size_t in_capacity, reads_capacity, body_capacity;
  int *bound;  // [n_bound] the instructions that t0, t1, .. stand for
  size_t n_bound, bound_capacity;
} BodyParse;

static int find_index(const IndexDef *def, const char *name) {
  for (int k = 0; k < def->n_out + def->n_red; k++)
    if (!strcmp(def->name[k], name)) return k;
  return -1;
}

// ---- reads --------------------------------------------------------------------------------------------------------

// Adds sign * factor * index (or sign * factor where index is -1), within what a read can hold.
static bool add_product(Reader *r, IndexExpr *e, Span span, int index, int64_t factor) {
  const int64_t limit = (int64_t)1 << 60;
  int64_t sum;
  bool fits = checked_add(index < 0 ? e->offset : index_coef(e, index), factor, &sum) && sum > -limit && sum < limit;
  bool room = index < 0 || index_coef(e, index) || e->n_terms < IR_MAX_TERMS;
  if (!fits || !room)
    return reader_fail(r, DIAG_E0504, span, "a read's index has at most %d terms below 2^60", IR_MAX_TERMS);
  if (index < 0)
    e->offset = sum;
  else
    index_add_term(e, index, factor);
  return true;
}

// 3, i, 3*i or i*3
static bool parse_product(BodyParse *b, int sign, IndexExpr *e) {
  Reader *r = &b->p->r;
  Span span = reader_span(r);
  int64_t factor = 1;
  int index = -1;
  bool number = r->token.kind == TOKEN_INTEGER;
  if (number && !expect_integer(r, &factor, "a number")) return false;
  bool both = number && accept_punct(r, '*');
  if (!number || both) {
    const char *name;
    span = reader_span(r);
    if (!expect_name(r, &name, "an index or a number")) return false;
    index = find_index(b->def, name);
    if (index < 0) return reader_fail(r, DIAG_E0503, span, "no index '%s' in this node", name);
  }
  if (!number && accept_punct(r, '*') && !expect_integer(r, &factor, "a number")) return false;
  return add_product(r, e, span, index, sign * factor);
}

static bool parse_sum(BodyParse *b, IndexExpr *e, int *n_products) {
  Reader *r = &b->p->r;
  int sign = accept_punct(r, '-') ? -1 : 1;
  for (*n_products = 1; parse_product(b, sign, e); ++*n_products) {
    if (accept_punct(r, '+'))
      sign = 1;
    else if (accept_punct(r, '-'))
      sign = -1;
    else
      return true;
  }
  return false;
}

// A sum, or one divided: (i + 1) // 2, i // 2, (i - r) /! 2.
static bool parse_expr(BodyParse *b, IndexExpr *e) {
  Reader *r = &b->p->r;
  *e = index_const(0);
  int n_products;
  bool enclosed = accept_punct(r, '(');
  if (!parse_sum(b, e, &n_products) || (enclosed && !expect_punct(r, ')'))) return false;
  bool floor = at_punct(r, DIV_FLOOR_PUNCT);
  if (!floor && !at_punct(r, DIV_EXACT_PUNCT)) return true;
  if (!enclosed && n_products > 1) return reader_expected(r, "parentheses around the sum that is divided");
  reader_next(r);
  Span span = reader_span(r);
  if (!expect_integer(r, &e->divisor, "a divisor")) return false;
  if (e->divisor < 1) return reader_fail(r, DIAG_E0505, span, "a divisor is at least 1");
  e->kind = e->divisor == 1 ? DIV_NONE : floor ? DIV_FLOOR : DIV_EXACT;
  return true;
}

static bool parse_read(BodyParse *b, Read *read) {
  Reader *r = &b->p->r;
  *read = (Read){0};
  if (!expect_punct(r, '[')) return false;
  while (!accept_punct(r, ']')) {
    if (read->rank && !expect_punct(r, ',')) return false;
    if (read->rank == IR_MAX_RANK)
      return reader_fail(r, DIAG_E0504, reader_span(r), "more than %d indices", IR_MAX_RANK);
    if (!parse_expr(b, &read->at[read->rank++])) return false;
  }
  return true;
}

// The operand that this read of this value is: one that is there already, or a new one.
static int operand_of(BodyParse *b, NodeId id, const Read *read) {
  Node *node = b->node;
  for (int k = 0; k < node->n_in; k++)
    if (node->in[k] == id && read_equal(&b->def->reads[k], read)) return k;
  size_t n = (size_t)node->n_in;
  node->in = arena_grow(b->p->r.arena, node->in, n, &b->in_capacity, sizeof *node->in);
  b->def->reads = arena_grow(b->p->r.arena, b->def->reads, n, &b->reads_capacity, sizeof *b->def->reads);
  node->in[n] = id;
  b->def->reads[n] = *read;
  return node->n_in++;
}

// ---- body ---------------------------------------------------------------------------------------------------------

static int add_scalar(BodyParse *b, Scalar s) {
  IndexDef *def = b->def;
  def->body = arena_grow(b->p->r.arena, def->body, (size_t)def->n_body, &b->body_capacity, sizeof *def->body);
  def->body[def->n_body] = s;
  return def->n_body++;
}

static bool parse_scalar(BodyParse *b, int depth, int *result);

static bool parse_element(BodyParse *b, int *result) {
  NodeId id;
  Read read;
  if (!parse_value(b->p, &id) || !parse_read(b, &read)) return false;
  DType type = graph_node(b->p->graph, id)->type;
  *result = add_scalar(b, (Scalar){.kind = SCALAR_READ, .type = type, .arg = {operand_of(b, id, &read)}});
  return true;
}

static bool parse_call(BodyParse *b, const char *name, Span span, int depth, int *result) {
  Reader *r = &b->p->r;
  Scalar s = {.kind = SCALAR_OP};
  if (!op_by_name(name, &s.op) || op_info(s.op)->class != OPC_POINTWISE)
    return reader_fail(r, DIAG_E0503, span, "no pointwise op '%s'", name);
  if (!expect_punct(r, '(')) return false;
  DType in[3];
  int arity = op_info(s.op)->arity;
  for (int a = 0; a < arity; a++) {
    if ((a && !expect_punct(r, ',')) || !parse_scalar(b, depth + 1, &s.arg[a])) return false;
    in[a] = b->def->body[s.arg[a]].type;
  }
  if (!expect_punct(r, ')')) return false;
  if (!op_result_type(s.op, in, &s.type))
    return reader_fail(r, DIAG_E0505, span, "%s takes %s", name, op_types_meaning(op_info(s.op)->types));
  *result = add_scalar(b, s);
  return true;
}

static bool parse_bound(BodyParse *b, const char *name, Span span, int *result) {
  unsigned long long number = strtoull(name + 1, NULL, 10);
  if (number >= b->n_bound) return reader_fail(&b->p->r, DIAG_E0503, span, "%s is not defined before its use", name);
  *result = b->bound[number];
  return true;
}

static bool is_bound_name(const char *name) {
  return name[0] == 't' && name_is_reserved(name, strlen(name)) && name[1] != 'r';
}

// A word: t0, an op's call, or the value of an index.
static bool parse_named(BodyParse *b, int depth, int *result) {
  Reader *r = &b->p->r;
  Span span = reader_span(r);
  const char *name;
  if (!expect_name(r, &name, "a scalar")) return false;
  if (is_bound_name(name)) return parse_bound(b, name, span, result);
  if (at_punct(r, '(')) return parse_call(b, name, span, depth, result);
  int index = find_index(b->def, name);
  if (index < 0) return reader_fail(r, DIAG_E0503, span, "no index '%s' in this node", name);
  *result = add_scalar(b, (Scalar){.kind = SCALAR_INDEX, .type = DT_I32, .arg = {index}});
  return true;
}

static bool parse_scalar(BodyParse *b, int depth, int *result) {
  Reader *r = &b->p->r;
  if (depth > DEEPEST_NEST)
    return reader_fail(r, DIAG_E0504, reader_span(r), "nested too deeply: bind a part as t0 = ..;");
  if (r->token.kind == TOKEN_VALUE) return parse_element(b, result);
  bool word = r->token.kind == TOKEN_WORD;
  if (word && (!name_is_reserved(r->token.text, strlen(r->token.text)) || is_bound_name(r->token.text)))
    return parse_named(b, depth, result);
  Scalar s = {.kind = SCALAR_CONST};
  if (!parse_number(b->p, &s.type, &s.number)) return false;
  *result = add_scalar(b, s);
  return true;
}

// t0 = scalar; where the next free number stands.
static bool parse_binding(BodyParse *b) {
  Reader *r = &b->p->r;
  Span span = reader_span(r);
  const char *name;
  int value;
  if (!expect_name(r, &name, "t0")) return false;
  if (strtoull(name + 1, NULL, 10) != b->n_bound)
    return reader_fail(r, DIAG_E0503, span, "expected t%zu: parts are numbered upwards", b->n_bound);
  if (!expect_punct(r, '=') || !parse_scalar(b, 0, &value) || !expect_punct(r, ';')) return false;
  b->bound = arena_grow(r->arena, b->bound, b->n_bound, &b->bound_capacity, sizeof *b->bound);
  b->bound[b->n_bound++] = value;
  return true;
}

// Is the current word a binding's name, that is, does '=' follow it?
static bool at_binding(const Reader *r) {
  if (r->token.kind != TOKEN_WORD || !is_bound_name(r->token.text)) return false;
  Reader ahead = *r;
  reader_next(&ahead);
  return at_punct(&ahead, '=');
}

static bool parse_body(BodyParse *b) {
  Reader *r = &b->p->r;
  int value;
  if (!expect_punct(r, '{')) return false;
  while (at_binding(r))
    if (!parse_binding(b)) return false;
  Span span = reader_span(r);
  if (!parse_scalar(b, 0, &value) || !expect_punct(r, '}')) return false;
  return value == b->def->n_body - 1 ||
         reader_fail(r, DIAG_E0505, span, "the body's value is not its last instruction");
}

// ---- header -------------------------------------------------------------------------------------------------------

static bool parse_one_index(Parser *p, IndexDef *def, int at) {
  Span span = reader_span(&p->r);
  if (at == IR_MAX_INDICES) return reader_fail(&p->r, DIAG_E0504, span, "more than %d indices", IR_MAX_INDICES);
  if (!expect_name(&p->r, &def->name[at], "an index such as i:28")) return false;
  return expect_punct(&p->r, ':') && parse_dim(p, &def->extent[at]);
}

// [i:28, j:28 | k:5]
static bool parse_indices(Parser *p, IndexDef *def) {
  int *count = &def->n_out;
  if (!expect_punct(&p->r, '[')) return false;
  while (!accept_punct(&p->r, ']')) {
    if (count == &def->n_out && accept_punct(&p->r, '|'))
      count = &def->n_red;
    else if (*count && !expect_punct(&p->r, ','))
      return false;
    if (!parse_one_index(p, def, def->n_out + def->n_red)) return false;
    ++*count;
  }
  return true;
}

// order(chunk 8, lanes 16), order(chunk 8, lanes 1, winograd 4)
static bool parse_order(Parser *p, Order *order) {
  *order = (Order){.lanes = 1};
  if (!accept_word(&p->r, "order")) return true;
  int64_t lanes, winograd = 0;
  if (!expect_punct(&p->r, '(') || !expect_word(&p->r, "chunk") || !expect_integer(&p->r, &order->chunk, "a length"))
    return false;
  if (!expect_punct(&p->r, ',') || !expect_word(&p->r, "lanes") || !expect_integer(&p->r, &lanes, "1 or 16"))
    return false;
  order->lanes = lanes == 16 ? 16 : lanes == 1 ? 1 : 0;  // the verifier refuses 0
  if (accept_punct(&p->r, ',') && (!expect_word(&p->r, "winograd") || !expect_integer(&p->r, &winograd, "4 or 2")))
    return false;
  order->winograd = winograd == 4 || winograd == 2 || winograd == 0 ? (int)winograd : -1;
  return expect_punct(&p->r, ')');
}

bool parse_index(Parser *p, Node *node) {
  IndexDef *def = node->index = arena_alloc(p->r.arena, sizeof *def);
  Span span = reader_span(&p->r);
  const char *name;
  if (!expect_name(&p->r, &name, "a combine")) return false;
  if (!combine_by_name(name, &def->combine))
    return reader_fail(&p->r, DIAG_E0503, span, "no combine '%s': map, sum, max, min, prod, argmax, argmin", name);
  BodyParse b = {.p = p, .node = node, .def = def};
  return parse_indices(p, def) && parse_order(p, &def->order) && parse_body(&b);
}
