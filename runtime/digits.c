// digits(): drawn digits, 28x28, without any file. Each image is a pure function of (seed, split, index).
//
// A digit is a few strokes through a handful of points. An image moves the points about, stretches, slants, turns and
// shifts the whole, draws the strokes with a round pen of random width, and adds specks and noise. Only + - * / and
// sqrt are used, so the bits are the same on every machine.
#include <stdlib.h>
#include <string.h>

#include "data_inside.h"
#include "random.h"

enum { SIDE = 28, PIXELS = SIDE * SIDE, CLASSES = 10, MOST_POINTS = 12, MOST_STROKES = 2, PIECES = 5 };

typedef struct Point {
  float x, y;  // of a unit square, y downwards; later pixels
} Point;

typedef struct Stroke {
  bool curved;
  int n;
  Point at[MOST_POINTS];
} Stroke;

// A way to draw a digit: '~' a smooth line through the points, '-' a straight one from each to the next. Points are x,y
// in hundredths of a square, y downwards.
typedef struct Drawing {
  int digit;
  const char *strokes[MOST_STROKES];
} Drawing;

// A digit is drawn in each of its ways with equal chance.
static const Drawing drawings[] = {
    {0, {"~ 50,0 18,14 6,50 20,88 50,100 82,86 94,50 80,12 50,0"}},
    {1, {"- 25,25 55,0 55,100"}},
    {1, {"- 50,0 50,100"}},
    {1, {"- 25,25 52,0 52,100", "- 20,100 85,100"}},
    {2, {"~ 12,25 30,5 62,2 86,24 70,52 40,76 10,100", "- 10,100 92,100"}},
    {2, {"~ 15,20 45,0 80,15 75,45 42,80 18,98 12,84 28,80 50,92 72,100 95,90"}},
    {3, {"~ 14,14 45,0 80,16 74,40 42,48", "~ 42,48 82,58 86,84 50,100 10,86"}},
    {3, {"- 12,0 85,0 45,42", "~ 45,42 84,54 86,84 50,100 10,88"}},
    {4, {"- 50,0 8,62 95,62", "- 70,30 66,100"}},
    {4, {"- 70,100 70,0 6,66 95,66"}},
    {5, {"- 86,0 24,0 18,44", "~ 18,44 50,36 86,56 80,88 46,100 10,88"}},
    {6, {"~ 76,2 40,20 14,60 24,90 54,100 84,82 76,56 44,50 18,70"}},
    {7, {"- 8,0 90,0 40,100"}},
    {7, {"- 8,0 90,0 40,100", "- 30,50 82,50"}},
    {8, {"~ 50,46 18,24 50,0 82,24 50,46 12,74 50,100 88,74 50,46"}},
    {9, {"~ 84,30 56,50 22,42 16,16 50,0 80,10 84,30 78,66 60,100"}},
    {9, {"~ 82,22 56,46 22,40 16,16 50,0 78,8 82,22", "- 82,10 82,100"}},
};
enum { DRAWINGS = sizeof drawings / sizeof *drawings };

// ---- chance ---------------------------------------------------------------------------------------------------------

enum { DRAWS_PER_IMAGE = 1024 };  // numbers that one image may use; noise has a stream of its own

typedef struct Dice {
  uint64_t seed, stream, next;
} Dice;

static float draw(Dice *dice, float low, float high) {
  return low + (high - low) * random_uniform(dice->seed, dice->stream, dice->next++);
}

// ---- the pen --------------------------------------------------------------------------------------------------------

typedef struct Canvas {
  float *pixels;  // [SIDE, SIDE]
  float radius, ink;
} Canvas;

static int clamped(float at) { return at < 0 ? 0 : at > SIDE - 1 ? SIDE - 1 : (int)at; }
static float smaller(float a, float b) { return a < b ? a : b; }
static float larger(float a, float b) { return a > b ? a : b; }

