/* The grammar of the whole language: LALR(1), no conflicts. Actions only build the tree (node.c); nothing is decided here.

   Nothing separates statements, and newlines mean nothing. So '(', '[' and '-' come in two kinds, which parser.c tells
   apart by the token before: those that continue what stands before them (CALL, AT, MINUS) and those that begin something
   ('(', '[', '-'). Only the first kind can follow an operand, so a statement never runs on into the next one by accident.

   On the right of `name[...] =` stands a formula: the same operators again without pipes and `if`, and with reductions,
   which begin with the token REDUCTION: one of five words before a list of bare names in parentheses.

   The grammar does not allocate: its stack has a fixed size, and nodes lie in the parser's arena. */
%require "3.7"
%define api.prefix {grammar_}
%define api.token.prefix {TOKEN_}
%define api.pure full
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%define parse.lac.es-capacity-initial {PARSER_STACK}
%locations
%expect 0
%parse-param {Parser *p}
%lex-param {Parser *p}

%code requires {
#include "parser.h"
}
%code {
#define YYINITDEPTH PARSER_STACK
#define YYMAXDEPTH PARSER_STACK
/* An empty right side lies between its neighbours and has no text. */
#define YYLLOC_DEFAULT(current, rhs, n)                                     \
  do {                                                                      \
    if (n)                                                                  \
      (current) = span_join(YYRHSLOC(rhs, 1), YYRHSLOC(rhs, n));            \
    else                                                                    \
      (current) = (Span){YYRHSLOC(rhs, 0).file, YYRHSLOC(rhs, 0).end, YYRHSLOC(rhs, 0).end}; \
  } while (0)

int grammar_lex(GRAMMAR_STYPE *value, Span *span, Parser *p);
static void grammar_error(const Span *span, Parser *p, const char *message);
}

%union {
  const Token *token;
  Name *name; Expr *expr; Arg *arg; Stmt *stmt; Type *type; TypeDim *dim; WhereRange *range; Param *param; Item *item;
  NameList names; ExprList exprs; ArgList args; StmtList stmts; DimList dims; TypeList types; RangeList ranges;
  ParamList params; ItemList items;
}

%token END 0 "the end of the file"
%token <token> NAME "a name" INTEGER "a number" NUMBER "a number with a point" STRING "a string" BAD "a mistake"
%token <token> TRUE "'true'" FALSE "'false'"
%token <token> DATA "'data'" TRAIN "'train'" SEARCH "'search'" ON "'on'"
%token <token> REDUCTION "a reduction"
%token <token> PARAM "'param'" STATE "'state'" MEMORY "'memory'" RETURN "'return'" IF "'if'" ELSE "'else'" FOR "'for'"
%token <token> REPEAT "'repeat'" USE "'use'" CONST "'const'" FN "'fn'" MODEL "'model'" LAYER "'layer'" IN "'in'" AS "'as'"
%token <token> AND "'and'" OR "'or'" NOT "'not'" WHERE "'where'"
%token PIPE "'|>'" JOIN "'>>'" RESULTS "'->'" UPDATE "'<-'" RANGE "'..'" REST "'...'"
%token EQ "'=='" NE "'!='" LT "'<'" LE "'<='" GT "'>'" GE "'>='" POW "'**'" FLOORDIV "'//'"
%token CALL "'(' after a name" AT "'[' after an operand" MINUS "'-' after an operand"
%token RESUME "the next statement" UNFINISHED "the end of the file, inside brackets"

/* Loose to tight. Reductions reach over what is tighter. */
%left JOIN
%left OR
%left AND
%precedence NOT
%nonassoc EQ NE LT LE GT GE
%nonassoc RANGE
%left '+' MINUS
%precedence REDUCTION
%left '*' '/' FLOORDIV '%' '@'
%precedence NEGATION
%right POW

%type <name> name plain_name word key opt_as
%type <names> names path formula_path index_names
%type <expr> expr value operand primary index stage call layer if_form literal opt_default
%type <expr> formula formula_operand
%type <exprs> exprs items_list formula_items
%type <arg> arg formula_arg
%type <args> args arg_list options given formula_args formula_arg_list
%type <stmts> block body stmts else
%type <stmt> stmt
%type <type> type opt_type
%type <types> results types
%type <dim> dim
%type <dims> dims
%type <range> range
%type <ranges> where ranges
%type <param> signature_param
%type <params> signature_params signature_list
%type <items> item_block items
%type <item> item

%%

file: declarations ;

