/* Checkpoints: a run that goes on gives the bytes of one that was never interrupted; what is
 * of another run is told apart and named. */
#include <math.h>
#include <stdlib.h>

#include "kept_checkpoint.h"
#include "train_walks.h"

/* The checkpoint's bytes of a run of `epochs` epochs that is stopped after `stop`. */
static struct eddy_buf interrupted(const struct eddy_interactions *in,
                                   struct eddy_train_options options, struct kept *kept,
                                   int64_t epochs, uint32_t stop)
{
    struct eddy_train_keeper keeper = kept_keeper(kept);
    struct curve curve = {.stop_after = stop};
    struct eddy_train_result result;
    options.keeper = &keeper;
    options.epochs = epochs;
    CHECK_INT(eddy_train(in, &options, follow, &curve, &result, NULL), 0);
    eddy_train_result_fini(&result);
    return kept_copy(kept);
}

static void a_run_goes_on_from_any_epoch_with_the_same_bytes(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct kept kept = {0};
    struct eddy_train_keeper keeper = kept_keeper(&kept);
    struct eddy_train_result whole, rest;
    options.epochs = 6;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &whole, NULL), 0);
    CHECK_INT(whole.epochs, 8); /* two of the last phase */
    options.keeper = &keeper;
    for (uint32_t stop = 2; stop < whole.epochs; stop++) {
        struct eddy_buf copy = interrupted(&in, options, &kept, options.epochs, stop);
        keeper.resume = eddy_buf_span(&copy);
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &rest, NULL), 0);
        CHECK_INT(kept.resumed, stop);
        CHECK_INT(rest.epochs, whole.epochs);
        CHECK_INT(rest.events, whole.events);
        CHECK_NEAR(rest.best_ndcg, whole.best_ndcg, 0);
        size_t size = whole.layout.size * sizeof(float);
        CHECK(memcmp(rest.params, whole.params, size) == 0);
        CHECK(memcmp(rest.fitted, whole.fitted, size) == 0);
        eddy_train_result_fini(&rest);
        eddy_buf_fini(&copy);
    }
    eddy_train_result_fini(&whole);
    kept_fini(&kept);
    eddy_interactions_fini(&in);
}

static void a_run_that_goes_on_with_more_epochs_is_the_longer_run(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct kept kept = {0};
    struct eddy_train_keeper keeper = kept_keeper(&kept);
    struct eddy_train_result whole, rest;
    options.epochs = 7;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &whole, NULL), 0);
    struct eddy_buf copy = interrupted(&in, options, &kept, 3, 3);
    keeper.resume = eddy_buf_span(&copy);
    options.keeper = &keeper;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &rest, NULL), 0);
    CHECK_INT(kept.resumed, 3);
    CHECK_INT(rest.epochs, whole.epochs);
    CHECK_NEAR(rest.flops, whole.flops, 0);
    CHECK_MEM(rest.params, whole.params, whole.layout.size * sizeof(float));
    eddy_train_result_fini(&whole);
    eddy_train_result_fini(&rest);
    eddy_buf_fini(&copy);
    kept_fini(&kept);
    eddy_interactions_fini(&in);
}