// Squared distance of p from the segment a-b.
static float distance2(Point p, Point a, Point b) {
  float dx = b.x - a.x, dy = b.y - a.y, length2 = dx * dx + dy * dy;
  float t = length2 > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length2 : 0;
  t = smaller(larger(t, 0), 1);
  float ex = p.x - a.x - t * dx, ey = p.y - a.y - t * dy;
  return ex * ex + ey * ey;
}

// A straight piece, with an edge that fades over one pixel. Where it crosses what is drawn the darker counts.
static void draw_segment(const Canvas *c, Point a, Point b) {
  float reach = c->radius + 1;
  int left = clamped(smaller(a.x, b.x) - reach), right = clamped(larger(a.x, b.x) + reach + 1);
  int top = clamped(smaller(a.y, b.y) - reach), bottom = clamped(larger(a.y, b.y) + reach + 1);
  for (int y = top; y <= bottom; y++)
    for (int x = left; x <= right; x++) {
      float distance = __builtin_sqrtf(distance2((Point){(float)x, (float)y}, a, b));
      float cover = smaller(larger(c->radius + 0.5f - distance, 0), 1) * c->ink;
      float *pixel = &c->pixels[y * SIDE + x];
      *pixel = larger(*pixel, cover);
    }
}

// Catmull and Rom 1974: through q and r, with p before and s behind.
static float spline(float p, float q, float r, float s, float t) {
  float linear = r - p, square = 2 * p - 5 * q + 4 * r - s, cube = 3 * q - p - 3 * r + s;
  return q + 0.5f * t * (linear + t * (square + t * cube));
}

static void draw_stroke(const Canvas *c, const Stroke *stroke) {
  const Point *at = stroke->at;
  Point from = at[0];
  for (int k = 0; k + 1 < stroke->n; k++) {
    Point p = at[k ? k - 1 : 0], q = at[k], r = at[k + 1], s = at[k + 2 < stroke->n ? k + 2 : k + 1];
    int pieces = stroke->curved ? PIECES : 1;
    for (int piece = 1; piece <= pieces; piece++) {
      float t = (float)piece / (float)pieces;
      Point to = stroke->curved ? (Point){spline(p.x, q.x, r.x, s.x, t), spline(p.y, q.y, r.y, s.y, t)} : r;
      draw_segment(c, from, to);
      from = to;
    }
  }
}

// ---- one image ------------------------------------------------------------------------------------------------------

// How a shape lies on the canvas: x' = a x + b y + shift, with x and y from the middle of the unit square.
typedef struct Placing {
  float a, b, c, d;
  Point shift;
  float jitter;
} Placing;

// Slant, then size, then a turn by an angle whose half has the tangent t.
static Placing random_placing(Dice *dice) {
  float slant = draw(dice, -0.4f, 0.4f);
  float wide = draw(dice, 9, 16), high = draw(dice, 14, 20);
  float t = draw(dice, -0.12f, 0.12f);
  float cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
  Placing p = {.jitter = 0.035f};
  p.a = cosine * wide;
  p.b = cosine * slant * high - sine * high;
  p.c = sine * wide;
  p.d = sine * slant * high + cosine * high;
  float centre = (SIDE - 1) * 0.5f;
  p.shift = (Point){centre + draw(dice, -3, 3), centre + draw(dice, -2.5f, 2.5f)};
  return p;
}

static Point placed(const Placing *p, Point at, Dice *dice) {
  float x = at.x - 0.5f + draw(dice, -p->jitter, p->jitter), y = at.y - 0.5f + draw(dice, -p->jitter, p->jitter);
  return (Point){p->a * x + p->b * y + p->shift.x, p->c * x + p->d * y + p->shift.y};
}

static const Drawing *random_drawing(int digit, Dice *dice) {
  int first = 0, count = 0;
  for (int k = DRAWINGS - 1; k >= 0; k--)
    if (drawings[k].digit == digit) {
      first = k;
      count++;
    }
  return &drawings[first + (int)draw(dice, 0, (float)count)];
}

