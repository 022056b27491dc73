/* Layer: core.  Items: append-only index <-> id, with the metadata columns as they came.
 * Index order is the order of eddy_catalog_add and never changes. */
#ifndef EDDY_CORE_CATALOG_H
#define EDDY_CORE_CATALOG_H

#include <stdint.h>

#include "base/buf.h"
#include "eddy/error.h"

struct eddy_catalog;
#define EDDY_ITEM_NONE UINT32_MAX

/* NULL: memory. Owned: eddy_catalog_free. Thread: the owner's; any for the const ones. */
struct eddy_catalog *eddy_catalog_new(void);
/* NULL is fine. */
void eddy_catalog_free(struct eddy_catalog *catalog);

/* Index of id, added if new. EDDY_ITEM_NONE when memory is out or id is empty. Two ids
 * with one hash: EDDY_ITEM_NONE as well (never seen, refused loudly by the callers). */
uint32_t eddy_catalog_add(struct eddy_catalog *catalog, struct eddy_span id);
uint32_t eddy_catalog_find(const struct eddy_catalog *catalog, struct eddy_span id);
uint32_t eddy_catalog_find_hash(const struct eddy_catalog *catalog, uint64_t item_hash);
uint32_t eddy_catalog_count(const struct eddy_catalog *catalog);
struct eddy_span eddy_catalog_id(const struct eddy_catalog *catalog, uint32_t item);
uint64_t eddy_catalog_hash(const struct eddy_catalog *catalog, uint32_t item);

/* Spans returned stay good until the catalogue is freed, whatever is added later. */

/* Metadata: columns named once, a text per item and column ("" when absent). A column that
 * is there already gives its index; EDDY_ITEM_NONE: memory. */
uint32_t eddy_catalog_add_column(struct eddy_catalog *catalog, struct eddy_span name);
uint32_t eddy_catalog_column_count(const struct eddy_catalog *catalog);
struct eddy_span eddy_catalog_column_name(const struct eddy_catalog *catalog,
                                          uint32_t column);
int eddy_catalog_set(struct eddy_catalog *catalog, uint32_t item, uint32_t column,
                     struct eddy_span text);
struct eddy_span eddy_catalog_get(const struct eddy_catalog *catalog, uint32_t item,
                                  uint32_t column);
/* What to show a person for an item: the column TITLE or NAME (any case) if there is one
 * and it is not empty, else the id. */
struct eddy_span eddy_catalog_title(const struct eddy_catalog *catalog, uint32_t item);

/* catalog.csv of a snapshot: header ITEM_ID,<columns>; RFC 4180 quoting. */
void eddy_catalog_encode(const struct eddy_catalog *catalog, struct eddy_buf *out);
int eddy_catalog_decode(struct eddy_span csv, struct eddy_catalog **ret,
                        struct eddy_err *err);
/* The same for any CSV of items or users: id_column ("ITEM_ID", "USER_ID") in any place and
 * any case, messages say name, line and column. ret_skipped not NULL: bad rows are counted
 * there instead of refused. */
int eddy_catalog_parse(struct eddy_span bytes, const char *name, const char *id_column,
                       uint64_t *ret_skipped, struct eddy_catalog **ret,
                       struct eddy_err *err);

#endif
