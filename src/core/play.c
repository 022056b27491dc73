/* Histories through the serving kernels.
 *
 * A player (one per thread) holds SLOTS users at once, each somewhere in his history; a
 * turn answers the queries that are due and then moves every state by one event, in one
 * call of the kernels each. A user who has ended gives his slot to the next one, so batches
 * stay full although histories differ in length. The kernels' bits do not depend on who
 * else is in the batch, so neither slots nor threads change an answer. */
#include "core/play.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "core/play_user.h"
#include "core/team.h"

enum { SLOTS = 64, TASK_USERS = 256 };

struct slot {
    uint32_t user;
    bool active;
    uint64_t row, end;
    struct eddy_play_user state;
};

struct player {
    struct slot slots[SLOTS];
    struct eddy_hrnn_scratch *hrnn;
    struct eddy_score_scratch *score;
    struct eddy_scored *lists; /* (SLOTS, k) */
};

struct run {
    const struct eddy_play *play;
    struct player *players; /* one per thread */
    uint16_t *types;        /* type of the file -> of the snapshot */
    struct eddy_scored *popular;
    uint32_t popular_count, first, count;
    atomic_bool failed; /* memory ran out in a task */
};

uint16_t *eddy_play_types(const struct eddy_snapshot *snapshot,
                          const struct eddy_interactions *interactions)
{
    uint16_t *types = calloc((size_t)interactions->type_count + 1, sizeof *types);
    for (uint32_t t = 1; types != NULL && t < interactions->type_count; t++)
        types[t] = eddy_snapshot_type(
            snapshot, (uint32_t)eddy_hash64(eddy_span_of(interactions->types[t])));
    return types;
}

uint32_t eddy_play_popular(const float *popularity, uint32_t items, uint32_t k,
                           struct eddy_scored *ret)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < items; i++) {
        uint32_t at = count < k ? count++ : k;
        if (at == k && !(popularity[i] > ret[k - 1].score))
            continue;
        at = at == k ? k - 1 : at;
        for (; at > 0 && ret[at - 1].score < popularity[i]; at--)
            ret[at] = ret[at - 1];
        ret[at] = (struct eddy_scored){i, popularity[i]};
    }
    return count;
}

void eddy_play_user_reset(struct eddy_play_user *user, uint32_t hidden_floats)
{
    memset(user->hidden, 0, hidden_floats * sizeof *user->hidden);
    user->previous_s = -1;
    user->stepped = false;
    user->seen_count = 0;
}

