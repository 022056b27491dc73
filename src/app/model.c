#include "app/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "io/files.h"

/* Time of the newest event that was learned from: where a warm start goes on. */
/* An integer of "data", or what stands for one that is not there. */
static int64_t data_integer(const struct eddy_manifest *manifest, const char *name,
                            int64_t none)
{
    json_t *data =
        manifest->data_json ? json_loads(manifest->data_json, 0, NULL) : NULL;
    const json_t *number = json_object_get(data, name);
    int64_t value = json_is_integer(number) ? json_integer_value(number) : none;
    json_decref(data);
    return value;
}

int64_t eddy_model_newest(const struct eddy_manifest *manifest)
{
    return data_integer(manifest, "newest_ms", INT64_MIN);
}

uint64_t eddy_model_users(const struct eddy_manifest *manifest)
{
    int64_t users = data_integer(manifest, "users", 0);
    return users > 0 ? (uint64_t)users : 0;
}

static int64_t newest_of(const struct eddy_interactions *interactions)
{
    int64_t newest = 0;
    for (uint64_t i = 0; i < interactions->count; i++)
        if (i == 0 || interactions->rows[i].ts_ms > newest)
            newest = interactions->rows[i].ts_ms;
    return newest;
}

static void put_data(const struct eddy_model_source *source, struct eddy_buf *out)
{
    const struct eddy_interactions *interactions = source->interactions;
    eddy_buf_printf(out,
                    "{\"sha256\":\"%s\",\"events\":%llu,\"users\":%u,\"items\":%u,"
                    "\"skipped\":%llu,\"newest_ms\":%lld,\"hold_out\":",
                    interactions->sha256, (unsigned long long)interactions->count,
                    eddy_catalog_count(interactions->users),
                    eddy_catalog_count(interactions->items),
                    (unsigned long long)interactions->skipped,
                    (long long)newest_of(interactions));
    if (source->hold_out != NULL)
        eddy_buf_put_json_string(out, eddy_span_of(source->hold_out));
    else
        eddy_buf_puts(out, "null");
    if (source->events != NULL)
        eddy_event_options_encode(source->events, out);
    eddy_buf_putc(out, '}');
}

static void put_number(struct eddy_buf *out, const char *name, double value)
{
    eddy_buf_printf(out, "%s\"%s\":", out->size > 1 ? "," : "", name);
    eddy_buf_put_fixed(out, value, 6);
}

static void put_learning(const struct eddy_model_source *source, struct eddy_buf *out)
{
    eddy_buf_puts(out, ",\"learning_curve\":[");
    for (uint32_t i = 0; i < source->learning_count; i++) {
        const struct eddy_learning_point *point = &source->learning[i];
        eddy_buf_printf(out, "%s{\"epoch\":%u,\"loss\":", i > 0 ? "," : "",
                        point->epoch);
        eddy_buf_put_fixed(out, point->loss, 6);
        if (point->ndcg >= 0) {
            eddy_buf_puts(out, ",\"ndcg_at_10\":");
            eddy_buf_put_fixed(out, point->ndcg, 6);
            eddy_buf_puts(out, ",\"hr_at_10\":");
            eddy_buf_put_fixed(out, point->hr, 6);
        }
        eddy_buf_putc(out, '}');
    }
    eddy_buf_putc(out, ']');
}

static void put_metrics(const struct eddy_model_source *source,
                        const struct eddy_build_result *result, struct eddy_buf *out)
{
    const struct eddy_train_result *network = &result->network;
    eddy_buf_puts(out, "{");
    if (network->epochs > 0) {
        put_number(out, "loss", network->loss);
        put_number(out, "epochs", network->epochs);
        put_number(out, "best_epoch", network->best_epoch);
    }
    if (network->validation_events > 0) {
        put_number(out, "validation_events", (double)network->validation_events);
        put_number(out, "validation_ndcg_at_10", network->best_ndcg);
        put_number(out, "validation_hr_at_10", network->best_hr);
    }
    if (result->head_ndcg > 0) {
        put_number(out, "head_off_ndcg_at_10", result->plain_ndcg);
        put_number(out, "head_off_mrr_at_20", result->plain_mrr);
        put_number(out, "head_on_ndcg_at_10", result->head_ndcg);
        put_number(out, "head_on_mrr_at_20", result->head_mrr);
    }
    put_number(out, "seconds", source->seconds);
    put_number(out, "cpu_seconds", source->cpu_seconds);
    if (source->learning_count > 0)
        put_learning(source, out);
    eddy_buf_puts(out, "}");
}

/* A malloced text of what put() wrote; NULL when memory is out. */
static char *take_text(struct eddy_buf *buf)
{
    char *text = buf->failed ? NULL : strdup(buf->data);
    eddy_buf_clear(buf);
    return text;
}

