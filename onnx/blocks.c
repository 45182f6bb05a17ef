// Blocks that repeat: functions, and loops of their calls.
//
// On entry: statements that count are marked, their uses counted. A cut is a place between statements that one value
// alone crosses; a block is what stands between two cuts next to each other. Blocks that differ in nothing but numbers
// are places of one function, and the numbers that differ are its arguments. On exit: m->steps holds the statements
// that count, a call for each such place, and for calls of the same function with the same arguments, one after the
// other, one loop.
#include <string.h>

#include "inside.h"

enum {
  LEAST_STEPS = 4,     // of a block that is worth a name
  LONGEST_PERIOD = 4,  // calls in a loop
  LEAST_SPARED = 2,    // calls that a loop makes superfluous
  MOST_ARGUMENTS = 6
};

typedef struct Place {
  Step **steps;
  int n;
  Var *in, *out;
  const char *shape;     // its text without numbers and names
  const char **numbers;  // [n_numbers]
  int n_numbers;
  int function;  // which, or -1
} Place;

// ---- cuts -----------------------------------------------------------------------------------------------------------

typedef struct Cuts {
  Im *m;
  Step **steps;  // those that count
  int n;
  Var **crossing;  // [n + 1]: the one value that crosses before step k, or NULL
} Cuts;

static void note(Var *v, int at) {
  if (v->last < at) v->last = at;
}

// first and last of every value: the places that it crosses are first + 1 .. last.
static void find_spans(Cuts *c) {
  for (int k = 0; k < c->m->n_inputs; k++) c->m->inputs[k]->var->first = -1, c->m->inputs[k]->var->last = -1;
  for (int k = 0; k < c->n; k++)
    for (int o = 0; o < c->steps[k]->n_out; o++) c->steps[k]->out[o]->first = c->steps[k]->out[o]->last = k;
  for (int k = 0; k < c->n; k++)
    for (int r = 0; r < c->steps[k]->n_refs; r++) note(c->steps[k]->refs[r], k);
  for (int k = 0; k < c->m->n_outputs; k++) note(c->m->outputs[k]->var, c->n);
}

static void add_span(int *change, Var **begins, Var *v) {
  if (v->last <= v->first) return;
  change[v->first + 1]++;
  change[v->last + 1]--;
  begins[v->first + 1] = v;
}

// Where one value alone crosses it is the last that began: the others have ended.
static void find_cuts(Cuts *c) {
  int *change = arena_array(c->m->arena, (size_t)c->n + 2, sizeof *change), crossing = 0;
  Var **begins = arena_array(c->m->arena, (size_t)c->n + 2, sizeof *begins);
  for (int k = 0; k < c->m->n_inputs; k++) add_span(change, begins, c->m->inputs[k]->var);
  for (int k = 0; k < c->n; k++)
    for (int o = 0; o < c->steps[k]->n_out; o++) add_span(change, begins, c->steps[k]->out[o]);
  c->crossing = arena_array(c->m->arena, (size_t)c->n + 1, sizeof *c->crossing);
  Var *alone = NULL;
  for (int k = 0; k <= c->n; k++) {
    crossing += change[k];
    if (begins[k]) alone = begins[k];
    if (alone && alone->last < k) alone = NULL;
    c->crossing[k] = crossing == 1 ? alone : NULL;
  }
}

// ---- a block's text -------------------------------------------------------------------------------------------------

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// How long the number is that begins at `at`, 0 where none does: nothing of a name or a reference. The batch, N, is
// one.
static size_t number_length(const char *text, size_t at) {
  if (text[at] == 'N' && !is_word(text[at + 1]) && !(at && is_word(text[at - 1]))) return 1;
  if (!is_digit(text[at]) || (at && (is_word(text[at - 1]) || text[at - 1] == '$' || text[at - 1] == '.'))) return 0;
  size_t n = 1;
  while (is_digit(text[at + n]) || text[at + n] == '.' || text[at + n] == 'e' ||
         (text[at + n] == '-' && text[at + n - 1] == 'e'))
    n++;
  return n;
}

static bool has_number(const char *text) {
  for (size_t at = 0; text && text[at]; at++)
    if (number_length(text, at)) return true;
  return false;
}

typedef struct Reading {
  Im *m;
  Text shape;
  const char **numbers;
  size_t n, capacity;
} Reading;

