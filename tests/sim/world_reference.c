/* The reference fold: slow, and simple enough to be believed. */
#include <math.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/vmath.h"
#include "io/json_simd.h"
#include "world_internal.h"

enum { HIDDEN_MAX = 512 };

struct folding {
    struct world *world;
    uint32_t partition;
    const struct eddy_snapshot *snapshot;
    struct eddy_policy policy;
    struct eddy_hrnn_scratch *scratch[WORLD_MODELS];
    struct eddy_state *states[WORLD_USERS_MAX];
    void *memory[WORLD_USERS_MAX];
    struct eddy_json *json;
    struct eddy_buf bytes;
};

static uint32_t model_index(const struct folding *folding, const char *version)
{
    for (uint32_t i = 0; i < WORLD_MODELS; i++) {
        if (strcmp(folding->world->models->version[i], version) == 0) {
            return i;
        }
    }
    EDDY_ASSERT(!"a snapshot record names a model of the world");
    return 0;
}

static void step(struct folding *folding, struct eddy_state *state,
                 const struct eddy_step *what)
{
    uint32_t model = model_index(folding, folding->snapshot->manifest.version);
    eddy_hrnn_step(folding->snapshot->hrnn, folding->scratch[model], 1, what,
                   &state->hidden);
}

static void encode_again(struct folding *folding, struct eddy_state *state)
{
    struct eddy_step steps[EDDY_RECENT_MAX];
    (void)eddy_state_reencode(state, folding->snapshot);
    uint32_t count = eddy_state_resteps(state, folding->snapshot, steps);
    for (uint32_t i = 0; i < count; i++) {
        step(folding, state, &steps[i]);
    }
}

static bool is_excluded(const struct folding *folding, const struct eddy_state *state,
                        uint32_t item)
{
    uint64_t hash = eddy_catalog_hash(folding->snapshot->catalog, item);
    for (uint32_t i = 0; folding->policy.exclude_recent && i < state->recent_count;
         i++) {
        if (state->recent[i].item_hash == hash) {
            return true;
        }
    }
    return false;
}

/* What the head says of an item, by its definition (core/head.h): the dense part as one
 * chain of fused multiply-adds, then features one by one. */
static float score_by_head(const struct eddy_snapshot *snapshot,
                           const struct eddy_state *state,
                           struct eddy_head_recent recent, uint32_t item,
                           struct eddy_head_scratch *scratch)
{
    const struct eddy_head *head = &snapshot->head;
    const struct eddy_layout *layout = &snapshot->layout;
    const uint32_t H = layout->shape.hidden;
    const float *query = state->hidden + eddy_hrnn_query_offset(&layout->shape);
    uint32_t bucket = eddy_head_bucket(recent.count);
    bool network = head->network[bucket] && state->step_count_low > 0;
    float sum = 0, more = 0;
    for (uint32_t i = 0; i < H; i++) {
        float weight = eddy_global(layout, snapshot->params, EDDY_G_ITEM)[item * H + i];
        sum = fmaf(weight, network ? query[i] : 0, sum);
    }
    sum = fmaf(eddy_global(layout, snapshot->params, EDDY_G_ITEM_BIAS)[item],
               network ? 1 : 0, sum);
    for (uint32_t h = 0; h < snapshot->tables.priors; h++) {
        if (eddy_head_uses_prior(head, h)) {
            sum = fmaf(snapshot->tables.prior[h][item], head->prior[bucket][h], sum);
        }
    }
    for (uint32_t f = 0; f < EDDY_HEAD_FEATURES; f++) {
        const struct eddy_addition *values;
        uint32_t count =
            eddy_head_feature_values(&snapshot->tables, head, scratch,
                                     (enum eddy_head_feature)f, recent, &values);
        for (uint32_t i = 0; i < count; i++) {
            if (values[i].item == item) {
                more += head->weight[bucket][f] *
                        eddy_log1pf(head->scale[f] * values[i].value);
            }
        }
    }
    return sum + more;
}

/* Known items that were shown and not chosen; lists that came later are told apart by the
 * times of all entries behind, known or not. */
static uint32_t shown_of(const struct eddy_snapshot *snapshot,
                         const struct eddy_state *state, struct eddy_head_shown *ret)
{
    const struct eddy_shown_ring *ring = &state->shown;
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        uint32_t later = 0, item = eddy_catalog_find_hash(snapshot->catalog,
                                                          ring->entries[i].item_hash);
        for (uint32_t k = i + 1; k < ring->count; k++) {
            later += ring->entries[k].ts_s != ring->entries[k - 1].ts_s;
        }
        if (item != EDDY_ITEM_NONE) {
            ret[count++] =
                (struct eddy_head_shown){item, ring->entries[i].times, later};
        }
    }
    return count;
}

