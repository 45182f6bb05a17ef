// The command line's options: one table (options.c) says how each is written, what value it takes, which commands take
// it and what it means; the parser and the help are both made from it.
#pragma once
#include "diag.h"
#include "program.h"

// Unset: NULL, 0 or false, as the comments say. Every value has been checked against its kind.
typedef struct Options {
  const char *const *operands;  // what stands without an option: [n_operands]
  int n_operands;
  bool help;  // --help: print the command's help and do nothing else

  // what to compile
  const char *model;     // NULL: the program's choice
  const char *data;      // NULL: the .dl file's folder
  const char *mode;      // "train", "infer" or NULL
  const char *passes;    // comma-separated, or NULL
  const char *cpu;       // "native" unless given
  const char *numerics;  // "strict", "fast" or NULL: the train block's
  const char *conv;      // "auto" or "direct"
  Setting *settings;     // --set name=value, in order: [n_settings]
  int n_settings;
  int64_t batch, threads;  // 0: unset
  int64_t memory_limit;    // bytes, 0: none
  bool no_fuse;

  // training and running
  int64_t epochs, steps;  // 0: unset
  uint64_t seed;
  bool has_seed;
  const char *out, *resume, *log, *freeze, *weights, *split;
  const char *input, *output, *at, *cotangent;
  bool oracle, check, dot, jacobian;
  int64_t depth;  // 0: unset

  // dlc build
  const char *emit, *target;  // NULL: obj, this machine
  bool train;

  // what to print
  const char *stage;
  double seconds;  // 0: unset
  bool json, quiet, profile;
  bool man, completion;
} Options;

typedef struct OptionInfo {
  const char *name;      // without its dashes
  char letter;           // -o, or 0
  const char *value;     // what stands for the value in help, NULL for a flag
  const char *commands;  // the commands that take it, space-separated; "*": all
  const char *meaning;   // one line
} OptionInfo;

int options_count(void);
OptionInfo options_info(int option);
// The only values that it takes, separated by '|'; NULL: any.
const char *options_choices(int option);
// Does `command` take it?
bool options_takes(int option, const char *command);

// Reads the arguments after the command's name. Mistakes are E0601: an unknown option (with the nearest one of this
// command), one of another command, a missing or wrong value, one given twice. False after reporting.
bool options_read(Arena *arena, DiagSink *sink, const char *command, int argc, char *const *argv, Options *options);