static void read_text(Reading *r, const char *text) {
  for (size_t at = 0; text && text[at];) {
    size_t length = number_length(text, at);
    if (!length) {
      text_add_n(&r->shape, &text[at++], 1);
      continue;
    }
    r->numbers = arena_grow(r->m->arena, r->numbers, r->n, &r->capacity, sizeof *r->numbers);
    r->numbers[r->n++] = arena_strndup(r->m->arena, &text[at], length);
    text_add(&r->shape, "#");
    at += length;
  }
  text_add(&r->shape, "\n");
}

// Names are numbers in order of their making: the value that comes in is 0.
static bool read_place(Im *m, Place *p) {
  Reading r = {.m = m, .shape = text_new(m->arena)};
  int next = 1;
  p->in->number = 0;
  for (int k = 0; k < p->n; k++) {
    const Step *s = p->steps[k];
    if (s->n_out != 1) return false;
    text_printf(&r.shape, "%d %s %d %d", (int)s->kind, s->call ? s->call : "", s->n_params, s->n_states);
    for (int t = 0; t < s->n_refs; t++) text_printf(&r.shape, " v%d", s->refs[t]->number);
    s->out[0]->number = next++;
    read_text(&r, s->index);
    read_text(&r, s->text);
  }
  p->shape = r.shape.bytes;
  p->numbers = r.numbers;
  p->n_numbers = (int)r.n;
  return true;
}

// ---- functions ------------------------------------------------------------------------------------------------------

typedef struct Places {
  Place *items;
  size_t n, capacity;
} Places;

static void add_place(Im *m, Places *places, Step **steps, int n, Var *in, Var *out) {
  Place p = {.steps = steps, .n = n, .in = in, .out = out, .function = -1};
  if (!read_place(m, &p)) return;
  places->items = arena_grow(m->arena, places->items, places->n, &places->capacity, sizeof *places->items);
  places->items[places->n++] = p;
}

// An activation right behind a block belongs to it: the ReLU behind a residual sum.
static bool is_activation(const Step *s) {
  static const char *const names[] = {"relu", "relu6", "leaky_relu", "elu",      "selu",      "gelu",
                                      "silu", "tanh",  "sigmoid",    "softplus", "hard_swish"};
  for (size_t k = 0; s->kind == STEP_CALL && k < sizeof names / sizeof *names; k++)
    if (!strcmp(s->call, names[k])) return true;
  return false;
}

static Places find_places(Cuts *c) {
  Places places = {0};
  for (int begin = 0, end; begin < c->n; begin = end) {
    end = begin + 1;
    if (!c->crossing[begin]) continue;
    while (end < c->n && !c->crossing[end]) end++;
    bool block = c->crossing[end] && end - begin >= LEAST_STEPS;
    if (block && end < c->n && c->crossing[end + 1] && is_activation(c->steps[end])) end++;
    if (block) add_place(c->m, &places, &c->steps[begin], end - begin, c->crossing[begin], c->crossing[end]);
  }
  return places;
}

// The arguments of a function: for each number of its places the argument that stands for it, or -1.
typedef struct Arguments {
  int *of;
  const char *name[MOST_ARGUMENTS];
  int number[MOST_ARGUMENTS];  // the first that it stands for
  int n;
} Arguments;

// Have two numbers of the function the same values at all places?
static bool equal_numbers(const Places *places, int function, int a, int b) {
  for (size_t k = 0; k < places->n; k++)
    if (places->items[k].function == function && strcmp(places->items[k].numbers[a], places->items[k].numbers[b]) != 0)
      return false;
  return true;
}

static bool is_batch(const char *number) { return *number == 'N'; }

// A function does not know the batch.
static bool is_constant(const Places *places, const Place *first, int number) {
  if (is_batch(first->numbers[number])) return false;
  for (size_t k = 0; k < places->n; k++)
    if (places->items[k].function == first->function &&
        strcmp(places->items[k].numbers[number], first->numbers[number]) != 0)
      return false;
  return true;
}

// What the number at `at` is called in its text: the word before "= ", else what a layer's first argument is.
static const char *argument_name(Im *m, const Step *s, size_t at) {
  size_t end = at;
  while (end > 1 && !(s->text[end] == '=' && s->text[end - 1] == ' ')) end--;
  if (end > 1) {
    size_t begin = end - 1;
    while (begin > 0 && is_word(s->text[begin - 1])) begin--;
    if (begin < end - 1) return arena_strndup(m->arena, &s->text[begin], end - 1 - begin);
  }
  if (s->kind != STEP_CALL) return "size";
  return strstr(s->call, "conv") ? "filters" : !strcmp(s->call, "dense") ? "units" : "size";
}

