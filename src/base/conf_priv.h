/* Layer: base.  Between conf.c (names, sources), conf_value.c (texts and fields) and
 * conf_print.c (what people read). */
#ifndef EDDY_BASE_CONF_PRIV_H
#define EDDY_BASE_CONF_PRIV_H

#include "base/conf.h"

/* Where a value came from. */
struct eddy_conf_origin {
    enum eddy_option_source source;
    char *where; /* owned; NULL for a default */
};

/* One row of a group's table at work. */
struct eddy_conf_entry {
    const struct eddy_option *option;
    const struct eddy_option_group *group;
    void *field; /* in the group's target */
    struct eddy_conf_origin origin;
    struct eddy_conf_origin *pairs; /* PASS: for each pair, parallel to eddy_pairs */
};

struct eddy_conf {
    struct eddy_conf_entry *entries;
    size_t count;
};

/* Where parsing of text as a value of option goes wrong: a sentence in ret_reason, what is
 * allowed included. On 0 the field has the new value (an old TEXT is freed). field NULL:
 * only check. */
int eddy_conf_parse(const struct eddy_option *option, const char *text, void *field,
                    struct eddy_buf *ret_reason);

/* "1 to 64", "10ms to 1h", "\"a\", \"b\" or \"c\"", "true or false", or "" when any value
 * of the type will do. */
void eddy_conf_format_range(const struct eddy_option *option, struct eddy_buf *out);

/* Length of the section in a name: up to the first dot, 0 without one. */
size_t eddy_conf_section(const char *name);
/* Whether option i begins its section: no option before it has the same. */
bool eddy_conf_begins_section(const struct eddy_conf *conf, size_t i);
/* EDDY_REDIS_ADDRESS for redis.address. */
void eddy_conf_variable(const char *name, struct eddy_buf *out);
/* Whether a property handed through must not be shown: sasl.password and the like. */
bool eddy_conf_is_secret_property(const char *name);

#endif
