/* Warm start: the older model's weights by item id and event type. Which events it has
 * learned from already stands in its manifest as the time of the newest one. */
#include "app/warm_start.h"

#include <stdlib.h>
#include <string.h>

#include "app/model.h"
#include "io/files.h"

/* Of users who have nothing new, so many are learned from again. */
static const double replay = 0.15;

static void find_types(struct eddy_warm_start *start,
                       const struct eddy_interactions *interactions)
{
    const struct eddy_snapshot *snapshot = start->snapshot;
    for (uint32_t t = 0; t < interactions->type_count; t++) {
        start->types[t] = UINT16_MAX;
        for (uint32_t old = 0; old < snapshot->layout.shape.types; old++)
            if (snapshot->manifest.types[old] != NULL &&
                strcmp(snapshot->manifest.types[old], interactions->types[t]) == 0)
                start->types[t] = (uint16_t)old;
    }
}

/* Whether --set says something about `name`. */
static bool is_set(const struct eddy_arg_list *set, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < set->count; i++)
        if (strncmp(set->values[i], name, size) == 0 && set->values[i][size] == '=')
            return true;
    return false;
}

static int fail_shape(const struct eddy_option *option, const char *folder, int64_t has,
                      int64_t wanted, struct eddy_err *err)
{
    struct eddy_buf texts[2];
    const int64_t values[2] = {wanted, has};
    for (int i = 0; i < 2; i++) {
        eddy_buf_init(&texts[i], 0);
        eddy_conf_format(option, &values[i], &texts[i]);
    }
    int r = eddy_fail(err, EDDY_EUSAGE,
                      "--set %s=%s: the model of --warm-start %s has %s=%s; leave that "
                      "--set out, or train without --warm-start",
                      option->name, texts[0].data ? texts[0].data : "", folder,
                      option->name, texts[1].data ? texts[1].data : "");
    eddy_buf_fini(&texts[0]);
    eddy_buf_fini(&texts[1]);
    return r;
}

/* What somebody wants of the shape has to be what the model has; what nobody named is taken
 * from it. */
static int take_shape(const struct eddy_shape *shape, const char *folder,
                      const struct eddy_arg_list *set,
                      struct eddy_train_options *options, struct eddy_err *err)
{
    const struct {
        const char *name;
        int64_t has;
    } rows[] = {
        {"hidden_dimension", shape->hidden},
        {"layers", shape->layers},
        {"cell", shape->cell},
        {"mode", shape->mode},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct eddy_option *option = eddy_train_option_table;
        while (strcmp(option->name, rows[i].name) != 0)
            option++; /* all four are there */
        int64_t *value = (int64_t *)(void *)((char *)options + option->offset);
        if (is_set(set, option->name) && *value != rows[i].has)
            return fail_shape(option, folder, rows[i].has, *value, err);
        *value = rows[i].has;
    }
    return 0;
}

int eddy_warm_start_open(struct eddy_warm_start *start, const char *folder,
                         const struct eddy_interactions *interactions,
                         const struct eddy_arg_list *set,
                         struct eddy_train_options *options, struct eddy_err *err)
{
    uint32_t items = eddy_catalog_count(interactions->items);

    *start = (struct eddy_warm_start){0};
    int r = eddy_model_open(folder, &start->snapshot, err);
    if (r < 0)
        return r;
    const struct eddy_snapshot *snapshot = start->snapshot;
    const struct eddy_shape *shape = &snapshot->layout.shape;
    if (shape->hidden == 0) {
        eddy_warm_start_close(start);
        return eddy_fail(err, EDDY_ECONFIG,
                         "--warm-start %s: the model has no network to go on from",
                         folder);
    }
    r = take_shape(shape, folder, set, options, err);
    if (r < 0) {
        eddy_warm_start_close(start);
        return r;
    }
    start->items = malloc(((size_t)items + 1) * sizeof *start->items);
    if (start->items == NULL) {
        eddy_warm_start_close(start);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u items", items);
    }
    for (uint32_t i = 0; i < items; i++)
        start->items[i] = eddy_catalog_find(snapshot->catalog,
                                            eddy_catalog_id(interactions->items, i));
    find_types(start, interactions);
    start->warm =
        (struct eddy_train_warm){.layout = &snapshot->layout,
                                 .params = snapshot->params,
                                 .items = start->items,
                                 .types = start->types,
                                 .newest_ms = eddy_model_newest(&snapshot->manifest),
                                 .replay = replay,
                                 .vocabularies = &snapshot->vocabularies};
    options->warm = &start->warm;
    return 0;
}

void eddy_warm_start_close(struct eddy_warm_start *start)
{
    eddy_snapshot_release(start->snapshot);
    free(start->items);
    *start = (struct eddy_warm_start){0};
}
