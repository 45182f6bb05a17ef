// The lexer of the text form: blanks and '#' comments fall away; nothing depends on the locale.
#include "lex.h"

#include "inside.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Span reader_span(const Reader *r) { return (Span){r->file, r->token.begin, r->token.end}; }

bool reader_fail(Reader *r, DiagCode code, Span span, const char *format, ...) {
  va_list args;
  va_start(args, format);
  diag_error(r->sink, code, span, "%s", arena_vprintf(r->sink->arena, format, args));
  va_end(args);
  return false;
}

static bool bad_token(Reader *r, const char *what) {
  r->token.kind = TOKEN_BAD;
  return reader_fail(r, DIAG_E0502, reader_span(r), "%s", what);
}

static int byte_at(const Reader *r, uint32_t at) {
  return at < r->source->length ? (unsigned char)r->source->text[at] : -1;
}

static bool is_word_byte(int c) { return ascii_word(c) || c == '.'; }

static uint32_t skip_blank(const Reader *r, uint32_t at) {
  for (;; at++) {
    int c = byte_at(r, at);
    if (c == '#')
      while (byte_at(r, at + 1) >= 0 && byte_at(r, at + 1) != '\n') at++;
    else if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
      return at;
  }
}

static uint32_t skip_digits(const Reader *r, uint32_t at) {
  while (ascii_digit(byte_at(r, at))) at++;
  return at;
}

static const char *text_between(const Reader *r, uint32_t begin, uint32_t end) {
  return arena_strndup(r->arena, r->source->text + begin, end - begin);
}

static void lex_integer(Reader *r, uint32_t begin) {
  errno = 0;
  r->token.integer = strtoull(text_between(r, begin, r->token.end), NULL, 10);
  if (errno) bad_token(r, "a number that does not fit 64 bits");
}

// strtof reads the locale's decimal point, so it is given that one.
static void lex_real(Reader *r) {
  const char *digits = text_between(r, r->token.begin, r->token.end), *point = strchr(digits, '.');
  if (point)
    digits = arena_printf(r->arena, "%.*s%s%s", (int)(point - digits), digits, localeconv()->decimal_point, point + 1);
  r->token.real = strtof(digits, NULL);
  if (isinf(r->token.real)) bad_token(r, "a number that does not fit f32");
}

static void lex_number(Reader *r) {
  uint32_t at = skip_digits(r, r->token.begin);
  bool real = byte_at(r, at) == '.';
  if (real) at = skip_digits(r, at + 1);
  if (byte_at(r, at) == 'e') {
    uint32_t digits = at + 1;
    if (byte_at(r, digits) == '-' || byte_at(r, digits) == '+') digits++;
    at = skip_digits(r, digits);
    if (at == digits)
      at = digits - 1;  // no digits: the word that follows is the mistake
    else
      real = true;
  }
  r->token.end = at;
  r->token.kind = real ? TOKEN_REAL : TOKEN_INTEGER;
  if (real)
    lex_real(r);
  else
    lex_integer(r, r->token.begin);
}

