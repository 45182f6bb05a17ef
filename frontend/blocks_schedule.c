// Schedules of the learning rate: warmup(5) >> cosine(to = 0). Lengths are in epochs, or in steps where `steps = n` is
// given.
#include <math.h>
#include <string.h>

#include "blocks_keys.h"

// What a piece takes, in order; `length` is epochs = n or steps = n, as the last two.
typedef struct ScheduleRow {
  const char *name;
  ScheduleKind kind;
  OptionRule rules[4];
  int n_rules;
} ScheduleRow;

#define FRACTION(name, required) {name, OPTION_NUMBER, required, 0, 1}
#define FACTOR(name) {name, OPTION_NUMBER, true, 0, INFINITY}
#define EPOCHS(name) {name, OPTION_NUMBER, false, 1e-9, INFINITY}
#define STEPS {"steps", OPTION_WHOLE, false, 1, INFINITY}

static const ScheduleRow schedules[] = {
    {"constant", SCHEDULE_CONSTANT, {EPOCHS("epochs"), STEPS}, 2},
    {"warmup", SCHEDULE_WARMUP, {EPOCHS("epochs"), STEPS}, 2},
    {"step", SCHEDULE_STEP, {EPOCHS("every"), FACTOR("factor"), EPOCHS("epochs"), STEPS}, 4},
    {"cosine", SCHEDULE_COSINE, {FRACTION("to", false), EPOCHS("epochs"), STEPS}, 3},
    {"linear", SCHEDULE_LINEAR, {FRACTION("to", true), EPOCHS("epochs"), STEPS}, 3},
    {"exponential", SCHEDULE_EXPONENTIAL, {FACTOR("rate"), EPOCHS("epochs"), STEPS}, 3},
    {"plateau", SCHEDULE_PLATEAU, {{"patience", OPTION_WHOLE, true, 1, INFINITY}, FACTOR("factor")}, 2},
};
enum { SCHEDULES = sizeof schedules / sizeof *schedules };

static const ScheduleRow *find_schedule(const char *name) {
  for (size_t k = 0; name && k < SCHEDULES; k++)
    if (strcmp(schedules[k].name, name) == 0) return &schedules[k];
  return NULL;
}

static RunLength length_of(const OptionValue *epochs, const OptionValue *steps) {
  return steps->given ? (RunLength){steps->number, true} : (RunLength){epochs->given ? epochs->number : 0, false};
}

static bool one_of_two(Program *p, const Expr *value, const OptionValue *a, const OptionValue *b, const char *name) {
  if (!a->given || !b->given) return true;
  diag_error(p->sink, DIAG_E0103, value->span, "%s takes one of '%s' and 'steps'", value->path->text, name);
  return false;
}

// step(every, factor) counts in epochs, step(steps = n, factor = f) in steps.
static bool fill_step(Program *p, const Expr *value, const OptionValue *v, SchedulePiece *piece) {
  if (v[0].given == v[3].given) {
    diag_error(p->sink, DIAG_E0104, value->span, "step takes one of 'every' (epochs) and 'steps'");
    return false;
  }
  piece->every = length_of(&v[0], &v[3]);
  piece->factor = v[1].number;
  piece->length = (RunLength){v[2].given ? v[2].number : 0, false};
  return true;
}

static bool fill_piece(Program *p, const Expr *value, const ScheduleRow *row, const OptionValue *v,
                       SchedulePiece *piece) {
  int n = row->n_rules;
  *piece = (SchedulePiece){.kind = row->kind};
  if (row->kind == SCHEDULE_STEP) return fill_step(p, value, v, piece);
  if (row->kind == SCHEDULE_PLATEAU) {
    piece->patience = v[0].whole;
    piece->factor = v[1].number;
    return true;
  }
  piece->length = length_of(&v[n - 2], &v[n - 1]);
  if (row->kind == SCHEDULE_EXPONENTIAL)
    piece->factor = v[0].number;
  else
    piece->to = n == 3 && v[0].given ? v[0].number : 0;
  return one_of_two(p, value, &v[n - 2], &v[n - 1], "epochs");
}

// All pieces but the last must end; a warmup must anyway.
static bool check_length(Program *p, const Expr *value, const SchedulePiece *piece, bool is_last) {
  bool endless = piece->length.count == 0;
  if (!endless || (is_last && piece->kind != SCHEDULE_WARMUP)) return true;
  const char *name = value->path->text;
  if (piece->kind == SCHEDULE_PLATEAU) {
    diag_error(p->sink, DIAG_E0156, value->span, "nothing can follow a plateau: it lasts to the end of the run");
    return false;
  }
  Diag *diag =
      diag_error(p->sink, DIAG_E0104, value->span,
                 is_last ? "%s: how long it lasts is missing" : "%s: how long it lasts before '>>' is missing", name);
  diag_line(p->sink, diag, DIAG_HELP, "%s(epochs = 5)%s", name, piece->kind == SCHEDULE_STEP ? "" : ", or steps = n");
  return false;
}

static bool read_piece(Program *p, Scope *scope, const Expr *value, TrainSpec *spec, bool is_last) {
  const ScheduleRow *row = find_schedule(blocks_head(value));
  if (!row) {
    const char *names[SCHEDULES];
    for (size_t k = 0; k < SCHEDULES; k++) names[k] = schedules[k].name;
    return blocks_report_unknown(p, value, "schedule", names, SCHEDULES);
  }
  ScheduleSpec *s = &spec->schedule;
  if (s->n == SCHEDULE_MOST) {
    diag_error(p->sink, DIAG_E0156, value->span, "a schedule has at most %d pieces", SCHEDULE_MOST);
    return false;
  }
  OptionValue v[4];
  SchedulePiece *piece = &s->piece[s->n];
  if (!blocks_bind(p, scope, value, row->rules, row->n_rules, v) || !fill_piece(p, value, row, v, piece)) return false;
  s->n++;
  if (piece->kind == SCHEDULE_PLATEAU) spec->plateau.patience = piece->patience;
  return check_length(p, value, piece, is_last);
}

static bool read_pieces(Program *p, Scope *scope, const Expr *value, TrainSpec *spec, bool is_last) {
  if (value->kind != EXPR_BINARY || value->op != AST_JOIN) return read_piece(p, scope, value, spec, is_last);
  bool first = read_pieces(p, scope, value->a, spec, false);
  return read_pieces(p, scope, value->b, spec, is_last) && first;
}

bool read_schedule(Program *p, Scope *scope, const Expr *value, TrainSpec *spec) {
  spec->schedule.n = 0;
  return read_pieces(p, scope, value, spec, true);
}
