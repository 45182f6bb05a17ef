// The team: all threads walk a step's launches together.
//
// There is no barrier that every thread must reach. A launch is done when its items are done, so a thread that has lost
// its core holds the others up only while it has claimed items; what it has not claimed, the others do. Each launch of
// a team's life has a serial number. The claim counters carry the serial of the launch they belong to: a thread that
// arrives late finds a newer serial and claims nothing, and nobody has to reset them.
//
// True between jobs: the gate is shut and nobody is inside; `completed` is the serial of the last launch.
#include "threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "checked.h"
#include "clock.h"
#include "diag.h"

enum {
  LINE = 64,          // bytes of a cache line
  SPIN_NS = 100000,   // how long a thread spins before it sleeps
  PAUSES = 32,        // spins between two looks at the clock
  WAKING_NS = 20000,  // below this a step is not worth waking anybody
  SHARE_NS = 2500,    // below this a share of a launch is not worth another thread
  CHUNK_NS = 4000,    // below this a share is not cut into more chunks
  CHUNKS = 8,         // most chunks of a share
  ELEMENT_NS = 1      // what team_for takes one element to cost
};

static const unsigned GATE_OPEN = 1u << 31;

// A word that threads wait on: spinning for a while, then asleep.
typedef struct Signal {
  _Alignas(LINE) atomic_uint word;
  atomic_uint sleepers;
} Signal;

// What one thread owns of a launch: the launch's serial and the next of the share's chunks, in one word.
typedef struct Share {
  _Alignas(LINE) _Atomic uint64_t next;
} Share;

// What the team does together: a step, or one sweep of team_for.
typedef struct Job {
  const DlcStep *step;  // NULL: a sweep
  const DlcRt *rt;
  char *local;
  bool prepared;
  char *const *args;
  StepProfile *profile;
  void (*body)(void *state, int64_t begin, int64_t end);
  void *state;
  int64_t count, grain;
  unsigned base;  // serial of the launch before the first
} Job;

// One launch, or the sweep: items that may be done in any order and in any pieces.
typedef struct Work {
  int64_t items;
  int64_t cost;             // nanoseconds, at least 1
  unsigned shares, chunks;  // chunks of each share
} Work;

typedef struct Worker {
  Team *team;
  unsigned number;
  pthread_t thread;
} Worker;

struct Team {
  unsigned size;
  Clock clock;
  double spin_seconds;                       // 0: there are more threads than CPUs
  Signal posted;                             // changes when there is a job, or the end
  Signal gate;                               // GATE_OPEN while a job can be joined, plus how many workers are in it
  Signal completed;                          // serial of the last launch that is done
  _Alignas(LINE) _Atomic uint64_t finished;  // a launch's serial and how many of its chunks are done
  atomic_bool quit;
  Job job;
  Worker *workers;  // [size - 1]
  Share *shares;    // [size]
};

// ---- waiting --------------------------------------------------------------------------------------------------------

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static double seconds(const Team *team) { return team->clock.seconds(team->clock.state); }

static void futex(atomic_uint *word, int operation, unsigned value) {
  (void)syscall(SYS_futex, (void *)word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

// Spins until the word is no longer `old` or the time is up.
static void signal_spin(const Team *team, Signal *signal, unsigned old) {
  if (team->spin_seconds <= 0) return;
  double end = 0;
  for (int64_t turn = 1; atomic_load_explicit(&signal->word, memory_order_acquire) == old; turn++) {
    pause_briefly();
    if (turn % PAUSES) continue;
    double now = seconds(team);
    if (end == 0) end = now + team->spin_seconds;
    if (now >= end) return;
  }
}

// Waits until the word is no longer `old`; its new value. The sleepers' count and the word are sequentially consistent
// on both sides: either the sleeper sees the new word, or the setter sees the sleeper.
static unsigned signal_wait(const Team *team, Signal *signal, unsigned old) {
  signal_spin(team, signal, old);
  unsigned now = atomic_load(&signal->word);
  if (now != old) return now;
  atomic_fetch_add(&signal->sleepers, 1);
  while ((now = atomic_load(&signal->word)) == old) futex(&signal->word, FUTEX_WAIT, old);
  atomic_fetch_sub(&signal->sleepers, 1);
  return now;
}

static void signal_wake(Signal *signal) {
  if (atomic_load(&signal->sleepers)) futex(&signal->word, FUTEX_WAKE, INT_MAX);
}

static void signal_set(Signal *signal, unsigned value) {
  atomic_store(&signal->word, value);
  signal_wake(signal);
}

// ---- the work of a job ----------------------------------------------------------------------------------------------

static int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b > 0); }

