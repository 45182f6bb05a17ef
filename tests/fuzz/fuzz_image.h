// Between the targets of pictures.
#pragma once
#include "fuzz.h"

// The rest of the bytes as a data source of one picture; `choice` says how it is made to fit.
void fuzz_image(Fuzz *f, unsigned choice);
