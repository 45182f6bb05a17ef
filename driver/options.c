// The table of options and its reader.
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "checked.h"

typedef enum ArgKind {
  ARG_FLAG,     // bool, takes no value
  ARG_TEXT,     // const char *, not empty
  ARG_COUNT,    // int64_t, at least 1
  ARG_BYTES,    // int64_t, at least 1, with K, M, G or T for powers of 1024
  ARG_SECONDS,  // double, above 0
  ARG_SEED,     // uint64_t; sets has_seed
  ARG_SETTING   // name=value, added to settings
} ArgKind;

typedef struct Row {
  OptionInfo info;
  ArgKind kind;
  size_t field;         // of Options
  const char *choices;  // the only values of a ARG_TEXT, separated by '|', or NULL
} Row;

// Commands by what they do with a program.
#define COMPILING "compile dump bench explain train eval predict grad search doctor build"
#define PROGRAM COMPILING " check init graph export"
#define FIELD(member) offsetof(Options, member)

static const Row rows[] = {
    {{"model", 0, "NAME", PROGRAM, "which model, where the file has several"}, ARG_TEXT, FIELD(model), NULL},
    {{"set", 0, "NAME=VALUE", PROGRAM " import", "a hyperparameter or a key of the train block"}, ARG_SETTING, 0, NULL},
    {{"batch", 0, "N", COMPILING " check", "rows at a time (default: the train block's, else 1)"},
     ARG_COUNT,
     FIELD(batch),
     NULL},
    {{"data", 0, "DIR", "train eval predict search report doctor",
      "where data files are (default: DLC_DATA, else beside the program)"},
     ARG_TEXT,
     FIELD(data),
     NULL},
    {{"seed", 0, "S", "train init grad bench explain search doctor build", "of every random number (default 0)"},
     ARG_SEED,
     FIELD(seed),
     NULL},
    {{"threads", 0, "N", COMPILING " report", "how many to use (default: every core)"},
     ARG_COUNT,
     FIELD(threads),
     NULL},

    {{"out", 0, "DIR", "train", "the run directory (default: runs/MODEL-TIME)"}, ARG_TEXT, FIELD(out), NULL},
    {{"resume", 0, "DIR", "train", "go on with the run in this directory"}, ARG_TEXT, FIELD(resume), NULL},
    {{"epochs", 0, "N", "train search", "how often to go through the training split"}, ARG_COUNT, FIELD(epochs), NULL},
    {{"steps", 0, "N", "train search", "updates in total, instead of epochs"}, ARG_COUNT, FIELD(steps), NULL},
    {{"log", 0, "FILE", "train", "write the log there as well"}, ARG_TEXT, FIELD(log), NULL},
    {{"freeze", 0, "PATTERN", "train build", "parameters that stay as they are: 'lenet5.conv2d_*'"},
     ARG_TEXT,
     FIELD(freeze),
     NULL},
    {{"weights", 0, "W.safetensors", "train eval predict grad build export", "the parameters, by name"},
     ARG_TEXT,
     FIELD(weights),
     NULL},
    {{"split", 0, "NAME", "eval predict report", "which split of the data (default: test; predict: none)"},
     ARG_TEXT,
     FIELD(split),
     NULL},
    {{"input", 0, "NAME=X.npy,..", "predict grad import", "the model's inputs; import: those to hold fixed"},
     ARG_TEXT,
     FIELD(input),
     NULL},
    {{"output", 'o', "FILE", "predict init grad graph report search fmt build import export",
      "where the result goes; predict: y.npy or a=a.npy,b=b.npy; build, import: NAME of the files"},
     ARG_TEXT,
     FIELD(output),
     NULL},
    {{"at", 0, "X=-2,Y=5", "grad", "the point at which to differentiate"}, ARG_TEXT, FIELD(at), NULL},
    {{"cotangent", 0, "C.npy", "grad", "what to multiply the output with (default: ones)"},
     ARG_TEXT,
     FIELD(cotangent),
     NULL},
    {{"check", 0, NULL, "grad fmt", "grad --at: compare with central differences; fmt: write nothing"},
     ARG_FLAG,
     FIELD(check),
     NULL},
    {{"dot", 0, NULL, "grad", "with --at: print the graph in Graphviz's language instead"}, ARG_FLAG, FIELD(dot), NULL},
    {{"jacobian", 0, NULL, "grad", "with --at: print the Jacobian of each result by each input"},
     ARG_FLAG,
     FIELD(jacobian),
     NULL},
    {{"depth", 0, "N", "graph", "open the user's own functions this deep (default 1: none)"},
     ARG_COUNT,
     FIELD(depth),
     NULL},
    {{"oracle", 0, NULL, "grad", "compute in double, without compiled code"}, ARG_FLAG, FIELD(oracle), NULL},

    {{"emit", 0, "FORM", "build", "obj (default), static or shared: a library; llvm or asm: its text"},
     ARG_TEXT,
     FIELD(emit),
     "obj|static|shared|llvm|asm"},
    {{"target", 0, "MACHINE", "build", "x86_64, aarch64, riscv64 or arm (default: this machine)"},
     ARG_TEXT,
     FIELD(target),
     NULL},
    {{"train", 0, NULL, "build", "the library can train, with the train block's loss and optimizer"},
     ARG_FLAG,
     FIELD(train),
     NULL},

    {{"stage", 0, "STAGE", "dump", "tokens, ast, ir, grad, fused, loops, plan, llvm or asm"},
     ARG_TEXT,
     FIELD(stage),
     "tokens|ast|ir|grad|fused|loops|plan|llvm|asm"},
    {{"mode", 0, "train|infer", "compile dump bench explain", "which version of the network"},
     ARG_TEXT,
     FIELD(mode),
     "train|infer"},
    {{"passes", 0, "A,B,C", "opt " COMPILING, "run these passes only; -A,-B: all but these"},
     ARG_TEXT,
     FIELD(passes),
     NULL},
    {{"no-fuse", 0, NULL, COMPILING, "one kernel for each operation"}, ARG_FLAG, FIELD(no_fuse), NULL},
    {{"conv", 0, "auto|direct", COMPILING, "auto: 3x3 of stride 1 by Winograd where it pays"},
     ARG_TEXT,
     FIELD(conv),
     "auto|direct"},
    {{"numerics", 0, "strict|fast", COMPILING, "strict: the same bits on any machine"},
     ARG_TEXT,
     FIELD(numerics),
     "strict|fast"},
    {{"cpu", 0, "CPU", COMPILING, "native (default), x86-64, x86-64-v3, ..; build: several, the CPU chooses"},
     ARG_TEXT,
     FIELD(cpu),
     NULL},
    {{"memory-limit", 0, "SIZE", COMPILING " check", "refuse a plan above this: 512M, 2G"},
     ARG_BYTES,
     FIELD(memory_limit),
     NULL},

    {{"seconds", 0, "S", "bench explain", "how long to measure"}, ARG_SECONDS, FIELD(seconds), NULL},
    {{"profile", 0, NULL, "bench", "show each kernel's time"}, ARG_FLAG, FIELD(profile), NULL},
    {{"json", 0, NULL, "compile eval bench grad search doctor import", "print JSON"}, ARG_FLAG, FIELD(json), NULL},
    {{"man", 0, NULL, "help", "the whole help as a manual page (roff)"}, ARG_FLAG, FIELD(man), NULL},
    {{"completion", 0, NULL, "help", "what bash completes after dlc, to be sourced"},
     ARG_FLAG,
     FIELD(completion),
     NULL},
    {{"quiet", 0, NULL, "*", "no progress, no warnings"}, ARG_FLAG, FIELD(quiet), NULL},
    {{"help", 'h', NULL, "*", "show the command's help"}, ARG_FLAG, FIELD(help), NULL},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

// Taken by every command that takes a program, also where they change nothing: what holds for one command of a script
// holds for the next. Help names them where they matter.
static const char common[] = "model set batch data seed threads passes no-fuse conv numerics cpu memory-limit";

int options_count(void) { return ROWS; }
OptionInfo options_info(int option) { return rows[option].info; }
const char *options_choices(int option) { return rows[option].choices; }

// Is `word` one of the words of a list separated by `separator`?
static bool list_has(const char *list, char separator, const char *word, size_t length) {
  for (const char *at = list; at; at = strchr(at, separator) ? strchr(at, separator) + 1 : NULL)
    if (strncmp(at, word, length) == 0 && (at[length] == separator || at[length] == '\0')) return true;
  return false;
}

bool options_takes(int option, const char *command) {
  const char *commands = rows[option].info.commands;
  return strcmp(commands, "*") == 0 || list_has(commands, ' ', command, strlen(command));
}

// ---- values ---------------------------------------------------------------------------------------------------------

static bool read_whole(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return errno == 0 && end != text && *end == '\0';
}

static bool read_count(const char *text, int64_t *value) { return read_whole(text, value) && *value >= 1; }

static bool read_seed(const char *text, uint64_t *value) {
  char *end;
  errno = 0;
  *value = strtoull(text, &end, 10);
  return errno == 0 && text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

static bool read_bytes(const char *text, int64_t *value) {
  static const char units[] = "KMGT";
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  if (errno || end == text || *value < 1) return false;
  const char *unit = *end ? strchr(units, *end) : NULL;
  if (*end && !unit) return false;
  if (unit && !checked_mul(*value, (int64_t)1 << (10 * (unit - units + 1)), value)) return false;
  return !unit || end[1] == '\0' || strcmp(end + 1, "B") == 0 || strcmp(end + 1, "iB") == 0;
}

static bool read_seconds(const char *text, double *value) {
  char *end;
  *value = strtod(text, &end);
  return end != text && *end == '\0' && *value > 0 && isfinite(*value);
}

static bool read_setting(Arena *arena, const char *text, Options *options) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text || equals[1] == '\0') return false;
  Setting *all = arena_array(arena, (size_t)options->n_settings + 1, sizeof *all);
  if (options->n_settings) memcpy(all, options->settings, (size_t)options->n_settings * sizeof *all);
  all[options->n_settings++] = (Setting){arena_strndup(arena, text, (size_t)(equals - text)), equals + 1};
  options->settings = all;
  return true;
}

