// dlc FILE.dl: what a program is made of, compiled.
#include "commands.h"
#include "report.h"

#include <cjson/cJSON.h>
#include <string.h>

// Both versions of the network where there is a train block, else the one that is asked for.
typedef struct Versions {
  Lowered *shown;       // inference, as the frontend gave it: the layers
  Unit *infer, *train;  // NULL: not compiled
  Unit *main;           // the one of pipeline_mode
  double seconds;       // from reading the file to the last kernel
} Versions;

static double now(const Session *session) { return session->clock.seconds(session->clock.state); }

static bool compile_versions(Pipeline *p, double start, Versions *v) {
  const char *asked = p->session->options.mode;
  Mode mode = pipeline_mode(p);
  Unit *shown = pipeline_lower(p, MODE_INFER, LOWER_OUTPUT);
  if (!shown) return false;
  v->shown = shown->lowered;
  if (mode == MODE_TRAIN && !(v->main = v->train = pipeline_build(p, MODE_TRAIN, pipeline_what(p, MODE_TRAIN))))
    return false;
  if ((mode == MODE_INFER || !asked) && !(v->infer = pipeline_build(p, MODE_INFER, LOWER_OUTPUT))) return false;
  if (mode == MODE_INFER) v->main = v->infer;
  v->seconds = now(p->session) - start;
  return true;
}

// ---- text -----------------------------------------------------------------------------------------------------------

enum { LINE_WIDTH = 110 };

static void add_kernels(const char *version, const Plan *plan, Text *out) {
  const char *indent = "             ";
  text_printf(out, "kernels    %s: %d", version, plan->n_kernels);
  size_t column = LINE_WIDTH;
  for (int k = 0; k < plan->n_kernels; k++) {
    const char *name = plan->kernels[k].name, *comma = k + 1 < plan->n_kernels ? "," : "";
    bool fits = column + 1 + strlen(name) + strlen(comma) <= LINE_WIDTH;
    if (!fits) column = strlen(indent);
    text_printf(out, "%s%s%s%s", fits ? " " : "\n", fits ? "" : indent, name, comma);
    column += fits + strlen(name) + strlen(comma);
  }
  text_add(out, "\n");
}

static void add_version(const Pipeline *p, const Unit *unit, Text *out) {
  if (!unit) return;
  add_kernels(unit->mode == MODE_TRAIN ? "training" : "inference", unit->plan, out);
  report_memory(p, unit, out);
}

static void add_code(const Versions *v, Text *out) {
  int64_t bytes = 0;
  int functions = 0;
  const Unit *units[] = {v->train, v->infer};
  for (int k = 0; k < 2; k++) {
    if (!units[k]) continue;
    bytes += codegen_code_bytes(units[k]->compiled);
    functions += codegen_kernel_count(units[k]->compiled);
  }
  text_printf(out, "compiled   in %.2f s: %d functions, ", v->seconds, functions);
  report_bytes(bytes, out);
  text_printf(out, " of code (%s)\n", codegen_version(out->arena));
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

static cJSON *json_shape(const Graph *g, const Shape *shape) {
  cJSON *list = cJSON_CreateArray();
  for (int d = 0; d < shape->rank; d++) {
    Dim dim = shape->dim[d];
    if (dim_is_const(dim)) {
      cJSON_AddItemToArray(list, cJSON_CreateNumber((double)dim.scale));
      continue;
    }
    Text text = text_new(g->arena);
    if (dim.scale != 1) text_printf(&text, "%lld", (long long)dim.scale);
    text_add(&text, g->symbols[dim.symbol - 1]);
    cJSON_AddItemToArray(list, cJSON_CreateString(text.bytes));
  }
  return list;
}

static void json_add_tensor(cJSON *list, const Graph *g, const char *name, NodeId id) {
  cJSON *item = cJSON_CreateObject();
  cJSON_AddStringToObject(item, "name", name);
  cJSON_AddItemToObject(item, "shape", json_shape(g, &graph_node(g, id)->shape));
  cJSON_AddItemToArray(list, item);
}

static void json_add_tensors(cJSON *root, const Graph *g) {
  cJSON *inputs = cJSON_AddArrayToObject(root, "inputs"), *outputs = cJSON_AddArrayToObject(root, "outputs");
  for (size_t id = 0; id < g->n_nodes; id++)
    if (g->nodes[id].op == OP_input) json_add_tensor(inputs, g, g->nodes[id].name, (NodeId)id);
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_RESULT) json_add_tensor(outputs, g, g->outputs[k].name, g->outputs[k].value);
}

