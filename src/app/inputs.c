#include "app/inputs.h"

#include <string.h>
#include <sys/resource.h>

#include "core/csv.h"
#include "io/files.h"

uint64_t eddy_peak_resident_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
}

/* USER_ID has to be among the columns, and filled. */
static int check_users(struct eddy_span bytes, const char *name, bool skip_bad,
                       int64_t *ret_rows, struct eddy_err *err)
{
    struct eddy_csv csv;
    uint32_t column = EDDY_CSV_COLUMNS_MAX;
    int64_t count = 0;
    int r;

    eddy_csv_init(&csv, bytes, name);
    r = eddy_csv_next(&csv, err);
    for (uint32_t i = 0; r == 1 && i < csv.count; i++)
        if (eddy_span_eq(csv.fields[i], eddy_span_of("USER_ID")))
            column = i;
    if (r >= 0 && column == EDDY_CSV_COLUMNS_MAX)
        r = eddy_fail(err, EDDY_EFORMAT,
                      "%s:1: Input CSV is missing the following columns:[USER_ID]",
                      name);
    while (r >= 0 && (r = eddy_csv_next(&csv, err)) != 0) {
        bool filled = r > 0 && column < csv.count && csv.fields[column].size > 0;
        if (r > 0 && !filled)
            r = eddy_fail(err, EDDY_EFORMAT, "%s:%llu: column USER_ID: empty", name,
                          (unsigned long long)csv.line);
        if (r < 0 && !skip_bad)
            break;
        count += filled ? 1 : 0;
        r = 1;
    }
    eddy_csv_fini(&csv);
    if (r < 0)
        return r;
    *ret_rows = count;
    return 0;
}

static int open_items(struct eddy_inputs *inputs,
                      const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_file file;
    int r;
    if (options->items == NULL)
        return 0;
    if ((r = eddy_file_open(options->items, &file, err)) < 0)
        return r;
    r = eddy_items_parse(file.bytes, options->items, options->skip_bad, &inputs->items,
                         err);
    eddy_file_close(&file);
    return r;
}

static int open_users(struct eddy_inputs *inputs,
                      const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_file file;
    int r;
    inputs->user_rows = -1;
    if (options->users == NULL)
        return 0;
    if ((r = eddy_file_open(options->users, &file, err)) < 0)
        return r;
    r = check_users(file.bytes, options->users, options->skip_bad, &inputs->user_rows,
                    err);
    eddy_file_close(&file);
    return r;
}

int eddy_inputs_open(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_interactions_options interactions = {.skip_bad = options->skip_bad,
                                                     .no_hash = options->no_hash};
    struct eddy_file file;
    int r;

    *inputs = (struct eddy_inputs){0};
    if ((r = open_items(inputs, options, err)) < 0 ||
        (r = open_users(inputs, options, err)) < 0 ||
        (r = eddy_file_open(options->interactions, &file, err)) < 0) {
        eddy_catalog_free(inputs->items);
        inputs->items = NULL;
        return r;
    }
    interactions.items = options->known ? options->known : inputs->items;
    r = eddy_interactions_parse(file.bytes, options->interactions, &interactions,
                                &inputs->interactions, err);
    eddy_file_close(&file);
    if (r < 0) {
        eddy_catalog_free(inputs->items);
        *inputs = (struct eddy_inputs){0};
    }
    return r;
}

void eddy_inputs_close(struct eddy_inputs *inputs)
{
    eddy_interactions_fini(&inputs->interactions);
    eddy_catalog_free(inputs->items);
    *inputs = (struct eddy_inputs){0};
}
