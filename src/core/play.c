/* Histories through the serving kernels.
 *
 * A player (one per thread) holds SLOTS users at once, each somewhere in his history; a
 * turn answers the queries that are due and then moves every state by one event, in one
 * call of the kernels each. A user who has ended gives his slot to the next one, so batches
 * stay full although histories differ in length; longest histories come first, so that the
 * last slots to run dry do so together. Who waits for the list after his last event is
 * parked until a batch of them is complete. A query that nobody will read is not computed
 * (eddy_hrnn_step_asked). The kernels' bits do not depend on who else is in the batch, so
 * neither slots nor threads change an answer. */
#include "core/play.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "core/play_user.h"
#include "core/rank.h"
#include "core/team.h"

/* ALL_ROWS: rows whose scores of all items are held at once. */
enum { SLOTS = 64, ALL_ROWS = 8, SEEN_UNSORTED = 64 };

struct slot {
    uint32_t user;
    bool active;
    uint64_t row, end;
    struct eddy_play_user state;
};

struct player {
    struct slot slots[SLOTS];
    struct slot parked[SLOTS]; /* at their ends, waiting for a list */
    uint32_t parked_count;
    struct eddy_hrnn_scratch *hrnn;
    struct eddy_ranker *ranker;
    struct eddy_scored *lists; /* (SLOTS, k) */
    float *queries;            /* (SLOTS, H) with metadata of users */
    float *scores;             /* (ALL_ROWS, V), when all are asked for */
};

struct run {
    const struct eddy_play *play;
    struct eddy_rank_model model;
    bool has_shown;
    struct player *players; /* one per thread */
    uint16_t *types;        /* type of the file -> of the snapshot */
    struct eddy_scored *popular;
    uint32_t popular_count;
    uint32_t *order, count; /* users, longest history first */
    _Atomic uint32_t next;  /* in order */
    atomic_bool failed;     /* memory ran out in a task */
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
    user->seen_count = user->seen_sorted = 0;
    if (user->shown)
        user->shown->count = 0;
}

