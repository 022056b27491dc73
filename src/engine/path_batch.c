/* The first two stages: what a wave consists of.
 *
 * decode turns pushed records into events, in push order, and stops for a partition where
 * its commit would become too large or its model would change; what is left stays pushed
 * for the next wave. Every user of the wave gets a row, pinned to his slot of the cache.
 * load fetches the states that the cache does not have, all in one exchange. */
#include "engine/path_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXPECTED = 64 };   /* users looked up ahead at once */
enum { MODEL_ROWS = 64 }; /* rows of a step at once; more are done in slices */

/* ---------------------------------------------------------------- models */

static int open_model(struct eddy_path *path, const char *version,
                      struct path_model **ret, struct eddy_err *err)
{
    struct path_model *model = calloc(1, sizeof *model);
    if (!model) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for model %s", version);
    }
    int r = 0;
    if (version[0] == 0) {
        model->snapshot = eddy_snapshot_empty(eddy_kernels_get());
        r = model->snapshot ? 0 : eddy_fail(err, EDDY_ENOMEM, "no memory for a model");
    } else {
        r = eddy_registry_get(path->registry, version, &model->snapshot, err);
    }
    if (r < 0) {
        free(model);
        return r;
    }
    const struct eddy_shape *shape = &model->snapshot->manifest.shape;
    model->scratch = eddy_hrnn_scratch_new(shape, MODEL_ROWS);
    const struct eddy_rank_model rank = eddy_rank_model_of(model->snapshot);
    model->ranker = eddy_ranker_new(&rank, EDDY_SCORE_ROWS, EDDY_LIST_MAX);
    model->popular = calloc(EDDY_LIST_MAX, sizeof *model->popular);
    if (!model->scratch || !model->ranker || !model->popular ||
        eddy_cache_fit(&path->cache, eddy_hrnn_state_floats(shape),
                       model->snapshot->manifest.recent_events) < 0) {
        eddy_hrnn_scratch_free(model->scratch);
        eddy_ranker_free(model->ranker);
        free(model->popular);
        eddy_snapshot_release(model->snapshot);
        free(model);
        return eddy_fail(err, EDDY_ENOMEM,
                         "no memory for the states of %u users of model %s: lower "
                         "cache_users",
                         path->cache.capacity, version);
    }
    model->popular_count =
        eddy_list_popular(model->snapshot, EDDY_LIST_MAX, model->popular);
    *ret = model;
    return 0;
}

int eddy_path_model_take(struct eddy_path *path, const char *version,
                         struct path_model **ret, struct eddy_err *err)
{
    struct path_model *model = path->models;
    while (model && strcmp(model->snapshot->manifest.version, version) != 0) {
        model = model->next;
    }
    if (!model) {
        int r = open_model(path, version, &model, err);
        if (r < 0) {
            eddy_path_count(path, EDDY_M_ERRORS_MODEL, 1);
            return r;
        }
        model->next = path->models;
        path->models = model;
    }
    model->uses++;
    *ret = model;
    return 0;
}

void eddy_path_model_drop(struct eddy_path *path, struct path_model *model)
{
    if (!model || --model->uses > 0) {
        return;
    }
    struct path_model **at = &path->models;
    while (*at && *at != model) {
        at = &(*at)->next;
    }
    EDDY_ASSERT(*at == model);
    *at = model->next;
    eddy_hrnn_scratch_free(model->scratch);
    eddy_ranker_free(model->ranker);
    free(model->popular);
    eddy_snapshot_release(model->snapshot);
    free(model);
}

/* ---------------------------------------------------------------- decode */

enum taken { TAKEN, CUT }; /* or a negative code */

static void begin_wave(struct eddy_path *path)
{
    eddy_arena_reset(path->arena);
    path->event_count = 0;
    path->row_count = 0;
    path->dead_count = 0;
    for (uint32_t i = 0; i < path->part_count; i++) {
        struct path_part *part = path->parts[i];
        if (!part) {
            continue;
        }
        part->wave = part->position;
        part->touched = false;
        part->cut = false;
        part->row_count = 0;
        part->commit = NULL;
    }
}

static void touch(struct path_part *part, const struct eddy_record *record)
{
    part->touched = true;
    part->wave.offset = record->offset + 1;
}

static enum eddy_metric_id dead_metric(int code)
{
    switch (code) {
    case EDDY_ETOOBIG: return EDDY_M_DEAD_TOO_BIG;
    case EDDY_EVERSION: return EDDY_M_DEAD_VERSION;
    case EDDY_ETIME: return EDDY_M_DEAD_TIMESTAMP;
    case EDDY_EPLACE: return EDDY_M_DEAD_PARTITION;
    default: return EDDY_M_DEAD_MALFORMED;
    }
}