static const char *distinct_name(Im *m, const Arguments *a, const char *name) {
  const char *found = name;
  for (int turn = 2, k = 0; k < a->n; k++) {
    if (strcmp(a->name[k], found) != 0) continue;
    found = text_of(m, "%s_%d", name, turn++);
    k = -1;
  }
  return found;
}

static bool choose_argument(Im *m, const Places *places, const Place *first, int number, const Step *s, size_t at,
                            Arguments *a) {
  a->of[number] = -1;
  if (is_constant(places, first, number)) return true;
  for (int k = 0; k < a->n && a->of[number] < 0; k++)
    if (equal_numbers(places, first->function, a->number[k], number)) a->of[number] = k;
  if (a->of[number] >= 0) return true;
  if (a->n == MOST_ARGUMENTS) return false;
  a->name[a->n] = distinct_name(m, a, is_batch(first->numbers[number]) ? "batch" : argument_name(m, s, at));
  a->number[a->n] = number;
  a->of[number] = a->n++;
  return true;
}

// The text with arguments' names for the numbers that differ; *number goes on. NULL: too many arguments.
static const char *with_arguments(Im *m, const Places *places, const Place *first, const Step *s, const char *text,
                                  int *number, Arguments *a) {
  Text out = text_new(m->arena);
  for (size_t at = 0; text && text[at];) {
    size_t length = number_length(text, at);
    if (!length) {
      text_add_n(&out, &text[at++], 1);
      continue;
    }
    if (!choose_argument(m, places, first, *number, s, at, a)) return NULL;
    int argument = a->of[(*number)++];
    if (argument < 0)
      text_add_n(&out, &text[at], length);
    else
      text_add(&out, a->name[argument]);
    at += length;
  }
  return out.bytes;
}

// The function's body: copies of the first place's steps. NULL where it would have too many arguments.
static Block *block_of(Im *m, const Places *places, const Place *first, Arguments *a) {
  Block *block = arena_alloc(m->arena, sizeof *block);
  *block = (Block){.n_steps = first->n, .in = first->in, .out = first->out};
  block->texts = arena_array(m->arena, (size_t)first->n, sizeof *block->texts);
  block->steps = first->steps;
  a->of = arena_array(m->arena, (size_t)first->n_numbers, sizeof *a->of);
  int number = 0;
  for (int k = 0; k < first->n; k++) {
    const Step *s = first->steps[k];
    if (has_number(s->index)) return NULL;
    block->texts[k] = with_arguments(m, places, first, s, s->text ? s->text : "", &number, a);
    if (!block->texts[k]) return NULL;
  }
  Text arguments = text_new(m->arena);
  for (int k = 0; k < a->n; k++) text_printf(&arguments, ", %s", a->name[k]);
  block->arguments = arguments.bytes;
  return block;
}

static const char *arguments_of(Im *m, const Place *p, const Arguments *a) {
  Text text = text_new(m->arena);
  for (int k = 0; k < a->n; k++) {
    bool plain = k == 0 && (!strcmp(a->name[k], "filters") || !strcmp(a->name[k], "units"));
    text_add(&text, k ? ", " : "");
    if (!plain) text_printf(&text, "%s = ", a->name[k]);
    text_add(&text, p->numbers[a->number[k]]);
  }
  return text.bytes;
}

// The step that stands for a place: a call of its function.
static Step *call_of(Im *m, Block *block, const Place *p, const Arguments *a) {
  Step *call = arena_alloc(m->arena, sizeof *call);
  *call = (Step){.kind = STEP_CALL, .n_out = 1, .n_refs = 1, .call = block->name, .live = true, .block = block};
  call->out = arena_alloc(m->arena, sizeof *call->out);
  call->refs = arena_alloc(m->arena, sizeof *call->refs);
  call->out[0] = p->out;
  call->refs[0] = p->in;
  call->text = arguments_of(m, p, a);
  call->inside = p->steps;
  call->n_inside = p->n;
  p->out->step = call;
  p->in->uses = 1;
  p->in->user = call;
  return call;
}

