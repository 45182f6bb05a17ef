// Wording syntax errors: what was found, what could stand there, and what people probably meant.
#include <string.h>

#include "parser.h"
#include "grammar.tab.h"

// What the grammar could take at a mistake, as grammar.y spells it.
typedef struct Expected {
  const char *const *items;
  int n;
} Expected;

static bool expects(Expected e, const char *token) {
  for (int k = 0; k < e.n; k++)
    if (!strcmp(e.items[k], token)) return true;
  return false;
}

// ---- found --------------------------------------------------------------------------------------------------------

static const char *found_text(const Parser *p, const Token *found) {
  if (found->kind == TOKEN_END) return "the end of the file";
  const char *text = diag_source(p->sink, found->span.file)->text + found->span.begin;
  int length = (int)(found->span.end - found->span.begin);
  return arena_printf(p->arena, "'%.*s%s'", length > 40 ? 37 : length, text, length > 40 ? "..." : "");
}

// ---- expected -----------------------------------------------------------------------------------------------------

typedef struct Phrase {  // "a, b or c" under construction
  const char *items[8];
  int n;
} Phrase;

static void phrase_add(Phrase *phrase, const char *text) {
  if (phrase->n < 8) phrase->items[phrase->n++] = text;
}

static const char *phrase_text(Parser *p, const Phrase *phrase) {
  Text text = text_new(p->arena);
  for (int k = 0; k < phrase->n; k++)
    text_printf(&text, "%s%s", k == 0 ? "" : k + 1 < phrase->n ? ", " : " or ", phrase->items[k]);
  return text.bytes;
}

// Every word is a name here: after a dot, or before '=' in an argument list.
static bool any_word(Expected e) { return expects(e, "'else'") && expects(e, "'fn'"); }

// The kind of thing that can begin here, or NULL.
static const char *beginning(Expected e) {
  if (any_word(e)) return expects(e, "a number") ? "an expression" : "a name";
  if (expects(e, "'fn'")) return "a declaration";
  if (expects(e, "'return'")) return "a statement";
  if (expects(e, "a number")) return "an expression";
  return expects(e, "a name") ? "a name" : NULL;
}

// Is this token worth mentioning? Operators can nearly always follow, words that are names are names, and behind an
// operand a ':' would be a shape comment and a '=' would make it an argument's name.
static bool is_telling(Expected e, const char *token) {
  if (!strcmp(token, "'on'")) return !expects(e, "a name");
  if (!strcmp(token, "'='") || !strcmp(token, "':'")) return !expects(e, "'|>'");
  if (!strcmp(token, "a string")) return !expects(e, "a number");
  return true;
}

static const char *expected_text(Parser *p, Expected e) {
  static const char *const telling[] = {"a string", "'in'", "'on'", "'='", "':'", "','",
                                        "';'",      "')'",  "']'",  "'{'", "'}'"};
  Phrase phrase = {0};
  const char *start = beginning(e);
  if (start) phrase_add(&phrase, start);
  for (size_t k = 0; k < sizeof telling / sizeof *telling; k++)
    if (expects(e, telling[k]) && is_telling(e, telling[k])) phrase_add(&phrase, telling[k]);
  if (!phrase.n && expects(e, "'(' after a name")) phrase_add(&phrase, "'('");
  for (int k = 0; k < e.n && !phrase.n; k++) phrase_add(&phrase, e.items[k]);
  return phrase_text(p, &phrase);
}

// ---- help ---------------------------------------------------------------------------------------------------------

static bool is_operator(int kind) {
  switch (kind) {
    case TOKEN_JOIN:
    case TOKEN_OR:
    case TOKEN_AND:
    case TOKEN_RANGE:
    case TOKEN_POW:
    case TOKEN_FLOORDIV:
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '@':
      return true;
    default:
      return false;
  }
}

static bool is_comparison(int kind) {
  return kind == TOKEN_EQ || kind == TOKEN_NE || kind == TOKEN_LT || kind == TOKEN_LE || kind == TOKEN_GT ||
         kind == TOKEN_GE;
}

static bool is_reserved(const Token *token) {
  bool literal = token->kind == TOKEN_TRUE || token->kind == TOKEN_FALSE;
  return literal || (token->kind >= TOKEN_PARAM && token->kind <= TOKEN_WHERE);
}

static const char *declaration_help(Parser *p, const Token *found) {
  static const char *const words[] = {"use", "const", "fn", "model", "data", "train", "search"};
  const char *nearest =
      found->kind == TOKEN_NAME ? text_nearest(found->text, words, sizeof words / sizeof *words) : NULL;
  if (nearest) return arena_printf(p->arena, "did you mean '%s'?", nearest);
  return "declarations begin with use, const, fn, model, data, train or search";
}

// Does the name before this '=' begin a line, which the line above swallowed?
static bool goes_on(const Parser *p, const Token *found) {
  return found > p->tokens + 1 && found[-1].kind == TOKEN_NAME && found[-1].line_start;
}

