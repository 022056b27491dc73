/* The middle of the path: from states and events to lists. No I/O, no clock.
 *
 * apply goes in rounds: round r steps the r-th event of every user at once, so that one
 * call of the network serves many users and a user's events keep their order (P4). The
 * bits of a user do not depend on who shares the call (core/hrnn.h). A state encoded by
 * another model is first encoded again from its recent events, in rounds of the same kind.
 *
 * score and list then work once per user that moved, however many events he had. */
#include "engine/path_internal.h"

static bool is_of(const struct path_row *row, const struct path_model *model)
{
    return row->part->owned && row->part->model == model;
}

/* ---------------------------------------------------------------- apply */

struct resteps {
    uint32_t row, count;
    struct eddy_step *steps;
};

static int collect_resteps(struct eddy_path *path, const struct path_model *model,
                           struct resteps *ret, uint32_t *ret_count,
                           uint32_t *ret_rounds)
{
    uint32_t count = 0, rounds = 0;
    for (uint32_t i = 0; i < path->row_count; i++) {
        struct path_row *row = &path->rows[i];
        if (!is_of(row, model) ||
            !eddy_state_is_stale(eddy_path_state(path, row), model->snapshot)) {
            continue;
        }
        struct eddy_state *state = eddy_path_state(path, row);
        uint32_t steps = eddy_state_reencode(state, model->snapshot);
        struct resteps *resteps = &ret[count++];
        resteps->row = i;
        resteps->steps = eddy_arena_zero(path->arena, state->recent_count + 1,
                                         sizeof *resteps->steps);
        if (!resteps->steps) {
            return EDDY_ENOMEM;
        }
        resteps->count = eddy_state_resteps(state, model->snapshot, resteps->steps);
        EDDY_ASSERT(resteps->count == steps);
        rounds = resteps->count > rounds ? resteps->count : rounds;
    }
    *ret_count = count;
    *ret_rounds = rounds;
    return 0;
}

static int encode_again(struct eddy_path *path, const struct path_model *model,
                        struct eddy_err *err)
{
    struct resteps *stale =
        eddy_arena_zero(path->arena, path->row_count + 1, sizeof *stale);
    uint32_t count = 0, rounds = 0;
    if (!stale || collect_resteps(path, model, stale, &count, &rounds) < 0) {
        return eddy_fail(err, EDDY_ENOMEM, "no memory to encode states again");
    }
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (round < stale[i].count) {
                path->steps[n] = stale[i].steps[round];
                path->hidden[n++] =
                    eddy_path_state(path, &path->rows[stale[i].row])->hidden;
            }
        }
        eddy_hrnn_step(model->snapshot->hrnn, model->scratch, n, path->steps,
                       path->hidden);
    }
    eddy_path_count(path, EDDY_M_REENCODED, count);
    return 0;
}

/* Hidden states lie anywhere in the cache of states: the lines of all users of a round are
 * asked for while the session rules of the others are worked out. */
static void prefetch_floats(const float *floats, uint32_t count)
{
    for (uint32_t i = 0; i < count; i += 16) {
        __builtin_prefetch(floats + i, 1);
    }
}

/* One event into the session rules. true: steps[n] and hidden[n] are to be stepped. */
static bool fold(struct eddy_path *path, struct path_row *row,
                 const struct path_model *model, uint32_t n)
{
    const struct path_event *event = &path->events[row->cursor];
    struct eddy_state *state = eddy_path_state(path, row);
    row->cursor = event->next;
    switch (eddy_state_fold(state, &event->event, event->offset, event->timestamp_ms,
                            model->snapshot, &row->part->wave.policy,
                            &path->steps[n])) {
    case EDDY_FOLD_STEP:
        row->moved = event->offset + 1;
        path->hidden[n] = state->hidden;
        prefetch_floats(state->hidden, state->hidden_count);
        eddy_path_count(path, EDDY_M_EVENTS_APPLIED, 1);
        return true;
    case EDDY_FOLD_UNKNOWN:
        if (model->snapshot->manifest.version[0] != 0) {
            row->moved = event->offset + 1; /* without a model there is no list */
        }
        eddy_path_count(path, EDDY_M_UNKNOWN_ITEMS, 1);
        return false;
    case EDDY_FOLD_DUPLICATE:
        eddy_path_count(path, EDDY_M_DISCARD_DUPLICATE, 1);
        return false;
    case EDDY_FOLD_LATE: eddy_path_count(path, EDDY_M_DISCARD_LATE, 1); return false;
    case EDDY_FOLD_NOTED:
        if (eddy_rank_moves(state, model->snapshot)) {
            row->moved = event->offset + 1;
        }
        return false;
    }
    return false;
}

