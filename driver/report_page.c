// dlc report: one page about a run, or several compared; everything is inside it, nothing is fetched.
#include "report_page.h"

#include <math.h>
#include <string.h>

#include "commands.h"

// ---- the page's parts -----------------------------------------------------------------------------------------------

static void add_style(Text *out) {
  text_printf(out, "<style>%s", svg_style());
  text_add(
      out,
      "*{box-sizing:border-box}body{margin:0 auto;max-width:1240px;padding:20px;background:var(--paper);"
      "color:var(--ink);font:14px/1.5 system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
      "h1{font-size:22px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 8px}h3{font-size:14px;margin:8px 0}"
      ".small{color:var(--soft);font-size:12px;margin:0 0 8px}"
      ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:14px}"
      ".charts>div{background:var(--card);border-radius:8px;padding:10px}.charts svg{width:100%;height:auto}"
      ".two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,540px),1fr));gap:20px}"
      ".two>div{min-width:0}.wide svg{max-width:100%;height:auto}"
      ".layers{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,360px),1fr));gap:12px 24px}"
      ".layers svg{width:100%;height:auto}.pair{display:grid;grid-template-columns:1fr 1fr;gap:14px}"
      ".layers .small,.row .small{margin:0;overflow-wrap:anywhere}.row{display:grid;gap:8px;grid-auto-flow:column;"
      "grid-auto-columns:minmax(84px,1fr);overflow-x:auto}.row svg{width:100%;height:auto}.row svg text{font-size:15px}"
      "dl{display:flex;flex-wrap:wrap;gap:6px 22px;margin:8px 0}dt{font-size:12px;color:var(--soft)}"
      "dd{margin:0;font-variant-numeric:tabular-nums}.mistakes{display:grid;gap:10px;"
      "grid-template-columns:repeat(auto-fill,minmax(92px,1fr))}figure{margin:0}"
      "figure img{width:84px;height:84px;object-fit:contain;image-rendering:pixelated;background:#888;"
      "border-radius:4px}figcaption{font-size:11px;line-height:1.35;color:var(--soft)}"
      ".table{overflow-x:auto}table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}"
      "th{text-align:left;font-weight:400;color:var(--soft);white-space:nowrap}td,th{padding:3px 14px 3px 0;"
      "border-bottom:1px solid var(--line)}tr th:first-child{color:var(--ink)}"
      "pre{background:var(--card);padding:14px;border-radius:8px;overflow-x:auto;font-size:12.5px}"
      "</style>\n");
}

static void add_charts(const RunLog *runs, int n_runs, Text *out) {
  int count;
  SvgChart *charts = report_curves(out->arena, runs, n_runs, &count);
  text_add(out, "<section><h2>Curves</h2><div class=\"charts\">\n");
  for (int k = 0; k < count; k++) {
    text_add(out, "<div>");
    svg_chart(&charts[k], 0, out);
    text_add(out, "</div>\n");
  }
  text_add(out, "</div></section>\n");
}

static void add_program(const RunLog *run, Text *out) {
  if (!*run->program) return;
  text_add(out, "<section><h2>Program</h2><pre>");
  svg_add_escaped(out, run->program);
  text_add(out, "</pre></section>\n");
}

static void begin_page(const char *title, const char *below, Text *out) {
  text_add(out,
           "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
           "<meta name=\"color-scheme\" content=\"light dark\"><title>");
  svg_add_escaped(out, title);
  text_add(out, "</title>\n");
  add_style(out);
  text_add(out, "</head><body>\n<h1>");
  svg_add_escaped(out, title);
  text_add(out, "</h1><p class=\"small\">");
  svg_add_escaped(out, below);
  text_add(out, "</p>\n");
}

static void one_run(Session *s, const RunLog *run, Text *out) {
  const char *model = run_log_text(run->options, "model");
  begin_page(*model ? model : run->name, run->path, out);
  report_facts(run, out);
  add_charts(run, 1, out);
  report_histograms(run, out);
  report_predictions(s, run, out);
  add_program(run, out);
  text_add(out, "</body></html>\n");
}

static void several_runs(const RunLog *runs, int n_runs, Text *out) {
  begin_page(arena_printf(out->arena, "%d runs", n_runs), "drawn through: train; dashed: other splits; pale: batches",
             out);
  report_runs(runs, n_runs, out);
  add_charts(runs, n_runs, out);
  report_first_layers(runs, n_runs, out);
  text_add(out, "</body></html>\n");
}

// All charts, one below the other.
static void picture(const RunLog *runs, int n_runs, Text *out) {
  int count;
  SvgChart *charts = report_curves(out->arena, runs, n_runs, &count);
  text_printf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\"><style>%s</style>\n",
              SVG_CHART_WIDTH, SVG_CHART_HEIGHT * count, svg_style());
  text_add(out, "<rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n");
  for (int k = 0; k < count; k++) svg_chart(&charts[k], SVG_CHART_HEIGHT * k, out);
  text_add(out, "</svg>\n");
}

// ---- the command ----------------------------------------------------------------------------------------------------

static bool write_page(Session *s, const char *path, const Text *page) {
  int error = io_replace(s->io, s->arena, path, page->bytes, page->length);
  if (error) diag_error(s->sink, DIAG_E0651, SPAN_NONE, "cannot write '%s': %s", path, strerror(-error));
  return !error;
}

static int make_report(Session *s, const RunLog *runs, int n_runs) {
  const char *path = s->options.output, *ending = path ? strrchr(path, '.') : NULL;
  if (!path) path = arena_printf(s->arena, "%s/report.html", runs[0].path);
  Text page = text_new(s->arena);
  if (ending && !strcmp(ending, ".svg"))
    picture(runs, n_runs, &page);
  else if (n_runs == 1)
    one_run(s, &runs[0], &page);
  else
    several_runs(runs, n_runs, &page);
  if (!write_page(s, path, &page)) return STATUS_WRITE;
  text_printf(&s->out, "%s\n", path);
  return STATUS_DONE;
}

int command_report(Session *s) {
  int n = s->options.n_operands;
  RunLog *runs = arena_array(s->arena, (size_t)n, sizeof *runs);
  bool ok = true;
  int read = 0;
  while (ok && read < n) {
    ok = run_log_read(s, s->options.operands[read], &runs[read]);
    read++;
  }
  int status = ok ? make_report(s, runs, n) : STATUS_DATA;
  for (int k = 0; k < read; k++) run_log_free(&runs[k]);
  return status;
}
