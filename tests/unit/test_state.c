/* Events folded into a state, and a state moved to another snapshot. */
#include "core/state.h"

#include "base/hash.h"
#include "state_folds.h"

/* ---- fold --------------------------------------------------------------------------- */

static void each_rule_has_its_outcome_in_this_order(void)
{
    static const struct {
        const char *item;
        int64_t at;
        const char *id;
        enum eddy_fold want;
        int64_t newest, stepped;
        uint32_t recent;
    } cases[] = {
        {"i1", 0, "a", EDDY_FOLD_STEP, 0, 0, 1},
        {"i2", 10, "a", EDDY_FOLD_DUPLICATE, 0, 0, 1},
        {"i2", 10, "b", EDDY_FOLD_STEP, 10, 10, 2},
        {"i3", 5, "c", EDDY_FOLD_STEP, 10, 10, 3}, /* out of order */
        {"new", 4000, "d", EDDY_FOLD_UNKNOWN, 4000, 10, 4},
        {"new", 4000, "d", EDDY_FOLD_DUPLICATE, 4000, 10, 4},
        {"i3", 400, NULL, EDDY_FOLD_STEP, 4000, 400, 5}, /* 3600 s: just not late */
        {"i3", 399, "e", EDDY_FOLD_LATE, 4000, 400, 5},
        {"i3", 399, "e", EDDY_FOLD_LATE, 4000, 400, 5},      /* a late id is not kept */
        {"i3", 399, "b", EDDY_FOLD_DUPLICATE, 4000, 400, 5}, /* before late */
        {"new", 399, NULL, EDDY_FOLD_LATE, 4000, 400, 5},    /* before unknown */
        {"i4", 4000, NULL, EDDY_FOLD_STEP, 4000, 4000, 6},
        {"i4", 4000, NULL, EDDY_FOLD_STEP, 4000, 4000, 7}, /* no id: no duplicate */
    };
    struct eddy_state *state = new_state();
    CHECK_INT(state->newest_s, -1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t revision = state->revision;
        enum eddy_fold got = fold(state, cases[i].item, T0 + cases[i].at, cases[i].id);
        bool good = CHECK_INT(got, cases[i].want);
        good &= CHECK_INT(state->newest_s, T0 + cases[i].newest);
        good &= CHECK_INT(state->stepped_s, T0 + cases[i].stepped);
        good &= CHECK_INT(state->recent_count, cases[i].recent);
        good &= CHECK_INT(state->event_count, cases[i].recent);
        good &= CHECK_INT(state->revision, revision + 5); /* offset + 1, always */
        if (!good) {
            fprintf(stderr, "    case %zu\n", i);
        }
    }
    CHECK_INT(state->first_s, T0);
    CHECK_STR(state->snapshot, snapshot->manifest.version);
    free(state);
}

/* A record that shows items "i0".."i9" as their digits say. */
static enum eddy_fold show(struct eddy_state *state, enum eddy_kind kind,
                           const char *item, const char *digits, int64_t ts_s,
                           const char *id)
{
    static const char names[10][3] = {"i0", "i1", "i2", "i3", "i4",
                                      "i5", "i6", "i7", "i8", "i9"};
    struct eddy_span shown[EDDY_IMPRESSION_MAX];
    struct eddy_event event = {.kind = kind,
                               .user = eddy_span_of("u"),
                               .item = eddy_span_of(item),
                               .id = eddy_span_of(id),
                               .ts_ms = ts_s * 1000,
                               .impressions = shown};
    struct eddy_step step;
    for (; digits[event.impression_count]; event.impression_count++) {
        shown[event.impression_count] =
            eddy_span_of(names[digits[event.impression_count] - '0']);
    }
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    return fold_with(state, &event, 0, snapshot, &step);
}