// `return` is behind us: an expression list that only '}' can end.
static bool is_after_return(Expected e) {
  return expects(e, "','") && expects(e, "'}'") && expects(e, "'|>'") && !expects(e, "'return'");
}

// The reduction word whose `word(names)` stands before the token, or NULL: what is missing is the reduction's body.
static const char *reduction_before(const Parser *p, const Token *found) {
  const Token *at = found;
  if (at - p->tokens < 4 || (--at)->kind != ')') return NULL;
  while (--at > p->tokens && at->kind != '(')
    if (at->kind != ',' && at->kind != TOKEN_NAME) return NULL;
  return at > p->tokens && at[-1].kind == TOKEN_NAME ? at[-1].text : NULL;
}

// Inside the brackets of x[..]?
static bool is_subscript(const Parser *p) { return p->n_open && p->open[p->n_open - 1].kind == '['; }

// Advice for the commonest mistakes, or NULL. The first that applies.
static const char *help_text(Parser *p, const Token *found, Expected e) {
  int kind = found->kind;
  if (kind == TOKEN_UPDATE) return "'<-' is one symbol, it updates a state; to compare, put a space: 'x < -1'";
  const char *reduction = expects(e, "a reduction") && expects(e, "'('") ? reduction_before(p, found) : NULL;
  if (reduction)
    return arena_printf(p->arena,
                        "in a formula '%s(' before names opens a reduction over them; a call on whole tensors stands "
                        "before the formula",
                        reduction);
  if (expects(e, "'where'") && kind == TOKEN_PIPE) return "a formula has no pipes: give the value a name before it";
  if (kind == TOKEN_IF && !expects(e, "'if'") && expects(e, "a number"))
    return "a formula has no 'if': use where(condition, a, b)";
  if (kind == ':' && is_subscript(p))
    return "there are no slices: an index definition gives a part, first[n, d] = x[n, 0, d]";
  if (kind == '=' && found > p->tokens && is_operator(found[-1].kind) && found[-1].span.end == found->span.begin)
    return "a value gets a new one by its name: y = y + 1";
  if (kind == ';' && expects(e, "'return'")) return "nothing separates statements";
  if (is_comparison(kind) && expects(e, "'and'")) return "comparisons do not chain: join two with 'and'";
  if ((is_operator(kind) || is_comparison(kind)) && expects(e, "'|>'"))
    return "after '|>' stand a name and its arguments: put the pipe in parentheses, '(x |> f) + s'";
  if (kind == '=' && expects(e, "'|>'") && goes_on(p, found))
    return "the line above goes on here: is something missing at its end?";
  if (kind == '=' && expects(e, "'|>'")) return "to compare, write '=='";
  if (expects(e, "'fn'") && !any_word(e) && kind != TOKEN_END) return declaration_help(p, found);
  if (expects(e, "'return'") && !any_word(e) && (kind == '(' || kind == '[' || kind == '-'))
    return "an expression that starts a statement with '(', '[' or '-' is written with 'return'";
  if (is_after_return(e) && kind != ')' && kind != ']') return "'return' stands last in its block";
  const char *start = beginning(e);
  return is_reserved(found) && start && !strcmp(start, "a name") ? "this word is reserved" : NULL;
}

static bool begins_declaration(int kind) {
  return kind == TOKEN_FN || kind == TOKEN_MODEL || kind == TOKEN_CONST || kind == TOKEN_USE;
}

// Where the innermost open bracket was opened, when the text ends, a declaration begins or another bracket closes.
static void add_open_bracket(Parser *p, Diag *diag, const Token *found) {
  if (!p->n_open) return;
  const Token *open = &p->open[p->n_open - 1];
  bool closes = found->kind == ')' || found->kind == ']' || found->kind == '}';
  bool ends = found->kind == TOKEN_END || begins_declaration(found->kind);
  if (!ends && !(closes && open->kind != '{')) return;
  uint32_t line, column;
  diag_position(diag_source(p->sink, open->span.file), open->span.begin, &line, &column);
  diag_line(p->sink, diag, DIAG_NOTE, "'%c' at line %u, column %u is still open", open->kind, line, column);
}

void parser_unexpected(Parser *p, const char *const *expected, int n_expected) {
  p->recovering = true;
  if (p->stopped) return;
  const Token *found = &p->tokens[p->next ? p->next - 1 : 0];
  if (found->kind == TOKEN_BAD) return;  // reported by the lexer
  Expected e = {expected, n_expected};
  Diag *diag =
      diag_error(p->sink, DIAG_E0002, found->span, "found %s, expected %s", found_text(p, found), expected_text(p, e));
  add_open_bracket(p, diag, found);
  const char *help = help_text(p, found, e);
  if (help) diag_line(p->sink, diag, DIAG_HELP, "%s", help);
  if (++p->n_errors >= PARSER_MAX_ERRORS) p->stopped = true;
}
