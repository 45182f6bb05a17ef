// Folders of images. A folder's own images are one split without labels; where it holds folders, each is a class. Sizes
// are made alike, images are cut into tiles, or each lies in the corner of a row; every image has the form (bits,
// channels) of the first one.
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "data_inside.h"
#include "image.h"

enum { MOST_FILE = 1 << 30 };

static const char *const endings[] = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm"};
enum { ENDINGS = sizeof endings / sizeof *endings };

typedef struct ImageFile {
  const char *path;
  int32_t label;
} ImageFile;

typedef struct ImageSet {
  const Opening *o;
  const ImagesSpec *spec;
  ImageFile *files;
  size_t n_files, capacity;
  bool labelled;
  Image form;             // of the first image: bits and channels, and the size where none is asked for
  int64_t height, width;  // of a row
  int64_t rows, row_bytes;
  char *pixels;
  int32_t *labels;
  float *sizes;  // [rows, 2]
} ImageSet;

// ---- which files ----------------------------------------------------------------------------------------------------

static bool is_image_name(const char *name) {
  size_t length = strlen(name);
  for (size_t k = 0; k < ENDINGS; k++) {
    size_t tail = strlen(endings[k]);
    if (length > tail && strcasecmp(name + length - tail, endings[k]) == 0 && name[0] != '.') return true;
  }
  return false;
}

static void add_file(ImageSet *set, const char *path, int32_t label) {
  set->files = arena_grow(set->o->arena, set->files, set->n_files, &set->capacity, sizeof *set->files);
  set->files[set->n_files++] = (ImageFile){path, label};
}

static void add_images(ImageSet *set, const char *folder, const char *const *names, size_t n, int32_t label) {
  for (size_t k = 0; k < n; k++)
    if (is_image_name(names[k])) add_file(set, arena_printf(set->o->arena, "%s/%s", folder, names[k]), label);
}

static int32_t class_of(const ImageSet *set, const char *name, int32_t next) {
  const SourceSpec *spec = set->o->spec;
  for (int k = 0; k < spec->n_class_names; k++)
    if (strcmp(spec->class_names[k], name) == 0) return k;
  return spec->n_class_names ? -1 : next;
}

// The folders in a folder, each a class.
static bool add_classes(ImageSet *set, const char *folder, const char *const *names, size_t n) {
  int32_t classes = 0;
  for (size_t k = 0; k < n; k++) {
    const char **inside;
    size_t count;
    if (names[k][0] == '.' || is_image_name(names[k])) continue;
    const char *path = arena_printf(set->o->arena, "%s/%s", folder, names[k]);
    int error = io_list(set->o->io, set->o->arena, path, &inside, &count);
    if (error == -ENOTDIR) continue;
    if (error) return data_unreadable(set->o, path, error);
    int32_t label = class_of(set, names[k], classes++);
    if (label < 0) return data_refuse(set->o, DIAG_E0416, path, "the folder is none of the classes");
    add_images(set, path, inside, count, label);
    set->labelled = true;
  }
  return true;
}

static bool add_folder(ImageSet *set, const char *folder, const char *const *names, size_t n) {
  size_t before = set->n_files;
  add_images(set, folder, names, n, 0);
  bool plain = set->n_files > before;
  if (!add_classes(set, folder, names, n)) return false;
  if (plain && set->labelled)
    return data_refuse(set->o, DIAG_E0416, folder, "it holds images beside folders of images");
  if (set->n_files > before) return true;
  return data_refuse(set->o, DIAG_E0416, folder, "it holds no images");
}

// The file of a name that may lack its ending.
static bool add_listed(ImageSet *set, const char *folder, const char *name) {
  const char *path = arena_printf(set->o->arena, "%s/%s", folder, name);
  if (is_image_name(name)) return add_file(set, path, 0), true;
  for (size_t k = 0; k < ENDINGS; k++) {
    const char *full = arena_printf(set->o->arena, "%s%s", path, endings[k]);
    int fd;
    int64_t size;
    if (io_open_read(set->o->io, full, &fd, &size)) continue;
    io_close(set->o->io, fd);
    return add_file(set, full, 0), true;
  }
  return data_refuse(set->o, DIAG_E0416, path, "there is no image of that name");
}

