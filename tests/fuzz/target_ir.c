// A graph's text: parsed, verified, printed and parsed again to the same graph, and taken through the passes, which
// verify what they leave.
#include <string.h>

#include "fuzz.h"
#include "passes.h"

enum { MOST_NODES = 200 };  // of a graph that goes through the passes

static bool has_loss(const Graph *g) {
  for (size_t k = 0; k < g->n_outputs; k++)
    if (g->outputs[k].kind == OUT_LOSS) return true;
  return false;
}

static void round_trip(Fuzz *f, const Graph *g) {
  Text text = text_new(f->arena), why = text_new(f->arena);
  fuzz_require(graph_verify(g, &why), why.bytes);
  graph_print(g, &text);
  const Graph *same = graph_parse(f->arena, f->sink, diag_add_source(f->sink, "again", text.bytes, text.length));
  fuzz_require(same != NULL, "what is printed can be parsed");
  fuzz_require(graph_equal(g, same), "what is printed and parsed is the same graph");
}

void fuzz_target(Fuzz *f) {
  char *text = arena_strndup(f->arena, (const char *)f->bytes, f->size);
  const Graph *g = graph_parse(f->arena, f->sink, diag_add_source(f->sink, "in/x.ir", text, f->size));
  fuzz_require((g != NULL) == (f->sink->n_errors == 0), "what is refused is reported");
  if (!g) return;
  round_trip(f, g);
  if (g->n_nodes > MOST_NODES) return;
  PassContext context = {.arena = f->arena, .sink = f->sink, .verify = true};
  g = passes_run(&context, g, has_loss(g) ? PASS_TRAIN : PASS_INFER, NULL, NULL);
  fuzz_require(g || f->sink->n_errors, "what is refused is reported");
  if (g) round_trip(f, g);
}
