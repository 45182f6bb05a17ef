// The tree as text: one node a line, two spaces for each level, spans left out. Parts that are not nodes (names, labels
// such as "else") stand on the line of the node that they belong to or head a group of nodes.
#include "ast.h"

typedef struct Printer {
  Text *out;
  int level;
} Printer;

static void print_expr(Printer p, const Expr *e);
static void print_stmts(Printer p, const Stmt *list);

static Printer inner(Printer p) { return (Printer){p.out, p.level + 1}; }

// Starts a line.
static void begin(Printer p, const char *word) {
  for (int k = 0; k < p.level; k++) text_add(p.out, "  ");
  text_add(p.out, word);
}

static void line(Printer p, const char *word) {
  begin(p, word);
  text_add(p.out, "\n");
}

static void add_names(Printer p, const Name *names, const char *separator) {
  for (const Name *n = names; n; n = n->next) text_printf(p.out, "%s%s", n == names ? " " : separator, n->text);
}

static void print_exprs(Printer p, const Expr *list) {
  for (; list; list = list->next) print_expr(p, list);
}

static void print_arg(Printer p, const Arg *arg) {
  if (!arg->name) {
    print_expr(p, arg->value);
    return;
  }
  begin(p, "arg ");
  text_printf(p.out, "%s\n", arg->name);
  print_expr(inner(p), arg->value);
}

static void print_args(Printer p, const Arg *args) {
  for (; args; args = args->next) print_arg(p, args);
}

// A group of statements under a label.
static void print_block(Printer p, const char *label, const Stmt *list) {
  line(p, label);
  print_stmts(inner(p), list);
}

static const char *expr_word(ExprKind kind) {
  static const char *const words[] = {
      [EXPR_INT] = "int",     [EXPR_FLOAT] = "float", [EXPR_STRING] = "string", [EXPR_BOOL] = "bool",
      [EXPR_PATH] = "path",   [EXPR_LIST] = "list",   [EXPR_UNARY] = "unary",   [EXPR_BINARY] = "binary",
      [EXPR_CALL] = "call",   [EXPR_INDEX] = "index", [EXPR_PIPE] = "pipe",     [EXPR_SHAPED] = "shaped",
      [EXPR_LAYER] = "layer", [EXPR_IF] = "if",       [EXPR_REDUCE] = "reduce", [EXPR_ERROR] = "error",
  };
  return words[kind];
}

// What stands on the node's own line.
static void print_head(Printer p, const Expr *e) {
  begin(p, expr_word(e->kind));
  if (e->kind == EXPR_INT) text_printf(p.out, " %lld", (long long)e->integer);
  if (e->kind == EXPR_FLOAT) text_add(p.out, " "), text_add_double(p.out, e->number);
  if (e->kind == EXPR_STRING) text_add(p.out, " "), text_add_quoted(p.out, e->text);
  if (e->kind == EXPR_BOOL) text_add(p.out, e->boolean ? " true" : " false");
  if (e->kind == EXPR_UNARY || e->kind == EXPR_BINARY) text_printf(p.out, " %s", ast_op_name(e->op));
  if (e->kind == EXPR_REDUCE) text_printf(p.out, " %s over", e->text), add_names(p, e->indices, ", ");
  add_names(p, e->path, ".");
  if (e->as) text_printf(p.out, " as %s", e->as->text);
  text_add(p.out, "\n");
}

static void print_expr(Printer p, const Expr *e) {
  print_head(p, e);
  Printer q = inner(p);
  if (e->a) print_expr(q, e->a);
  if (e->b) print_expr(q, e->b);
  print_exprs(q, e->items);
  print_args(q, e->args);
  if (e->kind != EXPR_IF) return;
  print_block(q, "then", e->body);
  if (e->orelse) print_block(q, "else", e->orelse);
}

