/* Nearest sessions against a plain twin in doubles, and what a file must satisfy. */
#include "core/neighbours.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "session_log.h"

enum { ITEMS = 30, SESSIONS = 60, ROOM = 64 };

static uint32_t events[SESSIONS][SESSION_LENGTH_MAX];
static struct eddy_session_view views[SESSIONS];

static void make_sessions(uint64_t seed)
{
    make_session_log(seed, SESSIONS, SESSION_LENGTH_MAX, ITEMS, events, views);
}

/* Place in recent, newest 0, of an item; -1: not there. */
static int place_of(uint32_t item, const uint32_t *recent, uint32_t count)
{
    for (uint32_t p = 0; p < count; p++)
        if (recent[count - 1 - p] == item)
            return (int)p;
    return -1;
}

static bool has(uint32_t s, uint32_t item)
{
    for (uint32_t e = 0; e < views[s].count; e++)
        if (events[s][e] == item)
            return true;
    return false;
}

/* Similarity of session s, and the newest item it shares. */
static double similarity_of(uint32_t s, const struct eddy_neighbours_options *options,
                            const uint32_t *recent, uint32_t count,
                            uint32_t *ret_shared)
{
    double dot = 0;
    int best = -1;
    for (uint32_t item = 0; item < ITEMS; item++) {
        int p = place_of(item, recent, count);
        if (p < 0 || !has(s, item))
            continue;
        double df = 0, sessions = 0;
        for (uint32_t t = 0; t < SESSIONS; t++) {
            sessions += views[t].count >= 2;
            df += views[t].count >= 2 && has(t, item);
        }
        double idf = options->idf ? log((sessions + 1) / df) : 1;
        dot += exp(-p / options->position_decay) * idf;
        if (best < 0 || p < best) {
            best = p;
            *ret_shared = item;
        }
    }
    double age_days = (SESSIONS - 1 - s) / 24.0;
    return dot / sqrt(views[s].count) * exp(-age_days / options->age_decay_days);
}

static void twin_votes(const struct eddy_neighbours_options *options,
                       const uint32_t *recent, uint32_t count, double *votes)
{
    double similarity[SESSIONS] = {0}, total = 0;
    uint32_t shared[SESSIONS] = {0}, looked_at = 0;
    for (uint32_t i = 0; i < ITEMS; i++)
        votes[i] = 0;
    for (uint32_t s = SESSIONS; s-- > 0 && looked_at < options->candidates;)
        if (views[s].count >= 2) {
            similarity[s] = similarity_of(s, options, recent, count, &shared[s]);
            looked_at += similarity[s] > 0;
        }
    for (uint32_t s = 0; s < SESSIONS; s++) {
        uint32_t better = 0;
        for (uint32_t t = 0; t < SESSIONS; t++)
            better += similarity[t] > similarity[s];
        if (similarity[s] == 0 || better >= options->neighbours)
            continue;
        uint32_t m = views[s].count - 1;
        while (events[s][m] != shared[s])
            m--;
        for (uint32_t e = 0; e < views[s].count; e++) {
            double far = e == m ? 1 : fabs((double)e - m);
            double vote = similarity[s] * exp(-(far - 1) / options->distance_decay);
            votes[events[s][e]] += e > m ? vote : vote / 2;
        }
    }
    for (uint32_t i = 0; i < ITEMS; i++)
        total += votes[i];
    for (uint32_t i = 0; i < ITEMS && total > 0; i++)
        votes[i] /= total;
}

