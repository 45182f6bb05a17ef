// Walking and rewriting expressions of blocks. Trees are at most AST_MAX_DEPTH levels deep.
#include "blocks.h"

#include <string.h>

static bool each_stmt(const Stmt *body, bool (*visit)(void *state, const Expr *expr), void *state);

static bool each_in_list(const Expr *list, bool (*visit)(void *state, const Expr *expr), void *state) {
  for (; list; list = list->next)
    if (!expr_each(list, visit, state)) return false;
  return true;
}

bool expr_each(const Expr *expr, bool (*visit)(void *state, const Expr *expr), void *state) {
  if (!visit(state, expr)) return false;
  if (expr->a && !expr_each(expr->a, visit, state)) return false;
  if (expr->b && !expr_each(expr->b, visit, state)) return false;
  for (const Arg *arg = expr->args; arg; arg = arg->next)
    if (!expr_each(arg->value, visit, state)) return false;
  return each_in_list(expr->items, visit, state) && each_stmt(expr->body, visit, state) &&
         each_stmt(expr->orelse, visit, state);
}

static bool each_stmt(const Stmt *body, bool (*visit)(void *state, const Expr *expr), void *state) {
  for (; body; body = body->next) {
    if (!each_in_list(body->value, visit, state)) return false;
    if (!each_stmt(body->body, visit, state) || !each_stmt(body->orelse, visit, state)) return false;
  }
  return true;
}

static bool is_not_name(void *state, const Expr *expr) {
  bool names = (expr->kind == EXPR_PATH || expr->kind == EXPR_CALL) && expr->path;
  return !names || strcmp(expr->path->text, state) != 0;
}

bool expr_uses(const Expr *expr, const char *name) { return !expr_each(expr, is_not_name, (void *)name); }

bool items_broken(const Item *items) {
  for (; items; items = items->next)
    if (items->broken || items_broken(items->items)) return true;
  return false;
}

// ---- rewriting ------------------------------------------------------------------------------------------------------

static Expr *rewrite_list(Arena *arena, const Expr *list, ExprSwap swap, void *state) {
  Expr *first = NULL, **at = &first;
  for (; list; list = list->next) {
    *at = expr_rewrite(arena, list, swap, state);
    at = &(*at)->next;
  }
  return first;
}

static Arg *rewrite_args(Arena *arena, const Arg *args, ExprSwap swap, void *state) {
  Arg *first = NULL, **at = &first;
  for (; args; args = args->next) {
    *at = arena_alloc(arena, sizeof **at);
    **at = *args;
    (*at)->value = expr_rewrite(arena, args->value, swap, state);
    at = &(*at)->next;
  }
  return first;
}

Expr *expr_rewrite(Arena *arena, const Expr *expr, ExprSwap swap, void *state) {
  const Expr *other = swap(state, expr);
  Expr *copy = arena_alloc(arena, sizeof *copy);
  *copy = other ? *other : *expr;
  copy->next = NULL;
  if (other) return copy;
  if (expr->a) copy->a = expr_rewrite(arena, expr->a, swap, state);
  if (expr->b) copy->b = expr_rewrite(arena, expr->b, swap, state);
  copy->items = rewrite_list(arena, expr->items, swap, state);
  copy->args = rewrite_args(arena, expr->args, swap, state);
  return copy;
}

typedef struct Replacement {
  const Expr *old, *new;
} Replacement;

static const Expr *swap_one(void *state, const Expr *expr) {
  const Replacement *r = state;
  return expr == r->old ? r->new : NULL;
}

Expr *expr_replace(Arena *arena, const Expr *expr, const Expr *old, const Expr *new) {
  Replacement replacement = {old, new};
  return expr_rewrite(arena, expr, swap_one, &replacement);
}

Expr *expr_name(Arena *arena, const char *name, Span span) {
  Expr *expr = arena_alloc(arena, sizeof *expr);
  Name *path = arena_alloc(arena, sizeof *path);
  *path = (Name){.text = name, .span = span};
  *expr = (Expr){.kind = EXPR_PATH, .span = span, .depth = 1, .path = path};
  return expr;
}
