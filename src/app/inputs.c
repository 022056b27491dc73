#include "app/inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app/app.h"
#include "app/args.h"
#include "app/busy.h"
#include "app/columns.h"
#include "core/features.h"
#include "core/schema.h"
#include "io/files.h"

uint64_t eddy_peak_resident_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* ---- schemas ---------------------------------------------------------------------- */

struct schemas {
    struct eddy_schema *of[3]; /* by kind, NULL: none; owned */
    bool skip_bad;
    uint64_t wrong_cells;
};

static void schemas_fini(struct schemas *schemas)
{
    for (int kind = 0; kind < 3; kind++)
        free(schemas->of[kind]);
}

static int read_schema(struct schemas *schemas, const char *path, struct eddy_err *err)
{
    struct eddy_schema *schema = malloc(sizeof *schema);
    struct eddy_file file;
    if (schema == NULL)
        return eddy_fail(err, EDDY_ENOMEM, "%s: no memory", path);
    int r = eddy_file_open(path, &file, err);
    if (r == 0) {
        r = eddy_schema_parse(file.bytes, path, schema, err);
        eddy_file_close(&file);
    }
    if (r == 0 && schemas->of[schema->kind] != NULL)
        r = eddy_fail(err, EDDY_EFORMAT, "%s: the second schema of its name", path);
    if (r == 0)
        schemas->of[schema->kind] = schema;
    else
        free(schema);
    return r;
}

/* A file against its schema, if there is one. */
static int check_schema(struct schemas *schemas, enum eddy_schema_kind kind,
                        const struct eddy_file *file, const char *path,
                        struct eddy_err *err)
{
    uint64_t bad = 0;
    if (schemas->of[kind] == NULL)
        return 0;
    int r = eddy_schema_check(schemas->of[kind], file->bytes, path,
                              schemas->skip_bad ? &bad : NULL, err);
    schemas->wrong_cells += bad;
    return r;
}

/* What --column says comes first, and with it wins. */
static int put_kinds(const struct schemas *schemas, enum eddy_schema_kind kind,
                     const struct eddy_arg_list *columns,
                     const struct eddy_columns_file *file, char **ret,
                     struct eddy_err *err)
{
    struct eddy_buf kinds;
    eddy_buf_init(&kinds, 0);
    if (columns != NULL)
        eddy_columns_put_kinds(columns, file, &kinds);
    if (schemas->of[kind] != NULL)
        eddy_schema_put_kinds(schemas->of[kind], file->catalog, &kinds);
    if (kinds.size > 0)
        *ret = strdup(kinds.data);
    bool failed = kinds.failed || (kinds.size > 0 && *ret == NULL);
    eddy_buf_fini(&kinds);
    return failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for the columns") : 0;
}

/* The context columns with some of their values, as if they were metadata; NULL: memory. */
static struct eddy_catalog *context_columns(const struct eddy_interactions *in)
{
    enum { VALUES = 1000 };
    struct eddy_catalog *columns = eddy_catalog_new();
    char id[16];
    bool made = columns != NULL;
    for (uint32_t c = 0; made && c < in->context_count; c++) {
        const struct eddy_context_column *from = &in->context[c];
        uint32_t column = eddy_catalog_add_column(columns, eddy_span_of(from->name));
        made = column != EDDY_ITEM_NONE;
        for (uint32_t v = 0; made && v < VALUES && v < eddy_catalog_count(from->values);
             v++) {
            (void)snprintf(id, sizeof id, "%u", v);
            uint32_t row = eddy_catalog_add(columns, eddy_span_of(id));
            made = row != EDDY_ITEM_NONE &&
                   eddy_catalog_set(columns, row, column,
                                    eddy_catalog_id(from->values, v)) == 0;
        }
    }
    if (made)
        return columns;
    eddy_catalog_free(columns);
    return NULL;
}

static int read_kinds(struct eddy_inputs *inputs,
                      const struct eddy_input_options *options,
                      const struct schemas *schemas, struct eddy_err *err)
{
    struct eddy_catalog *context = context_columns(&inputs->interactions);
    const struct eddy_columns_file files[] = {{"ITEMS", options->items, inputs->items},
                                              {"USERS", options->users, inputs->users},
                                              {"INTERACTIONS", options->interactions,
                                               context}};
    char **const kinds[] = {&inputs->item_kinds, &inputs->user_kinds,
                            &inputs->context_kinds};
    static const enum eddy_schema_kind of[] = {EDDY_SCHEMA_ITEMS, EDDY_SCHEMA_USERS,
                                               EDDY_SCHEMA_INTERACTIONS};
    int r = context ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for the columns");
    if (r == 0 && options->columns != NULL)
        r = eddy_columns_check(options->columns, files, 3, err);
    for (int f = 0; r == 0 && f < 3; f++)
        if (files[f].catalog != NULL)
            r = put_kinds(schemas, of[f], options->columns, &files[f], kinds[f], err);
    eddy_catalog_free(context);
    return r;
}

/* ---- files ------------------------------------------------------------------------ */

