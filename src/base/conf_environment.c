/* Environment variables as options (contract in conf.h).
 *
 * EDDY_ variables that are no option are left alone, because other things are called eddy
 * too: Kubernetes gives every container EDDY_REDIS_PORT=tcp://... when a service is called
 * eddy-redis. Only one that is a slip of a pen away from an option is an error. */
#include <ctype.h>
#include <stdlib.h>

#include "base/conf_priv.h"

static const char prefix[] = "EDDY_";
enum { PREFIX_SIZE = sizeof prefix - 1, NAME_SIZE = 128 };

/* EDDY_REDIS_ADDRESS for redis.address, then suffix; cut when the name is too long. */
static void spell(const char *name, const char *suffix, char text[NAME_SIZE])
{
    (void)snprintf(text, NAME_SIZE, "%s%s%s", prefix, name, suffix);
    for (char *c = text + PREFIX_SIZE; *c; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
}

static bool spells(const char *variable, const char *name, const char *suffix)
{
    char text[NAME_SIZE];
    spell(name, suffix, text);
    return strcmp(text, variable) == 0;
}

/* What Kubernetes and Docker links add for a service: HOST, PORT and their like. */
static bool is_service_variable(const char *rest)
{
    return strncmp(rest, "SERVICE_HOST", 12) == 0 ||
           strncmp(rest, "SERVICE_PORT", 12) == 0 || strcmp(rest, "PORT") == 0 ||
           (strncmp(rest, "PORT_", 5) == 0 && isdigit((unsigned char)rest[5]));
}

/* For a PASS option the property that the variable names: the rest in lower case with dots.
 * False when it is not the section's. */
static bool property_of(const char *variable, const char *section, char name[NAME_SIZE])
{
    char head[NAME_SIZE];
    spell(section, "_", head);
    size_t size = strlen(head);
    const char *rest = variable + size;
    if (strncmp(variable, head, size) != 0 || !*rest || is_service_variable(rest)) {
        return false;
    }
    size_t at = (size_t)snprintf(name, NAME_SIZE, "%s.", section);
    for (; *rest && at < NAME_SIZE - 1; rest++) {
        name[at++] = *rest == '_' ? '.' : (char)tolower((unsigned char)*rest);
    }
    name[at] = '\0';
    return true;
}

/* Whether b is a with one letter inserted, left out or changed. */
static bool is_slip(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size == b_size) {
        return a_size > 0 && strcmp(a + 1, b + 1) == 0;
    }
    return a_size + 1 == b_size ? strcmp(a, b + 1) == 0
                                : a_size == b_size + 1 && strcmp(a + 1, b) == 0;
}

static int check_slip(struct eddy_conf *conf, const char *variable,
                      struct eddy_err *err)
{
    for (size_t i = 0; i < conf->count; i++) {
        const char *name = conf->entries[i].option->name;
        char spelling[NAME_SIZE];
        spell(name, "", spelling);
        if (eddy_conf_section(name) > 0 && is_slip(variable, spelling)) {
            return eddy_fail(err, EDDY_ECONFIG, "%s: no such option; did you mean %s?",
                             variable, spelling);
        }
    }
    return 0;
}

/* One EDDY_ variable. */
static int set_variable(struct eddy_conf *conf, const char *variable, const char *value,
                        struct eddy_err *err)
{
    char name[NAME_SIZE];
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        bool secret = option->flags & EDDY_OPTION_SECRET;
        bool plain = option->type != EDDY_OPTION_PASS;
        bool file = plain && secret && spells(variable, option->name, "_FILE");
        if (file || (plain && spells(variable, option->name, ""))) {
            (void)snprintf(name, sizeof name, "%s%s", option->name,
                           file ? "_file" : "");
            return eddy_conf_set(conf, name, value, EDDY_FROM_ENVIRONMENT, variable,
                                 err);
        }
    }
    int code = check_slip(conf, variable, err);
    for (size_t i = 0; code == 0 && i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        if (option->type == EDDY_OPTION_PASS &&
            property_of(variable, option->name, name)) {
            return eddy_conf_set(conf, name, value, EDDY_FROM_ENVIRONMENT, variable,
                                 err);
        }
    }
    return code;
}

int eddy_conf_set_environment(struct eddy_conf *conf, char *const *environment,
                              struct eddy_err *err)
{
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        size_t size = equals ? (size_t)(equals - *environment) : 0;
        char variable[NAME_SIZE];
        if (size <= PREFIX_SIZE || size >= sizeof variable ||
            strncmp(*environment, prefix, PREFIX_SIZE) != 0) {
            continue;
        }
        memcpy(variable, *environment, size);
        variable[size] = '\0';
        int code = set_variable(conf, variable, equals + 1, err);
        if (code < 0) {
            return code;
        }
    }
    return 0;
}
