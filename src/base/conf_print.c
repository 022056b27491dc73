/* What people read of a configuration: as YAML with sources, as JSON, as an example file,
 * as a Markdown reference. The YAML forms load again (io/yaml.c): sections are the part of
 * a name before its first dot, and what follows stands as one key, dots and all. */
#include <ctype.h>

#include "base/conf_priv.h"

static const char mask[] = "********";

static const char *const source_names[] = {"default", "file", "environment",
                                           "command line"};

/* A YAML scalar: bare where nothing in it can be misread, else in double quotes, whose
 * escapes YAML shares with JSON. */
static void put_scalar(struct eddy_buf *out, struct eddy_span text)
{
    bool bare = text.size > 0 && (isalnum((unsigned char)text.data[0]) ||
                                  text.data[0] == '/' || text.data[0] == '.');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool colon = c == ':' && i + 1 < text.size;
        bare = bare && (isalnum(c) || colon || (c && strchr("_./-", c)));
    }
    if (bare) {
        eddy_buf_put(out, text.data, text.size);
    } else {
        eddy_buf_put_json_string(out, text);
    }
}

/* The value as text; a secret that is set shows the mask. Failure goes to out. */
static void format_value(const struct eddy_conf_entry *entry, struct eddy_buf *value,
                         struct eddy_buf *out)
{
    eddy_buf_clear(value);
    eddy_buf_puts(value, ""); /* there is a NUL even when the value is empty */
    eddy_conf_format(entry->option, entry->field, value);
    if (entry->option->flags & EDDY_OPTION_SECRET && value->size > 0) {
        eddy_buf_clear(value);
        eddy_buf_puts(value, mask);
    }
    out->failed = out->failed || value->failed;
}

static void put_origin(struct eddy_buf *out, const struct eddy_conf_origin *origin)
{
    static const char *const heads[] = {"default", "file ", "environment ",
                                        "command line "};
    /* A default that follows from another option: "default from group". */
    bool follows = origin->source == EDDY_FROM_DEFAULT && origin->where;
    eddy_buf_printf(out, "  # %s%s%s\n", heads[origin->source], follows ? " from " : "",
                    origin->where ? origin->where : "");
}

static void print_pairs(const struct eddy_conf_entry *entry, struct eddy_buf *out)
{
    const struct eddy_pairs *pairs = entry->field;
    for (size_t i = 0; i < pairs->count; i++) {
        bool secret = eddy_conf_is_secret_property(pairs->names[i]);
        eddy_buf_puts(out, "  ");
        put_scalar(out, eddy_span_of(pairs->names[i]));
        eddy_buf_puts(out, ": ");
        put_scalar(out, eddy_span_of(secret ? mask : pairs->values[i]));
        put_origin(out, &entry->pairs[i]);
    }
}

static void print_entry(const struct eddy_conf_entry *entry, struct eddy_buf *value,
                        struct eddy_buf *out)
{
    if (entry->option->type == EDDY_OPTION_PASS) {
        print_pairs(entry, out);
        return;
    }
    size_t section = eddy_conf_section(entry->option->name);
    format_value(entry, value, out);
    eddy_buf_printf(out, "%s%s: ", section ? "  " : "",
                    entry->option->name + (section ? section + 1 : 0));
    put_scalar(out, eddy_buf_span(value));
    put_origin(out, &entry->origin);
}

/* Whether entry j belongs to the section that entry i begins. */
static bool same_section(const struct eddy_conf *conf, size_t i, size_t j)
{
    const struct eddy_option *a = conf->entries[i].option;
    const struct eddy_option *b = conf->entries[j].option;
    size_t size =
        a->type == EDDY_OPTION_PASS ? strlen(a->name) : eddy_conf_section(a->name);
    if (size == 0) {
        return i == j;
    }
    return strncmp(b->name, a->name, size) == 0 &&
           (b->name[size] == '.' ||
            (b->type == EDDY_OPTION_PASS && b->name[size] == '\0'));
}