static void impressions_step_nothing_and_what_was_not_chosen_is_kept(void)
{
    static const struct {
        enum eddy_kind kind;
        const char *item, *digits;
        int64_t at;
        const char *id;
        enum eddy_fold want;
        const char *shown; /* digits, oldest first, then how often each */
    } cases[] = {
        {EDDY_KIND_EVENT, "i1", "", 0, NULL, EDDY_FOLD_STEP, ""},
        {EDDY_KIND_IMPRESSION, NULL, "123", 1, "a", EDDY_FOLD_NOTED, "123111"},
        {EDDY_KIND_IMPRESSION, NULL, "45", 2, "a", EDDY_FOLD_DUPLICATE, "123111"},
        {EDDY_KIND_EVENT, "i4", "1454", 2, NULL, EDDY_FOLD_STEP, "23151121"},
        {EDDY_KIND_EVENT, "i3", "", 3, NULL, EDDY_FOLD_STEP, "215121"},
        {EDDY_KIND_EVENT, "i3", "7", 3, "a", EDDY_FOLD_DUPLICATE, "215121"},
        {EDDY_KIND_IMPRESSION, NULL, "55", -4000, NULL, EDDY_FOLD_LATE, "215121"},
        {EDDY_KIND_IMPRESSION, NULL, "55", -20, NULL, EDDY_FOLD_NOTED, "215122"},
        {EDDY_KIND_EVENT, "new", "9", 4, NULL, EDDY_FOLD_UNKNOWN, "21591221"},
    };
    struct eddy_state *state = new_state();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[2 * EDDY_SHOWN_MAX + 1] = "";
        uint64_t events = state->event_count;
        enum eddy_fold fold = show(state, cases[i].kind, cases[i].item, cases[i].digits,
                                   T0 + cases[i].at, cases[i].id);
        bool good = CHECK_INT(fold, cases[i].want);
        for (uint32_t j = 0; j < state->shown.count; j++) {
            char name[3] = "i0";
            while (eddy_hash64(eddy_span_of(name)) !=
                   state->shown.entries[j].item_hash) {
                name[1]++;
            }
            got[j] = name[1];
            got[state->shown.count + j] = (char)('0' + state->shown.entries[j].times);
        }
        got[2 * state->shown.count] = '\0';
        good &= CHECK_STR(got, cases[i].shown);
        good &= CHECK_INT(state->event_count - events,
                          fold == EDDY_FOLD_STEP || fold == EDDY_FOLD_UNKNOWN);
        if (!good) {
            fprintf(stderr, "    case %zu\n", i);
        }
    }
    CHECK_INT(state->shown.entries[2].ts_s,
              T0 + 2); /* the newest time that it was shown */
    free(state);
}

static void of_what_was_shown_the_newest_50_are_kept(void)
{
    struct eddy_state *state = new_state();
    char item[16];
    for (int i = 0; i < 60; i++) {
        snprintf(item, sizeof item, "s%d", i);
        struct eddy_span shown = eddy_span_of(item);
        struct eddy_event event = {.kind = EDDY_KIND_IMPRESSION,
                                   .user = eddy_span_of("u"),
                                   .ts_ms = (T0 + i) * INT64_C(1000),
                                   .impressions = &shown,
                                   .impression_count = 1};
        struct eddy_step step;
        CHECK_INT(fold_with(state, &event, 0, snapshot, &step), EDDY_FOLD_NOTED);
    }
    CHECK_INT(state->shown.count, EDDY_SHOWN_MAX);
    CHECK_INT(state->shown.entries[0].ts_s, T0 + 10);
    CHECK_INT(state->shown.entries[49].ts_s, T0 + 59);
    CHECK_INT(state->event_count, 0);
    struct eddy_state *copy = copy_of(state); /* shown to somebody without an event */
    CHECK(same_bytes(state, copy));
    free(copy);
    free(state);
}

