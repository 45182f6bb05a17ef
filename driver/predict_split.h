// dlc predict --split: outputs and fields over a split of the data.
#pragma once
#include "pipeline.h"

// Runs the inference version of the train block's model over all rows of options.split, in order, and writes what
// --output names: results of the model, and fields of the split that the loss or a metric uses. A status.
int predict_split(Session *session, Pipeline *p);