/* Head line of the section that entry i begins, if it has one. */
static void put_section(const struct eddy_option *option, struct eddy_buf *out)
{
    size_t size = option->type == EDDY_OPTION_PASS ? strlen(option->name)
                                                   : eddy_conf_section(option->name);
    if (size > 0) {
        eddy_buf_put(out, option->name, size);
        eddy_buf_puts(out, ":\n");
    }
}

/* Whether anything of the section is to be printed: a PASS option alone may be empty. */
static bool is_section_empty(const struct eddy_conf *conf, size_t i)
{
    for (size_t j = i; j < conf->count; j++) {
        const struct eddy_conf_entry *entry = &conf->entries[j];
        if (same_section(conf, i, j) && (entry->option->type != EDDY_OPTION_PASS ||
                                         ((struct eddy_pairs *)entry->field)->count)) {
            return false;
        }
    }
    return true;
}

void eddy_conf_print(const struct eddy_conf *conf, struct eddy_buf *out)
{
    struct eddy_buf value;
    eddy_buf_init(&value, 0);
    for (size_t i = 0; i < conf->count; i++) {
        if (!eddy_conf_begins_section(conf, i) || is_section_empty(conf, i)) {
            continue;
        }
        put_section(conf->entries[i].option, out);
        for (size_t j = i; j < conf->count; j++) {
            if (same_section(conf, i, j)) {
                print_entry(&conf->entries[j], &value, out);
            }
        }
    }
    eddy_buf_fini(&value);
}

static void put_json_head(struct eddy_buf *out, bool *first, const char *section,
                          const char *name)
{
    struct eddy_buf full;
    eddy_buf_init(&full, 0);
    eddy_buf_printf(&full, "%s%s%s", section, section[0] ? "." : "", name);
    eddy_buf_puts(out, *first ? "" : ",");
    eddy_buf_put_json_string(out, eddy_buf_span(&full));
    eddy_buf_puts(out, ":{\"value\":");
    out->failed = out->failed || full.failed;
    eddy_buf_fini(&full);
    *first = false;
}

static void put_json_pairs(const struct eddy_conf_entry *entry, struct eddy_buf *out,
                           bool *first)
{
    const struct eddy_pairs *pairs = entry->field;
    for (size_t i = 0; i < pairs->count; i++) {
        bool secret = eddy_conf_is_secret_property(pairs->names[i]);
        put_json_head(out, first, entry->option->name, pairs->names[i]);
        eddy_buf_put_json_string(out, eddy_span_of(secret ? mask : pairs->values[i]));
        eddy_buf_printf(out, ",\"source\":\"%s\"}",
                        source_names[entry->pairs[i].source]);
    }
}

void eddy_conf_print_json(const struct eddy_conf *conf, struct eddy_buf *out)
{
    struct eddy_buf value;
    bool first = true;
    eddy_buf_init(&value, 0);
    eddy_buf_putc(out, '{');
    for (size_t i = 0; i < conf->count; i++) {
        const struct eddy_conf_entry *entry = &conf->entries[i];
        enum eddy_option_type type = entry->option->type;
        if (type == EDDY_OPTION_PASS) {
            put_json_pairs(entry, out, &first);
            continue;
        }
        put_json_head(out, &first, "", entry->option->name);
        format_value(entry, &value, out);
        if (type == EDDY_OPTION_BOOL || type == EDDY_OPTION_INT ||
            type == EDDY_OPTION_FLOAT) {
            eddy_buf_put(out, value.data, value.size);
        } else {
            eddy_buf_put_json_string(out, eddy_buf_span(&value));
        }
        eddy_buf_printf(out, ",\"source\":\"%s\"}", source_names[entry->origin.source]);
    }
    eddy_buf_putc(out, '}');
    eddy_buf_fini(&value);
}

/* A comment of words, broken before column 88. */
static void put_comment(struct eddy_buf *out, const char *indent, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column == 0 || column + 1 + word > 87) {
            eddy_buf_printf(out, "%s%s#", column ? "\n" : "", indent);
            column = strlen(indent) + 1;
        }
        eddy_buf_putc(out, ' ');
        eddy_buf_put(out, text, word);
        column += 1 + word;
        text += word;
        text += strspn(text, " ");
    }
    if (column > 0) {
        eddy_buf_putc(out, '\n');
    }
}