static int by_item(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The few newest are sorted and merged from the back into the room that they leave. */
void eddy_play_user_settle(struct eddy_play_user *user)
{
    uint32_t newest[SEEN_UNSORTED];
    uint32_t more = user->seen_count - user->seen_sorted, left = user->seen_sorted;
    uint32_t count = 0, at = user->seen_count;

    if (more == 0)
        return;
    memcpy(newest, user->seen + left, more * sizeof *newest);
    qsort(newest, more, sizeof *newest, by_item);
    while (more > 0 && at > 0) {
        bool old = left > 0 && user->seen[left - 1] > newest[more - 1];
        user->seen[--at] = old ? user->seen[--left] : newest[--more];
    }
    for (uint32_t i = 0; i < user->seen_count; i++)
        if (count == 0 || user->seen[count - 1] != user->seen[i])
            user->seen[count++] = user->seen[i];
    user->seen_count = user->seen_sorted = count;
}

int eddy_play_user_see(struct eddy_play_user *user, uint32_t item)
{
    if (!user->keeps_seen)
        return 0;
    if (user->seen_count - user->seen_sorted == SEEN_UNSORTED)
        eddy_play_user_settle(user);
    if (user->seen_count == user->seen_capacity) {
        uint32_t capacity = user->seen_capacity ? 2 * user->seen_capacity : 16;
        uint32_t *grown = realloc(user->seen, capacity * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        user->seen = grown;
        user->seen_capacity = capacity;
    }
    user->seen[user->seen_count++] = item;
    return 0;
}

int eddy_play_user_remember(struct eddy_play_user *user,
                            const struct eddy_interaction *row, uint32_t room,
                            uint32_t session_gap_s)
{
    bool begins = user->ring_count == 0 ||
                  row->ts_ms - user->newest_ms > (int64_t)session_gap_s * 1000;
    if (user->ring_count == room) {
        memmove(user->ring, user->ring + 1, (room - 1) * sizeof *user->ring);
        user->ring_count--;
    } else if (user->ring_count == user->ring_capacity) {
        uint32_t capacity = user->ring_capacity ? 2 * user->ring_capacity : 4;
        capacity = capacity < room ? capacity : room;
        uint32_t *grown = realloc(user->ring, capacity * sizeof *grown);
        if (grown == NULL)
            return EDDY_ENOMEM;
        user->ring = grown;
        user->ring_capacity = capacity;
    }
    user->ring[user->ring_count++] = row->item;
    user->session_events = begins ? 1 : user->session_events + 1;
    user->newest_ms =
        begins || row->ts_ms > user->newest_ms ? row->ts_ms : user->newest_ms;
    return 0;
}

bool eddy_play_has_shown(const struct eddy_interactions *interactions,
                         const struct eddy_head *head)
{
    return interactions->shown_begin != NULL && eddy_head_uses(head, EDDY_HEAD_SHOWN);
}

void eddy_play_user_show(struct eddy_shown_ring *ring,
                         const struct eddy_interactions *interactions,
                         const struct eddy_interaction *row)
{
    uint64_t begin = interactions->shown_begin[row->row];
    uint64_t end = interactions->shown_begin[row->row + 1];
    uint64_t chosen = eddy_catalog_hash(interactions->items, row->item);
    int64_t now_s = row->ts_ms >= 0 ? row->ts_ms / 1000 : 0;
    eddy_shown_choose(ring, chosen);
    eddy_shown_note(ring, interactions->shown + begin, (uint32_t)(end - begin), &chosen,
                    (uint32_t)now_s);
}

int eddy_play_user_step(struct eddy_play_user *user,
                        const struct eddy_snapshot *snapshot,
                        const struct eddy_interactions *interactions,
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
    ret->context = eddy_context_index_interaction(snapshot->context, interactions, row);
    if (now_s > user->previous_s)
        user->previous_s = now_s;
    user->stepped = true;
    return 1;
}

const float *eddy_play_user_query(const struct eddy_play_user *user,
                                  const struct eddy_snapshot *snapshot,
                                  const struct eddy_user_queries *users, uint32_t index,
                                  const struct eddy_context_row *request, float *room)
{
    const struct eddy_shape *shape = &snapshot->layout.shape;
    const float *x =
        user->stepped ? user->hidden + eddy_hrnn_query_offset(shape) : NULL;
    const bool known = users != NULL && users->start != NULL && users->known[index];
    const bool asked = request != NULL && !eddy_context_row_is_empty(request);
    if (!known && !asked)
        return x;
    x = x ? x : eddy_global(&snapshot->layout, snapshot->params, EDDY_G_USER_START);
    memcpy(room, x, shape->hidden * sizeof *room);
    for (uint32_t h = 0; known && h < shape->hidden; h++)
        room[h] += users->rows[(size_t)index * shape->hidden + h];
    if (asked)
        eddy_context_add(request,
                         eddy_global(&snapshot->layout, snapshot->params,
                                     EDDY_G_CONTEXT_QUERY),
                         shape->hidden, room);
    return room;
}

static void player_fini(struct player *player)
{
    for (int s = 0; s < SLOTS; s++) {
        free(player->slots[s].state.hidden);
        free(player->slots[s].state.seen);
        free(player->slots[s].state.shown);
        free(player->parked[s].state.hidden);
        free(player->parked[s].state.seen);
        free(player->parked[s].state.shown);
    }
    eddy_hrnn_scratch_free(player->hrnn);
    eddy_ranker_free(player->ranker);
    free(player->lists);
    free(player->queries);
    free(player->scores);
}

static int player_init(struct player *player, const struct run *run)
{
    const struct eddy_play *play = run->play;
    const struct eddy_shape *shape = &play->snapshot->layout.shape;
    size_t floats = eddy_hrnn_state_floats(shape);
    bool complete = true;
    for (int s = 0; s < SLOTS; s++) {
        player->slots[s].state.hidden = calloc(floats + 16, sizeof(float));
        player->parked[s].state.hidden = calloc(floats + 16, sizeof(float));
        player->slots[s].state.keeps_seen = play->exclude_seen;
        player->parked[s].state.keeps_seen = play->exclude_seen;
        complete = complete && player->slots[s].state.hidden != NULL &&
                   player->parked[s].state.hidden != NULL;
        if (!run->has_shown)
            continue;
        player->slots[s].state.shown = calloc(1, sizeof(struct eddy_shown_ring));
        player->parked[s].state.shown = calloc(1, sizeof(struct eddy_shown_ring));
        complete = complete && player->slots[s].state.shown != NULL &&
                   player->parked[s].state.shown != NULL;
    }
    player->hrnn = eddy_hrnn_scratch_new(shape, SLOTS);
    player->ranker =
        eddy_ranker_new(&run->model, play->scores ? ALL_ROWS : SLOTS, play->k);
    if (play->scores) {
        player->scores = malloc(ALL_ROWS * (size_t)shape->items * sizeof(float));
        complete = complete && player->scores != NULL;
    }
    player->queries = malloc(SLOTS * (size_t)shape->hidden * sizeof(float));
    player->lists = malloc(SLOTS * (size_t)play->k * sizeof *player->lists);
    return complete && player->queries && player->hrnn && player->ranker &&
                   player->lists
               ? 0
               : EDDY_ENOMEM;
}

/* The row that a query before the slot's next row is known by. */
static uint64_t query_row(const struct slot *slot)
{
    return slot->row < slot->end ? slot->row : EDDY_PLAY_END;
}

/* What is known of the slot's user before his next row. query: room for H floats; recent:
 * for EDDY_RECENT_MAX items. A worker keeps his newest events in a ring, known items or not; here they are rows. */
static struct eddy_rank_user user_of(const struct run *run, const struct slot *slot,
                                     float *query, struct eddy_rank_room *room)
{
    const struct eddy_play *play = run->play;
    const struct eddy_interactions *in = play->interactions;
    const struct eddy_shape *shape = &play->snapshot->layout.shape;
    uint64_t begin = in->user_begin[slot->user];
    uint64_t ring = play->snapshot->manifest.recent_events;
    uint32_t count = 0;
    for (uint64_t row = slot->row - begin > ring ? slot->row - ring : begin;
         row < slot->row; row++) {
        if (in->rows[row].item < shape->items)
            room->recent[count++] = in->rows[row].item;
    }
    uint32_t shown = run->has_shown
                         ? eddy_rank_shown(slot->state.shown, play->snapshot->catalog,
                                           shape->items, room->shown)
                         : 0;
    struct eddy_context_row request = {{0}};
    if (play->request != NULL)
        request = play->request(play->context, slot->user, query_row(slot));
    return (struct eddy_rank_user){
        .recent = {room->recent, count, room->shown, shown},
        .query = eddy_play_user_query(&slot->state, play->snapshot, play->users,
                                      slot->user, &request, query),
        .excluded = slot->state.seen,
        .excluded_count = play->exclude_seen ? slot->state.seen_count : 0,
    };
}

/* Lists of the slots that the ranker holds, asked[0..count). */
static void run_ranker(const struct run *run, struct player *player,
                       struct slot *const *asked)
{
    const struct eddy_play *play = run->play;
    uint32_t counts[SLOTS];
    if (play->scores) {
        uint32_t all = eddy_ranker_run_all(player->ranker, player->scores);
        for (uint32_t i = 0; i < all; i++)
            play->scores(play->context, asked[i]->user, query_row(asked[i]),
                         player->scores +
                             (size_t)i * play->snapshot->layout.shape.items);
        return;
    }
    uint32_t n = eddy_ranker_run(player->ranker, play->k, player->lists, counts);
    for (uint32_t i = 0; i < n; i++)
        play->list(play->context, asked[i]->user, query_row(asked[i]),
                   player->lists + (size_t)i * play->k, counts[i]);
}

/* Lists for n slots (<= SLOTS) whose users the model knows something of. */
static void score(const struct run *run, struct player *player, uint32_t n,
                  struct slot *const *asked)
{
    struct eddy_rank_room room;
    uint32_t first = 0;
    for (uint32_t i = 0; i < n; i++) {
        eddy_play_user_settle(&asked[i]->state);
        float *query = player->queries + (size_t)i * run->model.hidden;
        struct eddy_rank_user user = user_of(run, asked[i], query, &room);
        if (eddy_ranker_add(player->ranker, &user))
            continue;
        run_ranker(run, player, asked + first);
        first = i;
        (void)eddy_ranker_add(player->ranker, &user); /* an empty one has room */
    }
    run_ranker(run, player, asked + first);
}

/* Is the list of this user a matter of the model, or what is popular? */
static bool is_known(const struct run *run, const struct slot *slot)
{
    struct eddy_rank_room room;
    float query[EDDY_HIDDEN_MAX];
    if (slot->state.stepped)
        return true;
    struct eddy_rank_user user = user_of(run, slot, query, &room);
    return eddy_rank_knows(&run->model, &user);
}

static void answer_parked(const struct run *run, struct player *player)
{
    struct slot *asked[SLOTS];
    for (uint32_t i = 0; i < player->parked_count; i++)
        asked[i] = &player->parked[i];
    if (player->parked_count > 0)
        score(run, player, player->parked_count, asked);
    player->parked_count = 0;
}

/* The slot's user leaves; another's memory stays. */
static void park(const struct run *run, struct player *player, struct slot *slot)
{
    struct slot *place = &player->parked[player->parked_count++];
    struct slot other = *place;
    *place = *slot;
    *slot = other;
    slot->active = false;
    if (player->parked_count == SLOTS)
        answer_parked(run, player);
}

/* Answer the queries due before each slot's next row; who has ended leaves. */
static void answer(const struct run *run, struct player *player)
{
    const struct eddy_play *play = run->play;
    struct slot *asked[SLOTS];
    uint32_t n = 0;

    for (int s = 0; s < SLOTS; s++) {
        struct slot *slot = &player->slots[s];
        uint64_t row = query_row(slot);
        if (!slot->active)
            continue;
        bool wanted = play->wants(play->context, slot->user, row);
        slot->active = slot->row < slot->end;
        if (wanted && !is_known(run, slot) && play->scores)
            play->scores(play->context, slot->user, row, NULL);
        else if (wanted && !is_known(run, slot))
            play->list(play->context, slot->user, row, run->popular,
                       run->popular_count);
        else if (wanted && slot->active)
            asked[n++] = slot;
        else if (wanted)
            park(run, player, slot);
    }
    if (n > 0)
        score(run, player, n, asked);
}

/* Is the query made by a step just before slot->row read before the next step? Rows of
 * unknown items are no steps. In modes with a user level every query may be. */
static bool is_read(const struct eddy_play *play, const struct slot *slot)
{
    const struct eddy_shape *shape = &play->snapshot->layout.shape;
    if (shape->mode != EDDY_MODE_FLAT)
        return true;
    for (uint64_t row = slot->row; row < slot->end; row++) {
        if (play->wants(play->context, slot->user, row))
            return true;
        if (play->interactions->rows[row].item < shape->items)
            return false;
    }
    return play->wants(play->context, slot->user, EDDY_PLAY_END);
}

static void move(struct run *run, struct player *player)
{
    const struct eddy_play *play = run->play;
    struct eddy_step steps[SLOTS];
    float *hidden[SLOTS];
    bool asked[SLOTS];
    uint32_t n = 0;
    for (int s = 0; s < SLOTS; s++) {
        struct slot *slot = &player->slots[s];
        if (!slot->active)
            continue;
        const struct eddy_interaction *row = &play->interactions->rows[slot->row++];
        if (run->has_shown)
            eddy_play_user_show(slot->state.shown, play->interactions, row);
        int r = eddy_play_user_step(&slot->state, play->snapshot, play->interactions,
                                    row, run->types, &steps[n]);
        if (r < 0)
            atomic_store_explicit(&run->failed, true, memory_order_relaxed);
        if (r <= 0)
            continue;
        asked[n] = is_read(play, slot);
        hidden[n++] = slot->state.hidden;
    }
    if (n > 0)
        eddy_hrnn_step_asked(play->snapshot->hrnn, player->hrnn, n, steps, hidden,
                             asked);
}

/* The next user of the order into a slot that is free. */
static bool fill(struct run *run, struct slot *slot)
{
    const struct eddy_interactions *in = run->play->interactions;
    const struct eddy_shape *shape = &run->play->snapshot->layout.shape;
    uint32_t at = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
    if (at >= run->count)
        return false;
    slot->active = true;
    slot->user = run->order[at];
    slot->row = in->user_begin[slot->user];
    slot->end = in->user_begin[slot->user + 1];
    eddy_play_user_reset(&slot->state, eddy_hrnn_state_floats(shape));
    return true;
}

static void play_task(void *context, uint32_t task, uint32_t worker)
{
    struct run *run = context;
    struct player *player = &run->players[worker];
    bool more = true, any = true;
    (void)task; /* all draw from one order */

    while (any) {
        any = false;
        for (int s = 0; s < SLOTS; s++) {
            struct slot *slot = &player->slots[s];
            if (!slot->active && more)
                more = fill(run, slot);
            any = any || slot->active;
        }
        answer(run, player);
        move(run, player);
    }
    answer_parked(run, player);
}

struct length {
    uint64_t events;
    uint32_t user;
};

static int by_length(const void *a, const void *b)
{
    const struct length *x = a, *y = b;
    if (x->events != y->events)
        return x->events > y->events ? -1 : 1;
    return x->user < y->user ? -1 : x->user > y->user;
}

/* Users [first, first + count), longest history first. NULL: memory. */
static uint32_t *order_of(const struct eddy_interactions *in, uint32_t first,
                          uint32_t count)
{
    struct length *lengths = malloc(((size_t)count + 1) * sizeof *lengths);
    uint32_t *order = malloc(((size_t)count + 1) * sizeof *order);
    if (lengths == NULL || order == NULL) {
        free(lengths);
        free(order);
        return NULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *begin = &in->user_begin[first + i];
        lengths[i] = (struct length){begin[1] - begin[0], first + i};
    }
    qsort(lengths, count, sizeof *lengths, by_length);
    for (uint32_t i = 0; i < count; i++)
        order[i] = lengths[i].user;
    free(lengths);
    return order;
}

int eddy_play_users(const struct eddy_play *play, uint32_t first, uint32_t count,
                    struct eddy_err *err)
{
    uint32_t threads = play->threads < 1 ? 1 : play->threads;
    struct run run = {.play = play,
                      .model = eddy_rank_model_of(play->snapshot),
                      .has_shown = eddy_play_has_shown(play->interactions,
                                                       &play->snapshot->head),
                      .count = count};
    int r = 0;

    run.players = calloc(threads, sizeof *run.players);
    run.types = eddy_play_types(play->snapshot, play->interactions);
    run.popular = calloc((size_t)play->k + 1, sizeof *run.popular);
    run.order = order_of(play->interactions, first, count);
    bool complete = run.players && run.types && run.popular && run.order;
    for (uint32_t t = 0; complete && t < threads; t++)
        complete = player_init(&run.players[t], &run) == 0;
    if (complete) {
        run.popular_count =
            eddy_play_popular(play->popularity, play->snapshot->layout.shape.items,
                              play->k, run.popular);
        eddy_team_run(threads, threads, play_task, &run);
    }
    if (!complete || atomic_load_explicit(&run.failed, memory_order_relaxed)) {
        r = eddy_fail(err, EDDY_ENOMEM, "no memory to play %u histories", count);
    }
    for (uint32_t t = 0; run.players && t < threads; t++)
        player_fini(&run.players[t]);
    free(run.players);
    free(run.types);
    free(run.popular);
    free(run.order);
    return r;
}
