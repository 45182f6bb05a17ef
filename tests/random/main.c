// Random programs: makes graphs and .dl programs from seeds and checks of each all that must hold.
//
//   random_check --graphs 350 --programs 150 --seed 1 --runs 2      a test run: seeds 1, 2, ..
//   random_check --reduce 17                                         makes a small graph of one that fails
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check_program.h"
#include "io.h"
#include "make_graph.h"
#include "reduce.h"

typedef struct Options {
  int64_t graphs, programs, seed, one, program, small, runs, least;

} Options;

// What is being checked, for the handler of fatal signals.
static char current[64];

static void on_signal(int number) {
  ssize_t ignored = write(STDERR_FILENO, current, strlen(current));
  (void)ignored;
  signal(number, SIG_DFL);
  raise(number);
}

static void on_exit_code(void) {
  if (current[0]) fprintf(stderr, "%s", current);
}

static const int64_t symbol_values[] = {5, 1, 2, 3, 8, 9};

// What one seed stands for.
typedef struct Case {
  uint64_t seed;
  bool tame, train, wild;
  int64_t symbol;
} Case;

static Graph *case_graph(Arena *arena, uint64_t seed, Case *c) {
  Choice chance = {.seed = seed, .stream = 1};
  *c = (Case){.seed = seed, .tame = choice_below(&chance, 3) > 0, .train = choice_below(&chance, 4) > 0};
  c->wild = !c->tame && choice_once_in(&chance, 2);
  c->symbol = CHOICE_OF(&chance, symbol_values);
  MakeOptions options = {.tame = c->tame, .most = 10};
  return make_graph(arena, &chance, &options);
}

static Check case_check(Arena *arena, const Case *c, const Functions *functions, Tally *tally, Choice *turns,
                        int runs) {
  Check check = {.arena = arena, .functions = functions, .tally = tally, .chance = turns, .runs = runs};
  check.why = text_new(arena);
  check.tame = c->tame, check.train = c->train;
  check.fill = (Fill){.seed = c->seed, .wild = c->wild, .symbol = c->symbol};
  return check;
}

// ---- reducing -------------------------------------------------------------------------------------------------------

typedef struct Same {  // the same fault, found in a process of its own
  const Case *c;
  const Functions *functions;
  int status;
} Same;

static int status_of(const Same *same, const Graph *g, bool show) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    static Tally tally;
    Guard guard;
    Arena *arena = arena_new(allocator_system(), &guard);
    if (setjmp(guard.jump)) _exit(99);
    alarm(60);
    Choice turns = {.seed = same->c->seed, .stream = 2};
    Check check = case_check(arena, same->c, same->functions, &tally, &turns, 10);
    if (!show && !freopen("/dev/null", "w", stderr)) _exit(98);
    Fault fault = check_graph(&check, g);
    if (show) printf("%s: %s\n", fault_name(fault), check.why.bytes);
    fflush(stdout);
    _exit(fault);
  }
  int status = -1;
  while (waitpid(child, &status, 0) < 0) continue;
  return status;
}

static bool fails_alike(void *state, const Graph *g) {
  const Same *same = state;
  return status_of(same, g, false) == same->status;
}

static void reduce_to(const Case *c, const Functions *functions, const Graph *g, const char *kind) {
  Same same = {c, functions, 0};
  same.status = status_of(&same, g, false);
  if (same.status == 0) {
    printf("%s %llu: no fault\n", kind, (unsigned long long)c->seed);
    return;
  }
  const Graph *small = reduce_graph(g, fails_alike, &same);
  Text text = text_new(g->arena);
  graph_print(small, &text);
  printf("# %s %llu, N = %lld, %s%s; %d nodes\n%s", kind, (unsigned long long)c->seed, (long long)c->symbol,
         c->train ? "train" : "infer", c->wild ? ", special values" : "", reduce_size(small), text.bytes);
  status_of(&same, small, true);
}

static void reduce_case(Arena *arena, const Functions *functions, uint64_t seed) {
  Case c;
  const Graph *g = case_graph(arena, seed, &c);
  reduce_to(&c, functions, g, "graph");
}

static MadeProgram case_program(Arena *arena, uint64_t seed, Case *c, Tally *tally) {
  Choice chance = {.seed = seed, .stream = 3};
  MadeProgram program = make_program(arena, &chance, tally);
  *c = (Case){.seed = seed, .tame = true, .train = true, .symbol = choice_in(&chance, 1, 5)};
  return program;
}

// The graphs that the program is trained and runs as, each made small where it fails.
static void reduce_program(Arena *arena, const Functions *functions, uint64_t seed) {
  static Tally tally;
  Case c;
  MadeProgram program = case_program(arena, seed, &c, &tally);
  Choice turns = {.seed = seed, .stream = 4};
  Check check = case_check(arena, &c, functions, &tally, &turns, 1);
  printf("%s", program.text.bytes);
  for (int inference = 0; inference < 2; inference++) {
    const Graph *g = program_graph(&check, &program, inference);
    c.train = !inference;
    if (g) reduce_to(&c, functions, g, "program");
  }
}

