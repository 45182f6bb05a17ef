// Values and scopes: making, comparing, printing.
#include "elab_inside.h"

#include <math.h>
#include <string.h>

Value value_poison(void) { return (Value){.kind = VALUE_POISON}; }
Value value_int(int64_t integer) { return (Value){.kind = VALUE_INT, .integer = integer}; }
Value value_float(double number) { return (Value){.kind = VALUE_FLOAT, .number = number}; }
Value value_bool(bool boolean) { return (Value){.kind = VALUE_BOOL, .boolean = boolean}; }
Value value_string(const char *text) { return (Value){.kind = VALUE_STRING, .text = text}; }
Value value_dim(Dim dim) { return dim_is_const(dim) ? value_int(dim.scale) : (Value){.kind = VALUE_DIM, .dim = dim}; }

// ---- printing ------------------------------------------------------------------------------------------------------

static void print_dim(const Elab *e, Dim dim, Text *out) {
  if (dim.scale != 1) text_printf(out, "%lld*", (long long)dim.scale);
  text_add(out, e->builder.graph->symbols[dim.symbol - 1]);
}

static void print_init(Init init, Text *out) {
  static const char *const names[] = {
      [INIT_ZEROS] = "zeros",
      [INIT_ONES] = "ones",
      [INIT_CONSTANT] = "constant",
      [INIT_NORMAL] = "normal",
      [INIT_UNIFORM] = "uniform",
      [INIT_XAVIER_UNIFORM] = "xavier_uniform",
      [INIT_XAVIER_NORMAL] = "xavier_normal",
      [INIT_KAIMING_UNIFORM] = "kaiming_uniform",
      [INIT_KAIMING_NORMAL] = "kaiming_normal",
      [INIT_ORTHOGONAL] = "orthogonal",
  };
  text_add(out, names[init.kind]);
}

// A number as people write it in a sentence: 2.0, 2.33, 0.00125.
static void print_number(double number, Text *out) {
  if (number == floor(number) && fabs(number) < 1e15) return text_printf(out, "%.1f", number);
  if (fabs(number) < 1 || fabs(number) >= 1e15) return text_printf(out, "%.3g", number);
  size_t start = out->length;
  text_printf(out, "%.2f", number);
  if (out->length > start && out->bytes[out->length - 1] == '0') out->bytes[--out->length] = 0;  // 14.50
}

static void print_items(const Elab *e, Value v, Text *out) {
  text_add(out, "[");
  for (int k = 0; k < v.n; k++) {
    if (k) text_add(out, ", ");
    value_print(e, v.items[k], out);
  }
  text_add(out, "]");
}

void value_print(const Elab *e, Value v, Text *out) {
  switch (v.kind) {
    case VALUE_INT:
      return text_printf(out, "%lld", (long long)v.integer);
    case VALUE_FLOAT:
      return print_number(v.number, out);
    case VALUE_BOOL:
      return text_add(out, v.boolean ? "true" : "false");
    case VALUE_STRING:
      return text_printf(out, v.quoted && e->frame->library ? "\"%s\"" : "%s", v.text);
    case VALUE_WORD:
      return text_add(out, v.text);
    case VALUE_NONE:
      return text_add(out, "none");
    case VALUE_DIM:
      return print_dim(e, v.dim, out);
    case VALUE_LIST:
      return print_items(e, v, out);
    case VALUE_RANGE:
      return text_printf(out, "%lld..%lld", (long long)v.from, (long long)v.to);
    case VALUE_FUNCTION:
      return text_add(out, v.decl->name->text);
    case VALUE_INIT:
      return print_init(v.init, out);
    case VALUE_TENSOR:
      return text_add(out, elab_type_text(e, elab_dtype(e, v), elab_shape(e, v)));
    case VALUE_LAYER:
      return text_add(out, v.layer->call.text);
    case VALUE_FIELD:
      return text_add(out, v.field->name);
    default:
      return text_add(out, "nothing");
  }
}

static const char *described_as(ValueKind kind) {
  switch (kind) {
    case VALUE_INT:
    case VALUE_FLOAT:
      return "the number ";
    case VALUE_STRING:
      return "the text ";
    case VALUE_LIST:
      return "the list ";
    case VALUE_RANGE:
      return "the range ";
    case VALUE_DIM:
      return "the open size ";
    case VALUE_WORD:
      return "the word ";
    case VALUE_FUNCTION:
      return "the function ";
    case VALUE_INIT:
      return "the initialiser ";
    case VALUE_LAYER:
      return "the layer ";
    case VALUE_FIELD:
      return "the field ";
    case VALUE_TENSOR:
      return "the tensor ";
    default:
      return "";
  }
}

const char *value_describe(const Elab *e, Value v) {
  if (v.kind == VALUE_TUPLE) return arena_printf(e->arena, "%d values", v.n);
  Text out = text_new(e->arena);
  text_add(&out, described_as(v.kind));
  if (v.kind == VALUE_STRING)
    text_add_quoted(&out, v.text);
  else
    value_print(e, v, &out);
  return out.bytes;
}

