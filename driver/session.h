// What every command works with, and how a command starts and ends: the arena and its guard, the sink, the file and
// clock seams, the options, and the text that goes to standard output.
//
// A command reports mistakes into session->sink and returns a status; rendering the messages, writing the text and
// choosing the exit status of a mistake are done here, once.
#pragma once
#include "clock.h"
#include "io.h"
#include "options.h"

// Exit statuses, a promise to users (docs: the command line).
enum {
  STATUS_DONE = 0,
  STATUS_WRONG = 1,         // the program or the IR is wrong
  STATUS_USAGE = 2,         // the command line is wrong
  STATUS_DATA = 3,          // a program, data, weights or ONNX file is missing, unreadable or invalid
  STATUS_WRITE = 4,         // writing failed
  STATUS_RESOURCE = 5,      // out of memory, or over the memory limit
  STATUS_DIVERGED = 6,      // training stopped on NaN or infinity
  STATUS_BUG = 70,          // dlc or LLVM is broken
  STATUS_INTERRUPTED = 130  // SIGINT, with a checkpoint written; SIGTERM is 143
};

typedef struct Session Session;

typedef struct Command {
  const char *name;
  int (*run)(Session *session);  // returns a status; mistakes in the sink decide it where they are errors
  const char *operands;          // as help shows them: "FILE.dl"
  int min_operands, max_operands;
  const char *summary;  // one line
  const char *help;     // what it does, in a few lines
  const char *example;  // command lines that work in the repository's root, one a line
} Command;

typedef struct CommandTable {
  const Command *items;
  int n_items;
} CommandTable;

struct Session {
  const CommandTable *commands;
  const Command *command;
  Guard guard;
  Arena *arena;
  DiagSink *sink;
  Io io;
  Clock clock;
  double started;  // clock seconds at process start, as near as main() can tell
  Options options;
  Text out;          // what goes to standard output; session_flush writes it
  bool wrote_badly;  // standard output could not be written
  bool symbols;      // DLC_SYMBOLS: perf and gdb are told the names of compiled kernels
  bool counts_work;  // DLC_WORK: a training run says what each thread did
};

// Runs the command line; returns the exit status. argv[0] is skipped.
int session_main(const CommandTable *commands, int argc, char *const *argv);

// Writes session->out to standard output and empties it. False when that failed (then the status will be 4).
bool session_flush(Session *session);
// Renders what is in the sink to standard error and forgets it, for commands that go on after a warning. Quiet hides
// warnings.
void session_show_diagnostics(Session *session);
// The status that the errors in the sink ask for: that of the first one; STATUS_DONE where there are none.
int session_status(const DiagSink *sink);

// --threads, or every core that the process may use.
int session_threads(const Session *session);
// May standard error show colour? A terminal, NO_COLOR unset or empty, TERM not "dumb".
bool session_colour(void);
