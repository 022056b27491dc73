/* Did the lists follow the clicks? Measured in three independent ways:
 *
 *  1. Place. The event topic is read again from its beginning; the newest event of a user at
 *     offset o demands `rev` = o + 1 in `demo:list:USER`. A list that is older, or missing,
 *     fails the demo.
 *  2. Both outlets agree. The last record of the list topic for a user must be byte-equal to
 *     the value in Redis.
 *  3. Sense. A list must speak of what was clicked: the share of its items in a genre of the
 *     user's last clicks, against the same lists held against another user's clicks (a
 *     permutation control). It must be larger. Where items have no genre, the next click
 *     must have stood in the list before it more often than in the default list.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/demo.h"
#include "base/clock.h"
#include "base/metric.h"
#include "io/store_redis.h"

/* ---- reading lists ---------------------------------------------------------------- */

/* Items of a list's JSON as catalogue indices; revision. False: not a list. */
static bool read_list(const struct eddy_demo *demo, struct eddy_span text,
                      uint32_t ret_items[EDDY_DEMO_LIST], uint32_t *ret_count,
                      uint64_t *ret_revision)
{
    json_t *root = json_loadb(text.data, text.size, 0, NULL);
    const json_t *items = json_object_get(root, "items");
    bool ok = json_is_array(items);
    *ret_count = 0;
    *ret_revision = (uint64_t)json_integer_value(json_object_get(root, "rev"));
    for (size_t i = 0; ok && i < json_array_size(items) && i < EDDY_DEMO_LIST; i++) {
        const char *id =
            json_string_value(json_object_get(json_array_get(items, i), "id"));
        uint32_t item = id ? eddy_catalog_find(demo->stream.catalog, eddy_span_of(id))
                           : EDDY_ITEM_NONE;
        ok = item != EDDY_ITEM_NONE;
        if (ok)
            ret_items[(*ret_count)++] = item;
    }
    json_decref(root);
    return ok;
}

int eddy_demo_watch(struct eddy_demo *demo, int wait_ms, struct eddy_err *err)
{
    struct eddy_record record;
    int code;
    while ((code = eddy_reader_next(demo->lists_reader, wait_ms, &record, err)) > 0) {
        wait_ms = 0;
        uint32_t index =
            eddy_map_get(&demo->stream.user_index, eddy_hash64(record.key));
        if (index == EDDY_MAP_NONE || !record.payload.data)
            continue;
        struct eddy_demo_user *user = &demo->stream.users[index];
        uint32_t items[EDDY_DEMO_LIST], count = 0;
        uint64_t revision = 0;
        if (!read_list(demo, record.payload, items, &count, &revision))
            return eddy_fail(err, EDDY_EFATAL,
                             "the list topic holds something that is "
                             "not a list, for user %s",
                             user->id);
        memcpy(user->before, user->list, sizeof user->list);
        user->before_count = user->list_count;
        memcpy(user->list, items, sizeof items);
        user->list_count = count;
        user->revision = revision;
        demo->lists_seen++;
    }
    return code;
}

static struct eddy_store *open_store(const struct eddy_demo *demo, struct eddy_err *err)
{
    struct eddy_store *store =
        eddy_store_redis_open(&demo->config->redis, demo->config->group, "demo", NULL);
    if (!store)
        (void)eddy_fail(err, EDDY_ENOMEM, "no memory for a Redis connection");
    return store;
}

int eddy_demo_default_list(struct eddy_demo *demo, struct eddy_err *err)
{
    struct eddy_store *store = open_store(demo, err);
    if (!store)
        return EDDY_ENOMEM;
    struct eddy_arena *arena = eddy_arena_new(1 << 16, 1 << 22);
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    eddy_key_list_default(store, &key);
    struct eddy_span value = {0};
    uint64_t revision = 0;
    int code = arena ? eddy_store_get(store, eddy_buf_span(&key), arena, &value, err)
                     : eddy_fail(err, EDDY_ENOMEM, "no memory");
    if (code == 0 && (!value.data || !read_list(demo, value, demo->default_list,
                                                &demo->default_count, &revision)))
        code = eddy_fail(err, EDDY_EFATAL, "Redis has no default list");
    eddy_buf_fini(&key);
    eddy_arena_free(arena);
    eddy_store_close(store);
    return code;
}