static int open_items(struct eddy_inputs *inputs,
                      const struct eddy_input_options *options, struct schemas *schemas,
                      struct eddy_err *err)
{
    struct eddy_file file;
    int r;
    if (options->items == NULL)
        return 0;
    if ((r = eddy_file_open(options->items, &file, err)) < 0)
        return r;
    r = check_schema(schemas, EDDY_SCHEMA_ITEMS, &file, options->items, err);
    if (r == 0)
        r = eddy_items_parse(file.bytes, options->items, options->skip_bad,
                             &inputs->items, err);
    eddy_file_close(&file);
    return r;
}

static int open_users(struct eddy_inputs *inputs,
                      const struct eddy_input_options *options, struct schemas *schemas,
                      struct eddy_err *err)
{
    struct eddy_file file;
    int r;
    inputs->user_rows = -1;
    if (options->users == NULL)
        return 0;
    if ((r = eddy_file_open(options->users, &file, err)) < 0)
        return r;
    r = check_schema(schemas, EDDY_SCHEMA_USERS, &file, options->users, err);
    if (r == 0)
        r = eddy_users_parse(file.bytes, options->users, options->skip_bad,
                             &inputs->users, err);
    eddy_file_close(&file);
    if (r < 0)
        return r;
    inputs->user_rows = eddy_catalog_count(inputs->users);
    return 0;
}

static int open_interactions(struct eddy_inputs *inputs,
                             const struct eddy_input_options *options,
                             struct schemas *schemas, struct eddy_err *err)
{
    struct eddy_interactions_options interactions = {
        .skip_bad = options->skip_bad,
        .no_hash = options->no_hash,
        .spill = options->spill,
        .items = options->known ? options->known : inputs->items};
    struct eddy_file file;
    int r = eddy_file_open(options->interactions, &file, err);
    if (r < 0)
        return r;
    r = check_schema(schemas, EDDY_SCHEMA_INTERACTIONS, &file, options->interactions,
                     err);
    if (r == 0)
        r = eddy_interactions_parse(file.bytes, options->interactions, &interactions,
                                    &inputs->interactions, err);
    eddy_file_close(&file);
    return r;
}

int eddy_inputs_of_items(const struct eddy_catalog *list, const char *name,
                         const struct eddy_catalog *known,
                         struct eddy_interactions *ret, struct eddy_err *err)
{
    struct eddy_interactions_options interactions = {.items = known, .no_hash = true};
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; i < eddy_catalog_count(list); i++) {
        eddy_csv_put(&csv, eddy_catalog_id(list, i));
        eddy_buf_putc(&csv, ',');
        eddy_csv_put(&csv, eddy_catalog_id(list, i));
        eddy_buf_puts(&csv, ",1\n");
    }
    int r = csv.failed
                ? eddy_fail(err, EDDY_ENOMEM, "%s: no memory for the items", name)
                : eddy_interactions_parse(eddy_buf_span(&csv), name, &interactions, ret,
                                          err);
    eddy_buf_fini(&csv);
    return r;
}

/* The list as interactions. */
static int open_list(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_catalog *list = NULL;
    struct eddy_file file;
    int r = eddy_file_open(options->item_list, &file, err);
    if (r < 0)
        return r;
    r = eddy_items_parse(file.bytes, options->item_list, options->skip_bad, &list, err);
    eddy_file_close(&file);
    if (r == 0)
        r = eddy_inputs_of_items(list, options->item_list, options->known,
                                 &inputs->interactions, err);
    eddy_catalog_free(list);
    return r;
}

/* No file of interactions: nobody has done anything. */
static int open_nothing(struct eddy_inputs *inputs,
                        const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_catalog *nothing = eddy_catalog_new();
    int r = nothing ? eddy_inputs_of_items(nothing, "", options->known,
                                           &inputs->interactions, err)
                    : eddy_fail(err, EDDY_ENOMEM, "no memory for users");
    eddy_catalog_free(nothing);
    return r;
}

static void say_reading(struct eddy_busy *busy, const char *path)
{
    if (path != NULL)
        eddy_busy_step(busy, "reading %s",
                       strcmp(path, "-") == 0 ? "standard input" : path);
}

static int open_all(struct eddy_inputs *inputs,
                    const struct eddy_input_options *options, struct eddy_busy *busy,
                    struct eddy_err *err)
{
    struct schemas schemas = {.skip_bad = options->skip_bad};
    int r = 0;

    say_reading(busy, options->item_list);
    if (options->item_list)
        return open_list(inputs, options, err);
    for (size_t i = 0; r == 0 && options->schemas && i < options->schemas->count; i++)
        r = read_schema(&schemas, options->schemas->values[i], err);
    say_reading(busy, options->items);
    if (r == 0)
        r = open_items(inputs, options, &schemas, err);
    say_reading(busy, options->users);
    if (r == 0)
        r = open_users(inputs, options, &schemas, err);
    say_reading(busy, options->interactions);
    if (r == 0)
        r = options->interactions ? open_interactions(inputs, options, &schemas, err)
                                  : open_nothing(inputs, options, err);
    if (r == 0)
        r = read_kinds(inputs, options, &schemas, err);
    inputs->wrong_cells = schemas.wrong_cells;
    schemas_fini(&schemas);
    if (r < 0)
        eddy_inputs_close(inputs);
    return r;
}

