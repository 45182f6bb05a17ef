// Drawings by Graphviz's program `dot`, which is looked for only when a picture is asked for.
#pragma once
#include "session.h"

// Writes a drawing of `dot`, a graph in Graphviz's language: FILE.svg, .png or .pdf by `dot`, FILE.dot the text itself.
// False after reporting: another ending (E0601), dot missing or failing, or a file that cannot be written (E0651).
bool graphviz_write(Session *session, const char *path, const char *dot);
// Text inside a quoted or HTML-like label, with &, <, > and quotes escaped.
void graphviz_add_escaped(Text *out, const char *text);
