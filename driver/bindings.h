// `name=file.npy,name=file.npy`: how a command line gives tensors to a model and takes them back.
#pragma once
#include "data.h"
#include "runner.h"

typedef struct NamedFile {
  const char *name;  // NULL: given without one, stands for the model's name
  const char *path;
} NamedFile;

typedef struct NamedFiles {
  NamedFile *items;
  int n_items;
} NamedFiles;

NamedFiles bindings_parse(Arena *arena, const char *text);

// The tensors that --input names, read; every input of the step has one and no other is given. *rows: the batch that
// they agree on (1 where no input has a batch dimension). arrays[k] belongs to input k. False after reporting.
bool bindings_read(Session *session, const DlcTensor *inputs, int n_inputs, const char *text, NpyArray *arrays,
                   int64_t *rows);

// Copies rows first..first+rows of an array into an input of the step, converting u8 and i32 to its element type.
void bindings_copy(const DlcTensor *input, const NpyArray *array, int64_t first, int64_t rows, char *to);
