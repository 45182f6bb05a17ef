// Growing text, shortest decimals, spelling distance.
#include "text.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Text text_new(Arena *arena) { return (Text){.arena = arena, .bytes = arena_alloc(arena, 64), .capacity = 64}; }

static void text_reserve(Text *text, size_t more) {
  if (text->length + more + 1 <= text->capacity) return;
  size_t wider = text->capacity * 2;
  if (wider < text->length + more + 1) wider = text->length + more + 1;
  char *moved = arena_alloc(text->arena, wider);
  memcpy(moved, text->bytes, text->length);
  text->bytes = moved;
  text->capacity = wider;
}

void text_add_n(Text *text, const char *bytes, size_t length) {
  text_reserve(text, length);
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = 0;
}

void text_clear(Text *text) {
  text->length = 0;
  text->bytes[0] = '\0';
}

void text_add(Text *text, const char *string) { text_add_n(text, string, strlen(string)); }

void text_vprintf(Text *text, const char *format, va_list args) {
  va_list again;
  va_copy(again, args);
  int length = vsnprintf(NULL, 0, format, args);
  if (length > 0) {
    text_reserve(text, (size_t)length);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
    text->length += (size_t)length;
  }
  va_end(again);
}

void text_printf(Text *text, const char *format, ...) {
  va_list args;
  va_start(args, format);
  text_vprintf(text, format, args);
  va_end(args);
}

// The fewest digits, up to `most`, that read back as `value`; single precision reads back as a float. dlc never changes
// the locale, but a host program may have: its decimal point is replaced.
static void add_shortest(Text *text, double value, int most, bool single) {
  if (isnan(value)) return text_add(text, "nan");
  if (isinf(value)) return text_add(text, value < 0 ? "-inf" : "inf");
  char digits[40];
  for (int precision = 1; precision <= most; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, value);
    double back = single ? (double)strtof(digits, NULL) : strtod(digits, NULL);
    if (back == value) break;
  }
  char *point = strstr(digits, localeconv()->decimal_point);
  if (point) *point = '.';
  text_add(text, digits);
  if (!strpbrk(digits, ".e")) text_add(text, ".0");
}

void text_add_double(Text *text, double value) { add_shortest(text, value, 17, false); }
void text_add_float(Text *text, float value) { add_shortest(text, (double)value, 9, true); }

void text_add_quoted(Text *text, const char *string) {
  text_add(text, "\"");
  for (const unsigned char *c = (const unsigned char *)string; *c; c++) {
    if (*c == '"' || *c == '\\')
      text_printf(text, "\\%c", *c);
    else if (*c == '\n')
      text_add(text, "\\n");
    else if (*c < 0x20 || *c == 0x7f)
      text_printf(text, "\\x%02x", *c);
    else
      text_add_n(text, (const char *)c, 1);
  }
  text_add(text, "\"");
}

enum { LONGEST_WORD = 64 };

// Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours.
int text_distance(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > LONGEST_WORD || m > LONGEST_WORD) return n == m && !strcmp(a, b) ? 0 : LONGEST_WORD;
  int row[3][LONGEST_WORD + 1];
  for (size_t j = 0; j <= m; j++) row[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++) {
    int *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
    now[0] = (int)i;
    for (size_t j = 1; j <= m; j++) {
      int best = before[j - 1] + (a[i - 1] != b[j - 1]);
      if (before[j] + 1 < best) best = before[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped && earlier[j - 2] + 1 < best) best = earlier[j - 2] + 1;
      now[j] = best;
    }
  }
  return row[n % 3][m];
}

const char *text_nearest(const char *word, const char *const *candidates, size_t count) {
  const char *nearest = NULL;
  size_t length = strlen(word);
  int limit = (int)(strlen(word) + 2) / 3;
  for (size_t k = 0; k < count; k++) {
    int distance = text_distance(word, candidates[k]);
    if (distance > limit || distance >= (int)strlen(word)) continue;
    nearest = candidates[k];
    limit = distance - 1;
  }
  if (nearest || length < 3) return nearest;
  for (size_t k = 0; k < count; k++) {  // the beginning of one: global, of global_avg_pool
    if (strncmp(word, candidates[k], length) != 0 || candidates[k][length] != '_') continue;
    if (nearest) return NULL;
    nearest = candidates[k];
  }
  return nearest;
}
