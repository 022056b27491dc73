/* `eddy inspect user` and `eddy inspect model`. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/inspect.h"
#include "app/model.h"
#include "base/hash.h"
#include "core/state.h"

static double norm_of(const float *values, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)values[i];
    return sqrt(sum);
}

/* Id and title where the snapshot knows the item. */
static void name_item(json_t *object, uint64_t item_hash,
                      const struct eddy_snapshot *snapshot)
{
    uint32_t item = snapshot ? eddy_catalog_find_hash(snapshot->catalog, item_hash)
                             : EDDY_ITEM_NONE;
    if (object == NULL || item == EDDY_ITEM_NONE)
        return;
    struct eddy_span id = eddy_catalog_id(snapshot->catalog, item);
    struct eddy_span title = eddy_catalog_title(snapshot->catalog, item);
    (void)json_object_set_new(object, "item", json_stringn(id.data, id.size));
    (void)json_object_set_new(object, "title", json_stringn(title.data, title.size));
}

/* A state holds hashes: names where the snapshot has them, else "#" and the hash. */
static json_t *context_json(const struct eddy_context *values, uint32_t count,
                            const struct eddy_snapshot *snapshot)
{
    json_t *object = json_object();
    for (uint32_t i = 0; object && i < count; i++) {
        const char *name, *text;
        char column[16], value[16];
        eddy_context_index_tell(snapshot ? snapshot->context : NULL, &values[i], &name,
                                &text);
        (void)snprintf(column, sizeof column, "#%08" PRIx32, values[i].column);
        (void)snprintf(value, sizeof value, "#%08" PRIx32, values[i].text);
        bool number = text == NULL && !isnan(values[i].number);
        (void)json_object_set_new(object, name ? name : column,
                                  number ? json_real((double)values[i].number)
                                         : json_string(text ? text : value));
    }
    return object;
}

static json_t *recent_json(const struct eddy_recent *recent,
                           const struct eddy_context *context,
                           const struct eddy_snapshot *snapshot)
{
    char when[32], hash[17];
    uint32_t contexts = eddy_recent_contexts(recent);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, recent->item_hash);
    json_t *object =
        json_pack("{s:s, s:I, s:s, s:s}", "time",
                  eddy_tool_time((int64_t)recent->ts_s, when), "ts",
                  (json_int_t)recent->ts_s * 1000, "type",
                  eddy_tool_type_name(snapshot, recent->type_hash), "item_hash", hash);
    if (object && (recent->flags & 1))
        (void)json_object_set_new(object, "value", json_real((double)recent->value));
    if (object && contexts > 0)
        (void)json_object_set_new(object, "context",
                                  context_json(context, contexts, snapshot));
    name_item(object, recent->item_hash, snapshot);
    return object;
}

/* Of all recent events, newest first. */
static json_t *all_recent_json(const struct eddy_state *state,
                               const struct eddy_snapshot *snapshot)
{
    json_t *recent = json_array();
    const struct eddy_context *context = state->context + state->context_count;
    for (uint32_t i = state->recent_count; i > 0; i--) {
        context -= eddy_recent_contexts(&state->recent[i - 1]);
        (void)json_array_append_new(recent, recent_json(&state->recent[i - 1], context,
                                                        snapshot));
    }
    return recent;
}

/* What was shown and not taken since, newest first. */
static json_t *shown_json(const struct eddy_shown_ring *ring,
                          const struct eddy_snapshot *snapshot)
{
    json_t *array = json_array();
    for (uint32_t i = ring->count; i > 0; i--) {
        const struct eddy_shown *shown = &ring->entries[i - 1];
        char when[32], hash[17];
        (void)snprintf(hash, sizeof hash, "%016" PRIx64, shown->item_hash);
        json_t *object = json_pack("{s:s, s:I, s:i, s:s}", "time",
                                   eddy_tool_time((int64_t)shown->ts_s, when), "ts",
                                   (json_int_t)shown->ts_s * 1000, "times",
                                   (int)shown->times, "item_hash", hash);
        name_item(object, shown->item_hash, snapshot);
        (void)json_array_append_new(array, object);
    }
    return array;
}