static void json_add_layers(cJSON *root, const Lowered *lowered) {
  cJSON *layers = cJSON_AddArrayToObject(root, "layers");
  for (int k = 0; k < lowered->n_layers; k++) {
    const LayerInfo *layer = &lowered->layers[k];
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "name", layer->name);
    cJSON_AddItemToObject(item, "shape", json_shape(lowered->graph, &layer->shape));
    cJSON_AddNumberToObject(item, "parameters", (double)layer->parameters);
    cJSON_AddNumberToObject(item, "line", layer->line);
    cJSON_AddItemToArray(layers, item);
  }
}

// Where the time went, in seconds: a graph for each version is made, so these are sums over the versions.
static void json_add_stages(cJSON *root, const Pipeline *p, const Versions *v) {
  double lower = 0, passes = 0, plan = 0, loops = 0, look = 0, code = 0, keep = 0, link = 0;
  int objects = 0, kept = 0;
  const Unit *units[] = {v->train, v->infer};
  for (int k = 0; k < 2; k++) {
    if (!units[k]) continue;
    CodegenTimes times = codegen_times(units[k]->compiled);
    lower += units[k]->lower_s, passes += units[k]->passes_s, plan += units[k]->plan_s;
    loops += times.loops_s, look += times.look_s, code += times.compile_s, keep += times.keep_s, link += times.link_s;
    objects += times.objects, kept += times.kept;
  }
  cJSON *stages = cJSON_AddObjectToObject(root, "stages_s");
  const char *const names[] = {"read", "lower", "passes", "plan", "loops", "look", "code", "keep", "link"};
  const double seconds[] = {p->read_s, lower, passes, plan, loops, look, code, keep, link};
  for (int k = 0; k < 9; k++) cJSON_AddNumberToObject(stages, names[k], (double)(int64_t)(seconds[k] * 1e6) * 1e-6);
  cJSON_AddNumberToObject(root, "objects", objects);
  cJSON_AddNumberToObject(root, "objects_kept", kept);
}

// One object on one line. cJSON has its own allocator: running out there ends in a missing string, exit 5.
static int print_json(Session *session, const Pipeline *p, const Versions *v) {
  const Graph *g = v->shown->graph;
  cJSON *root = cJSON_CreateObject();
  cJSON_AddStringToObject(root, "model", p->model_name);
  json_add_tensors(root, g);
  cJSON_AddNumberToObject(root, "parameters", (double)report_parameters(&v->shown->params));
  cJSON_AddNumberToObject(root, "flops", (double)report_flops(g, 0, (int)g->n_nodes));
  json_add_layers(root, v->shown);
  cJSON_AddNumberToObject(root, "kernels", v->main->plan->n_kernels);
  cJSON_AddNumberToObject(root, "arena_bytes", (double)v->main->plan->arena_bytes);
  cJSON_AddNumberToObject(root, "compile_s", v->seconds);
  json_add_stages(root, p, v);
  char *text = cJSON_PrintUnformatted(root);
  if (text) text_printf(&session->out, "%s\n", text);
  cJSON_free(text);
  cJSON_Delete(root);
  return text ? STATUS_DONE : STATUS_RESOURCE;
}

int command_compile(Session *session) {
  double start = now(session);
  Pipeline *p = pipeline_open(session);
  Versions v = {0};
  if (!p || !compile_versions(p, start, &v)) return STATUS_WRONG;
  int status = STATUS_DONE;
  if (session->options.json) {
    status = print_json(session, p, &v);
  } else {
    report_layers(p, v.shown, &session->out);
    add_version(p, v.train, &session->out);
    add_version(p, v.infer, &session->out);
    add_code(&v, &session->out);
  }
  pipeline_release(v.infer);
  pipeline_release(v.train);
  return status;
}
