// What a trained classifier says about a split: the confusion matrix and the mistakes that cost most.
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "data_bind.h"
#include "labels.h"
#include "report_page.h"
#include "runner.h"
#include "checkpoint.h"

enum { SHOWN = 24, MOST_CLASSES = 200 };

typedef struct Mistake {
  int64_t row;
  int label, said;
  double loss, sure;  // -log of the label's probability; the probability of what was said
  uint8_t *pixels;    // [height, width, channels], or NULL: the input is no picture
} Mistake;

typedef struct Predictions {
  Session *session;
  Arena *arena;
  Pipeline *p;
  Unit *unit;
  Runner *runner;
  BoundSplit *split;
  int scores, label, image;  // output and inputs of the step; image -1: none is a picture
  int classes, height, width, channels;
  int64_t *counts;  // [classes, classes]
  int64_t rows, right;
  Mistake worst[SHOWN];  // by falling loss
  int n_worst;
} Predictions;

// ---- the program as it was trained ----------------------------------------------------------------------------------

static Setting *read_settings(Arena *arena, const RunLog *run, int *count) {
  const cJSON *set = cJSON_GetObjectItemCaseSensitive(run->options, "set"), *item;
  Setting *settings = arena_array(arena, (size_t)cJSON_GetArraySize(set), sizeof *settings);
  *count = 0;
  cJSON_ArrayForEach(item, set) {
    if (cJSON_IsString(item)) settings[(*count)++] = (Setting){item->string, item->valuestring};
  }
  return settings;
}

// The program's text is the run's copy; what it names is looked for from where the original was.
static bool open_program(Predictions *q, const RunLog *run) {
  Session *s = q->session;
  int n_settings;
  Setting *settings = read_settings(q->arena, run, &n_settings);
  Pipeline *p = arena_alloc(q->arena, sizeof *p);
  *p = (Pipeline){.session = s, .opens_data = true, .path = run_log_text(run->options, "program")};
  p->program = program_from_text(q->arena, s->sink, s->io, p->path, run->program, settings, n_settings);
  int model = s->sink->n_errors ? -1 : program_find_model(p->program, run_log_text(run->options, "model"));
  if (model < 0) return false;
  if (!s->options.data && *run_log_text(run->options, "data")) s->options.data = run_log_text(run->options, "data");
  pipeline_choose(p, model);
  q->p = p;
  return p->train != NULL;
}

static const char *newest_weights(const Predictions *q, const RunLog *run) {
  const char **names, *newest = NULL;
  size_t count;
  if (io_list(q->session->io, q->arena, run->path, &names, &count) != 0) return NULL;
  for (size_t k = 0; k < count; k++)
    if (!strncmp(names[k], "step-", 5) && strstr(names[k], ".safetensors") && !strstr(names[k], ".tmp-"))
      newest = names[k];  // sorted
  return newest ? arena_printf(q->arena, "%s/%s", run->path, newest) : NULL;
}

static const char *choose_split(const Predictions *q, const DataSpec *data) {
  if (q->session->options.split) return q->session->options.split;
  const char *other = NULL;
  for (int k = 0; k < data->n_splits; k++) {
    if (!strcmp(data->splits[k].name, "test")) return "test";
    if (strcmp(data->splits[k].name, "train") != 0) other = data->splits[k].name;
  }
  return other ? other : "train";
}

// ---- what it is -----------------------------------------------------------------------------------------------------

// A label a row, scores for each class a row.
static bool is_classifier(Predictions *q) {
  const DlcStep *step = q->runner->step;
  q->scores = runner_find_output(q->runner, OUT_RESULT, NULL);
  q->label = q->image = -1;
  for (int k = 0; k < step->n_inputs; k++) {
    const DlcTensor *input = &step->inputs[k];
    int64_t classes = input->type == DT_I32 ? labels_classes(q->unit->lowered->graph, input->name) : 0;
    if (classes > 1 && classes <= MOST_CLASSES && input->rank == 1) {
      q->label = k;
      q->classes = (int)classes;
    }
    bool picture = input->type == DT_F32 && input->rank == 4 && (input->scale[3] == 1 || input->scale[3] == 3);
    if (picture && q->image < 0) q->image = k;
  }
  if (q->scores < 0 || q->label < 0) return false;
  const DlcTensor *scores = &step->outputs[q->scores];
  return scores->type == DT_F32 && scores->rank == 2 && scores->symbol[0] && scores->scale[1] == q->classes;
}