json_t *eddy_inspect_state_json(struct eddy_span user, uint32_t partition,
                                const struct eddy_state *state,
                                const struct eddy_snapshot *snapshot)
{
    return json_pack(
        "{s:s%, s:i, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:f, s:o, s:o}", "user",
        user.data, user.size, "partition", (int)partition, "revision",
        (json_int_t)state->revision, "snapshot", state->snapshot, "first_ts",
        (json_int_t)state->first_s * 1000, "newest_ts",
        (json_int_t)state->newest_s * 1000, "events", (json_int_t)state->event_count,
        "sessions", (json_int_t)state->session_count, "steps",
        (json_int_t)state->step_count_low, "hidden_floats", (int)state->hidden_count,
        "hidden_norm", norm_of(state->hidden, state->hidden_count), "recent",
        all_recent_json(state, snapshot), "shown", shown_json(&state->shown, snapshot));
}

/* "id  title", or "#hash". */
static void print_item(const json_t *object)
{
    const char *item = json_string_value(json_object_get(object, "item"));
    const char *title = json_string_value(json_object_get(object, "title"));
    const char *hash = json_string_value(json_object_get(object, "item_hash"));
    (void)printf("%s%s%s", item ? item : "#", item ? "  " : "", item ? title : hash);
}

static void print_event(const json_t *event)
{
    const json_t *number = json_object_get(event, "value");
    json_t *context = json_object_get(event, "context"), *value;
    const char *name;
    (void)printf("    %s  %-10s  ", json_string_value(json_object_get(event, "time")),
                 json_string_value(json_object_get(event, "type")));
    print_item(event);
    if (number)
        (void)printf("  value %g", json_real_value(number));
    json_object_foreach(context, name, value)
    {
        if (json_is_string(value))
            (void)printf("  %s=%s", name, json_string_value(value));
        else
            (void)printf("  %s=%g", name, json_real_value(value));
    }
    (void)putchar('\n');
}

static void print_state(struct eddy_span user, uint32_t partition,
                        const struct eddy_state *state,
                        const struct eddy_snapshot *snapshot)
{
    char first[32], newest[32];
    json_t *recent = all_recent_json(state, snapshot), *one;
    json_t *shown = shown_json(&state->shown, snapshot);
    size_t i;
    (void)printf("user \"%.*s\", partition %u\n", (int)user.size, user.data, partition);
    (void)printf("  revision   %" PRIu64 " (offset of the newest record + 1)\n",
                 state->revision);
    (void)printf("  snapshot   %s%s\n", state->snapshot,
                 snapshot ? "" : "  (not in model.folder: items show as hashes)");
    (void)printf("  events     %" PRIu64 " in %" PRIu64 " sessions, %s to %s UTC\n",
                 state->event_count, state->session_count,
                 eddy_tool_time(state->first_s, first),
                 eddy_tool_time(state->newest_s, newest));
    (void)printf("  hidden     %u floats, norm %.6f, %u steps since zero\n",
                 state->hidden_count, norm_of(state->hidden, state->hidden_count),
                 state->step_count_low);
    (void)printf("  last events, newest first (%u kept):\n", state->recent_count);
    json_array_foreach(recent, i, one) print_event(one);
    if (state->shown.count > 0)
        (void)printf("  shown and not taken since, newest first (%u kept):\n",
                     state->shown.count);
    json_array_foreach(shown, i, one)
    {
        (void)printf("    %s  %3" JSON_INTEGER_FORMAT " times   ",
                     json_string_value(json_object_get(one, "time")),
                     json_integer_value(json_object_get(one, "times")));
        print_item(one);
        (void)putchar('\n');
    }
    json_decref(recent);
    json_decref(shown);
}

