/* Layer: core.  Attribute queries of segments:
 *   ITEMS.genres = "Comedy" AND ITEMS.genres = "Action"
 * `=` and AND only, as the service has it (PERSONALIZE 6.3). */
#ifndef EDDY_CORE_ATTRIBUTE_QUERY_H
#define EDDY_CORE_ATTRIBUTE_QUERY_H

#include <stdbool.h>

#include "core/catalog.h"

/* Which items of the catalogue satisfy all conditions. Column names are compared without
 * case and without what is no letter or digit (NUM_RATINGS = numRatings); a cell with
 * several values, joined by '|', satisfies `=` by any of them; numbers are compared as
 * numbers. ret: (items); *ret_count: how many. EDDY_EFORMAT says what does not belong there
 * and where, or which column is not known. Thread: any. */
int eddy_attribute_query(struct eddy_span text, const struct eddy_catalog *catalog,
                         bool *ret, uint32_t *ret_count, struct eddy_err *err);

#endif