static Stroke read_stroke(const char *text) {
  Stroke stroke = {.curved = *text++ == '~'};
  while (*text) {
    char *end;
    dlc_assert(stroke.n < MOST_POINTS);
    Point *point = &stroke.at[stroke.n++];
    point->x = (float)strtol(text, &end, 10) / 100;
    point->y = (float)strtol(end + 1, &end, 10) / 100;
    text = end;
  }
  return stroke;
}

// Short marks that belong to no digit.
static void draw_specks(Canvas *c, Dice *dice) {
  int count = (int)draw(dice, 0, 3);
  for (int k = 0; k < count; k++) {
    Point from = {draw(dice, 0, SIDE - 1), draw(dice, 0, SIDE - 1)};
    Point to = {from.x + draw(dice, -4, 4), from.y + draw(dice, -4, 4)};
    c->radius = draw(dice, 0.3f, 1);
    c->ink = draw(dice, 0.3f, 0.9f);
    draw_segment(c, from, to);
  }
}

// The mean of four random bytes' deviations from their middle, in -1..1: near enough to normal, and cheap.
static float noise_of(uint32_t bits) {
  int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) + (int)(bits >> 16 & 255) + (int)(bits >> 24);
  return (float)(sum - 510) / 510;
}

enum { LANES = 4 };  // numbers of a random block

static void add_noise(float *pixels, const Dice *dice, uint64_t image, float amount) {
  uint64_t stream = dice->stream ^ random_stream("noise");
  for (uint64_t block = 0; block < PIXELS / LANES; block++) {
    Random4 bits = random_block(dice->seed, stream, image * (PIXELS / LANES) + block);
    for (int lane = 0; lane < LANES; lane++) {
      float *pixel = &pixels[block * LANES + (uint64_t)lane];
      *pixel = smaller(larger(*pixel + amount * noise_of(bits.v[lane]), 0), 1);
    }
  }
}

static void draw_digit(uint64_t seed, uint64_t stream, uint64_t image, int digit, float *pixels) {
  Dice dice = {seed, stream, image * DRAWS_PER_IMAGE};
  const Drawing *drawing = random_drawing(digit, &dice);
  Placing placing = random_placing(&dice);
  Canvas canvas = {pixels, draw(&dice, 0.6f, 1.8f), draw(&dice, 0.6f, 1)};
  for (int k = 0; k < MOST_STROKES && drawing->strokes[k]; k++) {
    Stroke stroke = read_stroke(drawing->strokes[k]);
    for (int n = 0; n < stroke.n; n++) stroke.at[n] = placed(&placing, stroke.at[n], &dice);
    draw_stroke(&canvas, &stroke);
  }
  draw_specks(&canvas, &dice);
  add_noise(pixels, &dice, image, draw(&dice, 0.05f, 0.4f));
}

// ---- the source -----------------------------------------------------------------------------------------------------

bool digits_open(const Opening *o, DataSource *fields) {
  bool test = o->spec->split && strcmp(o->spec->split, "test") == 0;
  int64_t count = o->spec->count ? o->spec->count : test ? 2000 : 10000;
  uint64_t stream = random_stream(test ? "digits.test" : "digits.train");
  float *pixels = arena_array(o->arena, (size_t)count, PIXELS * sizeof *pixels);
  int32_t *labels = arena_array(o->arena, (size_t)count, sizeof *labels);
  for (int64_t k = 0; k < count; k++) {
    labels[k] = (int32_t)(k % CLASSES);
    draw_digit(o->spec->seed, stream, (uint64_t)k, labels[k], pixels + k * PIXELS);
  }
  fields[0] = (DataSource){{DATA_F32, 3, {SIDE, SIDE, 1}, count, PIXELS * sizeof *pixels}, .rows = (char *)pixels};
  fields[1] = (DataSource){{.type = DATA_I32, .rows = count, .row_bytes = sizeof *labels}, .rows = (char *)labels};
  return true;
}
