// Pictures on the command line: an image file as a tensor, and a tensor as PNG files.
#pragma once
#include "data.h"
#include "runner.h"

// Does the name end as one of an image file?
bool picture_named(const char *path);

// An image file as one row of an input: [1, height, width, channels] with the input's channels (1, grey, or 3) and
// type: f32 from 0 to 1, i32 as it is in the file. False after reporting E0403, E0416 or E0450.
bool picture_read(Session *session, const DlcTensor *input, const char *path, NpyArray *array);

// Writes an input or output of the runner's step, for so many rows, where the path says: to a .npy file, or, where the
// name ends in .png, each row ([height, width], with 1 or 3 channels) to a PNG file: f32 from 0 (black) to 1, i32 from
// 0 to 255, both clipped, bool black and white. One row has the name itself, of more each has its number before the
// ending. Gives the status, after reporting E0450 or E0651.
int tensor_write(Session *session, const char *path, const Runner *runner, const DlcTensor *tensor, int64_t rows,
                 const void *data);