static void votes_are_those_of_a_plain_twin(void)
{
    const struct eddy_neighbours_options options[] = {
        {5000, 500, 2.0, 5.0, 3.0, false},
        {5000, 500, 2.0, 5.0, 3.0, true},
        {12, 500, 4.0, 1.0, 1.0, false},
        {40, 7, 1.0, 3.0, 2.0, true},
    };
    for (uint32_t o = 0; o < sizeof options / sizeof *options; o++)
        for (uint64_t seed = 1; seed <= 20; seed++) {
            uint32_t recent[6], items[ROOM];
            float weights[ROOM];
            double want[ITEMS], got[ITEMS] = {0}, sum = 0;
            struct eddy_sessions store;
            struct eddy_rng rng;
            make_sessions(seed);
            eddy_rng_seed(&rng, seed + 100);
            for (uint32_t i = 0; i < 6; i++)
                recent[i] = eddy_rng_below(&rng, ITEMS);
            CHECK_INT(eddy_sessions_init(&store, views, SESSIONS, ITEMS, 10000), 0);
            struct eddy_neighbours_scratch *scratch =
                eddy_neighbours_scratch_new(&store);
            for (int again = 0; again < 2; again++) { /* the scratch is left clean */
                uint32_t n = eddy_neighbours_vote(&store, &options[o], scratch, recent,
                                                  6, items, weights, ROOM);
                memset(got, 0, sizeof got);
                sum = 0;
                for (uint32_t i = 0; i < n; i++) {
                    CHECK(got[items[i]] == 0);
                    CHECK(weights[i] > 0);
                    got[items[i]] = (double)weights[i];
                    sum += (double)weights[i];
                }
            }
            CHECK(sum <= 1 && sum > 0.999);
            twin_votes(&options[o], recent, 6, want);
            for (uint32_t i = 0; i < ITEMS; i++)
                CHECK_NEAR(got[i], want[i], 2e-4);
            eddy_neighbours_scratch_free(scratch);
            eddy_sessions_fini(&store);
        }
}

/* Sessions in several windows of the search, shared items far apart, between them sessions
 * that share nothing: the newest `candidates` are found whichever window they are in. */
static void candidates_are_the_newest_of_all_windows(void)
{
    enum { MANY = 20000, OF = 700 };
    static uint32_t pairs[MANY][2];
    static struct eddy_session_view many[MANY];
    const uint32_t recent[] = {3, 1, 2};
    for (uint32_t wanted = 1; wanted <= 30; wanted += 7) {
        struct eddy_neighbours_options options = {wanted, 500, 2, 0, 1, false};
        uint32_t items[ROOM], expected = 0;
        float weights[ROOM];
        struct eddy_sessions store;
        for (uint32_t s = 0; s < MANY; s++) {
            /* item 1, 2 or 3 and one of its own beside it; else 4 and 5 */
            bool shares = s % OF == 17;
            pairs[s][0] = shares ? 1 + s / OF % 3 : 4;
            pairs[s][1] = shares ? 10 + s / OF : 5;
            many[s] = (struct eddy_session_view){pairs[s], 2, (int64_t)s * 1000};
        }
        CHECK_INT(eddy_sessions_init(&store, many, MANY, 10 + MANY / OF + 1, 1000000),
                  0);
        struct eddy_neighbours_scratch *scratch = eddy_neighbours_scratch_new(&store);
        for (int again = 0; again < 2; again++) {
            uint32_t n = eddy_neighbours_vote(&store, &options, scratch, recent, 3,
                                              items, weights, ROOM);
            uint32_t oldest = UINT32_MAX;
            expected = 0;
            for (uint32_t i = 0; i < n; i++)
                if (items[i] >= 10) {
                    expected++;
                    oldest = items[i] - 10 < oldest ? items[i] - 10 : oldest;
                }
            uint32_t sharers = (MANY - 17 + OF - 1) / OF;
            uint32_t heard = wanted < sharers ? wanted : sharers;
            CHECK_INT(expected, heard);
            CHECK_INT(oldest, sharers - heard);
        }
        eddy_neighbours_scratch_free(scratch);
        eddy_sessions_fini(&store);
    }
}

/* Whoever has had thousands of items is asked about by those that still weigh something:
 * what stands before them changes no bit. */
static void what_weighs_nothing_changes_nothing(void)
{
    const struct eddy_neighbours_options options = {5000, 500, 1, 5, 3, false};
    uint32_t recent[60], items[ROOM], few_items[ROOM];
    float weights[ROOM], few_weights[ROOM];
    struct eddy_sessions store;
    make_sessions(11);
    CHECK_INT(eddy_sessions_init(&store, views, SESSIONS, ITEMS, 10000), 0);
    struct eddy_neighbours_scratch *scratch = eddy_neighbours_scratch_new(&store);
    for (uint32_t i = 0; i < 60; i++)
        recent[i] = i % ITEMS;
    uint32_t n = eddy_neighbours_vote(&store, &options, scratch, recent, 60, items,
                                      weights, ROOM);
    uint32_t few = eddy_neighbours_vote(&store, &options, scratch, recent + 53, 7,
                                        few_items, few_weights, ROOM);
    CHECK(n > 10);
    CHECK_INT(few, n); /* exp(-7) < 1e-3: seven places count */
    for (uint32_t i = 0; i < n; i++) {
        CHECK_INT(few_items[i], items[i]);
        CHECK(few_weights[i] == weights[i]);
    }
    few = eddy_neighbours_vote(&store, &options, scratch, recent + 54, 6, few_items,
                               few_weights, ROOM);
    bool same = few == n;
    for (uint32_t i = 0; same && i < n; i++)
        same = few_items[i] == items[i] && few_weights[i] == weights[i];
    CHECK(!same);
    eddy_neighbours_scratch_free(scratch);
    eddy_sessions_fini(&store);
}

