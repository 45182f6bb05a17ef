// shapes(): scenes of one to four discs, squares and triangles before a sloping ground, without any file: the image,
// the class of every pixel, the boxes of the shapes, and how far each pixel is away. Each scene is a pure function of
// (seed, split, index), by + - * / and comparisons alone but for the turning of shapes (data_turn, which is no more).
//
// The world is a flat picture seen from far above: a shape at distance d is 1/d as large as it is, and hides what is
// farther away. The ground slopes from distance 4 at the top to 2 at the bottom.
#include <string.h>

#include "data_inside.h"
#include "random.h"

static const double pi = 3.14159265358979323846;
enum { MOST_SHAPES = 4, CLASSES = 3, BOX = 5, DRAWS = 64, TRAIN_SCENES = 1000, TEST_SCENES = 200 };
enum { DISC = 1, SQUARE, TRIANGLE };  // 0: the ground

typedef struct Shape {
  int class;
  float x, y, radius;   // of its middle and of the circle around it, in pixels
  float distance;       // from the eye
  double cosine, sine;  // of its turn
  float colour[3];
} Shape;

typedef struct Scene {
  int64_t size;
  int n;
  Shape shapes[MOST_SHAPES];  // the farthest first
  float ground[3], light;
} Scene;

typedef struct Dice {
  uint64_t seed, stream, next;
} Dice;

static float draw(Dice *dice, float low, float high) {
  return low + (high - low) * random_uniform(dice->seed, dice->stream, dice->next++);
}

// ---- the scene ------------------------------------------------------------------------------------------------------

static Shape random_shape(Dice *dice, float size) {
  Shape shape = {.class = DISC + (int)draw(dice, 0, CLASSES)};
  shape.distance = draw(dice, 1, 2);
  shape.radius = size * draw(dice, 0.2f, 0.3f) / shape.distance;
  shape.x = draw(dice, shape.radius * 0.7f, size - shape.radius * 0.7f);
  shape.y = draw(dice, shape.radius * 0.7f, size - shape.radius * 0.7f);
  data_turn((double)draw(dice, -1, 1) * pi, &shape.cosine, &shape.sine);
  for (int c = 0; c < 3; c++) shape.colour[c] = draw(dice, 0.2f, 1);
  return shape;
}

static bool far_enough(const Scene *scene, const Shape *shape) {
  for (int k = 0; k < scene->n; k++) {
    float dx = scene->shapes[k].x - shape->x, dy = scene->shapes[k].y - shape->y;
    float reach = 0.7f * (scene->shapes[k].radius + shape->radius);
    if (dx * dx + dy * dy < reach * reach) return false;
  }
  return true;
}

// Shapes that would hide each other almost wholly are left out; there is always the first.
static Scene random_scene(Dice *dice, int64_t size) {
  Scene scene = {.size = size, .light = draw(dice, 0.6f, 1)};
  for (int c = 0; c < 3; c++) scene.ground[c] = draw(dice, 0, 0.5f);
  int wanted = 1 + (int)draw(dice, 0, MOST_SHAPES);
  for (int k = 0; k < wanted; k++) {
    Shape shape = random_shape(dice, (float)size);
    if (!far_enough(&scene, &shape)) continue;
    int at = scene.n++;
    for (; at > 0 && scene.shapes[at - 1].distance < shape.distance; at--) scene.shapes[at] = scene.shapes[at - 1];
    scene.shapes[at] = shape;
  }
  return scene;
}

// ---- drawing --------------------------------------------------------------------------------------------------------

// Is the place in the shape? A square and a triangle have their corners on the circle of the radius.
static bool covers(const Shape *shape, float x, float y) {
  float dx = x - shape->x, dy = y - shape->y, r = shape->radius;
  if (shape->class == DISC) return dx * dx + dy * dy <= r * r;
  float u = (float)(shape->cosine * (double)dx + shape->sine * (double)dy);
  float v = (float)(shape->cosine * (double)dy - shape->sine * (double)dx);
  float half = r * 0.70710678f;
  if (shape->class == SQUARE) return u <= half && -u <= half && v <= half && -v <= half;
  // Three sides at r/2 from the middle: directions (0, 1) and (+-sqrt(3)/2, -1/2).
  float side = r * 0.5f, slant = 0.8660254f;
  return v <= side && slant * u - 0.5f * v <= side && -slant * u - 0.5f * v <= side;
}

static const Shape *nearest_at(const Scene *scene, float x, float y) {
  for (int k = scene->n; k-- > 0;)
    if (covers(&scene->shapes[k], x, y)) return &scene->shapes[k];
  return NULL;
}

static float ground_distance(const Scene *scene, float y) { return 4 - 2 * y / (float)scene->size; }

// Nearer is brighter. The colour of one place.
static float shade(const Scene *scene, const Shape *shape, float y, int channel) {
  float distance = shape ? shape->distance : ground_distance(scene, y);
  float colour = shape ? shape->colour[channel] : scene->ground[channel];
  return scene->light * colour * (0.5f + 0.5f / distance) + 0.1f / distance;
}

typedef struct SceneRows {  // where a scene goes
  float *image;             // [size, size, 3]
  uint8_t *mask;            // [size, size]
  float *boxes;             // [MOST_SHAPES, BOX]
  float *depth;             // [size, size]
} SceneRows;

