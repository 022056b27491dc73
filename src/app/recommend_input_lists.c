/* The file of `eddy recommend --input-lists`, and its answers. */
#include <string.h>

#include "app/recommend_lists.h"
#include "app/recommend_ranking.h"
#include "core/csv.h"
#include "core/event.h"
#include "core/text.h"
#include "io/files.h"

static int fail_at(const struct eddy_csv *csv, const char *column, const char *why,
                   struct eddy_err *err)
{
    return eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column %s: %s", csv->name,
                     (unsigned long long)csv->line, column, why);
}

static int add_line(struct eddy_ranking *ranking, const struct eddy_csv *csv,
                    struct eddy_span user, struct eddy_span items, struct eddy_err *err)
{
    if (user.size == 0 || user.size > EDDY_ID_MAX)
        return fail_at(csv, "USER_ID", "1 to 256 bytes are allowed", err);
    if (items.size == 0)
        return fail_at(csv, "ITEM_IDS", "empty; write ids joined by |", err);
    bool fine = eddy_ranking_add_list(ranking, user);
    for (size_t at = 0; fine && at <= items.size;) {
        const char *bar = memchr(items.data + at, '|', items.size - at);
        size_t end = bar ? (size_t)(bar - items.data) : items.size;
        if (end == at || end - at > EDDY_ID_MAX)
            return fail_at(csv, "ITEM_IDS", "an id of 0 or more than 256 bytes", err);
        fine = eddy_ranking_add_item(ranking,
                                     (struct eddy_span){items.data + at, end - at});
        at = end + 1;
    }
    return fine ? 0
                : eddy_fail(err, EDDY_ENOMEM, "%s:%llu: no memory for the list",
                            csv->name, (unsigned long long)csv->line);
}

int eddy_ranking_read(struct eddy_ranking *ranking, const char *path,
                      struct eddy_err *err)
{
    struct eddy_file file;
    struct eddy_csv csv;
    uint32_t user = EDDY_ITEM_NONE, items = EDDY_ITEM_NONE;
    int r = eddy_file_open(path, &file, err);
    if (r < 0)
        return r;
    eddy_csv_init(&csv, file.bytes, path);
    r = eddy_csv_next(&csv, err);
    for (uint32_t i = 0; r == 1 && i < csv.count; i++) {
        if (eddy_span_eq_nocase(csv.fields[i], eddy_span_of("USER_ID")))
            user = i;
        if (eddy_span_eq_nocase(csv.fields[i], eddy_span_of("ITEM_IDS")))
            items = i;
    }
    uint32_t columns = csv.count;
    if (r >= 0 && (user == EDDY_ITEM_NONE || items == EDDY_ITEM_NONE))
        r = eddy_fail(err, EDDY_EFORMAT,
                      "%s:1: Input CSV is missing the following columns:[%s%s%s]",
                      csv.name, user == EDDY_ITEM_NONE ? "USER_ID" : "",
                      user == items ? ", " : "",
                      items == EDDY_ITEM_NONE ? "ITEM_IDS" : "");
    while (r >= 0 && (r = eddy_csv_next(&csv, err)) == 1) {
        if (csv.count != columns)
            r = eddy_fail(err, EDDY_EFORMAT, "%s:%llu: %u fields, the header has %u",
                          csv.name, (unsigned long long)csv.line, csv.count, columns);
        else
            r = add_line(ranking, &csv, csv.fields[user], csv.fields[items], err);
    }
    eddy_csv_fini(&csv);
    eddy_file_close(&file);
    return r;
}

void eddy_ranking_put(const struct eddy_ranking *ranking, struct eddy_buf *out)
{
    for (uint32_t l = 0; l < eddy_ranking_count(ranking); l++) {
        uint32_t count;
        struct eddy_span user;
        const struct eddy_ranked *list = eddy_ranking_list(ranking, l, &count, &user);
        for (uint32_t i = 0; i < count; i++) {
            eddy_lists_put_id(user, out);
            eddy_buf_printf(out, "\t%u\t", i + 1);
            eddy_lists_put_id(list[i].id, out);
            eddy_buf_putc(out, '\t');
            if (list[i].item != EDDY_ITEM_NONE)
                eddy_buf_put_fixed(out, list[i].share, 7);
            eddy_buf_putc(out, '\n');
        }
    }
}
