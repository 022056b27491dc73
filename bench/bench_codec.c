/* What decoding and encoding cost: events (msgpack, JSON), state blobs, lists, CSV.
 *
 *   build/release/bench/bench_codec [SECONDS PER LINE, default 1]
 *
 * Each line is the median of the thread CPU time of many rounds over inputs that differ,
 * and a checksum of what came out, so that no work can be left out.
 *
 * Budget: a click of 250 bytes is 4 cache lines to read and 12 keys to tell apart, some
 * 100 ns; a state of 20 events and H = 128 is 3 KiB to copy, some 100 ns; a list is 25
 * times 40 bytes of digits, some 1 us. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/rng.h"
#include "core/interactions.h"
#include "core/list.h"
#include "io/json_simd.h"

enum { INPUTS = 512, ROUNDS_MAX = 20000 };

static double seconds_per_line = 1;
static struct eddy_arena *arena;
static struct eddy_json *json;
static struct eddy_buf inputs[INPUTS];
static struct eddy_buf out;
static uint64_t checksum;

static struct eddy_snapshot snapshot; /* as far as codec and list look at it */
static struct eddy_state *states[INPUTS];
static struct eddy_scored lists[INPUTS][25];

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Median CPU ns of one operation; run does all INPUTS of them once. */
static void measure(const char *name, void (*run)(void), size_t operations)
{
    static double samples[ROUNDS_MAX];
    uint32_t rounds = 0;
    uint64_t begin = eddy_thread_cpu_ns();
    checksum = 0;
    while (rounds < ROUNDS_MAX &&
           (double)(eddy_thread_cpu_ns() - begin) < seconds_per_line * 1e9) {
        uint64_t from = eddy_thread_cpu_ns();
        run();
        samples[rounds++] = (double)(eddy_thread_cpu_ns() - from) / (double)operations;
    }
    qsort(samples, rounds, sizeof *samples, by_value);
    size_t bytes = 0;
    for (int i = 0; i < INPUTS; i++) {
        bytes += inputs[i].size;
    }
    printf(
        "bench=%-22s rounds=%-6u bytes=%-6zu ns_per_op=%.1f min=%.1f checksum=%llu\n",
        name, rounds, bytes / INPUTS, samples[rounds / 2], samples[0],
        (unsigned long long)(checksum / rounds));
}

static void clear_inputs(void)
{
    for (int i = 0; i < INPUTS; i++) {
        eddy_buf_clear(&inputs[i]);
    }
}

/* The click of a shop: 200 bytes in msgpack, 250 in JSON; impressions: 25 items. */
static void make_events(bool impressions,
                        void (*encode)(const struct eddy_event *, struct eddy_buf *))
{
    static char texts[INPUTS][8][48];
    static struct eddy_span shown[INPUTS][EDDY_IMPRESSION_MAX];
    static char items[INPUTS][EDDY_IMPRESSION_MAX][24];
    clear_inputs();
    for (int i = 0; i < INPUTS; i++) {
        struct eddy_event event = {.kind = EDDY_KIND_EVENT};
        char(*text)[48] = texts[i];
        snprintf(text[0], 48, "user-%07d", i * 7919);
        snprintf(text[1], 48, "product-%06d", i * 31);
        snprintf(text[2], 48, "3f2504e0-4f89-11d3-9a0c-%012d", i);
        snprintf(text[3], 48, "session-%016d", i);
        snprintf(text[4], 48, "%032d", i);
        event.user = eddy_span_of(text[0]);
        event.item = eddy_span_of(text[1]);
        event.type = eddy_span_of("add_to_cart");
        event.id = eddy_span_of(text[2]);
        event.session = eddy_span_of(text[3]);
        event.recommendation_id = eddy_span_of(text[4]);
        event.ts_ms = 1600000000000 + i;
        event.value = (float)i * 0.25f;
        event.has_value = true;
        for (int k = 0; impressions && k < EDDY_IMPRESSION_MAX; k++) {
            snprintf(items[i][k], sizeof items[i][k], "product-%06d", i * 25 + k);
            shown[i][k] = eddy_span_of(items[i][k]);
            event.kind = EDDY_KIND_IMPRESSION;
            event.impressions = shown[i];
            event.impression_count = EDDY_IMPRESSION_MAX;
        }
        encode(&event, &inputs[i]);
    }
}

static void decode_msgpack(void)
{
    eddy_arena_reset(arena);
    for (int i = 0; i < INPUTS; i++) {
        struct eddy_event event;
        if (eddy_event_decode(eddy_buf_span(&inputs[i]), arena, &event, NULL) == 0) {
            checksum += event.item_hash >> 40;
        }
    }
}

static void decode_json(void)
{
    eddy_arena_reset(arena);
    for (int i = 0; i < INPUTS; i++) {
        struct eddy_event event;
        if (eddy_json_event_decode(json, eddy_buf_span(&inputs[i]), arena, &event,
                                   NULL) == 0) {
            checksum += event.item_hash >> 40;
        }
    }
}

