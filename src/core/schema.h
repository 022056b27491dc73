/* Layer: core.  Amazon's schemas: flat Avro records as JSON that say what the columns of a
 * CSV are (PERSONALIZE 1.1), and whether a CSV is so. */
#ifndef EDDY_CORE_SCHEMA_H
#define EDDY_CORE_SCHEMA_H

#include <stdbool.h>

#include "core/catalog.h"

enum eddy_schema_kind {
    EDDY_SCHEMA_INTERACTIONS,
    EDDY_SCHEMA_ITEMS,
    EDDY_SCHEMA_USERS
};
enum eddy_schema_type {
    EDDY_SCHEMA_STRING,
    EDDY_SCHEMA_INTEGER, /* int, long */
    EDDY_SCHEMA_NUMBER,  /* float, double */
    EDDY_SCHEMA_BOOLEAN
};
enum { EDDY_SCHEMA_FIELDS_MAX = 110, EDDY_SCHEMA_TEXT_MAX = 20000 };

struct eddy_schema_field {
    char name[128];
    enum eddy_schema_type type;
    bool wide; /* 64 bits of integer */
    bool nullable, categorical, textual;
};
struct eddy_schema {
    enum eddy_schema_kind kind;
    uint32_t count;
    struct eddy_schema_field fields[EDDY_SCHEMA_FIELDS_MAX];
};

/* file: for messages. EDDY_EFORMAT "FILE:LINE: field BSW: it has no type", with the line of
 * the field's name; "FILE:LINE: ..." for broken JSON, too. Plain memory: nothing to free.
 * Thread: any. */
int eddy_schema_parse(struct eddy_span json, const char *file, struct eddy_schema *ret,
                      struct eddy_err *err);

/* Every cell is of its column's type; columns that the schema does not name are not looked
 * at. EDDY_EFORMAT "FILE:LINE: column X: 'VALUE' is no integer", or, in Amazon's words, which
 * columns are missing. ret_bad not NULL: wrong cells are counted there instead. */
int eddy_schema_check(const struct eddy_schema *schema, struct eddy_span csv,
                      const char *file, uint64_t *ret_bad, struct eddy_err *err);

/* "GENRES=categorical,YEAR=numeric,..." for eddy_vocabulary_learn: how the metadata columns
 * of a catalogue are to be read. A string that is neither categorical nor textual is not
 * learned from; a column that the schema does not name is read as its values say. */
void eddy_schema_put_kinds(const struct eddy_schema *schema,
                           const struct eddy_catalog *catalog, struct eddy_buf *out);

#endif
