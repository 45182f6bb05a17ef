// The header of a built library. Every function is documented where it is declared; what is said of shapes and layouts
// comes from the compiled steps.
#include <ctype.h>
#include <string.h>

#include "build.h"
#include "embed_status.h"
#include "runner.h"

// ---- names ----------------------------------------------------------------------------------------------------------

// The words of C99 and C++17, each between spaces.
static const char keywords[] =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl "
    "const const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export "
    "extern false float for friend goto if inline int long main mutable namespace new noexcept not not_eq nullptr "
    "operator or or_eq private protected public register reinterpret_cast restrict return short signed sizeof "
    "static static_assert static_cast struct switch template this thread_local throw true try typedef typeid "
    "typename union unsigned using virtual void volatile wchar_t while xor xor_eq ";

bool build_is_keyword(const char *word) {
  size_t length = strlen(word);
  for (const char *at = keywords; *word && (at = strstr(at, word)); at++)
    if (at[-1] == ' ' && at[length] == ' ') return true;
  return false;
}

typedef struct Writer {
  Pipeline *p;
  Arena *arena;
  Text *out;
  const BuildNames *names;
  const Built *built;
  const BuildInput *input;
} Writer;

enum { MOST_NAMES = 64 };
typedef struct Names {  // of a function's parameters
  const char *items[MOST_NAMES];
  int n;
} Names;

static bool is_taken(const Names *names, const char *name) {
  for (int k = 0; k < names->n; k++)
    if (!strcmp(names->items[k], name)) return true;
  return build_is_keyword(name);
}

// An output without a name has its model's, which is the library's most often.
static const char *own_name(const Writer *w, const DlcTensor *tensor) {
  bool is_plain = !*tensor->name || !strcmp(tensor->name, w->names->prefix) || !strcmp(tensor->name, w->p->model_name);
  return is_plain ? "out" : tensor->name;
}

// The tensor's own name, with _ behind it where C or another parameter has it.
static const char *add_name(const Writer *w, Names *names, const DlcTensor *tensor) {
  const char *name = own_name(w, tensor);
  while (is_taken(names, name)) name = arena_printf(w->arena, "%s_", name);
  if (names->n < MOST_NAMES) names->items[names->n++] = name;
  return name;
}

static const char *capitals(Arena *arena, const char *text) {
  char *copy = arena_strdup(arena, text);
  for (char *c = copy; *c; c++) *c = (char)toupper((unsigned char)*c);
  return copy;
}

// ---- tensors --------------------------------------------------------------------------------------------------------

static const char *c_type(int type) { return type == DT_F32 ? "float" : type == DT_I32 ? "int32_t" : "uint8_t"; }

static void add_dims(Text *out, const DlcTensor *tensor) {
  for (int d = 0; d < tensor->rank; d++) {
    long long scale = (long long)tensor->scale[d];
    if (!tensor->symbol[d])
      text_printf(out, "[%lld]", scale);
    else if (scale == 1)
      text_add(out, "[n]");
    else
      text_printf(out, "[%lld*n]", scale);
  }
  if (tensor->rank == 0) text_add(out, "[1]");
}

static void add_tensor_line(const Writer *w, const char *name, const DlcTensor *tensor, const char *what) {
  text_printf(w->out, "//   %-12s %s, %s ", name, what, c_type(tensor->type));
  add_dims(w->out, tensor);
  if (tensor->type == DT_BOOL) text_add(w->out, ", 0 or 1");
  text_add(w->out, "\n");
}

static bool of_kind(const DlcTensor *tensor, int kind) { return kind < 0 || tensor->kind == kind; }

typedef struct List {  // the parameters of one kind
  const DlcTensor *tensors;
  int n, kind;  // kind < 0: all
  const char *what;
  bool constant;
} List;

static void add_list_lines(const Writer *w, const List *list, Names *names) {
  for (int k = 0; k < list->n; k++)
    if (of_kind(&list->tensors[k], list->kind))
      add_tensor_line(w, add_name(w, names, &list->tensors[k]), &list->tensors[k], list->what);
}

