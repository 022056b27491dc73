/* Rows of interactions from CSV text, for tests of what works on rows. A text that is
 * refused fails the case and prints why. */
#ifndef EDDY_TESTS_LOG_ROWS_H
#define EDDY_TESTS_LOG_ROWS_H

#include "base/buf.h"
#include "check.h"
#include "core/interactions.h"

static inline struct eddy_interactions rows_of_span(struct eddy_span text,
                                                    const struct eddy_catalog *items)
{
    struct eddy_interactions_options options = {.items = items};
    struct eddy_interactions in = {0};
    struct eddy_err err = {0};
    CHECK_INT(eddy_interactions_parse(text, "rows.csv", &options, &in, &err), 0);
    CHECK_STR(err.text, "");
    return in;
}

static inline struct eddy_interactions rows_of_text(const char *text)
{
    return rows_of_span(eddy_span_of(text), NULL);
}

/* CSV with its header, to write rows behind. */
static inline struct eddy_buf csv_begin(const char *header)
{
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, header);
    return csv;
}

/* Frees the text. items: whose indices the rows get; NULL: in order of appearance. */
static inline struct eddy_interactions rows_of_csv(struct eddy_buf *csv,
                                                   const struct eddy_catalog *items)
{
    struct eddy_interactions in = rows_of_span(eddy_buf_span(csv), items);
    eddy_buf_fini(csv);
    return in;
}

#endif
