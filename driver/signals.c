// The one thing that a signal handler can do is set a flag; that flag is the one mutable global of dlc.
#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

static void remember(int number) {
  if (caught) _exit(128 + number);
  caught = number;
}

void signals_watch(void) {
  struct sigaction action = {.sa_handler = remember, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

int signals_caught(void) { return caught; }
