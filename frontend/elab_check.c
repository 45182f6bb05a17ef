// What can be said of a body without running it: names that lead nowhere, names never used, arguments that a function
// does not take or lacks, statements that do nothing, bodies without a value. Reaches functions that nobody calls, also
// those that only a data block calls, and branches that are not taken.
//
// A name counts as known in a whole body as soon as anything in it assigns it; the elaborator is exact about the order,
// and reports at the same place with the same code, so that nothing is said twice.
#include "elab_inside.h"

#include <string.h>

typedef struct Word {  // a name that the body assigns or declares
  const Name *name;
  bool assigned;  // must be used
  bool used;
  struct Word *next;
} Word;

typedef struct Words {
  Word **items;  // [n], in the order of the text
  size_t n, capacity;
  HashTable by_name;  // places in items
} Words;

typedef struct Check {
  Elab *e;
  DiagSink *sink;
  Globals *globals;
  Arena *arena;
  Words words;   // of the whole body
  Word *inside;  // indices of the formulas around, innermost first
  bool broken;   // something in the body did not parse: names may be missing
} Check;

static void check_expr(Check *c, const Expr *expr);
static void check_block(Check *c, const Stmt *body, bool has_value);

// ---- names ---------------------------------------------------------------------------------------------------------

static Word *find_word(const Check *c, const char *name) {
  for (Word *w = c->inside; w; w = w->next)
    if (!strcmp(w->name->text, name)) return w;
  int place = hash_find(&c->words.by_name, hash_text(name));
  return place < 0 ? NULL : c->words.items[place];
}

static void add_word(Check *c, const Name *name, bool assigned) {
  Word *found = find_word(c, name->text);
  if (found) {
    found->assigned |= assigned;
    return;
  }
  Word *word = arena_alloc(c->arena, sizeof *word);
  *word = (Word){name, assigned, !strcmp(name->text, "_"), NULL};
  Words *words = &c->words;
  words->items = arena_grow(c->arena, words->items, words->n, &words->capacity, sizeof *words->items);
  hash_add(c->arena, &words->by_name, hash_text(name->text), (int)words->n);
  words->items[words->n++] = word;
}

// An index of a formula hides what has its name outside.
static void add_index(Check *c, const Name *name) {
  Word *word = arena_alloc(c->arena, sizeof *word);
  *word = (Word){name, false, true, c->inside};
  c->inside = word;
}

static bool use_word(const Check *c, const char *name) {
  Word *found = find_word(c, name);
  if (found) found->used = true;
  return found != NULL;
}

static bool known_elsewhere(const Check *c, const char *name) {
  Value init;
  return globals_find(c->globals, name) || elab_option_word(name) || init_by_name(name, &init) ||
         !strcmp(name, "training") || !strcmp(name, "none");
}

static void report_unknown(const Check *c, const Name *name) {
  size_t n_options, n = 0;
  const char *const *options = elab_option_words(&n_options);
  for (const Word *w = c->inside; w; w = w->next) n++;
  const char **names =
      arena_array(c->arena, n + c->words.n + n_options + c->globals->n_items + INIT_MOST_NAMES, sizeof *names);
  n = 0;
  for (const Word *w = c->inside; w; w = w->next) names[n++] = w->name->text;
  for (size_t k = c->words.n; k > 0; k--) names[n++] = c->words.items[k - 1]->name->text;
  for (size_t k = 0; k < c->globals->n_items; k++) names[n++] = c->globals->items[k].decl->name->text;
  for (size_t k = 0; k < n_options; k++) names[n++] = options[k];
  n += init_add_names(names + n);
  const char *nearest = text_nearest(name->text, names, n);
  if (nearest) {
    use_word(c, nearest);  // as it was meant: not unused too
    diag_error(c->sink, DIAG_E0100, name->span, "unknown name '%s'; did you mean '%s'?", name->text, nearest);
    return;
  }
  diag_error(c->sink, DIAG_E0100, name->span, "unknown name '%s'", name->text);
}

static void check_name(Check *c, const Name *name) {
  if (!use_word(c, name->text) && !known_elsewhere(c, name->text) && !c->broken) report_unknown(c, name);
}

// A dotted name is no value anywhere in a body.
static void check_path(const Check *c, const Expr *expr) {
  const Global *global = globals_find(c->globals, expr->path->text);
  if (!c->broken && !(global && global->decl->kind == DECL_DATA))
    diag_error(c->sink, DIAG_E0100, expr->span, "unknown name '%s'", elab_source_text(c->e, expr->span));
}

