// A program's text through lexer, parser and formatter: what is formatted has the tree that it had, and stays as it is
// when it is formatted again.
#include <string.h>

#include "ast.h"
#include "fuzz.h"
#include "program.h"

static Text tree_of(Fuzz *f, uint32_t file) {
  Text text = text_new(f->arena);
  ast_print(ast_parse(f->arena, f->sink, file), &text);
  return text;
}

void fuzz_target(Fuzz *f) {
  fuzz_put(f, "x.dl", f->bytes, f->size);
  uint32_t file = program_read_source(f->arena, f->sink, f->io, "in/x.dl", SPAN_NONE);
  if (!file) return;
  Text tokens = text_new(f->arena), once = text_new(f->arena), twice = text_new(f->arena);
  bool formatted = ast_format(f->arena, f->sink, file, &once);
  fuzz_require(formatted == (f->sink->n_errors == 0), "what is refused is reported");
  Text tree = tree_of(f, file);
  tokens_print(f->arena, f->sink, file, &tokens);
  if (!formatted) return;
  uint32_t again = diag_add_source(f->sink, "again", once.bytes, once.length);
  Text same = tree_of(f, again);
  fuzz_require(f->sink->n_errors == 0, "what is formatted is a program");
  fuzz_require(strcmp(tree.bytes, same.bytes) == 0, "what is formatted has the tree that it had");
  fuzz_require(ast_format(f->arena, f->sink, again, &twice) && strcmp(once.bytes, twice.bytes) == 0,
               "what is formatted stays as it is");
}
