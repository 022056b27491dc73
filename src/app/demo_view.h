/* Layer: app.  What `eddy demo` shows on a terminal: figures on top, below them a few users,
 * their last clicks on the left and their list on the right, what is new in it marked.
 * Rendering is a pure function of the frame: text out, no terminal calls. */
#ifndef EDDY_APP_DEMO_VIEW_H
#define EDDY_APP_DEMO_VIEW_H

#include <stdint.h>

#include "base/buf.h"

enum { EDDY_VIEW_CLICKS = 6, EDDY_VIEW_ITEMS = 8, EDDY_VIEW_USERS = 3 };

struct eddy_view_line {
    char title[72];
    char group[20]; /* genre or category, "" when unknown */
    bool fresh;     /* click: not yet in a list; item: was not in the list before */
};

struct eddy_view_user {
    char id[48];
    struct eddy_view_line clicks[EDDY_VIEW_CLICKS]; /* newest first */
    struct eddy_view_line items[EDDY_VIEW_ITEMS];   /* best first */
    uint32_t click_count, item_count;
    uint64_t revision;
};

struct eddy_view_frame {
    double seconds, seconds_total; /* total 0: until stopped */
    double events_per_s, lists_per_s;
    uint64_t events, lists, users;
    double fresh_p50_ms, fresh_p99_ms;
    double agreement,
        chance;   /* share of list items of the clicked genre; -1: unknown */
    char api[64]; /* address of the HTTP API, "" when there is none */
    uint32_t user_count;
    struct eddy_view_user user[EDDY_VIEW_USERS];
};

/* Append one frame, columns wide (at least 60) and at most rows lines; color: ANSI colours
 * allowed. Every line ends with erase-to-end and newline when ansi, else plain. */
void eddy_view_render(const struct eddy_view_frame *frame, uint32_t columns,
                      uint32_t rows, bool ansi, struct eddy_buf *out);

/* At most columns terminal columns of text, padded with blanks (UTF-8 aware: one code point
 * counts one column). */
void eddy_view_put_cell(struct eddy_buf *out, const char *text, uint32_t columns);

#endif
