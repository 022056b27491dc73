#include "core/state.h"

#include <stdlib.h>

#include "base/hash.h"
#include "check.h"
#include "tiny_model.h"

enum { HIDDEN_MAX = 512, RECENT_MAX = 64, T0 = 1600000000 };

static struct eddy_snapshot *snapshot; /* i0..i49 */
static const struct eddy_policy policy = {25, false, 3600};

static struct eddy_state *new_state(void)
{
    size_t size = eddy_state_size(HIDDEN_MAX, RECENT_MAX);
    void *memory = aligned_alloc(64, size);
    memset(memory, 0xa5, size);
    return eddy_state_init(memory, HIDDEN_MAX, RECENT_MAX);
}

static struct eddy_event make_event(const char *item, int64_t ts_s, const char *id)
{
    struct eddy_event event = {.user = eddy_span_of("u"),
                               .item = eddy_span_of(item),
                               .id = eddy_span_of(id),
                               .ts_ms = ts_s * 1000 + 999};
    CHECK_INT(eddy_event_check(&event, NULL), 0);
    return event;
}

static void step_hidden(struct eddy_state *state, const struct eddy_snapshot *with,
                        const struct eddy_step *step)
{
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&with->manifest.shape, 1);
    eddy_hrnn_step(with->hrnn, scratch, 1, step, &state->hidden);
    eddy_hrnn_scratch_free(scratch);
}

/* Fold, and step hidden as the path does. */
static enum eddy_fold fold_with(struct eddy_state *state,
                                const struct eddy_event *event, int64_t record_ms,
                                const struct eddy_snapshot *with,
                                struct eddy_step *ret_step)
{
    struct eddy_step step;
    enum eddy_fold fold = eddy_state_fold(state, event, state->revision + 4, record_ms,
                                          with, &policy, &step);
    if (fold == EDDY_FOLD_STEP) {
        step_hidden(state, with, &step);
        *ret_step = step;
    }
    return fold;
}

static enum eddy_fold fold(struct eddy_state *state, const char *item, int64_t ts_s,
                           const char *id)
{
    struct eddy_event event = make_event(item, ts_s, id);
    struct eddy_step step;
    return fold_with(state, &event, 0, snapshot, &step);
}

static bool same_bytes(const struct eddy_state *a, const struct eddy_state *b)
{
    struct eddy_buf x, y;
    eddy_buf_init(&x, 0);
    eddy_buf_init(&y, 0);
    eddy_state_encode(a, &x);
    eddy_state_encode(b, &y);
    bool same = CHECK_INT(x.size, y.size) && CHECK_MEM(x.data, y.data, x.size);
    eddy_buf_fini(&x);
    eddy_buf_fini(&y);
    return same;
}

static struct eddy_state *copy_of(const struct eddy_state *state)
{
    struct eddy_state *copy = new_state();
    struct eddy_buf blob;
    struct eddy_err err = {0};
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    CHECK_INT(eddy_state_decode(eddy_buf_span(&blob), copy, &err), 0);
    CHECK_STR(err.text, "");
    eddy_buf_fini(&blob);
    return copy;
}

static void reencode(struct eddy_state *state, struct eddy_snapshot *with)
{
    struct eddy_step steps[RECENT_MAX];
    uint32_t want = eddy_state_reencode(state, with);
    uint32_t count = eddy_state_resteps(state, with, steps);
    CHECK_INT(count, want);
    for (uint32_t i = 0; i < count; i++) {
        step_hidden(state, with, &steps[i]);
    }
}

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

static void random_context(struct eddy_rng *rng, struct eddy_event *event,
                           struct eddy_event_context *room)
{
    static const char *const names[] = {"DEVICE", "hour", "other"};
    static const char *const texts[] = {"phone", "TV", "3", "12.5", "nobody"};
    uint32_t count = 1 + eddy_rng_below(rng, 3);
    for (uint32_t i = 0; i < count; i++) {
        room[i] = (struct eddy_event_context){.name = eddy_span_of(names[i]),
                                              .text = eddy_span_of(
                                                  texts[eddy_rng_below(rng, 5)])};
    }
    event->context = room;
    event->context_count = count;
    CHECK_INT(eddy_event_check(event, NULL), 0);
}

