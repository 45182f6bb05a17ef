// SIGINT and SIGTERM while training.
#pragma once

// From now on the first of them is remembered and the second ends the process at once, with status 128 + signal.
void signals_watch(void);
// The signal that came, or 0.
int signals_caught(void);
