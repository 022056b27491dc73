/* Configuration file to option calls.
 *
 * libyaml delivers events; a stack of open maps turns them into dotted names. No tree is
 * built, because every scalar goes at once to eddy_conf_set, which knows types and names
 * and writes the messages. Scalars are taken as text: whether `yes` or `08` is a number is
 * decided by the option's type, not by YAML's guess. What was set is remembered with its
 * line, for keys that are given twice. */
#include "io/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

enum { DEPTH_MAX = 8, NAME_SIZE = 256, FILE_MAX = 1 << 20 };

/* A key or section met in this file. */
struct seen {
    char name[NAME_SIZE];
    size_t line;
};

struct loader {
    const char *path;
    FILE *file;
    struct eddy_conf *conf;
    struct eddy_err *err;
    yaml_parser_t parser;
    char name[NAME_SIZE];   /* dotted name of the key being read */
    size_t open[DEPTH_MAX]; /* its size before each open map's key was added */
    size_t depth;
    bool in_list; /* collecting the scalars of a list */
    bool has_key; /* a key was read, its value comes next */
    size_t key_line;
    struct eddy_buf list;
    struct seen *seen;
    size_t seen_count;
};

/* libyaml counts lines from 0. */
static size_t line_of(const yaml_mark_t *mark)
{
    return mark->line + 1;
}

static int fail_syntax(struct loader *loader)
{
    int reason = errno;
    const yaml_parser_t *parser = &loader->parser;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    size_t line = line_of(&parser->problem_mark);
    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        return eddy_fail(loader->err, EDDY_ENOMEM, "%s: out of memory", loader->path);
    case YAML_READER_ERROR:
        if (ferror(loader->file)) {
            return eddy_fail(loader->err, EDDY_ECONFIG,
                             "configuration %s cannot be read: %s", loader->path,
                             strerror(reason));
        }
        return eddy_fail(loader->err, EDDY_ECONFIG,
                         "%s: byte %zu: %s (the file must be UTF-8 text)", loader->path,
                         parser->problem_offset, problem);
    default: break;
    }
    /* The scanner stands at the character; this mistake cannot be seen on a screen. */
    const yaml_char_t *next = parser->buffer.pointer;
    if (parser->error == YAML_SCANNER_ERROR && next && *next == '\t') {
        return eddy_fail(loader->err, EDDY_ECONFIG,
                         "%s:%zu: a tab at the head of a line; indent with blanks",
                         loader->path, line);
    }
    return eddy_fail(loader->err, EDDY_ECONFIG,
                     "%s:%zu: not YAML: %s%s%s; expected is "
                     "`key: value`, sections indented by blanks",
                     loader->path, line, parser->context ? parser->context : "",
                     parser->context ? ", " : "", problem);
}

/* A mistake in the structure at the present key. */
static int fail_at(struct loader *loader, size_t line, const char *what)
{
    if (loader->name[0] == '\0') {
        return eddy_fail(loader->err, EDDY_ECONFIG, "%s:%zu: %s", loader->path, line,
                         what);
    }
    return eddy_fail(loader->err, EDDY_ECONFIG, "%s:%zu: key %s: %s", loader->path,
                     line, loader->name, what);
}

/* Remember that the present name was given here; an error when it was before. */
static int note_key(struct loader *loader, size_t line)
{
    for (size_t i = 0; i < loader->seen_count; i++) {
        if (strcmp(loader->seen[i].name, loader->name) == 0) {
            char what[64];
            (void)snprintf(what, sizeof what, "given twice, first in line %zu",
                           loader->seen[i].line);
            return fail_at(loader, line, what);
        }
    }
    struct seen *seen =
        realloc(loader->seen, (loader->seen_count + 1) * sizeof *loader->seen);
    if (!seen) {
        return eddy_fail(loader->err, EDDY_ENOMEM, "%s: out of memory", loader->path);
    }
    loader->seen = seen;
    struct seen *last = &seen[loader->seen_count++];
    memcpy(last->name, loader->name, NAME_SIZE);
    last->line = line;
    return 0;
}

/* Forget the key whose value is complete. */
static void close_key(struct loader *loader)
{
    loader->name[loader->open[loader->depth - 1]] = '\0';
    loader->has_key = false;
}

static int read_key(struct loader *loader, const char *key, size_t line)
{
    size_t size = loader->open[loader->depth - 1];
    size_t room = NAME_SIZE - size;
    int wanted = snprintf(loader->name + size, room, "%s%s", size ? "." : "", key);
    if (wanted < 0 || (size_t)wanted >= room) {
        loader->name[size] = '\0';
        return fail_at(loader, line, "a key of over 250 bytes");
    }
    loader->has_key = true;
    loader->key_line = line;
    return note_key(loader, line);
}

