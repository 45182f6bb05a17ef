// A program is a model of one statement a stage, a data block of files that nobody opens, and a train block. The maker
// keeps the shape behind the batch at hand, so that what it writes fits.
#include "make_program.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct Writer {
  Arena *arena;
  Choice *chance;
  Tally *tally;
  MadeProgram made;
  int value;  // v<value> is the current one
  int rank;   // behind the batch: [D], [L, C], [H, W, C] or [D, H, W, C]
  int64_t dim[4];
  bool used[8];  // functions of the twin that stand in front of the model
} Writer;

static int64_t pick(Writer *w, int64_t low, int64_t high) { return choice_in(w->chance, low, high); }
static bool once(Writer *w, int64_t in) { return choice_once_in(w->chance, in); }
static void count(Writer *w, const char *word) { tally_add(w->tally, word, 1); }

static int64_t elements(const Writer *w) {
  int64_t n = 1;
  for (int d = 0; d < w->rank; d++) n *= w->dim[d];
  return n;
}

static const char *__attribute__((format(printf, 2, 3))) form(Writer *w, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(w->arena, format, args);
  va_end(args);
  return text;
}

// Statements that are the same in both ways, and those that are not.
static void put(Writer *w, const char *line) {
  text_printf(&w->made.text, "  %s\n", line);
  text_printf(&w->made.twin, "  %s\n", line);
}

static void put_both(Writer *w, const char *line, const char *twin) {
  text_printf(&w->made.text, "  %s\n", line);
  text_printf(&w->made.twin, "  %s\n", twin);
  w->made.has_twin = true;
}

// The next value is this expression of the current one, whose name stands where %s is.
static void stage(Writer *w, const char *format) {
  char now[16];
  snprintf(now, sizeof now, "v%d", w->value++);
  Text line = text_new(w->arena);
  text_printf(&line, "v%d = ", w->value);
  for (const char *c = format; *c; c++) {
    if (*c == '@' && c[1] == '@') {
      text_add(&line, now);
      c++;
    } else {
      text_add_n(&line, c, 1);
    }
  }
  put(w, line.bytes);
}

static void stage_twin(Writer *w, const char *expression, const char *twin) {
  w->value++;
  put_both(w, form(w, "v%d = %s", w->value, expression), form(w, "v%d = %s", w->value, twin));
}

static const char *now(Writer *w) { return form(w, "v%d", w->value); }

// ---- layers of images -----------------------------------------------------------------------------------------------

typedef struct Window {
  int64_t k[2], stride[2], pad[4], dilation;
  const char *pads, *round;
} Window;

static int64_t places(const Window *f, int d, int64_t size) {
  int64_t free = size + f->pad[2 * d] + f->pad[2 * d + 1] - f->dilation * (f->k[d] - 1) - 1;
  return free < 0 ? 0 : free / f->stride[d] + 1;
}

// pad = same: ceil(size / stride) places.
static void set_pads(Writer *w, Window *f, bool pool) {
  static const char *const ways[] = {"0", "1", "same", "valid", "[1, 0]", "[0, 1, 1, 0]"};
  static const int64_t pads[][4] = {{0}, {1, 1, 1, 1}, {0}, {0}, {1, 1, 0, 0}, {0, 1, 1, 0}};
  int way = (int)pick(w, 0, 5);
  if (pool && (f->k[0] < 2 || f->k[1] < 2)) way = 0;
  f->pads = ways[way];
  memcpy(f->pad, pads[way], sizeof f->pad);
  static const char *const words[] = {"pad = 0",     "pad = 1",      "pad = same",
                                      "pad = valid", "pad = [h, w]", "pad = [t, b, l, r]"};
  count(w, words[way]);
}

