/* SVG by hand: a few hundred bytes per line, no script, no font, no network.
 *
 * Coordinates are in a fixed box that the browser scales. Classes s0, s1, ... are the
 * series; the style sheet of the page (app/eval_report.c) says what they look like. */
#include "app/eval_plot.h"

#include <math.h>
#include <string.h>

enum {
    WIDTH = 640,
    HEIGHT = 300,
    LEFT = 62,
    RIGHT = 16,
    TOP = 14,
    BOTTOM = 48,
    ROW = 30,    /* of an interval chart */
    NAMES = 168, /* width of its names */
    NUMBERS = 74,
};

void eddy_html_text(struct eddy_buf *out, const char *text)
{
    for (; *text != 0; text++) {
        switch (*text) {
        case '&': eddy_buf_puts(out, "&amp;"); break;
        case '<': eddy_buf_puts(out, "&lt;"); break;
        case '>': eddy_buf_puts(out, "&gt;"); break;
        case '"': eddy_buf_puts(out, "&quot;"); break;
        case '\'': eddy_buf_puts(out, "&#39;"); break;
        default: eddy_buf_putc(out, *text);
        }
    }
}

/* A step of 1, 2 or 5 times a power of ten with at most `most` of them up to the top. */
static double tick_step(double top, int most)
{
    double step = pow(10, floor(log10(top / most)));
    if (top / (step * 1) <= most)
        return step;
    if (top / (step * 2) <= most)
        return step * 2;
    return top / (step * 5) <= most ? step * 5 : step * 10;
}

static int tick_digits(double step)
{
    int digits = 0;
    while (digits < 6 && step < 0.999) {
        step *= 10;
        digits++;
    }
    return digits;
}

struct scale {
    double top, step;
};

static struct scale scale_to(double most)
{
    struct scale scale = {.top = most > 0 ? most * 1.04 : 1};
    scale.step = tick_step(scale.top, 6);
    scale.top = ceil(scale.top / scale.step) * scale.step;
    return scale;
}

static double x_of(const struct eddy_plot *plot, uint32_t point)
{
    double inner = WIDTH - LEFT - RIGHT;
    return LEFT + inner * (point + 0.5) / plot->points;
}

static double y_of(struct scale scale, double value)
{
    double inner = HEIGHT - TOP - BOTTOM;
    value = value < 0 ? 0 : value;
    return TOP + inner * (1 - value / scale.top);
}