// The mean of four places in the pixel; class and distance are those of its middle.
static void draw_pixel(const Scene *scene, int64_t y, int64_t x, const SceneRows *to) {
  static const float places[] = {0.25f, 0.75f};
  int64_t at = y * scene->size + x;
  float colour[3] = {0};
  for (int py = 0; py < 2; py++)
    for (int px = 0; px < 2; px++) {
      float fy = (float)y + places[py], fx = (float)x + places[px];
      const Shape *shape = nearest_at(scene, fx, fy);
      for (int c = 0; c < 3; c++) colour[c] += 0.25f * shade(scene, shape, fy, c);
    }
  const Shape *middle = nearest_at(scene, (float)x + 0.5f, (float)y + 0.5f);
  for (int c = 0; c < 3; c++) to->image[3 * at + c] = colour[c];
  to->mask[at] = middle ? (uint8_t)middle->class : 0;
  to->depth[at] = middle ? middle->distance : ground_distance(scene, (float)y + 0.5f);
}

// The box around the pixels that the shape would cover alone, as class, middle (x, y), width and height, in sides of
// the image.
static void draw_box(const Scene *scene, const Shape *shape, float *box) {
  int64_t left = scene->size, right = -1, top = scene->size, bottom = -1;
  for (int64_t y = 0; y < scene->size; y++)
    for (int64_t x = 0; x < scene->size; x++) {
      if (!covers(shape, (float)x + 0.5f, (float)y + 0.5f)) continue;
      left = x < left ? x : left;
      right = x > right ? x : right;
      top = y < top ? y : top;
      bottom = y;
    }
  if (right < 0) return;
  float side = (float)scene->size;
  box[0] = (float)shape->class;
  box[1] = (float)(left + right + 1) / 2 / side;
  box[2] = (float)(top + bottom + 1) / 2 / side;
  box[3] = (float)(right + 1 - left) / side;
  box[4] = (float)(bottom + 1 - top) / side;
}

// The mean of four random bytes' deviations from their middle, in -1..1.
static float noise_of(uint32_t bits) {
  int sum = (int)(bits & 255) + (int)(bits >> 8 & 255) + (int)(bits >> 16 & 255) + (int)(bits >> 24);
  return (float)(sum - 510) / 510;
}

static void add_noise(float *values, int64_t count, const Dice *dice, uint64_t scene, float amount) {
  uint64_t stream = dice->stream ^ random_stream("noise"), first = scene * (uint64_t)count;
  for (int64_t k = 0; k < count; k++) {
    float value = values[k] + amount * noise_of(random_bits(dice->seed, stream, first + (uint64_t)k));
    values[k] = value < 0 ? 0 : value > 1 ? 1 : value;
  }
}

static void draw_scene(const SourceSpec *spec, uint64_t stream, int64_t k, const SceneRows *to) {
  Dice dice = {spec->seed, stream, (uint64_t)k * DRAWS};
  Scene scene = random_scene(&dice, spec->size);
  for (int64_t y = 0; y < scene.size; y++)
    for (int64_t x = 0; x < scene.size; x++) draw_pixel(&scene, y, x, to);
  for (int n = 0; n < scene.n; n++) draw_box(&scene, &scene.shapes[n], to->boxes + n * BOX);
  add_noise(to->image, 3 * scene.size * scene.size, &dice, (uint64_t)k, draw(&dice, 0.02f, 0.1f));
}

bool shapes_open(const Opening *o, DataSource *fields) {
  bool test = o->spec->split && strcmp(o->spec->split, "test") == 0;
  int64_t count = o->spec->count ? o->spec->count : test ? TEST_SCENES : TRAIN_SCENES, size = o->spec->size;
  size_t pixels = (size_t)(size * size), n = (size_t)count;
  SceneRows all = {arena_array(o->arena, n, 3 * pixels * sizeof(float)), arena_array(o->arena, n, pixels),
                   arena_array(o->arena, n, MOST_SHAPES * BOX * sizeof(float)),
                   arena_array(o->arena, n, pixels * sizeof(float))};
  for (int64_t k = 0; k < count; k++) {
    SceneRows row = {all.image + (size_t)k * 3 * pixels, all.mask + (size_t)k * pixels,
                     all.boxes + k * MOST_SHAPES * BOX, all.depth + (size_t)k * pixels};
    draw_scene(o->spec, random_stream(test ? "shapes.test" : "shapes.train"), k, &row);
  }
  int64_t bytes = size * size;
  fields[0] = (DataSource){{DATA_F32, 3, {size, size, 3}, count, 12 * bytes}, .rows = (char *)all.image};
  fields[1] = (DataSource){{DATA_U8, 2, {size, size}, count, bytes}, .rows = (char *)all.mask};
  fields[2] = (DataSource){{DATA_F32, 2, {MOST_SHAPES, BOX}, count, MOST_SHAPES * BOX * 4}, .rows = (char *)all.boxes};
  fields[3] = (DataSource){{DATA_F32, 2, {size, size}, count, 4 * bytes}, .rows = (char *)all.depth};
  return true;
}
