/* Option tables at work: names to fields, sources by precedence, messages.
 *
 * Every value goes through eddy_conf_set, whatever its source, so there is one parser and
 * one set of messages. A value of a lower source is checked even when a higher one stands
 * already: a mistake in the file is reported today, not on the day when the variable that
 * hid it is gone. */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/conf_priv.h"

enum { NAME_MAX_SIZE = 128, SECRET_FILE_MAX = 64 << 10, VALUE_SHOWN = 48 };

size_t eddy_conf_section(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? (size_t)(dot - name) : 0;
}

/* A PASS option named "kafka" belongs to the section kafka like "kafka.topic". */
static size_t section_of(const struct eddy_option *option)
{
    return option->type == EDDY_OPTION_PASS ? strlen(option->name)
                                            : eddy_conf_section(option->name);
}

bool eddy_conf_begins_section(const struct eddy_conf *conf, size_t i)
{
    size_t size = section_of(conf->entries[i].option);
    for (size_t j = 0; j < i; j++) {
        const struct eddy_option *other = conf->entries[j].option;
        if (size > 0 && section_of(other) == size &&
            memcmp(other->name, conf->entries[i].option->name, size) == 0) {
            return false;
        }
    }
    return true;
}

void eddy_conf_variable(const char *name, struct eddy_buf *out)
{
    eddy_buf_puts(out, "EDDY_");
    for (; *name; name++) {
        eddy_buf_putc(out, *name == '.' ? '_' : (char)toupper((unsigned char)*name));
    }
}

bool eddy_conf_is_secret_property(const char *name)
{
    static const char *const parts[] = {"password", "secret", "token", "key.pem",
                                        "oauthbearer.config"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(name, parts[i])) {
            return true;
        }
    }
    return false;
}

bool eddy_conf_has_section(const struct eddy_conf *conf, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        char behind = strncmp(option->name, name, size) == 0 ? option->name[size] : 0;
        if (behind == '.' ||
            (option->type == EDDY_OPTION_PASS && strcmp(option->name, name) == 0)) {
            return true;
        }
    }
    return false;
}

static char *copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

static int no_memory(struct eddy_err *err)
{
    return eddy_fail(err, EDDY_ENOMEM, "configuration: out of memory");
}

/* Make entry i from its row and set the default. A default that is not allowed is a
 * mistake in the table, found by the first test that makes a configuration. */
static int init_entry(struct eddy_conf *conf, size_t i,
                      const struct eddy_option_group *group,
                      const struct eddy_option *option, struct eddy_err *err)
{
    struct eddy_conf_entry *entry = &conf->entries[i];
    struct eddy_buf reason;
    *entry = (struct eddy_conf_entry){.option = option,
                                      .group = group,
                                      .field = (char *)group->target + option->offset};
    if (option->type == EDDY_OPTION_PASS) {
        *(struct eddy_pairs *)entry->field = (struct eddy_pairs){NULL, NULL, 0};
        return 0;
    }
    if (option->type == EDDY_OPTION_TEXT) {
        *(char **)entry->field = NULL;
    }
    eddy_buf_init(&reason, 0);
    const char *fallback = option->fallback ? option->fallback : "";
    int code = eddy_conf_parse(option, fallback, entry->field, &reason);
    if (code < 0) {
        code = eddy_fail(err, code == EDDY_ENOMEM ? code : EDDY_EFATAL,
                         "option %s: default \"%s\" %s", option->name, fallback,
                         reason.data ? reason.data : "");
    }
    eddy_buf_fini(&reason);
    return code;
}

