// What a search found, for people and for programs.
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "search.h"

const char *search_words(const Search *s, int64_t c) {
  Text out = text_new(s->session->arena);
  for (int k = 0; k < s->spec->n_axes; k++)
    text_printf(&out, "%s%s = %s", k ? "  " : "", s->spec->axes[k].name,
                s->spec->axes[k].shown[search_choice(s->spec, c, k)]);
  return out.bytes;
}

// ---- the table ------------------------------------------------------------------------------------------------------

static int wider(int a, const char *text) { return (int)strlen(text) > a ? (int)strlen(text) : a; }

static int axis_width(const SearchAxis *axis) {
  int width = wider(0, axis->name);
  for (int k = 0; k < axis->n_values; k++) width = wider(width, axis->shown[k]);
  return width;
}

static void add_score(double score, int width, Text *out) {
  if (isnan(score))
    text_printf(out, "  %*s", width, "diverged");
  else
    text_printf(out, "  %*.4f", width, score);
}

static int score_width(const Search *s) { return wider(8, s->spec->score); }

static void add_head(const Search *s, Text *out) {
  for (int k = 0; k < s->spec->n_axes; k++)
    text_printf(out, "%-*s  ", axis_width(&s->spec->axes[k]), s->spec->axes[k].name);
  text_printf(out, "%*s", score_width(s), s->spec->score);
  if (s->spec->folds) text_printf(out, "  %8s", "std");
  for (int64_t fold = 0; fold < s->spec->folds; fold++)
    text_printf(out, "  %8s", arena_printf(s->session->arena, "fold %lld", (long long)fold + 1));
  text_add(out, "\n");
}

static void add_row(const Search *s, int64_t c, Text *out) {
  const Result *r = &s->results[c];
  Text line = text_new(s->session->arena);
  for (int k = 0; k < s->spec->n_axes; k++) {
    const SearchAxis *axis = &s->spec->axes[k];
    text_printf(&line, "%-*s  ", axis_width(axis), axis->shown[search_choice(s->spec, c, k)]);
  }
  line.length -= 2;
  text_add_n(out, line.bytes, line.length);
  add_score(r->mean, score_width(s), out);
  if (s->spec->folds) add_score(r->std, 8, out);
  for (int64_t fold = 0; fold < s->spec->folds; fold++) add_score(r->scores[fold], 8, out);
  text_add(out, c == s->winner ? "  best\n" : "\n");
}

void search_table(const Search *s, Text *out) {
  add_head(s, out);
  for (int64_t c = 0; c < s->n; c++) add_row(s, c, out);
  if (s->winner < 0) {
    text_add(out, "every one diverged\n");
    return;
  }
  text_printf(out, "\nbest: %s", search_words(s, s->winner));
  if (s->has_test) text_printf(out, "  test.%s %.4f", s->spec->score, s->test);
  text_printf(out, "\n%lld candidate%s, %d network%s compiled\n", (long long)s->n, s->n == 1 ? "" : "s", s->compiled,
              s->compiled == 1 ? "" : "s");
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static void add_number(cJSON *object, const char *name, double value) {
  if (isfinite(value))
    cJSON_AddNumberToObject(object, name, value);
  else
    cJSON_AddNullToObject(object, name);
}

static cJSON *candidate_json(const Search *s, int64_t c) {
  cJSON *one = cJSON_CreateObject(), *values = cJSON_AddObjectToObject(one, "values");
  for (int k = 0; k < s->spec->n_axes; k++)
    cJSON_AddStringToObject(values, s->spec->axes[k].name, s->spec->axes[k].values[search_choice(s->spec, c, k)]);
  add_number(one, "mean", s->results[c].mean);
  add_number(one, "std", s->results[c].std);
  cJSON *scores = cJSON_AddArrayToObject(one, "scores");
  for (int64_t k = 0; k < s->n_scores; k++) {
    double score = s->results[c].scores[k];
    cJSON_AddItemToArray(scores, isfinite(score) ? cJSON_CreateNumber(score) : cJSON_CreateNull());
  }
  return one;
}

void search_json(const Search *s, Text *out) {
  cJSON *all = cJSON_CreateObject();
  cJSON_AddStringToObject(all, "model", s->spec->model);
  cJSON_AddStringToObject(all, "score", s->spec->score);
  cJSON *list = cJSON_AddArrayToObject(all, "candidates");
  for (int64_t c = 0; c < s->n; c++) cJSON_AddItemToArray(list, candidate_json(s, c));
  if (s->winner >= 0) cJSON_AddItemToObject(all, "best", candidate_json(s, s->winner));
  if (s->has_test) add_number(all, "test", s->test);
  char *text = cJSON_PrintUnformatted(all);
  text_printf(out, "%s\n", text ? text : "{}");
  cJSON_free(text);
  cJSON_Delete(all);
}
