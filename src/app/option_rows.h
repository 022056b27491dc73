/* Layer: app.  Option rows that several commands have in common, so that an option has one
 * name, one range and one help text wherever it stands. Each macro is a row (or rows) of a
 * table of struct eddy_arg; options_ is the command's struct, whose member is named in the
 * comment. What only one command says of an option stays in that command's table. */
#ifndef EDDY_APP_OPTION_ROWS_H
#define EDDY_APP_OPTION_ROWS_H

#include "app/args.h"

/* ---- input ------------------------------------------------------------------------ */

/* const char *interactions */
#define EDDY_INTERACTIONS_ROW(options_, required_)                                     \
    {                                                                                  \
        .name = "interactions", .letter = 'i', .type = EDDY_ARG_TEXT,                  \
        .offset = offsetof(options_, interactions), .value = "FILE",                   \
        .required = (required_),                                                       \
        .help = "CSV with USER_ID, ITEM_ID, TIMESTAMP and, if you like, EVENT_TYPE, "  \
                "EVENT_VALUE, IMPRESSION (item|item|...: what was shown). Up to five " \
                "further columns are the context of the events, e.g. DEVICE."          \
    }

/* const char *items, *users: files to learn from */
#define EDDY_METADATA_ROWS(options_)                                                   \
    {.name = "items",                                                                  \
     .letter = 'I',                                                                    \
     .type = EDDY_ARG_TEXT,                                                            \
     .offset = offsetof(options_, items),                                              \
     .value = "FILE",                                                                  \
     .help = "CSV with ITEM_ID and metadata columns."},                                \
    {                                                                                  \
        .name = "users", .letter = 'U', .type = EDDY_ARG_TEXT,                         \
        .offset = offsetof(options_, users), .value = "FILE",                          \
        .help = "CSV with USER_ID and metadata columns."                               \
    }

/* const char *users: those whom a model is asked about */
#define EDDY_KNOWN_USERS_ROW(options_)                                                 \
    {                                                                                  \
        .name = "users", .letter = 'U', .type = EDDY_ARG_TEXT,                         \
        .offset = offsetof(options_, users), .value = "FILE",                          \
        .help = "CSV with USER_ID and the metadata columns that the model was "        \
                "trained with."                                                        \
    }

/* bool skip_bad */
#define EDDY_SKIP_BAD_ROW(options_)                                                    \
    {                                                                                  \
        .name = "skip-bad", .type = EDDY_ARG_FLAG,                                     \
        .offset = offsetof(options_, skip_bad),                                        \
        .help = "Leave bad rows out and count them instead of stopping at the first."  \
    }

/* ---- models ----------------------------------------------------------------------- */

/* const char *model: to read */
#define EDDY_MODEL_ROW(options_)                                                       \
    {                                                                                  \
        .name = "model", .letter = 'm', .type = EDDY_ARG_TEXT,                         \
        .offset = offsetof(options_, model), .value = "MODEL", .required = true,       \
        .help = "A model of eddy train."                                               \
    }

/* const char *model: to write */
#define EDDY_NEW_MODEL_ROW(options_)                                                   \
    {                                                                                  \
        .name = "model", .letter = 'o', .type = EDDY_ARG_TEXT,                         \
        .offset = offsetof(options_, model), .value = "MODEL", .required = true,       \
        .help = "Where the model goes; an older one there is replaced."                \
    }

/* const char *recipe */
#define EDDY_RECIPE_ROW(options_)                                                      \
    {                                                                                  \
        .name = "recipe", .type = EDDY_ARG_TEXT, .offset = offsetof(options_, recipe), \
        .value = "NAME",                                                               \
        .help = "One of `eddy recipes`, with Amazon's default hyper-parameters; "      \
                "without it: aws-user-personalization with eddy's own."                \
    }

/* The half-life where none is given (0). */
#define EDDY_HALF_LIFE_MS (7 * INT64_C(86400000))
/* int64_t refresh_ms, half_life_ms; with_: the option or protocol they go with, a literal */
#define EDDY_REFRESH_ROWS(options_, with_)                                             \
    {.name = "refresh",                                                                \
     .type = EDDY_ARG_DURATION,                                                        \
     .offset = offsetof(options_, refresh_ms),                                         \
     .value = "SECONDS",                                                               \
     .min = 1000,                                                                      \
     .max = 1e12,                                                                      \
     .help = "With " with_ ": refresh the tables, and the list of aws-trending-now, "  \
             "every so much event time (default: never)."},                            \
    {                                                                                  \
        .name = "half-life", .type = EDDY_ARG_DURATION,                                \
        .offset = offsetof(options_, half_life_ms), .value = "SECONDS", .min = 1000,   \
        .max = 1e12,                                                                   \
        .help = "With --refresh: age at which an event counts half in the popularity " \
                "table, which users without history get (default 7d)."                 \
    }

/* ---- how it runs and what it prints ------------------------------------------------ */

/* int64_t threads */
#define EDDY_THREADS_ROW(options_)                                                     \
    {                                                                                  \
        .name = "threads", .type = EDDY_ARG_INT,                                       \
        .offset = offsetof(options_, threads), .value = "N", .min = 1, .max = 64,      \
        .help = "Threads (default 2); the result does not depend on them."             \
    }

/* int64_t seed; help_: what it decides */
#define EDDY_SEED_ROW(options_, help_)                                                 \
    {                                                                                  \
        .name = "seed", .type = EDDY_ARG_INT, .offset = offsetof(options_, seed),      \
        .value = "N", .max = 9e15, .help = (help_)                                     \
    }

/* bool json */
#define EDDY_JSON_ROW(options_)                                                        \
    {                                                                                  \
        .name = "json", .type = EDDY_ARG_FLAG, .offset = offsetof(options_, json),     \
        .help = "The result as JSON on standard output."                               \
    }

/* bool quiet */
#define EDDY_QUIET_ROW(options_)                                                       \
    {                                                                                  \
        .name = "quiet", .letter = 'q', .type = EDDY_ARG_FLAG,                         \
        .offset = offsetof(options_, quiet), .help = "No progress."                    \
    }

#endif
