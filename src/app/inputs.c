#include "app/inputs.h"

#include <string.h>
#include <sys/resource.h>

#include "io/files.h"

uint64_t eddy_peak_resident_bytes(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    return (uint64_t)usage.ru_maxrss * 1024;
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
    r = eddy_users_parse(file.bytes, options->users, options->skip_bad, &inputs->users,
                         err);
    eddy_file_close(&file);
    if (r == 0)
        inputs->user_rows = eddy_catalog_count(inputs->users);
    return r;
}

static void put_quoted(struct eddy_span text, struct eddy_buf *out)
{
    eddy_buf_putc(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            eddy_buf_putc(out, '"');
        eddy_buf_putc(out, text.data[i]);
    }
    eddy_buf_putc(out, '"');
}

/* The list as interactions: "ITEM","ITEM",1 a row. */
static int open_list(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_interactions_options interactions = {.items = options->known};
    struct eddy_catalog *list = NULL;
    struct eddy_file file;
    struct eddy_buf csv;
    int r = eddy_file_open(options->item_list, &file, err);
    if (r < 0)
        return r;
    r = eddy_items_parse(file.bytes, options->item_list, options->skip_bad, &list, err);
    eddy_file_close(&file);
    eddy_buf_init(&csv, 0);
    eddy_buf_puts(&csv, "USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t i = 0; r == 0 && i < eddy_catalog_count(list); i++) {
        put_quoted(eddy_catalog_id(list, i), &csv);
        eddy_buf_putc(&csv, ',');
        put_quoted(eddy_catalog_id(list, i), &csv);
        eddy_buf_puts(&csv, ",1\n");
    }
    if (r == 0 && csv.failed)
        r = eddy_fail(err, EDDY_ENOMEM, "%s: no memory for the items",
                      options->item_list);
    if (r == 0)
        r = eddy_interactions_parse(eddy_buf_span(&csv), options->item_list,
                                    &interactions, &inputs->interactions, err);
    eddy_buf_fini(&csv);
    eddy_catalog_free(list);
    return r;
}

int eddy_inputs_open(struct eddy_inputs *inputs,
                     const struct eddy_input_options *options, struct eddy_err *err)
{
    struct eddy_interactions_options interactions = {.skip_bad = options->skip_bad,
                                                     .no_hash = options->no_hash,
                                                     .spill = options->spill};
    struct eddy_file file;
    int r;

    *inputs = (struct eddy_inputs){0};
    if (options->item_list)
        return open_list(inputs, options, err);
    if ((r = open_items(inputs, options, err)) < 0 ||
        (r = open_users(inputs, options, err)) < 0 ||
        (r = eddy_file_open(options->interactions, &file, err)) < 0) {
        eddy_inputs_close(inputs);
        return r;
    }
    interactions.items = options->known ? options->known : inputs->items;
    r = eddy_interactions_parse(file.bytes, options->interactions, &interactions,
                                &inputs->interactions, err);
    eddy_file_close(&file);
    if (r < 0)
        eddy_inputs_close(inputs);
    return r;
}

void eddy_inputs_close(struct eddy_inputs *inputs)
{
    eddy_interactions_fini(&inputs->interactions);
    eddy_catalog_free(inputs->items);
    eddy_catalog_free(inputs->users);
    *inputs = (struct eddy_inputs){0};
}