// dlc_abi.h, DlcCount.
static int64_t count_items(const DlcCount *count, const DlcRt *rt) {
  int64_t n = count->scale * (count->symbol ? rt->symbol[count->symbol - 1] : 1);
  if (count->divisor > 1) n = ceil_div(n, count->divisor);
  return count->times ? n * count->times : n;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high) {
  if (value > high) value = high;
  return value < low ? low : value;
}

static int64_t work_cost(int64_t items, int64_t item_cost) {
  int64_t cost;
  if (!checked_mul(items, item_cost > 0 ? item_cost : 1, &cost)) cost = INT64_MAX;
  return cost > 0 ? cost : 1;
}

static int job_length(const Job *job) { return job->step ? job->step->n_launches : 1; }

// Is launch k left out?
static bool job_skips(const Job *job, int k) { return job->prepared && job->step->launches[k].once; }

static Work job_work(const Job *job, int k) {
  if (!job->step) return (Work){.items = ceil_div(job->count, job->grain), .cost = work_cost(job->count, ELEMENT_NS)};
  const DlcLaunch *launch = &job->step->launches[k];
  int64_t items = count_items(&launch->items, job->rt);
  return (Work){.items = items, .cost = work_cost(items, launch->item_cost)};
}

// The run-time values as thread number `thread` sees them: with its own part of the working memory.
static DlcRt job_rt(const Job *job, unsigned thread) {
  if (!job->step) return (DlcRt){.local = NULL};
  DlcRt rt = *job->rt;
  rt.local = job->local ? job->local + (int64_t)thread * job->step->local_bytes : NULL;
  return rt;
}

static void job_do(const Job *job, int k, const DlcRt *rt, int64_t begin, int64_t end) {
  if (begin >= end) return;
  if (job->step) {
    const DlcLaunch *launch = &job->step->launches[k];
    launch->fn(job->args + launch->first_arg, rt, begin, end);
    return;
  }
  int64_t last = end * job->grain;
  job->body(job->state, begin * job->grain, last < job->count ? last : job->count);
}

// How many shares a launch is worth and how finely they are cut. Every thread comes to the same numbers. There is
// always a chunk, even of a launch without items: someone has to complete it.
static void work_cut(Work *work, unsigned size) {
  int64_t shares = clamp(work->cost / SHARE_NS, 1, size);
  shares = clamp(shares, 1, work->items);
  int64_t chunks = clamp(work->cost / shares / CHUNK_NS, 1, CHUNKS);
  work->shares = (unsigned)shares;
  work->chunks = (unsigned)clamp(chunks, 1, work->items / shares);
}

// Where part k of `parts` equal parts of 0..count begins; the first parts are longer by one.
static int64_t part_begin(int64_t count, int64_t parts, int64_t k) {
  int64_t longer = count % parts;
  return count / parts * k + (k < longer ? k : longer);
}

static int64_t do_chunk(const Job *job, int k, const DlcRt *rt, const Work *work, unsigned share, unsigned chunk) {
  int64_t first = part_begin(work->items, work->shares, share);
  int64_t count = part_begin(work->items, work->shares, share + 1) - first;
  int64_t begin = first + part_begin(count, work->chunks, chunk);
  int64_t end = first + part_begin(count, work->chunks, chunk + 1);
  job_do(job, k, rt, begin, end);
  return end - begin;
}

// ---- walking together -----------------------------------------------------------------------------------------------

// a - b of serial numbers, which wrap.
static int serial_age(unsigned a, unsigned b) { return (int)(a - b); }

// Claims the share's next chunk for launch `serial`. False when there is none left, or when the launch is over.
static bool claim(Share *share, unsigned serial, unsigned chunks, unsigned *chunk) {
  uint64_t seen = atomic_load_explicit(&share->next, memory_order_relaxed);
  for (;;) {
    int age = serial_age(serial, (unsigned)(seen >> 32));
    unsigned next = age > 0 ? 0 : (unsigned)seen;
    if (age < 0 || next >= chunks) return false;
    uint64_t taken = (uint64_t)serial << 32 | (next + 1);
    if (atomic_compare_exchange_weak_explicit(&share->next, &seen, taken, memory_order_relaxed, memory_order_relaxed)) {
      *chunk = next;
      return true;
    }
  }
}