static Fault one_graph(const Functions *functions, Tally *tally, uint64_t seed, int runs) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  if (setjmp(guard.jump)) dlc_bug("out of memory");
  Case c;
  Graph *g = case_graph(arena, seed, &c);
  Choice turns = {.seed = seed, .stream = 2};
  Check check = case_check(arena, &c, functions, tally, &turns, runs);
  Fault fault = check_graph(&check, g);
  if (fault) printf("graph %llu: %s: %s\n", (unsigned long long)seed, fault_name(fault), check.why.bytes);
  arena_free(arena);
  return fault;
}

static Fault one_program(const Functions *functions, Tally *tally, uint64_t seed, int runs, bool show) {
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  if (setjmp(guard.jump)) dlc_bug("out of memory");
  Choice turns = {.seed = seed, .stream = 4};
  Case c;
  MadeProgram program = case_program(arena, seed, &c, tally);
  if (show) printf("%s", program.text.bytes);
  Check check = case_check(arena, &c, functions, tally, &turns, runs);
  Fault fault = check_program(&check, &program);
  tally_add(tally, fault == FAULT_SOURCE ? "programs refused" : "programs accepted", 1);
  if (fault) printf("program %llu: %s: %s\n", (unsigned long long)seed, fault_name(fault), check.why.bytes);
  arena_free(arena);
  return fault;
}

// Adds up the counts of a campaign's logs.
static int join_logs(Arena *arena, const char *folder, int64_t least) {
  static Tally tally;
  const char **names;
  size_t n;
  if (io_list(io_system(), arena, folder, &names, &n)) return fprintf(stderr, "no folder %s\n", folder), 2;
  for (size_t k = 0; k < n; k++) {
    char *bytes;
    size_t size;
    const char *path = arena_printf(arena, "%s/%s", folder, names[k]);
    if (!io_read_file(io_system(), arena, path, 1 << 24, &bytes, &size)) tally_read(&tally, arena, bytes);
  }
  tally_print(&tally);
  return tally_missing(&tally, least) > 0;
}

static bool take_option(Options *o, const char *name, const char *value) {
  const struct {
    const char *name;
    int64_t *value;
  } numbers[] = {{"--graphs", &o->graphs}, {"--programs", &o->programs}, {"--seed", &o->seed},
                 {"--reduce", &o->one},    {"--program", &o->program},   {"--reduce-program", &o->small},
                 {"--runs", &o->runs},     {"--least", &o->least}};
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
    if (!strcmp(name, numbers[k].name) && value) {
      *numbers[k].value = strtoll(value, NULL, 10);
      return true;
    }
  return false;
}

int main(int argc, char **argv) {
  Options o = {.seed = 1, .one = -1, .program = -1, .small = -1, .runs = 2};
  const char *logs = NULL;
  for (int k = 1; k < argc; k += 2)
    if (!strcmp(argv[k], "--join"))
      logs = argv[k + 1];
    else if (!take_option(&o, argv[k], argv[k + 1]))
      return fprintf(stderr, "unknown option %s\n", argv[k]), 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGSEGV, on_signal), signal(SIGBUS, on_signal), signal(SIGABRT, on_signal), signal(SIGFPE, on_signal);
  atexit(on_exit_code);
  Guard guard;
  Arena *arena = arena_new(allocator_system(), &guard);
  if (logs) return join_logs(arena, logs, o.least);
  Functions *functions = functions_new(arena);
  static Tally tally;
  int faults = 0;
  if (o.one >= 0) {
    reduce_case(arena, functions, (uint64_t)o.one);
    return 0;
  }
  if (o.small >= 0) {
    reduce_program(arena, functions, (uint64_t)o.small);
    return 0;
  }
  for (int64_t seed = o.seed; seed < o.seed + o.graphs; seed++) {
    snprintf(current, sizeof current, "while checking graph %lld\n", (long long)seed);
    faults += one_graph(functions, &tally, (uint64_t)seed, (int)o.runs) != FAULT_NONE;
  }
  for (int64_t seed = o.seed; seed < o.seed + o.programs; seed++) {
    snprintf(current, sizeof current, "while checking program %lld\n", (long long)seed);
    faults += one_program(functions, &tally, (uint64_t)seed, (int)o.runs, false) != FAULT_NONE;
  }
  if (o.program >= 0) faults += one_program(functions, &tally, (uint64_t)o.program, (int)o.runs, true) != FAULT_NONE;
  current[0] = 0;
  tally_print(&tally);
  functions_free(functions);
  arena_free(arena);
  printf("%d faults\n", faults);
  return faults ? 1 : 0;
}