static void add_list(const Writer *w, const List *list, Names *names) {
  for (int k = 0; k < list->n; k++)
    if (of_kind(&list->tensors[k], list->kind))
      text_printf(w->out, ", %s%s *%s", list->constant ? "const " : "", c_type(list->tensors[k].type),
                  add_name(w, names, &list->tensors[k]));
}

static int find_named(const DlcTensor *tensors, int n, const char *name) {
  for (int k = 0; k < n; k++)
    if (!strcmp(tensors[k].name, name)) return k;
  return -1;
}

static void add_size(const Writer *w, const DlcTensor *tensor) {
  const char *name = capitals(w->arena, own_name(w, tensor));
  text_printf(w->out, "#define %s_%s_SIZE %lld\n", w->names->upper, name, (long long)runner_elements(tensor, 1));
}

static void add_sizes(const Writer *w) {
  const DlcStep *step = &w->built->infer;
  bool depend = false;
  for (int k = 0; k < step->n_inputs; k++) depend |= runner_is_batched(&step->inputs[k]);
  text_printf(w->out, "// Elements of each input and output%s.\n", depend ? " for one row (n = 1)" : "");
  for (int k = 0; k < step->n_inputs; k++) add_size(w, &step->inputs[k]);
  for (int k = 0; k < step->n_outputs; k++)
    if (find_named(step->inputs, step->n_inputs, step->outputs[k].name) < 0) add_size(w, &step->outputs[k]);
  const DlcStep *train = &w->built->train;
  for (int k = 0; k < train->n_inputs; k++)
    if (find_named(step->inputs, step->n_inputs, train->inputs[k].name) < 0 &&
        find_named(step->outputs, step->n_outputs, train->inputs[k].name) < 0)
      add_size(w, &train->inputs[k]);
  text_add(w->out, "\n");
}

// ---- the parts ------------------------------------------------------------------------------------------------------

static void add_example(const Writer *w) {
  const char *name = w->names->prefix, *upper = w->names->upper;
  bool loads = w->input->train || !w->input->param;
  text_printf(w->out, "//   static _Alignas(%s_MEMORY_ALIGN) char memory[%s_MEMORY_BYTES];\n", upper, upper);
  text_printf(w->out, "//   %s *model;\n", name);
  text_printf(w->out, "//   int status = %s_open(&model, memory, sizeof memory);\n", name);
  if (loads && !w->input->param)
    text_printf(w->out, "//   if (!status) status = %s_load(model, \"weights.safetensors\");\n", name);
  text_printf(w->out, "//   if (!status) status = %s_predict(model", name);
  for (int k = 0; k < w->built->infer.n_inputs; k++)
    text_printf(w->out, ", %s", own_name(w, &w->built->infer.inputs[k]));
  for (int k = 0; k < w->built->infer.n_outputs; k++)
    text_printf(w->out, ", %s", own_name(w, &w->built->infer.outputs[k]));
  text_printf(w->out, ", n);\n//   if (status) fprintf(stderr, \"%%s\\n\", %s_error(status));\n//\n", name);
}