int eddy_inputs_open(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_busy busy;
    *inputs = (struct eddy_inputs){0};
    eddy_busy_start(&busy, options->quiet);
    int r = open_all(inputs, options, &busy, err);
    eddy_busy_stop(&busy);
    return r;
}

/* Columns without a single value, or none at all. */
static void warn_empty(const struct eddy_catalog *catalog, const char *command,
                       const char *file)
{
    uint32_t columns = catalog ? eddy_catalog_column_count(catalog) : 0;
    if (catalog != NULL && columns == 0)
        (void)fprintf(stderr,
                      "eddy %s: %s: no metadata column, nothing to learn from\n",
                      command, file);
    for (uint32_t c = 0; c < columns; c++) {
        struct eddy_span name = eddy_catalog_column_name(catalog, c);
        uint32_t i = 0, count = eddy_catalog_count(catalog);
        while (i < count && eddy_catalog_get(catalog, i, c).size == 0)
            i++;
        if (i == count)
            (void)fprintf(stderr, "eddy %s: %s: column %.*s is empty in all %u rows\n",
                          command, file, (int)name.size, name.data, count);
    }
}

/* Columns that no vocabulary takes in. */
static void warn_left_out(const struct eddy_catalog *catalog, const char *command,
                          const char *file)
{
    uint32_t columns = catalog ? eddy_catalog_column_count(catalog) : 0;
    struct eddy_buf names;
    if (columns <= EDDY_COLUMNS_MAX)
        return;
    eddy_buf_init(&names, 0);
    for (uint32_t c = EDDY_COLUMNS_MAX; c < columns; c++) {
        struct eddy_span name = eddy_catalog_column_name(catalog, c);
        eddy_buf_printf(&names, "%s%.*s", names.size > 0 ? ", " : "", (int)name.size,
                        name.data);
    }
    (void)fprintf(
        stderr,
        "eddy %s: %s: %u columns beyond the first %d of metadata are not used "
        "(%s): put those that matter first, or leave others out\n",
        command, file, columns - EDDY_COLUMNS_MAX, EDDY_COLUMNS_MAX,
        names.failed ? "" : names.data);
    eddy_buf_fini(&names);
}

void eddy_inputs_warn(const struct eddy_inputs *inputs, const char *command,
                      const struct eddy_input_options *options)
{
    const struct eddy_interactions *in = &inputs->interactions;
    const char *interactions = options->interactions;
    warn_empty(inputs->items, command, options->items);
    warn_empty(inputs->users, command, options->users);
    warn_left_out(inputs->items, command, options->items);
    warn_left_out(inputs->users, command, options->users);
    if (in->context_left_out > 0)
        (void)fprintf(
            stderr,
            "eddy %s: %s: %u columns beyond the first %d of context are not used: put "
            "those that matter first, or leave others out\n",
            command, interactions, in->context_left_out, EDDY_CONTEXT_MAX);
    if (in->repeats > 0)
        (void)fprintf(
            stderr,
            "eddy %s: %s:%llu: the row is there before, with the same user, item, time, "
            "type and value (such rows: %llu); each of them counts\n",
            command, interactions, (unsigned long long)in->repeat_line,
            (unsigned long long)in->repeats);
    if (in->unsorted > 0)
        (void)fprintf(
            stderr,
            "eddy %s: %s:%llu: the row is older than the row before of the same user "
            "(such rows: %llu); they were sorted by time\n",
            command, interactions, (unsigned long long)in->unsorted_line,
            (unsigned long long)in->unsorted);
    if (inputs->wrong_cells > 0)
        (void)fprintf(stderr,
                      "eddy %s: %llu rows hold a cell that its schema does not "
                      "allow\n",
                      command, (unsigned long long)inputs->wrong_cells);
}

void eddy_inputs_close(struct eddy_inputs *inputs)
{
    eddy_interactions_fini(&inputs->interactions);
    eddy_catalog_free(inputs->items);
    eddy_catalog_free(inputs->users);
    free(inputs->item_kinds);
    free(inputs->user_kinds);
    free(inputs->context_kinds);
    *inputs = (struct eddy_inputs){0};
}

int eddy_inputs_output(const char *command, const char *option, const char *path,
                       const char *const *read, size_t count)
{
    struct eddy_err err = {0};
    if (path == NULL || strcmp(path, "-") == 0)
        return EDDY_EXIT_OK;
    if (eddy_file_among(path, read, count))
        return eddy_args_fail(command, "%s %s is read, too; give another name", option,
                              path);
    return eddy_file_place_check(path, &err) < 0 ? eddy_app_fail(command, &err)
                                                 : EDDY_EXIT_OK;
}
