// Building the tree: what the grammar's actions call. Every node knows its depth, and none is deeper than
// AST_MAX_DEPTH: a deeper one is reported and left out, so that recursion over a tree needs a bounded stack.
#include <string.h>

#include "parser.h"
#include "grammar.tab.h"

const char *ast_op_name(AstOp op) {
  static const char *const names[] = {
      [AST_NEG] = "-", [AST_NOT] = "not",     [AST_ADD] = "+", [AST_SUB] = "-",    [AST_MUL] = "*",
      [AST_DIV] = "/", [AST_FLOORDIV] = "//", [AST_MOD] = "%", [AST_MATMUL] = "@", [AST_POW] = "**",
      [AST_EQ] = "==", [AST_NE] = "!=",       [AST_LT] = "<",  [AST_LE] = "<=",    [AST_GT] = ">",
      [AST_GE] = ">=", [AST_AND] = "and",     [AST_OR] = "or", [AST_RANGE] = "..", [AST_JOIN] = ">>",
  };
  return names[op];
}

// ---- depth --------------------------------------------------------------------------------------------------------

static int deeper(int a, int b) { return a > b ? a : b; }
static int expr_depth(const Expr *e) { return e ? e->depth : 0; }

static int exprs_depth(const Expr *list) {
  int depth = 0;
  for (; list; list = list->next) depth = deeper(depth, list->depth);
  return depth;
}

static int args_depth(const Arg *list) {
  int depth = 0;
  for (; list; list = list->next) depth = deeper(depth, list->value->depth);
  return depth;
}

static int stmts_depth(const Stmt *list) {
  int depth = 0;
  for (; list; list = list->next) depth = deeper(depth, list->depth);
  return depth;
}

static Expr *new_expr(Parser *p, Expr parts) {
  Expr *e = arena_alloc(p->arena, sizeof *e);
  *e = parts;
  int depth = deeper(expr_depth(e->a), expr_depth(e->b));
  depth = deeper(depth, deeper(exprs_depth(e->items), args_depth(e->args)));
  e->depth = 1 + deeper(depth, deeper(stmts_depth(e->body), stmts_depth(e->orelse)));
  if (e->depth > AST_MAX_DEPTH) {
    parser_too_deep(p, e->span);
    *e = (Expr){.kind = EXPR_ERROR, .span = parts.span, .depth = 1};
  }
  return e;
}

static int type_depth(const Type *type) {
  int depth = 0;
  for (const TypeDim *dim = type ? type->dims : NULL; dim; dim = dim->next)
    depth = deeper(depth, expr_depth(dim->value));
  return depth;
}

Stmt *node_stmt(Parser *p, Stmt parts) {
  Stmt *s = arena_alloc(p->arena, sizeof *s);
  *s = parts;
  int depth = deeper(exprs_depth(s->value), args_depth(s->options));
  for (const WhereRange *w = s->where; w; w = w->next) depth = deeper(depth, w->range->depth);
  depth = deeper(depth, deeper(stmts_depth(s->body), stmts_depth(s->orelse)));
  s->depth = 1 + deeper(depth, type_depth(s->type));
  if (s->depth > AST_MAX_DEPTH) {
    parser_too_deep(p, s->span);
    *s = (Stmt){.kind = STMT_ERROR, .span = parts.span, .depth = 1};
  }
  return s;
}

// ---- expressions --------------------------------------------------------------------------------------------------

Name *node_name(Parser *p, const char *text, Span span) {
  Name *name = arena_alloc(p->arena, sizeof *name);
  *name = (Name){.text = text, .span = span};
  return name;
}

Arg *node_arg(Parser *p, Name *name, Expr *value) {
  Arg *arg = arena_alloc(p->arena, sizeof *arg);
  arg->value = value;
  if (name) {
    arg->name = name->text;
    arg->name_span = name->span;
  }
  return arg;
}

Expr *node_literal(Parser *p, const Token *token) {
  Expr e = {.span = token->span};
  switch (token->kind) {
    case TOKEN_INTEGER:
      e.kind = EXPR_INT, e.integer = token->integer;
      break;
    case TOKEN_NUMBER:
      e.kind = EXPR_FLOAT, e.number = token->number;
      break;
    case TOKEN_STRING:
      e.kind = EXPR_STRING, e.text = token->text;
      break;
    case TOKEN_TRUE:
    case TOKEN_FALSE:
      e.kind = EXPR_BOOL, e.boolean = token->kind == TOKEN_TRUE;
      break;
    default:
      e.kind = EXPR_ERROR;
  }
  return new_expr(p, e);
}

