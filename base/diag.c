// Collecting and rendering diagnostics.
#include "diag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Span span_join(Span a, Span b) {
  if (!a.file) return b;
  if (!b.file || b.file != a.file) return a;
  return (Span){a.file, a.begin, b.end > a.end ? b.end : a.end};
}

const char *diag_code_name(DiagCode code) {
  static const char *const names[] = {
#define DIAG(code, title) #code,
#include "diag.def"
#undef DIAG
  };
  return names[code];
}

const char *diag_code_title(DiagCode code) {
  static const char *const titles[] = {
#define DIAG(code, title) title,
#include "diag.def"
#undef DIAG
  };
  return titles[code];
}

DiagSink *diag_sink_new(Arena *arena) {
  DiagSink *sink = arena_alloc(arena, sizeof *sink);
  sink->arena = arena;
  return sink;
}

static void find_lines(Arena *arena, Source *source) {
  size_t n = 1;
  for (size_t k = 0; k < source->length; k++) n += source->text[k] == '\n';
  source->lines = arena_array(arena, n, sizeof *source->lines);
  source->n_lines = 1;
  for (size_t k = 0; k < source->length; k++)
    if (source->text[k] == '\n') source->lines[source->n_lines++] = (uint32_t)k + 1;
}

uint32_t diag_add_source(DiagSink *sink, const char *path, const char *text, size_t length) {
  sink->sources =
      arena_grow(sink->arena, sink->sources, sink->n_sources, &sink->sources_capacity, sizeof *sink->sources);
  size_t skip = length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
  Source *source = &sink->sources[sink->n_sources++];
  *source = (Source){.path = path, .text = text + skip, .length = length - skip};
  find_lines(sink->arena, source);
  return (uint32_t)sink->n_sources;
}

const Source *diag_source(const DiagSink *sink, uint32_t file) {
  return file && file <= sink->n_sources ? &sink->sources[file - 1] : NULL;
}

static bool same_place(const Diag *diag, DiagCode code, Span span) {
  return diag->code == code && span.file && diag->span.file == span.file && diag->span.begin == span.begin &&
         diag->span.end == span.end;
}

enum { MOST_KEPT = 1000 };  // beyond this, mistakes are only counted

static Diag *diag_add(DiagSink *sink, DiagCode code, Severity severity, Span span, const char *message) {
  Diag *diag = arena_alloc(sink->arena, sizeof *diag);
  *diag = (Diag){.code = code, .severity = severity, .span = span, .message = message};
  for (size_t k = 0; k < sink->n_items; k++)
    if (same_place(sink->items[k], code, span)) return diag;  // reported already; lines go nowhere
  sink->n_errors += severity == SEVERITY_ERROR;
  if (sink->n_items >= MOST_KEPT) return diag;
  sink->items = arena_grow(sink->arena, sink->items, sink->n_items, &sink->items_capacity, sizeof *sink->items);
  sink->items[sink->n_items++] = diag;
  return diag;
}

Diag *diag_error(DiagSink *sink, DiagCode code, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(sink->arena, format, args);
  va_end(args);
  return diag_add(sink, code, SEVERITY_ERROR, span, message);
}

Diag *diag_warning(DiagSink *sink, DiagCode code, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *message = arena_vprintf(sink->arena, format, args);
  va_end(args);
  return diag_add(sink, code, SEVERITY_WARNING, span, message);
}

void diag_line(DiagSink *sink, Diag *diag, DiagLineKind kind, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(sink->arena, format, args);
  va_end(args);
  diag->lines = arena_grow(sink->arena, diag->lines, diag->n_lines, &diag->lines_capacity, sizeof *diag->lines);
  diag->lines[diag->n_lines++] = (DiagLine){kind, text};
}

static bool continues_character(unsigned char byte) { return (byte & 0xc0) == 0x80; }