static void add_beginning(const Writer *w) {
  Text *out = w->out;
  const char *guard = arena_printf(w->arena, "%s_H", w->names->upper);
  text_printf(out, "// %s.h: the model %s of %s as a library, for %s", w->names->prefix, w->p->model_name, w->p->path,
              w->built->machine);
  if (!strcmp(w->built->machine, "x86_64")) text_printf(out, " (%s)", w->built->cpus);
  text_printf(out, ".\n// Written by dlc %s build; to be changed there. Link with %s -lm.\n//\n", DLC_VERSION,
              w->names->link);
  add_example(w);
  text_add(
      out,
      "// Numbers are float (IEEE 754 single precision), whole numbers int32_t. Tensors are dense and in C order: the\n"
      "// last index runs fastest. Pointers are aligned to their elements. Inputs and outputs do not overlap.\n"
      "//\n"
      "// Every function but the last returns a status, 0 where all went well; after any other status nothing was\n"
      "// changed, unless it says so. The library allocates nothing, writes to no global variable and starts no\n"
      "// thread. A model belongs to one thread at a time; models in different memory know nothing of each other and\n"
      "// may be used side by side. The numbers do not depend on threads, on the CPU, or on how rows are grouped.\n");
  text_printf(out, "#ifndef %s\n#define %s\n\n#include <stddef.h>\n#include <stdint.h>\n\n", guard, guard);
  text_add(out, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
}

static void add_statuses(const Writer *w) {
  text_add(w->out, "// What the functions return.\nenum {\n");
  for (int k = 0; k < EMBED_STATUS_COUNT; k++)
    text_printf(w->out, "  %s_%s = %d%s  // %s\n", w->names->upper, embed_status_name(k), k,
                k + 1 < EMBED_STATUS_COUNT ? "," : " ", embed_status_meaning(k));
  text_add(w->out, "};\n\n");
}

static void add_memory(const Writer *w) {
  const char *upper = w->names->upper;
  text_add(
      w->out,
      "// The memory that a model lives in, the caller's: its size in bytes, and what its address is a multiple of.\n");
  text_printf(w->out, "#define %s_MEMORY_BYTES %lld\n#define %s_MEMORY_ALIGN 64\n", upper,
              (long long)w->built->memory_bytes, upper);
  text_printf(w->out, "// The same for a host that gives its own threads (%s_threads).\n", w->names->prefix);
  text_printf(w->out, "#define %s_MEMORY_BYTES_FOR(threads) (%s_MEMORY_BYTES + ((threads) - 1) * (size_t)%lld)\n\n",
              upper, upper, (long long)w->built->thread_bytes);
}

static void add_rows(const Writer *w) {
  int64_t rows = w->input->infer->symbol_values[0];
  if (w->input->mixes)
    text_printf(
        w->out,
        "// Rows that a prediction takes at most: a row's results depend on the others, so all are computed together.\n"
        "#define %s_ROWS %lld\n",
        w->names->upper, (long long)rows);
  else
    text_printf(w->out,
                "// Rows that are computed together; a prediction takes any number of them.\n#define %s_ROWS %lld\n",
                w->names->upper, (long long)rows);
  if (w->input->train)
    text_printf(w->out, "// Rows that a training step takes at most.\n#define %s_TRAIN_ROWS %lld\n", w->names->upper,
                (long long)w->input->train->symbol_values[0]);
  text_add(w->out, "\n");
}

static void add_open(const Writer *w) {
  const char *name = w->names->prefix, *upper = w->names->upper;
  text_printf(w->out, "typedef struct %s %s;\n\n", name, name);
  text_printf(
      w->out,
      "// Makes a model in `memory`, of `bytes` bytes, which stays the caller's and may be given up at any time: there\n"
      "// is nothing to close. *model is then the model, or NULL.\n"
      "// Errors: %s_NULL; %s_UNALIGNED, %s_SMALL: the memory; %s_CPU%s.\n"
      "int %s_open(%s **model, void *memory, size_t bytes);\n\n",
      upper, upper, upper, upper, w->built->needs_cpu ? "" : " (never: this library runs on every one)", name, name);
  text_printf(
      w->out,
      "// Threads of the host's, where it wants them used. %s_for does task(job, part) for each part of 0..parts\n"
      "// once, in any order and on any threads, and returns when all are done; `host` is handed to it. `threads`: how\n"
      "// many parts a piece of work is cut into at most; the memory must be %s_MEMORY_BYTES_FOR(threads).\n"
      "// `run` NULL with threads 1: the caller's alone, as after %s_open.\n"
      "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED: the model; %s_THREADS.\n"
      "typedef void (*%s_task)(void *job, int64_t part);\n"
      "typedef void (*%s_for)(void *host, int64_t parts, %s_task task, void *job);\n"
      "int %s_threads(%s *model, %s_for run, void *host, int64_t threads);\n\n",
      name, upper, name, upper, upper, upper, upper, name, name, name, name, name, name);
}

static void add_predict(const Writer *w) {
  const DlcStep *step = &w->built->infer;
  const char *name = w->names->prefix, *upper = w->names->upper;
  List in = {step->inputs, step->n_inputs, -1, "input", true},
       out = {step->outputs, step->n_outputs, OUT_RESULT, "output", false};
  Names lines = {{"model", "n"}, 2}, parameters = lines;
  text_printf(w->out, "// The model's results for n rows (n = 0: none).\n");
  add_list_lines(w, &in, &lines);
  add_list_lines(w, &out, &lines);
  text_printf(w->out,
              "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED: the model or a tensor; %s_BAD_ROWS%s%s.\n"
              "int %s_predict(%s *model",
              upper, upper, upper, upper, w->input->param ? "" : arena_printf(w->arena, "; %s_NO_WEIGHTS", upper), "",
              name, name);
  add_list(w, &in, &parameters);
  add_list(w, &out, &parameters);
  text_add(w->out, ", int64_t n);\n\n");
}

static void add_load(const Writer *w) {
  const char *name = w->names->prefix, *upper = w->names->upper;
  text_printf(
      w->out,
      "// Parameters and states from a safetensors file, as dlc train, dlc init%s write it; or from such a file's\n"
      "// bytes in memory. All is checked before anything is changed; where the file cannot be read to its end after\n"
      "// that, the model has no weights.\n"
      "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED; %s_FILE, %s_DAMAGED, %s_OTHER_MODEL.\n"
      "int %s_load(%s *model, const char *path);\n"
      "int %s_load_memory(%s *model, const void *bytes, size_t size);\n\n",
      w->input->train ? arena_printf(w->arena, ", %s_save", name) : "", upper, upper, upper, upper, upper, upper, name,
      name, name, name);
}

// Where a field comes from, as the program writes it, where that is one line.
static void add_field(const Writer *w, const FieldSpec *field) {
  Span span = field->expression ? field->expression->span : field->leaves[0].source.span;
  const Source *source = diag_source(w->p->session->sink, span.file);
  int length = (int)(span.end - span.begin);
  if (!source || length == 0 || memchr(source->text + span.begin, '\n', (size_t)length)) return;
  text_printf(w->out, "// %s, in the program: %.*s\n", field->name, length, source->text + span.begin);
}

static void add_fields(const Writer *w) {
  const DataSpec *data = program_data(w->p->program, w->p->model);
  for (int s = 0; data && s < data->n_splits; s++)
    for (int k = 0; k < data->splits[s].n_fields && !strcmp(data->splits[s].name, "train"); k++)
      if (find_named(w->built->train.inputs, w->built->train.n_inputs, data->splits[s].fields[k].name) >= 0)
        add_field(w, &data->splits[s].fields[k]);
  if (data && (data->n_normalize || data->n_augment))
    text_printf(w->out, "// The data block's %s is not part of the library: a step takes what comes out of it.\n",
                data->n_normalize ? data->n_augment ? "normalize and augment" : "normalize" : "augment");
}

static void add_train_step(const Writer *w) {
  const DlcStep *step = &w->built->train;
  const char *name = w->names->prefix, *upper = w->names->upper;
  List in = {step->inputs, step->n_inputs, -1, "field", true};
  List loss = {step->outputs, step->n_outputs, OUT_LOSS, "the loss", false};
  List metrics = {step->outputs, step->n_outputs, OUT_METRIC, "a metric", false};
  Names lines = {{"model", "n"}, 2}, parameters = lines;
  text_printf(w->out,
              "// One update by a batch of n rows, 1 to %s_TRAIN_ROWS: what dlc train does with such a batch.\n",
              upper);
  add_list_lines(w, &in, &lines);
  add_list_lines(w, &loss, &lines);
  add_list_lines(w, &metrics, &lines);
  add_fields(w);
  text_printf(w->out,
              "// The loss and metrics are those before the update; a pointer may be NULL where one is not wanted.\n"
              "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED, %s_BAD_ROWS, %s_NO_WEIGHTS; %s_NOT_FINITE.\n"
              "int %s_train_step(%s *model",
              upper, upper, upper, upper, upper, upper, name, name);
  add_list(w, &in, &parameters);
  text_add(w->out, ", int64_t n");
  add_list(w, &loss, &parameters);
  add_list(w, &metrics, &parameters);
  text_add(w->out, ");\n\n");
}

static void add_training(const Writer *w) {
  const char *name = w->names->prefix, *upper = w->names->upper;
  const OptimizerSpec *o = &w->input->training->optimizer;
  text_printf(w->out,
              "// The first weights, as dlc train --seed would start; the optimizer begins anew.\n"
              "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED.\n"
              "int %s_init(%s *model, uint64_t seed);\n\n",
              upper, upper, upper, name, name);
  add_train_step(w);
  text_printf(
      w->out,
      "// The learning rate is the train block's, %g%s.\n// %s_set_rate sets another, for all steps from then on.\n",
      o->lr, w->input->training->schedule.n ? ", and by its schedule once the length of the run is known" : "", name);
  text_printf(w->out,
              "// %s_schedule says that length: the updates of an epoch, and of the whole run%s.\n"
              "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED; %s_RATE.\n"
              "int %s_set_rate(%s *model, double rate);\n"
              "int %s_schedule(%s *model, int64_t steps_per_epoch, int64_t steps);\n\n",
              name, w->input->training->schedule.n ? "" : " (the train block has no schedule: it changes nothing)",
              upper, upper, upper, upper, name, name, name, name);
  text_printf(
      w->out,
      "// Writes parameters and states as a safetensors file, which %s_load and dlc read: whole or not at all, by way\n"
      "// of PATH.tmp. The optimizer's own numbers are not in it.\n"
      "// Errors: %s_NULL, %s_NOT_OPEN, %s_UNALIGNED, %s_NO_WEIGHTS; %s_FILE.\n"
      "int %s_save(const %s *model, const char *path);\n\n",
      name, upper, upper, upper, upper, upper, name, name);
  text_printf(
      w->out,
      "// All of training in a file of its own, and back: weights, the optimizer's numbers, the count of updates, the\n"
      "// schedule's place. Updates after loading have the bits of those that never stopped. Only this library, or one\n"
      "// built anew of the same program, reads the file.\n"
      "// Errors: those of %s_save; those of %s_load.\n"
      "int %s_save_training(%s *model, const char *path);\n"
      "int %s_load_training(%s *model, const char *path);\n\n",
      name, name, name, name, name, name);
}

void build_header(Pipeline *p, const BuildNames *names, const Built *built, const BuildInput *input, Text *out) {
  Writer w = {.p = p, .arena = p->session->arena, .out = out, .names = names, .built = built, .input = input};
  add_beginning(&w);
  add_statuses(&w);
  add_memory(&w);
  add_sizes(&w);
  add_rows(&w);
  add_open(&w);
  if (input->train || !input->param) add_load(&w);
  add_predict(&w);
  if (input->train) add_training(&w);
  text_printf(out, "// A status in words; never NULL.\nconst char *%s_error(int status);\n\n", names->prefix);
  text_add(out, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

const char **build_functions(Arena *arena, const BuildNames *names, const BuildInput *input, int *n) {
  static const struct {
    const char *verb;
    bool trains, loads;
  } all[] = {{"open", 0, 0},         {"threads", 0, 0},     {"predict", 0, 0}, {"error", 0, 0},
             {"load", 0, 1},         {"load_memory", 0, 1}, {"init", 1, 0},    {"train_step", 1, 0},
             {"set_rate", 1, 0},     {"schedule", 1, 0},    {"save", 1, 0},    {"save_training", 1, 0},
             {"load_training", 1, 0}};
  const char **symbols = arena_array(arena, sizeof all / sizeof *all, sizeof *symbols);
  *n = 0;
  for (size_t k = 0; k < sizeof all / sizeof *all; k++)
    if ((input->train || !all[k].trains) && (input->train || !input->param || !all[k].loads))
      symbols[(*n)++] = arena_printf(arena, "%s_%s", names->prefix, all[k].verb);
  return symbols;
}