static void make_states(uint32_t recent, uint32_t floats)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 1);
    clear_inputs();
    for (int i = 0; i < INPUTS; i++) {
        struct eddy_state *state = states[i];
        eddy_state_reset(state);
        state->revision = eddy_rng_next(&rng) >> 20;
        memcpy(state->snapshot, "0123456789abcdef", 17);
        state->first_s = 1500000000;
        state->newest_s = 1600000000 + i;
        state->stepped_s = 1600000000;
        state->event_count = 1000;
        state->session_count = 30;
        state->step_count_low = 900;
        state->id_count = EDDY_EVENT_IDS;
        state->id_next = (uint32_t)i % EDDY_EVENT_IDS;
        state->recent_count = recent;
        for (uint32_t k = 0; k < recent; k++) {
            state->recent[k] = (struct eddy_recent){eddy_rng_next(&rng) | 1,
                                                    1550000000 + k, 7, 1.5f, 1};
        }
        state->hidden_count = floats;
        for (uint32_t k = 0; k < floats; k++) {
            state->hidden[k] = (float)eddy_rng_normal(&rng);
        }
        eddy_state_encode(state, &inputs[i]);
    }
}

static void encode_states(void)
{
    for (int i = 0; i < INPUTS; i++) {
        eddy_buf_clear(&out);
        eddy_state_encode(states[i], &out);
        checksum += out.size;
    }
}

static void decode_states(void)
{
    for (int i = 0; i < INPUTS; i++) {
        if (eddy_state_decode(eddy_buf_span(&inputs[i]), states[i], NULL) == 0) {
            checksum += states[i]->recent_count;
        }
    }
}

static void make_lists(void)
{
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 2);
    clear_inputs();
    snapshot.catalog = eddy_catalog_new();
    memcpy(snapshot.manifest.version, "0123456789abcdef", 17);
    for (int i = 0; i < 10000; i++) {
        char id[24];
        snprintf(id, sizeof id, "product-%06d", i * 17);
        (void)eddy_catalog_add(snapshot.catalog, eddy_span_of(id));
    }
    for (int i = 0; i < INPUTS; i++) {
        for (int k = 0; k < 25; k++) {
            lists[i][k].item = eddy_rng_below(&rng, 10000);
            lists[i][k].score = (float)eddy_rng_normal(&rng) * 5;
        }
        eddy_list_encode(eddy_span_of("eddy"), eddy_span_of("user-0000007"), states[i],
                         &snapshot, lists[i], 25, &inputs[i]);
    }
}

static void encode_lists(void)
{
    for (int i = 0; i < INPUTS; i++) {
        eddy_buf_clear(&out);
        eddy_list_encode(eddy_span_of("eddy"), eddy_span_of("user-0000007"), states[i],
                         &snapshot, lists[i], 25, &out);
        checksum += out.size;
    }
}

enum { CSV_ROWS = 100000 };

static void make_csv(void)
{
    clear_inputs();
    eddy_buf_puts(&inputs[0], "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE\n");
    for (int i = 0; i < CSV_ROWS; i++) {
        eddy_buf_printf(&inputs[0], "user-%d,product-%d,%d,click,%d.5\n", i / 20,
                        i * 7919 % 5000, 1600000000 + i, i % 7);
    }
}

static void parse_csv(void)
{
    struct eddy_interactions data;
    if (eddy_interactions_parse(eddy_buf_span(&inputs[0]), "bench", NULL, &data,
                                NULL) == 0) {
        checksum += data.count;
        eddy_interactions_fini(&data);
    }
}

int main(int argc, char **argv)
{
    enum { HIDDEN = 4 * 128, RECENT = 100 };
    seconds_per_line = argc > 1 ? strtod(argv[1], NULL) : 1;
    arena = eddy_arena_new(1 << 20, 1 << 26);
    json = eddy_json_new();
    for (int i = 0; i < INPUTS; i++) {
        states[i] = eddy_state_init(aligned_alloc(64, eddy_state_size(HIDDEN, RECENT)),
                                    HIDDEN, RECENT);
    }
    make_events(false, eddy_event_encode);
    measure("msgpack-click", decode_msgpack, INPUTS);
    make_events(false, eddy_event_encode_json);
    measure("json-click", decode_json, INPUTS);
    make_events(true, eddy_event_encode);
    measure("msgpack-impression", decode_msgpack, INPUTS);
    make_events(true, eddy_event_encode_json);
    measure("json-impression", decode_json, INPUTS);
    make_states(20, HIDDEN);
    measure("state-encode-20", encode_states, INPUTS);
    measure("state-decode-20", decode_states, INPUTS);
    make_states(RECENT, HIDDEN);
    measure("state-encode-100", encode_states, INPUTS);
    measure("state-decode-100", decode_states, INPUTS);
    make_lists();
    measure("list-encode-25", encode_lists, INPUTS);
    make_csv();
    measure("csv-row", parse_csv, CSV_ROWS);
    return 0;
}
