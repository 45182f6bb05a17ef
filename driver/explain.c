// dlc explain: the program's text with what each line costs, and its kernels with why they are not one.
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "profile.h"
#include "report.h"

enum { SOURCE_WIDTH = 62, NAME_WIDTH = 46, KERNELS_WIDTH = 24 };

// What one line of the source costs in a step. All zero where it makes no kernel.
typedef struct LineFacts {
  int64_t flops, bytes;
  double ns;
  const Shape *shape;  // of the last layer on it; NULL: none
  Text kernels;        // "1-2 25"
  int first, last;     // of the range that is being written; last -1: none yet
} LineFacts;

typedef struct Explain {
  const Steps *steps;
  const Lowered *shown;  // the inference version as the frontend gave it
  Profile profile;
  const Source *source;
  LineFacts *lines;  // [n_lines + 1], the last for what comes from no line of this file
  uint32_t n_lines;
  int width;  // of the source's column
} Explain;

// ---- facts by line --------------------------------------------------------------------------------------------------

static void end_range(LineFacts *line) {
  if (line->last < 0) return;
  text_printf(&line->kernels, line->kernels.length ? " %d" : "%d", line->first);
  if (line->last > line->first) text_printf(&line->kernels, "-%d", line->last);
}

static void add_kernel(LineFacts *line, const KernelFacts *f) {
  line->flops += f->flops;
  line->bytes += f->read + f->written;
  line->ns += f->ns;
  if (f->kernel < 0) return;
  if (line->last < 0 || f->kernel != line->last + 1) {
    end_range(line);
    line->first = f->kernel;
  }
  line->last = f->kernel;
}

static void collect(Explain *e) {
  Arena *arena = e->steps->session->arena;
  e->lines = arena_array(arena, (size_t)e->n_lines + 1, sizeof *e->lines);
  for (uint32_t k = 0; k <= e->n_lines; k++) e->lines[k] = (LineFacts){.kernels = text_new(arena), .last = -1};
  for (int k = 0; k < e->profile.n; k++) {
    const KernelFacts *f = &e->profile.kernels[k];
    bool here = f->line >= 1 && f->line <= e->n_lines && !strcmp(f->file, e->source->path);
    add_kernel(&e->lines[here ? f->line - 1 : e->n_lines], f);
  }
  for (uint32_t k = 0; k <= e->n_lines; k++) end_range(&e->lines[k]);
  for (int k = 0; k < e->shown->n_layers; k++) {
    const LayerInfo *layer = &e->shown->layers[k];
    bool here = diag_source(e->steps->session->sink, layer->span.file) == e->source;
    if (here && layer->line >= 1 && layer->line <= e->n_lines) e->lines[layer->line - 1].shape = &layer->shape;
  }
}

// ---- the source -----------------------------------------------------------------------------------------------------

// Characters, not bytes; cut to the column's width.
static int text_width(const char *text, size_t length) {
  int n = 0;
  for (size_t k = 0; k < length; k++) n += ((unsigned char)text[k] & 0xc0) != 0x80;
  return n;
}

