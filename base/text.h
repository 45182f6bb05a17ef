// A growing text buffer, in an arena. Always NUL-terminated.
#pragma once
#include "arena.h"

typedef struct Text {
  Arena *arena;
  char *bytes;  // NUL-terminated
  size_t length, capacity;
} Text;

Text text_new(Arena *arena);
void text_clear(Text *text);  // empty again, its room kept
void text_add(Text *text, const char *string);
void text_add_n(Text *text, const char *bytes, size_t length);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_vprintf(Text *text, const char *format, va_list args);

// The shortest decimal that reads back as the same double, locale-independent, with a point or exponent so that it
// reads as a float ("1.0", "0.1", "1e-05", "inf", "-inf", "nan").
void text_add_double(Text *text, double value);
// As above for a float: the shortest that reads back as the same float.
void text_add_float(Text *text, float value);
// Text as a quoted string: control bytes, quotes and backslashes escaped.
void text_add_quoted(Text *text, const char *string);

// Edit distance with transpositions, for did-you-mean.
int text_distance(const char *a, const char *b);
// The candidate nearest to `word` (an edit distance of at most a third of the word, with at least one letter in common;
// the first of equals), or else the only one of which the word is the first part, before a '_'. NULL where there is
// none.
const char *text_nearest(const char *word, const char *const *candidates, size_t count);