static void score_all(const struct eddy_snapshot *snapshot,
                      const struct eddy_state *state, float *ret)
{
    const struct eddy_shape *shape = &snapshot->manifest.shape;
    uint32_t items[EDDY_RECENT_MAX];
    struct eddy_head_shown shown[EDDY_SHOWN_MAX];
    struct eddy_head_recent recent = {.items = items, .shown = shown};
    if (eddy_head_is_plain(&snapshot->head)) {
        eddy_score_all(snapshot->hrnn, state->hidden + eddy_hrnn_query_offset(shape),
                       ret);
        return;
    }
    for (uint32_t i = 0; i < state->recent_count; i++) {
        uint32_t item =
            eddy_catalog_find_hash(snapshot->catalog, state->recent[i].item_hash);
        if (item != EDDY_ITEM_NONE) {
            items[recent.count++] = item;
        }
    }
    recent.shown_count = shown_of(snapshot, state, shown);
    struct eddy_head_scratch *scratch =
        eddy_head_scratch_new(&snapshot->tables, &snapshot->head);
    EDDY_ASSERT(scratch);
    for (uint32_t item = 0; item < shape->items; item++) {
        ret[item] = score_by_head(snapshot, state, recent, item, scratch);
    }
    eddy_head_scratch_free(scratch);
}

/* The k best by selection, from all scores. */
static uint32_t choose(struct folding *folding, const struct eddy_state *state,
                       struct eddy_scored *ret)
{
    const struct eddy_shape *shape = &folding->snapshot->manifest.shape;
    float scores[64];
    uint32_t count = 0;
    score_all(folding->snapshot, state, scores);
    while (count < folding->policy.list_size) {
        uint32_t best = EDDY_ITEM_NONE;
        for (uint32_t item = 0; item < shape->items; item++) {
            bool taken = isnan(scores[item]) || is_excluded(folding, state, item);
            for (uint32_t i = 0; i < count; i++) {
                taken = taken || ret[i].item == item;
            }
            if (!taken && (best == EDDY_ITEM_NONE || scores[item] > scores[best])) {
                best = item;
            }
        }
        if (best == EDDY_ITEM_NONE) {
            break;
        }
        ret[count++] = (struct eddy_scored){best, scores[best]};
    }
    return count;
}

static void give_list(struct folding *folding, struct world_user *user,
                      const struct eddy_state *state)
{
    struct world *world = folding->world;
    struct eddy_scored items[EDDY_RECENT_MAX];
    /* The heads of the world have priors for users without a step. */
    bool by_head = !eddy_head_is_plain(&folding->snapshot->head);
    uint32_t count =
        state->step_count_low > 0 || by_head
            ? choose(folding, state, items)
            : eddy_list_popular(folding->snapshot, folding->policy.list_size, items);
    eddy_buf_clear(&folding->bytes);
    eddy_list_encode(eddy_span_of("eddy"), user->name, state, folding->snapshot, items,
                     count, &folding->bytes);
    struct world_list *list = &world->lists[world->list_count++];
    *list = (struct world_list){
        .partition = folding->partition,
        .revision = state->revision,
        .user = user->name,
        .list = eddy_arena_copy(world->arena, eddy_buf_span(&folding->bytes))};
    user->newest = list;
}

static void fold_event(struct folding *folding, const struct eddy_event *event,
                       const struct eddy_record *record, uint32_t at)
{
    struct world_user *user = &folding->world->users[at];
    struct eddy_state *state = folding->states[at];
    struct eddy_step what;
    if (eddy_state_is_stale(state, folding->snapshot)) {
        encode_again(folding, state);
    }
    enum eddy_fold fold =
        eddy_state_fold(state, event, record->offset, record->timestamp_ms,
                        folding->snapshot, &folding->policy, &what);
    user->has_state = true;
    if (fold == EDDY_FOLD_STEP) {
        step(folding, state, &what);
    }
    bool has_model = folding->snapshot->manifest.version[0] != 0, moves = false;
    for (uint32_t b = 0; fold == EDDY_FOLD_NOTED && b < EDDY_HEAD_BUCKETS; b++) {
        moves = moves || folding->snapshot->head.weight[b][EDDY_HEAD_SHOWN] != 0;
    }
    moves = moves && state->event_count > 0;
    if (has_model && (fold == EDDY_FOLD_STEP || fold == EDDY_FOLD_UNKNOWN || moves)) {
        give_list(folding, user, state);
    }
}

static int decode(struct folding *folding, struct eddy_span payload,
                  struct eddy_event *ret)
{
    struct eddy_err err = {0};
    if (payload.size == 0) {
        return EDDY_EBADEVENT;
    }
    if (payload.size > EDDY_RECORD_MAX) {
        return EDDY_ETOOBIG;
    }
    return strchr("{ \t\r\n", payload.data[0])
               ? eddy_json_event_decode(folding->json, payload, folding->world->arena,
                                        ret, &err)
               : eddy_event_decode(payload, folding->world->arena, ret, &err);
}

