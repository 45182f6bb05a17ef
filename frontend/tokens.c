// Reading a source into tokens: what flex's rules call, and `dlc dump --stage tokens`.
#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parser.h"
#include "grammar.tab.h"
#include "lexer.yy.h"

// lexer.l: pushes all tokens of the scanner's buffer.
void lexer_scan(Lexer *lexer, yyscan_t scanner);

static Span lexeme_span(const Lexer *lexer) {
  uint32_t begin = (uint32_t)(lexer->lexeme - lexer->buffer);
  return (Span){lexer->file, begin, begin + (uint32_t)lexer->length};
}

// After too many mistakes the file is taken to end here: it is not a program.
static void count_error(Lexer *lexer) {
  if (++lexer->n_errors >= LEXER_MAX_ERRORS) lexer->stopped = true;
}

static Token *push(Lexer *lexer, int kind) {
  TokenList *list = &lexer->tokens;
  list->items = arena_grow(lexer->arena, list->items, list->count, &list->capacity, sizeof *list->items);
  Token *token = &list->items[list->count++];
  *token = (Token){.kind = kind, .span = lexeme_span(lexer), .line_start = lexer->line_start};
  lexer->line_start = false;
  return token;
}

void lexer_push(Lexer *lexer, int kind) { push(lexer, kind); }

// Is the lexeme of a bearable length? Reports it otherwise.
static bool fits(Lexer *lexer, const char *what) {
  if (lexer->length <= LEXER_MAX_LEXEME) return true;
  diag_error(lexer->sink, DIAG_E0004, lexeme_span(lexer), "%s of %zu bytes; the most is %d", what, lexer->length,
             LEXER_MAX_LEXEME);
  count_error(lexer);
  return false;
}

void lexer_push_name(Lexer *lexer, int kind) {
  size_t length = fits(lexer, "a name") ? lexer->length : LEXER_MAX_LEXEME;
  const char *text = arena_strndup(lexer->arena, lexer->lexeme, length);
  push(lexer, kind)->text = text;
}

// ---- numbers ------------------------------------------------------------------------------------------------------

// The lexeme, shortened where it is long, for a message.
static const char *shown(const Lexer *lexer) {
  bool cut = lexer->length > 40;
  return arena_printf(lexer->arena, "%.*s%s", cut ? 37 : (int)lexer->length, lexer->lexeme, cut ? "..." : "");
}

static void number_out_of_range(Lexer *lexer, const char *why, const char *range) {
  Diag *diag = diag_error(lexer->sink, DIAG_E0003, lexeme_span(lexer), "the number '%s' is %s", shown(lexer), why);
  diag_line(lexer->sink, diag, DIAG_NOTE, "%s", range);
  count_error(lexer);
  push(lexer, TOKEN_BAD);
}

void lexer_push_integer(Lexer *lexer) {
  int64_t value = 0;
  for (size_t k = 0; k < lexer->length; k++)
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, lexer->lexeme[k] - '0', &value)) {
      number_out_of_range(lexer, "too large for an integer", "integers go up to 9223372036854775807");
      return;
    }
  push(lexer, TOKEN_INTEGER)->integer = value;
}

static bool has_nonzero_digit(const char *text) {
  size_t mantissa = strcspn(text, "eE");
  return strcspn(text, "123456789") < mantissa;
}

void lexer_push_number(Lexer *lexer) {
  if (!fits(lexer, "a number")) {
    push(lexer, TOKEN_BAD);
    return;
  }
  const char *text = arena_strndup(lexer->arena, lexer->lexeme, lexer->length);
  double value = strtod_l(text, NULL, lexer->c_locale);
  if (isinf(value))
    number_out_of_range(lexer, "too large", "numbers go up to 1.797e308");
  else if (value == 0 && has_nonzero_digit(text))
    number_out_of_range(lexer, "too small", "the smallest number above 0 is 4.941e-324");
  else
    push(lexer, TOKEN_NUMBER)->number = value;
}

void lexer_bad_number(Lexer *lexer) {
  Diag *diag = diag_error(lexer->sink, DIAG_E0003, lexeme_span(lexer), "'%s' is not a number", shown(lexer));
  const char *point = memchr(lexer->lexeme, '.', lexer->length);
  const char *end = lexer->lexeme + lexer->length;
  bool bare = point && (point == lexer->lexeme || point + 1 == end || !isdigit((unsigned char)point[1]));
  diag_line(lexer->sink, diag, DIAG_HELP, "%s",
            bare ? "a point has digits on both sides: 2.0, 0.5"
                 : "numbers are written 12, 0.5 or 1e-3, and names start with a letter");
  count_error(lexer);
  push(lexer, TOKEN_BAD);
}

// ---- strings ------------------------------------------------------------------------------------------------------

