// Feeding the grammar: tokens in order, told apart where their kind depends on their neighbours, and after a mistake a
// new start at the next statement or declaration.
//
// Recovery: the grammar's rules `statements error RESUME` (and likewise for declarations and the items of blocks) take
// it back to the innermost open block. The feed then skips to a token that starts a line and can start a statement,
// hands out RESUME and goes on from there. A declaration that starts inside an open block ends all blocks: the braces
// that are missing are made up.
#include <string.h>

#include "parser.h"
#include "grammar.tab.h"

int grammar_lex(GRAMMAR_STYPE *value, Span *span, Parser *p);

enum { GIVEN_WORD = -1 };  // Parser.given after a dot, where any word is a name

static const Token *peek(const Parser *p, size_t ahead) {
  size_t k = p->next + ahead;
  return &p->tokens[k < p->n_tokens ? k : p->n_tokens - 1];
}

static bool is_name(int kind) {
  return kind == TOKEN_NAME || kind == TOKEN_DATA || kind == TOKEN_TRAIN || kind == TOKEN_SEARCH || kind == TOKEN_ON;
}

// ---- brackets -----------------------------------------------------------------------------------------------------

static int closer_of(int kind) { return kind == '(' ? ')' : kind == '[' ? ']' : kind == '{' ? '}' : 0; }
static bool is_closer(int kind) { return kind == ')' || kind == ']' || kind == '}'; }

void parser_too_deep(Parser *p, Span span) {
  if (p->too_deep) return;
  p->too_deep = true;
  Diag *diag = diag_error(p->sink, DIAG_E0005, span, "this is nested more than %d levels deep", AST_MAX_DEPTH);
  diag_line(p->sink, diag, DIAG_HELP, "give a part of it a name first");
}

// The token given last has been taken by the grammar: notes what it opens or closes.
static void note_bracket(Parser *p) {
  if (p->next == 0) return;
  const Token *token = &p->tokens[p->next - 1];
  if (is_closer(token->kind) && p->n_open && closer_of(p->open[p->n_open - 1].kind) == token->kind) p->n_open--;
  if (!closer_of(token->kind)) return;
  if (p->n_open < AST_MAX_DEPTH) {
    p->open[p->n_open++] = *token;
  } else {
    parser_too_deep(p, token->span);
    p->stopped = true;
  }
}

// ---- kinds that depend on the neighbours ----------------------------------------------------------------------------

// Can a token of this kind be the last of an operand, so that '(', '[' or '-' continues it?
static bool ends_operand(int kind) {
  switch (kind) {
    case TOKEN_INTEGER:
    case TOKEN_NUMBER:
    case TOKEN_STRING:
    case TOKEN_BAD:
    case TOKEN_TRUE:
    case TOKEN_FALSE:
    case TOKEN_REDUCTION:
    case ')':
    case ']':
    case '}':
      return true;
    default:
      return is_name(kind);
  }
}

static bool is_reduction_word(const char *text) {
  static const char *const words[] = {"sum", "max", "min", "mean", "prod"};
  for (size_t k = 0; k < sizeof words / sizeof *words; k++)
    if (!strcmp(words[k], text)) return true;
  return false;
}

// Do bare names in parentheses follow the next token?
static bool names_follow(const Parser *p) {
  size_t k = 1;
  if (peek(p, k)->kind != '(') return false;
  do {
    if (!is_name(peek(p, ++k)->kind)) return false;
    k++;
  } while (peek(p, k)->kind == ',' && peek(p, k + 1)->kind != ')');
  return peek(p, k)->kind == ')' || peek(p, k)->kind == ',';
}

// The kind under which the grammar sees the next token.
static int kind_in_place(const Parser *p) {
  const Token *token = peek(p, 0);
  bool continues = ends_operand(p->given) || p->given == GIVEN_WORD;
  switch (token->kind) {
    case '(':
      return continues ? TOKEN_CALL : '(';
    case '[':
      return continues ? TOKEN_AT : '[';
    case '-':
      return continues ? TOKEN_MINUS : '-';
    case TOKEN_END:
      return p->n_open ? TOKEN_UNFINISHED : TOKEN_END;  // bison gives up at END, but recovers from this
    case TOKEN_WHERE:
      return peek(p, 1)->kind == '(' ? TOKEN_NAME : TOKEN_WHERE;
    case TOKEN_NAME:
      return is_reduction_word(token->text) && names_follow(p) ? TOKEN_REDUCTION : TOKEN_NAME;
    default:
      return token->kind;
  }
}

// ---- recovery -----------------------------------------------------------------------------------------------------

