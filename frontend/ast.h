// The syntax tree: what was written, nothing decided. Every node has the span of its whole text. Lists are linked by
// `next`. Made by the parser in one arena, never changed afterwards.
#pragma once
#include "arena.h"
#include "diag.h"
#include "text.h"

enum { AST_MAX_DEPTH = 256 };  // levels of nesting that a tree may have; deeper is E0005

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Decl Decl;

typedef struct Name {  // an identifier where it stands
  const char *text;
  Span span;
  struct Name *next;
} Name;

// ---- expressions --------------------------------------------------------------------------------------------------

typedef enum ExprKind {
  EXPR_INT,     // integer
  EXPR_FLOAT,   // number
  EXPR_STRING,  // text (escapes resolved)
  EXPR_BOOL,    // boolean
  EXPR_PATH,    // path: a name or a dotted path
  EXPR_LIST,    // items: [16, 32, 64]
  EXPR_UNARY,   // op, a
  EXPR_BINARY,  // op, a, b
  EXPR_CALL,    // path, args, as
  EXPR_INDEX,   // a[items]: an element of a list, or a read in a formula
  EXPR_PIPE,    // a |> b, where b is a call or a path; `as` and the arguments are in b
  EXPR_SHAPED,  // a : [dims in items]
  EXPR_LAYER,   // layer a(...): a is the call
  EXPR_IF,      // if a { body } else { orelse }; an else-if is a body of one if; as a value, each branch has one
  EXPR_REDUCE,  // text(indices) a: a reduction in a formula; text is "sum", "max", "min", "mean" or "prod"
  EXPR_ERROR    // what the parser made of a mistake that it reported
} ExprKind;

typedef enum AstOp {
  AST_NEG,
  AST_NOT,
  AST_ADD,
  AST_SUB,
  AST_MUL,
  AST_DIV,
  AST_FLOORDIV,
  AST_MOD,
  AST_MATMUL,
  AST_POW,
  AST_EQ,
  AST_NE,
  AST_LT,
  AST_LE,
  AST_GT,
  AST_GE,
  AST_AND,
  AST_OR,
  AST_RANGE,  // a..b
  AST_JOIN    // a >> b: schedules
} AstOp;
const char *ast_op_name(AstOp op);  // as written: "+", "//", "and"

typedef struct Arg {
  const char *name;  // NULL: positional
  Span name_span;
  Expr *value;
  struct Arg *next;
} Arg;

struct Expr {
  ExprKind kind;
  Span span;
  int depth;   // levels of this tree, 1 for a leaf, at most AST_MAX_DEPTH: recursion over a tree is bounded
  Expr *next;  // in a list of expressions
  AstOp op;
  Span op_span;  // of the operator itself; of a pipe: the "|>"
  int64_t integer;
  double number;
  bool boolean;
  const char *text;
  Name *path;  // EXPR_PATH, EXPR_CALL: the dotted parts
  Expr *a, *b;
  Expr *items;
  Arg *args;
  Name *as;             // EXPR_CALL, EXPR_PATH after a pipe: `as` name, or NULL
  Name *indices;        // EXPR_REDUCE
  Stmt *body, *orelse;  // EXPR_IF
};

// ---- types in signatures ------------------------------------------------------------------------------------------

typedef struct TypeDim {
  enum { TYPE_DIM_EXPR, TYPE_DIM_REST } kind;  // REST: `...`
  Expr *value;                                 // a name that is not a compile-time value in scope binds
  Span span;
  struct TypeDim *next;
} TypeDim;

typedef struct Type {
  const char *element;  // "f32", "i32", "bool"
  bool has_dims;        // false: f32 alone, a scalar
  TypeDim *dims;
  Span span;
  struct Type *next;  // -> type, type
} Type;

// ---- statements ---------------------------------------------------------------------------------------------------