Expr *node_path(Parser *p, NameList path, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_PATH, .span = span, .path = path.first});
}

Expr *node_list(Parser *p, ExprList items, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_LIST, .span = span, .items = items.first});
}

Expr *node_unary(Parser *p, AstOp op, Span op_span, Expr *a) {
  return new_expr(
      p, (Expr){.kind = EXPR_UNARY, .span = span_join(op_span, a->span), .op = op, .op_span = op_span, .a = a});
}

Expr *node_binary(Parser *p, AstOp op, Span op_span, Expr *a, Expr *b) {
  Span span = span_join(a->span, b->span);
  return new_expr(p, (Expr){.kind = EXPR_BINARY, .span = span, .op = op, .op_span = op_span, .a = a, .b = b});
}

Expr *node_call(Parser *p, NameList path, ArgList args, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_CALL, .span = span, .path = path.first, .args = args.first});
}

Expr *node_as(Expr *call, Name *as) {
  call->as = as;
  call->span = span_join(call->span, as->span);
  return call;
}

Expr *node_index(Parser *p, Expr *a, ExprList items, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_INDEX, .span = span, .a = a, .items = items.first});
}

Expr *node_pipe(Parser *p, Expr *a, Expr *stage, Span op_span) {
  Span span = span_join(a->span, stage->span);
  return new_expr(p, (Expr){.kind = EXPR_PIPE, .span = span, .op_span = op_span, .a = a, .b = stage});
}

Expr *node_shaped(Parser *p, Expr *a, ExprList dims, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_SHAPED, .span = span, .a = a, .items = dims.first});
}

Expr *node_layer(Parser *p, Expr *call, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_LAYER, .span = span, .a = call});
}

Expr *node_if(Parser *p, Expr *condition, Stmt *body, Stmt *orelse, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_IF, .span = span, .a = condition, .body = body, .orelse = orelse});
}

Expr *node_reduce(Parser *p, const char *word, NameList indices, Expr *body, Span span) {
  return new_expr(p, (Expr){.kind = EXPR_REDUCE, .span = span, .text = word, .indices = indices.first, .a = body});
}

// ---- statements ---------------------------------------------------------------------------------------------------

Stmt *node_expr_stmt(Parser *p, Expr *value) {
  if (value->kind != EXPR_IF) return node_stmt(p, (Stmt){.kind = STMT_EXPR, .span = value->span, .value = value});
  return node_stmt(
      p, (Stmt){.kind = STMT_IF, .span = value->span, .value = value->a, .body = value->body, .orelse = value->orelse});
}

// Reports what stands on the left of an assignment where only `what` may.
static void bad_target(Parser *p, Span span, const char *what) {
  const char *text = diag_source(p->sink, span.file)->text + span.begin;
  int length = (int)(span.end - span.begin);
  diag_error(p->sink, DIAG_E0002, span, "found '%.*s%s', expected %s", length > 40 ? 37 : length, text,
             length > 40 ? "..." : "", what);
}

// Is the path one name? Reports it otherwise.
static bool is_name(Parser *p, NameList path, const char *what) {
  if (path.first == path.last) return true;
  bad_target(p, span_join(path.first->span, path.last->span), what);
  return false;
}

// The one name that `e` is, copied (names are linked in lists), or NULL after reporting.
static Name *plain_name(Parser *p, const Expr *e, const char *what) {
  if (e->kind == EXPR_PATH && !e->path->next) return node_name(p, e->path->text, e->span);
  if (e->kind != EXPR_ERROR) bad_target(p, e->span, what);
  return NULL;
}

static Stmt *stmt_error(Parser *p, Span span) { return node_stmt(p, (Stmt){.kind = STMT_ERROR, .span = span}); }

Stmt *node_assign(Parser *p, NameList path, NameList more, Expr *value, Span span) {
  if (!is_name(p, path, "a name without dots on the left of '='")) return stmt_error(p, span);
  path.first->next = more.first;
  return node_stmt(p, (Stmt){.kind = STMT_ASSIGN, .span = span, .names = path.first, .value = value});
}

Stmt *node_update(Parser *p, NameList path, Expr *value, Span span) {
  if (!is_name(p, path, "the name of a state on the left of '<-'")) return stmt_error(p, span);
  return node_stmt(p, (Stmt){.kind = STMT_UPDATE, .span = span, .names = path.first, .value = value});
}

