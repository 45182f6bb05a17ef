// Initialisers: the words and calls after `param w: ... =`.
#include "elab_inside.h"

#include <math.h>
#include <string.h>

// Options of an initialiser, in the order in which they may be given without a name.
typedef struct InitRow {
  const char *name;
  InitKind kind;
  const char *option[2];
  double preset[2];  // NAN: must be given
} InitRow;

static const InitRow rows[] = {
    {"zeros", INIT_ZEROS, {NULL}, {0}},
    {"ones", INIT_ONES, {NULL}, {0}},
    {"constant", INIT_CONSTANT, {"v"}, {NAN}},
    {"normal", INIT_NORMAL, {"std"}, {0.01}},
    {"uniform", INIT_UNIFORM, {"a", "b"}, {NAN, NAN}},
    {"xavier_uniform", INIT_XAVIER_UNIFORM, {"fan_in", "fan_out"}, {0, 0}},
    {"xavier_normal", INIT_XAVIER_NORMAL, {"fan_in", "fan_out"}, {0, 0}},
    {"kaiming_uniform", INIT_KAIMING_UNIFORM, {"fan_in"}, {0}},
    {"kaiming_normal", INIT_KAIMING_NORMAL, {"fan_in"}, {0}},
    {"orthogonal", INIT_ORTHOGONAL, {NULL}, {0}},
};
enum { N_ROWS = sizeof rows / sizeof *rows };
_Static_assert((int)N_ROWS <= (int)INIT_MOST_NAMES, "init_add_names fills the caller's array");

static const InitRow *find_row(const char *name) {
  for (int k = 0; k < N_ROWS; k++)
    if (!strcmp(rows[k].name, name)) return &rows[k];
  return NULL;
}

size_t init_add_names(const char **names) {
  for (int k = 0; k < N_ROWS; k++) names[k] = rows[k].name;
  return N_ROWS;
}

bool init_is_name(const char *name) { return find_row(name) != NULL; }

// Values in the order of the row's options become the Init.
static Init init_from_options(const InitRow *row, const double *v) {
  Init init = {.kind = row->kind};
  bool fans = row->option[0] && !strcmp(row->option[0], "fan_in");
  if (fans) {
    init.fan_in = (int64_t)v[0];
    init.fan_out = (int64_t)v[1];
  } else if (row->kind == INIT_NORMAL) {
    init.b = v[0];
  } else {
    init.a = v[0];
    init.b = v[1];
  }
  return init;
}

bool init_by_name(const char *name, Value *v) {
  const InitRow *row = find_row(name);
  if (!row || isnan(row->preset[0])) return false;
  *v = (Value){.kind = VALUE_INIT, .init = init_from_options(row, row->preset)};
  return true;
}

static int option_place(const InitRow *row, const CallArg *arg, int position) {
  if (!arg->name) return position < 2 && row->option[position] ? position : -1;
  for (int k = 0; k < 2; k++)
    if (row->option[k] && !strcmp(row->option[k], arg->name)) return k;
  return -1;
}

static bool report_option(Elab *e, const InitRow *row, const CallArg *arg, Span span) {
  if (!arg->name)
    elab_error(e, DIAG_E0103, span, "%s has too many arguments", row->name);
  else if (!row->option[0])
    elab_error(e, DIAG_E0102, span, "%s has no option '%s'; it has none", row->name, arg->name);
  else
    elab_error(e, DIAG_E0102, span, "%s has no option '%s'; its options are %s%s%s", row->name, arg->name,
               row->option[0], row->option[1] ? ", " : "", row->option[1] ? row->option[1] : "");
  return false;
}

static bool option_value(Elab *e, const InitRow *row, int place, Value v, Span span, double *result) {
  bool fan = !strncmp(row->option[place], "fan", 3);
  if (v.kind == VALUE_INT && (!fan || v.integer > 0)) return *result = (double)v.integer, true;
  if (v.kind == VALUE_FLOAT && !fan) return *result = v.number, true;
  elab_error(e, DIAG_E0105, span, "%s: '%s' must be a %s, but it is %s", row->name, row->option[place],
             fan ? "positive whole number" : "number", value_describe(e, v));
  return false;
}

Value init_call(Elab *e, const char *name, const CallArg *args, int n_args, Span span) {
  const InitRow *row = find_row(name);
  double v[2] = {row->preset[0], row->preset[1]};
  int position = 0;
  for (int k = 0; k < n_args; k++) {
    int place = option_place(row, &args[k], position);
    position += !args[k].name;
    if (place < 0 ? !report_option(e, row, &args[k], span)
                  : !option_value(e, row, place, args[k].value, span, &v[place]))
      return value_poison();
  }
  for (int k = 0; k < 2; k++)
    if (row->option[k] && isnan(v[k])) {
      elab_error(e, DIAG_E0104, span, "%s: '%s' is missing", name, row->option[k]);
      return value_poison();
    }
  return (Value){.kind = VALUE_INIT, .init = init_from_options(row, v)};
}

bool init_from_value(Elab *e, Value v, Span span, Init *init) {
  if (value_is_poison(v)) return false;
  if (v.kind == VALUE_INIT) return *init = v.init, true;
  if (v.kind == VALUE_INT) v = value_float((double)v.integer);
  if (v.kind == VALUE_FLOAT) return *init = (Init){.kind = INIT_CONSTANT, .a = v.number}, true;
  Diag *diag = elab_error(e, DIAG_E0304, span, "an initialiser is needed here, but this is %s", value_describe(e, v));
  diag_line(e->sink, diag, DIAG_HELP, "zeros, ones, normal(std = 0.01), kaiming_normal and the like, or a number");
  return false;
}
