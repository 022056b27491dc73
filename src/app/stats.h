/* Layer: app.  `eddy stats` in three forms: text for a terminal, JSON, one HTML page. */
#ifndef EDDY_APP_STATS_H
#define EDDY_APP_STATS_H

#include "base/buf.h"
#include "core/insight.h"

struct eddy_stats {   /* all borrowed */
    const char *name; /* of the interactions file */
    const struct eddy_interactions *interactions;
    const struct eddy_insight *insight;
    const struct eddy_insight_table *log, *items, *users; /* NULL: not given */
    const char *first_bad; /* message of the first row that cannot be read, "" */
    const struct eddy_finding *findings;
    uint32_t finding_count;
};

struct eddy_stats_style {
    uint32_t columns; /* width of the terminal, 60 to 200 */
    bool unicode;     /* blocks for bars; else # */
    bool ansi;        /* bold headings */
};

/* Append the text. Failure is out->failed. */
void eddy_stats_put_text(const struct eddy_stats *stats,
                         const struct eddy_stats_style *style, struct eddy_buf *out);
/* Append one JSON object and a newline; the fields of eddy_stats_put_fields. */
void eddy_stats_put_json(const struct eddy_stats *stats, struct eddy_buf *out);
/* Append the list of JSON fields with their meaning, one a line. */
void eddy_stats_put_fields(struct eddy_buf *out);
/* Append one self-contained HTML page (no script, plots as SVG). */
void eddy_stats_put_html(const struct eddy_stats *stats, struct eddy_buf *out);

/* Findings about the log in a file of interactions alone, gravest first. EDDY_EIO,
 * EDDY_EFORMAT (no usable row), EDDY_ENOMEM. */
int eddy_stats_findings(const char *path,
                        struct eddy_finding ret[EDDY_INSIGHT_FINDINGS],
                        uint32_t *ret_count, struct eddy_err *err);

/* "1,234,567". */
const char *eddy_stats_number(uint64_t value, char out[32]);
/* "7 days", "1 day", "6 hours". */
const char *eddy_stats_period(int64_t ms, char out[32]);
/* "numeric", "text", "categorical", "id or time". */
const char *eddy_stats_kind(enum eddy_column_kind kind);
/* "too fast, too regular": of EDDY_ROBOT_ bits. */
const char *eddy_stats_reasons(unsigned reasons, char out[64]);

#endif