declarations: %empty | declarations declaration | declarations error RESUME { yyerrok; } ;

declaration:
    USE STRING
      { node_decl(p, (Decl){.kind = DECL_USE, .span = @$, .text = $2->text}); }
  | CONST name '=' expr
      { node_decl(p, (Decl){.kind = DECL_CONST, .span = @$, .name = $2, .value = $4}); }
  | FN name CALL signature_params ')' results block
      { node_decl(p, (Decl){.kind = DECL_FN, .span = @$, .name = $2, .params = $4.first, .results = $6.first, .body = $7.first}); }
  | MODEL name CALL signature_params ')' results block
      { node_decl(p, (Decl){.kind = DECL_MODEL, .span = @$, .name = $2, .params = $4.first, .results = $6.first, .body = $7.first}); }
  | MODEL name CALL signature_params ';' signature_params ')' results block
      { node_mark_hyper($6);
        LIST_JOIN($4, $6);
        node_decl(p, (Decl){.kind = DECL_MODEL, .span = @$, .name = $2, .params = $4.first, .results = $8.first, .body = $9.first}); }
  | DATA name item_block
      { node_decl(p, (Decl){.kind = DECL_DATA, .span = @$, .name = $2, .items = $3.first}); }
  | TRAIN name given ON name item_block
      { node_decl(p, (Decl){.kind = DECL_TRAIN, .span = @$, .name = $2, .args = $3.first, .on = $5, .items = $6.first}); }
  | SEARCH name given ON name item_block
      { node_decl(p, (Decl){.kind = DECL_SEARCH, .span = @$, .name = $2, .args = $3.first, .on = $5, .items = $6.first}); }
  ;

given: %empty { $$ = (ArgList){0}; } | CALL args ')' { $$ = $2; } ;

/* ---- names --------------------------------------------------------------------------------------------------------- */

plain_name: NAME { $$ = node_name(p, $1->text, @1); }
  | DATA   { $$ = node_name(p, $1->text, @1); }
  | TRAIN  { $$ = node_name(p, $1->text, @1); }
  | SEARCH { $$ = node_name(p, $1->text, @1); }
  | ON     { $$ = node_name(p, $1->text, @1); }
  ;
name: plain_name | REDUCTION { $$ = node_name(p, $1->text, @1); } ;

/* After a dot, and before '=' in an argument list. */
word: name | reserved { $$ = node_name(p, $<token>1->text, @1); } ;
reserved: PARAM | STATE | MEMORY | RETURN | IF | ELSE | FOR | REPEAT | USE | CONST | FN | MODEL | LAYER | IN | AS | AND
  | OR | NOT | WHERE | TRUE | FALSE ;

names: name { $$ = (NameList){$1, $1}; } | names ',' name { $$ = $1; LIST_ADD($$, $3); } ;
path: name { $$ = (NameList){$1, $1}; } | path '.' word { $$ = $1; LIST_ADD($$, $3); } ;

/* ---- signatures ---------------------------------------------------------------------------------------------------- */

signature_params: %empty { $$ = (ParamList){0}; } | signature_list | signature_list ',' ;
signature_list: signature_param { $$ = (ParamList){$1, $1}; }
  | signature_list ',' signature_param { $$ = $1; LIST_ADD($$, $3); } ;
signature_param: name opt_type opt_default { $$ = node_param(p, $1, $2, $3, @$); } ;
opt_type: %empty { $$ = NULL; } | ':' type { $$ = $2; } ;
opt_default: %empty { $$ = NULL; } | '=' expr { $$ = $2; } ;

results: %empty { $$ = (TypeList){0}; } | RESULTS types { $$ = $2; } ;
types: type { $$ = (TypeList){$1, $1}; } | types ',' type { $$ = $1; LIST_ADD($$, $3); } ;
type: name { $$ = node_type(p, $1, false, (DimList){0}, @$); }
  | name AT ']' { $$ = node_type(p, $1, true, (DimList){0}, @$); }
  | name AT dims ']' { $$ = node_type(p, $1, true, $3, @$); }
  | name AT dims ',' ']' { $$ = node_type(p, $1, true, $3, @$); } ;
dims: dim { $$ = (DimList){$1, $1}; } | dims ',' dim { $$ = $1; LIST_ADD($$, $3); } ;
dim: expr { $$ = node_dim(p, $1, @$); } | REST { $$ = node_dim(p, NULL, @$); } ;

/* ---- statements ---------------------------------------------------------------------------------------------------- */