static int decode_and_print(const struct eddy_inspect *inspect, struct eddy_span user,
                            uint32_t partition, struct eddy_span blob,
                            struct eddy_err *err)
{
    enum { FLOATS = (EDDY_LAYERS_MAX + 2) * EDDY_HIDDEN_MAX };
    void *memory =
        eddy_arena_take(inspect->arena, eddy_state_size(FLOATS, EDDY_RECENT_MAX) + 64);
    if (!memory)
        return eddy_fail(err, EDDY_ENOMEM, "out of memory");
    struct eddy_state *state = eddy_state_init(memory, FLOATS, EDDY_RECENT_MAX);
    int r = eddy_state_decode(blob, state, err);
    if (r < 0)
        return r;
    struct eddy_err why = {0};
    struct eddy_snapshot *snapshot =
        eddy_tool_snapshot(inspect->config, state->snapshot, &why);
    if (inspect->json) {
        json_t *object = eddy_inspect_state_json(user, partition, state, snapshot);
        eddy_inspect_print_json(object);
        json_decref(object);
    } else {
        print_state(user, partition, state, snapshot);
    }
    if (snapshot)
        eddy_snapshot_release(snapshot);
    return 0;
}

int eddy_inspect_user(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    uint32_t partitions = 0;
    struct eddy_span user = eddy_span_of(inspect->what), blob = {0};
    struct eddy_buf key;
    int r = eddy_tool_partitions(inspect->store, &partitions, err);
    if (r < 0)
        return r;
    uint32_t partition = eddy_partition_of(user, partitions);
    eddy_buf_init(&key, 0);
    eddy_key_state(inspect->store, partition, user, &key);
    r = eddy_store_get(inspect->store, eddy_buf_span(&key), inspect->arena, &blob, err);
    if (r == 0 && !blob.data)
        r = eddy_fail(err, EDDY_ENOMODEL, "%s does not exist: the user has no state",
                      key.data);
    eddy_buf_fini(&key);
    return r < 0 ? r : decode_and_print(inspect, user, partition, blob, err);
}

/* ---- model ----------------------------------------------------------------------- */

static json_t *parse_or_null(const char *text)
{
    json_t *value = text ? json_loads(text, 0, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *model_json(const struct eddy_snapshot *snapshot)
{
    static const char *const cells[] = {"mingru", "gru", "plain_gru"};
    static const char *const modes[] = {"flat", "init", "all"};
    const struct eddy_manifest *manifest = &snapshot->manifest;
    json_t *types = json_array();
    json_t *columns = json_array();
    for (uint32_t t = 0; t < manifest->shape.types; t++)
        (void)json_array_append_new(types, json_string(manifest->types[t]));
    for (uint32_t c = 0; c < eddy_catalog_column_count(snapshot->catalog); c++) {
        struct eddy_span name = eddy_catalog_column_name(snapshot->catalog, c);
        (void)json_array_append_new(columns, json_stringn(name.data, name.size));
    }
    return json_pack(
        "{s:s, s:s, s:{s:i, s:i, s:i, s:s, s:s}, s:I, s:i, s:i, s:i, s:I, s:o, s:o, s:o, "
        "s:o, s:o}",
        "version", manifest->version, "recipe", manifest->recipe, "shape", "items",
        (int)manifest->shape.items, "hidden", (int)manifest->shape.hidden, "layers",
        (int)manifest->shape.layers, "cell", cells[manifest->shape.cell], "mode",
        modes[manifest->shape.mode], "parameters", (json_int_t)snapshot->layout.size,
        "state_floats", (int)eddy_hrnn_state_floats(&manifest->shape), "session_gap_s",
        (int)manifest->session_gap_s, "recent_events", (int)manifest->recent_events,
        "seed", (json_int_t)manifest->seed, "types", types, "item_columns", columns,
        "hyper_parameters", parse_or_null(manifest->hyper_json), "data",
        parse_or_null(manifest->data_json), "metrics",
        parse_or_null(manifest->metrics_json));
}

int eddy_inspect_model(const struct eddy_inspect *inspect, struct eddy_err *err)
{
    struct eddy_snapshot *snapshot = NULL;
    int r = eddy_model_open(inspect->what, &snapshot, err);
    if (r < 0)
        return r;
    json_t *object = model_json(snapshot);
    if (inspect->json) {
        eddy_inspect_print_json(object);
    } else {
        const char *key = NULL;
        json_t *value = NULL;
        json_object_foreach(object, key, value)
        {
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            (void)printf("%-17s %s\n", key, text ? text : "?");
            free(text);
        }
    }
    json_decref(object);
    eddy_snapshot_release(snapshot);
    return 0;
}
