/* Layer: app.  The CSV files of train, recommend and eval. */
#ifndef EDDY_APP_INPUTS_H
#define EDDY_APP_INPUTS_H

#include "app/args.h"
#include "core/interactions.h"
#include "core/snapshot.h"

struct eddy_input_options {
    const char *interactions; /* path or "-"; NULL: none, users without events */
    const char
        *item_list; /* instead of it: CSV with ITEM_ID, each a user of that id who
                              has had it alone */
    const char *items, *users;           /* path or NULL */
    const struct eddy_arg_list *schemas; /* Amazon's, of any of the files; NULL: none */
    const struct eddy_arg_list *columns; /* --column (app/columns.h); NULL: none */
    const struct eddy_catalog *known;    /* of a model: its items keep their indices */
    bool skip_bad;
    bool quiet;                     /* nothing on stderr while it takes its time */
    bool no_hash;                   /* interactions.sha256 stays empty */
    const struct eddy_spill *spill; /* room on disk for rows; NULL: in memory */
};

struct eddy_inputs {
    struct eddy_interactions interactions;
    struct eddy_catalog *items; /* of the items file, NULL: none */
    struct eddy_catalog *users; /* of the users file, by USER_ID, NULL: none */
    int64_t user_rows;          /* of the users file, -1: none */
    /* Kinds of their columns by --column and schema (core/build.h), NULL: none. */
    char *item_kinds, *user_kinds, *context_kinds;
    uint64_t wrong_cells; /* not of their schema's type (skip_bad) */
};

/* Read and check all of them. EDDY_EIO, EDDY_EFORMAT "FILE:LINE: ...", EDDY_ENOMEM,
 * EDDY_EUSAGE (columns); then
 * nothing is to be closed. */
int eddy_inputs_open(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err);
void eddy_inputs_close(struct eddy_inputs *inputs);

/* Each item of the list as a user of that id who has had it alone. name: for messages.
 * EDDY_ENOMEM. */
int eddy_inputs_of_items(const struct eddy_catalog *list, const char *name,
                         const struct eddy_catalog *known,
                         struct eddy_interactions *ret, struct eddy_err *err);

/* What is worth knowing of the files before they are trained on, on stderr: rows that are
 * there twice, rows out of order, wrong cells, empty columns. options: those they were
 * opened with. */
void eddy_inputs_warn(const struct eddy_inputs *inputs, const char *command,
                      const struct eddy_input_options *options);

/* Largest resident set of this process so far, in bytes. */
uint64_t eddy_peak_resident_bytes(void);

/* Before long work: the file that an option names for its result is none of those that are
 * read, and can be written. path NULL or "-": nothing to check. EDDY_EXIT_OK, or the exit
 * code when it has been said on stderr what is wrong. */
int eddy_inputs_output(const char *command, const char *option, const char *path,
                       const char *const *read, size_t count);

#endif
