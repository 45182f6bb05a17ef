// Help, made from the tables of commands and options.
#pragma once
#include "session.h"

// One command: usage, what it does, its options, examples. Into session->out.
void help_command(Session *session, const Command *command);