static void fold_record(struct folding *folding, struct world_record *record)
{
    struct world *world = folding->world;
    struct eddy_event event;
    int r = decode(folding, record->record.payload, &event);
    if (r < 0) {
        record->dead_code = r;
        return;
    }
    if (event.kind == EDDY_KIND_SNAPSHOT) {
        folding->snapshot =
            world->models->snapshot[model_index(folding, event.snapshot)];
        folding->policy = event.policy;
        return;
    }
    if (eddy_partition_of(event.user, world->partitions) != folding->partition) {
        record->dead_code = EDDY_EPLACE;
        return;
    }
    uint32_t at = 0;
    while (at < world->user_count && !eddy_span_eq(world->users[at].name, event.user)) {
        at++;
    }
    EDDY_ASSERT(at < world->user_count); /* good events are of the world's users */
    fold_event(folding, &event, &record->record, at);
}

static void finish_partition(struct folding *folding)
{
    struct world *world = folding->world;
    uint32_t p = folding->partition;
    memcpy(world->final_snapshot[p], folding->snapshot->manifest.version,
           sizeof world->final_snapshot[p]);
    world->final_policy[p] = folding->policy;
    if (p == 0 && world->final_snapshot[p][0] != 0) {
        eddy_buf_clear(&folding->bytes);
        eddy_list_encode_default(eddy_span_of("eddy"), folding->snapshot,
                                 folding->policy.list_size, &folding->bytes);
        world->default_list =
            eddy_arena_copy(world->arena, eddy_buf_span(&folding->bytes));
    }
    for (uint32_t i = 0; i < world->user_count; i++) {
        if (world->users[i].partition == p && world->users[i].has_state) {
            eddy_buf_clear(&folding->bytes);
            eddy_state_encode(folding->states[i], &folding->bytes);
            world->users[i].blob =
                eddy_arena_copy(world->arena, eddy_buf_span(&folding->bytes));
        }
    }
}

void world_fold(struct world *world)
{
    struct folding folding = {.world = world, .json = eddy_json_new()};
    size_t size = (eddy_state_size(HIDDEN_MAX, EDDY_RECENT_MAX) + 63) & ~(size_t)63;
    eddy_buf_init(&folding.bytes, 0);
    for (uint32_t i = 0; i < WORLD_MODELS; i++) {
        const struct eddy_shape *shape = &world->models->snapshot[i]->manifest.shape;
        EDDY_ASSERT(eddy_hrnn_state_floats(shape) <= HIDDEN_MAX);
        folding.scratch[i] = eddy_hrnn_scratch_new(shape, 1);
    }
    for (uint32_t i = 0; i < world->user_count; i++) {
        folding.memory[i] = aligned_alloc(64, size);
        EDDY_ASSERT(folding.memory[i]);
        folding.states[i] =
            eddy_state_init(folding.memory[i], HIDDEN_MAX, EDDY_RECENT_MAX);
    }
    for (uint32_t p = 0; p < world->partitions; p++) {
        folding.partition = p;
        folding.snapshot =
            world->modelless ? world->models->none : world->models->snapshot[0];
        folding.policy = world->initial_policy;
        for (uint32_t i = 0; i < world->log_size[p]; i++) {
            fold_record(&folding, &world->records[p][i]);
        }
        finish_partition(&folding);
    }
    for (uint32_t i = 0; i < world->user_count; i++) {
        free(folding.memory[i]);
    }
    for (uint32_t i = 0; i < WORLD_MODELS; i++) {
        eddy_hrnn_scratch_free(folding.scratch[i]);
    }
    eddy_json_free(folding.json);
    eddy_buf_fini(&folding.bytes);
}

struct world *world_new(const struct world_models *models, uint64_t seed,
                        uint32_t records, bool bad)
{
    struct world *world = calloc(1, sizeof *world);
    EDDY_ASSERT(world && records + 16 <= WORLD_RECORDS_MAX);
    world->seed = seed;
    world->models = models;
    world->arena = eddy_arena_new(1 << 20, 1 << 28);
    world->lists = calloc(WORLD_RECORDS_MAX, sizeof *world->lists);
    EDDY_ASSERT(world->arena && world->lists);
    world->modelless = seed % 4 == 3;
    if (!world->modelless) {
        memcpy(world->initial, models->version[0], sizeof world->initial);
    }
    world_generate(world, records, bad);
    world_fold(world);
    return world;
}

void world_free(struct world *world)
{
    if (!world) {
        return;
    }
    for (uint32_t p = 0; p < world->partitions; p++) {
        for (uint32_t i = 0; i < world->log_size[p]; i++) {
            free(world->records[p][i].payload);
        }
        free(world->records[p]);
    }
    free(world->lists);
    eddy_arena_free(world->arena);
    free(world);
}

const struct world_list *world_find_list(const struct world *world, uint32_t partition,
                                         struct eddy_span user, uint64_t revision)
{
    for (uint32_t i = 0; i < world->list_count; i++) {
        const struct world_list *list = &world->lists[i];
        if (list->partition == partition && list->revision == revision &&
            eddy_span_eq(list->user, user)) {
            return list;
        }
    }
    return NULL;
}
