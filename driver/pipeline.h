// From a file to machine code: the compiler's stages in order, with the command line's options applied. Every command
// that works with a program goes through here:
//
//   Pipeline *p = pipeline_open(session);                        text -> checked program
//   Unit *unit = pipeline_lower(p, MODE_TRAIN, LOWER_LOSS);      program -> graph
//   pipeline_passes(p, unit, NULL);                              graph -> graph
//   pipeline_plan(p, unit);                                      graph -> kernels and memory
//   pipeline_codegen(p, unit);                                   kernels -> machine code
//
// or all but the first at once: pipeline_build(p, MODE_TRAIN, LOWER_LOSS). Each returns NULL or false after reporting
// into the session's sink; a command then just returns (the session turns the report into messages and a status).
#pragma once
#include "codegen.h"
#include "passes.h"
#include "plan.h"
#include "program.h"
#include "session.h"

struct Memory;  // memory.h
struct RowSet;  // data.h

typedef struct Pipeline {
  Session *session;
  const char *path;  // of the .dl file
  Program *program;
  int model;  // --model, or the program's choice
  const char *model_name;
  TrainSpec *train;  // the model's train block with --batch, --epochs, --steps, --seed and --numerics applied; or NULL
  int64_t batch;     // --batch, else the train block's, else 1
  uint64_t seed;     // --seed, else the train block's, else 0
  bool fast;         // --numerics fast, or the train block's
  CodegenOptions codegen;
  bool opens_data;        // the command reads data: units get what their models hold as memory
  struct Memory *memory;  // of the last unit that holds some
  // While a fold's data are bound: the places in split train over which that split's statistics are taken. NULL: all.
  const struct RowSet *fold;
  double read_s;  // how long reading and checking the program took
  // Inputs whose gradients pass autodiff adds besides the parameters': set before pipeline_passes. NULL: none.
  const char *const *grad_inputs;
  int n_grad_inputs;
} Pipeline;

// One graph on its way through the stages. A field is NULL until its stage has run.
typedef struct Unit {
  Mode mode;
  const struct Memory *memory;  // what the model holds of data sets; NULL: nothing, or not read
  Lowered *lowered;             // as the frontend gave it; of a field's graph: tables without tensors
  const Graph *graph;           // as the last stage left it
  Plan *plan;
  Compiled *compiled;                           // pipeline_release frees it
  double lower_s, passes_s, plan_s, codegen_s;  // how long its stages took
} Unit;

// Opens options.operands[0] and chooses the model. NULL after reporting: a missing file, anything wrong in the program,
// an unknown --model.
Pipeline *pipeline_open(Session *session);
// The two halves of it, for commands that look at every model: read the program; choose the model of that number.
Pipeline *pipeline_read(Session *session);
Pipeline *pipeline_read_text(Session *session, const char *text);  // of options.operands[0]'s name
void pipeline_choose(Pipeline *p, int model);
// The number of the model that --model or the program names; -1 after reporting.
int pipeline_find(Pipeline *p);

Unit *pipeline_lower(Pipeline *p, Mode mode, LowerWhat what);
// A unit for a graph that did not come from program_lower: a field's expression (program_lower_field).
Unit *pipeline_wrap(Pipeline *p, Graph *graph);
// Runs the passes of the unit's mode, those of --passes where given. A graph with a loss in MODE_TRAIN gets its
// gradients. `stop_after`: NULL, or the pass after which to stop.
bool pipeline_passes(Pipeline *p, Unit *unit, const char *stop_after);
// Groups and places the values for batches of up to p->batch rows, within --memory-limit.
bool pipeline_plan(Pipeline *p, Unit *unit);
bool pipeline_codegen(Pipeline *p, Unit *unit);
Unit *pipeline_build(Pipeline *p, Mode mode, LowerWhat what);
// Frees the unit's machine code; everything else lives in the session's arena. NULL is allowed.
void pipeline_release(Unit *unit);

// What a mode means for this model when nothing else is said: training is the train block's loss, or for a model
// without one the mean square of its output; inference is the output.
LowerWhat pipeline_what(const Pipeline *p, Mode mode);
// --mode, or training where the model has a train block and inference where it has none.
Mode pipeline_mode(const Pipeline *p);

// The folder that a data file's relative path starts from: --data, else DLC_DATA, else the folder of the .dl file that
// the data block stands in.
const char *pipeline_data_root(const Pipeline *p, const SourceSpec *source);
