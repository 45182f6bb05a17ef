// dlc search: every combination of the search block's values, compared by cross-validation or on a split; the winner on
// the test split, once.
#include <math.h>
#include <string.h>

#include "commands.h"
#include "evaluate.h"
#include "fold.h"
#include "search.h"
#include "signals.h"

enum { MOST_CANDIDATES = 100000, ROWS_AT_ONCE = 64 };

// ---- candidates -----------------------------------------------------------------------------------------------------

// Axis k's value of candidate c: the last axis changes fastest.
int search_choice(const SearchSpec *spec, int64_t c, int k) {
  for (int axis = spec->n_axes - 1; axis > k; axis--) c /= spec->axes[axis].n_values;
  return (int)(c % spec->axes[k].n_values);
}

static bool count_candidates(Search *s) {
  s->n = 1;
  for (int k = 0; k < s->spec->n_axes; k++) {
    s->n *= s->spec->axes[k].n_values;
    if (s->n <= MOST_CANDIDATES) continue;
    diag_error(s->session->sink, DIAG_E0156, s->spec->span, "more than %d combinations to try", MOST_CANDIDATES);
    return false;
  }
  return true;
}

// The program again, with candidate c's values as --set gives them: above the command line's, and those above what the
// search block says of its model.
static Pipeline *open_candidate(Search *s, int64_t c) {
  Session *session = s->session;
  Options *options = &session->options;
  const Setting *given = options->settings;
  const SearchSpec *spec = s->spec;
  int n_given = options->n_settings, n = 0;
  Setting *settings = arena_array(session->arena, (size_t)(spec->n_fixed + n_given + spec->n_axes), sizeof *settings);
  for (int k = 0; k < spec->n_fixed; k++) settings[n++] = (Setting){spec->fixed[k].name, spec->fixed[k].values[0]};
  for (int k = 0; k < n_given; k++) settings[n++] = given[k];
  for (int k = 0; k < spec->n_axes; k++)
    settings[n++] = (Setting){spec->axes[k].name, spec->axes[k].values[search_choice(spec, c, k)]};
  options->settings = settings;
  options->n_settings = n;
  Pipeline *p = pipeline_read(session);
  options->settings = (Setting *)given;
  options->n_settings = n_given;
  if (!p) return NULL;
  pipeline_choose(p, s->model);
  p->opens_data = true;
  p->memory = s->memory;
  if (!p->train && !options->batch) p->batch = ROWS_AT_ONCE;
  return p;
}

// ---- compiled networks ----------------------------------------------------------------------------------------------

static void release(Network *n, int64_t n_folds) {
  for (int64_t k = 0; n->folds && k < n_folds; k++) {
    data_release(n->folds[k].scored);
    data_release(n->folds[k].rows);
    data_release(n->folds[k].held_loss);
  }
  data_release(n->rows);
  data_release(n->scored);
  data_release(n->held);
  data_release(n->held_loss);
  data_release(n->test);
  pipeline_release(n->score);
  pipeline_release(n->train);
  pipeline_release(n->loss);
}

// What a candidate's network would be compiled from; `train` NULL where there is nothing to train.
typedef struct Graphs {
  const Graph *score, *train;
} Graphs;

static bool lower_graphs(Pipeline *p, Graphs *g) {
  Lowered *score = program_lower(p->program, p->model, MODE_INFER, LOWER_SEARCH);
  if (!score) return false;
  Lowered *train = score->params.n_items ? program_lower(p->program, p->model, MODE_TRAIN, LOWER_LOSS) : NULL;
  *g = (Graphs){score->graph, train ? train->graph : NULL};
  return train || !score->params.n_items;
}

static bool serves(const Network *n, const Pipeline *p, const Graphs *g) {
  if (n->batch != p->batch || n->fast != p->fast || !graph_equal(n->score->lowered->graph, g->score)) return false;
  return n->train ? g->train && graph_equal(n->train->lowered->graph, g->train) : !g->train;
}

static bool has_split(const DataSpec *data, const char *name) {
  for (int k = 0; k < data->n_splits; k++)
    if (strcmp(data->splits[k].name, name) == 0) return true;
  return false;
}

static bool bind_splits(Search *s, Pipeline *p, Network *n) {
  const DataSpec *data = program_data_named(p->program, s->spec->data);
  const DlcStep *score = codegen_step(n->score->compiled);
  n->scored = data_bind(p, s->store, data, "train", score);
  if (n->scored && s->spec->split) n->held = data_bind(p, s->store, data, s->spec->split, score);
  if (!n->scored || (s->spec->split && !n->held)) return false;
  if (has_split(data, "test") && !(n->test = data_bind(p, s->store, data, "test", score))) return false;
  if (!n->train) return true;
  n->rows = data_bind_training(p, s->store, data, "train", codegen_step(n->train->compiled));
  const char *held = s->spec->split ? s->spec->split : "train";
  n->held_loss = n->rows ? data_bind(p, s->store, data, held, codegen_step(n->loss->compiled)) : NULL;
  return n->held_loss != NULL;
}

