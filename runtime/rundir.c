// Run directories: the lock, generations of checkpoints, the log, TensorBoard's event file.
//
// A generation is two files: step-%08d.safetensors (parameters and states) and step-%08d.run (a safetensors file with
// the optimizer's slots, and the position in its metadata). The .run file is written last and names the CRC of nothing
// else: a generation counts when both files are whole, and each is written whole or not at all.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "checkpoint.h"
#include "data.h"
#include "events.h"

struct RunDir {
  Arena *arena;
  Io io;
  const char *path;
  int lock;         // file descriptor that holds the flock
  int log, events;  // append-only, or -1
};

// ---- opening --------------------------------------------------------------------------------------------------------

static RunDir *cannot_use(DiagSink *sink, const char *path, const char *why) {
  diag_error(sink, DIAG_E0604, SPAN_NONE, "cannot use '%s' as a run directory: %s", path, why);
  return NULL;
}

static bool has_checkpoint_or_log(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return false;
  bool found = false;
  for (struct dirent *entry; !found && (entry = readdir(folder));)
    found = !strncmp(entry->d_name, "step-", 5) || !strcmp(entry->d_name, "log.jsonl");
  closedir(folder);
  return found;
}

static int open_append(const RunDir *run, const char *name) {
  char *path = arena_printf(run->arena, "%s/%s", run->path, name);
  int fd = run->io.ops->open(run->io.state, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  return fd < 0 ? -1 : fd;
}

RunDir *run_open(Arena *arena, DiagSink *sink, Io io, const char *path, bool resume) {
  RunDir *run = arena_alloc(arena, sizeof *run);
  *run = (RunDir){.arena = arena, .io = io, .path = arena_strdup(arena, path), .lock = -1, .log = -1, .events = -1};
  if (!resume && has_checkpoint_or_log(path))
    return cannot_use(sink, path, "it holds a run already; --resume goes on with it");
  int error = io_make_directories(io, path);
  if (error) return cannot_use(sink, path, strerror(-error));
  run->lock = open(arena_printf(arena, "%s/lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (run->lock < 0) return cannot_use(sink, path, strerror(errno));
  if (flock(run->lock, LOCK_EX | LOCK_NB) < 0) {
    bool busy = errno == EWOULDBLOCK;
    close(run->lock);
    return cannot_use(sink, path, busy ? "another run is using it" : strerror(errno));
  }
  if (!resume && has_checkpoint_or_log(path)) {  // another run began and ended since the first look
    close(run->lock);
    return cannot_use(sink, path, "it holds a run already; --resume goes on with it");
  }
  run->log = open_append(run, "log.jsonl");
  return run;
}

void run_close(RunDir *run) {
  if (!run) return;
  if (run->log >= 0) io_close(run->io, run->log);
  if (run->events >= 0) io_close(run->io, run->events);
  if (run->lock >= 0) close(run->lock);
}

const char *run_path(const RunDir *run) { return run->path; }

// ---- saving ---------------------------------------------------------------------------------------------------------

static char *step_path(const RunDir *run, int64_t step, const char *ending) {
  return arena_printf(run->arena, "%s/step-%08" PRId64 ".%s", run->path, step, ending);
}

static NamedTensor block_tensor(const char *name, const float *block, int64_t count) {
  return (NamedTensor){.name = name, .type = DATA_F32, .rank = 1, .dim = {count}, .data = block};
}

static int save_state(RunDir *run, const RunState *s, const TensorTable *params, const Optimizer *o) {
  Arena *a = run->arena;
  NamedTensor slots[2];
  for (int k = 0; k < o->n_slots; k++)
    slots[k] = block_tensor(optimizer_slot_name(o->spec.kind, k), o->slot[k], params->block_floats);
  const char *const metadata[] = {"format",     "dlc-run-1",
                                  "optimizer",  optimizer_name(o->spec.kind),
                                  "step",       arena_printf(a, "%" PRId64, s->step),
                                  "updates",    arena_printf(a, "%" PRId64, o->step),
                                  "epoch",      arena_printf(a, "%" PRId64, s->epoch),
                                  "batch",      arena_printf(a, "%" PRId64, s->batch),
                                  "seed",       arena_printf(a, "%" PRIu64, s->seed),
                                  "loss_sum",   arena_printf(a, "%a", s->loss_sum),
                                  "loss_count", arena_printf(a, "%" PRId64, s->loss_count),
                                  NULL};
  return safetensors_write(run->io, a, step_path(run, s->step, "run"), slots, o->n_slots, metadata);
}

static int newest_first(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a < b) - (a > b);
}

// Steps that have a .run file, newest first.
static int64_t *list_generations(const RunDir *run, int *count) {
  int64_t *steps = NULL;
  size_t capacity = 0;
  *count = 0;
  DIR *folder = opendir(run->path);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    int64_t step;
    int length = 0;
    if (sscanf(entry->d_name, "step-%" SCNd64 ".run%n", &step, &length) != 1) continue;
    if (length == 0 || entry->d_name[length]) continue;
    steps = arena_grow(run->arena, steps, (size_t)*count, &capacity, sizeof *steps);
    steps[(*count)++] = step;
  }
  if (folder) closedir(folder);
  if (*count) qsort(steps, (size_t)*count, sizeof *steps, newest_first);
  return steps;
}

static void remove_older(RunDir *run, int64_t keep) {
  int count;
  int64_t *steps = list_generations(run, &count);
  for (int k = (int)(keep < 2 ? 2 : keep); k < count; k++) {
    io_remove(run->io, step_path(run, steps[k], "run"));
    io_remove(run->io, step_path(run, steps[k], "safetensors"));
  }
}

int run_save(RunDir *run, const RunState *state, const TensorTable *params, const float *param_block,
             const TensorTable *states, const float *state_block, const Optimizer *optimizer, int64_t keep) {
  const char *weights = step_path(run, state->step, "safetensors");
  int error = weights_save(run->io, run->arena, weights, params, param_block, states, state_block);
  if (!error) error = save_state(run, state, params, optimizer);
  if (!error) remove_older(run, keep);
  return error;
}

// ---- loading --------------------------------------------------------------------------------------------------------

static const char *field(const SafeFile *file, const char *key) {
  for (int k = 0; k < file->n_metadata; k++)
    if (!strcmp(file->metadata[2 * k], key)) return file->metadata[2 * k + 1];
  return "";
}

static bool load_state(RunDir *run, DiagSink *sink, const char *path, RunState *s, const TensorTable *params,
                       Optimizer *o) {
  SafeFile file;
  if (!safetensors_read(run->arena, sink, run->io, path, &file)) return false;
  bool fits = !strcmp(field(&file, "format"), "dlc-run-1") && file.n_items == o->n_slots &&
              !strcmp(field(&file, "optimizer"), optimizer_name(o->spec.kind));
  for (int k = 0; fits && k < o->n_slots; k++) {
    const NamedTensor *found = NULL;
    for (int n = 0; n < file.n_items; n++)
      if (!strcmp(file.items[n].name, optimizer_slot_name(o->spec.kind, k))) found = &file.items[n];
    fits = found && found->rank == 1 && found->dim[0] == params->block_floats && found->type == DATA_F32;
    if (fits && params->block_floats) memcpy(o->slot[k], found->data, (size_t)params->block_floats * sizeof(float));
  }
  if (!fits) {
    diag_error(sink, DIAG_E0413, SPAN_NONE, "'%s' does not fit: it is of another optimizer or model", path);
    return false;
  }
  *s = (RunState){.step = strtoll(field(&file, "step"), NULL, 10),
                  .epoch = strtoll(field(&file, "epoch"), NULL, 10),
                  .batch = strtoll(field(&file, "batch"), NULL, 10),
                  .seed = strtoull(field(&file, "seed"), NULL, 10),
                  .loss_sum = strtod(field(&file, "loss_sum"), NULL),
                  .loss_count = strtoll(field(&file, "loss_count"), NULL, 10)};
  o->step = strtoll(field(&file, "updates"), NULL, 10);
  return true;
}

// Is the mistake that the last attempt reported damage (another generation may do), or a misfit?
static bool is_damage(const DiagSink *sink) {
  DiagCode code = sink->items[sink->n_items - 1]->code;
  return code == DIAG_E0403 || code == DIAG_E0411;
}

int run_load(RunDir *run, DiagSink *sink, RunState *state, const TensorTable *params, float *param_block,
             const TensorTable *states, float *state_block, Optimizer *optimizer) {
  int count;
  int64_t *steps = list_generations(run, &count);
  DiagSink *tries = diag_sink_new(run->arena);
  for (int k = 0; k < count; k++) {
    const char *weights = step_path(run, steps[k], "safetensors");
    if (load_state(run, tries, step_path(run, steps[k], "run"), state, params, optimizer) &&
        weights_load(run->arena, tries, run->io, weights, params, param_block, states, state_block))
      return 1;
    const Diag *why = tries->items[tries->n_items - 1];
    if (!is_damage(tries) || k + 1 == count) {
      Diag *diag = diag_error(sink, why->code, SPAN_NONE, "%s", why->message);
      for (size_t n = 0; n < why->n_lines; n++) diag_line(sink, diag, why->lines[n].kind, "%s", why->lines[n].text);
      return -1;
    }
    diag_warning(sink, DIAG_E0413, SPAN_NONE, "%s; the checkpoint before it is used", why->message);
  }
  return 0;
}

// ---- logs -----------------------------------------------------------------------------------------------------------

static int append(const RunDir *run, int fd, const void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t n = run->io.ops->write(run->io.state, fd, (const char *)bytes + done, count - done);
    if (n == -EINTR) continue;
    if (n < 0) return (int)n;
    done += (size_t)n;
  }
  return 0;
}

int run_log(RunDir *run, const char *json_line) {
  if (run->log < 0) return -EBADF;
  const char *line = arena_printf(run->arena, "%s\n", json_line);
  return append(run, run->log, line, strlen(line));
}

int run_scalar(RunDir *run, const char *tag, int64_t step, double unix_seconds, float value) {
  Text record = text_new(run->arena);
  if (run->events < 0) {
    char *name = arena_printf(run->arena, "events.out.tfevents.%lld.dlc", (long long)unix_seconds);
    run->events = open_append(run, name);
    if (run->events < 0) return -EBADF;
    events_start(&record, unix_seconds);
  }
  events_scalar(&record, tag, step, unix_seconds, value);
  return append(run, run->events, record.bytes, record.length);
}

int run_put(RunDir *run, const char *name, const char *text) {
  IoWriter *writer;
  int error = io_replace_begin(run->io, run->arena, arena_printf(run->arena, "%s/%s", run->path, name), &writer);
  if (error) return error;
  error = io_replace_write(writer, text, strlen(text));
  if (!error) return io_replace_commit(writer);
  io_replace_abort(writer);
  return error;
}