static bool make_window(Writer *w, Window *f, bool pool) {
  *f = (Window){.dilation = 1};
  for (int d = 0; d < 2; d++) f->k[d] = pick(w, 1, 3);
  if (once(w, 2)) f->k[1] = f->k[0];
  f->stride[0] = f->stride[1] = pick(w, 1, 2);
  if (once(w, 4)) f->stride[1] = pick(w, 1, 3);
  if (!pool && once(w, 4)) f->dilation = 2;
  set_pads(w, f, pool);
  count(w, f->dilation > 1 ? "dilation = 2" : "dilation = 1");
  count(w, f->stride[0] != f->stride[1] ? "stride = [a, b]" : f->stride[0] > 1 ? "stride = 2" : "stride = 1");
  f->round = "floor";
  if (!strcmp(f->pads, "same")) return true;
  return places(f, 0, w->dim[0]) > 0 && places(f, 1, w->dim[1]) > 0;
}

static void apply_window(Writer *w, const Window *f) {
  for (int d = 0; d < 2; d++)
    w->dim[d] = strcmp(f->pads, "same") ? places(f, d, w->dim[d]) : (w->dim[d] + f->stride[d] - 1) / f->stride[d];
}

static const char *initialiser(Writer *w) {
  static const char *const ways[] = {
      "zeros",          "ones",          "constant(0.1)",   "normal(std = 0.1)", "uniform(-0.2, 0.2)",
      "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal",    "orthogonal"};
  const char *way = CHOICE_OF(w->chance, ways);
  count(w, way);
  return way;
}

static const char *window_text(Writer *w, const Window *f) {
  return form(w, "[%d, %d], stride = [%d, %d], pad = %s", (int)f->k[0], (int)f->k[1], (int)f->stride[0],
              (int)f->stride[1], f->pads);
}

static void conv2d(Writer *w) {
  Window f;
  if (!make_window(w, &f, false)) return;
  int64_t groups = w->dim[2] % 2 == 0 && once(w, 3) ? 2 : 1, filters = groups * pick(w, 1, 4);
  bool plain = groups == 1 && once(w, 3) && strcmp(f.pads, "same") && strcmp(f.pads, "valid");
  count(w, groups > 1 ? "conv2d groups = 2" : "conv2d");
  if (plain && f.pads[0] != '[') {  // the formula by hand
    const char *call =
        form(w, "v%d |> conv2d(%d, [%d, %d], stride = [%d, %d], pad = %s, dilation = %d, round = floor)", w->value,
             (int)filters, (int)f.k[0], (int)f.k[1], (int)f.stride[0], (int)f.stride[1], f.pads, (int)f.dilation);
    const char *hand = form(w, "my_conv(v%d, %d, %d, %d, %d, %d, %s, %d, %d, %d)", w->value, (int)filters, (int)f.k[0],
                            (int)f.k[1], (int)f.stride[0], (int)f.stride[1], f.pads, (int)f.dilation,
                            (int)places(&f, 0, w->dim[0]), (int)places(&f, 1, w->dim[1]));
    w->used[0] = true;
    stage_twin(w, call, hand);
  } else {
    bool bias = once(w, 2);
    count(w, bias ? "bias = true" : "bias = false");
    stage(w,
          form(w, "@@ |> conv2d(%d, %s, dilation = %d, groups = %d, bias = %s, init = %s, round = floor)", (int)filters,
               window_text(w, &f), (int)f.dilation, (int)groups, bias ? "true" : "false", initialiser(w)));
  }
  apply_window(w, &f);
  w->dim[2] = filters;
}

static void depthwise(Writer *w) {
  Window f;
  if (!make_window(w, &f, false)) return;
  count(w, "depthwise_conv2d");
  stage(w, form(w, "@@ |> depthwise_conv2d(%s, dilation = %d, bias = %s, round = floor)", window_text(w, &f),
                (int)f.dilation, once(w, 2) ? "true" : "false"));
  apply_window(w, &f);
}

