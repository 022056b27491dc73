/* Layer: app.  --column: how metadata columns are read, said on the command line. */
#ifndef EDDY_APP_COLUMNS_H
#define EDDY_APP_COLUMNS_H

#include "app/args.h"
#include "base/buf.h"
#include "core/catalog.h"

/* A file that --column may speak of. */
struct eddy_columns_file {
    const char *dataset;                /* "ITEMS", "USERS", "INTERACTIONS" (context) */
    const char *path;                   /* for messages; NULL: no such file is given */
    const struct eddy_catalog *catalog; /* NULL: no such file */
};

/* Each text is "NAME=KIND", for the column of every file that has it, or
 * "DATASET.NAME=KIND". EDDY_EUSAGE: no such column (says which there are) or kind, numeric
 * where no cell is a number, twice the same column. */
int eddy_columns_check(const struct eddy_arg_list *columns,
                       const struct eddy_columns_file *files, size_t count,
                       struct eddy_err *err);

/* Append "NAME=KIND,..." of those that mean a column of the file, for
 * eddy_vocabulary_learn. After eddy_columns_check. */
void eddy_columns_put_kinds(const struct eddy_arg_list *columns,
                            const struct eddy_columns_file *file, struct eddy_buf *out);

#endif
