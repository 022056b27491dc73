/* Layer: app.  Command lines from a table: parsing, errors and --help come from the same
 * rows. Long options everywhere (--name VALUE, --name=VALUE), some with a letter (-c VALUE,
 * -cVALUE); letters without a value may stand together (-qv); "--" ends the options. */
#ifndef EDDY_APP_ARGS_H
#define EDDY_APP_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum eddy_arg_type {
    EDDY_ARG_FLAG,     /* bool, no value                                              */
    EDDY_ARG_TEXT,     /* const char *, borrowed from argv                            */
    EDDY_ARG_INT,      /* int64_t                                                     */
    EDDY_ARG_FLOAT,    /* double                                                      */
    EDDY_ARG_DURATION, /* int64_t ms; 250ms, 30s, 5m, 2h, 7d; a plain number: seconds */
    EDDY_ARG_TIME,     /* int64_t Unix ms; seconds, 13 digits of ms, or ISO-8601      */
    EDDY_ARG_CHOICE,   /* int64_t index into choices "a|b|c"                          */
    EDDY_ARG_LIST,     /* struct eddy_arg_list; the option may be repeated            */
};

enum { EDDY_ARG_LIST_MAX = 64 };
struct eddy_arg_list {
    const char *values[EDDY_ARG_LIST_MAX]; /* borrowed from argv */
    size_t count;
};

struct eddy_arg {
    const char *name; /* long name without dashes */
    char letter;      /* 0: none */
    enum eddy_arg_type type;
    size_t offset;     /* of the field in the command's struct */
    const char *value; /* how help calls the value: "FILE"; NULL for flags */
    const char *help;  /* a sentence, with the default if there is one */
    bool required;
    double min, max;     /* of numbers (durations in ms); both 0: no range */
    const char *choices; /* of CHOICE */
};

struct eddy_args {
    const char *command; /* "run" */
    const char *usage;   /* what follows "eddy run " in the first line of help */
    const char *about;   /* paragraphs under it */
    const struct eddy_arg *rows;
    size_t row_count;
    const char *operand; /* how errors call a positional argument; NULL: none allowed */
    size_t operand_min, operand_max; /* at most EDDY_ARG_LIST_MAX */
    const char *examples;            /* ready lines, each indented by two blanks */
};

/* Fill target (which holds the defaults) from argv[1..]. True: go on. False: return
 * *ret_exit from the command, everything is printed: --help (0, to stdout) or an error
 * that says what to type (64, to stderr). operands may be NULL when none are allowed. */
bool eddy_args_parse(const struct eddy_args *args, int argc, char **argv, void *target,
                     struct eddy_arg_list *operands, int *ret_exit);

/* Print "eddy COMMAND: message" and where help is; returns EDDY_EXIT_USAGE. */
__attribute__((format(printf, 2, 3))) int eddy_args_fail(const char *command,
                                                         const char *fmt, ...);

/* The candidate nearest to name (edit distance at most a third of its length, at least
 * 1), or NULL. */
const char *eddy_args_nearest(const char *name, const char *const *candidates,
                              size_t count);

/* "250ms", "30s", "5m", "2h", "7d", or seconds -> ms. */
bool eddy_args_duration(const char *text, int64_t *ret_ms);
/* Unix seconds (up to 11 digits), milliseconds (12 or 13), or ISO-8601 date with optional
 * time and zone ("2021-07-01T09:30:00Z", "+02:00"; without a zone it is UTC) -> Unix ms. */
bool eddy_args_time(const char *text, int64_t *ret_ms);

#endif
