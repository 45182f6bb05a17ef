// Functions are compiled a few at a time: a module costs about a millisecond by itself, and one large module would keep
// one thread busy while the others wait. Where the cuts are follows from the functions alone, not from the number of
// threads nor from what stands far before, so that a changed layer leaves the other modules, and what the cache holds
// of them, as they were.
#include "objects.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "clock.h"
#include "identity.h"
#include "instrument.h"
#include "module.h"

enum { MAX_THREADS = 64, CUT_ONE_IN = 8, MAX_CODES = 16, MAX_WEIGHT = 30000 };

// ---- parts --------------------------------------------------------------------------------------------------------

static int64_t weight_of(const Code *code) {
  int64_t tile = code->tiled ? 2000 * (int64_t)code->tiled->tile.rows * code->tiled->tile.vectors : 0;
  return (int64_t)code->key_bytes + tile;
}

static Part *make_parts(Arena *arena, const Launches *all, size_t *n) {
  Part *parts = arena_array(arena, all->n_codes, sizeof *parts);
  int *numbers = arena_array(arena, all->n_codes, sizeof *numbers);
  *n = 0;
  bool cut = true;
  for (size_t k = 0; k < all->n_codes; k++) {
    int64_t weight = weight_of(&all->codes[k]);
    if (!cut && parts[*n - 1].weight + weight > MAX_WEIGHT) cut = true;
    if (cut) parts[(*n)++] = (Part){.codes = numbers + k};
    Part *part = &parts[*n - 1];
    numbers[k] = (int)k;
    part->n++;
    part->weight += weight;
    cut = part->n == MAX_CODES || all->codes[k].hash.high % CUT_ONE_IN == 0;
  }
  return parts;
}

// Names of kernels would keep one program's code from another's use.
static bool is_named(const CodegenOptions *options) { return options->symbols || options->no_sharing; }

const char *objects_symbol(Arena *arena, const CodegenOptions *options, const Code *code) {
  if (is_named(options)) return code->symbol;
  return arena_printf(arena, "k%016llx%016llx", (unsigned long long)code->hash.high,
                      (unsigned long long)code->hash.low);
}

// ---- the cache ----------------------------------------------------------------------------------------------------

static Text part_key(Arena *arena, const Launches *all, const CodegenOptions *options, const Text *identity,
                     const Part *part) {
  Text key = text_new(arena);
  text_add_n(&key, identity->bytes, identity->length);
  for (int k = 0; k < part->n; k++) {
    const Code *code = &all->codes[part->codes[k]];
    text_printf(&key, "\n%s %zu ", is_named(options) ? code->symbol : "", code->key_bytes);
    text_add_n(&key, code->key, code->key_bytes);
  }
  return key;
}

static Cache make_cache(Arena *arena, const Launches *all, const CodegenOptions *options, Text *identity) {
  Cache cache = {.io = options->io, .limit = (int64_t)CACHE_MIB << 20};
  *identity = text_new(arena);
  if (options->cache && identity_add(&all->target, identity)) cache.folder = options->cache;
  return cache;
}

static bool take_kept(Cache *cache, Arena *arena, const Text *key, Part *part) {
  size_t size;
  const char *object = cache_get(cache, arena, key, &size);
  if (object) part->object = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, size, "kept");
  return object != NULL;
}

// ---- compile threads ----------------------------------------------------------------------------------------------

typedef struct Work {
  const Launches *all;
  const CodegenOptions *options;
  const Arena *arena;  // where threads' arenas get their memory
  Part **missing;      // [n] the longest first
  size_t n;
  atomic_size_t next;
  atomic_size_t lacking;  // bytes that a thread could not have
} Work;

typedef struct Worker {
  Work *work;
  Guard guard;
  Arena *arena;  // of the part that is being compiled
  LLVMTargetMachineRef machine;
} Worker;

static void emit_part(Worker *w, const Part *part, Module *module) {
  const Launches *all = w->work->all;
  Text names = text_new(w->arena);
  for (int k = 0; k < part->n; k++) {
    const Code *code = &all->codes[part->codes[k]];
    text_printf(&names, "%s%s", names.length ? ", " : "", code->kernel);
    launches_emit(w->arena, code, module->llvm, objects_symbol(w->arena, w->work->options, code));
  }
  module->names = names.bytes;
}

