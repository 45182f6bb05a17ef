// The team that walks a step together. Threads are made once, spin for about 100 µs after a step, then park.
#pragma once
#include "arena.h"
#include "dlc_abi.h"

typedef struct Team Team;

// A team of n threads, the caller included (n >= 1). NULL when threads cannot be had.
Team *team_new(int n);
void team_free(Team *team);       // NULL is allowed; joins
int team_size(const Team *team);  // 1 for NULL, which stands for the caller alone in every function here

// Bases of a step's regions. inputs[k] belongs to DLC_INPUT k.
typedef struct StepBinding {
  char *base[DLC_REGION_COUNT];
  char *const *inputs;
  bool prepared;  // launches marked `once` have been run on these parameters, states and arena: leave them out
  char *local;    // team_size * step->local_bytes, 64-byte aligned; NULL where the step needs none
} StepBinding;

// Optional times per launch, added up over calls, and items done by each thread.
typedef struct StepProfile {
  double *nanoseconds;       // [n_launches]
  int64_t *items_by_thread;  // [team size]
  double *busy;              // [n_launches][team size] nanoseconds of work; NULL: not wanted
} StepProfile;

// Runs every launch of the step, in order, with a barrier between launches. Items of a launch are shared out in
// contiguous blocks, own ones first, and claimed through an atomic counter, so a thread that loses its core holds
// nobody up. Launches whose whole cost is under ~20 µs are run by the caller alone unless the team is awake. Resolves
// arguments into `scratch` (room for step->n_args pointers, caller's). Bits do not depend on the team's size.
void step_run(Team *team, const DlcStep *step, const StepBinding *binding, const DlcRt *rt, char **scratch,
              StepProfile *profile);

// Runs body(state, begin, end) over 0..count split over the team; blocks are multiples of `grain`.
void team_for(Team *team, int64_t count, int64_t grain, void (*body)(void *state, int64_t begin, int64_t end),
              void *state);