static int hex_digit(int c) { return ascii_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// The character that an escape stands for, and behind it; -1 where it is none.
static int lex_escape(const Reader *r, uint32_t *at) {
  int c = byte_at(r, (*at)++);
  if (c == '"' || c == '\\') return c;
  if (c == 'n') return '\n';
  if (c != 'x') return -1;
  int high = hex_digit(byte_at(r, *at)), low = high < 0 ? -1 : hex_digit(byte_at(r, *at + 1));
  *at += 2;
  return low < 0 || high * 16 + low == 0 ? -1 : high * 16 + low;
}

static void lex_string(Reader *r) {
  Text text = text_new(r->arena);
  uint32_t at = r->token.begin + 1;
  const char *mistake = NULL;
  while (!mistake && byte_at(r, at) != '"') {
    int c = byte_at(r, at++);
    if (c == '\\')
      c = lex_escape(r, &at);
    else if (c < 0x20)
      mistake = "a string that does not end on its line";
    if (c < 0 && !mistake) mistake = "an escape that strings do not have: they have \\\\ \\\" \\n and \\x1f";
    char byte = (char)c;
    if (!mistake) text_add_n(&text, &byte, 1);
  }
  r->token.end = mistake ? at : at + 1;
  if (r->token.end > r->source->length) r->token.end = (uint32_t)r->source->length;
  r->token.kind = TOKEN_STRING;
  r->token.text = text.bytes;
  if (mistake) bad_token(r, mistake);
}

static void lex_word(Reader *r) {
  while (is_word_byte(byte_at(r, r->token.end))) r->token.end++;
  r->token.kind = TOKEN_WORD;
  r->token.text = text_between(r, r->token.begin, r->token.end);
}

static void lex_value(Reader *r) {
  r->token.end = skip_digits(r, r->token.begin + 1);
  r->token.kind = TOKEN_VALUE;
  if (r->token.end == r->token.begin + 1)
    bad_token(r, "'%' without a number");
  else
    lex_integer(r, r->token.begin + 1);
}

static void lex_punct(Reader *r, int c) {
  r->token.kind = TOKEN_PUNCT;
  r->token.punct = c;
  int after = c == '/' ? byte_at(r, r->token.begin + 1) : -1;
  if (after == '/' || after == '!') {
    r->token.punct = after == '/' ? DIV_FLOOR_PUNCT : DIV_EXACT_PUNCT;
    r->token.end++;
  }
  if (c == 0 || !strchr("(){}[]=:,;|*+-@/", c)) bad_token(r, "a character that the text form does not have");
}

void reader_next(Reader *r) {
  r->last_end = r->token.end;
  uint32_t begin = skip_blank(r, r->token.end);
  r->token = (Token){.begin = begin, .end = begin};
  int c = byte_at(r, begin);
  if (c < 0) return;
  r->token.end = begin + 1;
  if (ascii_digit(c))
    lex_number(r);
  else if (ascii_word(c))
    lex_word(r);
  else if (c == '"')
    lex_string(r);
  else if (c == '%')
    lex_value(r);
  else
    lex_punct(r, c);
}

Reader reader_new(Arena *arena, DiagSink *sink, uint32_t file) {
  Reader r = {.arena = arena, .sink = sink, .file = file, .source = diag_source(sink, file)};
  dlc_assert(r.source);
  reader_next(&r);
  return r;
}

// ---- expectations -------------------------------------------------------------------------------------------------

bool reader_expected(Reader *r, const char *what) {
  if (r->token.kind == TOKEN_BAD) return false;
  if (r->token.kind == TOKEN_END)
    return reader_fail(r, DIAG_E0501, reader_span(r), "expected %s, found the end of the text", what);
  const char *found = text_between(r, r->token.begin, r->token.end);
  return reader_fail(r, DIAG_E0501, reader_span(r), "expected %s, found '%s'", what, found);
}

bool at_punct(const Reader *r, int punct) { return r->token.kind == TOKEN_PUNCT && r->token.punct == punct; }

bool at_word(const Reader *r, const char *word) { return r->token.kind == TOKEN_WORD && !strcmp(r->token.text, word); }

bool accept_punct(Reader *r, int punct) {
  bool there = at_punct(r, punct);
  if (there) reader_next(r);
  return there;
}

bool accept_word(Reader *r, const char *word) {
  bool there = at_word(r, word);
  if (there) reader_next(r);
  return there;
}

bool expect_punct(Reader *r, int punct) {
  char quoted[] = {'\'', (char)punct, '\'', 0};
  return accept_punct(r, punct) || reader_expected(r, quoted);
}

bool expect_word(Reader *r, const char *word) { return accept_word(r, word) || reader_expected(r, word); }

bool expect_integer(Reader *r, int64_t *value, const char *what) {
  if (r->token.kind != TOKEN_INTEGER) return reader_expected(r, what);
  if (r->token.integer > INT64_MAX) return bad_token(r, "a number that does not fit 63 bits");
  *value = (int64_t)r->token.integer;
  reader_next(r);
  return true;
}

bool expect_name(Reader *r, const char **name, const char *what) {
  if (r->token.kind != TOKEN_WORD) return reader_expected(r, what);
  *name = r->token.text;
  reader_next(r);
  return true;
}

bool expect_text(Reader *r, const char **text, const char *what) {
  if (r->token.kind != TOKEN_STRING) return reader_expected(r, what);
  *text = r->token.text;
  reader_next(r);
  return true;
}