static void bad_escape(Lexer *lexer, const char *at) {
  uint32_t begin = (uint32_t)(at - lexer->buffer);
  Span span = {lexer->file, begin, begin + 2};
  Diag *diag = diag_error(lexer->sink, DIAG_E0001, span, "a string has no escape '%.2s'", at);
  diag_line(lexer->sink, diag, DIAG_HELP, "the escapes are \\n, \\r, \\t, \\\" and \\\\");
  count_error(lexer);
}

// The character that `\c` stands for, or 0.
static char escaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case '"':
    case '\\':
      return c;
    default:
      return 0;
  }
}

void lexer_push_string(Lexer *lexer) {
  if (!fits(lexer, "a string")) {
    push(lexer, TOKEN_BAD);
    return;
  }
  char *text = arena_alloc(lexer->arena, lexer->length);
  size_t used = 0;
  const char *end = lexer->lexeme + lexer->length - 1;
  for (const char *at = lexer->lexeme + 1; at < end; at++) {
    char c = *at;
    if (c == '\\') {
      c = escaped(at[1]);
      if (!c) bad_escape(lexer, at);
      at++;
    }
    if (c) text[used++] = c;
  }
  push(lexer, TOKEN_STRING)->text = text;
}

void lexer_bad_string(Lexer *lexer) {
  Diag *diag = diag_error(lexer->sink, DIAG_E0004, lexeme_span(lexer), "this string does not end");
  diag_line(lexer->sink, diag, DIAG_HELP,
            "a string ends with '\"' on the line on which it began; '\\n' stands for a new line");
  count_error(lexer);
  push(lexer, TOKEN_BAD);
}

// ---- characters ---------------------------------------------------------------------------------------------------

// What people type, or paste, where the language has something else.
static const struct {
  const char *theirs, *help;
} foreign[] = {
    {"!", "write 'not', or '!=' to compare"},
    {"&", "write 'and'"},
    {"|", "write 'or', or '|>' for a pipe"},
    {"'", "strings stand in double quotes"},
    {"`", "strings stand in double quotes"},
    {"\xe2\x80\x9c", "write '\"'"},  // curly quotes
    {"\xe2\x80\x9d", "write '\"'"},
    {"\xe2\x80\x98", "strings stand in double quotes"},
    {"\xe2\x80\x99", "strings stand in double quotes"},
    {"\xe2\x88\x92", "write '-'"},   // minus sign
    {"\xe2\x80\x93", "write '-'"},   // en dash
    {"\xc3\x97", "write '*'"},       // multiplication sign
    {"\xe2\x86\x90", "write '<-'"},  // arrows
    {"\xe2\x86\x92", "write '->'"},
    {"\xe2\x89\xa4", "write '<='"},
    {"\xe2\x89\xa5", "write '>='"},
    {"\xe2\x89\xa0", "write '!='"},
    {"\xc2\xa0", "this is a no-break space; write a plain one"},
};

void lexer_bad_character(Lexer *lexer) {
  Span span = lexeme_span(lexer);
  Diag *diag = diag_error(lexer->sink, DIAG_E0001, span, "the language has no character '%s'", shown(lexer));
  for (size_t k = 0; k < sizeof foreign / sizeof *foreign; k++)
    if (strlen(foreign[k].theirs) == lexer->length && !memcmp(foreign[k].theirs, lexer->lexeme, lexer->length))
      diag_line(lexer->sink, diag, DIAG_HELP, "%s", foreign[k].help);
  count_error(lexer);
}

void lexer_foreign(Lexer *lexer, int kind, const char *ours) {
  Diag *diag = diag_error(lexer->sink, DIAG_E0001, lexeme_span(lexer), "the language has no '%s'", shown(lexer));
  diag_line(lexer->sink, diag, DIAG_HELP, "write '%s'", ours);
  count_error(lexer);
  push(lexer, kind)->text = ours;
}

static bool is_control(unsigned char c) { return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f; }

// Length of the valid UTF-8 sequence at `at`, or 0: no overlong forms, no surrogates, nothing above U+10FFFF, and of
// the control characters only tab and line ends.
static size_t utf8_length(const char *at, const char *end) {
  const unsigned char *s = (const unsigned char *)at;
  if (s[0] < 0x80) return !is_control(s[0]);
  size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || (size_t)(end - at) < length) return 0;
  for (size_t k = 1; k < length; k++)
    if ((s[k] & 0xc0) != 0x80) return 0;
  if (s[0] == 0xe0 && s[1] < 0xa0) return 0;
  if (s[0] == 0xed && s[1] > 0x9f) return 0;
  if (s[0] == 0xf0 && s[1] < 0x90) return 0;
  if (s[0] == 0xf4 && s[1] > 0x8f) return 0;
  return length;
}