struct eddy_conf *eddy_conf_new(const struct eddy_option_group *groups, size_t count,
                                struct eddy_err *err)
{
    size_t total = 0;
    for (size_t g = 0; g < count; g++) {
        total += groups[g].option_count;
    }
    struct eddy_conf *conf = calloc(1, sizeof *conf);
    struct eddy_conf_entry *entries = calloc(total ? total : 1, sizeof *entries);
    if (!conf || !entries) {
        free(conf);
        free(entries);
        (void)no_memory(err);
        return NULL;
    }
    conf->entries = entries;
    for (size_t g = 0; g < count; g++) {
        for (size_t o = 0; o < groups[g].option_count; o++) {
            /* Counted before it is made: free sees no field that was not set. */
            size_t i = conf->count++;
            if (init_entry(conf, i, &groups[g], &groups[g].options[o], err) < 0) {
                eddy_conf_free(conf);
                return NULL;
            }
        }
    }
    return conf;
}

static void free_pairs(struct eddy_conf_entry *entry)
{
    struct eddy_pairs *pairs = entry->field;
    for (size_t i = 0; i < pairs->count; i++) {
        free(pairs->names[i]);
        free(pairs->values[i]);
        free(entry->pairs[i].where);
    }
    free(pairs->names);
    free(pairs->values);
    free(entry->pairs);
    *pairs = (struct eddy_pairs){NULL, NULL, 0};
}

void eddy_conf_free(struct eddy_conf *conf)
{
    if (!conf) {
        return;
    }
    for (size_t i = 0; i < conf->count; i++) {
        struct eddy_conf_entry *entry = &conf->entries[i];
        free(entry->origin.where);
        if (entry->option->type == EDDY_OPTION_PASS) {
            free_pairs(entry);
        } else if (entry->option->type == EDDY_OPTION_TEXT) {
            free(*(char **)entry->field);
            *(char **)entry->field = NULL;
        }
    }
    free(conf->entries);
    free(conf);
}

/* The head of a message: where, and in a file also which key. */
struct place {
    const char *where;
    const char *name;
    enum eddy_option_source source;
};

__attribute__((format(printf, 4, 5))) static int fail_at(struct eddy_err *err, int code,
                                                         const struct place *place,
                                                         const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut on purpose */
    va_end(args);
    if (place->source == EDDY_FROM_FILE) {
        return eddy_fail(err, code, "%s: key %s: %s", place->where, place->name, text);
    }
    return eddy_fail(err, code, "%s: %s", place->where, text);
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Edits (insert, delete, replace) from a to b; only what differs counts, so the common
 * case of one letter is cheap to see. Long names count as far away. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_SIZE];
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size >= NAME_MAX_SIZE || b_size >= NAME_MAX_SIZE) {
        return NAME_MAX_SIZE;
    }
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
            diagonal = row[j];
            row[j] = min3(change, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b_size];
}

/* The option whose name is nearest, if it is near: a third of the letters may differ. */
static const struct eddy_option *nearest(const struct eddy_conf *conf, const char *name)
{
    const struct eddy_option *best = NULL;
    size_t best_distance = strlen(name) / 3 + 1;
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        size_t distance = edit_distance(name, option->name);
        const char *option_dot = strrchr(option->name, '.');
        /* The right key in the wrong section is worth a hint too. */
        if (distance >= best_distance && !best &&
            strcmp(dot ? dot + 1 : name, option_dot ? option_dot + 1 : "") == 0) {
            best = option;
        }
        if (distance < best_distance) {
            best = option;
            best_distance = distance;
        }
    }
    return best;
}

/* " redis.address, redis.user, ..." of a section. */
static void list_section(const struct eddy_conf *conf, const char *section, char *text,
                         size_t size)
{
    size_t used = 0, length = strlen(section);
    text[0] = '\0';
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        if (strncmp(option->name, section, length) == 0 &&
            option->name[length] == '.' && used + strlen(option->name) + 3 < size) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     option->name);
        }
    }
}