static void transposed(Writer *w) {
  int64_t filters = pick(w, 1, 5), k = pick(w, 1, 3), stride = pick(w, 1, 2), pad = k > 2 ? pick(w, 0, 1) : 0;
  int64_t h = (w->dim[0] - 1) * stride + k - 2 * pad, v = (w->dim[1] - 1) * stride + k - 2 * pad;
  if (h < 1 || v < 1 || h * v * filters > 300) return;
  count(w, "conv2d_transpose");
  stage(w,
        form(w, "@@ |> conv2d_transpose(%d, %d, stride = %d, pad = %d)", (int)filters, (int)k, (int)stride, (int)pad));
  w->dim[0] = h, w->dim[1] = v, w->dim[2] = filters;
}

static void pool(Writer *w) {
  Window f;
  if (!make_window(w, &f, true)) return;
  bool greatest = once(w, 2);
  count(w, greatest ? "max_pool" : "avg_pool");
  if (greatest && !strcmp(f.pads, "0") && once(w, 2)) {
    const char *call = form(w, "v%d |> max_pool(%s, round = floor)", w->value, window_text(w, &f));
    int n = w->value;
    put_both(
        w, form(w, "v%d = %s", n + 1, call),
        form(w,
             "v%d[n, i, j, c] = max(r, s) v%d[n, i * %d + r, j * %d + s, c] where i in %d, j in %d, r in %d, s in %d",
             n + 1, n, (int)f.stride[0], (int)f.stride[1], (int)places(&f, 0, w->dim[0]), (int)places(&f, 1, w->dim[1]),
             (int)f.k[0], (int)f.k[1]));
    w->value++;
  } else {
    stage(w, form(w, "@@ |> %s(%s, round = floor)", greatest ? "max_pool" : "avg_pool", window_text(w, &f)));
  }
  apply_window(w, &f);
}

static void enlarge(Writer *w) {
  if (elements(w) > 120) return;
  if (w->dim[2] % 4 == 0 && once(w, 2)) {
    count(w, "depth_to_space");
    stage(w, "@@ |> depth_to_space(2)");
    w->dim[2] /= 4;
  } else {
    bool nearest = once(w, 2);
    count(w, nearest ? "upsample nearest" : "upsample bilinear");
    stage(w, form(w, "@@ |> upsample(2, %s)", nearest ? "nearest" : "bilinear"));
  }
  w->dim[0] *= 2, w->dim[1] *= 2;
}

static void frame(Writer *w) {
  count(w, "pad");
  stage(w, "@@ |> pad([1, 0, 0, 2])");
  w->dim[0] += 1, w->dim[1] += 2;
}

static void global_pool(Writer *w) {
  bool mean = once(w, 2);
  count(w, mean ? "global_avg_pool" : "global_max_pool");
  stage_twin(w, form(w, "%s |> %s", now(w), mean ? "global_avg_pool" : "global_max_pool"),
             form(w, "%s(%s, axis = [1, 2])", mean ? "mean" : "max", now(w)));
  w->dim[0] = w->dim[2], w->rank = 1;
}

static void normalise_response(Writer *w) {
  count(w, "local_response_norm");
  stage(w, form(w, "@@ |> local_response_norm(size = %d, alpha = 0.1)", (int)pick(w, 1, 2) * 2 + 1));
}

// ---- layers of rows, sequences, volumes -----------------------------------------------------------------------------

static void dense(Writer *w) {
  int64_t units = pick(w, 1, 12);
  count(w, "dense");
  if (once(w, 2)) {
    w->used[1] = true;
    stage_twin(w, form(w, "%s |> dense(%d)", now(w), (int)units), form(w, "my_dense(%s, %d)", now(w), (int)units));
  } else {
    stage(w,
          form(w, "@@ |> dense(%d, bias = %s, init = %s)", (int)units, once(w, 2) ? "true" : "false", initialiser(w)));
  }
  w->dim[w->rank - 1] = units;
}

