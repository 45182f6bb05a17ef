// Pass `winograd`: marks the product-sums that are summed in transformed tiles.
//
// On entry: pass `order` has run. On exit: the order of every convolution, and of every gradient of one, that has the
// form and pays says `winograd 4` or `winograd 2`; with ctx->direct none does. The choice follows from shapes alone, so
// the bits do.
#include "winograd.h"

#include "passes.h"
#include "product.h"
#include "rewrite.h"

// Fewer channels leave the transforms more work than the products. tests/bench/winograd.py measures it, in builds with
// less.
#ifndef WINOGRAD_MIN_CHANNELS
#define WINOGRAD_MIN_CHANNELS 8
#endif
enum {
  MIN_PRODUCTS = 16 * WINOGRAD_MIN_CHANNELS,  // of a point of a window: channels * outputs
  MIN_SIDE = 3                                // of the result: below, most of a tile sticks out
};

// ---- the form -------------------------------------------------------------------------------------------------------

// e is index + offset.
static bool is_shifted(const IndexExpr *e, int index, int64_t *offset) {
  *offset = e->offset;
  return e->kind == DIV_NONE && e->n_terms == 1 && e->term[0].index == index && e->term[0].coef == 1;
}

// e is position + sign * filter + offset, with sign 1 or -1.
static bool is_window(const IndexExpr *e, int position, int filter, int64_t *sign, int64_t *offset) {
  *offset = e->offset;
  *sign = index_coef(e, filter);
  return e->kind == DIV_NONE && e->n_terms == 2 && index_coef(e, position) == 1 && (*sign == 1 || *sign == -1);
}

// The filter's index as the weights are read: by itself, or from the other end.
static bool is_filter(const IndexExpr *e, int filter, int64_t taps, int64_t *sign) {
  int64_t coef = index_coef(e, filter);
  *sign = coef;
  if (e->kind != DIV_NONE || e->n_terms != 1) return false;
  return (coef == 1 && e->offset == 0) || (coef == -1 && e->offset == taps - 1);
}

static bool is_number(Dim d, int64_t n) { return dim_is_const(d) && d.scale == n; }

// The indices of a convolution by their place in the node: outputs and reduced indices apart.
typedef struct Roles {
  int n, i, j, c, o, r, s;
} Roles;

static bool read_images(const Graph *g, const Node *node, const Roles *at, Winograd *w, int64_t *rows,
                        int64_t *columns) {
  const Read *read = &node->index->reads[w->images];
  const Shape *shape = &graph_node(g, node->in[w->images])->shape;
  if (read->rank != 4 || !index_is(&read->at[0], at->n) || !index_is(&read->at[3], at->c)) return false;
  if (!is_window(&read->at[1], at->i, at->r, rows, &w->first_row)) return false;
  if (!is_window(&read->at[2], at->j, at->s, columns, &w->first_column)) return false;
  if (*rows < 0) w->first_row -= w->filter - 1;
  if (*columns < 0) w->first_column -= w->filter - 1;
  w->image_rows = shape->dim[1].scale;
  w->image_columns = shape->dim[2].scale;
  return true;
}

static bool read_weights(const Node *node, const Roles *at, const Winograd *w, int64_t *rows, int64_t *columns) {
  const Read *read = &node->index->reads[w->other];
  return read->rank == 4 && is_filter(&read->at[0], at->r, w->filter, rows) &&
         is_filter(&read->at[1], at->s, w->filter, columns) && index_is(&read->at[2], at->c) &&
         index_is(&read->at[3], at->o);
}

static bool read_gradients(const Graph *g, const Node *node, const Roles *at, Winograd *w) {
  const Read *read = &node->index->reads[w->other];
  const Shape *shape = &graph_node(g, node->in[w->other])->shape;
  w->other_rows = shape->rank == 4 ? shape->dim[1].scale : 0;
  w->other_columns = shape->rank == 4 ? shape->dim[2].scale : 0;
  return read->rank == 4 && index_is(&read->at[0], at->n) && index_is(&read->at[3], at->o) &&
         is_shifted(&read->at[1], at->i, &w->other_first_row) &&
         is_shifted(&read->at[2], at->j, &w->other_first_column);
}