// Adds done chunks of launch `serial`, which is not complete before this, and completes it with the last of them.
static void finish_chunks(Team *team, unsigned serial, unsigned chunks, unsigned total) {
  uint64_t seen = atomic_load_explicit(&team->finished, memory_order_relaxed), now;
  do {
    unsigned before = (unsigned)(seen >> 32) == serial ? (unsigned)seen : 0;
    now = (uint64_t)serial << 32 | (before + chunks);
  } while (
      !atomic_compare_exchange_weak_explicit(&team->finished, &seen, now, memory_order_acq_rel, memory_order_relaxed));
  if ((unsigned)now == total) signal_set(&team->completed, serial);
}

// Does what there is to do of one launch: the thread's own share, then what others left.
static void walk_launch(Team *team, unsigned thread, int k, const DlcRt *rt, unsigned serial) {
  const Job *job = &team->job;
  Work work = job_work(job, k);
  work_cut(&work, team->size);
  unsigned done = 0, chunk;
  int64_t items = 0;
  bool timed = job->profile && job->profile->busy;
  double start = timed ? seconds(team) : 0;
  for (unsigned turn = 0; turn < work.shares; turn++) {
    unsigned share = (thread + turn) % work.shares;
    for (; claim(&team->shares[share], serial, work.chunks, &chunk); done++)
      items += do_chunk(job, k, rt, &work, share, chunk);
  }
  if (job->profile) job->profile->items_by_thread[thread] += items;
  if (timed) job->profile->busy[(unsigned)k * team->size + thread] += 1e9 * (seconds(team) - start);
  if (done) finish_chunks(team, serial, done, work.shares * work.chunks);
}

static bool is_completed(Team *team, unsigned serial) {
  return serial_age(atomic_load_explicit(&team->completed.word, memory_order_acquire), serial) >= 0;
}

static void await_completed(Team *team, unsigned serial) {
  unsigned now = atomic_load_explicit(&team->completed.word, memory_order_acquire);
  while (serial_age(now, serial) < 0) now = signal_wait(team, &team->completed, now);
}

// The whole job, launch after launch. Only the caller's walk is timed.
static void walk(Team *team, unsigned thread) {
  const Job *job = &team->job;
  const DlcRt rt = job_rt(job, thread);
  bool timed = thread == 0 && job->profile;
  double before = timed ? seconds(team) : 0;
  for (int k = 0; k < job_length(job); k++) {
    if (job_skips(job, k)) continue;
    unsigned serial = job->base + (unsigned)k + 1;
    if (!is_completed(team, serial)) walk_launch(team, thread, k, &rt, serial);
    await_completed(team, serial);
    if (!timed) continue;
    double now = seconds(team);
    job->profile->nanoseconds[k] += 1e9 * (now - before);
    before = now;
  }
}

// ---- joining and leaving --------------------------------------------------------------------------------------------

static bool gate_enter(Team *team) {
  unsigned seen = atomic_load(&team->gate.word);
  while (seen & GATE_OPEN)
    if (atomic_compare_exchange_weak(&team->gate.word, &seen, seen + 1)) return true;
  return false;
}

static void gate_leave(Team *team) {
  atomic_fetch_sub(&team->gate.word, 1);
  signal_wake(&team->gate);
}

// Shuts the gate and waits for those inside.
static void gate_shut(Team *team) {
  unsigned inside = atomic_fetch_and(&team->gate.word, ~GATE_OPEN) & ~GATE_OPEN;
  while (inside) inside = signal_wait(team, &team->gate, inside);
}

static void *worker_main(void *argument) {
  Worker *worker = argument;
  Team *team = worker->team;
  for (unsigned posted = 0;;) {
    posted = signal_wait(team, &team->posted, posted);
    if (atomic_load(&team->quit)) return NULL;
    if (!gate_enter(team)) continue;
    walk(team, worker->number);
    gate_leave(team);
  }
}

// The caller does everything by itself.
static void walk_alone(const Job *job, Clock clock, unsigned size) {
  const DlcRt rt = job_rt(job, 0);
  for (int k = 0; k < job_length(job); k++) {
    if (job_skips(job, k)) continue;
    double before = job->profile ? clock.seconds(clock.state) : 0;
    int64_t items = job_work(job, k).items;
    job_do(job, k, &rt, 0, items);
    if (!job->profile) continue;
    double taken = 1e9 * (clock.seconds(clock.state) - before);
    job->profile->nanoseconds[k] += taken;
    job->profile->items_by_thread[0] += items;
    if (job->profile->busy) job->profile->busy[(unsigned)k * size] += taken;
  }
}

