/* Layer: app.  Line charts and interval charts as inline SVG for the page of eddy eval:
 * colours and fonts come from the page's style sheet, so that they follow light and dark. */
#ifndef EDDY_APP_EVAL_PLOT_H
#define EDDY_APP_EVAL_PLOT_H

#include "base/buf.h"
#include "core/evaluate.h"

struct eddy_plot_line {
    const char *name;
    const struct eddy_estimate *points; /* (plot->points) */
    bool band;                          /* draw the intervals */
};
struct eddy_plot {
    const char *title, *x_title, *y_title; /* plain text */
    const char *const *labels;             /* of the x axis (points) */
    const char *const *hints;              /* shown on hover (points), NULL: none */
    uint32_t points;
    const struct eddy_plot_line *lines; /* the first one is drawn heavy, on top */
    uint32_t line_count;
};
/* A chart with a legend; nothing with less than two points. y begins at 0. */
void eddy_plot_lines(const struct eddy_plot *plot, struct eddy_buf *out);

struct eddy_plot_bar {
    const char *name;
    struct eddy_estimate estimate;
};
/* One row per bar: a dot, its interval, its number; x begins at 0. */
void eddy_plot_intervals(const char *title, const struct eddy_plot_bar *bars,
                         uint32_t count, struct eddy_buf *out);

/* text with & < > and quotes written as HTML wants them. */
void eddy_html_text(struct eddy_buf *out, const char *text);

#endif
