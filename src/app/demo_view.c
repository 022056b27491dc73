/* The frame is drawn from the top each time: cursor home, lines that erase their own tail,
 * nothing flickers and nothing is left behind when a line gets shorter. */
#include "app/demo_view.h"

#include <stdio.h>

static const char *ansi_code(bool ansi, const char *code)
{
    return ansi ? code : "";
}

#define BOLD  ansi_code(ansi, "\033[1m")
#define DIM   ansi_code(ansi, "\033[2m")
#define GREEN ansi_code(ansi, "\033[32m")
#define CYAN  ansi_code(ansi, "\033[36m")
#define PLAIN ansi_code(ansi, "\033[0m")

void eddy_view_put_cell(struct eddy_buf *out, const char *text, uint32_t columns)
{
    uint32_t used = 0;
    const char *at = text;
    while (*at && used < columns) {
        size_t size = 1;
        while (((unsigned char)at[size] & 0xC0) == 0x80)
            size++;
        bool last_column = used + 1 == columns && at[size] != '\0';
        eddy_buf_put(out, last_column ? "\xE2\x80\xA6" : at, last_column ? 3 : size);
        at += size;
        used++;
    }
    for (; used < columns; used++)
        eddy_buf_putc(out, ' ');
}

static void end_line(struct eddy_buf *out, bool ansi)
{
    eddy_buf_puts(out, ansi ? "\033[K\n" : "\n");
}

static void put_rule(struct eddy_buf *out, uint32_t columns, bool ansi)
{
    eddy_buf_puts(out, DIM);
    for (uint32_t i = 0; i < columns; i++)
        eddy_buf_puts(out, "\xE2\x94\x80");
    eddy_buf_puts(out, PLAIN);
    end_line(out, ansi);
}

static void put_head(const struct eddy_view_frame *frame, bool ansi,
                     struct eddy_buf *out)
{
    eddy_buf_printf(out, "%seddy demo%s  %3.0f s", BOLD, PLAIN, frame->seconds);
    if (frame->seconds_total > 0)
        eddy_buf_printf(out, " of %.0f", frame->seconds_total);
    eddy_buf_printf(out, "   Ctrl-C ends");
    if (frame->api[0])
        eddy_buf_printf(out, "   http://%s", frame->api);
    end_line(out, ansi);
    eddy_buf_printf(
        out,
        "%s%.0f%s events/s   %s%.0f%s lists/s   %llu users   click \xE2\x86\x92 "
        "list in Redis: p50 %s%.1f ms%s, p99 %s%.1f ms%s",
        BOLD, frame->events_per_s, PLAIN, BOLD, frame->lists_per_s, PLAIN,
        (unsigned long long)frame->users, BOLD, frame->fresh_p50_ms, PLAIN, BOLD,
        frame->fresh_p99_ms, PLAIN);
    end_line(out, ansi);
    if (frame->agreement >= 0) {
        eddy_buf_printf(
            out,
            "lists in the genre of the last clicks: %s%.0f %%%s   (of anybody "
            "else's clicks: %.0f %%)",
            BOLD, 100 * frame->agreement, PLAIN, 100 * frame->chance);
        end_line(out, ansi);
    }
}

static void put_user_line(const struct eddy_view_user *user, uint32_t row,
                          uint32_t half, bool ansi, struct eddy_buf *out)
{
    enum { GROUP = 9 };
    uint32_t title = half > GROUP + 6 ? half - GROUP - 4 : 10;
    if (row < user->click_count) {
        const struct eddy_view_line *click = &user->clicks[row];
        eddy_buf_puts(out, row == 0 ? CYAN : "");
        eddy_buf_puts(out, row == 0 ? "> " : "  ");
        eddy_view_put_cell(out, click->title, title);
        eddy_buf_putc(out, ' ');
        eddy_buf_puts(out, PLAIN);
        eddy_buf_puts(out, DIM);
        eddy_view_put_cell(out, click->group, GROUP);
        eddy_buf_puts(out, PLAIN);
        eddy_buf_putc(out, ' ');
    } else {
        eddy_view_put_cell(out, "", title + GROUP + 4);
    }
    if (row < user->item_count) {
        const struct eddy_view_line *item = &user->items[row];
        eddy_buf_printf(out, "%s%s%2u ", item->fresh ? GREEN : "",
                        item->fresh ? "+" : " ", row + 1);
        eddy_view_put_cell(out, item->title, title > 3 ? title - 3 : title);
        eddy_buf_puts(out, PLAIN);
        eddy_buf_putc(out, ' ');
        eddy_buf_puts(out, DIM);
        eddy_view_put_cell(out, item->group, GROUP);
        eddy_buf_puts(out, PLAIN);
    }
    end_line(out, ansi);
}

void eddy_view_render(const struct eddy_view_frame *frame, uint32_t columns,
                      uint32_t rows, bool ansi, struct eddy_buf *out)
{
    uint32_t width = columns < 60 ? 60 : columns > 132 ? 132 : columns;
    uint32_t half = width / 2, used = 3;
    put_head(frame, ansi, out);
    for (uint32_t u = 0; u < frame->user_count; u++) {
        const struct eddy_view_user *user = &frame->user[u];
        if (used + 2 + EDDY_VIEW_ITEMS > rows)
            break;
        used += 2 + EDDY_VIEW_ITEMS;
        put_rule(out, width - 1, ansi);
        char name[96];
        (void)snprintf(name, sizeof name, "%.47s  last clicks", user->id);
        eddy_buf_puts(out, BOLD);
        eddy_view_put_cell(out, name, half - 1);
        eddy_buf_puts(out, " the list in Redis now");
        eddy_buf_puts(out, PLAIN);
        eddy_buf_printf(out, "  %srevision %llu   + new%s", DIM,
                        (unsigned long long)user->revision, PLAIN);
        end_line(out, ansi);
        for (uint32_t row = 0; row < EDDY_VIEW_ITEMS; row++)
            put_user_line(user, row, half, ansi, out);
    }
    if (ansi)
        eddy_buf_puts(out, "\033[J");
}