/* A record that cannot be applied. Confirmed before the commit (eddy_path_commit). */
static int bury(struct eddy_path *path, struct path_pushed *pushed, int code,
                const char *message, struct eddy_err *err)
{
    touch(pushed->part, &pushed->record);
    eddy_path_count(path, dead_metric(code), 1);
    if (!path->sink) {
        return TAKEN;
    }
    int r = eddy_sink_bury(path->sink, &pushed->record, code, message, err);
    if (r == EDDY_EFULL) { /* the queue is full of letters: see them off first */
        r = eddy_sink_settle(path->sink, EDDY_SETTLE_MS, err);
        if (r == 0) {
            r = eddy_sink_bury(path->sink, &pushed->record, code, message, err);
        }
        r = r == EDDY_EFULL ? EDDY_EKAFKA : r;
    }
    if (r == 0) {
        path->dead_count++;
    }
    return r < 0 ? r : TAKEN;
}

static int decode_payload(struct eddy_path *path, struct eddy_span payload,
                          struct eddy_event *ret, struct eddy_err *err)
{
    if (payload.size == 0) {
        return eddy_fail(err, EDDY_EBADEVENT, "the payload is empty");
    }
    if (payload.size > EDDY_RECORD_MAX) {
        return eddy_fail(err, EDDY_ETOOBIG, "%zu bytes, at most %d are taken",
                         payload.size, EDDY_RECORD_MAX);
    }
    /* A msgpack map begins with 0x80..0x8f, 0xde or 0xdf; JSON with one of these. */
    char first = payload.data[0];
    if (first == '{' || first == ' ' || first == '\t' || first == '\n' ||
        first == '\r') {
        return eddy_json_event_decode(path->json, payload, path->arena, ret, err);
    }
    return eddy_event_decode(payload, path->arena, ret, err);
}

static int switch_model(struct eddy_path *path, struct path_pushed *pushed,
                        const struct eddy_event *event, struct eddy_err *err)
{
    struct path_part *part = pushed->part;
    struct path_model *model = NULL;
    if (part->touched) {
        return CUT;
    }
    int r = eddy_path_model_take(path, event->snapshot, &model, err);
    if (r < 0) {
        return r;
    }
    eddy_path_model_drop(path, part->model);
    part->model = model;
    memcpy(part->wave.snapshot, event->snapshot, sizeof part->wave.snapshot);
    part->wave.policy = event->policy;
    part->default_due = part->partition == 0;
    touch(part, &pushed->record);
    return TAKEN;
}

/* The row of a user, made with his first event in the wave. */
static int find_row(struct eddy_path *path, struct path_part *part,
                    struct eddy_span user, struct path_row **ret)
{
    uint32_t at = eddy_cache_take(&path->cache, part->partition, user);
    if (at == EDDY_CACHE_NONE) {
        return CUT;
    }
    struct eddy_cached *slot = &path->cache.slots[at];
    if (slot->row != EDDY_CACHE_NONE) {
        *ret = &path->rows[slot->row];
        return TAKEN;
    }
    if (part->row_count == EDDY_COMMIT_USERS) {
        return CUT;
    }
    __builtin_prefetch(slot->state); /* far from the CPU, and needed soon */
    part->row_count++;
    slot->row = path->row_count;
    *ret = &path->rows[path->row_count++];
    **ret = (struct path_row){.part = part,
                              .slot = at,
                              .first = EDDY_NO_EVENT,
                              .last = EDDY_NO_EVENT,
                              .user = user};
    return TAKEN;
}

static int add_event(struct eddy_path *path, struct path_pushed *pushed,
                     const struct eddy_event *event, struct eddy_err *err)
{
    struct path_part *part = pushed->part;
    struct path_row *row = NULL;
    uint32_t partitions = path->options.partitions;
    if (partitions > 0) {
        uint32_t place = eddy_partition_of(event->user, partitions);
        if (place != part->partition) {
            char text[128];
            (void)snprintf(
                text, sizeof text,
                "the user belongs to partition %u of %u: key records by user, "
                "with the murmur2 partitioner",
                place, partitions);
            return bury(path, pushed, EDDY_EPLACE, text, err);
        }
    }
    int r = find_row(path, part, event->user, &row);
    if (r != TAKEN) {
        return r;
    }
    uint32_t at = path->event_count++; /* where decode_record has put the event */
    path->events[at].offset = pushed->record.offset;
    path->events[at].timestamp_ms = pushed->record.timestamp_ms;
    path->events[at].next = EDDY_NO_EVENT;
    if (row->last == EDDY_NO_EVENT) {
        row->first = at;
    } else {
        path->events[row->last].next = at;
    }
    row->last = at;
    touch(part, &pushed->record);
    return TAKEN;
}

