/* Layer: base.  Option tables: one per module, one row per option. Parser, range errors,
 * --print-config, the example file and the reference are made from the same rows
 * (librdkafka's and Varnish's property tables). */
#ifndef EDDY_BASE_CONF_H
#define EDDY_BASE_CONF_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "eddy/error.h"

enum eddy_option_type {
    EDDY_OPTION_BOOL,     /* bool                                   */
    EDDY_OPTION_INT,      /* int64_t                                */
    EDDY_OPTION_FLOAT,    /* double                                 */
    EDDY_OPTION_TEXT,     /* char * (owned by the target, malloced) */
    EDDY_OPTION_DURATION, /* int64_t ms; file: 250ms, 30s, 2h, 7d   */
    EDDY_OPTION_SIZE,     /* int64_t bytes; file: 64KiB, 1GiB, 100  */
    EDDY_OPTION_CHOICE,   /* int64_t index into choices "a|b|c"     */
    EDDY_OPTION_PASS,     /* struct eddy_pairs: every `name.*` key  */
};

enum eddy_option_flags { EDDY_OPTION_SECRET = 1, EDDY_OPTION_REQUIRED = 2 };

enum eddy_option_source { /* rising precedence */
                          EDDY_FROM_DEFAULT,
                          EDDY_FROM_FILE,
                          EDDY_FROM_ENVIRONMENT,
                          EDDY_FROM_COMMAND_LINE,
};

/* Name-value pairs handed through untouched, e.g. kafka.* to librdkafka. */
struct eddy_pairs {
    char **names;
    char **values;
    size_t count;
};

struct eddy_option {
    const char *name; /* dotted: "redis.address" */
    enum eddy_option_type type;
    size_t offset;        /* of the field in the module's struct */
    const char *fallback; /* default as it would stand in the file */
    double min, max;      /* for numbers, in the field's unit; both 0: no range */
    const char *choices;  /* for CHOICE */
    unsigned flags;
    const char *help; /* one sentence: what it does, when to change it */
};

/* A module's table bound to the struct that it fills. */
struct eddy_option_group {
    const char *title;
    const struct eddy_option *options;
    size_t option_count;
    void *target;
};

struct eddy_conf; /* the groups, and where each value came from */

/* groups are borrowed until eddy_conf_free and filled with their defaults. */
struct eddy_conf *eddy_conf_new(const struct eddy_option_group *groups, size_t count,
                                struct eddy_err *err);
void eddy_conf_free(struct eddy_conf *conf); /* also frees TEXT and PASS fields */

/* Set one option by its dotted name. A lower source never overwrites a higher one.
 * where is for messages: "eddy.yaml:12", "EDDY_REDIS_ADDRESS", "--redis.address".
 * Returns EDDY_ECONFIG naming where, the name, the value and what is allowed; an unknown
 * name names the nearest known one. */
int eddy_conf_set(struct eddy_conf *conf, const char *name, const char *value,
                  enum eddy_option_source source, const char *where,
                  struct eddy_err *err);

/* A name NAME_file (secrets) reads the value from that file: done by eddy_conf_set for
 * options with EDDY_OPTION_SECRET. */

/* Whether name is a section: some option's name begins with it and a dot. */
bool eddy_conf_has_section(const struct eddy_conf *conf, const char *name);

/* EDDY_<NAME with dots as underscores, upper case> for every option; PASS groups take
 * EDDY_KAFKA_<PROPERTY with dots as underscores>. environ-like array. Other EDDY_ variables
 * are left alone, but one that misses an option by one letter is EDDY_ECONFIG. */
int eddy_conf_set_environment(struct eddy_conf *conf, char *const *environment,
                              struct eddy_err *err);

/* A field as it would stand in the file; a float with the digits that give it back. PASS
 * writes nothing. */
void eddy_conf_format(const struct eddy_option *option, const void *field,
                      struct eddy_buf *out);

/* EDDY_ECONFIG if a REQUIRED option has no value. */
int eddy_conf_check(struct eddy_conf *conf, struct eddy_err *err);

/* All options as YAML, each with its source behind it as a comment, secrets masked. */
void eddy_conf_print(const struct eddy_conf *conf, struct eddy_buf *out);
/* The same as one JSON object {name: {value, source}}. */
void eddy_conf_print_json(const struct eddy_conf *conf, struct eddy_buf *out);
/* Example file (every option commented with help, range, default), Markdown reference. */
void eddy_conf_print_example(const struct eddy_conf *conf, struct eddy_buf *out);
void eddy_conf_print_reference(const struct eddy_conf *conf, struct eddy_buf *out);

#endif