block: '{' body '}' { $$ = $2; } ;
body: stmts
  | stmts RETURN exprs
      { Span span = span_join(@2, @3);
        Stmt *last = node_stmt(p, (Stmt){.kind = STMT_RETURN, .span = span, .value = $3.first});
        $$ = $1;
        LIST_ADD($$, last); }
  ;
stmts: %empty { $$ = (StmtList){0}; }
  | stmts stmt { $$ = $1; LIST_ADD($$, $2); }
  | stmts error RESUME
      { Stmt *mistake = node_stmt(p, (Stmt){.kind = STMT_ERROR, .span = @2});
        $$ = $1;
        LIST_ADD($$, mistake);
        yyerrok; }
  ;

stmt: expr { $$ = node_expr_stmt(p, $1); }
  | path '=' expr { $$ = node_assign(p, $1, (NameList){0}, $3, @$); }
  | path ',' names '=' expr { $$ = node_assign(p, $1, $3, $5, @$); }
  | path UPDATE expr { $$ = node_update(p, $1, $3, @$); }
  | index '=' formula where { $$ = node_formula(p, $1, $3, $4, @$); }
  | PARAM name ':' type '=' expr options
      { $$ = node_stmt(p, (Stmt){.kind = STMT_PARAM, .span = @$, .names = $2, .type = $4, .value = $6, .options = $7.first}); }
  | STATE name ':' type '=' expr
      { $$ = node_stmt(p, (Stmt){.kind = STMT_STATE, .span = @$, .names = $2, .type = $4, .value = $6}); }
  | MEMORY name ':' type '=' expr
      { $$ = node_stmt(p, (Stmt){.kind = STMT_MEMORY, .span = @$, .names = $2, .type = $4, .value = $6}); }
  | FOR name IN expr block
      { $$ = node_stmt(p, (Stmt){.kind = STMT_FOR, .span = @$, .names = $2, .value = $4, .body = $5.first}); }
  | REPEAT expr block
      { $$ = node_stmt(p, (Stmt){.kind = STMT_REPEAT, .span = @$, .value = $2, .body = $3.first}); }
  ;

options: %empty { $$ = (ArgList){0}; }
  | options ',' word '=' expr { Arg *option = node_arg(p, $3, $5); $$ = $1; LIST_ADD($$, option); } ;

/* ---- expressions --------------------------------------------------------------------------------------------------- */

expr: value
  | expr PIPE stage { $$ = node_pipe(p, $1, $3, @2); }
  | expr ':' '[' items_list ']' { $$ = node_shaped(p, $1, $4, @$); } ;

stage: path opt_as { $$ = node_path(p, $1, @1); if ($2) node_as($$, $2); } | call ;

value: operand
  | value JOIN value     { $$ = node_binary(p, AST_JOIN, @2, $1, $3); }
  | value OR value       { $$ = node_binary(p, AST_OR, @2, $1, $3); }
  | value AND value      { $$ = node_binary(p, AST_AND, @2, $1, $3); }
  | NOT value            { $$ = node_unary(p, AST_NOT, @1, $2); }
  | value EQ value       { $$ = node_binary(p, AST_EQ, @2, $1, $3); }
  | value NE value       { $$ = node_binary(p, AST_NE, @2, $1, $3); }
  | value LT value       { $$ = node_binary(p, AST_LT, @2, $1, $3); }
  | value LE value       { $$ = node_binary(p, AST_LE, @2, $1, $3); }
  | value GT value       { $$ = node_binary(p, AST_GT, @2, $1, $3); }
  | value GE value       { $$ = node_binary(p, AST_GE, @2, $1, $3); }
  | value RANGE value    { $$ = node_binary(p, AST_RANGE, @2, $1, $3); }
  | value '+' value      { $$ = node_binary(p, AST_ADD, @2, $1, $3); }
  | value MINUS value    { $$ = node_binary(p, AST_SUB, @2, $1, $3); }
  | value '*' value      { $$ = node_binary(p, AST_MUL, @2, $1, $3); }
  | value '/' value      { $$ = node_binary(p, AST_DIV, @2, $1, $3); }
  | value FLOORDIV value { $$ = node_binary(p, AST_FLOORDIV, @2, $1, $3); }
  | value '%' value      { $$ = node_binary(p, AST_MOD, @2, $1, $3); }
  | value '@' value      { $$ = node_binary(p, AST_MATMUL, @2, $1, $3); }
  | '-' value %prec NEGATION { $$ = node_unary(p, AST_NEG, @1, $2); }
  | value POW value      { $$ = node_binary(p, AST_POW, @2, $1, $3); }
  ;