static void take_picture_size(Predictions *q) {
  if (q->image < 0) return;
  const DlcTensor *image = &q->runner->step->inputs[q->image];
  q->height = (int)image->scale[1];
  q->width = (int)image->scale[2];
  q->channels = (int)image->scale[3];
}

// ---- going through the split ----------------------------------------------------------------------------------------

// From its least to its greatest value, so that whatever the data was scaled to can be seen.
static uint8_t *pixels_of(const Predictions *q, int64_t row) {
  if (q->image < 0) return NULL;
  int64_t count = (int64_t)q->height * q->width * q->channels;
  const float *from = (const float *)q->runner->inputs[q->image] + row * count;
  uint8_t *pixels = arena_alloc(q->arena, (size_t)count);
  float least = from[0], greatest = from[0];
  for (int64_t k = 0; k < count; k++) least = fminf(least, from[k]), greatest = fmaxf(greatest, from[k]);
  float scale = greatest > least ? 255 / (greatest - least) : 0;
  for (int64_t k = 0; k < count; k++) pixels[k] = (uint8_t)lrintf((from[k] - least) * scale);
  return pixels;
}

static double probability(const float *scores, int classes, int of) {
  double most = -INFINITY, sum = 0;
  for (int k = 0; k < classes; k++) most = fmax(most, (double)scores[k]);
  for (int k = 0; k < classes; k++) sum += exp((double)scores[k] - most);
  return exp((double)scores[of] - most) / sum;
}

static void keep_mistake(Predictions *q, Mistake mistake, int64_t row_in_batch) {
  int at = q->n_worst;
  while (at > 0 && q->worst[at - 1].loss < mistake.loss) at--;
  if (at == SHOWN) return;
  if (q->n_worst < SHOWN) q->n_worst++;
  memmove(&q->worst[at + 1], &q->worst[at], (size_t)(q->n_worst - 1 - at) * sizeof *q->worst);
  mistake.pixels = pixels_of(q, row_in_batch);
  q->worst[at] = mistake;
}

static void take_row(Predictions *q, int64_t row) {
  const float *scores = (const float *)runner_output(q->runner, q->scores) + row * q->classes;
  int label = ((const int32_t *)(const void *)q->runner->inputs[q->label])[row], said = 0;
  if (label < 0 || label >= q->classes) return;
  for (int k = 1; k < q->classes; k++)
    if (scores[k] > scores[said]) said = k;
  q->counts[label * q->classes + said]++;
  q->right += label == said;
  Mistake mistake = {.row = q->rows, .label = label, .said = said, .sure = probability(scores, q->classes, said)};
  mistake.loss = -log(fmax(1e-300, probability(scores, q->classes, label)));
  if (label != said) keep_mistake(q, mistake, row);
}

static bool go_through(Predictions *q) {
  Loader *loader =
      loader_new(q->arena, q->split->fields, q->split->n_fields, &q->split->rows, q->p->batch, false, 0, 0, 0);
  while (loader && q->rows < q->split->rows.count) {
    const Batch *batch = loader_next(loader);
    runner_take(q->runner, batch->fields);
    runner_step(q->runner, batch->count, 0, 0, NULL);
    for (int64_t row = 0; row < batch->count; row++, q->rows++) take_row(q, row);
  }
  loader_free(loader);
  return loader != NULL;
}

// ---- HTML -----------------------------------------------------------------------------------------------------------

static void add_base64(const uint8_t *bytes, size_t count, Text *out) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t k = 0; k < count; k += 3) {
    size_t left = count - k;
    uint32_t three =
        (uint32_t)bytes[k] << 16 | (left > 1 ? (uint32_t)bytes[k + 1] << 8 : 0) | (left > 2 ? bytes[k + 2] : 0);
    char four[4] = {letters[three >> 18], letters[three >> 12 & 63], left > 1 ? letters[three >> 6 & 63] : '=',
                    left > 2 ? letters[three & 63] : '='};
    text_add_n(out, four, 4);
  }
}