/* ---- agreement -------------------------------------------------------------------- */

/* Share of a's list that has a group in common with one of b's last three clicks. */
static double list_agreement(const struct eddy_demo *demo,
                             const struct eddy_demo_user *a,
                             const struct eddy_demo_user *b)
{
    uint32_t hits = 0, clicks = b->click_count < 3 ? b->click_count : 3;
    for (uint32_t i = 0; i < a->list_count; i++) {
        bool hit = false;
        for (uint32_t c = 0; c < clicks && !hit; c++)
            hit = eddy_demo_same_group(&demo->stream, a->list[i], b->clicks[c]);
        hits += hit;
    }
    return a->list_count > 0 ? (double)hits / a->list_count : 0;
}

static void measure_agreement(const struct eddy_demo *demo, double *ret_agreement,
                              double *ret_chance)
{
    const struct eddy_demo_stream *stream = &demo->stream;
    double own = 0, other = 0;
    uint32_t count = 0;
    for (uint32_t u = 0; u < stream->user_count; u++) {
        const struct eddy_demo_user *user = &stream->users[u];
        if (user->list_count == 0 || user->click_count < 3)
            continue;
        uint32_t stranger = (u + 1 + stream->user_count / 3) % stream->user_count;
        while (stranger != u && stream->users[stranger].click_count < 3)
            stranger = (stranger + 1) % stream->user_count;
        own += list_agreement(demo, user, user);
        other += list_agreement(demo, user, &stream->users[stranger]);
        count++;
    }
    bool known = stream->group_column != UINT32_MAX && count > 0;
    *ret_agreement = known ? own / count : -1;
    *ret_chance = known ? other / count : -1;
}

/* ---- the view --------------------------------------------------------------------- */

static void put_line(const struct eddy_demo *demo, uint32_t item,
                     struct eddy_view_line *ret)
{
    struct eddy_span title = eddy_catalog_title(demo->stream.catalog, item);
    struct eddy_span group = eddy_demo_group(&demo->stream, item);
    const char *bar = memchr(group.data, '|', group.size);
    size_t group_size = bar ? (size_t)(bar - group.data) : group.size;
    (void)snprintf(ret->title, sizeof ret->title, "%.*s",
                   (int)(title.size < 71 ? title.size : 71), title.data);
    (void)snprintf(ret->group, sizeof ret->group, "%.*s",
                   (int)(group_size < 19 ? group_size : 19), group.data);
}

static void fill_user(const struct eddy_demo *demo, const struct eddy_demo_user *user,
                      struct eddy_view_user *ret)
{
    (void)snprintf(ret->id, sizeof ret->id, "%.47s", user->id);
    ret->revision = user->revision;
    ret->click_count = user->click_count;
    for (uint32_t i = 0; i < user->click_count && i < EDDY_VIEW_CLICKS; i++)
        put_line(demo, user->clicks[i], &ret->clicks[i]);
    ret->item_count =
        user->list_count < EDDY_VIEW_ITEMS ? user->list_count : EDDY_VIEW_ITEMS;
    for (uint32_t i = 0; i < ret->item_count; i++) {
        put_line(demo, user->list[i], &ret->items[i]);
        ret->items[i].fresh = true;
        for (uint32_t j = 0; j < user->before_count; j++)
            if (user->before[j] == user->list[i])
                ret->items[i].fresh = false;
    }
}

void eddy_demo_frame(struct eddy_demo *demo, double seconds,
                     struct eddy_view_frame *ret)
{
    *ret = (struct eddy_view_frame){.seconds = seconds,
                                    .seconds_total = demo->options.seconds};
    if (demo->options.listen)
        (void)snprintf(ret->api, sizeof ret->api, "%.63s", demo->options.listen);
    double span = seconds - demo->shown_at_s;
    if (span > 0.5) {
        demo->shown_events_per_s = (double)(demo->sent - demo->shown_sent) / span;
        demo->shown_lists_per_s = (double)(demo->lists_seen - demo->shown_lists) / span;
        demo->shown_at_s = seconds;
        demo->shown_sent = demo->sent;
        demo->shown_lists = demo->lists_seen;
    }
    ret->events_per_s = demo->shown_events_per_s;
    ret->lists_per_s = demo->shown_lists_per_s;
    ret->events = demo->sent;
    ret->lists = demo->lists_seen;
    ret->users = demo->stream.user_count;
    ret->fresh_p50_ms =
        eddy_metric_quantile_ns(EDDY_M_EVENT_TO_LIST, 0.5, &demo->before) * 1e-6;
    ret->fresh_p99_ms =
        eddy_metric_quantile_ns(EDDY_M_EVENT_TO_LIST, 0.99, &demo->before) * 1e-6;
    measure_agreement(demo, &ret->agreement, &ret->chance);
    /* The first users with something to show; the same ones every time. */
    for (uint32_t u = 0; u < demo->stream.user_count; u++)
        if (demo->stream.users[u].click_count > 0 && ret->user_count < EDDY_VIEW_USERS)
            fill_user(demo, &demo->stream.users[u], &ret->user[ret->user_count++]);
}