static void little_room_keeps_the_heaviest(void)
{
    const struct eddy_neighbours_options options = {5000, 500, 2, 5, 3, false};
    uint32_t recent[] = {1, 2, 3}, all[ROOM], few[5];
    float all_weights[ROOM], few_weights[5];
    struct eddy_sessions store;
    make_sessions(7);
    CHECK_INT(eddy_sessions_init(&store, views, SESSIONS, ITEMS, 10000), 0);
    struct eddy_neighbours_scratch *scratch = eddy_neighbours_scratch_new(&store);
    uint32_t n = eddy_neighbours_vote(&store, &options, scratch, recent, 3, all,
                                      all_weights, ROOM);
    CHECK(n > 5);
    CHECK_INT(eddy_neighbours_vote(&store, &options, scratch, recent, 3, few,
                                   few_weights, 5),
              5);
    double least = 1;
    for (uint32_t i = 0; i < 5; i++)
        least = (double)few_weights[i] < least ? (double)few_weights[i] : least;
    for (uint32_t i = 0; i < n; i++) {
        bool kept = false;
        for (uint32_t k = 0; k < 5; k++)
            kept = kept || few[k] == all[i];
        /* shares of five are more than shares of all: compare by rank */
        uint32_t better = 0;
        for (uint32_t k = 0; k < n; k++)
            better += all_weights[k] > all_weights[i];
        CHECK(better < 5 || !kept);
    }
    CHECK_INT(eddy_neighbours_vote(&store, &options, scratch, recent, 0, few,
                                   few_weights, 5),
              0);
    recent[0] = recent[1] = recent[2] = ITEMS + 5; /* unknown here */
    CHECK_INT(eddy_neighbours_vote(&store, &options, scratch, recent, 3, few,
                                   few_weights, 5),
              0);
    eddy_neighbours_scratch_free(scratch);
    eddy_sessions_fini(&store);
}

static void the_newest_sessions_are_held(void)
{
    struct eddy_sessions store;
    make_sessions(3);
    CHECK_INT(eddy_sessions_init(&store, views, SESSIONS, ITEMS, 50), 0);
    CHECK(store.count > 5 && store.begin[store.count] <= 50);
    uint32_t s = SESSIONS;
    for (uint32_t k = store.count; k-- > 0;) {
        do
            s--;
        while (views[s].count < 2);
        CHECK_INT(store.begin[k + 1] - store.begin[k], views[s].count);
        CHECK_INT(store.entries[store.begin[k]], events[s][0]);
        CHECK_NEAR(store.age[k], (SESSIONS - 1 - s) / 24.0, 0.05);
    }
    eddy_sessions_fini(&store);
}

static void what_a_file_says_is_checked(void)
{
    struct eddy_err err;
    for (int fault = 0; fault < 5; fault++) {
        struct eddy_sessions store;
        make_sessions(4);
        CHECK_INT(eddy_sessions_init(&store, views, SESSIONS, ITEMS, 10000), 0);
        free(store.postings);
        free(store.posting_begin);
        free(store.root);
        store.root = NULL;
        store.postings = NULL;
        store.posting_begin = NULL;
        if (fault == 1)
            store.entries[5] = ITEMS;
        if (fault == 2)
            store.begin[0] = 1;
        if (fault == 3)
            store.begin[3] = store.begin[4] + 1;
        if (fault == 4)
            store.age[2] = (float)NAN;
        CHECK_INT(eddy_sessions_index(&store, &err), fault ? EDDY_EFORMAT : 0);
        eddy_sessions_fini(&store);
    }
}

int main(void)
{
    RUN(votes_are_those_of_a_plain_twin);
    RUN(candidates_are_the_newest_of_all_windows);
    RUN(what_weighs_nothing_changes_nothing);
    RUN(little_room_keeps_the_heaviest);
    RUN(the_newest_sessions_are_held);
    RUN(what_a_file_says_is_checked);
    return check_done();
}