// The same layer several times: a loop, or its turns one by one.
static void repeated(Writer *w) {
  int64_t units = w->dim[w->rank - 1], turns = pick(w, 2, 3);
  int n = w->value, last = n + (int)turns;
  count(w, once(w, 2) ? "for" : "repeat");
  put_both(w, form(w, "v%d = v%d", last, n), form(w, "w%d = v%d", n, n));
  text_printf(&w->made.text, "  %s { v%d = v%d |> dense(%d) |> tanh }\n",
              once(w, 2) ? form(w, "for turn in 0..%d", (int)turns) : form(w, "repeat %d", (int)turns), last, last,
              (int)units);
  for (int k = 0; k < turns; k++) {
    const char *to = k == turns - 1 ? form(w, "v%d", last) : form(w, "w%d", n + k + 1);
    text_printf(&w->made.twin, "  %s = tanh(dense(w%d, %d))\n", to, n + k, (int)units);
  }
  w->value = last;
}

static void conv1d(Writer *w) {
  int64_t k = pick(w, 1, 3), filters = pick(w, 1, 8), stride = pick(w, 1, 2);
  int64_t pad = pick(w, 0, 1), free = w->dim[0] + 2 * pad - k;
  if (free < 0) return;
  count(w, "conv1d");
  stage(w, form(w, "@@ |> conv1d(%d, %d, stride = %d, pad = %d, round = floor)", (int)filters, (int)k, (int)stride,
                (int)pad));
  w->dim[0] = free / stride + 1, w->dim[1] = filters;
}

static void conv3d(Writer *w) {
  int64_t filters = pick(w, 1, 4);
  count(w, "conv3d");
  stage(w, form(w, "@@ |> conv3d(%d, [1, 2, 2], stride = [1, 2, 1], pad = same)", (int)filters));
  w->dim[1] = (w->dim[1] + 1) / 2, w->dim[3] = filters;
}

static void attention(Writer *w) {
  count(w, "@ of batches");
  int n = w->value;
  put_both(w, form(w, "turned%d = transpose(v%d, [0, 2, 1])", n, n), form(w, "turned%d[b, c, l] = v%d[b, l, c]", n, n));
  put(w, form(w, "scores%d = softmax(v%d @ turned%d)", n, n, n));
  put_both(w, form(w, "v%d = scores%d @ v%d + v%d", n + 1, n, n, n),
           form(w, "v%d = v%d + scores%d @ v%d", n + 1, n, n, n));
  w->value++;
}

static void turn(Writer *w) {
  count(w, "transpose");
  int n = w->value;
  put_both(w, form(w, "v%d = transpose(v%d, [0, 2, 1])", n + 1, n), form(w, "v%d[b, c, l] = v%d[b, l, c]", n + 1, n));
  int64_t first = w->dim[0];
  w->dim[0] = w->dim[1], w->dim[1] = first, w->value++;
}

static void reduce_sequence(Writer *w) {
  static const char *const ways[] = {"sum", "mean", "max", "min", "var", "norm", "prod"};
  const char *way = CHOICE_OF(w->chance, ways);
  count(w, way);
  stage(w, form(w, "%s(tanh(@@) + 0.01, axis = 1)", way));
  w->dim[0] = w->dim[1], w->rank = 1;
}

static void order(Writer *w) {
  int64_t size = w->dim[w->rank - 1], way = pick(w, 0, 2);
  static const char *const words[] = {"sort", "top_k", "gather"};
  count(w, words[way]);
  if (size > 12) return;
  if (way == 0) stage(w, form(w, "sort(@@, descending = %s)", once(w, 2) ? "true" : "false"));
  if (way == 1) {
    int64_t k = pick(w, 1, size);
    put(w, form(w, "best%d, places%d = top_k(v%d, %d)", w->value, w->value, w->value, (int)k));
    put(w, form(w, "v%d = best%d + f32(places%d) * 0.1", w->value + 1, w->value, w->value));
    w->value++, w->dim[w->rank - 1] = k;
  }
  if (way == 2) {
    w->used[2] = true;
    stage(w, form(w, "@@ + rows(argmax(@@), %d, %d)", (int)size, (int)size));
  }
}