static void bad_bytes(Lexer *lexer, const char *begin, const char *end) {
  Span span = {lexer->file, (uint32_t)(begin - lexer->buffer), (uint32_t)(end - lexer->buffer)};
  unsigned char c = (unsigned char)*begin;
  if (c == 0)
    diag_error(lexer->sink, DIAG_E0001, span, "a zero byte: this is not a text file");
  else if (c < 0x80)
    diag_error(lexer->sink, DIAG_E0001, span, "the language has no control character 0x%02x", c);
  else
    diag_error(lexer->sink, DIAG_E0001, span, "byte 0x%02x: this text is not valid UTF-8", c);
  count_error(lexer);
}

// Reports each run of bytes that are no text and puts spaces in its place.
static void replace_bad_bytes(Lexer *lexer, char *end) {
  char *at = lexer->buffer;
  while (at < end && !lexer->stopped) {
    size_t length = utf8_length(at, end);
    if (length) {
      at += length;
      continue;
    }
    char *begin = at;
    while (at < end && !utf8_length(at, end)) at++;
    bad_bytes(lexer, begin, at);
    memset(begin, ' ', (size_t)(at - begin));
  }
}

// ---- flex ---------------------------------------------------------------------------------------------------------

_Noreturn void lexer_fatal(Lexer *lexer, const char *message) {
  size_t offset = lexer->lexeme ? (size_t)(lexer->lexeme - lexer->buffer) : 0;
  Span span = {lexer->file, (uint32_t)offset, (uint32_t)offset};
  diag_error(lexer->sink, DIAG_E0004, span, "the text cannot be read further: %s", message);
  longjmp(lexer->fatal, 1);
}

void *lexer_alloc_bytes(Lexer *lexer, size_t bytes) { return arena_alloc(lexer->arena, bytes); }

// Scans buffer[0..length]. flex wants two NULs behind the text and may write into it.
static void scan(Lexer *lexer, size_t length) {
  yyscan_t scanner;
  if (setjmp(lexer->fatal)) return;
  if (lexer_lex_init_extra(lexer, &scanner)) lexer_fatal(lexer, "flex did not start");
  lexer__scan_buffer(lexer->buffer, length + 2, scanner);
  lexer_scan(lexer, scanner);
  lexer_lex_destroy(scanner);
}

// The end stands right behind the last token, where something is missing when the text ends too early.
static void push_end(Lexer *lexer) {
  const TokenList *list = &lexer->tokens;
  uint32_t end = list->count ? list->items[list->count - 1].span.end : 0;
  lexer->lexeme = lexer->buffer + end;
  lexer->length = 0;
  lexer->line_start = true;
  push(lexer, TOKEN_END);
}

TokenList lexer_read(Arena *arena, DiagSink *sink, uint32_t file) {
  const Source *source = diag_source(sink, file);
  Lexer lexer = {.arena = arena, .sink = sink, .file = file, .line_start = true};
  size_t length = source->length;
  if (length > LEXER_MAX_SOURCE) {
    diag_error(sink, DIAG_E0004, (Span){file, 0, 0}, "the file has %zu bytes; a program has at most %d", length,
               LEXER_MAX_SOURCE);
    length = 0;
  }
  lexer.buffer = arena_alloc(arena, length + 2);
  memcpy(lexer.buffer, source->text, length);
  lexer.c_locale = newlocale(LC_ALL_MASK, "C", NULL);
  replace_bad_bytes(&lexer, lexer.buffer + length);
  if (!lexer.stopped) scan(&lexer, length);
  freelocale(lexer.c_locale);
  push_end(&lexer);
  return lexer.tokens;
}

// ---- printing -----------------------------------------------------------------------------------------------------

static const char *kind_name(const Token *token, const char *text) {
  switch (token->kind) {
    case TOKEN_NAME:
    case TOKEN_DATA:
    case TOKEN_TRAIN:
    case TOKEN_SEARCH:
    case TOKEN_ON:
      return "name";
    case TOKEN_INTEGER:
      return "integer";
    case TOKEN_NUMBER:
      return "number";
    case TOKEN_STRING:
      return "string";
    case TOKEN_BAD:
      return "mistake";
    default:
      return isalpha((unsigned char)*text) ? "keyword" : "symbol";
  }
}

void tokens_print(Arena *arena, DiagSink *sink, uint32_t file, Text *out) {
  TokenList list = lexer_read(arena, sink, file);
  const char *text = diag_source(sink, file)->text;
  uint32_t offset = 0, line = 1, column = 1;
  for (size_t k = 0; list.items[k].kind != TOKEN_END; k++) {
    const Token *token = &list.items[k];
    for (; offset < token->span.begin; offset++) {
      bool new_line = text[offset] == '\n';
      line += new_line;
      column = new_line ? 1 : column + (((unsigned char)text[offset] & 0xc0) != 0x80);
    }
    text_printf(out, "%u:%u %s ", line, column, kind_name(token, text + offset));
    text_add_n(out, text + offset, token->span.end - offset);
    text_add(out, "\n");
  }
}