static void step_events(struct eddy_path *path, const struct path_model *model)
{
    uint32_t active = 0;
    for (uint32_t i = 0; i < path->row_count; i++) {
        if (is_of(&path->rows[i], model)) {
            path->rows[i].cursor = path->rows[i].first;
            path->active[active++] = i;
        }
    }
    while (active > 0) {
        uint32_t n = 0, left = 0;
        for (uint32_t i = 0; i < active; i++) {
            struct path_row *row = &path->rows[path->active[i]];
            if (fold(path, row, model, n)) {
                n++;
            }
            if (row->cursor != EDDY_NO_EVENT) {
                path->active[left++] = path->active[i];
            }
        }
        if (n > 0) {
            eddy_hrnn_step(model->snapshot->hrnn, model->scratch, n, path->steps,
                           path->hidden);
        }
        active = left;
    }
}

int eddy_path_apply(struct eddy_path *path, struct eddy_err *err)
{
    for (const struct path_model *model = path->models; model; model = model->next) {
        int r = encode_again(path, model, err);
        if (r < 0) {
            return r;
        }
        step_events(path, model);
    }
    return 0;
}

/* ---------------------------------------------------------------- score */

/* The items of the user's ring as rising indices, each once. */
static int collect_excluded(struct eddy_path *path, const struct path_row *row,
                            const uint32_t **ret, uint32_t *ret_count)
{
    const struct eddy_state *state = eddy_path_state(path, row);
    const struct eddy_catalog *catalog = row->part->model->snapshot->catalog;
    uint32_t *items =
        eddy_arena_zero(path->arena, state->recent_count + 1, sizeof *items);
    uint32_t count = 0;
    if (!items) {
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < state->recent_count; i++) {
        uint32_t item = eddy_catalog_find_hash(catalog, state->recent[i].item_hash);
        uint32_t at = count;
        if (item == EDDY_ITEM_NONE) {
            continue;
        }
        while (at > 0 && items[at - 1] > item) { /* insertion: the ring is short */
            at--;
        }
        if (at > 0 && items[at - 1] == item) {
            continue;
        }
        memmove(items + at + 1, items + at, (count - at) * sizeof *items);
        items[at] = item;
        count++;
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

/* Users of one call of the scorer: one model, one list size. */
struct group {
    const struct path_model *model;
    uint32_t k, count;
    uint32_t rows[EDDY_SCORE_ROWS];
};

static int score_group(struct eddy_path *path, struct group *group)
{
    struct eddy_scored *scored =
        eddy_arena_take(path->arena, (size_t)group->count * group->k * sizeof *scored);
    uint32_t counts[EDDY_SCORE_ROWS];
    if (!scored) {
        return EDDY_ENOMEM;
    }
    (void)eddy_ranker_run(group->model->ranker, group->k, scored, counts);
    for (uint32_t i = 0; i < group->count; i++) {
        struct path_row *row = &path->rows[group->rows[i]];
        row->scored = scored + (size_t)i * group->k;
        row->scored_count = counts[i];
    }
    group->count = 0;
    return 0;
}

static int add_to_group(struct eddy_path *path, struct group *group, uint32_t at,
                        struct eddy_rank_user *user)
{
    struct path_row *row = &path->rows[at];
    if (row->part->wave.policy.exclude_recent &&
        collect_excluded(path, row, &user->excluded, &user->excluded_count) < 0) {
        return EDDY_ENOMEM;
    }
    if (!eddy_ranker_add(group->model->ranker, user)) {
        int r = score_group(path, group);
        if (r < 0) {
            return r;
        }
        bool room = eddy_ranker_add(group->model->ranker, user);
        EDDY_ASSERT(room); /* an empty one has */
    }
    group->rows[group->count++] = at;
    return 0;
}

/* What the head and the network know of a user. */
static struct eddy_rank_user user_of(struct eddy_path *path, const struct path_row *row,
                                     struct eddy_rank_room *room)
{
    const struct eddy_state *state = eddy_path_state(path, row);
    const struct eddy_snapshot *snapshot = row->part->model->snapshot;
    struct eddy_rank_user user = {
        .recent = {.items = room->recent, .shown = room->shown}};
    if (!eddy_head_is_plain(&snapshot->head)) { /* else nobody looks at them */
        user.recent.count = eddy_rank_recent(state, snapshot->catalog, room->recent);
    }
    if (state->shown.count > 0 && eddy_head_uses(&snapshot->head, EDDY_HEAD_SHOWN)) {
        user.recent.shown_count =
            eddy_rank_shown(&state->shown, snapshot->catalog,
                            snapshot->manifest.shape.items, room->shown);
    }
    if (state->step_count_low > 0) {
        user.query = state->hidden + eddy_hrnn_query_offset(&snapshot->manifest.shape);
    }
    return user;
}

/* Rows of one model and list size, from `first` on. */
static int score_like(struct eddy_path *path, uint32_t first)
{
    struct group group = {.model = path->rows[first].part->model,
                          .k = path->rows[first].part->wave.policy.list_size};
    int r = 0;
    eddy_ranker_clear(group.model->ranker); /* of a turn that failed */
    for (uint32_t at = first; r == 0 && at < path->row_count; at++) {
        struct path_row *row = &path->rows[at];
        if (!is_of(row, group.model) || row->moved == 0 || row->has_list ||
            row->part->wave.policy.list_size != group.k) {
            continue;
        }
        row->has_list = true;
        struct eddy_rank_room room;
        struct eddy_rank_user user = user_of(path, row, &room);
        struct eddy_rank_model model = eddy_rank_model_of(group.model->snapshot);
        if (!eddy_rank_knows(&model, &user)) { /* then what is popular */
            row->scored = group.model->popular;
            row->scored_count = group.k < group.model->popular_count
                                    ? group.k
                                    : group.model->popular_count;
        } else {
            r = add_to_group(path, &group, at, &user);
        }
    }
    return r == 0 && group.count > 0 ? score_group(path, &group) : r;
}

int eddy_path_score(struct eddy_path *path, struct eddy_err *err)
{
    uint32_t lists = 0;
    for (uint32_t i = 0; i < path->row_count; i++) {
        const struct path_row *row = &path->rows[i];
        if (!row->part->owned || row->moved == 0) {
            continue;
        }
        lists++;
        if (!row->has_list && score_like(path, i) < 0) {
            return eddy_fail(err, EDDY_ENOMEM, "no memory for the lists of %u users",
                             path->row_count);
        }
    }
    eddy_path_count(path, EDDY_M_LISTS_SCORED, lists);
    return 0;
}

/* ---------------------------------------------------------------- list */

int eddy_path_list(struct eddy_path *path, struct eddy_err *err)
{
    struct eddy_span prefix = eddy_span_of(path->options.prefix);
    eddy_buf_clear(&path->lists);
    for (uint32_t i = 0; i < path->row_count; i++) { /* scoring has swept the caches */
        __builtin_prefetch(eddy_path_state(path, &path->rows[i]));
    }
    for (uint32_t i = 0; i < path->row_count; i++) {
        struct path_row *row = &path->rows[i];
        if (!row->part->owned || !row->has_list) {
            continue;
        }
        /* P5: the list is that of the last record that moved the state. Duplicates and late
         * records behind it moved nothing but the revision. */
        struct eddy_state *state = eddy_path_state(path, row);
        uint64_t revision = state->revision;
        state->revision = row->moved;
        row->list_begin = path->lists.size;
        eddy_list_encode(prefix, row->user, state, row->part->model->snapshot,
                         row->scored, row->scored_count, &path->lists);
        row->list_size = path->lists.size - row->list_begin;
        state->revision = revision;
    }
    return path->lists.failed ? eddy_fail(err, EDDY_ENOMEM, "no memory for lists") : 0;
}