static bool read_text(const char *choices, const char *text) {
  return *text != '\0' && (!choices || list_has(choices, '|', text, strlen(text)));
}

static bool read_value(Arena *arena, const Row *row, const char *text, Options *options) {
  void *field = (char *)options + row->field;
  switch (row->kind) {
    case ARG_FLAG:
      return *(bool *)field = true;
    case ARG_TEXT:
      return *(const char **)field = text, read_text(row->choices, text);
    case ARG_COUNT:
      return read_count(text, field);
    case ARG_BYTES:
      return read_bytes(text, field);
    case ARG_SECONDS:
      return read_seconds(text, field);
    case ARG_SEED:
      return options->has_seed = true, read_seed(text, field);
    case ARG_SETTING:
      return read_setting(arena, text, options);
  }
  return false;
}

static const char *wanted(Arena *arena, const Row *row) {
  switch (row->kind) {
    case ARG_COUNT:
      return "a whole number from 1 up";
    case ARG_BYTES:
      return "a size like 512M or 2G";
    case ARG_SECONDS:
      return "a number of seconds above 0";
    case ARG_SEED:
      return "a whole number from 0 up";
    case ARG_SETTING:
      return "NAME=VALUE";
    case ARG_TEXT:
      return row->choices ? arena_printf(arena, "one of %s", row->choices) : row->info.value;
    case ARG_FLAG:
      break;
  }
  return "no value";
}