static int set_value(struct loader *loader, const char *value, size_t line)
{
    char where[512];
    (void)snprintf(where, sizeof where, "%s:%zu", loader->path, line);
    int code = eddy_conf_set(loader->conf, loader->name, value, EDDY_FROM_FILE, where,
                             loader->err);
    close_key(loader);
    return code;
}

static int read_scalar(struct loader *loader, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t line = line_of(&event->start_mark);
    if (strlen(text) != event->data.scalar.length) {
        return fail_at(loader, line, "a NUL character inside the value");
    }
    if (loader->depth == 0 && *text == '\0') {
        return 0; /* an empty document */
    }
    if (loader->depth == 0) {
        return fail_at(loader, line, "a bare value; expected is `key: value`");
    }
    if (loader->in_list) {
        if (strchr(text, ',')) {
            return fail_at(loader, line, "a comma inside a list's value");
        }
        eddy_buf_puts(&loader->list, loader->list.size > 0 ? "," : "");
        eddy_buf_puts(&loader->list, text);
        return 0;
    }
    if (!loader->has_key) {
        return read_key(loader, text, line);
    }
    bool empty = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !*text;
    if (empty && eddy_conf_has_section(loader->conf, loader->name)) {
        close_key(loader);
        return 0;
    }
    if (empty) {
        return fail_at(
            loader, loader->key_line,
            "no value; write \"\" if it shall be empty, or take the line away");
    }
    return set_value(loader, text, line);
}

static int open_map(struct loader *loader, size_t line)
{
    if (loader->in_list) {
        return fail_at(loader, line, "a section inside a list");
    }
    if (loader->depth > 0 && !loader->has_key) {
        return fail_at(loader, line, "a section without a name");
    }
    if (loader->depth == DEPTH_MAX) {
        return fail_at(loader, line, "sections nested too deep");
    }
    loader->open[loader->depth++] = strlen(loader->name);
    loader->has_key = false;
    return 0;
}

static void close_map(struct loader *loader)
{
    loader->depth--;
    if (loader->depth > 0) {
        close_key(loader);
    }
}

static int open_list(struct loader *loader, size_t line)
{
    if (loader->in_list) {
        return fail_at(loader, line, "a list inside a list");
    }
    if (!loader->has_key) {
        return fail_at(loader, line, "a list without a key; expected is `key: value`");
    }
    eddy_buf_clear(&loader->list);
    loader->in_list = true;
    return 0;
}

static int close_list(struct loader *loader)
{
    loader->in_list = false;
    if (loader->list.failed) {
        return eddy_fail(loader->err, EDDY_ENOMEM, "%s: out of memory", loader->path);
    }
    const char *value = loader->list.size > 0 ? loader->list.data : "";
    return set_value(loader, value, loader->key_line);
}

static int handle(struct loader *loader, const yaml_event_t *event, int *documents)
{
    size_t line = line_of(&event->start_mark);
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return ++*documents > 1
                   ? fail_at(loader, line, "a second document (---) in one file")
                   : 0;
    case YAML_SCALAR_EVENT: return read_scalar(loader, event);
    case YAML_MAPPING_START_EVENT: return open_map(loader, line);
    case YAML_MAPPING_END_EVENT: close_map(loader); return 0;
    case YAML_SEQUENCE_START_EVENT: return open_list(loader, line);
    case YAML_SEQUENCE_END_EVENT: return close_list(loader);
    case YAML_ALIAS_EVENT:
        return fail_at(loader, line, "an alias (*name); write the value out");
    default: return 0;
    }
}

static int run(struct loader *loader)
{
    int code = 0, documents = 0;
    bool done = false;
    while (code == 0 && !done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&loader->parser, &event)) {
            return fail_syntax(loader);
        }
        done = event.type == YAML_STREAM_END_EVENT;
        if (event.start_mark.index > FILE_MAX) {
            code = eddy_fail(loader->err, EDDY_ECONFIG,
                             "%s: over 1 MiB; is this the configuration file?",
                             loader->path);
        } else {
            code = handle(loader, &event, &documents);
        }
        yaml_event_delete(&event);
    }
    return code;
}

int eddy_yaml_load(const char *path, struct eddy_conf *conf, struct eddy_err *err)
{
    struct loader loader = {.path = path, .conf = conf, .err = err};
    FILE *file = fopen(path, "re");
    if (!file) {
        return eddy_fail(err, EDDY_ECONFIG, "configuration %s cannot be read: %s", path,
                         strerror(errno));
    }
    if (!yaml_parser_initialize(&loader.parser)) {
        (void)fclose(file);
        return eddy_fail(err, EDDY_ENOMEM, "%s: out of memory", path);
    }
    loader.file = file;
    yaml_parser_set_input_file(&loader.parser, file);
    eddy_buf_init(&loader.list, 0);
    int code = run(&loader);
    eddy_buf_fini(&loader.list);
    free(loader.seen);
    yaml_parser_delete(&loader.parser);
    (void)fclose(file);
    return code;
}
