// What compile and check tell about a model: layers with shapes, parameters and FLOPs, and memory.
#pragma once
#include "pipeline.h"

// "[N, 28, 28, 6]"
void report_shape(const Graph *g, const Shape *shape, Text *out);
// "1,234,567"
void report_number(int64_t number, Text *out);
// "52,311 images/s" where the graph's first input is images, [N, H, W, C], else "52,311 rows/s".
void report_rate(double per_second, const Graph *g, Text *out);
// "12 B", "3.4 KiB", "1.2 GiB"
void report_bytes(int64_t bytes, Text *out);

// Trainable values of all tensors.
int64_t report_parameters(const TensorTable *params);
// Floating-point operations of the nodes first..last (exclusive) for one row.
int64_t report_flops(const Graph *g, int first, int last);

// The model's signature and the table of its layers, from its inference version as the frontend gave it.
void report_layers(const Pipeline *p, const Lowered *lowered, Text *out);
// Bytes that a planned unit's steps of p->batch rows ask for, compiled or not. The pages that they lie on are not
// counted.
int64_t report_step_bytes(const Pipeline *p, const Unit *unit);
// The same as one line, by what it is for.
void report_memory(const Pipeline *p, const Unit *unit, Text *out);
