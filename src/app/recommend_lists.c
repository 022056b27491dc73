#include "app/recommend_lists.h"

static bool is_plain(struct eddy_span id)
{
    unsigned special = 0;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        special |= (c == '\t') | (c == '\n') | (c == '\r') | (c == '\\');
    }
    return special == 0;
}

void eddy_lists_put_id(struct eddy_span id, struct eddy_buf *out)
{
    if (is_plain(id)) {
        eddy_buf_put(out, id.data, id.size);
        return;
    }
    for (size_t i = 0; i < id.size; i++) {
        switch (id.data[i]) {
        case '\t': eddy_buf_puts(out, "\\t"); break;
        case '\n': eddy_buf_puts(out, "\\n"); break;
        case '\r': eddy_buf_puts(out, "\\r"); break;
        case '\\': eddy_buf_puts(out, "\\\\"); break;
        default: eddy_buf_putc(out, id.data[i]); break;
        }
    }
}

/* Query, rank, item, score; the line goes on. */
static void put_item(const struct eddy_catalog *items, struct eddy_span query,
                     uint64_t n, uint32_t rank, uint32_t item, float score,
                     struct eddy_buf *out)
{
    eddy_lists_put_id(query, out);
    if (n > 0) {
        eddy_buf_putc(out, ':');
        eddy_buf_put_u64(out, n);
    }
    eddy_buf_putc(out, '\t');
    eddy_buf_put_u64(out, rank);
    eddy_buf_putc(out, '\t');
    eddy_lists_put_id(eddy_catalog_id(items, item), out);
    eddy_buf_putc(out, '\t');
    eddy_buf_put_fixed(out, (double)score, 6);
}

void eddy_lists_put(const struct eddy_catalog *items, struct eddy_span query,
                    uint64_t n, const struct eddy_scored *list, uint32_t count,
                    struct eddy_buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        put_item(items, query, n, i + 1, list[i].item, list[i].score, out);
        eddy_buf_putc(out, '\n');
    }
}

void eddy_lists_put_explored(const struct eddy_catalog *items, struct eddy_span query,
                             uint64_t n, const struct eddy_explored *list,
                             uint32_t count, struct eddy_buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        put_item(items, query, n, i + 1, list[i].item, list[i].score, out);
        eddy_buf_putc(out, '\t');
        eddy_buf_put_fixed(out, list[i].propensity, 9);
        eddy_buf_putc(out, '\n');
    }
}
