/* Layer: core.  Between the files of core/interactions.h. */
#ifndef EDDY_CORE_INTERACTIONS_PARTS_H
#define EDDY_CORE_INTERACTIONS_PARTS_H

#include "core/interactions.h"

/* Columns beside those of struct eddy_interaction: context and IMPRESSION. While a file is
 * read; what is kept goes into the eddy_interactions. */
struct eddy_extra {
    uint32_t at[EDDY_CONTEXT_MAX];
    uint32_t impression_at; /* EDDY_ITEM_NONE: no such column */
    uint64_t rows;          /* whose cells and shown items are there */
    uint64_t rows_room, shown_room;
};
/* From the header. 0, EDDY_EFORMAT, EDDY_ENOMEM. */
int eddy_extra_begin(struct eddy_extra *extra, const struct eddy_csv *csv,
                     struct eddy_interactions *data, struct eddy_err *err);
/* Whether the row's fields are good: else EDDY_EFORMAT, nothing has happened. */
int eddy_extra_check(const struct eddy_extra *extra, const struct eddy_csv *csv,
                     struct eddy_err *err);
/* Take the fields of file row `row`; rows before it that nobody took have nothing. 0,
 * EDDY_ENOMEM or EDDY_EIO. */
int eddy_extra_take(struct eddy_extra *extra, const struct eddy_csv *csv, uint64_t row,
                    struct eddy_interactions *data, struct eddy_err *err);
/* After the last row: `rows` of the file. */
int eddy_extra_end(struct eddy_extra *extra, uint64_t rows,
                   struct eddy_interactions *data, struct eddy_err *err);
/* What eddy_interactions_fini has to free of it. */
void eddy_extra_free(struct eddy_interactions *data);

#endif
