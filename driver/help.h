// Help, made from the tables of commands and options.
#pragma once
#include "session.h"

// One command: usage, what it does, its options, examples. Into session->out.
void help_command(Session *session, const Command *command);

// What all forms of the help say of dlc as a whole.
#define HELP_SUMMARY "dlc compiles neural networks written in a small text language to native code, and trains them."
typedef struct HelpVariable {
  const char *name, *meaning;  // lines separated by \n
} HelpVariable;
extern const HelpVariable help_variables[];  // of the environment; the last one's name is NULL
extern const char help_program[];            // an example

// help_pages.c: the manual page (roff), and what bash completes after dlc.
void help_man(Session *session);
void help_completion(Session *session);