static void print_type(Printer p, const Type *type) {
  begin(p, "type ");
  text_printf(p.out, "%s%s\n", type->element, type->has_dims ? "" : " scalar");
  for (const TypeDim *dim = type->dims; dim; dim = dim->next) {
    if (dim->kind == TYPE_DIM_REST)
      line(inner(p), "...");
    else
      print_expr(inner(p), dim->value);
  }
}

static const char *stmt_word(StmtKind kind) {
  static const char *const words[] = {
      [STMT_ASSIGN] = "assign", [STMT_INDEX] = "define",  [STMT_PARAM] = "param",   [STMT_STATE] = "state",
      [STMT_MEMORY] = "memory", [STMT_UPDATE] = "update", [STMT_RETURN] = "return", [STMT_EXPR] = "value",
      [STMT_IF] = "if",         [STMT_FOR] = "for",       [STMT_REPEAT] = "repeat", [STMT_ERROR] = "error",
  };
  return words[kind];
}

static void print_where(Printer p, const WhereRange *where) {
  for (; where; where = where->next) {
    begin(p, "where ");
    text_printf(p.out, "%s\n", where->index->text);
    print_expr(inner(p), where->range);
  }
}

static void print_stmt(Printer p, const Stmt *s) {
  begin(p, stmt_word(s->kind));
  add_names(p, s->names, ", ");
  if (s->kind == STMT_INDEX) {
    text_add(p.out, " over");
    add_names(p, s->indices, ", ");
  }
  text_add(p.out, "\n");
  Printer q = inner(p);
  if (s->type) print_type(q, s->type);
  print_exprs(q, s->value);
  print_args(q, s->options);
  print_where(q, s->where);
  if (s->kind == STMT_IF || s->kind == STMT_FOR || s->kind == STMT_REPEAT)
    print_block(q, s->kind == STMT_IF ? "then" : "do", s->body);
  if (s->orelse) print_block(q, "else", s->orelse);
}

static void print_stmts(Printer p, const Stmt *list) {
  for (; list; list = list->next) print_stmt(p, list);
}

static void print_items(Printer p, const Item *item) {
  for (; item; item = item->next) {
    begin(p, item->in ? "item in" : "item");
    add_names(p, item->words, " ");
    if (item->targets) text_add(p.out, " targets");
    add_names(p, item->targets, ", ");
    text_add(p.out, "\n");
    if (item->value) print_expr(inner(p), item->value);
    print_items(inner(p), item->items);
  }
}

static void print_params(Printer p, const Param *param) {
  for (; param; param = param->next) {
    begin(p, param->hyper ? "hyper " : "argument ");
    text_printf(p.out, "%s\n", param->name->text);
    if (param->type) print_type(inner(p), param->type);
    if (param->fallback) print_expr(inner(p), param->fallback);
  }
}

static void print_decl(Printer p, const Decl *d) {
  static const char *const words[] = {
      [DECL_USE] = "use",   [DECL_CONST] = "const", [DECL_FN] = "fn",         [DECL_MODEL] = "model",
      [DECL_DATA] = "data", [DECL_TRAIN] = "train", [DECL_SEARCH] = "search",
  };
  begin(p, words[d->kind]);
  if (d->text) text_add(p.out, " "), text_add_quoted(p.out, d->text);
  if (d->name) text_printf(p.out, " %s", d->name->text);
  if (d->on) text_printf(p.out, " on %s", d->on->text);
  text_add(p.out, "\n");
  Printer q = inner(p);
  if (d->doc) begin(q, "doc "), text_add_quoted(p.out, d->doc), text_add(p.out, "\n");
  if (d->value) print_expr(q, d->value);
  print_args(q, d->args);
  print_params(q, d->params);
  for (const Type *type = d->results; type; type = type->next) {
    line(q, "result");
    print_type(inner(q), type);
  }
  print_stmts(q, d->body);
  print_items(q, d->items);
}

void ast_print(const Ast *ast, Text *out) {
  for (const Decl *d = ast->decls; d; d = d->next) print_decl((Printer){out, 0}, d);
}