static bool is_function(const Check *c, const char *name) {
  const Global *global = globals_find(c->globals, name);
  if (global && (global->decl->kind == DECL_FN || global->decl->kind == DECL_MODEL)) return true;
  return init_is_name(name) || !strcmp(name, "f32") || !strcmp(name, "i32") || !strcmp(name, "require");
}

static void check_head(Check *c, const Name *head) {
  bool local = use_word(c, head->text);
  if (head->next || local || is_function(c, head->text)) return;
  elab_report_unknown_function(c->sink, c->globals, head);
}

// {name} in a text may be shown by require.
static void use_placeholders(const Check *c, const char *text) {
  size_t skip, length;
  for (const char *name; (name = text_placeholder(text, &skip, &length)); text = name + length + 1)
    use_word(c, arena_strndup(c->arena, name, length));
}

// ---- expressions ---------------------------------------------------------------------------------------------------

static void check_list(Check *c, const Expr *list) {
  for (; list; list = list->next) check_expr(c, list);
}

// Arguments against the signature of a function that the program or the library declares; their values are not known,
// but for whole numbers, which are no tensors.
static void check_arguments(const Check *c, const Expr *call, bool piped) {
  const char *name = call->path->text;
  const Global *global = call->path->next || find_word(c, name) ? NULL : globals_find(c->globals, name);
  if (!global || global->decl->kind != DECL_FN) return;
  size_t n = 1;
  for (const Arg *arg = call->args; arg; arg = arg->next) n++;
  Call made = {.decl = global->decl, .args = arena_array(c->arena, n, sizeof *made.args), .span = call->span};
  made.text = elab_source_text(c->e, call->span);
  if (piped) made.args[made.n_args++] = (CallArg){NULL, value_poison(), call->span};
  for (const Arg *arg = call->args; arg; arg = arg->next) {
    bool whole = arg->value->kind == EXPR_INT;
    made.args[made.n_args++] = (CallArg){arg->name, whole ? value_int(0) : value_poison(), arg->value->span};
  }
  bind_check(c->e, &made);
}

static void check_call(Check *c, const Expr *call) {
  check_head(c, call->path);
  for (const Arg *arg = call->args; arg; arg = arg->next) check_expr(c, arg->value);
}

static void check_whole_call(Check *c, const Expr *call, bool piped) {
  check_call(c, call);
  if (!c->broken) check_arguments(c, call, piped);
}

static void check_if(Check *c, const Expr *condition, const Stmt *body, const Stmt *orelse, bool has_value) {
  check_expr(c, condition);
  check_block(c, body, has_value);
  check_block(c, orelse, has_value);
}

static void check_reduction(Check *c, const Expr *expr) {
  Word *outer = c->inside;
  for (const Name *index = expr->indices; index; index = index->next) add_index(c, index);
  check_expr(c, expr->a);
  c->inside = outer;
}

static void report_no_value(const Check *c, Span span, const char *what) {
  diag_error(c->sink, DIAG_E0110, span, "%s", what);
}

static bool gives_value(const Stmt *body);

static void check_if_value(Check *c, const Expr *expr) {
  if (!expr->orelse)
    report_no_value(c, expr->span, "an `if` that stands for a value needs an `else`");
  else if (!gives_value(expr->body) || !gives_value(expr->orelse))
    report_no_value(c, expr->span, "each branch of an `if` that stands for a value must end with one");
  check_if(c, expr->a, expr->body, expr->orelse, true);
}

static void check_expr(Check *c, const Expr *expr) {
  switch (expr->kind) {
    case EXPR_STRING:
      return use_placeholders(c, expr->text);
    case EXPR_PATH:
      return expr->path->next ? check_path(c, expr) : check_name(c, expr->path);
    case EXPR_LIST:
      return check_list(c, expr->items);
    case EXPR_UNARY:
      return check_expr(c, expr->a);
    case EXPR_BINARY:
      return check_expr(c, expr->a), check_expr(c, expr->b);
    case EXPR_CALL:
      return check_whole_call(c, expr, false);
    case EXPR_INDEX:
      return check_expr(c, expr->a), check_list(c, expr->items);
    case EXPR_PIPE:
      return check_expr(c, expr->a), check_whole_call(c, expr->b, true);
    case EXPR_SHAPED:
      return check_expr(c, expr->a), check_list(c, expr->items);
    case EXPR_LAYER:
      return check_call(c, expr->a);
    case EXPR_IF:
      return check_if_value(c, expr);
    case EXPR_REDUCE:
      return check_reduction(c, expr);
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_BOOL:
    case EXPR_ERROR:
      return;
  }
}

// ---- statements ----------------------------------------------------------------------------------------------------

