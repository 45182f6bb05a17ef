// The ONNX importer: any bytes either become a program that the frontend takes, or are refused with a message.
#include "fuzz.h"
#include "onnx.h"
#include "program.h"

// What was imported must be read as a program; what it then says of shapes may still be wrong.
static void take(Fuzz *f, const OnnxProgram *program) {
  size_t before = f->sink->n_errors;
  Program *read = program_from_text(f->arena, f->sink, f->io, "in/x.dl", program->text, NULL, 0);
  if (f->sink->n_errors == before) program_lower(read, 0, MODE_INFER, LOWER_OUTPUT);
}

void fuzz_target(Fuzz *f) {
  OnnxAsked asked = {.model = "fuzzed"};
  OnnxProgram *program = onnx_import_bytes(f->arena, f->sink, f->io, "in/x.onnx", f->bytes, f->size, &asked);
  fuzz_require(program || f->sink->n_errors, "what is refused is reported");
  if (program) take(f, program);
}
