/* --column on its way to eddy_vocabulary_learn, which takes the kinds of a file's columns as
 * one text: here is known which file has which column, so here is said what is wrong. */
#include "app/columns.h"

#include <string.h>

#include "core/features.h"
#include "core/text.h"

struct wish {
    struct eddy_span dataset, name; /* dataset empty: any */
    struct eddy_span kind;
};

static bool read_wish(const char *text, struct wish *ret)
{
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text)
        return false;
    *ret = (struct wish){.name = {text, (size_t)(equals - text)},
                         .kind = eddy_span_of(equals + 1)};
    /* An id file's name and a dot: Amazon's way to say whose column. */
    static const char *const datasets[] = {"ITEMS", "USERS", "INTERACTIONS"};
    for (size_t i = 0; i < 3; i++) {
        size_t size = strlen(datasets[i]);
        if (ret->name.size > size + 1 && text[size] == '.' &&
            strncmp(text, datasets[i], size) == 0) {
            ret->dataset = (struct eddy_span){text, size};
            ret->name = (struct eddy_span){text + size + 1, ret->name.size - size - 1};
        }
    }
    return true;
}

/* Of the file that the wish may mean; EDDY_ITEM_NONE: it has none of that name. */
static uint32_t column_of(const struct wish *wish, const struct eddy_columns_file *file)
{
    uint32_t count = file->catalog ? eddy_catalog_column_count(file->catalog) : 0;
    if (wish->dataset.size > 0 &&
        !eddy_span_eq(wish->dataset, eddy_span_of(file->dataset)))
        return EDDY_ITEM_NONE;
    for (uint32_t c = 0; c < count; c++)
        if (eddy_span_eq_nocase(eddy_catalog_column_name(file->catalog, c), wish->name))
            return c;
    return EDDY_ITEM_NONE;
}

static int fail_column(const char *text, const struct eddy_columns_file *files,
                       size_t count, struct eddy_err *err)
{
    struct eddy_buf there;
    eddy_buf_init(&there, 0);
    for (size_t f = 0; f < count; f++) {
        uint32_t columns =
            files[f].catalog ? eddy_catalog_column_count(files[f].catalog) : 0;
        if (files[f].catalog != NULL)
            eddy_buf_printf(&there, "; %s has %s", files[f].path,
                            columns == 0 ? "none" : "");
        for (uint32_t c = 0; c < columns; c++) {
            struct eddy_span name = eddy_catalog_column_name(files[f].catalog, c);
            eddy_buf_printf(&there, "%s%.*s", c > 0 ? ", " : "", (int)name.size,
                            name.data);
        }
    }
    bool alone = true; /* interactions only: other columns come from other files */
    for (size_t f = 0; f + 1 < count; f++)
        alone = alone && files[f].catalog == NULL;
    int r = eddy_fail(err, EDDY_EUSAGE, "--column %s: there is no such column%s%s",
                      text, there.size > 0 ? there.data : "",
                      alone ? "; give -I ITEMS or -U USERS" : "");
    eddy_buf_fini(&there);
    return r;
}

static bool has_number(const struct eddy_catalog *catalog, uint32_t column)
{
    double number;
    for (uint32_t i = 0; i < eddy_catalog_count(catalog); i++)
        if (eddy_number_parse(eddy_catalog_get(catalog, i, column), &number))
            return true;
    return false;
}

/* Whether one of the first `last` texts means the column, too. */
static bool is_twice(const struct eddy_arg_list *columns, size_t last,
                     const struct eddy_columns_file *file, uint32_t column)
{
    for (size_t i = 0; i < last; i++) {
        struct wish wish;
        if (read_wish(columns->values[i], &wish) && column_of(&wish, file) == column)
            return true;
    }
    return false;
}

static int check_one(const struct eddy_arg_list *columns, size_t at,
                     const struct eddy_columns_file *files, size_t count,
                     struct eddy_err *err)
{
    const char *text = columns->values[at];
    struct wish wish;
    bool found = false;
    if (!read_wish(text, &wish) || memchr(wish.name.data, ',', wish.name.size))
        return eddy_fail(
            err, EDDY_EUSAGE,
            "--column %s: write NAME=KIND, e.g. --column GENRES=categorical", text);
    int kind = eddy_column_kind_find(wish.kind);
    if (kind < 0)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--column %s: there is no kind \"%.*s\"; write categorical, "
                         "numeric, text or ignored",
                         text, (int)wish.kind.size, wish.kind.data);
    for (size_t f = 0; f < count; f++) {
        uint32_t column = column_of(&wish, &files[f]);
        if (column == EDDY_ITEM_NONE)
            continue;
        found = true;
        if (is_twice(columns, at, &files[f], column))
            return eddy_fail(err, EDDY_EUSAGE, "--column %s: the column's second kind",
                             text);
        if (kind == EDDY_COLUMN_NUMERIC && !has_number(files[f].catalog, column))
            return eddy_fail(err, EDDY_EUSAGE,
                             "--column %s: no cell of it in %s is a number", text,
                             files[f].path);
    }
    return found ? 0 : fail_column(text, files, count, err);
}

int eddy_columns_check(const struct eddy_arg_list *columns,
                       const struct eddy_columns_file *files, size_t count,
                       struct eddy_err *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < columns->count; i++)
        r = check_one(columns, i, files, count, err);
    return r;
}

void eddy_columns_put_kinds(const struct eddy_arg_list *columns,
                            const struct eddy_columns_file *file, struct eddy_buf *out)
{
    for (size_t i = 0; i < columns->count; i++) {
        struct wish wish;
        if (!read_wish(columns->values[i], &wish) ||
            column_of(&wish, file) == EDDY_ITEM_NONE)
            continue;
        eddy_buf_puts(out, out->size > 0 ? "," : "");
        eddy_buf_put(out, wish.name.data, wish.name.size);
        eddy_buf_putc(out, '=');
        eddy_buf_put(out, wish.kind.data, wish.kind.size);
    }
}