static int fail_unknown(const struct eddy_conf *conf, const struct place *place,
                        struct eddy_err *err)
{
    char keys[120];
    list_section(conf, place->name, keys, sizeof keys);
    const struct eddy_option *near = nearest(conf, place->name);
    const char *what = place->source == EDDY_FROM_FILE ? "unknown" : place->name;
    const char *more = place->source == EDDY_FROM_FILE ? "" : " is not an option";
    if (keys[0]) {
        return fail_at(err, EDDY_ECONFIG, place, "is a section, with %s", keys);
    }
    if (near) {
        return fail_at(err, EDDY_ECONFIG, place, "%s%s; did you mean %s?", what, more,
                       near->name);
    }
    return fail_at(
        err, EDDY_ECONFIG, place,
        "%s%s, and none has a similar name; eddy run --print-config shows all", what,
        more);
}

/* The entry of a plain option, or NULL. */
static struct eddy_conf_entry *find_entry(struct eddy_conf *conf, const char *name,
                                          size_t size)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        if (option->type != EDDY_OPTION_PASS && strlen(option->name) == size &&
            memcmp(option->name, name, size) == 0) {
            return &conf->entries[i];
        }
    }
    return NULL;
}

/* The entry whose section takes name as a property, or NULL. */
static struct eddy_conf_entry *find_pass(struct eddy_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_option *option = conf->entries[i].option;
        size_t size = strlen(option->name);
        if (option->type == EDDY_OPTION_PASS &&
            strncmp(name, option->name, size) == 0 && name[size] == '.' &&
            name[size + 1]) {
            return &conf->entries[i];
        }
    }
    return NULL;
}

static int set_origin(struct eddy_conf_origin *origin, enum eddy_option_source source,
                      const char *where)
{
    char *copy = copy_text(where);
    if (!copy) {
        return EDDY_ENOMEM;
    }
    free(origin->where);
    *origin = (struct eddy_conf_origin){source, copy};
    return 0;
}

static int grow_pairs(struct eddy_conf_entry *entry)
{
    struct eddy_pairs *pairs = entry->field;
    size_t count = pairs->count + 1;
    char **names = realloc(pairs->names, count * sizeof *names);
    pairs->names = names ? names : pairs->names;
    char **values = realloc(pairs->values, count * sizeof *values);
    pairs->values = values ? values : pairs->values;
    struct eddy_conf_origin *origins = realloc(entry->pairs, count * sizeof *origins);
    entry->pairs = origins ? origins : entry->pairs;
    return names && values && origins ? 0 : EDDY_ENOMEM;
}

static int add_pair(struct eddy_conf_entry *entry, const char *name, const char *value,
                    const struct place *place)
{
    struct eddy_pairs *pairs = entry->field;
    if (grow_pairs(entry) < 0) {
        return EDDY_ENOMEM;
    }
    char *name_copy = copy_text(name), *value_copy = copy_text(value);
    char *where_copy = copy_text(place->where);
    if (!name_copy || !value_copy || !where_copy) {
        free(name_copy);
        free(value_copy);
        free(where_copy);
        return EDDY_ENOMEM;
    }
    pairs->names[pairs->count] = name_copy;
    pairs->values[pairs->count] = value_copy;
    entry->pairs[pairs->count++] = (struct eddy_conf_origin){place->source, where_copy};
    return 0;
}

static int set_pair(struct eddy_conf_entry *entry, const char *name, const char *value,
                    const struct place *place)
{
    struct eddy_pairs *pairs = entry->field;
    for (size_t i = 0; i < pairs->count; i++) {
        if (strcmp(pairs->names[i], name) != 0) {
            continue;
        }
        if (place->source < entry->pairs[i].source) {
            return 0;
        }
        char *copy = copy_text(value);
        if (!copy || set_origin(&entry->pairs[i], place->source, place->where) < 0) {
            free(copy);
            return EDDY_ENOMEM;
        }
        free(pairs->values[i]);
        pairs->values[i] = copy;
        return 0;
    }
    return add_pair(entry, name, value, place);
}