// ---- what suits every shape -----------------------------------------------------------------------------------------

static void activate_once(Writer *w) {
  static const char *const names[] = {"sigmoid",
                                      "tanh",
                                      "relu",
                                      "leaky_relu(slope = 0.1)",
                                      "elu(alpha = 0.5)",
                                      "elu",
                                      "leaky_relu",
                                      "selu",
                                      "gelu",
                                      "silu",
                                      "softplus",
                                      "softmax",
                                      "log_softmax",
                                      "identity"};
  const char *name = CHOICE_OF(w->chance, names);
  count(w, name);
  if (!strcmp(name, "relu"))
    stage_twin(w, form(w, "%s |> relu", now(w)), form(w, "max(0.0, %s)", now(w)));
  else if (!strcmp(name, "silu"))
    stage_twin(w, form(w, "silu(%s)", now(w)), form(w, "sigmoid(%s) * %s", now(w), now(w)));
  else if (!strcmp(name, "identity"))
    stage_twin(w, form(w, "%s |> identity", now(w)), form(w, "(%s)", now(w)));
  else
    stage(w, form(w, "@@ |> %s", name));
}

static void calculate_once(Writer *w) {
  static const char *const ways[] = {"abs(@@)",
                                     "exp(tanh(@@))",
                                     "log(abs(@@) + 0.5)",
                                     "sqrt(abs(@@) + 0.1)",
                                     "rsqrt(square(@@) + 0.5)",
                                     "sign(@@) + @@",
                                     "floor(@@ * 2.0) + @@",
                                     "erf(@@)",
                                     "clip(@@, -0.7, 0.9)",
                                     "min(@@, 0.5)",
                                     "max(@@, -@@)",
                                     "where(@@ > 0.1, @@, @@ * 0.25)",
                                     "(abs(tanh(@@)) + 0.3) ** 1.5",
                                     "@@ // 0.5 + @@",
                                     "@@ % 0.7",
                                     "@@ / (abs(@@) + 1.0)",
                                     "where(@@ <= 0.0 or not (@@ < 1.0), @@, -@@)",
                                     "f32(i32(@@ * 3.0)) + @@",
                                     "where(@@ >= -0.5 and @@ != 0.25, @@ * @@, @@)",
                                     "@@ - mean(@@)",
                                     "where(@@ == 0.0, 1.0, @@)",
                                     "f32(@@ > 0.2) * @@"};
  int way = (int)choice_below(w->chance, sizeof ways / sizeof *ways);
  count(w, ways[way]);
  stage(w, ways[way]);
}

static void activate(Writer *w) {
  for (int k = 0; k < 3; k++) activate_once(w);
}
static void calculate(Writer *w) {
  for (int k = 0; k < 3; k++) calculate_once(w);
}

static void exact_twin(Writer *w) {
  int n = w->value;
  switch (pick(w, 0, 4)) {
    case 0:
      stage_twin(w, form(w, "v%d * 0.5 + 1.0", n), form(w, "1.0 + 0.5 * v%d", n));
      break;
    case 1:
      stage_twin(w, form(w, "square(v%d)", n), form(w, "v%d * v%d", n, n));
      break;
    case 2:
      stage_twin(w, form(w, "-v%d", n), form(w, "v%d * -1.0", n));
      break;
    case 3:
      w->used[3] = true;
      stage_twin(w, form(w, "halves(v%d)", n), form(w, "v%d * 0.5 - tanh(v%d)", n, n));
      break;
    default:
      stage_twin(w, form(w, "v%d + v%d", n, n), form(w, "v%d * 2.0", n));
  }
  count(w, "rewritten expression");
}

static void normalise(Writer *w) {
  bool batch = once(w, 2);
  count(w, batch ? "batch_norm" : "layer_norm");
  stage(w, batch ? "@@ |> batch_norm(momentum = 0.2)" : "@@ |> layer_norm(eps = 1e-3)");
}