static void record_time_bounds_the_event_time(void)
{
    static const struct {
        int64_t event_s, record_ms, want_s;
    } cases[] = {
        {T0, 0, T0}, /* the record has none */
        {T0, -1, T0},
        {T0, T0 * INT64_C(1000), T0},
        {T0 + 300, T0 * INT64_C(1000) + 999, T0 + 300},
        {T0 + 301, T0 * INT64_C(1000), T0 + 300}, /* five minutes ahead at most */
        {T0 + 86400, T0 * INT64_C(1000), T0 + 300},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_state *state = new_state();
        struct eddy_event event = make_event("i1", cases[i].event_s, NULL);
        struct eddy_step step;
        CHECK_INT(fold_with(state, &event, cases[i].record_ms, snapshot, &step),
                  EDDY_FOLD_STEP);
        CHECK_INT(state->newest_s, cases[i].want_s);
        free(state);
    }
}

static void steps_show_gaps_and_sessions_of_what_the_network_saw(void)
{
    static const struct {
        const char *item;
        int64_t at, previous; /* previous: of the last step, -1 none */
        bool begin, first;
        uint64_t sessions;
    } cases[] = {
        {"i1", 0, -1, true, true, 1},
        {"i2", 60, 0, false, false, 1},
        {"i3", 30, 60, false, false, 1}, /* behind: gap 0 */
        {"i4", 90, 60, false, false, 1}, /* against the newest */
        {"new", 2000, 0, false, false, 1},
        {"i5", 2000, 90, true, false, 2}, /* 1910 s since the last step */
        {"i6", 3800, 2000, false, false, 2},
        {"i7", 5601, 3800, true, false, 3},
    };
    struct eddy_state *state = new_state();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_event event = make_event(cases[i].item, T0 + cases[i].at, NULL);
        struct eddy_step step = {0};
        if (fold_with(state, &event, 0, snapshot, &step) != EDDY_FOLD_STEP) {
            CHECK_STR(cases[i].item, "new");
            continue;
        }
        int64_t gap = cases[i].previous < 0 ? 0 : cases[i].at - cases[i].previous;
        CHECK_INT(step.gap, eddy_gap_bucket(gap));
        CHECK_INT(step.begin, cases[i].begin);
        CHECK_INT(step.first, cases[i].first);
        CHECK_INT(step.type, 1); /* click */
        CHECK_INT(state->session_count, cases[i].sessions);
    }
    free(state);
}

static void ring_keeps_the_newest_and_ids_the_last_32(void)
{
    struct eddy_state *state = new_state();
    char id[16], item[16];
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "e%d", i);
        snprintf(item, sizeof item, "i%d", i % 50);
        CHECK_INT(fold(state, item, T0 + i, id), EDDY_FOLD_STEP);
    }
    CHECK_INT(state->recent_count, 20); /* of the snapshot, not of the slot */
    CHECK_INT(state->recent[0].ts_s, T0 + 80);
    CHECK_INT(state->recent[19].ts_s, T0 + 99);
    CHECK_INT(state->event_count, 100);
    CHECK_INT(fold(state, "i1", T0 + 99, "e68"), EDDY_FOLD_DUPLICATE);
    CHECK_INT(fold(state, "i1", T0 + 99, "e67"), EDDY_FOLD_STEP); /* forgotten */
    free(state);
}

/* ---- re-encoding -------------------------------------------------------------------- */

static const struct tiny shapes[] = {
    {50, 16, 2, EDDY_CELL_MINGRU, EDDY_MODE_ALL, 1800, 20, 1, NULL, false, true},
    {50, 16, 1, EDDY_CELL_GRU, EDDY_MODE_INIT, 1800, 20, 2, NULL, false, false},
    {50, 24, 2, EDDY_CELL_MINGRU, EDDY_MODE_FLAT, 1800, 20, 3, NULL, false, true},
    {30, 16, 2, EDDY_CELL_GRU, EDDY_MODE_ALL, 600, 40, 4, NULL, false, true},
};