/* ---- the verdict ------------------------------------------------------------------ */

static int read_last_offsets(struct eddy_demo *demo, struct eddy_err *err)
{
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    struct eddy_arena *arena = eddy_arena_new(1 << 16, 1 << 22);
    int code = arena ? eddy_reader_open(&demo->config->kafka,
                                        demo->config->kafka.events, EDDY_READ_ALL,
                                        EDDY_READ_FROM_START, false, &reader, err)
                     : eddy_fail(err, EDDY_ENOMEM, "no memory");
    while (code == 0 && (code = eddy_reader_next(reader, 5000, &record, err)) > 0) {
        eddy_arena_reset(arena);
        struct eddy_event event;
        code = eddy_event_decode(record.payload, arena, &event, err);
        if (code < 0)
            break;
        uint32_t index =
            eddy_map_get(&demo->stream.user_index, eddy_hash64(event.user));
        if (index != EDDY_MAP_NONE)
            demo->stream.users[index].last_offset = record.offset;
    }
    eddy_reader_close(reader);
    eddy_arena_free(arena);
    return code;
}

static uint32_t count_current(const struct eddy_demo *demo, uint32_t *ret_users)
{
    uint32_t current = 0;
    *ret_users = 0;
    for (uint32_t u = 0; u < demo->stream.user_count; u++) {
        const struct eddy_demo_user *user = &demo->stream.users[u];
        *ret_users += user->last_offset != UINT64_MAX;
        current +=
            user->last_offset != UINT64_MAX && user->revision == user->last_offset + 1;
    }
    return current;
}

/* The last record per user of the list topic, read from the beginning, against Redis. */
static int compare_outlets(struct eddy_demo *demo, struct eddy_demo_verdict *ret,
                           struct eddy_err *err)
{
    struct eddy_demo_stream *stream = &demo->stream;
    struct eddy_arena *arena = eddy_arena_new(1 << 20, 1 << 26);
    struct eddy_span *last = calloc(stream->user_count, sizeof *last);
    struct eddy_store *store = open_store(demo, err);
    struct eddy_reader *reader = NULL;
    struct eddy_record record;
    struct eddy_buf key;
    eddy_buf_init(&key, 0);
    int code =
        arena && last && store
            ? eddy_reader_open(&demo->config->kafka, demo->config->kafka.lists,
                               EDDY_READ_ALL, EDDY_READ_FROM_START, false, &reader, err)
            : eddy_fail(err, EDDY_ENOMEM, "no memory");
    /* Only each user's last record counts: keep copies on the heap, one per user. */
    while (code == 0 && (code = eddy_reader_next(reader, 5000, &record, err)) > 0) {
        code = 0;
        uint32_t index = eddy_map_get(&stream->user_index, eddy_hash64(record.key));
        if (index == EDDY_MAP_NONE)
            continue;
        free((void *)(uintptr_t)last[index].data);
        char *copy = malloc(record.payload.size + 1);
        if (copy)
            memcpy(copy, record.payload.data, record.payload.size);
        last[index] = (struct eddy_span){copy, copy ? record.payload.size : 0};
    }
    for (uint32_t u = 0; code == 0 && u < stream->user_count; u++) {
        struct eddy_demo_user *user = &stream->users[u];
        struct eddy_span value = {0};
        uint64_t revision = 0;
        if (user->last_offset == UINT64_MAX)
            continue;
        eddy_arena_reset(arena);
        eddy_buf_clear(&key);
        eddy_key_list(store, eddy_span_of(user->id), &key);
        code = eddy_store_get(store, eddy_buf_span(&key), arena, &value, err);
        if (code == 0 && value.data &&
            read_list(demo, value, user->list, &user->list_count, &revision) &&
            revision == user->last_offset + 1)
            ret->in_redis++;
        ret->on_topic += code == 0 && value.data && eddy_span_eq(value, last[u]);
    }
    for (uint32_t u = 0; last && u < stream->user_count; u++)
        free((void *)(uintptr_t)last[u].data);
    free(last);
    eddy_reader_close(reader);
    eddy_store_close(store);
    eddy_buf_fini(&key);
    eddy_arena_free(arena);
    return code;
}