static bool compile_network(Search *s, Pipeline *p, Network *n) {
  n->score = pipeline_build(p, MODE_INFER, LOWER_SEARCH);
  if (!n->score) return false;
  if (n->score->lowered->params.n_items) {
    n->train = pipeline_build(p, MODE_TRAIN, LOWER_LOSS);
    if (n->train) n->loss = pipeline_build(p, MODE_INFER, LOWER_LOSS);
    if (!n->loss) return false;
  }
  s->memory = p->memory;
  return bind_splits(s, p, n);
}

// Finds or compiles the candidate's network. False after reporting.
static bool make_network(Search *s, Pipeline *p) {
  Graphs graphs;
  if (!lower_graphs(p, &graphs)) return false;
  for (int k = s->compiled - 1; k >= 0; k--)
    if (serves(s->networks[k], p, &graphs)) return s->network = s->networks[k], true;
  Network *n = arena_alloc(s->session->arena, sizeof *n);
  *n = (Network){.batch = p->batch, .fast = p->fast};
  if (!compile_network(s, p, n)) return release(n, 0), false;
  s->networks =
      arena_grow(s->session->arena, s->networks, (size_t)s->compiled, &s->networks_capacity, sizeof *s->networks);
  s->networks[s->compiled++] = s->network = n;
  return true;
}

// ---- measuring
// --------------------------------------------------------------------------------------------------------

// What one measurement works with.
typedef struct Setup {
  const BoundSplit *train, *watched, *on;
  const Memory *memory;
} Setup;

static bool watches(const TrainSpec *train) {
  if (train->early_stop.score) return true;
  for (int k = 0; k < train->schedule.n; k++)
    if (train->schedule.piece[k].kind == SCHEDULE_PLATEAU) return true;
  return false;
}

// Trains where there is something to train, then scores; NaN where training diverged. False after reporting.
static bool measure(Search *s, Pipeline *p, Arena *arena, const Setup *setup, double *score) {
  const Network *n = s->network;
  Runner *trained = NULL;
  bool diverged = false;
  *score = NAN;
  if (n->train) {
    FoldTraining fold = {n->train, n->loss, s->team, setup->train, setup->watched, setup->memory};
    trained = fold_train(p, arena, &fold, &diverged);
    if (!trained) return diverged;
  }
  Runner *runner = runner_new(arena, n->score, s->team, trained);
  runner_hold(runner, setup->memory);
  Scores scores = evaluate_split(arena, runner, setup->on, p->batch, NULL, NULL);
  if (scores.n_items) *score = scores.items[0].value;
  if (!scores.n_items) diag_error(s->session->sink, DIAG_E0602, SPAN_NONE, "a thread for the data cannot be had");
  return scores.n_items > 0;
}

// Name of the split that early stopping looks at: of a fold, the rows held out stand for it.
static const char *watched_name(Arena *arena, const TrainSpec *train) {
  const char *score = train->early_stop.score ? train->early_stop.score : train->plateau.score;
  return arena_strndup(arena, score, strcspn(score, "."));
}

static bool measure_fold(Search *s, Pipeline *p, int64_t fold, double *score) {
  Arena *arena = arena_beside(s->session->arena);
  Fold parts;
  if (!search_fold(s, p, arena, fold, &parts)) return arena_free(arena), false;
  BoundSplit held = data_narrowed(arena, parts.splits.scored, &parts.held), train, watched;
  Setup setup = {.on = &held, .memory = parts.memory};
  if (s->network->train) {
    train = data_narrowed(arena, parts.splits.rows, &parts.kept);
    watched = data_narrowed(arena, parts.splits.held_loss, &parts.held);
    if (watches(p->train)) watched.name = watched_name(arena, p->train);
    setup.train = &train;
    setup.watched = watches(p->train) ? &watched : NULL;
  }
  bool done = measure(s, p, arena, &setup, score);
  arena_free(arena);
  return done;
}

// On a split as it is, with all of the training split: validation, and the winner's test.
static bool measure_whole(Search *s, Pipeline *p, const BoundSplit *on, double *score) {
  const Network *n = s->network;
  Arena *arena = arena_beside(s->session->arena);
  BoundSplit watched;
  Setup setup = {.train = n->rows, .on = on, .memory = n->score->memory};
  if (n->train && s->spec->split && watches(p->train)) {
    watched = *n->held_loss;
    setup.watched = &watched;
  }
  bool done = measure(s, p, arena, &setup, score);
  arena_free(arena);
  return done;
}

