#include "app/demo_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/csv.h"
#include "io/files.h"

enum { TRAINING_EVENTS = 90000, PAST_PER_USER = 20, LIVE_USERS_MAX = 2000 };

static void find_group_column(struct eddy_demo_stream *stream)
{
    static const char *const names[] = {"GENRE", "GENRES", "CATEGORY", "CATEGORY_L1"};
    stream->group_column = UINT32_MAX;
    uint32_t count = eddy_catalog_column_count(stream->catalog);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (uint32_t column = 0; column < count; column++) {
            struct eddy_span name = eddy_catalog_column_name(stream->catalog, column);
            if (name.size == strlen(names[n]) &&
                strncasecmp(name.data, names[n], name.size) == 0) {
                stream->group_column = column;
                return;
            }
        }
}

struct eddy_span eddy_demo_group(const struct eddy_demo_stream *stream, uint32_t item)
{
    if (stream->group_column == UINT32_MAX)
        return (struct eddy_span){"", 0};
    return eddy_catalog_get(stream->catalog, item, stream->group_column);
}

static bool contains_group(struct eddy_span groups, struct eddy_span one)
{
    size_t begin = 0;
    for (size_t at = 0; at <= groups.size; at++)
        if (at == groups.size || groups.data[at] == '|') {
            struct eddy_span token = {groups.data + begin, at - begin};
            if (token.size > 0 && eddy_span_eq(token, one))
                return true;
            begin = at + 1;
        }
    return false;
}

bool eddy_demo_same_group(const struct eddy_demo_stream *stream, uint32_t a, uint32_t b)
{
    struct eddy_span left = eddy_demo_group(stream, a);
    struct eddy_span right = eddy_demo_group(stream, b);
    size_t begin = 0;
    for (size_t at = 0; at <= left.size; at++)
        if (at == left.size || left.data[at] == '|') {
            if (at > begin && contains_group(right, (struct eddy_span){
                                                        left.data + begin, at - begin}))
                return true;
            begin = at + 1;
        }
    return false;
}