static void compile_part(Worker *w, Part *part) {
  w->arena = arena_apart(w->work->arena, &w->guard);
  if (!w->arena) {
    atomic_store(&w->work->lacking, 1);
    return;
  }
  Module module = module_new(w->machine, &w->work->all->target, false);
  emit_part(w, part, &module);
  module_finish(&module, w->machine);
  instrument(&module, w->machine);
  module_emit(&module, w->machine, LLVMObjectFile);
  part->object = module.object;
  arena_free(w->arena);
  w->arena = NULL;
}

static void *compile_parts(void *state) {
  Worker w = {.work = state};
  Worker *volatile here = &w;
  if (setjmp(here->guard.jump)) {
    atomic_store(&here->work->lacking, here->guard.failed_bytes);
    arena_free(here->arena);
    return NULL;
  }
  w.machine = target_machine(&w.work->all->target);
  size_t k;
  while (!atomic_load(&w.work->lacking) && (k = atomic_fetch_add(&w.work->next, 1)) < w.work->n)
    compile_part(&w, w.work->missing[k]);
  LLVMDisposeTargetMachine(w.machine);
  return NULL;
}

// A thread that cannot be had leaves its work to the others.
static void compile_all(Work *work, int threads) {
  pthread_t started[MAX_THREADS];
  int n = 0;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  for (int k = 1; k < threads && (size_t)k < work->n; k++)
    if (pthread_create(&started[n], NULL, compile_parts, work) == 0) n++;
  if (work->n) compile_parts(work);
  for (int k = 0; k < n; k++) pthread_join(started[k], NULL);
}

static int by_weight(const void *a, const void *b) {
  const Part *x = *(Part *const *)a, *y = *(Part *const *)b;
  if (x->weight != y->weight) return x->weight < y->weight ? 1 : -1;
  return x < y ? -1 : 1;
}

// ---- together -----------------------------------------------------------------------------------------------------

static double now(void) {
  Clock clock = clock_system();
  return clock.seconds(clock.state);
}

static void keep(Cache *cache, Arena *arena, const Objects *objects, const Text *keys, const Work *work) {
  for (size_t k = 0; k < work->n; k++) {
    LLVMMemoryBufferRef object = work->missing[k]->object;
    cache_put(cache, arena, &keys[work->missing[k] - objects->parts], LLVMGetBufferStart(object),
              LLVMGetBufferSize(object));
  }
  cache_trim(cache, arena);
}

void objects_dispose(Objects *objects) {
  for (size_t k = 0; k < objects->n; k++)
    if (objects->parts[k].object) LLVMDisposeMemoryBuffer(objects->parts[k].object);
}

Objects objects_make(Arena *arena, const Launches *all, const CodegenOptions *options) {
  Objects objects = {0};
  double start = now();
  objects.parts = make_parts(arena, all, &objects.n);
  Text identity, *keys = arena_array(arena, objects.n, sizeof *keys);
  Cache cache = make_cache(arena, all, options, &identity);
  Work work = {.all = all, .options = options, .arena = arena};
  work.missing = arena_array(arena, objects.n, sizeof(Part *));
  for (size_t k = 0; k < objects.n; k++) {
    if (cache.folder) keys[k] = part_key(arena, all, options, &identity, &objects.parts[k]);
    if (!take_kept(&cache, arena, &keys[k], &objects.parts[k])) work.missing[work.n++] = &objects.parts[k];
  }
  objects.times = (CodegenTimes){.objects = (int)objects.n, .kept = cache.hits};
  if (work.n) qsort(work.missing, work.n, sizeof(Part *), by_weight);
  double looked = now();
  compile_all(&work, options->threads);
  size_t lacking = atomic_load(&work.lacking);
  if (lacking) {
    objects_dispose(&objects);
    arena_exhausted(arena, lacking);
  }
  double compiled = now();
  keep(&cache, arena, &objects, keys, &work);
  objects.times.look_s = looked - start;
  objects.times.compile_s = compiled - looked;
  objects.times.keep_s = now() - compiled;
  return objects;
}
