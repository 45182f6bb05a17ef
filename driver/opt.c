// dlc opt: passes over the text form of the IR, for golden tests and for reducing bugs.
#include "commands.h"
#include "passes.h"
#include "program.h"

int command_opt(Session *session) {
  const char *path = session->options.operands[0], *passes = session->options.passes;
  uint32_t file = program_read_source(session->arena, session->sink, session->io, path, SPAN_NONE);
  if (!file) return STATUS_DATA;
  const Graph *graph = graph_parse(session->arena, session->sink, file);
  PassContext context = {.arena = session->arena, .sink = session->sink, .verify = true};
  if (graph && passes) graph = passes_run(&context, graph, PASS_BOTH, passes, NULL);
  if (!graph) return STATUS_WRONG;
  graph_print(graph, &session->out);
  return STATUS_DONE;
}