static int make_users(struct eddy_demo_stream *stream, uint32_t count,
                      struct eddy_err *err)
{
    stream->users = calloc(count, sizeof *stream->users);
    stream->user_count = count;
    if (!stream->users || eddy_map_init(&stream->user_index, count) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u demo users", count);
    for (uint32_t user = 0; user < count; user++)
        stream->users[user].last_offset = UINT64_MAX;
    return 0;
}

static int index_user(struct eddy_demo_stream *stream, uint32_t user,
                      struct eddy_err *err)
{
    uint64_t hash = eddy_hash64(eddy_span_of(stream->users[user].id));
    if (eddy_map_put(&stream->user_index, hash, user) < 0)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the demo's users");
    return 0;
}

int eddy_demo_stream_world(struct eddy_demo_stream *stream, uint32_t items,
                           uint32_t users, uint64_t seed, struct eddy_err *err)
{
    enum { NOW_S = 1767225600 }; /* 2026-01-01: where the generated past ends */
    *stream = (struct eddy_demo_stream){0};
    stream->world = eddy_world_new(items, users, seed);
    eddy_rng_seed(&stream->rng, seed);
    if (!stream->world)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the demo's world");
    struct eddy_buf catalog;
    eddy_buf_init(&catalog, 0);
    eddy_world_catalog(stream->world, &catalog);
    int code =
        eddy_items_parse(eddy_buf_span(&catalog), "demo", false, &stream->catalog, err);
    eddy_buf_fini(&catalog);
    if (code < 0)
        return code;
    eddy_buf_init(&stream->training, 0);
    eddy_world_history(stream->world, TRAINING_EVENTS, NOW_S, &stream->training);
    if (stream->training.failed)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the demo's history");
    code = make_users(stream, users, err);
    for (uint32_t user = 0; code == 0 && user < users; user++) {
        eddy_world_user_id(user, stream->users[user].id);
        code = index_user(stream, user, err);
    }
    find_group_column(stream);
    return code;
}

static int by_time(const void *a, const void *b)
{
    const struct eddy_interaction *x = a, *y = b;
    if (x->ts_ms != y->ts_ms)
        return x->ts_ms < y->ts_ms ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* rows [0, count) in order of time -> the CSV that is trained on. */
static void write_training(struct eddy_demo_stream *stream, uint64_t count)
{
    const struct eddy_interactions *own = &stream->own;
    eddy_buf_puts(&stream->training,
                  "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    for (uint64_t i = 0; i < count; i++) {
        const struct eddy_interaction *row = &own->rows[i];
        eddy_csv_put(&stream->training, eddy_catalog_id(own->users, row->user));
        eddy_buf_putc(&stream->training, ',');
        eddy_csv_put(&stream->training, eddy_catalog_id(own->items, row->item));
        eddy_buf_printf(&stream->training, ",%lld,", (long long)(row->ts_ms / 1000));
        eddy_csv_put(&stream->training, eddy_span_of(own->types[row->type]));
        if (row->has_value)
            eddy_buf_printf(&stream->training, ",%.9g", (double)row->value);
        else
            eddy_buf_putc(&stream->training, ',');
        eddy_buf_putc(&stream->training, '\n');
    }
}

/* Keep, in order of time: the last rows before `split` of everybody who is live, then the
 * live rows of at most LIVE_USERS_MAX users. Users are renumbered to the live ones. */
static int keep_live(struct eddy_demo_stream *stream, uint64_t split,
                     struct eddy_err *err)
{
    struct eddy_interactions *own = &stream->own;
    uint32_t users = eddy_catalog_count(own->users), live = 0;
    uint32_t *number = malloc(users * sizeof *number); /* user -> live user */
    uint32_t *past = calloc(users, sizeof *past);
    if (!number || !past) {
        free(number);
        free(past);
        return eddy_fail(err, EDDY_ENOMEM, "no memory for %u users", users);
    }
    memset(number, 0xff, users * sizeof *number);
    for (uint64_t i = split; i < own->count; i++)
        if (number[own->rows[i].user] == UINT32_MAX && live < LIVE_USERS_MAX)
            number[own->rows[i].user] = live++;
    int code = make_users(stream, live > 0 ? live : 1, err);
    for (uint32_t user = 0; code == 0 && user < users; user++) {
        if (number[user] == UINT32_MAX)
            continue;
        struct eddy_span id = eddy_catalog_id(own->users, user);
        (void)snprintf(stream->users[number[user]].id, sizeof stream->users->id, "%.*s",
                       (int)id.size, id.data);
        code = index_user(stream, number[user], err);
    }
    for (uint64_t i = 0; i < split; i++)
        past[own->rows[i].user]++;
    uint64_t kept = 0;
    for (uint64_t i = 0; code == 0 && i < own->count; i++) {
        struct eddy_interaction row = own->rows[i];
        bool wanted = number[row.user] != UINT32_MAX;
        if (i < split)
            wanted = wanted && past[row.user]-- <= PAST_PER_USER;
        if (i == split)
            stream->past_rows = kept;
        row.user = wanted ? number[row.user] : 0;
        if (wanted)
            own->rows[kept++] = row;
    }
    own->count = kept;
    free(number);
    free(past);
    return code;
}

int eddy_demo_stream_own(struct eddy_demo_stream *stream, const char *interactions,
                         const char *items, struct eddy_err *err)
{
    *stream = (struct eddy_demo_stream){0};
    struct eddy_file file = {0};
    int code = 0;
    if (items) {
        code = eddy_file_open(items, &file, err);
        if (code == 0) {
            code = eddy_items_parse(file.bytes, items, false, &stream->catalog, err);
            eddy_file_close(&file);
        }
    } else {
        stream->catalog = eddy_catalog_new();
    }
    if (code < 0)
        return code;
    if (!stream->catalog)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the catalogue");
    code = eddy_file_open(interactions, &file, err);
    if (code < 0)
        return code;
    struct eddy_interactions_options options = {.items = stream->catalog};
    code =
        eddy_interactions_parse(file.bytes, interactions, &options, &stream->own, err);
    eddy_file_close(&file);
    if (code < 0)
        return code;
    struct eddy_interactions *own = &stream->own;
    /* Items that only the interactions know stand in the demo's catalogue too. */
    for (uint32_t i = eddy_catalog_count(stream->catalog);
         i < eddy_catalog_count(own->items); i++)
        if (eddy_catalog_add(stream->catalog, eddy_catalog_id(own->items, i)) != i)
            return eddy_fail(err, EDDY_ENOMEM, "no memory for the catalogue");
    qsort(own->rows, own->count, sizeof *own->rows, by_time);
    uint64_t split = own->count - own->count / 10;
    eddy_buf_init(&stream->training, 0);
    write_training(stream, split);
    if (stream->training.failed)
        return eddy_fail(err, EDDY_ENOMEM, "no memory for the training rows");
    find_group_column(stream);
    return keep_live(stream, split, err);
}

void eddy_demo_stream_fini(struct eddy_demo_stream *stream)
{
    eddy_world_free(stream->world);
    eddy_interactions_fini(&stream->own);
    eddy_catalog_free(stream->catalog);
    eddy_buf_fini(&stream->training);
    eddy_map_fini(&stream->user_index);
    free(stream->users);
    *stream = (struct eddy_demo_stream){0};
}

uint64_t eddy_demo_stream_past(const struct eddy_demo_stream *stream)
{
    return stream->past_rows;
}

bool eddy_demo_stream_next(struct eddy_demo_stream *stream, int64_t now_ms,
                           struct eddy_demo_click *ret)
{
    *ret = (struct eddy_demo_click){.ts_ms = now_ms};
    (void)snprintf(ret->type, sizeof ret->type, "click");
    if (stream->world) {
        bool visit = false;
        ret->user = eddy_rng_below(&stream->rng, stream->user_count);
        ret->item = eddy_world_click(stream->world, ret->user, &visit);
    } else {
        if (stream->next_row == stream->own.count)
            return false;
        const struct eddy_interaction *row = &stream->own.rows[stream->next_row++];
        ret->user = row->user;
        ret->item = row->item;
        ret->ts_ms = row->ts_ms;
        if (row->type > 0)
            (void)snprintf(ret->type, sizeof ret->type, "%s",
                           stream->own.types[row->type]);
    }
    struct eddy_demo_user *user = &stream->users[ret->user];
    memmove(user->clicks + 1, user->clicks,
            (EDDY_DEMO_RECENT - 1) * sizeof *user->clicks);
    user->clicks[0] = ret->item;
    if (user->click_count < EDDY_DEMO_RECENT)
        user->click_count++;
    return true;
}