static const Stmt *last_of(const Stmt *body) {
  while (body && body->next) body = body->next;
  return body;
}

static bool is_require(const Stmt *stmt) {
  const Expr *v = stmt->value;
  return stmt->kind == STMT_EXPR && v->kind == EXPR_CALL && !v->path->next && !strcmp(v->path->text, "require");
}

static bool gives_value(const Stmt *body) {
  const Stmt *last = last_of(body);
  if (!last) return false;
  if (last->kind == STMT_IF) return gives_value(last->body) && gives_value(last->orelse);
  if (last->kind == STMT_EXPR) return !is_require(last);
  return last->kind == STMT_RETURN || last->kind == STMT_INDEX || last->kind == STMT_ERROR;
}

static void check_formula(Check *c, const Stmt *stmt) {
  Word *outer = c->inside;
  for (const Name *index = stmt->indices; index; index = index->next) add_index(c, index);
  for (const WhereRange *w = stmt->where; w; w = w->next) check_expr(c, w->range);
  check_expr(c, stmt->value);
  c->inside = outer;
}

static void check_type(Check *c, const Type *type) {
  for (const TypeDim *d = type ? type->dims : NULL; d; d = d->next)
    if (d->value) check_expr(c, d->value);
}

static void check_expr_stmt(Check *c, const Stmt *stmt, bool is_value) {
  if (is_require(stmt)) {
    for (const Arg *arg = stmt->value->args; arg; arg = arg->next) check_expr(c, arg->value);
    return;
  }
  if (!is_value) {
    Diag *diag = diag_error(c->sink, DIAG_E0114, stmt->span, "this value is not used");
    diag_line(c->sink, diag, DIAG_NOTE, "a body's value is its last expression; others are given a name");
  }
  check_expr(c, stmt->value);
}

static void check_stmt(Check *c, const Stmt *stmt, bool is_value) {
  if (stmt->kind != STMT_MEMORY) check_type(c, stmt->type);
  for (const Arg *option = stmt->options; option; option = option->next) check_expr(c, option->value);
  switch (stmt->kind) {
    case STMT_EXPR:
      return check_expr_stmt(c, stmt, is_value);
    case STMT_INDEX:
      if (is_value) use_word(c, stmt->names->text);
      return check_formula(c, stmt);
    case STMT_IF:
      return check_if(c, stmt->value, stmt->body, stmt->orelse, is_value);
    case STMT_FOR:
    case STMT_REPEAT:
      return check_expr(c, stmt->value), check_block(c, stmt->body, false);
    case STMT_RETURN:
      if (!is_value) diag_error(c->sink, DIAG_E0114, stmt->span, "`return` gives a value that is not used here");
      return check_list(c, stmt->value);
    case STMT_MEMORY:
    case STMT_ERROR:
      return;
    default:
      return check_expr(c, stmt->value);
  }
}

static void check_block(Check *c, const Stmt *body, bool has_value) {
  for (const Stmt *stmt = body; stmt; stmt = stmt->next) check_stmt(c, stmt, has_value && !stmt->next);
}

// ---- declarations --------------------------------------------------------------------------------------------------

// The names that stand for sizes in memory's type are the declaration's own.
static void add_size_names(Check *c, const Type *type) {
  for (const TypeDim *d = type ? type->dims : NULL; d; d = d->next)
    if (d->value && d->value->kind == EXPR_PATH && !d->value->path->next) add_word(c, d->value->path, false);
}

// Every name that the body assigns or declares, wherever.
static void collect(Check *c, const Stmt *body) {
  for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
    c->broken |= stmt->kind == STMT_ERROR;
    bool assigned = stmt->kind == STMT_ASSIGN || stmt->kind == STMT_INDEX;
    bool declared = stmt->kind == STMT_PARAM || stmt->kind == STMT_STATE || stmt->kind == STMT_MEMORY;
    if (stmt->kind == STMT_MEMORY) add_size_names(c, stmt->type);
    if (assigned || declared || stmt->kind == STMT_FOR)
      for (const Name *name = stmt->names; name; name = name->next) add_word(c, name, assigned);
    collect(c, stmt->body);
    collect(c, stmt->orelse);
  }
}

// Names inside an `if` that stands for a value are the elaborator's business; they count as known here.
static void collect_expr(Check *c, const Expr *expr) {
  if (!expr) return;
  c->broken |= expr->kind == EXPR_ERROR;
  if (expr->kind == EXPR_IF) {
    collect(c, expr->body);
    collect(c, expr->orelse);
  }
  collect_expr(c, expr->a);
  collect_expr(c, expr->b);
  for (const Expr *item = expr->items; item; item = item->next) collect_expr(c, item);
  for (const Arg *arg = expr->args; arg; arg = arg->next) collect_expr(c, arg->value);
}

