// Run directories: the lock, generations of checkpoints, the log, TensorBoard's event file.
//
// A generation is two files: step-%08d.safetensors with parameters and states, and step-%08d.run, a safetensors file
// with the optimizer's slots, in whose metadata stand the run's position and the CRC-32 of the first file's every byte.
// The .run file is written last: where it is, both were whole once. Each is written whole or not at all.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <zlib.h>

#include "checkpoint.h"
#include "data.h"

#define RUN_FORMAT "dlc-run-1"

struct RunDir {
  Arena *arena;
  Io io;
  const char *path;
  int lock;                 // file descriptor that holds the flock
  int log, curves, events;  // append-only; -1 until the first line
};

// ---- opening --------------------------------------------------------------------------------------------------------

static const char *path_in(const RunDir *run, Arena *arena, const char *name) {
  return arena_printf(arena, "%s/%s", run->path, name);
}

static bool cannot_use(RunDir *run, DiagSink *sink, const char *why) {
  diag_error(sink, DIAG_E0604, SPAN_NONE, "cannot use '%s' as a run directory: %s", run->path, why);
  return false;
}

// One run a directory. The lock goes with the process, however it ends.
static bool take_lock(RunDir *run, DiagSink *sink) {
  int error = io_make_directories(run->io, run->path);
  if (error) return cannot_use(run, sink, strerror(-error));
  run->lock = io_open(run->io, path_in(run, run->arena, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (run->lock < 0) return cannot_use(run, sink, strerror(-run->lock));
  if (flock(run->lock, LOCK_EX | LOCK_NB) == 0) return true;
  return cannot_use(run, sink, errno == EWOULDBLOCK ? "another run is using it" : strerror(errno));
}

// Looks for an earlier run, and clears away what a killed one was writing.
static bool look_around(RunDir *run, DiagSink *sink, bool resume) {
  const char **names;
  size_t count;
  int error = io_list(run->io, run->arena, run->path, &names, &count);
  if (error) return cannot_use(run, sink, strerror(-error));
  for (size_t k = 0; k < count; k++) {
    if (strstr(names[k], ".tmp-")) io_remove(run->io, path_in(run, run->arena, names[k]));
    bool earlier = strncmp(names[k], "step-", 5) == 0 || strcmp(names[k], "log.jsonl") == 0;
    if (earlier && !resume) return cannot_use(run, sink, "it holds a run already; --resume goes on with it");
  }
  return true;
}

RunDir *run_open(Arena *arena, DiagSink *sink, Io io, const char *path, bool resume) {
  RunDir *run = arena_alloc(arena, sizeof *run);
  *run = (RunDir){
      .arena = arena, .io = io, .path = arena_strdup(arena, path), .lock = -1, .log = -1, .curves = -1, .events = -1};
  if (take_lock(run, sink) && look_around(run, sink, resume)) return run;
  run_close(run);
  return NULL;
}

void run_close(RunDir *run) {
  if (!run) return;
  if (run->log >= 0) io_close(run->io, run->log);
  if (run->curves >= 0) io_close(run->io, run->curves);
  if (run->events >= 0) io_close(run->io, run->events);
  if (run->lock >= 0) io_close(run->io, run->lock);
}

const char *run_path(const RunDir *run) { return run->path; }

// ---- generations ----------------------------------------------------------------------------------------------------

static const char *step_path(const RunDir *run, Arena *arena, int64_t step, const char *ending) {
  return arena_printf(arena, "%s/step-%08" PRId64 ".%s", run->path, step, ending);
}

static int newest_first(const void *left, const void *right) {
  int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
  return (a < b) - (a > b);
}

// "step-00000938.run" -> 938; -1 for any other name.
static int64_t step_of_name(const char *name) {
  if (strncmp(name, "step-", 5) != 0 || name[5] < '0' || name[5] > '9') return -1;
  char *end;
  errno = 0;
  long long step = strtoll(name + 5, &end, 10);
  return errno == 0 && strcmp(end, ".run") == 0 ? step : -1;
}

// Steps that have a .run file, newest first.
static int64_t *list_generations(const RunDir *run, Arena *arena, size_t *count) {
  const char **names;
  size_t n = 0;
  *count = 0;
  if (io_list(run->io, arena, run->path, &names, &n) != 0) return NULL;
  int64_t *steps = arena_array(arena, n, sizeof *steps);
  for (size_t k = 0; k < n; k++)
    if (step_of_name(names[k]) >= 0) steps[(*count)++] = step_of_name(names[k]);
  if (*count) qsort(steps, *count, sizeof *steps, newest_first);
  return steps;
}

enum { CRC_PIECE = 1 << 20 };

// CRC-32 of a file's every byte.
static int file_crc(Io io, Arena *arena, const char *path, uint32_t *crc) {
  int fd;
  int64_t size;
  int error = io_open_read(io, path, &fd, &size);
  if (error) return error;
  unsigned char *piece = arena_alloc(arena, CRC_PIECE);
  uLong sum = crc32(0, NULL, 0);
  for (int64_t at = 0; at < size && !error; at += CRC_PIECE) {
    size_t count = size - at < CRC_PIECE ? (size_t)(size - at) : CRC_PIECE;
    error = io_read_at(io, fd, piece, count, at);
    sum = crc32(sum, piece, (uInt)count);
  }
  io_close(io, fd);
  *crc = (uint32_t)sum;
  return error;
}

// ---- the position as text -------------------------------------------------------------------------------------------
//
// "step 938 updates 938 epoch 1 batch 0 batch_rows 64 seed 0 weights 1c291ca3 rows 0 sums 2 0x0p+0 0x0p+0 watch 0x1p+0
// inf 0 inf 0": the plateau's level, then best and epochs since of the plateau and of early_stop.

static const char *position_text(Arena *arena, const RunState *s, int64_t updates, uint32_t weights_crc) {
  Text text = text_new(arena);
  text_printf(&text, "step %" PRId64 " updates %" PRId64 " epoch %" PRId64 " batch %" PRId64 " batch_rows %" PRId64,
              s->step, updates, s->epoch, s->batch, s->batch_rows);
  text_printf(&text, " seed %" PRIu64 " weights %08" PRIx32 " rows %" PRId64 " sums %d", s->seed, weights_crc, s->rows,
              s->n_sums);
  for (int k = 0; k < s->n_sums; k++) text_printf(&text, " %a", s->sums[k]);
  text_printf(&text, " watch %a %a %" PRId64 " %a %" PRId64, s->plateau_level, s->plateau.best, s->plateau.since,
              s->stall.best, s->stall.since);
  return text.bytes;
}

// What the text says, into s->sums too; false where it is not of this form or has another number of sums.
static bool position_parse(const char *text, RunState *s, int64_t *updates, uint32_t *weights_crc) {
  int used = 0, n_sums;
  int n_read =
      sscanf(text,
             "step %" SCNd64 " updates %" SCNd64 " epoch %" SCNd64 " batch %" SCNd64 " batch_rows %" SCNd64
             " seed %" SCNu64 " weights %" SCNx32 " rows %" SCNd64 " sums %d%n",
             &s->step, updates, &s->epoch, &s->batch, &s->batch_rows, &s->seed, weights_crc, &s->rows, &n_sums, &used);
  if (n_read != 9 || n_sums != s->n_sums) return false;
  for (int k = 0; k < n_sums; k++) {
    char *end;
    s->sums[k] = strtod(text + used, &end);
    if (end == text + used) return false;
    used = (int)(end - text);
  }
  int end = 0;
  int watched = sscanf(text + used, " watch %la %la %" SCNd64 " %la %" SCNd64 "%n", &s->plateau_level, &s->plateau.best,
                       &s->plateau.since, &s->stall.best, &s->stall.since, &end);
  return watched == 5 && text[used + end] == '\0' && s->step >= 0 && s->epoch >= 0 && s->batch >= 0 &&
         s->batch_rows >= 1;
}

// ---- saving ---------------------------------------------------------------------------------------------------------

static int save_state(const RunDir *run, Arena *arena, const RunState *s, const TensorTable *params, const Optimizer *o,
                      uint32_t weights_crc) {
  NamedTensor slots[2];
  for (int k = 0; k < o->n_slots; k++)
    slots[k] = (NamedTensor){.name = optimizer_slot_name(o->spec.kind, k),
                             .type = DATA_F32,
                             .rank = 1,
                             .dim = {params->block_floats},
                             .data = o->slot[k]};
  const char *position = position_text(arena, s, o->step, weights_crc);
  const char *const metadata[] = {"format",   RUN_FORMAT, "optimizer", optimizer_name(o->spec.kind),
                                  "position", position,   NULL};
  return safetensors_write(run->io, arena, step_path(run, arena, s->step, "run"), slots, o->n_slots, metadata);
}

// The .run file first: a generation without it is none.
static void remove_older(const RunDir *run, Arena *arena, int64_t keep) {
  size_t count;
  int64_t *steps = list_generations(run, arena, &count);
  for (size_t k = (size_t)(keep < 2 ? 2 : keep); k < count; k++) {
    io_remove(run->io, step_path(run, arena, steps[k], "run"));
    io_remove(run->io, step_path(run, arena, steps[k], "safetensors"));
  }
}

int run_save(RunDir *run, const RunState *state, const TensorTable *params, const float *param_block,
             const TensorTable *states, const float *state_block, const Optimizer *optimizer, int64_t keep) {
  Arena *arena = arena_beside(run->arena);
  const char *weights = step_path(run, arena, state->step, "safetensors");
  uint32_t crc = 0;
  int error = weights_save(run->io, arena, weights, params, param_block, states, state_block);
  if (!error) error = file_crc(run->io, arena, weights, &crc);
  if (!error) error = save_state(run, arena, state, params, optimizer, crc);
  if (!error) remove_older(run, arena, keep);
  arena_free(arena);
  return error;
}

// ---- loading --------------------------------------------------------------------------------------------------------

typedef enum Found { FOUND_WHOLE, FOUND_DAMAGED, FOUND_MISFIT } Found;

// One generation being read. Mistakes go into a sink of its own: damage is a warning where another generation will do.
typedef struct Reading {
  const RunDir *run;
  DiagSink *sink;
  RunState *state;
  const TensorTable *params, *states;
  float *param_block, *state_block;
  Optimizer *optimizer;
  uint32_t weights_crc;
} Reading;

static const char *metadata_of(const SafeFile *file, const char *key) {
  for (int k = 0; k < file->n_metadata; k++)
    if (!strcmp(file->metadata[2 * k], key)) return file->metadata[2 * k + 1];
  return "";
}

static Found found(Reading *r, Found what, const char *path, const char *why) {
  diag_error(r->sink, DIAG_E0413, SPAN_NONE, "'%s' %s", path, why);
  return what;
}

static const NamedTensor *slot_of(const SafeFile *file, const char *name, int64_t floats) {
  for (int k = 0; k < file->n_items; k++) {
    const NamedTensor *t = &file->items[k];
    if (!strcmp(t->name, name)) return t->type == DATA_F32 && t->rank == 1 && t->dim[0] == floats ? t : NULL;
  }
  return NULL;
}

static Found read_slots(Reading *r, const SafeFile *file, const char *path) {
  Optimizer *o = r->optimizer;
  if (strcmp(metadata_of(file, "optimizer"), optimizer_name(o->spec.kind)) != 0)
    return found(r, FOUND_MISFIT, path, "is of a run with another optimizer");
  int64_t floats = r->params->block_floats;
  for (int k = 0; k < o->n_slots; k++) {
    const NamedTensor *slot = slot_of(file, optimizer_slot_name(o->spec.kind, k), floats);
    if (!slot) return found(r, FOUND_MISFIT, path, "is of another model: its optimizer's state has another size");
    memcpy(o->slot[k], slot->data, (size_t)floats * sizeof *o->slot[k]);
  }
  return FOUND_WHOLE;
}

static Found read_state(Reading *r, const char *path) {
  SafeFile file;
  if (!safetensors_read(r->sink->arena, r->sink, r->run->io, path, &file)) return FOUND_DAMAGED;
  bool has_checksum = *metadata_of(&file, "dlc.crc32") != '\0';
  if (!has_checksum || strcmp(metadata_of(&file, "format"), RUN_FORMAT) != 0)
    return found(r, FOUND_DAMAGED, path, "is damaged");
  if (!position_parse(metadata_of(&file, "position"), r->state, &r->optimizer->step, &r->weights_crc))
    return found(r, FOUND_MISFIT, path, "is of a run with other metrics");
  return read_slots(r, &file, path);
}

static Found read_weights(Reading *r, const char *path) {
  uint32_t crc;
  int error = file_crc(r->run->io, r->sink->arena, path, &crc);
  if (error) return found(r, FOUND_DAMAGED, path, strerror(-error));
  if (crc != r->weights_crc) return found(r, FOUND_DAMAGED, path, "is damaged: its checksum is wrong");
  bool fits =
      weights_load(r->sink->arena, r->sink, r->run->io, path, r->params, r->param_block, r->states, r->state_block);
  return fits ? FOUND_WHOLE : FOUND_MISFIT;
}

static Found read_generation(Reading *r, int64_t step) {
  Found state = read_state(r, step_path(r->run, r->sink->arena, step, "run"));
  return state == FOUND_WHOLE ? read_weights(r, step_path(r->run, r->sink->arena, step, "safetensors")) : state;
}

// Passes on what a reading reported, as the severity that it turned out to have.
static void pass_on(DiagSink *sink, const DiagSink *from, bool is_error) {
  const Diag *why = from->items[0];
  Diag *diag = is_error
                   ? diag_error(sink, why->code, SPAN_NONE, "%s", why->message)
                   : diag_warning(sink, DIAG_E0413, SPAN_NONE, "%s; the checkpoint before it is used", why->message);
  for (size_t k = 0; k < why->n_lines; k++) diag_line(sink, diag, why->lines[k].kind, "%s", why->lines[k].text);
}

static void forget_later_lines(RunDir *run, Arena *arena, const char *name, int64_t step);

static RunLoaded load_newest(RunDir *run, Arena *arena, DiagSink *sink, Reading *r) {
  size_t count;
  int64_t *steps = list_generations(run, arena, &count);
  for (size_t k = 0; k < count; k++) {
    r->sink = diag_sink_new(arena);
    Found what = read_generation(r, steps[k]);
    if (what == FOUND_WHOLE) return RUN_LOADED;
    bool last = what == FOUND_MISFIT || k + 1 == count;
    pass_on(sink, r->sink, last);
    if (last) return RUN_UNUSABLE;
  }
  return RUN_EMPTY;
}

RunLoaded run_load(RunDir *run, DiagSink *sink, RunState *state, const TensorTable *params, float *param_block,
                   const TensorTable *states, float *state_block, Optimizer *optimizer) {
  Arena *arena = arena_beside(run->arena);
  Reading reading = {.run = run,
                     .state = state,
                     .params = params,
                     .states = states,
                     .param_block = param_block,
                     .state_block = state_block,
                     .optimizer = optimizer};
  RunLoaded loaded = load_newest(run, arena, sink, &reading);
  if (loaded == RUN_LOADED) forget_later_lines(run, arena, "log.jsonl", state->step);
  if (loaded == RUN_LOADED) forget_later_lines(run, arena, "curves.jsonl", state->step);
  arena_free(arena);
  return loaded;
}

// ---- logs -----------------------------------------------------------------------------------------------------------

static int open_append(const RunDir *run, const char *name) {
  return io_open(run->io, path_in(run, run->arena, name), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static int append(const RunDir *run, int fd, const void *bytes, size_t count) {
  for (size_t done = 0; done < count;) {
    ssize_t n = run->io.ops->write(run->io.state, fd, (const char *)bytes + done, count - done);
    if (n == -EINTR || n == -EAGAIN) continue;
    if (n < 0) return (int)n;
    done += (size_t)n;
  }
  return 0;
}

// The step that a line of the log is about; INT64_MAX where it does not say (a line cut short).
static int64_t step_of_line(const char *line, size_t length) {
  static const char key[] = "\"step\":";
  const char *at = memmem(line, length, key, sizeof key - 1);
  return at && line[length - 1] == '}' ? strtoll(at + sizeof key - 1, NULL, 10) : INT64_MAX;
}

// A log that cannot be rewritten stays: a line said twice is better than a run that does not go on.
static void forget_later_lines(RunDir *run, Arena *arena, const char *name, int64_t step) {
  char *bytes;
  size_t size;
  const char *path = path_in(run, arena, name);
  if (io_read_file(run->io, arena, path, SIZE_MAX / 2, &bytes, &size) != 0) return;
  Text kept = text_new(arena);
  for (const char *line = bytes, *end; (end = strchr(line, '\n')); line = end + 1)
    if (end > line && step_of_line(line, (size_t)(end - line)) <= step)
      text_add_n(&kept, line, (size_t)(end - line) + 1);
  if (kept.length != size) run_put(run, name, kept.bytes);
}

static int append_line(RunDir *run, int *file, const char *name, const char *json_line) {
  if (*file < 0) *file = open_append(run, name);
  if (*file < 0) return *file;
  Arena *arena = arena_beside(run->arena);
  const char *line = arena_printf(arena, "%s\n", json_line);
  int error = append(run, *file, line, strlen(line));
  arena_free(arena);
  return error;
}

int run_log(RunDir *run, const char *json_line) { return append_line(run, &run->log, "log.jsonl", json_line); }

int run_curve(RunDir *run, const char *json_line) { return append_line(run, &run->curves, "curves.jsonl", json_line); }

// Opens the event file where it is not yet; a new one begins with a record of its own.
static int append_event(RunDir *run, double unix_seconds, const Text *event) {
  Text record = text_new(event->arena);
  if (run->events < 0) {
    run->events =
        open_append(run, arena_printf(run->arena, "events.out.tfevents.%" PRId64 ".dlc", (int64_t)unix_seconds));
    events_start(&record, unix_seconds);
  }
  text_add_n(&record, event->bytes, event->length);
  return run->events < 0 ? run->events : append(run, run->events, record.bytes, record.length);
}

int run_scalar(RunDir *run, const char *tag, int64_t step, double unix_seconds, float value) {
  Arena *arena = arena_beside(run->arena);
  Text event = text_new(arena);
  events_scalar(&event, tag, step, unix_seconds, value);
  int error = append_event(run, unix_seconds, &event);
  arena_free(arena);
  return error;
}

int run_histogram(RunDir *run, const char *tag, int64_t step, double unix_seconds, const EventHistogram *histogram) {
  Arena *arena = arena_beside(run->arena);
  Text event = text_new(arena);
  events_histogram(&event, tag, step, unix_seconds, histogram);
  int error = append_event(run, unix_seconds, &event);
  arena_free(arena);
  return error;
}

int run_put(RunDir *run, const char *name, const char *text) {
  Arena *arena = arena_beside(run->arena);
  IoWriter *writer;
  int error = io_replace_begin(run->io, arena, path_in(run, arena, name), &writer);
  if (!error) {
    error = io_replace_write(writer, text, strlen(text));
    if (error)
      io_replace_abort(writer);
    else
      error = io_replace_commit(writer);
  }
  arena_free(arena);
  return error;
}