typedef enum StmtKind {
  STMT_ASSIGN,  // names = value; several names take a call's results apart
  STMT_INDEX,   // names[indices] = value where ranges: a formula
  STMT_PARAM,   // param names: type = value, decay = ...
  STMT_STATE,   // state names: type = value
  STMT_MEMORY,  // memory names: type = value
  STMT_UPDATE,  // names <- value
  STMT_RETURN,  // return values
  STMT_EXPR,    // value
  STMT_IF,      // if value { body } else { orelse }
  STMT_FOR,     // for names in value { body }
  STMT_REPEAT,  // repeat value { body }
  STMT_ERROR
} StmtKind;

typedef struct WhereRange {  // `i in 1..H` or `j in W`
  Name *index;
  Expr *range;
  struct WhereRange *next;
} WhereRange;

struct Stmt {
  StmtKind kind;
  Span span;
  int depth;  // as an Expr's
  Stmt *next;
  Name *names;
  Name *indices;
  Expr *value;  // STMT_RETURN: a list
  Type *type;
  Arg *options;  // STMT_PARAM: decay = false and the like
  WhereRange *where;
  Stmt *body, *orelse;
};

// ---- blocks of data, train and search -----------------------------------------------------------------------------
// Their keys are ordinary names, so the tree keeps the words and sema gives them meaning:
//   loss = e                      words: loss                 value
//   metric accuracy = e           words: metric, accuracy     value
//   train, valid = split(...)     targets: train, valid       value
//   train { image = e }           words: train                items
//   normalize image per_channel   words: normalize, image, per_channel
//   augment image { crop(32) }    words: augment, image       items (each with `value` a call and no words)
//   augment image, mask { .. }    words: augment, image, mask items;  normalize a, b all: likewise
//   k in [1, 3]                   words: k    in = true       value
//   by cross_validation(5)        words: by                   value (a call)

typedef struct Item {
  Span span;
  Name *words;    // leading names, or NULL
  Name *targets;  // more than one name before `=`; then words is NULL
  bool in;
  bool assigned;  // `=` stands before the value
  Expr *value;    // or NULL
  bool has_items;
  bool broken;  // a mistake was reported here: items may be missing
  struct Item *items;
  struct Item *next;
} Item;

// ---- declarations -------------------------------------------------------------------------------------------------

typedef enum DeclKind { DECL_USE, DECL_CONST, DECL_FN, DECL_MODEL, DECL_DATA, DECL_TRAIN, DECL_SEARCH } DeclKind;

typedef struct Param {  // of a signature
  Name *name;
  Type *type;      // or NULL
  Expr *fallback;  // the default, or NULL
  bool hyper;      // after `;` in a model
  Span span;
  struct Param *next;
} Param;

struct Decl {
  DeclKind kind;
  Span span;
  Decl *next;
  Name *name;        // const, fn, model, data; train and search: the model
  Name *on;          // train, search: the data
  const char *text;  // use: the path
  Expr *value;       // const
  Arg *args;         // train, search: hyperparameters given to the model
  Param *params;
  Type *results;  // or NULL
  Stmt *body;
  Item *items;
  const char *doc;  // the comment lines directly above, without '#', or NULL
};

typedef struct Ast {
  uint32_t file;
  Decl *decls;
} Ast;

// Parses a registered source. Always returns a tree; mistakes are in the sink (E00xx) and as EXPR_ERROR/STMT_ERROR.
Ast *ast_parse(Arena *arena, DiagSink *sink, uint32_t file);
// dlc dump --stage ast: one node a line, indented; spans left out.
void ast_print(const Ast *ast, Text *out);
// dlc dump --stage tokens: `line:column kind text`, one a line.
void tokens_print(Arena *arena, DiagSink *sink, uint32_t file, Text *out);
// dlc fmt: the program with canonical blanks; comments, line breaks and the tree stay. False after reporting a mistake.
bool ast_format(Arena *arena, DiagSink *sink, uint32_t file, Text *out);