Stmt *node_formula(Parser *p, Expr *target, Expr *value, RangeList where, Span span) {
  Name *name = plain_name(p, target->a, "the name that the formula defines");
  NameList indices = {0};
  for (const Expr *item = target->items; item && name; item = item->next) {
    Name *index = plain_name(p, item, "the name of an index: a formula defines all elements at once");
    if (!index) return stmt_error(p, span);
    LIST_ADD(indices, index);
  }
  if (!name) return stmt_error(p, span);
  return node_stmt(p, (Stmt){.kind = STMT_INDEX,
                             .span = span,
                             .names = name,
                             .indices = indices.first,
                             .value = value,
                             .where = where.first});
}

// ---- signatures and blocks ----------------------------------------------------------------------------------------

TypeDim *node_dim(Parser *p, Expr *value, Span span) {
  TypeDim *dim = arena_alloc(p->arena, sizeof *dim);
  *dim = (TypeDim){.kind = value ? TYPE_DIM_EXPR : TYPE_DIM_REST, .value = value, .span = span};
  return dim;
}

Type *node_type(Parser *p, Name *element, bool has_dims, DimList dims, Span span) {
  static const char *const known[] = {"f32", "i32", "bool"};
  bool found = false;
  for (size_t k = 0; k < sizeof known / sizeof *known; k++) found |= !strcmp(known[k], element->text);
  if (!found)
    diag_error(p->sink, DIAG_E0002, element->span, "found '%.40s', expected a type: f32, i32 or bool", element->text);
  Type *type = arena_alloc(p->arena, sizeof *type);
  *type = (Type){.element = element->text, .has_dims = has_dims, .dims = dims.first, .span = span};
  return type;
}

WhereRange *node_range(Parser *p, Name *index, Expr *range) {
  WhereRange *where = arena_alloc(p->arena, sizeof *where);
  *where = (WhereRange){.index = index, .range = range};
  return where;
}

Param *node_param(Parser *p, Name *name, Type *type, Expr *fallback, Span span) {
  Param *param = arena_alloc(p->arena, sizeof *param);
  *param = (Param){.name = name, .type = type, .fallback = fallback, .span = span};
  return param;
}

void node_mark_hyper(ParamList params) {
  for (Param *param = params.first; param; param = param->next) param->hyper = true;
}

Item *node_item(Parser *p, Item parts) {
  Item *item = arena_alloc(p->arena, sizeof *item);
  *item = parts;
  return item;
}

// ---- declarations -------------------------------------------------------------------------------------------------

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// If the line that ends at `end` (its newline, or the declaration's first byte) holds only a comment, its text without
// '#' and one space; *begin is where the line starts.
static bool comment_line(const char *text, uint32_t end, uint32_t *begin, uint32_t *from) {
  uint32_t start = end;
  while (start > 0 && text[start - 1] != '\n') start--;
  uint32_t at = start;
  while (at < end && is_space(text[at])) at++;
  if (at == end || text[at] != '#') return false;
  *begin = start;
  *from = at + 1 + (text[at + 1] == ' ');
  return true;
}

// The comment lines directly above the declaration that starts at `offset`, or NULL.
static const char *doc_above(Parser *p, uint32_t offset) {
  const char *text = diag_source(p->sink, p->ast->file)->text;
  while (offset > 0 && is_space(text[offset - 1])) offset--;
  uint32_t top = offset, begin, from;
  while (top > 0 && text[top - 1] == '\n' && comment_line(text, top - 1, &begin, &from)) top = begin;
  if (top == offset) return NULL;
  Text doc = text_new(p->arena);
  for (uint32_t at = top; at < offset;) {
    uint32_t end = at;
    while (text[end] != '\n') end++;
    if (!comment_line(text, end, &begin, &from)) break;
    uint32_t last = end;
    while (last > from && is_space(text[last - 1])) last--;
    if (doc.length) text_add(&doc, "\n");
    if (last > from) text_add_n(&doc, text + from, last - from);
    at = end + 1;
  }
  return doc.bytes;
}

void node_decl(Parser *p, Decl parts) {
  Decl *decl = arena_alloc(p->arena, sizeof *decl);
  *decl = parts;
  decl->doc = doc_above(p, parts.span.begin);
  if (p->last)
    p->last->next = decl;
  else
    p->ast->decls = decl;
  p->last = decl;
}
