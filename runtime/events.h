// TensorBoard's event files: TFRecords (length, masked CRC-32C, data, masked CRC-32C) of protocol-buffer Events.
#pragma once
#include "text.h"

void events_start(Text *out, double unix_seconds);  // the record that a file begins with
void events_scalar(Text *out, const char *tag, int64_t step, double unix_seconds, float value);
