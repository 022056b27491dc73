/* Training in a group: members are threads here, handing bytes round through a barrier. Two
 * or four members have the bits of one alone; a broken exchange ends all of them. */
#include <pthread.h>
#include <stdlib.h>

#include "base/thread.h"
#include "check.h"
#include "core/exchange.h"
#include "kept_checkpoint.h"
#include "log_rows.h"

enum { MEMBERS_MAX = 5 };

struct group {
    pthread_barrier_t barrier;
    uint32_t ranks, breaks_after; /* 0: never */
    const void *bytes;            /* of the root of the present broadcast */
    const struct eddy_interactions *in;
    struct eddy_train_options options;
    const struct eddy_train_keeper *keeper; /* of the first member */
};

struct member {
    struct group *group;
    uint32_t rank, broadcasts, epochs;
    double losses[8];
    int code;
    struct eddy_train_result result;
};

static int broadcast(void *context, uint32_t root, void *bytes, size_t size,
                     struct eddy_err *err)
{
    struct member *member = context;
    struct group *group = member->group;
    if (group->breaks_after > 0 && ++member->broadcasts > group->breaks_after)
        return eddy_fail(err, EDDY_EIO, "a member is gone");
    if (member->rank == root)
        group->bytes = bytes;
    pthread_barrier_wait(&group->barrier);
    if (member->rank != root)
        memcpy(bytes, group->bytes, size);
    pthread_barrier_wait(&group->barrier);
    return 0;
}

static bool follow(void *context, const struct eddy_train_progress *now)
{
    struct member *member = context;
    if (now->epoch_done && member->epochs < 8)
        member->losses[member->epochs++] = now->loss;
    return true;
}

static void *run(void *argument)
{
    struct member *member = argument;
    struct eddy_exchange exchange = {.rank = member->rank,
                                     .ranks = member->group->ranks,
                                     .broadcast = broadcast,
                                     .context = member};
    struct eddy_train_options options = member->group->options;
    options.exchange = member->group->ranks > 1 ? &exchange : NULL;
    options.keeper = member->rank == 0 ? member->group->keeper : NULL;
    member->code =
        eddy_train(member->group->in, &options, follow, member, &member->result, NULL);
    return NULL;
}

static void run_group(struct group *group, struct member *members, uint32_t ranks)
{
    pthread_t threads[MEMBERS_MAX];
    group->ranks = ranks;
    pthread_barrier_init(&group->barrier, NULL, ranks);
    for (uint32_t m = 0; m < ranks; m++) {
        members[m] = (struct member){.group = group, .rank = m};
        CHECK_INT(eddy_thread_start(&threads[m], EDDY_ROLE_TRAINER, "member", run,
                                    &members[m], NULL),
                  0);
    }
    for (uint32_t m = 0; m < ranks; m++)
        pthread_join(threads[m], NULL);
    pthread_barrier_destroy(&group->barrier);
}

static struct eddy_interactions interactions_new(void)
{
    struct eddy_buf csv = csv_begin("USER_ID,ITEM_ID,TIMESTAMP\n");
    for (uint32_t u = 0; u < 70; u++)
        for (uint32_t e = 0; e < 15 + u % 9; e++)
            eddy_buf_printf(&csv, "u%u,i%u,%u\n", u, (u * 7 + e * (1 + u % 3)) % 40,
                            1000000000 + u * 977 + e * 3600);
    return rows_of_csv(&csv, NULL);
}

static struct group group_of(const struct eddy_interactions *in)
{
    struct group group = {.in = in};
    eddy_train_options_init(&group.options);
    group.options.hidden_dimension = 16;
    group.options.epochs = 3;
    group.options.batch_users = 16;
    group.options.history_events = 20;
    group.options.learning_rate = 0.01;
    group.options.validation_fraction = 0.1;
    return group;
}

static void check_equal(const struct member *member, const struct member *alone)
{
    size_t size = alone->result.layout.size * sizeof(float);
    CHECK_INT(member->code, 0);
    CHECK_INT(member->epochs, alone->epochs);
    for (uint32_t e = 0; e < alone->epochs; e++)
        CHECK_NEAR(member->losses[e], alone->losses[e], 0);
    CHECK_NEAR(member->result.best_ndcg, alone->result.best_ndcg, 0);
    CHECK(memcmp(member->result.params, alone->result.params, size) == 0);
}