static void another_setting_is_refused_by_name_and_values(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    const struct eddy_event_weight weight = {"view", 0.5};
    static const struct {
        const char *message;
        uint32_t stop;
        double dropout;
        int64_t epochs;
        bool weighted, settings;
    } cases[] = {
        {"dropout is 0.3 here, but 0.2 in the run", 2, 0.3, 4, false, false},
        {"event-weight view is 0.5 here, but none in the run", 2, 0.2, 4, true, false},
        {"recipe is this here, but none in the run", 2, 0.2, 4, false, true},
        {"epochs is 9 here, but 4 in the run", 5, 0.2, 9, false,
         false}, /* last phase */
        {"remove M.checkpoint to start anew", 2, 0.25, 4, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_train_options options =
            options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
        struct kept kept = {0};
        struct eddy_train_keeper keeper = kept_keeper(&kept);
        struct eddy_buf copy;
        struct eddy_train_result result;
        struct eddy_err err = {0};
        keeper.name = "M.checkpoint";
        keeper.settings = cases[i].settings ? "recipe=this\n" : NULL;
        options.dropout = 0.2;
        options.allow_small = true; /* weighted, there are few */
        copy = interrupted(&in, options, &kept, 4, cases[i].stop);
        keeper.resume = eddy_buf_span(&copy);
        kept.resumed = 99;
        options.keeper = &keeper;
        options.dropout = cases[i].dropout;
        options.epochs = cases[i].epochs;
        options.event_weights = &weight;
        options.event_weight_count = cases[i].weighted;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_EUSAGE);
        CHECK(strstr(err.text, cases[i].message) != NULL);
        CHECK_INT(kept.resumed, 99);
        eddy_buf_fini(&copy);
        kept_fini(&kept);
    }
    eddy_interactions_fini(&in);
}

static void a_checkpoint_of_another_run_or_damaged_is_not_used(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct kept kept = {0};
    struct eddy_train_keeper keeper = kept_keeper(&kept);
    struct eddy_train_result result;
    options.epochs = 1;
    options.dropout = 0.2;
    options.keeper = &keeper;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
    CHECK_INT(kept.saves, 2);
    eddy_train_result_fini(&result);
    struct eddy_buf copy = kept_copy(&kept);
    static const struct {
        size_t flip, cut;
        double dropout, rate;
        uint32_t resumed;
    } cases[] = {
        {0, 0, 0.2, 0.01, 2}, {0, 0, 0.2, 0.001, 2}, /* a lower rate goes on */
        {1, 0, 0.2, 0.01, 0}, {300, 0, 0.2, 0.01, 0},  {5000, 0, 0.2, 0.01, 0},
        {0, 1, 0.2, 0.01, 0}, {0, 4000, 0.2, 0.01, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy.data[cases[i].flip] ^= cases[i].flip > 0 ? 0x10 : 0;
        keeper.resume = (struct eddy_span){copy.data, copy.size - cases[i].cut};
        options.dropout = cases[i].dropout;
        options.learning_rate = cases[i].rate;
        kept.resumed = 99;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, NULL), 0);
        CHECK_INT(kept.resumed, cases[i].resumed);
        CHECK((kept.why_not == NULL) == (cases[i].resumed > 0));
        eddy_train_result_fini(&result);
        copy.data[cases[i].flip] ^= cases[i].flip > 0 ? 0x10 : 0;
    }
    eddy_buf_fini(&copy);
    kept_fini(&kept);
    eddy_interactions_fini(&in);
}

/* Nothing was saved, so nothing may be promised, keeper or not. */
static void a_loss_that_is_no_number_in_the_first_epoch_claims_no_checkpoint(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    for (int keeps = 0; keeps < 2; keeps++) {
        struct eddy_train_options options =
            options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
        struct kept kept = {0};
        struct eddy_train_keeper keeper = kept_keeper(&kept);
        struct eddy_train_result result;
        struct eddy_err err = {0};
        keeper.name = "M.checkpoint";
        options.keeper = keeps ? &keeper : NULL;
        options.learning_rate = 1e38;
        options.clip_norm = 0;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_EFATAL);
        CHECK(strstr(err.text, "learning_rate (now 1e+38)") != NULL);
        CHECK(strstr(err.text, "checkpoint") == NULL);
        CHECK(strstr(err.text, "kept") == NULL);
        CHECK_INT(kept.saves, 0);
        kept_fini(&kept);
    }
    eddy_interactions_fini(&in);
}

/* It breaks in epoch 3: what epoch 2 left is named, not written again, and with the old
 * rate the run goes on as if nothing had happened. */
