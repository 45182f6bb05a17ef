// Which machine a library is for, and which levels of x86-64. Code is compiled for a level, never for one model's own
// instructions, so that what the library asks the CPU for when it is opened is all that it needs.
#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <pthread.h>
#include <string.h>

#include "build_targets.h"
#include "target.h"

typedef struct Row {
  const char *name, *triple, *cpu, *features;
  int vector_floats, registers;
  bool has_fma;
  const char *runtime;
  const size_t *runtime_bytes;
} Row;

#define TARGET(name, ...) \
  extern const char embed_##name[]; \
  extern const size_t embed_##name##_length;
#include "targets.def"
#undef TARGET

static const Row rows[] = {
#define TARGET(name, triple, cpu, features, vector_floats, registers, fma) \
  {#name, triple, cpu, features, vector_floats, registers, fma, embed_##name, &embed_##name##_length},
#include "targets.def"
#undef TARGET
};
enum { ROWS = sizeof rows / sizeof *rows };

static void start_all(void) {
  target_start();
  LLVMInitializeAllTargetInfos();
  LLVMInitializeAllTargets();
  LLVMInitializeAllTargetMCs();
  LLVMInitializeAllAsmPrinters();
  LLVMInitializeAllAsmParsers();  // for the runtime's inline assembly
}

// "aarch64", "aarch64-linux-gnu", "arm64": the part of a triple before its first dash names the machine.
static const Row *find_row(const char *name) {
  static const char *const also[][2] = {
      {"arm64", "aarch64"}, {"amd64", "x86_64"}, {"x86-64", "x86_64"}, {"armv7", "arm"}, {"armhf", "arm"}};
  size_t length = strcspn(name, "-");
  if (!strncmp(name, "x86-64", 6)) length = 6;
  for (size_t k = 0; k < sizeof also / sizeof *also; k++)
    if (strlen(also[k][0]) == length && !strncmp(name, also[k][0], length)) return find_row(also[k][1]);
  for (int k = 0; k < ROWS; k++)
    if (strlen(rows[k].name) == length && !strncmp(name, rows[k].name, length)) return &rows[k];
  return NULL;
}

static bool report_target(DiagSink *sink, const char *name) {
  const char *names[ROWS];
  Text all = text_new(sink->arena);
  for (int k = 0; k < ROWS; k++) {
    names[k] = rows[k].name;
    text_printf(&all, "%s%s", k ? ", " : "", rows[k].name);
  }
  Diag *diag = diag_error(sink, DIAG_E0603, SPAN_NONE, "dlc build does not compile for '%s'", name);
  const char *nearest = text_nearest(name, names, ROWS);
  if (nearest) diag_line(sink, diag, DIAG_HELP, "did you mean '%s'?", nearest);
  diag_line(sink, diag, DIAG_HELP, "it compiles for %s", all.bytes);
  return false;
}

static bool add_level(Arena *arena, DiagSink *sink, const Row *row, const char *cpu, BuildTargets *out) {
  CodegenOptions options = {.cpu = cpu};
  Target target;
  int level;
  const char *tune;
  if (!target_level(arena, sink, &options, &target, &level, &tune)) return false;
  int at = out->n;
  while (at > 0 && out->items[at - 1].level >= level) at--;
  if (at < out->n && out->items[at].level == level) return true;
  memmove(&out->items[at + 1], &out->items[at], (size_t)(out->n - at) * sizeof *out->items);
  target.triple = row->triple;
  out->items[at] = (BuildTarget){target, level, tune};
  out->n++;
  return true;
}

// A list of CPUs, separated by commas.
static bool add_levels(Arena *arena, DiagSink *sink, const Row *row, const char *cpus, BuildTargets *out) {
  for (const char *at = cpus; at;) {
    size_t length = strcspn(at, ",");
    if (!add_level(arena, sink, row, arena_strndup(arena, at, length), out)) return false;
    at = at[length] ? at + length + 1 : NULL;
  }
  return true;
}

bool build_targets(Arena *arena, DiagSink *sink, const char *target, const char *cpus, BuildTargets *out) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_all);
  char *host = LLVMGetDefaultTargetTriple();
  const char *name = arena_strdup(arena, target ? target : host);
  const Row *row = find_row(name), *mine = find_row(host);
  LLVMDisposeMessage(host);
  if (!row) return report_target(sink, name);
  *out = (BuildTargets){.name = row->name, .triple = row->triple, .is_host = row == mine, .runtime = row->runtime};
  out->runtime_bytes = *row->runtime_bytes;
  bool native = !strcmp(cpus, "native");
  if (!strcmp(row->name, "x86_64")) return add_levels(arena, sink, row, native && row != mine ? row->cpu : cpus, out);
  if (!native) {
    Diag *diag = diag_error(sink, DIAG_E0603, SPAN_NONE, "--cpu chooses among x86-64's levels, not for %s", row->name);
    diag_line(sink, diag, DIAG_NOTE, "code for %s runs on every CPU of it", row->name);
    return false;
  }
  out->n = 1;
  out->items[0].target =
      (Target){row->triple, row->cpu, row->features, row->vector_floats, row->registers, row->has_fma};
  return true;
}