static bool set_extents(const IndexDef *def, const Roles *at, Winograd *w) {
  const Dim *extent = def->extent;
  const int constant[] = {at->i, at->j, at->c, at->o};
  for (size_t k = 0; k < sizeof constant / sizeof *constant; k++)
    if (!dim_is_const(extent[constant[k]])) return false;
  w->batch = extent[at->n];
  w->height = extent[at->i].scale;
  w->width = extent[at->j].scale;
  w->channels = extent[at->c].scale;
  w->outputs = extent[at->o].scale;
  if (!dim_equal(extent[at->r], extent[at->s])) return false;
  w->filter = (int)extent[at->r].scale;
  w->tile = WINOGRAD_WINDOW + 1 - w->filter;
  return is_number(extent[at->r], 3) || is_number(extent[at->r], 5);
}

static bool has_roles(const Graph *g, const Node *node, const Roles *at, Winograd *w) {
  int64_t image_rows, image_columns, rows = 1, columns = 1;
  if (!set_extents(node->index, at, w) || !read_images(g, node, at, w, &image_rows, &image_columns)) return false;
  if (w->gradient) return image_rows == 1 && image_columns == 1 && read_gradients(g, node, at, w);
  if (!read_weights(node, at, w, &rows, &columns)) return false;
  w->turn_rows = image_rows != rows;
  w->turn_columns = image_columns != columns;
  return true;
}

bool winograd_analyse(const Graph *g, const Node *node, Winograd *w) {
  Product p = product_analyse(g, node);
  if (p.needs || node->index->n_out != 4 || node->index->n_red != 3) return false;
  static const int orders[6][3] = {{4, 5, 6}, {4, 6, 5}, {5, 4, 6}, {5, 6, 4}, {6, 4, 5}, {6, 5, 4}};
  for (int k = 0; k < 6; k++) {
    const int *red = orders[k];
    Winograd forward = {.images = p.a, .other = p.b}, gradient = {.gradient = true, .images = p.a, .other = p.b};
    Roles at = {.n = 0, .i = 1, .j = 2, .o = 3, .r = red[0], .s = red[1], .c = red[2]};
    if (has_roles(g, node, &at, &forward)) return *w = forward, true;
    Roles of_weights = {.r = 0, .s = 1, .c = 2, .o = 3, .n = red[0], .i = red[1], .j = red[2]};
    // A chunk is of images, so they are the first reduced index.
    if (red[0] == 4 && has_roles(g, node, &of_weights, &gradient)) return *w = gradient, true;
  }
  return false;
}

// Tiles of an image.
static int64_t tiles_of(const Winograd *w) {
  int64_t rows = (w->height + w->tile - 1) / w->tile;
  return rows * ((w->width + w->tile - 1) / w->tile);
}

// ---- the choice -----------------------------------------------------------------------------------------------------

bool winograd_pays(const Winograd *w) {
  if (w->channels < WINOGRAD_MIN_CHANNELS || w->outputs < WINOGRAD_MIN_CHANNELS) return false;
  if (w->channels * w->outputs < MIN_PRODUCTS) return false;
  if (w->height < MIN_SIDE || w->width < MIN_SIDE) return false;
  int64_t direct = w->height * w->width * w->filter * w->filter;
  return 4 * tiles_of(w) * WINOGRAD_POINTS <= 3 * direct;
}

Graph *pass_winograd(PassContext *ctx, const Graph *g) {
  if (ctx->direct) return (Graph *)g;
  Graph *to = graph_twin(g);
  for (NodeId id = 0; (size_t)id < g->n_nodes; id++) {
    const Node *node = graph_node(g, id);
    Winograd w;
    if (!winograd_analyse(g, node, &w) || !winograd_pays(&w)) continue;
    if (w.gradient || node->index->order.chunk == 0) graph_own_index(to, id)->order.winograd = w.tile;
  }
  return to;
}