static int fill_manifest(const struct eddy_model_source *source,
                         const struct eddy_build_result *result,
                         struct eddy_manifest *manifest)
{
    const struct eddy_interactions *in = source->interactions;
    struct eddy_buf buf;
    bool complete = true;

    (void)snprintf(manifest->recipe, sizeof manifest->recipe, "%s",
                   source->recipe->name);
    manifest->shape = result->network.layout.shape;
    manifest->session_gap_s = (uint32_t)source->options->train.session_gap_s;
    manifest->recent_events = (uint32_t)source->options->train.recent_events;
    manifest->seed = source->options->train.seed;
    manifest->created_s = eddy_now_ms() / 1000;
    eddy_buf_init(&buf, 0);
    eddy_recipe_options_encode(source->options, source->recipe, &buf);
    manifest->hyper_json = take_text(&buf);
    put_data(source, &buf);
    manifest->data_json = take_text(&buf);
    put_metrics(source, result, &buf);
    manifest->metrics_json = take_text(&buf);
    const struct eddy_vocabularies *all = &result->vocabularies;
    if (all->items != NULL || all->users != NULL || all->context != NULL) {
        eddy_vocabularies_encode(all, &buf);
        manifest->features_json = take_text(&buf);
        complete = manifest->features_json != NULL;
    }
    eddy_buf_fini(&buf);
    for (uint32_t t = 0; t < in->type_count; t++) {
        manifest->types[t] = strdup(in->types[t]);
        complete = complete && manifest->types[t] != NULL;
    }
    return complete && manifest->hyper_json && manifest->data_json &&
                   manifest->metrics_json
               ? 0
               : EDDY_ENOMEM;
}

/* The items file's catalogue with the items that only interactions know behind it. */
static struct eddy_catalog *whole_catalog(const struct eddy_catalog *items,
                                          const struct eddy_catalog *known)
{
    struct eddy_catalog *whole = NULL;
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_catalog_encode(items ? items : known, &csv);
    if (csv.failed || eddy_catalog_decode(eddy_buf_span(&csv), &whole, NULL) < 0)
        whole = NULL;
    eddy_buf_fini(&csv);
    uint32_t count = eddy_catalog_count(known);
    for (uint32_t i = whole ? eddy_catalog_count(whole) : count; i < count; i++) {
        if (eddy_catalog_add(whole, eddy_catalog_id(known, i)) != i) {
            eddy_catalog_free(whole);
            return NULL;
        }
    }
    return whole;
}

void eddy_model_warn_of_users(const char *command, const char *folder,
                              const struct eddy_snapshot *snapshot)
{
    if (snapshot->vocabularies.users == NULL)
        (void)fprintf(
            stderr,
            "eddy %s: %s has learned nothing of users: what --users says of them "
            "changes no list (train with --users and a recipe that hears it, see "
            "eddy recipes)\n",
            command, folder);
}

int eddy_model_save(const char *folder, const struct eddy_model_source *source,
                    const struct eddy_build_result *result,
                    char ret_version[EDDY_SNAPSHOT_ID_SIZE], struct eddy_err *err)
{
    struct eddy_manifest manifest = {0};
    struct eddy_buf files[3];
    struct eddy_catalog *catalog =
        whole_catalog(source->items, source->interactions->items);
    int r;

    for (int i = 0; i < 3; i++)
        eddy_buf_init(&files[i], 0);
    if (catalog == NULL || fill_manifest(source, result, &manifest) < 0) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory to write the model");
        goto out;
    }
    const struct eddy_snapshot_parts parts = {.layout = &result->network.layout,
                                              .params = result->network.params,
                                              .popularity = result->network.popularity,
                                              .catalog = catalog,
                                              .tables = &result->tables,
                                              .head = &result->head,
                                              .stream_head = &result->stream_head};
    r = eddy_snapshot_encode(&manifest, &parts, &files[0], &files[1], &files[2], err);
    if (r == 0)
        r = eddy_snapshot_save(folder, eddy_buf_span(&files[0]),
                               eddy_buf_span(&files[1]), eddy_buf_span(&files[2]), err);
    if (r == 0)
        memcpy(ret_version, manifest.version, EDDY_SNAPSHOT_ID_SIZE);
out:
    for (int i = 0; i < 3; i++)
        eddy_buf_fini(&files[i]);
    eddy_manifest_fini(&manifest);
    eddy_catalog_free(catalog);
    return r;
}

int eddy_model_open(const char *folder, struct eddy_snapshot **ret,
                    struct eddy_err *err)
{
    int r = eddy_snapshot_open(folder, eddy_kernels_get(), ret, err);
    return r != EDDY_ENOMODEL
               ? r
               : eddy_fail(err, EDDY_EIO,
                           "model %.120s: there is no such folder; give the one that "
                           "eddy train wrote (-o)",
                           folder);
}
