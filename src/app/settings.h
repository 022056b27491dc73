/* Layer: app.  What every command with a configuration has in common: -c FILE, --set
 * NAME=VALUE, and the precedence default < file < EDDY_* < command line. */
#ifndef EDDY_APP_SETTINGS_H
#define EDDY_APP_SETTINGS_H

#include "app/args.h"
#include "engine/config.h"

struct eddy_settings {
    const char *file; /* NULL: defaults and environment only */
    struct eddy_arg_list set;
};

/* Rows of an option table whose struct has a member `settings`. */
#define EDDY_SETTINGS_ROWS(options_)                                                   \
    {.name = "config",                                                                 \
     .letter = 'c',                                                                    \
     .type = EDDY_ARG_TEXT,                                                            \
     .offset = offsetof(options_, settings.file),                                      \
     .value = "FILE",                                                                  \
     .help = "Configuration (YAML). Without it: defaults and EDDY_* variables."},      \
    {                                                                                  \
        .name = "set", .type = EDDY_ARG_LIST,                                          \
        .offset = offsetof(options_, settings.set), .value = "NAME=VALUE",             \
        .help = "One option over the file and the environment, e.g. "                  \
                "redis.address=unix:/run/redis/redis.sock."                            \
    }

/* Read all sources and check. NULL: err says what to change. Owned: eddy_config_free. */
struct eddy_config *eddy_settings_load(const struct eddy_settings *settings,
                                       struct eddy_err *err);

/* As eddy_settings_load without the last check, for callers that set more options; then
 * eddy_config_finish. */
struct eddy_config *eddy_settings_read(const struct eddy_settings *settings,
                                       struct eddy_err *err);

#endif