int eddy_demo_check(struct eddy_demo *demo, struct eddy_demo_verdict *ret,
                    struct eddy_err *err)
{
    *ret = (struct eddy_demo_verdict){0};
    int code = eddy_producer_flush(demo->producer, 10000, err);
    if (code == 0)
        code = read_last_offsets(demo, err);
    uint64_t deadline_ns = eddy_monotonic_ns() + 10ull * 1000000000;
    while (code == 0 && count_current(demo, &ret->users) < ret->users &&
           eddy_monotonic_ns() < deadline_ns)
        code = eddy_demo_watch(demo, 50, err);
    if (code == 0)
        code = compare_outlets(demo, ret, err);
    measure_agreement(demo, &ret->agreement, &ret->chance);
    if (demo->judged > 0) {
        ret->hit_rate = (double)demo->hits / (double)demo->judged;
        ret->default_hit_rate = (double)demo->default_hits / (double)demo->judged;
    }
    ret->dead_letters = eddy_metric_total(EDDY_M_DEAD_MALFORMED) +
                        eddy_metric_total(EDDY_M_DEAD_TOO_BIG) +
                        eddy_metric_total(EDDY_M_DEAD_VERSION) +
                        eddy_metric_total(EDDY_M_DEAD_TIMESTAMP) +
                        eddy_metric_total(EDDY_M_DEAD_PARTITION);
    return code;
}

static const char *mark(bool ok)
{
    return ok ? "yes" : "NO ";
}

bool eddy_demo_print_summary(const struct eddy_demo *demo,
                             const struct eddy_demo_verdict *verdict)
{
    bool clicked = verdict->users > 0 && verdict->dead_letters == 0;
    bool stands = clicked && verdict->in_redis == verdict->users;
    bool agrees = clicked && verdict->on_topic == verdict->users;
    bool speaks = verdict->agreement >= 0
                      ? verdict->agreement > 1.2 * verdict->chance
                      : verdict->hit_rate > verdict->default_hit_rate;
    printf(
        "\n%llu clicks of %u users in %.1f s, %llu lists; click to list in Redis p50 "
        "%.1f ms, p99 %.1f ms\n",
        (unsigned long long)(demo->sent - demo->past_sent), verdict->users,
        demo->stream_seconds, (unsigned long long)(demo->lists_seen - demo->past_lists),
        eddy_metric_quantile_ns(EDDY_M_EVENT_TO_LIST, 0.5, &demo->before) * 1e-6,
        eddy_metric_quantile_ns(EDDY_M_EVENT_TO_LIST, 0.99, &demo->before) * 1e-6);
    printf("  %s  list in Redis is of the user's last click      %u of %u users\n",
           mark(stands), verdict->in_redis, verdict->users);
    printf("  %s  last record of the list topic equals Redis     %u of %u users\n",
           mark(agrees), verdict->on_topic, verdict->users);
    if (verdict->agreement >= 0)
        printf("  %s  list is in the genre of the user's last clicks %.0f %% of the "
               "items (of a stranger's clicks: %.0f %%)\n",
               mark(speaks), 100 * verdict->agreement, 100 * verdict->chance);
    printf("  %s  next click stood in the list before it         %.1f %% (in the most "
           "popular %u: %.1f %%)\n",
           verdict->agreement >= 0 ? "   " : mark(speaks), 100 * verdict->hit_rate,
           demo->default_count, 100 * verdict->default_hit_rate);
    bool ok = stands && agrees && speaks;
    printf(ok ? "lists followed clicks\n" : "LISTS DID NOT FOLLOW CLICKS\n");
    (void)fflush(stdout);
    return ok;
}