static bool starts_declaration(const Parser *p, size_t at) {
  const Token *token = &p->tokens[at];
  if (!token->line_start || token->kind == TOKEN_END) return false;
  int next = p->tokens[at + 1].kind;
  switch (token->kind) {
    case TOKEN_FN:
    case TOKEN_MODEL:
    case TOKEN_CONST:
    case TOKEN_USE:
      return next != '=';
    case TOKEN_DATA:
    case TOKEN_TRAIN:
    case TOKEN_SEARCH:
      return is_name(next);
    default:
      return false;
  }
}

static bool starts_statement(const Token *token) {
  if (!token->line_start) return false;
  switch (token->kind) {
    case TOKEN_PARAM:
    case TOKEN_STATE:
    case TOKEN_MEMORY:
    case TOKEN_RETURN:
    case TOKEN_IF:
    case TOKEN_FOR:
    case TOKEN_REPEAT:
    case TOKEN_LAYER:
      return true;
    default:
      return is_name(token->kind);
  }
}

// Bytes of space before the first token of the line on which a token stands.
static uint32_t indentation(const Parser *p, const Token *token) {
  const char *text = diag_source(p->sink, token->span.file)->text;
  uint32_t start = token->span.begin, end;
  while (start > 0 && text[start - 1] != '\n') start--;
  for (end = start; text[end] == ' ' || text[end] == '\t';) end++;
  return end - start;
}

// The parentheses and square brackets open where the search for a new start has come to.
typedef struct Parentheses {
  int n;
  uint32_t indentation;  // of the line on which the first of them was opened
} Parentheses;

// Drops what the grammar drops: those opened since the innermost block began.
static Parentheses leave_parentheses(Parser *p) {
  Parentheses open = {0};
  for (; p->n_open && p->open[p->n_open - 1].kind != '{'; p->n_open--)
    open = (Parentheses){open.n + 1, indentation(p, &p->open[p->n_open - 1])};
  return open;
}

static void step_over(const Parser *p, Parentheses *open, const Token *token) {
  bool opens = token->kind == '(' || token->kind == '[';
  if (opens && open->n == 0) open->indentation = indentation(p, token);
  if (opens) open->n++;
  if ((token->kind == ')' || token->kind == ']') && open->n > 0) open->n--;
}

// Is it outside parentheses, or on a line that is no deeper than theirs, so that one of them was left open by mistake?
static bool is_outside(const Parser *p, Parentheses open, const Token *token) {
  return open.n == 0 || indentation(p, token) <= open.indentation;
}

// Where to go on: the first token from `at` that starts a declaration, or, in a block, closes it or starts a statement.
static size_t find_resume(const Parser *p, size_t at, Parentheses open) {
  bool in_block = p->n_open > 0;
  int braces = 0;
  for (; p->tokens[at].kind != TOKEN_END; at++) {
    const Token *token = &p->tokens[at];
    if (starts_declaration(p, at)) return at;
    if (in_block && !braces && (token->kind == '}' || (starts_statement(token) && is_outside(p, open, token))))
      return at;
    braces += (token->kind == '{') - (token->kind == '}');
    if (!braces) step_over(p, &open, token);
  }
  return at;
}

// Called for the first token after a mistake at token next - 1.
static int resume(Parser *p) {
  p->recovering = false;
  size_t at = p->next - 1;
  if (p->resumed_at == at + 1) at++;  // nothing was gained by starting there
  if (at >= p->n_tokens) at = p->n_tokens - 1;
  p->next = find_resume(p, at, leave_parentheses(p));
  p->resumed_at = p->next + 1;
  if (p->tokens[p->next].kind == TOKEN_END || starts_declaration(p, p->next)) {
    p->missing_braces = p->n_open;
    p->n_open = 0;
  }
  p->given = TOKEN_RESUME;
  return TOKEN_RESUME;
}

// ---- the feed -----------------------------------------------------------------------------------------------------

// The next token for bison.
int grammar_lex(GRAMMAR_STYPE *value, Span *span, Parser *p) {
  *span = peek(p, 0)->span;
  if (p->stopped) return TOKEN_END;
  if (p->recovering) return resume(p);
  if (p->missing_braces > 0) {
    p->missing_braces--;
    return '}';
  }
  if (p->given != TOKEN_RESUME) note_bracket(p);
  if (p->stopped) return TOKEN_END;
  const Token *token = peek(p, 0);
  value->token = token;
  *span = token->span;
  int kind = kind_in_place(p);
  p->given = p->given == '.' ? GIVEN_WORD : kind;
  if (p->next < p->n_tokens) p->next++;
  return kind;
}

Ast *ast_parse(Arena *arena, DiagSink *sink, uint32_t file) {
  TokenList list = lexer_read(arena, sink, file);
  Parser *p = arena_alloc(arena, sizeof *p);
  *p = (Parser){.arena = arena, .sink = sink, .tokens = list.items, .n_tokens = list.count};
  p->ast = arena_alloc(arena, sizeof *p->ast);
  p->ast->file = file;
  grammar_parse(p);
  return p->ast;
}