static void by_chance(Writer *w) {
  bool drop = once(w, 2);
  count(w, drop ? "dropout" : "stochastic_depth");
  stage(w, drop ? "@@ |> dropout(0.25)" : "@@ + stochastic_depth(tanh(@@), 0.3)");
}

static void join(Writer *w) {
  if (elements(w) > 200) return;
  count(w, "concat");
  stage(w, "concat([@@, tanh(@@)])");
  w->dim[w->rank - 1] *= 2;
}

static void cut(Writer *w) {
  if (w->dim[w->rank - 1] % 2) return;
  count(w, "split");
  int n = w->value;
  put(w, form(w, "a%d, b%d = split(v%d, 2)", n, n, n));
  put_both(w, form(w, "v%d = a%d * b%d", n + 1, n, n), form(w, "v%d = b%d * a%d", n + 1, n, n));
  w->value++, w->dim[w->rank - 1] /= 2;
}

static void shared(Writer *w) {
  if (elements(w) > 200) return;
  count(w, "layer");
  int64_t units = w->dim[w->rank - 1];
  put(w, form(w, "shared%d = layer dense(%d, bias = false)", w->value, (int)units));
  stage(w, form(w, "@@ |> shared%d |> tanh |> shared%d", w->value, w->value));
}

static void flat(Writer *w) {
  if (w->rank == 1) return;
  count(w, "flatten");
  stage_twin(w, form(w, "%s |> flatten", now(w)), form(w, "reshape(%s, [-1, %d])", now(w), (int)elements(w)));
  w->dim[0] = elements(w), w->rank = 1;
}

// ---- the whole ------------------------------------------------------------------------------------------------------

static void add_stage(Writer *w) {
  static void (*const any[])(Writer *) = {activate,  activate, calculate, calculate, exact_twin, normalise,
                                          by_chance, join,     cut,       shared,    dense};
  static void (*const image[])(Writer *) = {conv2d, conv2d,  conv2d, depthwise,   transposed,         pool,
                                            pool,   enlarge, frame,  global_pool, normalise_response, flat};
  static void (*const sequence[])(Writer *) = {conv1d, conv1d, attention, turn, reduce_sequence, repeated, order};
  static void (*const row[])(Writer *) = {dense, repeated, order};
  static void (*const volume[])(Writer *) = {conv3d};
  if (once(w, 2)) return CHOICE_OF(w->chance, any)(w);
  if (w->rank == 1) return CHOICE_OF(w->chance, row)(w);
  if (w->rank == 2) return CHOICE_OF(w->chance, sequence)(w);
  if (w->rank == 3) return CHOICE_OF(w->chance, image)(w);
  CHOICE_OF(w->chance, volume)(w);
}

// The model's input: v0.
static const char *begin_model(Writer *w) {
  w->rank = (int)pick(w, 1, 3);
  if (once(w, 2)) w->rank = 3;
  if (once(w, 8)) w->rank = 4;
  w->dim[0] = pick(w, 3, 9), w->dim[1] = pick(w, 3, 7), w->dim[2] = pick(w, 1, 4), w->dim[3] = pick(w, 1, 3);
  if (w->rank == 4) w->dim[0] = 2;
  if (w->rank == 2 && once(w, 3)) {  // numbers of rows of a table
    count(w, "embedding");
    return form(w, "i32[N, %d]", (int)w->dim[0]);
  }
  Text type = text_new(w->arena);
  text_add(&type, "f32[N");
  for (int d = 0; d < w->rank; d++) text_printf(&type, ", %d", (int)w->dim[d]);
  text_add(&type, "]");
  return type.bytes;
}