static void add_picture(const Predictions *q, const uint8_t *pixels, Text *out) {
  png_image image = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)q->width, .height = (png_uint_32)q->height};
  image.format = q->channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  uint8_t *bytes = arena_alloc(out->arena, size);
  if (!png_image_write_to_memory(&image, bytes, &size, 0, pixels, 0, NULL)) return;
  text_add(out, "<img alt=\"\" src=\"data:image/png;base64,");
  add_base64(bytes, size, out);
  text_add(out, "\">");
}

static void add_mistakes(const Predictions *q, Text *out) {
  if (q->n_worst == 0) return;
  text_add(out, "<div><h3>Worst mistakes</h3><div class=\"mistakes\">\n");
  for (int k = 0; k < q->n_worst; k++) {
    const Mistake *m = &q->worst[k];
    text_add(out, "<figure>");
    if (m->pixels) add_picture(q, m->pixels, out);
    text_printf(out, "<figcaption>is %d, said %d<br>%.0f %% sure<br>row %lld</figcaption></figure>\n", m->label,
                m->said, 100 * m->sure, (long long)m->row);
  }
  text_add(out, "</div></div>");
}

static void add_section(const Predictions *q, const char *split, Text *out) {
  text_printf(
      out,
      "<section><h2>Predictions</h2><p class=\"small\">%s: %lld of %lld rows right, %.2f %%.</p><div class=\"two\">\n",
      split, (long long)q->right, (long long)q->rows, 100 * (double)q->right / (double)(q->rows ? q->rows : 1));
  text_add(out, "<div><h3>Confusion</h3><div class=\"wide\">");
  svg_confusion(q->counts, q->classes, out);
  text_add(out, "</div></div>\n");
  add_mistakes(q, out);
  text_add(out, "</div></section>\n");
}

// ---- all of it ------------------------------------------------------------------------------------------------------

// NULL, or why there is nothing to show ("" where the sink says it).
static const char *predict(Predictions *q, const RunLog *run, Team **team, Text *out) {
  if (!open_program(q, run)) return "";
  const char *weights = newest_weights(q, run);
  if (!weights) return "the run has no weights yet";
  q->p->opens_data = true;
  q->unit = pipeline_build(q->p, MODE_INFER, LOWER_GRAD);
  *team = q->unit ? team_new(q->p->codegen.threads) : NULL;
  if (!*team) return "";
  q->runner = runner_new(q->arena, q->unit, *team, NULL);
  if (!is_classifier(q)) return "the model is no classifier of rows";
  take_picture_size(q);
  Session *s = q->session;
  if (!weights_load(q->arena, s->sink, s->io, weights, q->runner->params, q->runner->param, q->runner->states,
                    q->runner->state))
    return "";
  const DataSpec *data = program_data(q->p->program, q->p->model);
  const char *split = choose_split(q, data);
  q->split = data_bind(q->p, data_store_new(q->arena, s->io), data, split, q->runner->step);
  if (!q->split) return "";
  q->counts = arena_array(q->arena, (size_t)(q->classes * q->classes), sizeof *q->counts);
  if (!go_through(q)) return "a thread for the data cannot be had";
  add_section(q, split, out);
  return NULL;
}

// Mistakes on the way are told on the page: the curves are there all the same.
void report_predictions(Session *session, const RunLog *run, Text *out) {
  Predictions q = {.session = session, .arena = session->arena};
  DiagSink *outer = session->sink;
  session->sink = diag_sink_new(session->arena);
  Team *team = NULL;
  const char *why = predict(&q, run, &team, out);
  if (why) {
    if (!*why) why = session->sink->n_items ? session->sink->items[0]->message : "the program cannot be run again";
    text_add(out, "<section><h2>Predictions</h2><p class=\"small\">No confusion matrix and mistakes: ");
    svg_add_escaped(out, why);
    text_add(out, ".</p></section>\n");
  }
  session->sink = outer;
  data_release(q.split);
  team_free(team);
  pipeline_release(q.unit);
}