static void random_history(struct eddy_rng *rng, struct eddy_state *state,
                           struct eddy_snapshot *with, uint32_t events)
{
    int64_t now = T0;
    for (uint32_t i = 0; i < events; i++) {
        char item[16], id[16];
        uint32_t jump = eddy_rng_below(rng, 10);
        now += jump == 0 ? 7200 : eddy_rng_below(rng, 300);
        int64_t ts = now - (jump == 1 ? eddy_rng_below(rng, 5000) : 0);
        snprintf(item, sizeof item, "i%u", eddy_rng_below(rng, 70)); /* 20 unknown */
        snprintf(id, sizeof id, "e%u", eddy_rng_below(rng, 60));
        struct eddy_event event = make_event(item, ts, id);
        struct eddy_event_context context[EDDY_CONTEXT_MAX];
        char shown[2][16];
        struct eddy_span impressions[2];
        if (eddy_rng_below(rng, 2)) {
            random_context(rng, &event, context);
        }
        if (eddy_rng_below(rng, 3) == 0) {
            for (int s = 0; s < 2; s++) {
                snprintf(shown[s], sizeof shown[s], "i%u", eddy_rng_below(rng, 70));
                impressions[s] = eddy_span_of(shown[s]);
            }
            event.impressions = impressions;
            event.impression_count = 2;
        }
        struct eddy_step step;
        (void)fold_with(state, &event, (now - 1000) * 1000, with, &step);
    }
}

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

/* ---- stored form -------------------------------------------------------------------- */

static void blobs_decode_to_equal_states(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 11);
    struct eddy_state *state = new_state();
    struct eddy_state *copy = copy_of(state); /* of a new user */
    CHECK(same_bytes(state, copy));
    free(copy);
    for (int i = 0; i < 60; i++) {
        random_history(&rng, state, snapshot, 3);
        copy = copy_of(state);
        CHECK(same_bytes(state, copy));
        CHECK_INT(copy->hidden_count, state->hidden_count);
        CHECK_MEM(copy->hidden, state->hidden, state->hidden_count * sizeof(float));
        /* Both go on alike: the rings behave the same from wherever they start. */
        struct eddy_rng a = rng, b = rng;
        struct eddy_state *live = copy_of(state);
        random_history(&a, live, snapshot, 40);
        random_history(&b, copy, snapshot, 40);
        CHECK(same_bytes(live, copy));
        free(live);
        free(copy);
    }
    char version[EDDY_SNAPSHOT_ID_SIZE];
    uint64_t revision = 0;
    struct eddy_buf blob;
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    CHECK_INT(eddy_state_peek(eddy_buf_span(&blob), version, &revision), 0);
    CHECK_STR(version, state->snapshot);
    CHECK_INT(revision, state->revision);
    eddy_buf_fini(&blob);
    free(state);
}

static struct eddy_buf some_blob(void)
{
    struct eddy_rng rng;
    struct eddy_state *state = new_state();
    struct eddy_buf blob;
    eddy_rng_seed(&rng, 13);
    random_history(&rng, state, snapshot, 50);
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    free(state);
    return blob;
}

static void every_truncation_is_refused(void)
{
    struct eddy_buf blob = some_blob();
    struct eddy_state *state = new_state();
    for (size_t size = 0; size < blob.size; size++) {
        struct eddy_err err = {0};
        char *exact = malloc(size + 1); /* so that a sanitizer sees a read behind it */
        memcpy(exact, blob.data, size);
        exact = realloc(exact, size ? size : 1);
        CHECK_INT(eddy_state_decode((struct eddy_span){exact, size}, state, &err),
                  EDDY_EFORMAT);
        CHECK(err.text[0] != '\0');
        CHECK_INT(state->event_count, 0); /* a new user's */
        free(exact);
    }
    eddy_buf_putc(&blob, 0);
    CHECK_INT(eddy_state_decode(eddy_buf_span(&blob), state, NULL), EDDY_EFORMAT);
    free(state);
    eddy_buf_fini(&blob);
}

static void flipped_bits_never_crash_and_what_is_taken_is_stored_alike(void)
{
    struct eddy_buf blob = some_blob(), again;
    struct eddy_state *state = new_state();
    uint32_t refused = 0;
    eddy_buf_init(&again, 0);
    for (size_t bit = 0; bit < 8 * blob.size; bit++) {
        blob.data[bit / 8] ^= (char)(1 << bit % 8);
        if (eddy_state_decode(eddy_buf_span(&blob), state, NULL) < 0) {
            refused++;
        } else {
            struct eddy_event event = make_event("i1", T0, "x");
            struct eddy_step steps[RECENT_MAX];
            eddy_buf_clear(&again);
            eddy_state_encode(state, &again);
            (void)eddy_state_reencode(state, snapshot);
            (void)eddy_state_resteps(state, snapshot, steps);
            if (state->revision < 1000000) {
                (void)eddy_state_fold(state, &event, 1000000, 0, snapshot, &policy,
                                      steps);
            }
            CHECK(again.size > 0);
        }
        blob.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    CHECK(refused > 100);
    eddy_buf_fini(&again);
    eddy_buf_fini(&blob);
    free(state);
}

static void blobs_of_other_formats_say_so(void)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *want;
    } cases[] = {
        {"", 0, "state blob of 0 bytes: it does not begin with ES"},
        {"XX\x01\x90", 4, "state blob of 4 bytes: it does not begin with ES"},
        {"ES\x03\x90", 4,
         "state blob of 4 bytes: its format version is neither 1 nor 2: written by a "
         "newer eddy?"},
        {"ES\x02\x9b", 4, "state blob of 4 bytes: its head is damaged or cut short"},
        {"ES\x01\x90", 4, "state blob of 4 bytes: its head is damaged or cut short"},
    };
    struct eddy_state *state = new_state();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_err err = {0};
        struct eddy_span bytes = {cases[i].bytes, cases[i].size};
        CHECK_INT(eddy_state_decode(bytes, state, &err), EDDY_EFORMAT);
        CHECK_STR(err.text, cases[i].want);
    }
    free(state);
}

