// What the fuzzers share. A target is a file target_NAME.c that defines fuzz_target; harness.c calls it, under
// libFuzzer (tests/campaigns/fuzz.sh) or over the kept corpus (replay.c). tests/README.md has the steps to add one.
//
// On entry to fuzz_target: the arena and the sink are empty, and `io` knows no files. The target may jump to the
// arena's guard. On exit the harness renders what was reported and sees that all memory has been given back.
#pragma once
#include "diag.h"
#include "io.h"
#include "spec.h"

enum { FUZZ_FILES = 4 };

typedef struct FuzzFile {
  const char *name;  // the part of a path behind the last slash
  const uint8_t *bytes;
  size_t size;
} FuzzFile;

typedef struct FuzzFolder {  // "in": the only folder there is; what is written is forgotten
  FuzzFile files[FUZZ_FILES];
  int n_files;
} FuzzFolder;

typedef struct Fuzz {
  Arena *arena;
  DiagSink *sink;
  Io io;
  const uint8_t *bytes;  // what the fuzzer made, without what fuzz_byte took: [size]
  size_t size;
  FuzzFolder folder;
} Fuzz;

void fuzz_target(Fuzz *f);

// Takes the first byte, which chooses among ways to read the rest; 0 where there is none.
uint8_t fuzz_byte(Fuzz *f);
// Puts a file into the folder; "in/NAME" is its path. The bytes are not copied.
void fuzz_put(Fuzz *f, const char *name, const uint8_t *bytes, size_t size);
// The files of the folder, as an Io.
Io fuzz_io(FuzzFolder *folder);
// The rest of the bytes as "in/x", which is opened as a data source: both ends of every row of every field are looked
// at. What is refused must have been reported.
void fuzz_open(Fuzz *f, const SourceSpec *spec);
// Ends the process where what must hold does not.
void fuzz_require(bool holds, const char *what);
