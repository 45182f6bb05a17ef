// dlc fmt: a program's text in canonical form.
#include <string.h>

#include "commands.h"
#include "program.h"

static int write_file(Session *session, const char *path, const Text *text) {
  int error = io_replace(session->io, session->arena, path, text->bytes, text->length);
  if (!error) return STATUS_DONE;
  diag_error(session->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return STATUS_WRITE;
}

// Writes the file itself unless -o names another, and only where something changes. --check writes nothing.
int command_fmt(Session *session) {
  const Options *options = &session->options;
  const char *path = options->operands[0], *to = options->output ? options->output : path;
  uint32_t file = program_read_source(session->arena, session->sink, session->io, path, SPAN_NONE);
  if (!file) return STATUS_DATA;
  const Source *source = diag_source(session->sink, file);
  Text text = text_new(session->arena);
  if (!ast_format(session->arena, session->sink, file, &text)) return STATUS_WRONG;
  source = diag_source(session->sink, file);
  bool same = text.length == source->length && memcmp(text.bytes, source->text, text.length) == 0;
  if (options->check) {
    if (!same) text_printf(&session->out, "%s: not formatted\n", path);
    return same ? STATUS_DONE : STATUS_WRONG;
  }
  if (strcmp(to, "-") == 0) return text_add_n(&session->out, text.bytes, text.length), STATUS_DONE;
  return same && to == path ? STATUS_DONE : write_file(session, to, &text);
}