static void collect_ifs(Check *c, const Stmt *body) {
  for (const Stmt *stmt = body; stmt; stmt = stmt->next) {
    for (const Expr *v = stmt->value; v; v = v->next) collect_expr(c, v);
    collect_ifs(c, stmt->body);
    collect_ifs(c, stmt->orelse);
  }
}

static void collect_dims(Check *c, const Type *type) {
  for (const TypeDim *d = type ? type->dims : NULL; d; d = d->next)
    if (d->value && d->value->kind == EXPR_PATH && !d->value->path->next) add_word(c, d->value->path, false);
}

static void collect_signature(Check *c, const Decl *decl) {
  for (const Param *p = decl->params; p; p = p->next) {
    for (const Param *q = decl->params; q != p; q = q->next)
      if (!strcmp(q->name->text, p->name->text))
        diag_error(c->sink, DIAG_E0107, p->name->span, "'%s' is declared twice", p->name->text);
    add_word(c, p->name, false);
    collect_dims(c, p->type);
  }
  for (const Type *t = decl->results; t; t = t->next) collect_dims(c, t);
}

static void report_unused(const Check *c, const Word *word) {
  const char **names = arena_array(c->arena, c->words.n, sizeof *names);
  size_t n = 0;
  for (size_t k = c->words.n; k > 0; k--)
    if (c->words.items[k - 1] != word) names[n++] = c->words.items[k - 1]->name->text;
  const char *nearest = text_nearest(word->name->text, names, n);
  Diag *diag =
      diag_error(c->sink, DIAG_E0109, word->name->span, "'%s' is assigned and never used%s%s%s", word->name->text,
                 nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
  if (!nearest) diag_line(c->sink, diag, DIAG_HELP, "'_' takes a value that is not wanted");
}

// Is the name what a body without a value ends with? Then that is the mistake, and it is reported.
static bool ends_with(const Stmt *body, const char *name) {
  const Stmt *last = last_of(body);
  if (!last) return false;
  if (last->kind == STMT_IF) return ends_with(last->body, name) || ends_with(last->orelse, name);
  for (const Name *n = last->names; n; n = n->next)
    if (!strcmp(n->text, name)) return true;
  return false;
}

static void check_value(Check *c, const Decl *decl) {
  const Stmt *last = last_of(decl->body);
  if (gives_value(decl->body)) return;
  const char *kind = decl->kind == DECL_MODEL ? "model" : "fn";
  Diag *diag = diag_error(c->sink, DIAG_E0110, last ? last->span : decl->name->span, "the %s '%s' has no value", kind,
                          decl->name->text);
  if (last && last->kind == STMT_ASSIGN)
    diag_line(c->sink, diag, DIAG_HELP, "a body ends with its value; an assignment has none: end with `%s`",
              last->names->text);
  if (last && last->kind == STMT_UPDATE)
    diag_line(c->sink, diag, DIAG_HELP, "'<-' updates a state; to compare, put a space: 'x < -1'");
}

static void check_body(Check *c, const Decl *decl) {
  c->words = (Words){0};
  c->broken = false;
  collect_signature(c, decl);
  collect(c, decl->body);
  collect_ifs(c, decl->body);
  for (const Param *p = decl->params; p; p = p->next) {
    check_type(c, p->type);
    if (p->fallback) check_expr(c, p->fallback);
  }
  for (const Type *t = decl->results; t; t = t->next) check_type(c, t);
  check_value(c, decl);
  check_block(c, decl->body, true);
  for (size_t k = 0; k < c->words.n && !c->broken; k++) {
    const Word *w = c->words.items[k];
    if (w->assigned && !w->used && !ends_with(decl->body, w->name->text)) report_unused(c, w);
  }
}

void globals_check(Elab *e) {
  Globals *globals = e->globals;
  Check check = {.e = e, .sink = e->sink, .globals = globals, .arena = e->arena};
  for (size_t k = 0; k < globals->n_items; k++) {
    const Decl *decl = globals->items[k].decl;
    if (decl->kind == DECL_FN || decl->kind == DECL_MODEL) check_body(&check, decl);
    check.words = (Words){0};
    if (decl->kind == DECL_CONST) check_expr(&check, decl->value);
  }
}

void globals_check_expr(Elab *e, const Name *known, const Expr *expr) {
  Check check = {.e = e, .sink = e->sink, .globals = e->globals, .arena = e->arena};
  for (; known; known = known->next) add_word(&check, known, false);
  collect_expr(&check, expr);
  check_expr(&check, expr);
}