static bool add_list(ImageSet *set) {
  const char **names;
  size_t n;
  const char *folder = data_path(set->o, set->o->spec->files[0]), *list = data_path(set->o, set->spec->list);
  if (!csv_names(set->o, list, &names, &n)) return false;
  for (size_t k = 0; k < n; k++)
    if (!add_listed(set, folder, names[k])) return false;
  return true;
}

static bool find_files(ImageSet *set) {
  const SourceSpec *spec = set->o->spec;
  if (set->spec->list) return add_list(set);
  for (int k = 0; k < spec->n_files; k++) {
    const char *path = data_path(set->o, spec->files[k]);
    const char **names;
    size_t count;
    int error = io_list(set->o->io, set->o->arena, path, &names, &count);
    if (error && error != -ENOTDIR) return data_unreadable(set->o, path, error);
    if (error)
      add_file(set, path, 0);
    else if (!add_folder(set, path, names, count))
      return false;
  }
  return true;
}

// ---- reading them ---------------------------------------------------------------------------------------------------

static bool read_image(const ImageSet *set, Arena *arena, const ImageFile *file, bool header_only, Image *image) {
  char *bytes;
  size_t size;
  int error = io_read_file(set->o->io, arena, file->path, MOST_FILE, &bytes, &size);
  if (error) return data_unreadable(set->o, file->path, error);
  const char *why = image_decode(arena, (const unsigned char *)bytes, size, header_only, image);
  if (why) return data_refuse(set->o, DIAG_E0416, file->path, "%s", why);
  return true;
}

// Does it have the form of the first one?
static bool check_form(const ImageSet *set, const ImageFile *file, const Image *image) {
  const Image *form = &set->form;
  if (image->wide != form->wide)
    return data_refuse(set->o, DIAG_E0416, file->path, "it has %d bits a channel, the images before have %d",
                       image->wide ? 16 : 8, form->wide ? 16 : 8);
  if (!set->spec->channels && image->channels != form->channels) {
    data_refuse(set->o, DIAG_E0416, file->path, "it has %d channel%s, the images before have %d", image->channels,
                image->channels == 1 ? "" : "s", form->channels);
    diag_line(set->o->sink, set->o->sink->items[set->o->sink->n_items - 1], DIAG_HELP,
              "channels = 1 or channels = 3 makes them alike");
    return false;
  }
  if (set->spec->fit == FIT_CORNER && (image->height > set->height || image->width > set->width))
    return data_refuse(set->o, DIAG_E0416, file->path, "it is %lldx%lld, larger than the %lldx%lld of a row",
                       (long long)image->height, (long long)image->width, (long long)set->height,
                       (long long)set->width);
  if (set->spec->height || (image->height == form->height && image->width == form->width)) return true;
  data_refuse(set->o, DIAG_E0416, file->path, "it is %lldx%lld, the images before are %lldx%lld",
              (long long)image->height, (long long)image->width, (long long)form->height, (long long)form->width);
  diag_line(set->o->sink, set->o->sink->items[set->o->sink->n_items - 1], DIAG_HELP,
            "size = [height, width] makes them alike");
  return false;
}

static int64_t tiles_in(const ImageSet *set, const Image *image) {
  return (image->height / set->height) * (image->width / set->width);
}

// Goes over the headers: the form of all, and how many rows they are.
static bool measure(ImageSet *set) {
  Image image;
  for (size_t k = 0; k < set->n_files; k++) {
    if (k && set->spec->fit != FIT_TILES) break;
    Arena *own = arena_beside(set->o->arena);
    bool read = read_image(set, own, &set->files[k], true, &image);
    arena_free(own);
    if (!read) return false;
    if (k == 0) {
      set->form = image;
      if (set->spec->channels) set->form.channels = set->spec->channels;
      set->height = set->spec->height ? set->spec->height : image.height;
      set->width = set->spec->width ? set->spec->width : image.width;
    }
    set->rows += tiles_in(set, &image);
  }
  if (set->spec->fit != FIT_TILES) set->rows = (int64_t)set->n_files;
  set->row_bytes = set->height * set->width * set->form.channels * (set->form.wide ? 4 : 1);
  return true;
}