static void a_loss_that_is_no_number_leaves_the_last_good_checkpoint(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    struct eddy_train_options options = options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
    struct kept kept = {0};
    struct eddy_train_keeper keeper = kept_keeper(&kept);
    struct eddy_train_result whole, rest;
    struct eddy_err err = {0};
    options.epochs = 4;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &whole, NULL), 0);
    struct eddy_buf copy = interrupted(&in, options, &kept, 4, 2);
    CHECK_INT(kept.saves, 2);
    struct eddy_train_options broken = options;
    keeper.name = "M.checkpoint";
    keeper.resume = eddy_buf_span(&copy);
    broken.keeper = &keeper;
    broken.learning_rate = 1e38;
    broken.clip_norm = 0;
    CHECK_INT(eddy_train(&in, &broken, NULL, NULL, &rest, &err), EDDY_EFATAL);
    CHECK_INT(kept.resumed, 2);
    CHECK(strstr(err.text, "in epoch 3: lower learning_rate (now 1e+38)") != NULL);
    CHECK(strstr(err.text, "up to epoch 2 is kept in M.checkpoint") != NULL);
    CHECK_INT(kept.saves, 2);
    CHECK_INT(kept.bytes.size, copy.size);
    CHECK_MEM(kept.bytes.data, copy.data, copy.size);
    options.keeper = &keeper;
    CHECK_INT(eddy_train(&in, &options, NULL, NULL, &rest, NULL), 0);
    CHECK_INT(kept.resumed, 2);
    CHECK_INT(rest.epochs, whole.epochs);
    CHECK_MEM(rest.params, whole.params, whole.layout.size * sizeof(float));
    eddy_train_result_fini(&rest);
    eddy_train_result_fini(&whole);
    eddy_buf_fini(&copy);
    kept_fini(&kept);
    eddy_interactions_fini(&in);
}

/* Spoils a weight of the run once it is written, or not written (`fails`). */
struct spoiler {
    struct kept kept;
    int fails;
};

static int spoil(void *context, const struct eddy_span *parts, uint32_t count,
                 struct eddy_err *err)
{
    enum { WEIGHTS = 3 }; /* behind header, settings and note */
    struct spoiler *spoiler = context;
    int r = spoiler->fails ? 1 : kept_save(&spoiler->kept, parts, count, err);
    *(float *)(uintptr_t)parts[WEIGHTS].data = NAN;
    return r;
}

/* The same run breaks after its first save; a save that failed is no checkpoint. */
static void only_what_was_written_is_said_to_be_kept(void)
{
    struct eddy_interactions in = interactions_new(USERS, EVENTS);
    for (int fails = 0; fails < 2; fails++) {
        struct eddy_train_options options =
            options_of(EDDY_CELL_MINGRU, EDDY_MODE_FLAT);
        struct spoiler spoiler = {.fails = fails};
        struct eddy_train_keeper keeper = kept_keeper(&spoiler.kept);
        struct eddy_train_result result;
        struct eddy_err err = {0};
        keeper.context = &spoiler;
        keeper.save = spoil;
        options.keeper = &keeper;
        CHECK_INT(eddy_train(&in, &options, NULL, NULL, &result, &err), EDDY_EFATAL);
        CHECK(strstr(err.text, "in epoch 2: lower learning_rate") != NULL);
        CHECK((strstr(err.text, "up to epoch 1 is kept") != NULL) == !fails);
        CHECK_INT(spoiler.kept.saves, fails ? 0 : 1);
        kept_fini(&spoiler.kept);
    }
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(a_run_goes_on_from_any_epoch_with_the_same_bytes);
    RUN(a_run_that_goes_on_with_more_epochs_is_the_longer_run);
    RUN(another_setting_is_refused_by_name_and_values);
    RUN(a_checkpoint_of_another_run_or_damaged_is_not_used);
    RUN(a_loss_that_is_no_number_in_the_first_epoch_claims_no_checkpoint);
    RUN(a_loss_that_is_no_number_leaves_the_last_good_checkpoint);
    RUN(only_what_was_written_is_said_to_be_kept);
    return check_done();
}