operand: primary | index | call | literal | layer ;
primary: path { $$ = node_path(p, $1, @$); }
  | '(' expr ')' { $$ = $2; $$->span = @$; }
  | '[' items_list ']' { $$ = node_list(p, $2, @$); }
  | if_form ;
index: primary AT items_list ']' { $$ = node_index(p, $1, $3, @$); }
  | index AT items_list ']' { $$ = node_index(p, $1, $3, @$); }
  | call AT items_list ']' { $$ = node_index(p, $1, $3, @$); } ;

literal: INTEGER { $$ = node_literal(p, $1); } | NUMBER { $$ = node_literal(p, $1); } | STRING { $$ = node_literal(p, $1); }
  | TRUE { $$ = node_literal(p, $1); } | FALSE { $$ = node_literal(p, $1); } | BAD { $$ = node_literal(p, $1); } ;

call: path CALL args ')' opt_as { $$ = node_call(p, $1, $3, span_join(@1, @4)); if ($5) node_as($$, $5); } ;
opt_as: %empty { $$ = NULL; } | AS name { $$ = $2; } ;
layer: LAYER call { $$ = node_layer(p, $2, @$); } ;

args: %empty { $$ = (ArgList){0}; } | arg_list | arg_list ',' ;
arg_list: arg { $$ = (ArgList){$1, $1}; } | arg_list ',' arg { $$ = $1; LIST_ADD($$, $3); } ;
arg: expr { $$ = node_arg(p, NULL, $1); } | word '=' expr { $$ = node_arg(p, $1, $3); } ;

items_list: %empty { $$ = (ExprList){0}; } | exprs | exprs ',' ;
exprs: expr { $$ = (ExprList){$1, $1}; } | exprs ',' expr { $$ = $1; LIST_ADD($$, $3); } ;

if_form: IF expr block else { $$ = node_if(p, $2, $3.first, $4.first, @$); } ;
else: %empty { $$ = (StmtList){0}; }
  | ELSE block { $$ = $2; }
  | ELSE if_form { Stmt *chain = node_expr_stmt(p, $2); $$ = (StmtList){chain, chain}; } ;

/* ---- formulas ------------------------------------------------------------------------------------------------------ */

where: %empty { $$ = (RangeList){0}; } | WHERE ranges { $$ = $2; } ;
ranges: range { $$ = (RangeList){$1, $1}; } | ranges ',' range { $$ = $1; LIST_ADD($$, $3); } ;
range: plain_name IN formula { $$ = node_range(p, $1, $3); } ;

formula: formula_operand
  | REDUCTION CALL index_names ')' formula %prec REDUCTION { $$ = node_reduce(p, $1->text, $3, $5, @$); }
  | formula OR formula       { $$ = node_binary(p, AST_OR, @2, $1, $3); }
  | formula AND formula      { $$ = node_binary(p, AST_AND, @2, $1, $3); }
  | NOT formula              { $$ = node_unary(p, AST_NOT, @1, $2); }
  | formula EQ formula       { $$ = node_binary(p, AST_EQ, @2, $1, $3); }
  | formula NE formula       { $$ = node_binary(p, AST_NE, @2, $1, $3); }
  | formula LT formula       { $$ = node_binary(p, AST_LT, @2, $1, $3); }
  | formula LE formula       { $$ = node_binary(p, AST_LE, @2, $1, $3); }
  | formula GT formula       { $$ = node_binary(p, AST_GT, @2, $1, $3); }
  | formula GE formula       { $$ = node_binary(p, AST_GE, @2, $1, $3); }
  | formula RANGE formula    { $$ = node_binary(p, AST_RANGE, @2, $1, $3); }
  | formula '+' formula      { $$ = node_binary(p, AST_ADD, @2, $1, $3); }
  | formula MINUS formula    { $$ = node_binary(p, AST_SUB, @2, $1, $3); }
  | formula '*' formula      { $$ = node_binary(p, AST_MUL, @2, $1, $3); }
  | formula '/' formula      { $$ = node_binary(p, AST_DIV, @2, $1, $3); }
  | formula FLOORDIV formula { $$ = node_binary(p, AST_FLOORDIV, @2, $1, $3); }
  | formula '%' formula      { $$ = node_binary(p, AST_MOD, @2, $1, $3); }
  | formula '@' formula      { $$ = node_binary(p, AST_MATMUL, @2, $1, $3); }
  | minus formula %prec NEGATION { $$ = node_unary(p, AST_NEG, @1, $2); }
  | formula POW formula      { $$ = node_binary(p, AST_POW, @2, $1, $3); }
  ;
