// What the parts of the parser share: lexer.l and tokens.c make tokens, parser.c feeds them to grammar.y, whose actions
// build the tree with node.c; mistakes are worded in syntax_error.c. Private to the parser: others read ast.h.
//
// Everything lies in the arena passed in. Neither flex nor bison allocates by itself, so an arena that runs out may
// jump to its guard from anywhere here without a leak.
#pragma once
#include "ast.h"

// ---- tokens -------------------------------------------------------------------------------------------------------

enum {
  LEXER_MAX_LEXEME = 64 * 1024,        // bytes of one name, number or string
  LEXER_MAX_SOURCE = 4 * 1024 * 1024,  // bytes of one file
  LEXER_MAX_ERRORS = 200,              // after so many the rest of the file is not read
  PARSER_MAX_ERRORS = 100,             // likewise
  PARSER_STACK = 2600                  // bison's stack: about ten entries for each level of AST_MAX_DEPTH
};

typedef struct Token {
  int kind;  // TOKEN_... of the grammar; TOKEN_END is 0
  Span span;
  bool line_start;  // nothing but space stands before it on its line
  union {
    const char *text;  // TOKEN_NAME: the name. TOKEN_STRING: the text with its escapes resolved
    int64_t integer;
    double number;
  };
} Token;

typedef struct TokenList {
  Token *items;  // the last is TOKEN_END
  size_t count, capacity;
} TokenList;

// All tokens of a registered source. Mistakes (E0001, E0003, E0004) are in the sink; a bad number or string leaves a
// TOKEN_BAD, an unknown character nothing.
TokenList lexer_read(Arena *arena, DiagSink *sink, uint32_t file);

// The lexer's state: flex calls back with it. Private to lexer.l and tokens.c.
typedef struct Lexer {
  Arena *arena;
  DiagSink *sink;
  uint32_t file;
  char *buffer;        // a copy of the source that flex may write to
  const char *lexeme;  // the current one, in buffer; not terminated
  size_t length;
  bool line_start;  // a line has ended since the last token
  bool stopped;     // too many mistakes
  int n_errors;
  void *c_locale;  // a locale_t: numbers are read in the C locale whatever the process has set
  jmp_buf fatal;   // where flex's own fatal errors go
  TokenList tokens;
} Lexer;

void lexer_push(Lexer *lexer, int kind);       // appends the current lexeme as a token
void lexer_push_name(Lexer *lexer, int kind);  // likewise with its text
void lexer_push_integer(Lexer *lexer);
void lexer_push_number(Lexer *lexer);
void lexer_push_string(Lexer *lexer);
void lexer_bad_number(Lexer *lexer);  // 12ab, 2., .5
void lexer_bad_string(Lexer *lexer);  // no closing quote on the line
void lexer_bad_character(Lexer *lexer);
void lexer_foreign(Lexer *lexer, int kind,
                   const char *ours);  // && and ||: reports, and goes on as if `ours` stood here
_Noreturn void lexer_fatal(Lexer *lexer, const char *message);
void *lexer_alloc_bytes(Lexer *lexer, size_t bytes);

// ---- parser -------------------------------------------------------------------------------------------------------

typedef struct Parser {
  Arena *arena;
  DiagSink *sink;
  Ast *ast;
  Decl *last;     // of ast->decls
  Token *tokens;  // those of the file; [n_tokens], the last is TOKEN_END
  size_t n_tokens;
  size_t next;                // the first token not yet given to the grammar
  int given;                  // kind of the last one given, 0 at first
  Token open[AST_MAX_DEPTH];  // the brackets open before it
  int n_open;
  bool recovering;     // a mistake was reported: skip to where a statement or declaration starts
  size_t resumed_at;   // the token at which the last recovery ended, plus 1
  int missing_braces;  // closing braces to make up before the next token
  bool stopped;        // nesting too deep, or too many mistakes: nothing more is read
  bool too_deep;       // E0005 was reported
  int n_errors;
} Parser;