void diag_position(const Source *source, uint32_t offset, uint32_t *line, uint32_t *column) {
  if (offset > source->length) offset = (uint32_t)source->length;
  size_t low = 0, high = source->n_lines;  // the line begins in low..high
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (source->lines[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  *line = (uint32_t)low + 1;
  *column = 1;
  for (uint32_t k = source->lines[low]; k < offset; k++)
    *column += !continues_character((unsigned char)source->text[k]);
}

// ---- rendering ----------------------------------------------------------------------------------------------------

typedef struct Colours {
  const char *red, *yellow, *blue, *bold, *off;
} Colours;
static const Colours plain = {"", "", "", "", ""};
static const Colours ansi = {"\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1m", "\033[0m"};

// Bytes of a source line or of a message as shown: a tab is one space, other control bytes a question mark. Names in
// files are not trusted with the terminal.
static void add_visible(Text *out, const char *bytes, size_t length) {
  for (size_t k = 0; k < length; k++) {
    char c = bytes[k];
    if (c == '\t')
      c = ' ';
    else if ((unsigned char)c < 0x20 || c == 0x7f)
      c = '?';
    text_add_n(out, &c, 1);
  }
}

static uint32_t characters(const char *bytes, size_t length) {
  uint32_t count = 0;
  for (size_t k = 0; k < length; k++) count += !continues_character((unsigned char)bytes[k]);
  return count;
}

enum { LONGEST_SHOWN_LINE = 400 };

static void render_excerpt(const Source *source, Span span, const Colours *c, Text *out) {
  uint32_t line, column;
  diag_position(source, span.begin, &line, &column);
  size_t begin = span.begin < source->length ? span.begin : source->length;
  while (begin > 0 && source->text[begin - 1] != '\n') begin--;
  size_t end = begin;
  while (end < source->length && source->text[end] != '\n' && source->text[end] != '\r') end++;
  if (end - begin > LONGEST_SHOWN_LINE) return;
  text_printf(out, "%s%5u |%s ", c->blue, line, c->off);
  add_visible(out, source->text + begin, end - begin);
  text_printf(out, "\n%s      |%s ", c->blue, c->off);
  for (uint32_t k = 1; k < column; k++) text_add(out, " ");
  size_t last = span.end < end ? span.end : end;
  uint32_t width = last > span.begin ? characters(source->text + span.begin, last - span.begin) : 1;
  text_printf(out, "%s^", c->red);
  for (uint32_t k = 1; k < width; k++) text_add(out, "~");
  text_printf(out, "%s\n", c->off);
}

static void render_lines(const Diag *diag, const Colours *c, Text *out) {
  static const char *const label[] = {[DIAG_NOTE] = "note", [DIAG_HELP] = "help", [DIAG_SHAPES] = "shapes"};
  for (size_t k = 0; k < diag->n_lines; k++) {
    const char *head = label[diag->lines[k].kind], *rest = diag->lines[k].text;
    text_printf(out, "      %s=%s %s: ", c->blue, c->off, head);
    for (const char *stop; (stop = strchr(rest, '\n')); rest = stop + 1) {
      add_visible(out, rest, (size_t)(stop - rest));
      text_printf(out, "\n%*s", 10 + (int)strlen(head), "");
    }
    add_visible(out, rest, strlen(rest));
    text_add(out, "\n");
  }
}

static void render_one(const DiagSink *sink, const Diag *diag, const Colours *c, Text *out) {
  const Source *source = diag_source(sink, diag->span.file);
  if (source) {
    uint32_t line, column;
    diag_position(source, diag->span.begin, &line, &column);
    text_printf(out, "%s%s:%u:%u:%s ", c->bold, source->path, line, column, c->off);
  } else {
    text_printf(out, "%sdlc:%s ", c->bold, c->off);
  }
  bool error = diag->severity == SEVERITY_ERROR;
  text_printf(out, "%s%s[%s]:%s ", error ? c->red : c->yellow, error ? "error" : "warning", diag_code_name(diag->code),
              c->off);
  add_visible(out, diag->message, strlen(diag->message));
  text_add(out, "\n");
  if (source) render_excerpt(source, diag->span, c, out);
  render_lines(diag, c, out);
}

static int by_place(const void *left, const void *right) {
  const Diag *a = *(Diag *const *)left, *b = *(Diag *const *)right;
  if (a->span.file != b->span.file) return a->span.file < b->span.file ? -1 : 1;
  if (a->span.begin != b->span.begin) return a->span.begin < b->span.begin ? -1 : 1;
  return strcmp(diag_code_name(a->code), diag_code_name(b->code));
}

enum { MOST_ERRORS_SHOWN = 20 };

void diag_render(const DiagSink *sink, bool colour, Text *out) {
  const Colours *c = colour ? &ansi : &plain;
  Diag **sorted = arena_array(sink->arena, sink->n_items, sizeof *sorted);
  if (sink->n_items) memcpy(sorted, sink->items, sink->n_items * sizeof *sorted);
  qsort(sorted, sink->n_items, sizeof *sorted, by_place);
  size_t errors = 0;
  for (size_t k = 0; k < sink->n_items; k++) {
    bool error = sorted[k]->severity == SEVERITY_ERROR;
    if (error && ++errors > MOST_ERRORS_SHOWN) continue;
    render_one(sink, sorted[k], c, out);
  }
  if (sink->n_errors > MOST_ERRORS_SHOWN) {
    size_t more = sink->n_errors - MOST_ERRORS_SHOWN;
    text_printf(out, "%zu more error%s\n", more, more == 1 ? "" : "s");
  }
}

_Noreturn void dlc_bug_at(const char *file, int line, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "dlc: internal error at %s:%d: ", file, line);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\nThis is a bug in dlc, not in your program. Please report it with the program that shows it.\n");
  va_end(args);
  _exit(70);
}