// ---- the arguments --------------------------------------------------------------------------------------------------

typedef struct Reader {
  Arena *arena;
  DiagSink *sink;
  const char *command;
  char *const *argv;
  int argc, next;
  bool given[ROWS];
  Options *options;
  const char **operands;
} Reader;

static const Row *find_row(const char *name, size_t length) {
  for (int k = 0; k < ROWS; k++)
    if (strlen(rows[k].info.name) == length && memcmp(rows[k].info.name, name, length) == 0) return &rows[k];
  return NULL;
}

static bool is_common(const Row *row, const char *command) {
  return list_has(common, ' ', row->info.name, strlen(row->info.name)) &&
         list_has(PROGRAM, ' ', command, strlen(command));
}

static const Row *find_letter(char letter) {
  for (int k = 0; k < ROWS; k++)
    if (rows[k].info.letter && rows[k].info.letter == letter) return &rows[k];
  return NULL;
}

static bool report_unknown(Reader *r, const char *name) {
  const char *candidates[ROWS];
  size_t n = 0;
  for (int k = 0; k < ROWS; k++)
    if (options_takes(k, r->command)) candidates[n++] = rows[k].info.name;
  const char *nearest = text_nearest(name, candidates, n);
  Diag *diag = diag_error(r->sink, DIAG_E0601, SPAN_NONE,
                          nearest ? "dlc %s has no option --%s; did you mean --%s?" : "dlc %s has no option --%s",
                          r->command, name, nearest);
  diag_line(r->sink, diag, DIAG_HELP, "dlc help %s lists its options", r->command);
  return false;
}