// Reports the token last given, which the grammar cannot take; `expected` names the tokens that it could, as grammar.y
// spells them. Starts the recovery.
void parser_unexpected(Parser *p, const char *const *expected, int n_expected);
// Reports E0005 at a place, once a file.
void parser_too_deep(Parser *p, Span span);

// ---- lists under construction -------------------------------------------------------------------------------------

typedef struct {
  Name *first, *last;
} NameList;
typedef struct {
  Expr *first, *last;
} ExprList;
typedef struct {
  Arg *first, *last;
} ArgList;
typedef struct {
  Stmt *first, *last;
} StmtList;
typedef struct {
  TypeDim *first, *last;
} DimList;
typedef struct {
  Type *first, *last;
} TypeList;
typedef struct {
  WhereRange *first, *last;
} RangeList;
typedef struct {
  Param *first, *last;
} ParamList;
typedef struct {
  Item *first, *last;
} ItemList;

// Puts another list behind.
#define LIST_JOIN(list, more) \
  do { \
    if ((list).last) \
      (list).last->next = (more).first; \
    else \
      (list).first = (more).first; \
    if ((more).last) (list).last = (more).last; \
  } while (0)

#define LIST_ADD(list, node) \
  do { \
    if ((list).last) \
      (list).last->next = (node); \
    else \
      (list).first = (node); \
    (list).last = (node); \
  } while (0)

// ---- nodes (node.c) -----------------------------------------------------------------------------------------------
// Each allocates a node with the given parts and works out its depth; one that is too deep becomes an EXPR_ERROR or
// STMT_ERROR after E0005.

Name *node_name(Parser *p, const char *text, Span span);
Arg *node_arg(Parser *p, Name *name, Expr *value);  // name NULL: positional

Expr *node_literal(Parser *p, const Token *token);  // by the token's kind
Expr *node_path(Parser *p, NameList path, Span span);
Expr *node_list(Parser *p, ExprList items, Span span);
Expr *node_unary(Parser *p, AstOp op, Span op_span, Expr *a);
Expr *node_binary(Parser *p, AstOp op, Span op_span, Expr *a, Expr *b);
Expr *node_call(Parser *p, NameList path, ArgList args, Span span);
Expr *node_as(Expr *call, Name *as);  // gives a call its name
Expr *node_index(Parser *p, Expr *a, ExprList items, Span span);
Expr *node_pipe(Parser *p, Expr *a, Expr *stage, Span op_span);
Expr *node_shaped(Parser *p, Expr *a, ExprList dims, Span span);
Expr *node_layer(Parser *p, Expr *call, Span span);
Expr *node_if(Parser *p, Expr *condition, Stmt *body, Stmt *orelse, Span span);
Expr *node_reduce(Parser *p, const char *word, NameList indices, Expr *body, Span span);

// A statement with `parts` in it; works out its depth.
Stmt *node_stmt(Parser *p, Stmt parts);
Stmt *node_expr_stmt(Parser *p, Expr *value);  // STMT_EXPR, or STMT_IF where that is all there is
// path = value, or path, more = value; path <- value; name[indices] = value where ... These check that names stand on
// the left.
Stmt *node_assign(Parser *p, NameList path, NameList more, Expr *value, Span span);
Stmt *node_update(Parser *p, NameList path, Expr *value, Span span);
Stmt *node_formula(Parser *p, Expr *target, Expr *value, RangeList where, Span span);

TypeDim *node_dim(Parser *p, Expr *value, Span span);  // value NULL: `...`
Type *node_type(Parser *p, Name *element, bool has_dims, DimList dims, Span span);
WhereRange *node_range(Parser *p, Name *index, Expr *range);
Param *node_param(Parser *p, Name *name, Type *type, Expr *fallback, Span span);
void node_mark_hyper(ParamList params);
Item *node_item(Parser *p, Item parts);
void node_decl(Parser *p, Decl parts);  // appends to the tree, with the comment above it
