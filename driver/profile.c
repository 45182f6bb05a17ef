// Facts about kernels, from the plan and from times; as a table and as JSON.
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

// ---- facts ----------------------------------------------------------------------------------------------------------

static int64_t node_bytes(const Plan *plan, NodeId id) {
  const Node *node = graph_node(plan->graph, id);
  return shape_count(&node->shape, plan->symbol_values) * dtype_size(node->type);
}

static void set_place(const DiagSink *sink, Span span, KernelFacts *facts) {
  const Source *source = span.file ? diag_source(sink, span.file) : NULL;
  facts->file = source ? source->path : "";
  uint32_t column;
  if (source) diag_position(source, span.begin, &facts->line, &column);
}

static KernelFacts kernel_facts(const Steps *steps, int number) {
  const Plan *plan = steps->unit->plan;
  const Kernel *kernel = &plan->kernels[number];
  KernelFacts facts = {.kernel = number, .name = kernel->name};
  NodeId from = kernel->root != NODE_NONE ? kernel->root : kernel->space;
  set_place(steps->session->sink, graph_node(plan->graph, from)->span, &facts);
  for (int k = 0; k < kernel->n_nodes; k++)
    facts.flops += node_flops(plan->graph, kernel->nodes[k], plan->symbol_values);
  for (int k = 0; k < kernel->n_inputs; k++) facts.read += node_bytes(plan, kernel->inputs[k]);
  for (int k = 0; k < kernel->n_outputs; k++) facts.written += node_bytes(plan, kernel->outputs[k]);
  facts.read += kernel->scratch_bytes;
  facts.written += kernel->scratch_bytes;
  return facts;
}

// A sum that another kernel carries is summed there: its own kernel only combines the chunks.
static void move_carried(const Plan *plan, KernelFacts *facts, int carrier) {
  for (int k = 0; k < plan->kernels[carrier].n_sums; k++) {
    int number = plan->kernels[carrier].sums[k];
    const Kernel *sum = &plan->kernels[number];
    const Node *root = graph_node(plan->graph, sum->root);
    int64_t flops = node_flops(plan->graph, sum->root, plan->symbol_values);
    facts[carrier].flops += flops, facts[number].flops -= flops;
    facts[carrier].written += sum->scratch_bytes, facts[number].written -= sum->scratch_bytes;
    for (int i = 0; i < sum->n_inputs; i++)
      for (int r = 0; r < root->n_in; r++)
        if (root->in[r] == sum->inputs[i]) facts[number].read -= node_bytes(plan, sum->inputs[i]);
  }
}

// Weights and gradients are read once, weights written; each slot is read and written.
static KernelFacts update_facts(const Steps *steps) {
  int64_t block = steps->runner->params->block_floats * (int64_t)sizeof(float);
  int slots = steps->optimizer.n_slots;
  return (KernelFacts){.kernel = -1,
                       .name = "update of the parameters",
                       .file = "",
                       .ns = steps->update_ns / steps->n_times,
                       .read = block * (2 + slots),
                       .written = block * (1 + slots)};
}

static void add_times(const Steps *steps, Profile *profile) {
  const DlcStep *step = steps->runner->step;
  int threads = profile->threads, n = steps->n_times;
  double *busy = arena_array(steps->session->arena, (size_t)(profile->n * threads), sizeof *busy);
  for (int k = 0; k < step->n_launches; k++) {
    int kernel = step->launches[k].kernel;
    profile->kernels[kernel].ns += steps->profile.nanoseconds[k] / n;
    profile->kernels[kernel].busy = busy + kernel * threads;
    for (int t = 0; t < threads; t++) busy[kernel * threads + t] += steps->profile.busy[k * threads + t] / n;
  }
}

Profile profile_make(const Steps *steps, Peak peak) {
  const Plan *plan = steps->unit->plan;
  Profile profile = {.threads = team_size(steps->runner->team), .peak = peak};
  profile.kernels = arena_array(steps->session->arena, (size_t)plan->n_kernels + 1, sizeof *profile.kernels);
  for (; profile.n < plan->n_kernels; profile.n++) profile.kernels[profile.n] = kernel_facts(steps, profile.n);
  for (int k = 0; k < plan->n_kernels; k++) move_carried(plan, profile.kernels, k);
  add_times(steps, &profile);
  if (steps->trains) profile.kernels[profile.n++] = update_facts(steps);
  for (int k = 0; k < profile.n; k++) profile.ns += profile.kernels[k].ns;
  return profile;
}

double profile_gflops(const KernelFacts *f) { return f->ns > 0 ? (double)f->flops / f->ns : 0; }
double profile_gbytes(const KernelFacts *f) { return f->ns > 0 ? (double)(f->read + f->written) / f->ns : 0; }
double profile_fma_share(const Profile *p, const KernelFacts *f) { return profile_gflops(f) / p->peak.gflops; }

// ---- text -----------------------------------------------------------------------------------------------------------

// The busiest kernels are written out; their threads' parts of the work in percent, or the least and the most.
static const char *threads_text(Arena *arena, const Profile *p, const KernelFacts *f) {
  double sum = 0, least = 1e300, most = 0;
  Text out = text_new(arena);
  for (int t = 0; f->busy && t < p->threads; t++) sum += f->busy[t];
  if (sum <= 0) return "";
  for (int t = 0; t < p->threads; t++) {
    double part = 100 * f->busy[t] / sum;
    if (part < least) least = part;
    if (part > most) most = part;
    if (p->threads <= 4) text_printf(&out, "%s%.0f", t ? "/" : "", part);
  }
  if (p->threads > 4) text_printf(&out, "%.0f-%.0f", least, most);
  return out.bytes;
}