static void put_axes(const struct eddy_plot *plot, struct scale scale,
                     struct eddy_buf *out)
{
    uint32_t every = plot->points / 16 + 1;
    for (double tick = 0; tick < scale.top * 1.0001; tick += scale.step) {
        eddy_buf_printf(out,
                        "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" "
                        "y2=\"%.1f\"/><text class=\"tick end\" x=\"%d\" y=\"%.1f\">"
                        "%.*f</text>\n",
                        LEFT, WIDTH - RIGHT, y_of(scale, tick), y_of(scale, tick),
                        LEFT - 7, y_of(scale, tick) + 4, tick_digits(scale.step), tick);
    }
    for (uint32_t p = 0; p < plot->points; p += every) {
        eddy_buf_printf(out, "<text class=\"tick mid\" x=\"%.1f\" y=\"%d\">",
                        x_of(plot, p), HEIGHT - BOTTOM + 17);
        eddy_html_text(out, plot->labels[p]);
        eddy_buf_puts(out, "</text>\n");
    }
    eddy_buf_printf(out, "<text class=\"axis mid\" x=\"%d\" y=\"%d\">",
                    (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 8);
    eddy_html_text(out, plot->x_title);
    eddy_buf_printf(out,
                    "</text>\n<text class=\"axis mid\" transform=\"translate(14 %d) "
                    "rotate(-90)\">",
                    (HEIGHT - BOTTOM + TOP) / 2);
    eddy_html_text(out, plot->y_title);
    eddy_buf_puts(out, "</text>\n");
}

static void put_line(const struct eddy_plot *plot, struct scale scale, uint32_t at,
                     struct eddy_buf *out)
{
    const struct eddy_plot_line *line = &plot->lines[at];
    if (line->band) {
        eddy_buf_printf(out, "<polygon class=\"band s%u\" points=\"", at);
        for (uint32_t p = 0; p < plot->points; p++)
            eddy_buf_printf(out, "%.1f,%.1f ", x_of(plot, p),
                            y_of(scale, line->points[p].high));
        for (uint32_t p = plot->points; p-- > 0;)
            eddy_buf_printf(out, "%.1f,%.1f ", x_of(plot, p),
                            y_of(scale, line->points[p].low));
        eddy_buf_puts(out, "\"/>\n");
    }
    eddy_buf_printf(out, "<polyline class=\"line s%u\" points=\"", at);
    for (uint32_t p = 0; p < plot->points; p++)
        eddy_buf_printf(out, "%.1f,%.1f ", x_of(plot, p),
                        y_of(scale, line->points[p].mean));
    eddy_buf_puts(out, "\"/>\n");
    for (uint32_t p = 0; p < plot->points; p++) {
        eddy_buf_printf(out,
                        "<circle class=\"dot s%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">"
                        "<title>",
                        at, x_of(plot, p), y_of(scale, line->points[p].mean),
                        at == 0 ? "3.6" : "2.4");
        eddy_html_text(out, line->name);
        eddy_buf_printf(out, ", %s: %.4f [%.4f, %.4f]", plot->labels[p],
                        line->points[p].mean, line->points[p].low,
                        line->points[p].high);
        if (plot->hints != NULL) {
            eddy_buf_puts(out, ", ");
            eddy_html_text(out, plot->hints[p]);
        }
        eddy_buf_puts(out, "</title></circle>\n");
    }
}

static void put_legend(const struct eddy_plot *plot, struct eddy_buf *out)
{
    if (plot->line_count < 2)
        return;
    eddy_buf_puts(out, "<p class=\"legend\">");
    for (uint32_t at = 0; at < plot->line_count; at++) {
        eddy_buf_printf(out,
                        "<span><svg width=\"26\" height=\"10\" viewBox=\"0 0 26 10\" "
                        "aria-hidden=\"true\"><line class=\"line s%u\" x1=\"1\" "
                        "x2=\"25\" y1=\"5\" y2=\"5\"/></svg> ",
                        at);
        eddy_html_text(out, plot->lines[at].name);
        eddy_buf_puts(out, "</span> ");
    }
    eddy_buf_puts(out, "</p>\n");
}

void eddy_plot_lines(const struct eddy_plot *plot, struct eddy_buf *out)
{
    double most = 0;
    if (plot->points < 2)
        return;
    for (uint32_t at = 0; at < plot->line_count; at++)
        for (uint32_t p = 0; p < plot->points; p++) {
            const struct eddy_estimate *point = &plot->lines[at].points[p];
            double high = plot->lines[at].band ? point->high : point->mean;
            /* A point of few queries must not flatten the chart. */
            if (high > point->mean * 1.5)
                high = point->mean * 1.5;
            most = high > most ? high : most;
        }
    struct scale scale = scale_to(most);
    eddy_buf_puts(out, "<figure>\n<figcaption>");
    eddy_html_text(out, plot->title);
    eddy_buf_puts(out, "</figcaption>\n");
    eddy_buf_printf(out,
                    "<svg class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
                    "<clipPath id=\"inner\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
                    "height=\"%d\"/></clipPath>\n",
                    WIDTH, HEIGHT, LEFT, TOP - 6, WIDTH - LEFT - RIGHT,
                    HEIGHT - TOP - BOTTOM + 12);
    put_axes(plot, scale, out);
    eddy_buf_puts(out, "<g clip-path=\"url(#inner)\">\n");
    for (uint32_t at = plot->line_count; at-- > 0;)
        put_line(plot, scale, at, out);
    eddy_buf_puts(out, "</g>\n</svg>\n");
    put_legend(plot, out);
    eddy_buf_puts(out, "</figure>\n");
}

void eddy_plot_intervals(const char *title, const struct eddy_plot_bar *bars,
                         uint32_t count, struct eddy_buf *out)
{
    double most = 0, inner = WIDTH - NAMES - NUMBERS;
    int height = (int)count * ROW + 34;
    for (uint32_t i = 0; i < count; i++)
        most = bars[i].estimate.high > most ? bars[i].estimate.high : most;
    struct scale scale = scale_to(most);
    eddy_buf_puts(out, "<figure>\n<figcaption>");
    eddy_html_text(out, title);
    eddy_buf_printf(out,
                    "</figcaption>\n<svg class=\"plot\" viewBox=\"0 0 %d %d\" "
                    "role=\"img\">\n",
                    WIDTH, height);
    for (double tick = 0; tick < scale.top * 1.0001; tick += scale.step)
        eddy_buf_printf(out,
                        "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"4\" "
                        "y2=\"%d\"/><text class=\"tick mid\" x=\"%.1f\" y=\"%d\">%.*f"
                        "</text>\n",
                        NAMES + inner * tick / scale.top,
                        NAMES + inner * tick / scale.top, height - 26,
                        NAMES + inner * tick / scale.top, height - 8,
                        tick_digits(scale.step), tick);
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_estimate e = bars[i].estimate;
        double y = 4 + ROW * (i + 0.5);
        eddy_buf_printf(out, "<text class=\"name end%s\" x=\"%d\" y=\"%.1f\">",
                        i == 0 ? " own" : "", NAMES - 12, y + 4);
        eddy_html_text(out, bars[i].name);
        eddy_buf_printf(out,
                        "</text><line class=\"interval %s\" x1=\"%.1f\" x2=\"%.1f\" "
                        "y1=\"%.1f\" y2=\"%.1f\"/><circle class=\"dot %s\" cx=\"%.1f\" "
                        "cy=\"%.1f\" r=\"5\"/><text class=\"name%s\" x=\"%d\" "
                        "y=\"%.1f\">%.4f</text>\n",
                        i == 0 ? "s0" : "other", NAMES + inner * e.low / scale.top,
                        NAMES + inner * e.high / scale.top, y, y,
                        i == 0 ? "s0" : "other", NAMES + inner * e.mean / scale.top, y,
                        i == 0 ? " own" : "", WIDTH - NUMBERS + 14, y + 4, e.mean);
    }
    eddy_buf_puts(out, "</svg>\n</figure>\n");
}
