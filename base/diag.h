// Diagnostics: user mistakes as values. A stage reports into a sink and goes on; the driver renders the sink.
// Spans are bytes; line and column are computed on report. Errors that follow from another are not reported: a stage
// that fails returns a poisoned value and its users stay silent.
#pragma once
#include "arena.h"
#include "text.h"

// A piece of a source text. file 0 is "no place" (command line, data).
typedef struct Span {
  uint32_t file;        // 1-based index into the sink's sources
  uint32_t begin, end;  // byte offsets, end exclusive
} Span;

static const Span SPAN_NONE = {0, 0, 0};
Span span_join(Span a, Span b);  // from a's begin to b's end

typedef enum DiagCode {
#define DIAG(code, title) DIAG_##code,
#include "diag.def"
#undef DIAG
  DIAG_COUNT
} DiagCode;

const char *diag_code_name(DiagCode code);   // "E0101"
const char *diag_code_title(DiagCode code);  // one line: what kind of mistake it is

typedef enum DiagLineKind { DIAG_NOTE, DIAG_HELP, DIAG_SHAPES } DiagLineKind;
typedef enum Severity { SEVERITY_ERROR, SEVERITY_WARNING } Severity;

typedef struct DiagLine {
  DiagLineKind kind;
  const char *text;  // DIAG_SHAPES: may hold several lines separated by \n
} DiagLine;

typedef struct Diag {
  DiagCode code;
  Severity severity;
  Span span;
  const char *message;
  DiagLine *lines;
  size_t n_lines, lines_capacity;
} Diag;

typedef struct Source {
  const char *path;  // as the user gave it; "std" for the standard library
  const char *text;  // NUL-terminated
  size_t length;
  uint32_t *lines;  // [n_lines]: where each begins, in bytes
  size_t n_lines;
} Source;

typedef struct DiagSink {
  Arena *arena;
  Source *sources;  // [n_sources], file k is sources[k-1]
  size_t n_sources, sources_capacity;
  Diag **items;  // in order of report
  size_t n_items, items_capacity;
  size_t n_errors;
} DiagSink;

DiagSink *diag_sink_new(Arena *arena);
// Registers a text and returns its file number. The text is not copied; a byte order mark at its start is no part of
// it.
uint32_t diag_add_source(DiagSink *sink, const char *path, const char *text, size_t length);
const Source *diag_source(const DiagSink *sink, uint32_t file);

// Reports a mistake. A second report with the same code and span is dropped (still returns a Diag to add lines to).
Diag *diag_error(DiagSink *sink, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
Diag *diag_warning(DiagSink *sink, DiagCode code, Span span, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void diag_line(DiagSink *sink, Diag *diag, DiagLineKind kind, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// 1-based line and column (columns count UTF-8 characters, a tab as one) of a byte offset.
void diag_position(const Source *source, uint32_t offset, uint32_t *line, uint32_t *column);

// All diagnostics in source order, at most 20 errors, then "N more errors". `colour`: ANSI colours.
//   lenet.dl:12:6: error[E0203]: message
//      12 |   |> conv2d(16, 3, stride = 3)
//         |      ^~~~~~~~~~~~~~~~~~~~~~~~~
//         = note: ...
void diag_render(const DiagSink *sink, bool colour, Text *out);

// A broken invariant of dlc itself: prints where and what, asks for a report, and ends the process with status 70.
_Noreturn void dlc_bug_at(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define dlc_bug(...) dlc_bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define dlc_assert(condition) \
  do { \
    if (!(condition)) dlc_bug("%s does not hold", #condition); \
  } while (0)