static const char *bytes_text(Arena *arena, int64_t bytes) {
  Text out = text_new(arena);
  report_bytes(bytes, &out);
  return out.bytes;
}

static const char *place_text(Arena *arena, const KernelFacts *f) {
  const char *slash = strrchr(f->file, '/');
  return f->line ? arena_printf(arena, "%s:%u", slash ? slash + 1 : f->file, f->line) : "";
}

typedef struct Widths {
  int threads, place;
} Widths;

static void print_row(const Profile *p, const KernelFacts *f, Widths width, Text *out) {
  Arena *arena = out->arena;
  text_printf(out, "%9.2f %5.1f%%", f->ns * 1e-3, p->ns > 0 ? 100 * f->ns / p->ns : 0);
  if (f->flops)
    text_printf(out, " %8.2f %5.1f%%", profile_gflops(f), 100 * profile_fma_share(p, f));
  else
    text_printf(out, " %8s %6s", "", "");
  text_printf(out, " %10s %10s %6.1f", bytes_text(arena, f->read), bytes_text(arena, f->written), profile_gbytes(f));
  text_printf(out, "  %*s  %-*s  %s\n", width.threads, threads_text(arena, p, f), width.place, place_text(arena, f),
              f->name);
}

static void widen(int *width, const char *text) {
  if ((int)strlen(text) > *width) *width = (int)strlen(text);
}

static int by_time(const void *a, const void *b) {
  const KernelFacts *x = *(const KernelFacts *const *)a, *y = *(const KernelFacts *const *)b;
  if (x->ns != y->ns) return x->ns < y->ns ? 1 : -1;
  return x < y ? -1 : x > y;
}

void profile_print(const Profile *p, Text *out) {
  const KernelFacts **sorted = arena_array(out->arena, (size_t)p->n, sizeof *sorted);
  Widths width = {(int)strlen("threads"), (int)strlen("line")};
  for (int k = 0; k < p->n; k++) {
    sorted[k] = &p->kernels[k];
    widen(&width.threads, threads_text(out->arena, p, sorted[k]));
    widen(&width.place, place_text(out->arena, sorted[k]));
  }
  qsort(sorted, (size_t)p->n, sizeof *sorted, by_time);
  text_printf(out, "peak of this machine with %d thread%s: %.1f GFLOP/s of multiply-adds, %.1f GB/s from memory\n",
              p->threads, p->threads == 1 ? "" : "s", p->peak.gflops, p->peak.gbytes);
  text_printf(out, "%9s %6s %8s %6s %10s %10s %6s  %*s  %-*s  %s\n", "us", "share", "GFLOP/s", "peak", "read",
              "written", "GB/s", width.threads, "threads", width.place, "line", "kernel");
  for (int k = 0; k < p->n; k++) print_row(p, sorted[k], width, out);
  KernelFacts all = {.name = "all kernels", .file = "", .ns = p->ns};
  for (int k = 0; k < p->n; k++)
    all.flops += p->kernels[k].flops, all.read += p->kernels[k].read, all.written += p->kernels[k].written;
  print_row(p, &all, width, out);
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static double rounded(double value) { return (double)(int64_t)(value * 1e4 + 0.5) * 1e-4; }

static void add_kernel(cJSON *list, const Profile *p, const KernelFacts *f) {
  cJSON *item = cJSON_CreateObject();
  cJSON_AddStringToObject(item, "kernel", f->name);
  cJSON_AddStringToObject(item, "file", f->file);
  cJSON_AddNumberToObject(item, "line", f->line);
  cJSON_AddNumberToObject(item, "us", rounded(f->ns * 1e-3));
  cJSON_AddNumberToObject(item, "share", rounded(p->ns > 0 ? f->ns / p->ns : 0));
  cJSON_AddNumberToObject(item, "flops", (double)f->flops);
  cJSON_AddNumberToObject(item, "gflops", rounded(profile_gflops(f)));
  cJSON_AddNumberToObject(item, "share_of_peak", rounded(profile_fma_share(p, f)));
  cJSON_AddNumberToObject(item, "bytes_read", (double)f->read);
  cJSON_AddNumberToObject(item, "bytes_written", (double)f->written);
  cJSON_AddNumberToObject(item, "gbytes_per_s", rounded(profile_gbytes(f)));
  cJSON *busy = cJSON_AddArrayToObject(item, "busy_us");
  for (int t = 0; f->busy && t < p->threads; t++)
    cJSON_AddItemToArray(busy, cJSON_CreateNumber(rounded(f->busy[t] * 1e-3)));
  cJSON_AddItemToArray(list, item);
}

void profile_json(const Profile *p, cJSON *object) {
  cJSON_AddNumberToObject(object, "peak_gflops", rounded(p->peak.gflops));
  cJSON_AddNumberToObject(object, "peak_gbytes_per_s", rounded(p->peak.gbytes));
  cJSON *list = cJSON_AddArrayToObject(object, "kernels");
  for (int k = 0; k < p->n; k++) add_kernel(list, p, &p->kernels[k]);
}
