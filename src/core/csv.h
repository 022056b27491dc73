/* Layer: core.  CSV reader and writer (RFC 4180: quotes, doubled quotes, CRLF, a BOM; UTF-8 checked)
 * over borrowed bytes. Errors name line and column. */
#ifndef EDDY_CORE_CSV_H
#define EDDY_CORE_CSV_H

#include <stdint.h>

#include "base/buf.h"
#include "eddy/error.h"

enum { EDDY_CSV_COLUMNS_MAX = 256, EDDY_CSV_NAMES = 2048 };

struct eddy_csv {
    struct eddy_span bytes;
    size_t at;
    uint64_t line;      /* where the row read last begins, from 1 */
    uint64_t line_next; /* where the next one does */
    uint32_t count;     /* fields of the row read last */
    struct eddy_span fields[EDDY_CSV_COLUMNS_MAX]; /* valid until the next call */
    struct eddy_buf unquoted; /* holds fields that needed unquoting */
    const char *name;         /* file name for messages, borrowed */
    char names
        [EDDY_CSV_NAMES]; /* fields of the first row, for messages: 0 behind each */
    uint32_t names_size;
};

void eddy_csv_init(struct eddy_csv *csv, struct eddy_span bytes, const char *name);
void eddy_csv_fini(struct eddy_csv *csv);
/* 1: a row; 0: end; EDDY_EFORMAT with "NAME:LINE: field N (TITLE): ..." on a broken row,
 * after which the next call goes on with the next line. TITLE: of the first row, which is
 * taken for a header. Empty lines are skipped. */
int eddy_csv_next(struct eddy_csv *csv, struct eddy_err *err);

/* Append text as a field, in quotes where it needs them. */
void eddy_csv_put(struct eddy_buf *out, struct eddy_span text);

#endif
