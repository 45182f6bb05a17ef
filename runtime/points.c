// spirals(classes) and blobs(classes): points in the plane with the number of their class, without any file. Each point
// is a pure function of (seed, split, index), and the classes take turns.
#include <string.h>

#include "data_inside.h"
#include "random.h"

static const double pi = 3.14159265358979323846;
enum { TRAIN_POINTS = 1000, TEST_POINTS = 500 };  // unless a count is given

typedef struct Points {
  const SourceSpec *spec;
  uint64_t place, noise;  // streams
  int64_t classes;
} Points;

typedef struct Spot {
  double x, y;
} Spot;

typedef Spot PlacePoint(const Points *p, int64_t k, int64_t class);

static double noise(const Points *p, int64_t k, int axis) {
  return p->spec->spread * random_normal(p->spec->seed, p->noise, 2 * (uint64_t)k + (uint64_t)axis);
}

// A place on the circle around the middle.
static Spot on_circle(double radius, double turns) {
  double whole = (double)(int64_t)turns, c, s;
  data_turn((turns - whole > 0.5 ? turns - whole - 1 : turns - whole) * 2 * pi, &c, &s);
  return (Spot){radius * c, radius * s};
}

// An arm for each class, from the middle to the unit circle in two thirds of a turn.
static Spot spiral_point(const Points *p, int64_t k, int64_t class) {
  double along = (double)random_uniform(p->spec->seed, p->place, (uint64_t)k);
  Spot at = on_circle(along, (double)class / (double)p->classes + along * 2 / 3);
  return (Spot){at.x + noise(p, k, 0), at.y + noise(p, k, 1)};
}

// A normal distribution for each class, about a place on a circle of radius 2; of one class alone, about the middle.
static Spot blob_point(const Points *p, int64_t k, int64_t class) {
  Spot at = on_circle(p->classes > 1 ? 2 : 0, (double)class / (double)p->classes);
  return (Spot){at.x + noise(p, k, 0), at.y + noise(p, k, 1)};
}

static bool make_points(const Opening *o, const char *name, PlacePoint *place, DataSource *fields) {
  bool test = o->spec->split && strcmp(o->spec->split, "test") == 0;
  int64_t count = o->spec->count ? o->spec->count : test ? TEST_POINTS : TRAIN_POINTS;
  const char *stream = arena_printf(o->arena, "%s.%s", name, test ? "test" : "train");
  Points p = {.spec = o->spec, .place = random_stream(stream), .classes = o->spec->classes};
  p.noise = p.place ^ random_stream("noise");
  float *points = arena_array(o->arena, (size_t)count, 2 * sizeof *points);
  int32_t *labels = arena_array(o->arena, (size_t)count, sizeof *labels);
  for (int64_t k = 0; k < count; k++) {
    labels[k] = (int32_t)(k % p.classes);
    Spot at = place(&p, k, labels[k]);
    points[2 * k] = (float)at.x;
    points[2 * k + 1] = (float)at.y;
  }
  fields[0] = (DataSource){{DATA_F32, 1, {2}, count, 2 * sizeof *points}, .rows = (char *)points};
  fields[1] = (DataSource){{.type = DATA_I32, .rows = count, .row_bytes = sizeof *labels}, .rows = (char *)labels};
  return true;
}

bool spirals_open(const Opening *o, DataSource *fields) { return make_points(o, "spirals", spiral_point, fields); }
bool blobs_open(const Opening *o, DataSource *fields) { return make_points(o, "blobs", blob_point, fields); }
