// Formatting: a program's tokens and comments with canonical blanks between them. Line breaks are the author's;
// indentation and the space between two tokens are not, except that two or more blanks inside a line, which line up
// columns, stay, and that what continues a line keeps its distance from that line's beginning.
//
// True on exit: the text has the same tokens in the same order, and so the same tree; formatting it again changes
// nothing.
#include <string.h>

#include "parser.h"
#include "grammar.tab.h"

enum { INDENT = 2, COMMENT = -2 };

typedef struct Piece {  // a token or a comment
  int kind;             // a token's, or COMMENT
  size_t begin, end;    // in the source
  int lines;            // line breaks before it
  int blanks;           // blanks before it on its line
} Piece;

typedef struct Open {  // a bracket that is open
  int kind;
  int from, to;  // the column of its line's beginning, as it was and as it is now
} Open;

typedef struct Formatter {
  const char *text;
  Piece *pieces;
  size_t n;
  Open open[AST_MAX_DEPTH + 1];
  int n_open, n_braces;
  int from, to;  // the same of the last line that begins a statement
  int line_to;   // the column at which the current line begins
  Text *out;
} Formatter;

// ---- pieces ---------------------------------------------------------------------------------------------------------

static void add_piece(Formatter *f, int kind, size_t begin, size_t end, size_t after) {
  Piece *piece = &f->pieces[f->n++];
  *piece = (Piece){.kind = kind, .begin = begin, .end = end};
  for (size_t k = after; k < begin; k++) {
    piece->lines += f->text[k] == '\n';
    piece->blanks = f->text[k] == '\n' ? 0 : piece->blanks + 1;
  }
}

// The comments between `at` and `to`; where the last one ends.
static size_t add_comments(Formatter *f, size_t at, size_t to) {
  size_t after = at;
  for (size_t k = at; k < to; k++) {
    if (f->text[k] != '#') continue;
    size_t end = k + strcspn(f->text + k, "\n"), trimmed = end;
    while (trimmed > k && strchr(" \t\r", f->text[trimmed - 1])) trimmed--;
    add_piece(f, COMMENT, k, trimmed, after);
    after = k = end;
  }
  return after;
}

static void take_pieces(Formatter *f, Arena *arena, const TokenList *tokens, size_t length) {
  size_t comments = 0, after = 0;
  for (size_t k = 0; k < length; k++) comments += f->text[k] == '#';
  f->pieces = arena_array(arena, tokens->count + comments, sizeof *f->pieces);
  for (size_t k = 0; k < tokens->count; k++) {
    const Token *token = &tokens->items[k];
    bool last = token->kind == TOKEN_END;
    size_t begin = last ? length : token->span.begin;
    after = add_comments(f, after, begin);
    if (last) return;
    add_piece(f, token->kind, begin, token->span.end, after);
    after = token->span.end;
  }
}

// ---- between two tokens ---------------------------------------------------------------------------------------------