static bool report_foreign(Reader *r, const Row *row) {
  Diag *diag = diag_error(r->sink, DIAG_E0601, SPAN_NONE, "dlc %s does not take --%s", r->command, row->info.name);
  diag_line(r->sink, diag, DIAG_NOTE, "--%s belongs to: %s", row->info.name, row->info.commands);
  return false;
}

// One option whose row is known; `value` is what stood after '=', or NULL.
static bool read_option(Reader *r, const Row *row, const char *value) {
  const char *name = row->info.name;
  if (!options_takes((int)(row - rows), r->command) && !is_common(row, r->command)) return report_foreign(r, row);
  if (r->given[row - rows] && row->kind != ARG_SETTING)
    return diag_error(r->sink, DIAG_E0601, SPAN_NONE, "--%s is given twice", name), false;
  r->given[row - rows] = true;
  if (row->kind == ARG_FLAG && value)
    return diag_error(r->sink, DIAG_E0601, SPAN_NONE, "--%s takes no value", name), false;
  if (row->kind != ARG_FLAG && !value) {
    if (r->next == r->argc)
      return diag_error(r->sink, DIAG_E0601, SPAN_NONE, "--%s needs a value: %s", name, wanted(r->arena, row)), false;
    value = r->argv[r->next++];
  }
  if (read_value(r->arena, row, value, r->options)) return true;
  diag_error(r->sink, DIAG_E0601, SPAN_NONE, "--%s takes %s, not '%s'", name, wanted(r->arena, row), value);
  return false;
}

static bool read_long(Reader *r, const char *name) {
  size_t length = strcspn(name, "=");
  const Row *row = find_row(name, length);
  if (!row) return report_unknown(r, arena_strndup(r->arena, name, length));
  return read_option(r, row, name[length] ? name + length + 1 : NULL);
}

static bool read_short(Reader *r, const char *text) {
  const Row *row = text[1] && !text[2] ? find_letter(text[1]) : NULL;
  if (row) return read_option(r, row, NULL);
  const Row *same = find_row(text + 1, strlen(text + 1));
  Diag *diag = diag_error(r->sink, DIAG_E0601, SPAN_NONE, "dlc %s has no option %s", r->command, text);
  if (same) diag_line(r->sink, diag, DIAG_HELP, "long options have two dashes: --%s", same->info.name);
  return false;
}

bool options_read(Arena *arena, DiagSink *sink, const char *command, int argc, char *const *argv, Options *options) {
  *options = (Options){.cpu = "native", .conv = "auto"};
  Reader r = {.arena = arena, .sink = sink, .command = command, .argv = argv, .argc = argc, .options = options};
  r.operands = arena_array(arena, (size_t)argc, sizeof *r.operands);
  bool ok = true, only_operands = false;
  while (r.next < argc) {
    const char *text = argv[r.next++];
    if (only_operands || text[0] != '-' || text[1] == '\0')
      r.operands[options->n_operands++] = text;
    else if (strcmp(text, "--") == 0)
      only_operands = true;
    else
      ok &= text[1] == '-' ? read_long(&r, text + 2) : read_short(&r, text);
  }
  options->operands = r.operands;
  return ok;
}