static void reencoding_a_complete_ring_gives_the_bits_of_folding(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 7);
    for (uint32_t round = 0; round < 200; round++) {
        struct eddy_snapshot *with = tiny_open(&shapes[round % 4]);
        struct eddy_state *live = new_state();
        random_history(&rng, live, with, 1 + eddy_rng_below(&rng, 20));
        struct eddy_state *again = copy_of(live);
        reencode(again, with);
        if (!CHECK(same_bytes(live, again))) {
            fprintf(stderr, "    round %u\n", round);
        }
        /* ... and goes on alike. */
        struct eddy_rng fork = rng;
        random_history(&rng, live, with, 5);
        random_history(&fork, again, with, 5);
        CHECK(same_bytes(live, again));
        free(live);
        free(again);
        eddy_snapshot_release(with);
    }
}

static void another_snapshot_makes_a_state_stale_and_may_know_more_items(void)
{
    struct tiny large = tiny_default;
    large.items = 70;
    large.seed = 9;
    large.recent_events = 10;
    large.hidden = 24;
    struct eddy_snapshot *other = tiny_open(&large);
    struct eddy_state *state = new_state();
    CHECK(!eddy_state_is_stale(state, snapshot)); /* a new user */
    for (int i = 40; i < 60; i++) {
        char item[16];
        snprintf(item, sizeof item, "i%d", i);
        (void)fold(state, item, T0 + i, NULL);
    }
    CHECK_INT(state->step_count_low, 10);
    CHECK(!eddy_state_is_stale(state, snapshot));
    CHECK(eddy_state_is_stale(state, other));
    CHECK_INT(eddy_state_reencode(state, other), 10);
    CHECK(!eddy_state_is_stale(state, other));
    CHECK_INT(state->recent_count, 10); /* its ring is shorter */
    CHECK_INT(state->recent[0].ts_s, T0 + 50);
    CHECK_INT(state->hidden_count, eddy_hrnn_state_floats(&other->manifest.shape));
    struct eddy_step steps[RECENT_MAX];
    CHECK_INT(eddy_state_resteps(state, other, steps), 10);
    CHECK(steps[0].first && steps[0].begin && steps[0].gap == 0);
    CHECK(!steps[1].first && !steps[1].begin);
    CHECK_INT(steps[9].item, 59);
    CHECK_INT(state->event_count, 20);
    CHECK_INT(state->stepped_s, T0 + 59);
    eddy_snapshot_release(other);
    free(state);
}

static void only_items_that_became_known_count_their_session(void)
{
    struct eddy_state *state = new_state();
    CHECK_INT(fold(state, "i60", T0, NULL), EDDY_FOLD_UNKNOWN);
    CHECK_INT(state->session_count, 0);
    struct tiny large = tiny_default;
    large.items = 70;
    struct eddy_snapshot *other = tiny_open(&large);
    struct eddy_step step;
    CHECK_INT(eddy_state_reencode(state, other), 1);
    CHECK_INT(eddy_state_resteps(state, other, &step), 1);
    CHECK_INT(state->session_count, 1);
    eddy_snapshot_release(other);
    free(state);
}

int main(void)
{
    snapshot = tiny_open(&tiny_default);
    if (!CHECK(snapshot != NULL)) {
        return 1;
    }
    RUN(each_rule_has_its_outcome_in_this_order);
    RUN(impressions_step_nothing_and_what_was_not_chosen_is_kept);
    RUN(of_what_was_shown_the_newest_50_are_kept);
    RUN(record_time_bounds_the_event_time);
    RUN(steps_show_gaps_and_sessions_of_what_the_network_saw);
    RUN(ring_keeps_the_newest_and_ids_the_last_32);
    RUN(reencoding_a_complete_ring_gives_the_bits_of_folding);
    RUN(another_snapshot_makes_a_state_stale_and_may_know_more_items);
    RUN(only_items_that_became_known_count_their_session);
    eddy_snapshot_release(snapshot);
    return check_done();
}
