/* Layer: core.  Context of an event: what was so at the moment (device, region, hour), as up
 * to five named values beside item and type. In interactions files these are the columns
 * that are not Amazon's own, in events the map `context`.
 *
 * States and rows keep a value by hashes: they outlive the model that reads them, and the
 * next one may know columns and values that the present one does not. */
#ifndef EDDY_CORE_CONTEXT_H
#define EDDY_CORE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    EDDY_CONTEXT_MAX = 5, /* columns, as Amazon's metadata of interactions */
    EDDY_CONTEXT_NAME_MAX = 150,
    EDDY_CONTEXT_TEXT_MAX = 1000 /* characters */
};

struct eddy_context {
    uint32_t column; /* eddy_context_column of its name */
    uint32_t text;   /* low 32 bits of eddy_hash64 of the value's text; not 0 */
    float number;    /* the value where its text is a number, else NaN */
};

/* Hash of a column's name without case and '_': DEVICE_TYPE of a file is deviceType of an
 * event. */
uint32_t eddy_context_column(struct eddy_span name);
/* Whether a value has at most EDDY_CONTEXT_TEXT_MAX characters (of UTF-8). */
bool eddy_context_fits(struct eddy_span text);
/* The value `text` of a column. */
struct eddy_context eddy_context_of(uint32_t column, struct eddy_span text);

/* What the network sees of a context, by place of the columns in its vocabulary: index of the
 * feature plus 1; 0: absent, or of a column that the model does not know. */
struct eddy_context_row {
    uint16_t feature[EDDY_CONTEXT_MAX];
};
bool eddy_context_row_is_empty(const struct eddy_context_row *row);

#endif
