// What the runtime inside built libraries takes from libm, for every target: its own headers may not be there.
#pragma once
double pow(double x, double y);
double sqrt(double x);
double log(double x);
double cos(double x);
double floor(double x);
double fmin(double x, double y);
#define INFINITY (__builtin_inff())
#define isfinite(x) __builtin_isfinite(x)