/* Behind the ')' of a reduction these look like those that continue. */
minus: '-' | MINUS ;
open: '(' | CALL ;

formula_operand: literal
  | formula_path { $$ = node_path(p, $1, @$); }
  | formula_path CALL formula_args ')' { $$ = node_call(p, $1, $3, @$); }
  | formula_path AT formula_items ']' { $$ = node_index(p, node_path(p, $1, @1), $3, @$); }
  | open formula ')' { $$ = $2; $$->span = @$; }
  ;
formula_path: plain_name { $$ = (NameList){$1, $1}; } | formula_path '.' word { $$ = $1; LIST_ADD($$, $3); } ;
index_names: names | names ',' ;
formula_items: formula { $$ = (ExprList){$1, $1}; } | formula_items ',' formula { $$ = $1; LIST_ADD($$, $3); } ;
formula_args: %empty { $$ = (ArgList){0}; } | formula_arg_list | formula_arg_list ',' ;
formula_arg_list: formula_arg { $$ = (ArgList){$1, $1}; }
  | formula_arg_list ',' formula_arg { $$ = $1; LIST_ADD($$, $3); } ;
formula_arg: formula { $$ = node_arg(p, NULL, $1); } | word '=' formula { $$ = node_arg(p, $1, $3); } ;

/* ---- data, train and search ---------------------------------------------------------------------------------------- */

item_block: '{' items '}' { $$ = $2; } ;
items: %empty { $$ = (ItemList){0}; }
  | items item { $$ = $1; LIST_ADD($$, $2); }
  | items error RESUME
      { Item *mistake = node_item(p, (Item){.span = @2, .broken = true});
        $$ = $1;
        LIST_ADD($$, mistake);
        yyerrok; }
  ;
item: key '=' expr                  { $$ = node_item(p, (Item){.span = @$, .words = $1, .assigned = true, .value = $3}); }
  | key ',' names '=' expr          { $1->next = $3.first; $$ = node_item(p, (Item){.span = @$, .targets = $1, .assigned = true, .value = $5}); }
  | key IN expr                     { $$ = node_item(p, (Item){.span = @$, .words = $1, .in = true, .value = $3}); }
  | key item_block                  { $$ = node_item(p, (Item){.span = @$, .words = $1, .has_items = true, .items = $2.first}); }
  | key CALL args ')'               { $$ = node_item(p, (Item){.span = @$, .value = node_call(p, (NameList){$1, $1}, $3, @$)}); }
  | key name '=' expr               { $1->next = $2; $$ = node_item(p, (Item){.span = @$, .words = $1, .assigned = true, .value = $4}); }
  | key name item_block             { $1->next = $2; $$ = node_item(p, (Item){.span = @$, .words = $1, .has_items = true, .items = $3.first}); }
  | key name ',' names item_block
      { $1->next = $2; $2->next = $4.first; $$ = node_item(p, (Item){.span = @$, .words = $1, .has_items = true, .items = $5.first}); }
  | key name ',' names name
      { $1->next = $2; $2->next = $4.first; $4.last->next = $5; $$ = node_item(p, (Item){.span = @$, .words = $1}); }
  | key name name                   { $1->next = $2; $2->next = $3; $$ = node_item(p, (Item){.span = @$, .words = $1}); }
  | key name CALL args ')'
      { Expr *call = node_call(p, (NameList){$2, $2}, $4, span_join(@2, @5));
        $$ = node_item(p, (Item){.span = @$, .words = $1, .value = call}); }
  ;
key: name | MEMORY { $$ = node_name(p, $1->text, @1); } ;

%%

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
  yysymbol_kind_t kinds[YYNTOKENS];
  int n = yypcontext_expected_tokens(context, kinds, YYNTOKENS);
  if (n == YYENOMEM) return n;
  const char *expected[YYNTOKENS];
  for (int k = 0; k < n; k++) expected[k] = yysymbol_name(kinds[k]);
  parser_unexpected(p, expected, n);
  return 0;
}

/* With parse.error custom bison calls this only when its stack is full. */
static void grammar_error(const Span *span, Parser *p, const char *message) {
  (void)message;
  parser_too_deep(p, *span);
}