// ---- equality ------------------------------------------------------------------------------------------------------

static const char *name_of(Value v) {
  if (v.kind == VALUE_WORD) return v.text;
  return v.kind == VALUE_FUNCTION ? v.decl->name->text : NULL;
}

static bool is_number(Value v) { return v.kind == VALUE_INT || v.kind == VALUE_FLOAT; }
static double number_of(Value v) { return v.kind == VALUE_INT ? (double)v.integer : v.number; }

static bool lists_equal(Value a, Value b, bool *equal) {
  *equal = a.n == b.n;
  for (int k = 0; *equal && k < a.n; k++)
    if (!value_equal(a.items[k], b.items[k], equal)) return false;
  return true;
}

static bool same_kind_equal(Value a, Value b, bool *equal) {
  switch (a.kind) {
    case VALUE_INT:
      *equal = a.integer == b.integer;
      return true;
    case VALUE_BOOL:
      *equal = a.boolean == b.boolean;
      return true;
    case VALUE_STRING:
      *equal = !strcmp(a.text, b.text);
      return true;
    case VALUE_DIM:
      *equal = dim_equal(a.dim, b.dim);
      return true;
    case VALUE_RANGE:
      *equal = a.from == b.from && a.to == b.to;
      return true;
    case VALUE_INIT:
      *equal = a.init.kind == b.init.kind;
      return true;
    case VALUE_LIST:
      return lists_equal(a, b, equal);
    default:
      return false;
  }
}

static bool is_compile_time(Value v) {
  return v.kind != VALUE_TENSOR && v.kind != VALUE_FIELD && v.kind != VALUE_LAYER && v.kind != VALUE_TUPLE &&
         v.kind != VALUE_NOTHING && v.kind != VALUE_POISON;
}

bool value_equal(Value a, Value b, bool *equal) {
  *equal = false;
  if (a.kind == VALUE_NONE || b.kind == VALUE_NONE) {
    *equal = a.kind == b.kind;
    return true;
  }
  if (!is_compile_time(a) || !is_compile_time(b)) return false;
  if (name_of(a) && name_of(b)) {
    *equal = !strcmp(name_of(a), name_of(b));
    return true;
  }
  if (is_number(a) && is_number(b) && (a.kind == VALUE_FLOAT || b.kind == VALUE_FLOAT)) {
    *equal = number_of(a) == number_of(b);
    return true;
  }
  return a.kind != b.kind || same_kind_equal(a, b, equal);
}

// ---- scopes --------------------------------------------------------------------------------------------------------

Scope *scope_new(Arena *arena, Scope *outer) {
  Scope *scope = arena_alloc(arena, sizeof *scope);
  *scope = (Scope){.arena = arena, .outer = outer};
  return scope;
}

enum { SEARCHED = 8 };  // so many bindings are looked through; more have a table

Binding *scope_own(const Scope *scope, const char *name) {
  if (scope->n_bindings > SEARCHED) {
    int place = hash_find(&scope->by_name, hash_text(name));
    return place < 0 ? NULL : scope->bindings[place];
  }
  for (size_t k = 0; k < scope->n_bindings; k++)
    if (strcmp(scope->bindings[k]->name, name) == 0) return scope->bindings[k];
  return NULL;
}

// A binding was added: into the table, all of them where it is the first that has one.
static void scope_list(Scope *scope) {
  if (scope->n_bindings <= SEARCHED) return;
  for (size_t k = scope->n_bindings == SEARCHED + 1 ? 0 : scope->n_bindings - 1; k < scope->n_bindings; k++)
    hash_add(scope->arena, &scope->by_name, hash_text(scope->bindings[k]->name), (int)k);
}

Binding *scope_find(Scope *scope, const char *name) {
  for (; scope; scope = scope->outer) {
    Binding *found = scope_own(scope, name);
    if (!found) continue;
    found->used = true;
    return found;
  }
  return NULL;
}

Binding *scope_define(Scope *scope, const char *name, Span span, Value value) {
  Binding *found = scope_own(scope, name);
  if (found) {
    found->value = value;
    return found;
  }
  Binding *made = arena_alloc(scope->arena, sizeof *made);
  *made = (Binding){.name = name, .value = value, .span = span};
  scope->bindings =
      arena_grow(scope->arena, scope->bindings, scope->n_bindings, &scope->capacity, sizeof *scope->bindings);
  scope->bindings[scope->n_bindings++] = made;
  scope_list(scope);
  return made;
}

void scope_assign(Scope *scope, const char *name, Span span, Value value) {
  for (Scope *s = scope; s; s = s->outer) {
    Binding *found = scope_own(s, name);
    if (!found) continue;
    found->value = value;
    return;
  }
  scope_define(scope, name, span, value);
}
