// What the files that read data blocks share. Private to blocks_data.c and blocks_field.c.
//
// A name in a data block stands for one of three things: a field (one tensor of a file), a split (named fields with the
// same rows), or a whole data set with its own splits (cifar10 of a folder). Anything else is a compile-time value.
#pragma once
#include "blocks.h"

typedef enum ThingKind { THING_POISON, THING_FIELD, THING_SPLIT, THING_WHOLE } ThingKind;

typedef struct Thing {
  ThingKind kind;
  FieldSpec field;    // THING_FIELD
  SplitPart part;     // of a field
  SplitSpec split;    // THING_SPLIT
  bool gives_first;   // of a split: its first field stands for any name that it has no field of
  bool incomplete;    // of a split: fields of it held mistakes, and are not there
  SourceSpec source;  // THING_WHOLE
} Thing;

typedef struct NamedThing {
  const Name *name;
  Thing thing;
  bool used;
} NamedThing;

typedef struct Local {
  const char *name;
  const Expr *value;
} Local;

// A statistic of a field of split `train` by its bare name: the other splits take the same numbers.
typedef struct OwnStat {
  const char *field;
  const FieldStat *stat;
} OwnStat;

typedef struct DataReader {
  Program *p;
  DataBlock *block;
  Scope *scope;   // compile-time values
  Local *locals;  // the same, as written: a field's expression outlives the scope
  size_t n_locals, locals_capacity;
  NamedThing *things;
  size_t n_things, things_capacity;
  size_t splits_capacity;
  OwnStat *own;  // of split train, in order
  size_t n_own, own_capacity;
} DataReader;

Thing thing_poison(DataReader *r);
NamedThing *thing_named(DataReader *r, const char *name);  // NULL where there is none
// Is the expression itself (not something inside it) a source or a name of one? Then what it stands for is in *thing.
bool thing_read(DataReader *r, const Expr *expr, Thing *thing);
const FieldSpec *split_field(const SplitSpec *split, const char *name);  // NULL where there is none
void split_report_no_field(DataReader *r, const SplitSpec *split, const Name *name);
// An ExprSwap: the block's own compile-time names become what they stand for.
const Expr *data_swap_local(void *reader, const Expr *expr);
// One source as a field.
FieldSpec field_of_source(Arena *arena, const char *name, const SourceSpec *source);

// A split while its fields are read (blocks_field.c).
typedef struct OpenSplit {
  const char *name;
  SplitSpec spec;
  int *own;           // statistics of its own name that each field has so far: [n_fields]
  const char **lost;  // fields that hold mistakes: what uses them stays silent: [n_lost]
  int n_lost;
} OpenSplit;
// `name = expression`, one of the split's fields: added to it, or in the place of an earlier one that it is made of.
void split_add_field(DataReader *r, OpenSplit *split, const Item *item);