static int decode_record(struct eddy_path *path, struct path_pushed *pushed,
                         struct eddy_err *err)
{
    struct eddy_event *event = &path->events[path->event_count].event;
    struct eddy_err bad;
    int r = decode_payload(path, pushed->record.payload, event, &bad);
    if (r < 0 && eddy_err_class(r) == EDDY_CLASS_EVENT) {
        return bury(path, pushed, r, bad.text, err);
    }
    if (r < 0) {
        return eddy_fail(err, r, "%s", bad.text);
    }
    if (event->kind == EDDY_KIND_SNAPSHOT) {
        return switch_model(path, pushed, event, err);
    }
    return add_event(path, pushed, event, err);
}

/* Records are keyed by user (another key costs a look-up in vain, nothing else). */
static void prefetch_users(struct eddy_path *path)
{
    struct eddy_expected expected[EXPECTED];
    for (uint32_t i = 0; i < path->pushed_count;) {
        uint32_t count = 0;
        for (; i < path->pushed_count && count < EXPECTED; i++) {
            const struct path_pushed *pushed = &path->pushed[i];
            expected[count].partition = pushed->part->partition;
            expected[count++].user = pushed->record.key;
        }
        eddy_cache_prefetch(&path->cache, expected, count);
    }
}

int eddy_path_decode(struct eddy_path *path, struct eddy_err *err)
{
    uint32_t kept = 0;
    begin_wave(path);
    prefetch_users(path);
    for (uint32_t i = 0; i < path->pushed_count; i++) {
        struct path_pushed *pushed = &path->pushed[i];
        if (!pushed->part->owned) {
            continue; /* lost in an earlier wave of this turn */
        }
        int r = pushed->part->cut ? CUT : decode_record(path, pushed, err);
        if (r < 0) {
            return r;
        }
        if (r == CUT) {
            pushed->part->cut = true;
            path->pushed[kept++] = *pushed;
        }
    }
    path->pushed_count = kept;
    return 0;
}

/* ---------------------------------------------------------------- load */

/* Rows whose state is not cached and whose partition is still ours. */
static uint32_t collect_loads(struct eddy_path *path, struct eddy_load *loads)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < path->row_count; i++) {
        struct path_row *row = &path->rows[i];
        if (row->part->owned && !path->cache.slots[row->slot].loaded) {
            path->active[count] = i;
            loads[count++] = (struct eddy_load){.partition = row->part->partition,
                                                .user = row->user};
        }
    }
    return count;
}

static int decode_state(struct eddy_path *path, const struct path_row *row,
                        struct eddy_span blob, struct eddy_err *err)
{
    struct eddy_cached *slot = &path->cache.slots[row->slot];
    if (blob.size == 0) {
        eddy_state_reset(slot->state);
        slot->loaded = true;
        return 0;
    }
    int r = eddy_state_decode(blob, slot->state, err);
    if (r < 0) {
        return r;
    }
    /* Cannot be after a verified load; a store patched by hand must not pass for one. */
    if (slot->state->revision > row->part->position.offset) {
        return eddy_fail(
            err, EDDY_EFATAL,
            "partition %u: a state is ahead of its position (%llu > %llu): "
            "the store was restored piecemeal",
            row->part->partition, (unsigned long long)slot->state->revision,
            (unsigned long long)row->part->position.offset);
    }
    slot->loaded = true;
    return 0;
}

int eddy_path_load(struct eddy_path *path, struct eddy_err *err)
{
    struct eddy_load *loads =
        eddy_arena_zero(path->arena, path->row_count + 1, sizeof *loads);
    if (!loads) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u states", path->row_count);
    }
    uint32_t count = collect_loads(path, loads);
    eddy_path_count(path, EDDY_M_CACHE_HITS, path->row_count - count);
    eddy_path_count(path, EDDY_M_CACHE_MISSES, count);
    for (;;) {
        uint32_t fenced = 0;
        int r = eddy_store_load(path->store, loads, count, path->arena, &fenced, err);
        if (r == 0) {
            break;
        }
        if (r != EDDY_EFENCED || fenced >= path->part_count || !path->parts[fenced] ||
            !path->parts[fenced]->owned) {
            return r;
        }
        eddy_path_lose(path, path->parts[fenced]); /* P7: the others go on */
        count = collect_loads(path, loads);
    }
    for (uint32_t i = 0; i < count; i++) {
        int r =
            decode_state(path, &path->rows[path->active[i]], loads[i].ret_blob, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
