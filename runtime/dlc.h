/* dlc.h: the compiler inside another program. C99 and C++.
 *
 *   DlcOptions options = {0};
 *   options.train = 1;
 *   DlcModel *model = dlc_open("lenet5.dl", &options);
 *   if (dlc_compile(model) || dlc_init(model, 0)) puts(dlc_messages(model));
 *   const void *fields[] = {image, label};
 *   double loss;
 *   dlc_train_step(model, fields, 64, &loss);
 *   dlc_close(model);
 *
 * A mistake is a status, and its messages are those of the dlc command, with place and underline. The library prints
 * nothing, ends nothing, handles no signal, and leaves locale, rounding mode and working directory as they are. Only
 * where dlc or LLVM is broken (an invariant that does not hold) the process ends, with status 70 and a message.
 *
 * A model belongs to one thread at a time; any number of them may be used side by side. A step allocates nothing.
 * Numbers are float, whole numbers int32_t, truth values uint8_t; tensors are dense, in C order, and aligned to their
 * elements.
 */
#ifndef DLC_H
#define DLC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DLC_API __attribute__((visibility("default")))
#else
#define DLC_API
#endif

/* What functions return: the exit statuses of the dlc command. */
enum {
  DLC_DONE = 0,
  DLC_WRONG = 1,    /* the program is wrong */
  DLC_USAGE = 2,    /* an argument or option that does not fit: dlc_messages says which */
  DLC_DATA = 3,     /* a file is missing, unreadable or invalid, or does not fit the model */
  DLC_WRITE = 4,    /* writing failed */
  DLC_RESOURCE = 5, /* out of memory or threads, or over the memory limit */
  DLC_DIVERGED = 6  /* a loss, gradient or state is not finite: the model is as it was before the step */
};

/* All zero: what the dlc command does without options, on one thread, for predictions of one row at a time. */
typedef struct DlcOptions {
  const char *model;           /* which, where the program has several; NULL: its choice */
  const char *const *settings; /* "name=value": hyperparameters and keys of the train block */
  size_t n_settings;
  int64_t batch;        /* rows at a time; 0: the train block's batch for training, 1 for predictions */
  int threads;          /* 0: 1 */
  int train;            /* 1: the train block is compiled too */
  int fast;             /* 1: --numerics fast; 0: as the train block says, strict without one */
  const char *cpu;      /* NULL: this machine */
  const char *cache;    /* the folder where machine code is kept between runs; NULL: it is not */
  int64_t memory_limit; /* bytes of a step's memory; 0: none */
} DlcOptions;

typedef struct DlcModel DlcModel;

/* Reads, checks and lowers a program; nothing of its data is opened. From a file, or from memory, where `name` names it
 * in messages and is where the paths of `use` start. NULL only when there is no memory at all; else look at dlc_status,
 * and close it in any case. `options` NULL: all zero. */
DLC_API DlcModel *dlc_open(const char *path, const DlcOptions *options);
DLC_API DlcModel *dlc_open_text(const char *name, const char *text, const DlcOptions *options);
DLC_API void dlc_close(DlcModel *model); /* NULL is allowed */

/* The last call's status, and its messages as text ("" where there are none), until the next call. NULL as the model,
 * here and in every function that returns a status: DLC_USAGE. */
DLC_API int dlc_status(const DlcModel *model);
DLC_API const char *dlc_messages(const DlcModel *model);

/* "0.1.0 (LLVM 19.1.7)"; the text stays. */
DLC_API const char *dlc_version(void);

/* ---- what a model takes and gives ----------------------------------------------------------------------------------
 * Known once the model is open. */

enum { DLC_FLOAT = 0, DLC_INT = 1, DLC_BOOL = 2 };
enum { DLC_MAX_RANK = 8 };

typedef struct DlcValue {
  const char *name;
  int type; /* DLC_FLOAT, .. */
  int rank;
  int64_t dim[DLC_MAX_RANK]; /* -1: the number of rows */
} DlcValue;

enum {
  DLC_INPUTS,     /* of a prediction */
  DLC_OUTPUTS,    /* of a prediction */
  DLC_FIELDS,     /* of a training step: there with options.train */
  DLC_PARAMETERS, /* trained */
  DLC_STATES      /* kept by training: running means */
};

/* How many there are of that kind, and the k-th: 0 after filling *value, DLC_USAGE where there is none. */
DLC_API size_t dlc_count(const DlcModel *model, int kind);
DLC_API int dlc_describe(const DlcModel *model, int kind, size_t k, DlcValue *value);

/* Where the k-th parameter or state stands, dense, as long as the model is open; NULL where there is none, or before
 * dlc_compile. Whoever writes to it calls dlc_changed before the next prediction. */
DLC_API float *dlc_values(DlcModel *model, int kind, size_t k);
DLC_API int dlc_changed(DlcModel *model);

/* ---- machine code
 * --------------------------------------------------------------------------------------------------*/

/* Compiles the model. All that follows needs it. */
DLC_API int dlc_compile(DlcModel *model);

/* The first weights of a seed, as dlc train --seed starts; the optimizer begins anew. */
DLC_API int dlc_init(DlcModel *model, uint64_t seed);
/* Weights from and to a safetensors file. */
DLC_API int dlc_load(DlcModel *model, const char *path);
DLC_API int dlc_save(DlcModel *model, const char *path);

/* The model's outputs for any number of rows: inputs and outputs in the order of dlc_describe. */
DLC_API int dlc_predict(DlcModel *model, const void *const *inputs, void *const *outputs, int64_t rows);

/* One update by a batch of rows, 1 to the batch that the model was compiled for: what dlc train does with it. *loss
 * (NULL: not wanted) is the loss before the update. */
DLC_API int dlc_train_step(DlcModel *model, const void *const *fields, int64_t rows, double *loss);
/* The learning rate of all later steps, in the place of the optimizer's. */
DLC_API int dlc_set_rate(DlcModel *model, double rate);
/* The length of the run, for a train block with a schedule; without it the rate stays at the optimizer's. */
DLC_API int dlc_schedule(DlcModel *model, int64_t steps_per_epoch, int64_t steps);

#ifdef __cplusplus
}
#endif

#endif