static void a_group_has_the_bits_of_one_alone(void)
{
    struct eddy_interactions in = interactions_new();
    for (int sampled = 0; sampled < 2; sampled++) {
        struct group group = group_of(&in);
        struct member alone[1], members[MEMBERS_MAX];
        group.options.negatives = sampled ? 16 : 0;
        run_group(&group, alone, 1);
        CHECK_INT(alone[0].code, 0);
        for (uint32_t ranks = 2; ranks <= 4; ranks++) {
            run_group(&group, members, ranks);
            for (uint32_t m = 0; m < ranks; m++) {
                check_equal(&members[m], &alone[0]);
                eddy_train_result_fini(&members[m].result);
            }
        }
        eddy_train_result_fini(&alone[0].result);
    }
    eddy_interactions_fini(&in);
}

/* Whoever made the checkpoint, before or in the last phase, and whoever goes on: the same
 * bits. */
static void a_group_goes_on_from_a_checkpoint(void)
{
    struct eddy_interactions in = interactions_new();
    struct member alone[1], members[MEMBERS_MAX];
    struct group plain = group_of(&in);
    run_group(&plain, alone, 1);
    for (uint32_t at = 2; at <= alone[0].epochs; at++)
        for (uint32_t before = 1; before <= 2; before++) {
            struct kept kept = {.at = at};
            struct eddy_train_keeper keeper = kept_keeper(&kept);
            struct group group = group_of(&in);
            group.keeper = &keeper;
            run_group(&group, members, before);
            for (uint32_t m = 0; m < before; m++)
                eddy_train_result_fini(&members[m].result);
            keeper.resume = eddy_buf_span(&kept.bytes);
            run_group(&group, members, 3 - before);
            CHECK_INT(kept.resumed, at);
            CHECK(kept.why_not == NULL);
            for (uint32_t m = 0; m < 3 - before; m++) {
                CHECK_INT(members[m].code, 0);
                CHECK_INT(members[m].epochs, alone[0].epochs - at);
                CHECK_MEM(members[m].result.params, alone[0].result.params,
                          alone[0].result.layout.size * sizeof(float));
                eddy_train_result_fini(&members[m].result);
            }
            kept_fini(&kept);
        }
    eddy_train_result_fini(&alone[0].result);
    eddy_interactions_fini(&in);
}

static void another_setting_ends_every_member(void)
{
    struct eddy_interactions in = interactions_new();
    struct member members[MEMBERS_MAX];
    struct kept kept = {.at = 1};
    struct eddy_train_keeper keeper = kept_keeper(&kept);
    struct group group = group_of(&in);
    group.keeper = &keeper;
    run_group(&group, members, 1);
    eddy_train_result_fini(&members[0].result);
    keeper.resume = eddy_buf_span(&kept.bytes);
    group.options.bptt = 8;
    run_group(&group, members, 2);
    CHECK_INT(members[0].code, EDDY_EUSAGE);
    CHECK_INT(members[1].code, EDDY_EUSAGE);
    CHECK(kept.why_not == NULL);
    kept_fini(&kept);
    eddy_interactions_fini(&in);
}

static void a_broken_exchange_ends_every_member(void)
{
    struct eddy_interactions in = interactions_new();
    static const uint32_t after[] = {1, 2, 7, 40, 100};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++) {
        struct group group = group_of(&in);
        struct member members[MEMBERS_MAX];
        group.breaks_after = after[i];
        run_group(&group, members, 2);
        CHECK_INT(members[0].code, EDDY_EIO);
        CHECK_INT(members[1].code, EDDY_EIO);
    }
    eddy_interactions_fini(&in);
}

static void more_members_than_parts_are_refused(void)
{
    struct eddy_interactions in = interactions_new();
    struct group group = group_of(&in);
    struct member members[MEMBERS_MAX];
    run_group(&group, members, 5);
    for (int m = 0; m < 5; m++)
        CHECK_INT(members[m].code, EDDY_ECONFIG);
    eddy_interactions_fini(&in);
}

int main(void)
{
    RUN(a_group_has_the_bits_of_one_alone);
    RUN(a_group_goes_on_from_a_checkpoint);
    RUN(another_setting_ends_every_member);
    RUN(a_broken_exchange_ends_every_member);
    RUN(more_members_than_parts_are_refused);
    return check_done();
}