static void add_function(Im *m, Places *places, size_t first, int function, Step **calls) {
  Place *p = &places->items[first];
  int count = 0;
  for (size_t k = first; k < places->n; k++) {
    if (places->items[k].function >= 0 || strcmp(places->items[k].shape, p->shape) != 0) continue;
    places->items[k].function = function;
    count++;
  }
  Arguments a = {0};
  Block *block = count > 1 ? block_of(m, places, p, &a) : NULL;
  if (!block) {
    for (size_t k = first; k < places->n; k++)
      if (places->items[k].function == function) places->items[k].function = -2;
    return;
  }
  block->name = function ? text_of(m, "block_%d", function + 1) : "block";
  m->blocks[m->n_blocks++] = block;
  for (size_t k = first; k < places->n; k++)
    if (places->items[k].function == function) calls[k] = call_of(m, block, &places->items[k], &a);
}

// ---- loops ----------------------------------------------------------------------------------------------------------

// Is b called of what a gives, and nothing else?
static bool follows(const Step *a, const Step *b) {
  return a->block && b->block && b->refs[0] == a->out[0] && !a->out[0]->output;
}

static bool same_call(const Step *a, const Step *b) { return a->block == b->block && !strcmp(a->text, b->text); }

// How many of the n calls, from the first on, are turns of a loop over `period` of them.
static int turning(Step *const *calls, int n, int period) {
  int k = period;
  while (k < n && same_call(calls[k - period], calls[k])) k++;
  return k / period * period;
}

static Step *loop_of(Im *m, Step **calls, int n, int period) {
  Step *loop = arena_alloc(m->arena, sizeof *loop);
  *loop = *calls[0];
  loop->kind = STEP_LOOP;
  loop->calls = arena_array(m->arena, (size_t)n, sizeof *loop->calls);
  memcpy(loop->calls, calls, (size_t)n * sizeof *calls);
  loop->n_calls = n;
  loop->period = period;
  loop->out = calls[n - 1]->out;
  loop->out[0]->step = loop;
  loop->refs[0]->user = loop;
  return loop;
}

// The loop that these n calls, each of the one before, begin with: how many belong to it; 0: none that spares two
// calls.
static int best_loop(Step *const *calls, int n, int *period) {
  int best = 0;
  for (int p = 1; p <= LONGEST_PERIOD; p++) {
    int count = turning(calls, n, p);
    if (count - p < LEAST_SPARED || count <= best) continue;
    best = count;
    *period = p;
  }
  return best;
}

static void find_loops(Im *m) {
  size_t n = 0;
  for (size_t k = 0; k < m->n_steps;) {
    size_t end = k + 1;
    while (end < m->n_steps && follows(m->steps[end - 1], m->steps[end])) end++;
    int period = 1, count = m->steps[k]->block ? best_loop(&m->steps[k], (int)(end - k), &period) : 0;
    m->steps[n++] = count ? loop_of(m, &m->steps[k], count, period) : m->steps[k];
    k += count ? (size_t)count : 1;
  }
  m->n_steps = n;
}

// ---------------------------------------------------------------------------------------------------------------------

static void put_calls(Im *m, const Cuts *c, const Places *places, Step *const *calls) {
  size_t n = 0, place = 0;
  m->steps = arena_array(m->arena, (size_t)c->n, sizeof *m->steps);
  for (int k = 0; k < c->n;) {
    while (place < places->n && places->items[place].steps < &c->steps[k]) place++;
    bool called = place < places->n && places->items[place].steps == &c->steps[k] && calls[place];
    m->steps[n++] = called ? calls[place] : c->steps[k];
    k += called ? places->items[place].n : 1;
  }
  m->n_steps = n;
}

void blocks_find(Im *m) {
  Cuts c = {.m = m, .steps = arena_array(m->arena, m->n_steps, sizeof *c.steps)};
  for (size_t k = 0; k < m->n_steps; k++)
    if (m->steps[k]->live) c.steps[c.n++] = m->steps[k];
  find_spans(&c);
  find_cuts(&c);
  Places places = find_places(&c);
  Step **calls = arena_array(m->arena, places.n, sizeof *calls);
  m->blocks = arena_array(m->arena, places.n, sizeof *m->blocks);
  for (size_t k = 0; k < places.n; k++)
    if (places.items[k].function == -1) add_function(m, &places, k, m->n_blocks, calls);
  put_calls(m, &c, &places, calls);
  find_loops(m);
}