static int set_entry(struct eddy_conf_entry *entry, const char *value,
                     const struct place *place, struct eddy_err *err)
{
    const struct eddy_option *option = entry->option;
    bool stands = place->source < entry->origin.source;
    struct eddy_buf reason;
    eddy_buf_init(&reason, 0);
    int code = eddy_conf_parse(option, value, stands ? NULL : entry->field, &reason);
    if (code < 0) {
        bool secret = option->flags & EDDY_OPTION_SECRET;
        bool cut = strlen(value) > VALUE_SHOWN;
        code = fail_at(err, code, place, "\"%.*s%s\" %s", VALUE_SHOWN,
                       secret ? "(secret)" : value, cut && !secret ? "..." : "",
                       reason.data ? reason.data : "");
    } else if (!stands && set_origin(&entry->origin, place->source, place->where) < 0) {
        code = no_memory(err);
    }
    eddy_buf_fini(&reason);
    return code;
}

/* Content of a secret's file without its final line end, into text. */
static int read_secret(const char *path, char *text, size_t size,
                       const struct place *place, struct eddy_err *err)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return fail_at(err, EDDY_ECONFIG, place, "%s cannot be read: %s", path,
                       strerror(errno));
    }
    size_t got = fread(text, 1, size, file);
    bool failed = ferror(file) != 0;
    int reason = errno;
    (void)fclose(file);
    if (failed) {
        return fail_at(err, EDDY_ECONFIG, place, "%s cannot be read: %s", path,
                       strerror(reason));
    }
    if (got == size || memchr(text, '\0', got)) {
        return fail_at(err, EDDY_ECONFIG, place,
                       "%s is not a text of at most %zu bytes", path, size - 1);
    }
    got -= got > 0 && text[got - 1] == '\n' ? 1 : 0;
    got -= got > 0 && text[got - 1] == '\r' ? 1 : 0;
    text[got] = '\0';
    return 0;
}

/* NAME_file of a secret NAME. */
static int set_from_file(struct eddy_conf_entry *entry, const char *path,
                         const struct place *place, struct eddy_err *err)
{
    char *text = malloc(SECRET_FILE_MAX);
    if (!text) {
        return no_memory(err);
    }
    int code = read_secret(path, text, SECRET_FILE_MAX, place, err);
    if (code == 0) {
        code = set_entry(entry, text, place, err);
    }
    free(text);
    return code;
}

int eddy_conf_set(struct eddy_conf *conf, const char *name, const char *value,
                  enum eddy_option_source source, const char *where,
                  struct eddy_err *err)
{
    static const char suffix[] = "_file";
    const size_t suffix_size = sizeof suffix - 1;
    struct place place = {where, name, source};
    size_t size = strlen(name);
    struct eddy_conf_entry *entry = find_entry(conf, name, size);
    if (entry) {
        return set_entry(entry, value, &place, err);
    }
    if (size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0) {
        entry = find_entry(conf, name, size - suffix_size);
        if (entry && entry->option->flags & EDDY_OPTION_SECRET) {
            return set_from_file(entry, value, &place, err);
        }
    }
    entry = find_pass(conf, name);
    if (!entry) {
        return fail_unknown(conf, &place, err);
    }
    name += strlen(entry->option->name) + 1;
    return set_pair(entry, name, value, &place) < 0 ? no_memory(err) : 0;
}

int eddy_conf_check(struct eddy_conf *conf, struct eddy_err *err)
{
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_conf_entry *entry = &conf->entries[i];
        const struct eddy_option *option = entry->option;
        bool empty = option->type == EDDY_OPTION_TEXT
                         ? (*(char **)entry->field)[0] == '\0'
                         : entry->origin.source == EDDY_FROM_DEFAULT;
        if (option->flags & EDDY_OPTION_REQUIRED && empty) {
            struct eddy_buf variable;
            eddy_buf_init(&variable, 0);
            eddy_conf_variable(option->name, &variable);
            int code =
                eddy_fail(err, EDDY_ECONFIG,
                          "%s has no value; set it in the configuration file, as "
                          "%s in the environment or as --%s",
                          option->name, variable.data ? variable.data : "",
                          option->name);
            eddy_buf_fini(&variable);
            return code;
        }
    }
    return 0;
}