// The rectangle that becomes a row, and where in the row it lies.
static void place_image(const ImageSet *set, Arena *arena, const Image *image, char *to) {
  int64_t height = set->height, width = set->width, top = 0, left = 0;
  ImageWindow w = {0, 0, (double)image->height, (double)image->width};
  bool nearest = set->spec->nearest;
  double down = w.height / (double)height, across = w.width / (double)width;
  if (set->spec->fit == FIT_CROP) {
    double scale = down < across ? down : across;
    w = (ImageWindow){(w.height - scale * (double)height) / 2, (w.width - scale * (double)width) / 2,
                      scale * (double)height, scale * (double)width};
  } else if (set->spec->fit == FIT_PAD) {
    double scale = down > across ? down : across;
    height = (int64_t)(w.height / scale + 0.5);
    width = (int64_t)(w.width / scale + 0.5);
    height = height < 1 ? 1 : height;  // of a picture far from the row's form
    width = width < 1 ? 1 : width;
    top = (set->height - height) / 2;
    left = (set->width - width) / 2;
  } else if (set->spec->fit == FIT_CORNER) {
    height = image->height;
    width = image->width;
    nearest = true;
  }
  int64_t pixel = set->row_bytes / (set->height * set->width);
  image_resize(arena, image, &w, nearest, height, width, set->width, to + (top * set->width + left) * pixel);
}

static void add_row(const ImageSet *set, const ImageFile *file, const Image *image, int64_t row) {
  set->labels[row] = file->label;
  set->sizes[2 * row] = (float)image->height;
  set->sizes[2 * row + 1] = (float)image->width;
}

static int64_t add_tiles(const ImageSet *set, Arena *arena, const ImageFile *file, const Image *image, int64_t row) {
  for (int64_t y = 0; y < image->height / set->height; y++)
    for (int64_t x = 0; x < image->width / set->width; x++, row++) {
      ImageWindow w = {(double)(y * set->height), (double)(x * set->width), (double)set->height, (double)set->width};
      add_row(set, file, image, row);
      image_resize(arena, image, &w, true, set->height, set->width, set->width, set->pixels + row * set->row_bytes);
    }
  return row;
}

static bool add_image(const ImageSet *set, Arena *arena, const ImageFile *file, int64_t *row) {
  Image image;
  if (!read_image(set, arena, file, false, &image) || !check_form(set, file, &image)) return false;
  image_channels(arena, &image, set->form.channels);
  bool tiles = set->spec->fit == FIT_TILES;
  if (*row + (tiles ? tiles_in(set, &image) : 1) > set->rows)
    return data_refuse(set->o, DIAG_E0416, file->path, "the file has changed while it was read");
  if (tiles) {
    *row = add_tiles(set, arena, file, &image, *row);
  } else {
    add_row(set, file, &image, *row);
    place_image(set, arena, &image, set->pixels + *row * set->row_bytes);
    ++*row;
  }
  return true;
}

static bool read_images(ImageSet *set) {
  set->pixels = arena_array(set->o->arena, (size_t)set->rows, (size_t)set->row_bytes);
  set->labels = arena_array(set->o->arena, (size_t)set->rows, sizeof *set->labels);
  set->sizes = arena_array(set->o->arena, (size_t)set->rows, 2 * sizeof *set->sizes);
  int64_t row = 0;
  for (size_t k = 0; k < set->n_files; k++) {
    Arena *own = arena_beside(set->o->arena);
    bool done = add_image(set, own, &set->files[k], &row);
    arena_free(own);
    if (!done) return false;
  }
  set->rows = row;
  return true;
}

bool images_open(const Opening *o, DataSource *fields) {
  ImageSet set = {.o = o, .spec = &o->spec->images};
  if (!find_files(&set)) return false;
  if (set.n_files && !(measure(&set) && read_images(&set))) return false;
  int type = set.form.wide ? DATA_I32 : DATA_U8;
  fields[0] =
      (DataSource){{type, 3, {set.height, set.width, set.form.channels}, set.rows, set.row_bytes}, .rows = set.pixels};
  fields[1] = (DataSource){{.type = DATA_I32, .rows = set.rows, .row_bytes = 4}, .rows = (char *)set.labels};
  if (!set.labelled) fields[1].absent = "it has no labels: it holds no folders";
  fields[2] = (DataSource){{DATA_F32, 1, {2}, set.rows, 8}, .rows = (char *)set.sizes};
  return true;
}