static void write_train(Writer *w) {
  static const char *const losses[] = {"cross_entropy(score, label)",
                                       "nll(log_softmax(score), label)",
                                       "hinge(score, label)",
                                       "binary_cross_entropy(score, target)",
                                       "mse(score, target)",
                                       "mae(score, target)",
                                       "huber(score, target, delta = 0.5)",
                                       "smooth_l1(score, target)"};
  static const char *const regularisers[] = {"", " + 1e-3 * l2(net)", " + 1e-3 * l1(net)",
                                             " + elastic_net(net, l1 = 1e-3, l2 = 1e-2)"};
  static const char *const metrics[] = {"mean(argmax(score) == label)",
                                        "mean(argmin(score) == label)",
                                        "norm(score)",
                                        "mean(vote(i32(score * 2.0), 3) == label)",
                                        "sum(one_hot(label, 3))",
                                        "mean(argsort(score) != 0)"};
  static const char *const optimizers[] = {"sgd(lr = 0.1)",     "momentum(lr = 0.1, mu = 0.8, nesterov = true)",
                                           "adagrad(lr = 0.1)", "rmsprop(lr = 0.01)",
                                           "adam(lr = 1e-3)",   "adamw(lr = 1e-3, decay = 0.1)"};
  const char *loss = CHOICE_OF(w->chance, losses), *reg = CHOICE_OF(w->chance, regularisers);
  const char *metric = CHOICE_OF(w->chance, metrics), *optimizer = CHOICE_OF(w->chance, optimizers);
  bool labelled = strstr(loss, "label") != NULL, targets = !labelled;
  count(w, loss), count(w, reg), count(w, metric), count(w, optimizer);
  const char *fields = targets ? "target = npy(\"t.npy\")  label = npy(\"l.npy\")" : "label = npy(\"l.npy\")";
  if (targets && !strstr(metric, "label")) fields = "target = npy(\"t.npy\")";
  const char *block =
      form(w,
           "data d { train { x = npy(\"x.npy\")  %s } }\n"
           "train net on d {\n  score = net(x)\n  loss = %s%s\n  metric m = %s\n  optimizer = %s\n  batch = 4\n}\n",
           fields, loss, reg, metric, optimizer);
  text_add(&w->made.text, block);
  text_add(&w->made.twin, block);
}

static const char functions[] =
    "fn my_conv(x: f32[N, H, W, C], filters, kh, kw, sh, sw, p, d, oh, ow) {\n"
    "  param w: f32[kh, kw, C, filters] = kaiming_normal\n"
    "  y[n, i, j, o] = sum(r, s, c) x[n, i * sh + r * d - p, j * sw + s * d - p, c] * w[r, s, c, o] where i in oh, j in ow\n"
    "  param b: f32[filters] = zeros, decay = false\n"
    "  y + b\n}\n"
    "fn my_dense(x: f32[..., D], units) {\n  param w: f32[D, units] = kaiming_normal\n  y = x @ w\n"
    "  param b: f32[units] = zeros, decay = false\n  y + b\n}\n"
    "fn rows(index, n, dim) {\n  param table: f32[n, dim] = normal(std = 1.0)\n  gather(table, index)\n}\n"
    "fn halves(x) {\n  y = x * 0.5\n  y - tanh(x)\n}\n";

MadeProgram make_program(Arena *arena, Choice *chance, Tally *tally) {
  Writer w = {.arena = arena, .chance = chance, .tally = tally};
  w.made.text = text_new(arena), w.made.twin = text_new(arena);
  const char *type = begin_model(&w), *head = form(&w, "%smodel net(x: %s) {\n", functions, type);
  text_add(&w.made.text, head), text_add(&w.made.twin, head);
  if (type[0] == 'i') {
    put(&w, form(&w, "v0 = embedding(x, 6, %d)", (int)w.dim[1]));
  } else {
    put(&w, "v0 = x");
  }
  for (int64_t n = pick(&w, 1, 7); n > 0; n--) add_stage(&w);
  flat(&w);
  int64_t classes = pick(&w, 2, 5);
  stage(&w, form(&w, "@@ |> dense(%d)", (int)classes));
  text_printf(&w.made.text, "  v%d\n}\n", w.value);
  text_printf(&w.made.twin, "  v%d\n}\n", w.value);
  write_train(&w);
  return w.made;
}