// ---- the search -----------------------------------------------------------------------------------------------------

static void summarise(Result *r, int64_t n) {
  double sum = 0, squares = 0;
  for (int64_t k = 0; k < n; k++) sum += r->scores[k];
  r->mean = sum / (double)n;
  for (int64_t k = 0; k < n; k++) squares += (r->scores[k] - r->mean) * (r->scores[k] - r->mean);
  r->std = sqrt(squares / (double)n);
}

static bool try_candidate(Search *s, int64_t c) {
  Pipeline *p = open_candidate(s, c);
  if (!p || !make_network(s, p)) return false;
  Result *r = &s->results[c];
  r->scores = arena_array(s->session->arena, (size_t)s->n_scores, sizeof *r->scores);
  for (int64_t fold = 0; fold < s->n_scores; fold++) {
    if (signals_caught()) return false;
    bool done = s->spec->folds ? measure_fold(s, p, fold, &r->scores[fold])
                               : measure_whole(s, p, s->network->held, &r->scores[0]);
    if (!done) return false;
  }
  summarise(r, s->n_scores);
  progress_say(&s->progress, "%lld of %lld: %s  %s %.4g", (long long)c + 1, (long long)s->n, search_words(s, c),
               s->spec->score, r->mean);
  return true;
}

// The best mean; of equals the first. -1 where every candidate diverged.
static int64_t find_winner(const Search *s) {
  int64_t best = -1;
  for (int64_t c = 0; c < s->n; c++) {
    double mean = s->results[c].mean;
    if (isnan(mean)) continue;
    if (best < 0 || (s->spec->maximize ? mean > s->results[best].mean : mean < s->results[best].mean)) best = c;
  }
  return best;
}

static bool test_winner(Search *s) {
  if (s->winner < 0) return true;
  Pipeline *p = open_candidate(s, s->winner);
  if (!p || !make_network(s, p)) return false;
  s->has_test = s->network->test != NULL;
  return !s->has_test || measure_whole(s, p, s->network->test, &s->test);
}

static bool write_picture(Search *s) {
  const char *path = s->session->options.output;
  if (!path) return true;
  Text picture = text_new(s->session->arena);
  search_svg(s, &picture);
  int error = io_replace(s->session->io, s->session->arena, path, picture.bytes, picture.length);
  if (error) diag_error(s->session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return !error;
}

static int run_search(Search *s) {
  for (int64_t c = 0; c < s->n; c++)
    if (!try_candidate(s, c)) return signals_caught() ? 128 + signals_caught() : STATUS_WRONG;
  s->winner = find_winner(s);
  if (!test_winner(s)) return STATUS_WRONG;
  if (s->session->options.json)
    search_json(s, &s->session->out);
  else
    search_table(s, &s->session->out);
  if (!write_picture(s)) return STATUS_WRITE;
  return s->winner >= 0 ? STATUS_DONE : STATUS_DIVERGED;
}

static bool choose_model(Search *s, Pipeline *p) {
  s->model = s->session->options.model ? pipeline_find(p) : program_searched_model(p->program);
  if (s->session->options.model && s->model < 0) return false;
  s->spec = s->model >= 0 ? program_search(p->program, s->model) : NULL;
  if (s->spec) return true;
  diag_error(s->session->sink, DIAG_E0605, SPAN_NONE, "%s has no search block", p->path);
  return false;
}

// Before hours are spent on what it would show.
static bool check_output(Session *session) {
  const char *path = session->options.output, *ending = path ? strrchr(path, '.') : NULL;
  if (!path || (ending && !strcmp(ending, ".svg"))) return true;
  diag_error(session->sink, DIAG_E0601, SPAN_NONE, "-o takes FILE.svg, not '%s'", path);
  return false;
}

int command_search(Session *session) {
  Search s = {.session = session, .winner = -1};
  if (!check_output(session)) return STATUS_USAGE;
  Pipeline *p = pipeline_read(session);
  if (!p) return STATUS_WRONG;
  if (!choose_model(&s, p)) return STATUS_USAGE;
  if (!count_candidates(&s)) return STATUS_WRONG;
  s.n_scores = s.spec->folds ? s.spec->folds : 1;
  s.results = arena_array(session->arena, (size_t)s.n, sizeof *s.results);
  s.progress = progress_new(session);
  s.store = data_store_new(session->arena, session->io);
  s.team = team_new(session_threads(session));
  signals_watch();
  int status = s.team ? run_search(&s) : STATUS_RESOURCE;
  for (int k = 0; k < s.compiled; k++) release(s.networks[k], s.spec->folds);
  team_free(s.team);
  return status;
}