static void blobs_of_version_1_are_read(void)
{
    struct eddy_state *state = new_state(), *old = new_state();
    struct eddy_buf blob;
    eddy_buf_init(&blob, 0);
    for (int i = 0; i < 30; i++) {
        char id[16], item[16];
        snprintf(id, sizeof id, "e%d", i);
        snprintf(item, sizeof item, "i%d", i);
        CHECK_INT(fold(state, item, T0 + i, id), EDDY_FOLD_STEP);
    }
    eddy_state_encode(state, &blob);
    /* Version 1 was the same without its last two elements, which are empty binaries. */
    CHECK_INT(blob.data[2], 2);
    CHECK_INT((unsigned char)blob.data[3], 0x90 | 13);
    CHECK_MEM(blob.data + blob.size - 4, "\xc4\0\xc4\0", 4);
    blob.data[2] = 1;
    blob.data[3] = (char)(0x90 | 11);
    struct eddy_span bytes = {blob.data, blob.size - 4};
    CHECK_INT(eddy_state_decode(bytes, old, NULL), 0);
    CHECK(same_bytes(state, old));
    eddy_buf_fini(&blob);
    free(old);
    free(state);
}

static void context_and_recent_events_that_contradict_are_refused(void)
{
    struct eddy_state *state = new_state();
    struct eddy_rng rng;
    struct eddy_buf blob;
    struct eddy_err err = {0};
    eddy_rng_seed(&rng, 19);
    random_history(&rng, state, snapshot, 12);
    CHECK(state->context_count > 1);
    state->context_count--;
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    CHECK_INT(eddy_state_decode(eddy_buf_span(&blob), state, &err), EDDY_EFORMAT);
    CHECK(strstr(err.text, "their context contradict") != NULL);
    eddy_buf_fini(&blob);
    free(state);
}

static void a_slot_too_small_for_an_older_model_still_takes_the_history(void)
{
    struct tiny wide = tiny_default;
    wide.hidden = 64;
    wide.recent_events = 60;
    struct eddy_snapshot *old = tiny_open(&wide);
    struct eddy_state *state = new_state();
    struct eddy_rng rng;
    struct eddy_buf blob;
    eddy_rng_seed(&rng, 17);
    random_history(&rng, state, old, 80);
    CHECK(state->recent_count > 20);
    eddy_buf_init(&blob, 0);
    eddy_state_encode(state, &blob);
    uint32_t floats = eddy_hrnn_state_floats(&snapshot->manifest.shape);
    struct eddy_state *small =
        eddy_state_init(aligned_alloc(64, eddy_state_size(floats, 20)), floats, 20);
    CHECK_INT(eddy_state_decode(eddy_buf_span(&blob), small, NULL), 0);
    CHECK_INT(small->recent_count, 20);
    CHECK(eddy_state_is_stale(small, snapshot));
    reencode(small, snapshot);
    reencode(state, snapshot);
    CHECK(same_bytes(state, small)); /* the size of the slot leaves no trace */
    eddy_buf_fini(&blob);
    free(small);
    free(state);
    eddy_snapshot_release(old);
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
    RUN(blobs_decode_to_equal_states);
    RUN(every_truncation_is_refused);
    RUN(flipped_bits_never_crash_and_what_is_taken_is_stored_alike);
    RUN(blobs_of_other_formats_say_so);
    RUN(blobs_of_version_1_are_read);
    RUN(context_and_recent_events_that_contradict_are_refused);
    RUN(a_slot_too_small_for_an_older_model_still_takes_the_history);
    eddy_snapshot_release(snapshot);
    return check_done();
}
