// Declarations by name: the user's table hides the library's.
#include "elab_inside.h"

Globals *globals_new(Arena *arena, Globals *library, uint32_t file) {
  Globals *globals = arena_alloc(arena, sizeof *globals);
  *globals = (Globals){.arena = arena, .library = library, .file = file};
  return globals;
}

static Global *find_own(const Globals *globals, const char *name) {
  int place = hash_find(&globals->by_name, hash_text(name));
  return place < 0 ? NULL : &globals->items[place];
}

Global *globals_find(Globals *globals, const char *name) {
  Global *found = find_own(globals, name);
  return found || !globals->library ? found : find_own(globals->library, name);
}

static bool is_named(const Decl *decl) {
  return decl->kind == DECL_CONST || decl->kind == DECL_FN || decl->kind == DECL_MODEL || decl->kind == DECL_DATA;
}

static void report_twice(DiagSink *sink, const Decl *decl, const Decl *first) {
  uint32_t line, column;
  const Source *source = diag_source(sink, first->name->span.file);
  diag_position(source, first->name->span.begin, &line, &column);
  Diag *diag = diag_error(sink, DIAG_E0107, decl->name->span, "'%s' is declared twice", decl->name->text);
  diag_line(sink, diag, DIAG_NOTE, "first at %s:%u", source->path, line);
}

void globals_add(Globals *globals, DiagSink *sink, const Ast *ast) {
  for (const Decl *decl = ast->decls; decl; decl = decl->next) {
    if (!is_named(decl) || !decl->name) continue;
    Global *first = find_own(globals, decl->name->text);
    if (first) {
      report_twice(sink, decl, first->decl);
      continue;
    }
    globals->items =
        arena_grow(globals->arena, globals->items, globals->n_items, &globals->capacity, sizeof *globals->items);
    hash_add(globals->arena, &globals->by_name, hash_text(decl->name->text), (int)globals->n_items);
    globals->items[globals->n_items++].decl = decl;
  }
}

Global *elab_global(Elab *e, const char *name) {
  bool library = e->frame->library && e->globals->library;
  return globals_find(library ? e->globals->library : e->globals, name);
}