static const char *fallback_of(const struct eddy_option *option)
{
    return option->fallback ? option->fallback : "";
}

static void put_example(const struct eddy_option *option, struct eddy_buf *out)
{
    size_t section = eddy_conf_section(option->name);
    const char *indent = section || option->type == EDDY_OPTION_PASS ? "  " : "";
    put_comment(out, indent, option->help);
    if (option->type == EDDY_OPTION_PASS) {
        eddy_buf_printf(out, "%s# NAME: VALUE\n", indent);
        return;
    }
    struct eddy_buf range;
    eddy_buf_init(&range, 0);
    eddy_conf_format_range(option, &range);
    if (range.size > 0) {
        eddy_buf_printf(out, "%s# Allowed: %s.\n", indent, range.data);
    }
    out->failed = out->failed || range.failed;
    eddy_buf_fini(&range);
    if (option->flags & EDDY_OPTION_SECRET) {
        eddy_buf_printf(out, "%s# Or %s_file: a file that holds it.\n", indent,
                        option->name + (section ? section + 1 : 0));
    }
    eddy_buf_printf(out, "%s#%s: ", indent, option->name + (section ? section + 1 : 0));
    put_scalar(out, eddy_span_of(fallback_of(option)));
    eddy_buf_puts(out, option->flags & EDDY_OPTION_REQUIRED ? "  # required\n" : "\n");
}

void eddy_conf_print_example(const struct eddy_conf *conf, struct eddy_buf *out)
{
    eddy_buf_puts(out, "# Configuration of eddy. Every option stands here with its "
                       "default;\n# take the # away to set it.\n");
    for (size_t i = 0; i < conf->count; i++) {
        if (!eddy_conf_begins_section(conf, i)) {
            continue;
        }
        eddy_buf_putc(out, '\n');
        put_section(conf->entries[i].option, out);
        for (size_t j = i; j < conf->count; j++) {
            if (same_section(conf, i, j)) {
                put_example(conf->entries[j].option, out);
            }
        }
    }
}

/* A table cell: a bar would end it. */
static void put_cell(struct eddy_buf *out, const char *text)
{
    for (; *text; text++) {
        eddy_buf_puts(out, *text == '|' ? "\\" : "");
        eddy_buf_putc(out, *text);
    }
}

static void put_reference_row(const struct eddy_option *option, struct eddy_buf *out)
{
    static const char *const types[] = {"truth value", "whole number", "number", "text",
                                        "duration",    "size",         "choice", ""};
    const char *fallback = fallback_of(option);
    bool pass = option->type == EDDY_OPTION_PASS;
    struct eddy_buf allowed;
    eddy_buf_init(&allowed, 0);
    eddy_conf_format_range(option, &allowed);
    eddy_buf_printf(out, "| `%s%s` | ", option->name, pass ? ".*" : "");
    put_cell(out, allowed.size > 0 ? allowed.data : types[option->type]);
    eddy_buf_puts(out, " | ");
    if (fallback[0]) {
        eddy_buf_putc(out, '`');
        put_cell(out, fallback);
        eddy_buf_putc(out, '`');
    }
    eddy_buf_puts(out, option->flags & EDDY_OPTION_REQUIRED ? "required | " : " | ");
    put_cell(out, option->help);
    if (option->flags & EDDY_OPTION_SECRET) {
        eddy_buf_printf(out, " Secret; `%s_file` reads it from a file.", option->name);
    }
    eddy_buf_puts(out, " |\n");
    out->failed = out->failed || allowed.failed;
    eddy_buf_fini(&allowed);
}

void eddy_conf_print_reference(const struct eddy_conf *conf, struct eddy_buf *out)
{
    const struct eddy_option_group *group = NULL;
    for (size_t i = 0; i < conf->count; i++) {
        if (conf->entries[i].group != group) {
            eddy_buf_puts(out, group ? "\n" : "");
            group = conf->entries[i].group;
            eddy_buf_printf(out,
                            "### %s\n\n| Option | Allowed | Default | Meaning |\n"
                            "|---|---|---|---|\n",
                            group->title);
        }
        put_reference_row(conf->entries[i].option, out);
    }
}