// Of the whole job, as far as it matters.
static int64_t job_cost(const Job *job) {
  int64_t cost = 0;
  for (int k = 0; k < job_length(job) && cost < WAKING_NS; k++)
    if (!job_skips(job, k)) cost += clamp(job_work(job, k).cost, 1, WAKING_NS);
  return cost;
}

// Is it worth doing together? A team that is awake costs next to nothing, a sleeping one some 20 us.
static bool worth_sharing(Team *team, const Job *job) {
  if (!team || team->size == 1) return false;
  int64_t least = atomic_load(&team->posted.sleepers) < team->size - 1 ? SHARE_NS : WAKING_NS;
  return job_cost(job) >= least;
}

static void team_do(Team *team, Job *job) {
  if (!worth_sharing(team, job)) {
    walk_alone(job, team ? team->clock : clock_system(), (unsigned)team_size(team));
    return;
  }
  job->base = atomic_load(&team->completed.word);
  team->job = *job;
  atomic_store(&team->gate.word, GATE_OPEN);
  signal_set(&team->posted, atomic_load(&team->posted.word) + 1);
  walk(team, 0);
  gate_shut(team);
}

// ---- the team's life ------------------------------------------------------------------------------------------------

static unsigned cpus_allowed(void) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  return (unsigned)CPU_COUNT(&allowed);
}

static void *zeroed(size_t bytes) {
  const Allocator *allocator = allocator_system();
  void *block = allocator->alloc(allocator->state, bytes, LINE);
  return block ? memset(block, 0, bytes) : NULL;
}

static void release(void *block, size_t bytes) {
  const Allocator *allocator = allocator_system();
  if (block) allocator->release(allocator->state, block, bytes);
}

// Ends and frees a team of which `started` workers run.
static void team_stop(Team *team, unsigned started) {
  atomic_store(&team->quit, true);
  signal_set(&team->posted, atomic_load(&team->posted.word) + 1);
  for (unsigned k = 0; k < started; k++) pthread_join(team->workers[k].thread, NULL);
  release(team->workers, team->size * sizeof *team->workers);
  release(team->shares, team->size * sizeof *team->shares);
  release(team, sizeof *team);
}

Team *team_new(int n) {
  dlc_assert(n >= 1);
  Team *team = zeroed(sizeof *team);
  if (!team) return NULL;
  team->size = (unsigned)n;
  team->clock = clock_system();
  team->spin_seconds = team->size > cpus_allowed() ? 0 : 1e-9 * SPIN_NS;
  team->workers = zeroed(team->size * sizeof *team->workers);
  team->shares = zeroed(team->size * sizeof *team->shares);
  unsigned started = 0;
  bool ok = team->workers && team->shares;
  for (; ok && started + 1 < team->size; started += ok) {
    Worker *worker = &team->workers[started];
    *worker = (Worker){.team = team, .number = started + 1};
    ok = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
  }
  if (ok) return team;
  team_stop(team, started);
  return NULL;
}

void team_free(Team *team) {
  if (team) team_stop(team, team->size - 1);
}

int team_size(const Team *team) { return team ? (int)team->size : 1; }

// ---- what the team is for -------------------------------------------------------------------------------------------

static char *resolve(const DlcArg *arg, const StepBinding *binding) {
  char *base = arg->region == DLC_INPUT ? binding->inputs[arg->input] : binding->base[arg->region];
  return base + arg->offset;
}

void step_run(Team *team, const DlcStep *step, const StepBinding *binding, const DlcRt *rt, char **scratch,
              StepProfile *profile) {
  for (int k = 0; k < step->n_args; k++) scratch[k] = resolve(&step->args[k], binding);
  Job job = {.step = step,
             .rt = rt,
             .local = binding->local,
             .prepared = binding->prepared,
             .args = scratch,
             .profile = profile};
  team_do(team, &job);
}

void team_for(Team *team, int64_t count, int64_t grain, void (*body)(void *state, int64_t begin, int64_t end),
              void *state) {
  dlc_assert(grain >= 1);
  Job job = {.body = body, .state = state, .count = count, .grain = grain};
  if (count > 0) team_do(team, &job);
}
