/* The stored form of a state: what is written is read back, what is damaged is refused. */
#include "core/state.h"

#include "state_folds.h"

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
    struct eddy_buf blob = blob_of(state);
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
    eddy_rng_seed(&rng, 13);
    random_history(&rng, state, snapshot, 50);
    struct eddy_buf blob = blob_of(state);
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
    for (int i = 0; i < 30; i++) {
        char id[16], item[16];
        snprintf(id, sizeof id, "e%d", i);
        snprintf(item, sizeof item, "i%d", i);
        CHECK_INT(fold(state, item, T0 + i, id), EDDY_FOLD_STEP);
    }
    struct eddy_buf blob = blob_of(state);
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
    struct eddy_err err = {0};
    eddy_rng_seed(&rng, 19);
    random_history(&rng, state, snapshot, 12);
    CHECK(state->context_count > 1);
    state->context_count--;
    struct eddy_buf blob = blob_of(state);
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
    eddy_rng_seed(&rng, 17);
    random_history(&rng, state, old, 80);
    CHECK(state->recent_count > 20);
    struct eddy_buf blob = blob_of(state);
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
