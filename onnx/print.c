// The program's text, and its tensors in the order of their declaration.
//
// On entry: statements in an order in which each follows what it uses. On exit: those that the outputs need, as a
// model; calls on values that nobody else uses are joined by pipes.
#include <string.h>

#include "inside.h"

enum { WIDTH = 110 };

// ---- names
// ----------------------------------------------------------------------------------------------------------------

static bool is_reserved(const char *name) {
  static const char *const words[] = {
      "param", "state",    "memory", "return",   "if",     "else",    "for",        "repeat",  "use",      "const",
      "fn",    "model",    "layer",  "in",       "as",     "and",     "or",         "not",     "where",    "true",
      "false", "training", "same",   "valid",    "exact",  "floor",   "ceil",       "nearest", "bilinear", "all",
      "none",  "zeros",    "ones",   "constant", "normal", "uniform", "orthogonal", "relu",    "N"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (!strcmp(words[k], name)) return true;
  for (int k = 0; k < 12; k++)
    if (!strcmp(index_name(k), name)) return true;
  return !strcmp(name, "n") || !strcmp(name, "c");
}

const char *name_clean(Im *m, const char *name, const char *otherwise) {
  Text text = text_new(m->arena);
  for (const char *c = name; *c && text.length < 40; c++) {
    bool letter = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'), digit = *c >= '0' && *c <= '9';
    if (!letter && !digit && *c != '_' && !text.length) continue;
    if (digit && !text.length) text_add(&text, otherwise);
    if (letter || digit)
      text_add_n(&text, c, 1);
    else if (text.length && text.bytes[text.length - 1] != '_')
      text_add(&text, "_");
  }
  while (text.length && text.bytes[text.length - 1] == '_') text.bytes[--text.length] = '\0';
  if (!text.length) return otherwise;
  return is_reserved(text.bytes) ? text_of(m, "%s_", text.bytes) : text.bytes;
}

typedef struct Printer {
  Im *m;
  Text out;
  OnnxProgram *program;  // where tensors are listed; NULL: nowhere
  HashTable taken;       // names
  int n_values;
  const Var *in;  // inside a block: the value that comes in
} Printer;

// The name, with a number where it is taken.
static const char *unique(Printer *p, const char *name) {
  const char *found = name;
  for (int k = 2;; k++) {
    Hash key = hash_bytes(found, strlen(found));
    if (hash_find(&p->taken, key) < 0) return hash_add(p->m->arena, &p->taken, key, 1), found;
    found = text_of(p->m, "%s_%d", name, k);
  }
}

// ---- which statements count
// -----------------------------------------------------------------------------------------------

static void mark_live(Im *m) {
  for (int k = 0; k < m->n_outputs; k++) {
    m->outputs[k]->var->uses++;
    m->outputs[k]->var->output = true;
    if (m->outputs[k]->var->step) m->outputs[k]->var->step->live = true;
  }
  for (size_t k = m->n_steps; k-- > 0;) {
    Step *step = m->steps[k];
    if (!step->live) continue;
    for (int r = 0; r < step->n_refs; r++) {
      step->refs[r]->uses++;
      step->refs[r]->user = step;
      if (step->refs[r]->step) step->refs[r]->step->live = true;
    }
  }
}

// Is this value only piped into a call? Then it needs no name.
static bool is_piped(const Printer *p, const Var *v) {
  const Step *into = v->user;
  if (v == p->in) return false;
  if (v->uses != 1 || v->output || !v->step || v->step->n_out != 1) return false;
  return into->kind == STEP_CALL && into->refs[0] == v && (v->step->kind == STEP_CALL || v->step->kind == STEP_EXPR);
}

// ---- statements
// -----------------------------------------------------------------------------------------------------------

static const char *name_of(Printer *p, Var *v) {
  if (!v->name) v->name = unique(p, text_of(p->m, "h%d", ++p->n_values));
  return v->name;
}

static const char *filled(Printer *p, const Step *step) {
  Text out = text_new(p->m->arena);
  for (const char *c = step->text; *c; c++) {
    if (*c == '$')
      text_add(&out, name_of(p, step->refs[*++c - '0']));
    else
      text_add_n(&out, c, 1);
  }
  return out.bytes;
}

static void add_block_tensors(Printer *p, const Step *call);

static void add_tensors(Printer *p, const Step *step) {
  OnnxProgram *to = p->program;
  if (!to) return;
  if (step->block) {
    add_block_tensors(p, step);
    return;
  }
  for (int k = 0; k < step->n_params + step->n_states; k++) {
    const Known *known = step->tensors[k];
    OnnxTensor *t = k < step->n_params ? &to->params[to->n_params++] : &to->states[to->n_states++];
    *t = (OnnxTensor){.rank = known->rank, .count = known->count, .data = known->f, .source = known->source};
    memcpy(t->dim, known->dim, sizeof t->dim);
    if (known->f) continue;
    float *data = arena_array(p->m->arena, (size_t)known->count, sizeof *data);
    for (int64_t n = 0; n < known->count; n++) data[n] = (float)known->i[n];
    t->data = data;
  }
}

static const char *call_text(Printer *p, const Step *step) {
  const char *arguments = filled(p, step);
  const char *call = step->block ? step->block->name : step->call;
  return *arguments ? text_of(p->m, "%s(%s)", call, arguments) : call;
}

// A chain of calls, from its first on; a line for each where one is too long for all.
static void print_chain(Printer *p, Step *step, const char *left) {
  Step *chain[4096];
  int n = 0;
  while (n < 4096) {
    chain[n++] = step;
    if (step->kind != STEP_CALL || !is_piped(p, step->refs[0])) break;
    step = step->refs[0]->step;
  }
  Text line = text_new(p->m->arena);
  const char *head = step->kind == STEP_CALL ? name_of(p, step->refs[0]) : filled(p, step);
  text_printf(&line, "  %s%s", left, head);
  size_t start = line.length;
  for (int k = n - 1; k >= 0; k--) {
    add_tensors(p, chain[k]);
    if (chain[k]->kind != STEP_CALL) continue;
    const char *call = call_text(p, chain[k]);
    if (line.length - start + strlen(call) + 5 > WIDTH) {
      text_add(&line, "\n ");
      start = line.length - 1;
    }
    text_printf(&line, " |> %s", call);
  }
  text_printf(&p->out, "%s\n", line.bytes);
}

static void print_param(Printer *p, Step *step) {
  Var *v = step->out[0];
  v->name = unique(p, v->name);
  text_printf(&p->out, "  %s %s: f32%s = zeros\n", step->n_params ? "param" : "state", v->name, step->text);
  add_tensors(p, step);
}

// The value that goes round keeps its name; an input cannot be assigned to.
static void print_loop(Printer *p, Step *step) {
  Var *in = step->refs[0], *out = step->out[0];
  const char *name = in->step ? name_of(p, in) : unique(p, text_of(p->m, "h%d", ++p->n_values));
  if (!in->step) text_printf(&p->out, "  %s = %s\n", name, name_of(p, in));
  text_printf(&p->out, "  repeat %d { %s = %s", step->n_calls / step->period, name, name);
  for (int k = 0; k < step->period; k++) text_printf(&p->out, " |> %s", call_text(p, step->calls[k]));
  text_add(&p->out, " }\n");
  for (int k = 0; k < step->n_calls; k++) add_tensors(p, step->calls[k]);
  if (out->name) text_printf(&p->out, "  %s = %s\n", out->name, name);
  if (!out->name) out->name = name;
}

static void print_step(Printer *p, Step *step) {
  if (step->kind == STEP_PARAM) {
    print_param(p, step);
    return;
  }
  if (step->kind == STEP_LOOP) {
    print_loop(p, step);
    return;
  }
  Text left = text_new(p->m->arena);
  for (int k = 0; k < step->n_out; k++)
    text_printf(&left, "%s%s", k ? ", " : "", step->out[k]->uses ? name_of(p, step->out[k]) : "_");
  if (step->kind == STEP_FORMULA) {
    text_printf(&p->out, "  %s[%s] = %s\n", left.bytes, step->index, filled(p, step));
    add_tensors(p, step);
    return;
  }
  print_chain(p, step, text_of(p->m, "%s = ", left.bytes));
}

// The last statement of a model with one result is that result.
static bool print_last(Printer *p, const Step *step) {
  const Im *m = p->m;
  if (m->n_outputs != 1 || step->n_out != 1 || step->out[0] != m->outputs[0]->var || step->kind == STEP_PARAM ||
      step->kind == STEP_LOOP)
    return false;
  return step == m->steps[m->n_steps - 1];
}

// What begins so would go on with the statement before it.
static bool needs_return(const Printer *p, const Step *step) {
  while (step->kind == STEP_CALL && is_piped(p, step->refs[0])) step = step->refs[0]->step;
  return step->kind == STEP_EXPR && strchr("-([", step->text[0]) != NULL;
}

// ---- blocks ---------------------------------------------------------------------------------------------------------

// The steps of a place of a block, the last as its value, printed to p->out. The value that comes in is called x.
static void print_body(Printer *p, Step *const *steps, int n, Var *in) {
  const char *name = in->name;
  in->name = unique(p, "x");
  p->in = in;
  for (int k = 0; k + 1 < n; k++)
    if (!is_piped(p, steps[k]->out[0])) print_step(p, steps[k]);
  if (steps[n - 1]->kind == STEP_FORMULA)
    print_step(p, steps[n - 1]);
  else
    print_chain(p, steps[n - 1], needs_return(p, steps[n - 1]) ? "return " : "");
  in->name = name;
}

static void add_block_tensors(Printer *p, const Step *call) {
  Printer inner = {.m = p->m, .out = text_new(p->m->arena), .program = p->program};
  print_body(&inner, call->inside, call->n_inside, call->refs[0]);
}

static void print_block(Printer *p, Block *block) {
  Im *m = p->m;
  Printer inner = {.m = m, .out = text_new(m->arena)};
  const char **texts = arena_array(m->arena, (size_t)block->n_steps, sizeof *texts);
  for (const char *c = block->arguments; *c; c++) {
    const char *end = strchr(c + 1, ',');
    size_t length = end ? (size_t)(end - c) : strlen(c);
    (void)unique(&inner, arena_strndup(m->arena, c + 2, length - 2));
    c += length - 1;
  }
  for (int k = 0; k < block->n_steps; k++) {
    texts[k] = block->steps[k]->text;
    block->steps[k]->text = block->texts[k];
  }
  print_body(&inner, block->steps, block->n_steps, block->in);
  for (int k = 0; k < block->n_steps; k++) block->steps[k]->text = texts[k];
  block->name = unique(p, block->name);
  text_printf(&p->out, "fn %s(x%s) {\n%s}\n\n", block->name, block->arguments, inner.out.bytes);
}

// ---- the whole
// ------------------------------------------------------------------------------------------------------------

static OnnxPort port_of(Printer *p, const Val *v, const char *name) {
  OnnxPort port = {.source = v->source, .name = name, .rank = v->rank};
  memcpy(port.axis, v->axis, sizeof port.axis);
  port.type = text_of(p->m, "%s%s", elem_name(v->type), v->rank ? shape_list(p->m, v) : "");
  return port;
}

static void print_inputs(Printer *p) {
  Im *m = p->m;
  text_printf(&p->out, "model %s(", m->asked->model);
  for (int k = 0; k < m->n_inputs; k++) {
    Val *v = m->inputs[k];
    v->var->name = unique(p, v->var->name);
    p->program->inputs[k] = port_of(p, v, v->var->name);
    text_printf(&p->out, "%s%s: %s", k ? ", " : "", v->var->name, p->program->inputs[k].type);
  }
  text_add(&p->out, ") {\n");
}

// Results are called as in the model; inputs and parameters have names of their own.
static void name_outputs(Printer *p) {
  Im *m = p->m;
  for (int k = 0; k < m->n_outputs; k++) {
    Var *v = m->outputs[k]->var;
    if (!v->name) v->name = unique(p, name_clean(m, m->outputs[k]->source, "y"));
  }
}

static void print_result_names(Printer *p) {
  Im *m = p->m;
  text_add(&p->out, "  return ");
  for (int k = 0; k < m->n_outputs; k++) text_printf(&p->out, "%s%s", k ? ", " : "", m->outputs[k]->var->name);
  text_add(&p->out, "\n");
}

static void list_outputs(Printer *p) {
  Im *m = p->m;
  for (int k = 0; k < m->n_outputs; k++)
    p->program->outputs[k] = port_of(p, m->outputs[k], m->n_outputs > 1 ? m->outputs[k]->var->name : m->asked->model);
}

// A text of the model for a comment: what is no plain character becomes one.
static const char *plain_text(Im *m, const char *text) {
  char *plain = arena_strndup(m->arena, text, strnlen(text, 80));
  for (char *c = plain; *c; c++)
    if (*c < ' ' || *c > '~') *c = '?';
  return plain;
}

static void print_head(Printer *p) {
  Im *m = p->m;
  const char *slash = strrchr(m->path, '/');
  const char *producer = m->model->producer_name && *m->model->producer_name ? m->model->producer_name : "unknown";
  text_printf(&p->out, "# Made by dlc import from %s (opset %lld, producer: %s).\n\n",
              plain_text(m, slash ? slash + 1 : m->path), (long long)m->opset, plain_text(m, producer));
}

void program_print(Im *m, OnnxProgram *program) {
  Printer p = {.m = m, .out = text_new(m->arena), .program = program};
  size_t n_tensors = 0;
  for (size_t k = 0; k < m->n_steps; k++) n_tensors += (size_t)(m->steps[k]->n_params + m->steps[k]->n_states);
  program->params = arena_array(m->arena, n_tensors, sizeof *program->params);
  program->states = arena_array(m->arena, n_tensors, sizeof *program->states);
  program->inputs = arena_array(m->arena, (size_t)m->n_inputs, sizeof *program->inputs);
  program->outputs = arena_array(m->arena, (size_t)m->n_outputs, sizeof *program->outputs);
  program->n_inputs = m->n_inputs;
  program->n_outputs = m->n_outputs;
  mark_live(m);
  idioms_find(m);
  blocks_find(m);
  print_head(&p);
  (void)unique(&p, m->asked->model);
  for (int k = 0; k < m->n_blocks; k++) print_block(&p, m->blocks[k]);
  print_inputs(&p);
  name_outputs(&p);
  bool done = false;
  for (size_t k = 0; k < m->n_steps; k++) {
    Step *step = m->steps[k];
    if (is_piped(&p, step->out[0])) continue;
    bool last = print_last(&p, step);
    if (last && step->kind != STEP_FORMULA)
      print_chain(&p, step, needs_return(&p, step) ? "return " : "");
    else
      print_step(&p, step);
    done = last;
  }
  if (!done) print_result_names(&p);
  text_add(&p.out, "}\n");
  list_outputs(&p);
  program->text = p.out.bytes;
}
