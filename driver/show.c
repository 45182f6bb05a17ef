// dlc show: what is built in.
#include "commands.h"
#include "passes.h"
#include "program.h"

#include <string.h>

static int unknown(Session *session, const char *what, const char *name, const char *const *all, size_t count) {
  const char *nearest = text_nearest(name, all, count);
  diag_error(session->sink, DIAG_E0601, SPAN_NONE,
             nearest ? "there is no %s '%s'; did you mean '%s'?" : "there is no %s '%s'", what, name, nearest);
  return STATUS_USAGE;
}

static int show_std(Session *session, const char *name) {
  const char *text = program_std_text(session->arena, name);
  if (!text) {
    int count;
    const char *const *names = program_std_names(session->arena, &count);
    return unknown(session, "function in the standard library called", name, names, (size_t)count);
  }
  text_add(&session->out, text);
  return STATUS_DONE;
}

static int show_ops(Session *session, const char *name) {
  static const char *const class_name[] = {
      [OPC_POINTWISE] = "pointwise", [OPC_SOURCE] = "source", [OPC_INDEX] = "index",
      [OPC_VIEW] = "view",           [OPC_MOVE] = "move",     [OPC_RANDOM] = "random"};
  const char *names[OP_COUNT];
  bool found = false;
  for (Op op = 0; op < OP_COUNT; op++) {
    const OpInfo *info = op_info(op);
    names[op] = info->name;
    if (name && strcmp(name, info->name) != 0) continue;
    found = true;
    text_printf(&session->out, "%-12s %-10s %s\n", info->name, class_name[info->class], info->meaning);
  }
  return found ? STATUS_DONE : unknown(session, "operation", name, names, OP_COUNT);
}

static int show_passes(Session *session, const char *name) {
  const char **names = arena_array(session->arena, (size_t)pass_count, sizeof *names);
  bool found = false;
  for (int k = 0; k < pass_count; k++) {
    const PassInfo *pass = &pass_table[k];
    names[k] = pass->name;
    if (name && strcmp(name, pass->name) != 0) continue;
    found = true;
    text_printf(&session->out, "%-12s %-9s %s\n", pass->name, pass->kind == PASS_DEFINES ? "defines" : "preserves",
                pass->meaning);
  }
  return found ? STATUS_DONE : unknown(session, "pass", name, names, (size_t)pass_count);
}

int command_show(Session *session) {
  static const struct {
    const char *name;
    int (*show)(Session *session, const char *name);
  } kinds[] = {{"std", show_std}, {"ops", show_ops}, {"passes", show_passes}};
  const Options *options = &session->options;
  const char *what = options->operands[0], *name = options->n_operands > 1 ? options->operands[1] : NULL;
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    if (strcmp(kinds[k].name, what) == 0) return kinds[k].show(session, name);
  diag_error(session->sink, DIAG_E0601, SPAN_NONE, "dlc show knows std, ops and passes, not '%s'", what);
  return STATUS_USAGE;
}