static void add_source(const Explain *e, const char *text, size_t length, Text *out) {
  int width = text_width(text, length);
  if (width > e->width) {
    while (text_width(text, length) > e->width - 2) length--;
    while (length && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
    width = text_width(text, length) + 2;
  }
  for (size_t k = 0; k < length; k++) text_add_n(out, text[k] == '\t' ? " " : text + k, 1);
  text_printf(out, "%s%*s", width > text_width(text, length) ? ".." : "", e->width - width, "");
}

static const char *shape_text(const Explain *e, const Shape *shape, Arena *arena) {
  Text text = text_new(arena);
  if (shape) report_shape(e->shown->graph, shape, &text);
  return text.bytes;
}

static const char *bytes_text(Arena *arena, int64_t bytes) {
  Text text = text_new(arena);
  report_bytes(bytes, &text);
  return text.bytes;
}

static void add_numbers(const Explain *e, const LineFacts *line, const char *kernels, Text *out) {
  KernelFacts sum = {.ns = line->ns, .flops = line->flops};
  if (line->flops)
    text_printf(out, " %9.2f", (double)line->flops * 1e-6);
  else
    text_printf(out, " %9s", "");
  text_printf(out, " %10s %9.1f %5.1f%%", bytes_text(out->arena, line->bytes), line->ns * 1e-3,
              e->profile.ns > 0 ? 100 * line->ns / e->profile.ns : 0);
  if (line->flops)
    text_printf(out, " %5.1f%%", 100 * profile_fma_share(&e->profile, &sum));
  else
    text_printf(out, " %6s", "");
  bool all = strlen(kernels) <= KERNELS_WIDTH;
  size_t shown = all ? strlen(kernels) : KERNELS_WIDTH - 3;
  while (!all && shown && kernels[shown] != ' ') shown--;
  text_printf(out, "  %.*s%s", (int)shown, kernels, all ? "" : " ..");
}

static void end_line(Text *out) {
  while (out->length && out->bytes[out->length - 1] == ' ') out->bytes[--out->length] = '\0';
  text_add(out, "\n");
}

static void print_source(const Explain *e, int shape_width, Text *out) {
  const char *at = e->source->text;
  for (uint32_t k = 0; k < e->n_lines; k++) {
    size_t length = strcspn(at, "\n");
    const LineFacts *line = &e->lines[k];
    text_printf(out, "%4u  ", k + 1);
    add_source(e, at, length, out);
    text_printf(out, "  %-*s", shape_width, shape_text(e, line->shape, out->arena));
    if (line->ns > 0) add_numbers(e, line, line->kernels.bytes, out);
    end_line(out);
    at += length + (at[length] == '\n');
  }
}

static void print_sum(const Explain *e, const char *name, const LineFacts *line, int shape_width, Text *out) {
  text_printf(out, "      %-*s  %-*s", e->width, name, shape_width, "");
  add_numbers(e, line, line->kernels.bytes, out);
  end_line(out);
}

static void print_lines(Explain *e, Text *out) {
  int shape_width = (int)strlen("shape");
  LineFacts all = {.kernels = text_new(out->arena)};
  for (uint32_t k = 0; k <= e->n_lines; k++) {
    int needed = (int)strlen(shape_text(e, e->lines[k].shape, out->arena));
    if (needed > shape_width) shape_width = needed;
    all.flops += e->lines[k].flops, all.bytes += e->lines[k].bytes, all.ns += e->lines[k].ns;
  }
  text_printf(out, "line  %-*s  %-*s %9s %10s %9s %6s %6s  kernels\n", e->width, "", shape_width, "shape", "MFLOP",
              "bytes", "us", "share", "peak");
  print_source(e, shape_width, out);
  if (e->lines[e->n_lines].ns > 0) print_sum(e, "elsewhere", &e->lines[e->n_lines], shape_width, out);
  print_sum(e, "all", &all, shape_width, out);
}

// ---- the kernels ----------------------------------------------------------------------------------------------------

static void print_kernel(const Explain *e, const KernelFacts *f, int name_width, Text *out) {
  const Profile *p = &e->profile;
  bool here = f->line && !strcmp(f->file, e->source->path);
  text_printf(out, "%6d  %4s %9.1f %5.1f%%", f->kernel, here ? arena_printf(out->arena, "%u", f->line) : "",
              f->ns * 1e-3, p->ns > 0 ? 100 * f->ns / p->ns : 0);
  if (f->flops)
    text_printf(out, " %8.2f %5.1f%%", profile_gflops(f), 100 * profile_fma_share(p, f));
  else
    text_printf(out, " %8s %6s", "", "");
  text_printf(out, " %6.1f  ", profile_gbytes(f));
  bool fits = (int)strlen(f->name) <= NAME_WIDTH;
  text_printf(out, "%.*s%s", fits ? NAME_WIDTH : NAME_WIDTH - 2, f->name, fits ? "" : "..");
  const char *why = e->steps->unit->plan->kernels[f->kernel].why_alone;
  if (why) text_printf(out, "%*s  %s", fits ? name_width - (int)strlen(f->name) : 0, "", why);
  end_line(out);
}

static void print_kernels(const Explain *e, Text *out) {
  int width = (int)strlen("kernel");
  for (int k = 0; k < e->profile.n; k++) {
    int length = (int)strlen(e->profile.kernels[k].name);
    if (length > NAME_WIDTH) length = NAME_WIDTH;
    if (e->profile.kernels[k].kernel >= 0 && length > width) width = length;
  }
  text_printf(out, "\n%6s  %4s %9s %6s %8s %6s %6s  %-*s  a kernel of its own, because\n", "kernel", "line", "us",
              "share", "GFLOP/s", "peak", "GB/s", width, "computes");
  for (int k = 0; k < e->profile.n; k++)
    if (e->profile.kernels[k].kernel >= 0) print_kernel(e, &e->profile.kernels[k], width, out);
}

// ---- the command ----------------------------------------------------------------------------------------------------

static void measure_source(Explain *e) {
  const char *at = e->source->text;
  while (*at) {
    size_t length = strcspn(at, "\n");
    int width = text_width(at, length);
    if (width > e->width) e->width = width < SOURCE_WIDTH ? width : SOURCE_WIDTH;
    e->n_lines++;
    at += length + (at[length] == '\n');
  }
}

// The file that the command line names.
static const Source *main_source(const Pipeline *p) {
  const DiagSink *sink = p->session->sink;
  for (size_t k = 0; k < sink->n_sources; k++)
    if (!strcmp(sink->sources[k].path, p->path)) return &sink->sources[k];
  return NULL;
}

static void explain(Steps *steps, const Lowered *shown, Text *out) {
  Session *s = steps->session;
  const Pipeline *p = steps->p;
  Team *team = steps->runner->team;
  Explain e = {.steps = steps, .shown = shown, .source = main_source(p)};
  dlc_assert(e.source);
  Peak peak = peak_measure(s->arena, team);
  steps->profiles = true;
  steps_time(steps, s->options.seconds > 0 ? s->options.seconds : 1);
  e.profile = profile_make(steps, peak_best(peak, peak_measure(s->arena, team)));
  measure_source(&e);
  collect(&e);
  text_printf(
      out, "%s, %s, batch %lld, %d thread%s: a step takes %.4g ms; this machine's peak is %.1f GFLOP/s, %.1f GB/s\n\n",
      p->model_name, steps->trains ? "training" : "inference", (long long)p->batch, team_size(team),
      team_size(team) == 1 ? "" : "s", steps_median(steps), e.profile.peak.gflops, e.profile.peak.gbytes);
  print_lines(&e, out);
  print_kernels(&e, out);
}

int command_explain(Session *session) {
  Pipeline *p = pipeline_open(session);
  Unit *shown = p ? pipeline_lower(p, MODE_INFER, LOWER_OUTPUT) : NULL;
  if (!shown) return STATUS_WRONG;
  Steps steps;
  bool ok = steps_begin(&steps, p);
  if (ok) explain(&steps, shown->lowered, &session->out);
  steps_end(&steps);
  return ok ? STATUS_DONE : STATUS_RESOURCE;
}
