// Tokens of the graph's text form, and the reading of them. A Reader stands before its current token.
#pragma once
#include "ir.h"

typedef enum TokenKind {
  TOKEN_END,
  TOKEN_WORD,     // letters, digits, '_', '.', not starting with a digit or a dot
  TOKEN_INTEGER,  // `integer`
  TOKEN_REAL,     // digits with a point or an exponent; `real`
  TOKEN_STRING,   // `text`: without quotes, escapes resolved
  TOKEN_VALUE,    // %12: `integer`
  TOKEN_PUNCT,    // `punct`: a character, or DIV_FLOOR_PUNCT, DIV_EXACT_PUNCT
  TOKEN_BAD       // reported already
} TokenKind;

enum { DIV_FLOOR_PUNCT = 256, DIV_EXACT_PUNCT };  // "//" and "/!"

typedef struct Token {
  TokenKind kind;
  uint32_t begin, end;
  const char *text;  // word, string: NUL-terminated, in the arena
  uint64_t integer;
  float real;
  int punct;
} Token;

typedef struct Reader {
  Arena *arena;
  DiagSink *sink;
  uint32_t file;
  const Source *source;
  Token token;        // the current one
  uint32_t last_end;  // where the one before it ended
} Reader;

Reader reader_new(Arena *arena, DiagSink *sink, uint32_t file);  // at the first token
void reader_next(Reader *r);

bool at_punct(const Reader *r, int punct);
bool at_word(const Reader *r, const char *word);
// Takes the token where it is this one. `expect` reports E0501 where it is not and is then false.
bool accept_punct(Reader *r, int punct);
bool accept_word(Reader *r, const char *word);
bool expect_punct(Reader *r, int punct);
bool expect_word(Reader *r, const char *word);
bool expect_integer(Reader *r, int64_t *value, const char *what);  // without a sign
bool expect_name(Reader *r, const char **name, const char *what);  // a word
bool expect_text(Reader *r, const char **text, const char *what);  // a string

Span reader_span(const Reader *r);  // of the current token
// Reports at the current token what was expected there instead; false.
bool reader_expected(Reader *r, const char *what);
// Reports; false.
bool reader_fail(Reader *r, DiagCode code, Span span, const char *format, ...) __attribute__((format(printf, 4, 5)));