int eddy_play_user_see(struct eddy_play_user *user, uint32_t item)
{
    uint32_t at = user->seen_count;
    while (at > 0 && user->seen[at - 1] > item)
        at--;
    if (at > 0 && user->seen[at - 1] == item)
        return 0;
    if (user->seen_count == user->seen_capacity) {
        uint32_t capacity = user->seen_capacity ? 2 * user->seen_capacity : 16;
        uint32_t *grown = realloc(user->seen, capacity * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        user->seen = grown;
        user->seen_capacity = capacity;
    }
    memmove(user->seen + at + 1, user->seen + at,
            (user->seen_count - at) * sizeof *user->seen);
    user->seen[at] = item;
    user->seen_count++;
    return 0;
}

int eddy_play_user_step(struct eddy_play_user *user,
                        const struct eddy_snapshot *snapshot,
                        const struct eddy_interaction *row, const uint16_t *types,
                        struct eddy_step *ret)
{
    int64_t now_s = row->ts_ms >= 0 ? row->ts_ms / 1000 : 0;
    if (row->item >= snapshot->layout.shape.items)
        return 0;
    if (eddy_play_user_see(user, row->item) < 0)
        return EDDY_ENOMEM;
    *ret = eddy_step_make(row->item, types[row->type], user->previous_s, now_s,
                          snapshot->manifest.session_gap_s, row->has_value, row->value);
    if (now_s > user->previous_s)
        user->previous_s = now_s;
    user->stepped = true;
    return 1;
}

static void player_fini(struct player *player)
{
    for (int s = 0; s < SLOTS; s++) {
        free(player->slots[s].state.hidden);
        free(player->slots[s].state.seen);
    }
    eddy_hrnn_scratch_free(player->hrnn);
    eddy_score_scratch_free(player->score);
    free(player->lists);
}

static int player_init(struct player *player, const struct eddy_play *play)
{
    const struct eddy_shape *shape = &play->snapshot->layout.shape;
    size_t floats = eddy_hrnn_state_floats(shape);
    bool complete = true;
    for (int s = 0; s < SLOTS; s++) {
        float *hidden = calloc(floats + 16, sizeof *hidden);
        player->slots[s].state.hidden = hidden;
        complete = complete && hidden != NULL;
    }
    player->hrnn = eddy_hrnn_scratch_new(shape, SLOTS);
    player->score = eddy_score_scratch_new(SLOTS, play->k);
    player->lists = malloc(SLOTS * (size_t)play->k * sizeof *player->lists);
    return complete && player->hrnn && player->score && player->lists ? 0 : EDDY_ENOMEM;
}

/* Answer the queries due before each slot's next row. */
static void answer(const struct run *run, struct player *player)
{
    const struct eddy_play *play = run->play;
    uint32_t offset = eddy_hrnn_query_offset(&play->snapshot->layout.shape);
    const float *queries[SLOTS];
    const uint32_t *excluded[SLOTS];
    uint32_t excluded_count[SLOTS], counts[SLOTS], n = 0;
    const struct slot *asked[SLOTS];

    for (int s = 0; s < SLOTS; s++) {
        const struct slot *slot = &player->slots[s];
        uint64_t row = slot->row < slot->end ? slot->row : EDDY_PLAY_END;
        if (!slot->active || !play->wants(play->context, slot->user, row))
            continue;
        if (!slot->state.stepped) {
            play->list(play->context, slot->user, row, run->popular,
                       run->popular_count);
            continue;
        }
        queries[n] = slot->state.hidden + offset;
        excluded[n] = slot->state.seen;
        excluded_count[n] = play->exclude_seen ? slot->state.seen_count : 0;
        asked[n++] = slot;
    }
    if (n == 0)
        return;
    eddy_score_topk(play->snapshot->hrnn, player->score, n, queries, play->k, excluded,
                    excluded_count, player->lists, counts);
    for (uint32_t i = 0; i < n; i++) {
        const struct slot *slot = asked[i];
        uint64_t row = slot->row < slot->end ? slot->row : EDDY_PLAY_END;
        play->list(play->context, slot->user, row, player->lists + (size_t)i * play->k,
                   counts[i]);
    }
}

static void move(struct run *run, struct player *player)
{
    const struct eddy_play *play = run->play;
    struct eddy_step steps[SLOTS];
    float *hidden[SLOTS];
    uint32_t n = 0;
    for (int s = 0; s < SLOTS; s++) {
        struct slot *slot = &player->slots[s];
        if (!slot->active)
            continue;
        if (slot->row == slot->end) {
            slot->active = false;
            continue;
        }
        int r = eddy_play_user_step(&slot->state, play->snapshot,
                                    &play->interactions->rows[slot->row], run->types,
                                    &steps[n]);
        if (r < 0)
            atomic_store_explicit(&run->failed, true, memory_order_relaxed);
        else if (r > 0)
            hidden[n++] = slot->state.hidden;
        slot->row++;
    }
    if (n > 0)
        eddy_hrnn_step(play->snapshot->hrnn, player->hrnn, n, steps, hidden);
}

static void play_task(void *context, uint32_t task, uint32_t worker)
{
    struct run *run = context;
    struct player *player = &run->players[worker];
    const struct eddy_interactions *in = run->play->interactions;
    uint32_t floats = eddy_hrnn_state_floats(&run->play->snapshot->layout.shape);
    uint32_t next = run->first + task * TASK_USERS;
    uint32_t end = run->first + run->count;
    bool any = true;

    if (end > next + TASK_USERS)
        end = next + TASK_USERS;
    while (any) {
        any = false;
        for (int s = 0; s < SLOTS; s++) {
            struct slot *slot = &player->slots[s];
            if (!slot->active && next < end) {
                slot->active = true;
                slot->user = next;
                slot->row = in->user_begin[next];
                slot->end = in->user_begin[next + 1];
                eddy_play_user_reset(&slot->state, floats);
                next++;
            }
            any = any || slot->active;
        }
        if (any) {
            answer(run, player);
            move(run, player);
        }
    }
}

int eddy_play_users(const struct eddy_play *play, uint32_t first, uint32_t count,
                    struct eddy_err *err)
{
    uint32_t tasks = (count + TASK_USERS - 1) / TASK_USERS;
    uint32_t threads = play->threads < 1 ? 1 : play->threads;
    struct run run = {.play = play, .first = first, .count = count};
    int r = 0;

    run.players = calloc(threads, sizeof *run.players);
    run.types = eddy_play_types(play->snapshot, play->interactions);
    run.popular = calloc((size_t)play->k + 1, sizeof *run.popular);
    bool complete = run.players && run.types && run.popular;
    for (uint32_t t = 0; complete && t < threads; t++)
        complete = player_init(&run.players[t], play) == 0;
    if (complete) {
        run.popular_count =
            eddy_play_popular(play->popularity, play->snapshot->layout.shape.items,
                              play->k, run.popular);
        eddy_team_run(threads, tasks, play_task, &run);
    }
    if (!complete || atomic_load_explicit(&run.failed, memory_order_relaxed)) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory to play %u histories", count);
    }
    for (uint32_t t = 0; run.players && t < threads; t++)
        player_fini(&run.players[t]);
    free(run.players);
    free(run.types);
    free(run.popular);
    return r;
}