static bool is_word(const Formatter *f, const Piece *p) {
  char c = f->text[p->begin];
  return p->kind != COMMENT && (c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
}

// Words that are no value: what follows them begins one.
static bool is_keyword(int kind) {
  static const int words[] = {TOKEN_RETURN, TOKEN_IF,    TOKEN_ELSE,   TOKEN_FOR, TOKEN_REPEAT, TOKEN_USE,
                              TOKEN_CONST,  TOKEN_IN,    TOKEN_AND,    TOKEN_OR,  TOKEN_NOT,    TOKEN_LAYER,
                              TOKEN_PARAM,  TOKEN_STATE, TOKEN_MEMORY, TOKEN_AS,  TOKEN_FN,     TOKEN_MODEL};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (words[k] == kind) return true;
  return false;
}

static bool ends_value(const Formatter *f, const Piece *p) {
  if (p->kind == ')' || p->kind == ']' || p->kind == '}' || p->kind == TOKEN_STRING) return true;
  if (p->kind == TOKEN_INTEGER || p->kind == TOKEN_NUMBER) return true;
  return is_word(f, p) && !is_keyword(p->kind);
}

// Is piece k a minus that has one operand?
static bool is_sign(const Formatter *f, size_t k) {
  return f->pieces[k].kind == '-' && (k == 0 || !ends_value(f, &f->pieces[k - 1]));
}

static int as_written(const Piece *p) { return p->blanks > 0 || p->lines > 0; }

// Blanks between pieces k - 1 and k of one line.
static int blanks_between(const Formatter *f, size_t k) {
  const Piece *a = &f->pieces[k - 1], *b = &f->pieces[k];
  if (a->kind == '(' || a->kind == '[' || b->kind == ')' || b->kind == ']') return 0;
  if (b->kind == ',' || b->kind == ';') return 0;
  if (a->kind == '.' || b->kind == '.' || a->kind == TOKEN_RANGE || b->kind == TOKEN_RANGE) return 0;
  if (b->kind == ':') return k + 1 < f->n && f->pieces[k + 1].kind == '[';
  if (b->kind == '(' || b->kind == '[') {
    if (a->kind == ')') return as_written(b);  // behind a reduction's indices a factor may begin
    return !ends_value(f, a) && !is_sign(f, k - 1);
  }
  if (b->kind == '-' && a->kind == ')') return as_written(b);
  if (a->kind == '-' && k >= 2 && f->pieces[k - 2].kind == ')') return as_written(b);
  return !is_sign(f, k - 1);
}

// ---- lines ----------------------------------------------------------------------------------------------------------

static int closer_of(int kind) { return kind == '(' ? ')' : kind == '[' ? ']' : kind == '{' ? '}' : 0; }

// Does a token of this kind, at the beginning of a line, go on with what stands before?
static bool continues(int kind) {
  static const int kinds[] = {'+',         '-',         '*',        '/',          '%',
                              '@',         '=',         ':',        ',',          TOKEN_OR,
                              TOKEN_AND,   TOKEN_EQ,    TOKEN_NE,   TOKEN_LT,     TOKEN_LE,
                              TOKEN_GT,    TOKEN_GE,    TOKEN_JOIN, TOKEN_POW,    TOKEN_FLOORDIV,
                              TOKEN_RANGE, TOKEN_WHERE, TOKEN_AS,   TOKEN_RESULTS};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
    if (kinds[k] == kind) return true;
  return false;
}

// Does a line that ends with a token of this kind go on in the next?
static bool unfinished(int kind) {
  return (continues(kind) && kind != ',' && kind != TOKEN_WHERE) || kind == ',' || kind == TOKEN_NOT ||
         kind == TOKEN_PIPE;
}

// The last token before piece k, comments apart; NULL where there is none.
static const Piece *token_before(const Formatter *f, size_t k) {
  while (k-- > 0)
    if (f->pieces[k].kind != COMMENT) return &f->pieces[k];
  return NULL;
}

// `where(` is a function, and no clause of a formula.
static bool is_where_call(const Formatter *f, size_t k) {
  return f->pieces[k].kind == TOKEN_WHERE && k + 1 < f->n && f->pieces[k + 1].kind == '(';
}

static int at_least(int a, int b) { return a > b ? a : b; }

// The column at which a line that begins with piece k begins.
static int line_column(Formatter *f, size_t k) {
  const Piece *p = &f->pieces[k], *before = token_before(f, k);
  const Open *innermost = f->n_open ? &f->open[f->n_open - 1] : NULL;
  int block = INDENT * f->n_braces;
  if (innermost && innermost->kind != '{') {
    if (p->kind == closer_of(innermost->kind) && p->blanks <= innermost->from) return innermost->to;
    return at_least(innermost->to + 1, p->blanks - innermost->from + innermost->to);
  }
  bool goes_on =
      p->kind != COMMENT && ((continues(p->kind) && !is_where_call(f, k)) || (before && unfinished(before->kind)));
  if (goes_on && before && before->kind != '{') return at_least(f->to + INDENT, p->blanks - f->from + f->to);
  if (p->kind == TOKEN_ELSE) return at_least(block, p->blanks - f->from + f->to);
  f->from = p->blanks;
  f->to = p->kind == '}' ? at_least(0, block - INDENT) : block;
  return f->to;
}

// Empty lines: one at most, none at the beginning and inside a block's edges.
static void end_line(const Formatter *f, size_t k) {
  const Piece *p = &f->pieces[k], *before = token_before(f, k);
  bool first_in_block = before && before->kind == '{' && f->pieces[k - 1].kind != COMMENT;
  text_add(f->out, "\n");
  if (p->lines > 1 && !first_in_block && p->kind != '}') text_add(f->out, "\n");
}

static void note_bracket(Formatter *f, const Piece *p, int from) {
  if (p->kind == '(' || p->kind == '[' || p->kind == '{') {
    if (f->n_open < AST_MAX_DEPTH) f->open[f->n_open++] = (Open){p->kind, from, f->line_to};
    f->n_braces += p->kind == '{';
  } else if (f->n_open && p->kind == closer_of(f->open[f->n_open - 1].kind)) {
    f->n_open--;
    f->n_braces -= p->kind == '}';
  }
}

static void write_pieces(Formatter *f) {
  int from = 0;  // the column at which the line began in the source
  for (size_t k = 0; k < f->n; k++) {
    const Piece *p = &f->pieces[k];
    if (k == 0 || p->lines) {
      if (k) end_line(f, k);
      from = p->blanks;
      f->line_to = line_column(f, k);
      text_printf(f->out, "%*s", f->line_to, "");
    } else {
      int blanks = p->kind == COMMENT ? 2 : blanks_between(f, k);
      if (p->blanks >= 2 && p->kind != ',' && p->kind != ')' && p->kind != ']') blanks = p->blanks;
      text_printf(f->out, "%*s", blanks, "");
    }
    text_add_n(f->out, f->text + p->begin, p->end - p->begin);
    if (p->kind != COMMENT) note_bracket(f, p, from);
  }
  if (f->n) text_add(f->out, "\n");
}

bool ast_format(Arena *arena, DiagSink *sink, uint32_t file, Text *out) {
  size_t errors = sink->n_errors;
  Text before = text_new(arena), after = text_new(arena);
  ast_print(ast_parse(arena, sink, file), &before);
  if (sink->n_errors != errors) return false;
  const Source source = *diag_source(sink, file);
  TokenList tokens = lexer_read(arena, sink, file);
  Formatter f = {.text = source.text, .out = out};
  take_pieces(&f, arena, &tokens, source.length);
  write_pieces(&f);
  const char *copy = arena_strndup(arena, out->bytes, out->length);
  ast_print(ast_parse(arena, sink, diag_add_source(sink, source.path, copy, out->length)), &after);
  if (sink->n_errors != errors || strcmp(before.bytes, after.bytes) != 0)
    dlc_bug("formatting '%s' changes its meaning", source.path);
  return true;
}
