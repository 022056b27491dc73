/* The step of the HRNN: users together have the bits of users alone, in every shape and
 * with every implementation of the kernels; resets and hierarchy. The numbers themselves
 * are in test_golden.c. */
#include "core/hrnn.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"
#include "torture.h"

enum { USERS = 19, EVENTS = 5, ITEMS = 50, TYPES = 3 };

static struct eddy_layout layout;
static float *block;

static void draw_params(const struct eddy_shape *shape)
{
    CHECK_INT(eddy_layout_init(&layout, shape, NULL), 0);
    block = eddy_params_new(&layout);
    for (size_t i = 0; i < layout.size; i++) {
        block[i] = (float)eddy_draw_unit(5, i, 0, 0) * 0.6F - 0.3F;
    }
}

/* The events of a user do not depend on who else is there. */
static struct eddy_step step_of(uint32_t user, uint32_t event)
{
    uint64_t bits = eddy_draw64(6, user, event, 0);
    bool first = event == user % 3; /* users join at different times */
    return (struct eddy_step){
        .item = (uint32_t)(bits % ITEMS),
        .type = (uint16_t)(bits >> 20) % TYPES,
        .gap = first ? 0 : (uint8_t)(bits >> 30) % EDDY_GAPS,
        .begin = first || (bits >> 40) % 3 == 0,
        .first = first,
        .value = (bits >> 50) % 2 ? 0.75F : 0.0F,
    };
}

static struct eddy_hrnn *open_hrnn(const char *kernels)
{
    return eddy_hrnn_new(&layout, block, eddy_kernels_find(kernels));
}

/* All events of all users, `together` users in a call, scratch for rows_max; the states are
 * in ret (USERS, state_floats). */
static void play(struct eddy_hrnn *hrnn, uint32_t together, uint32_t rows_max,
                 float *ret)
{
    const struct eddy_shape *shape = eddy_hrnn_shape(hrnn);
    uint32_t size = eddy_hrnn_state_floats(shape);
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(shape, rows_max);
    for (size_t i = 0; i < (size_t)USERS * size; i++) {
        ret[i] = 0.0F;
    }
    for (uint32_t event = 0; event < EVENTS; event++) {
        for (uint32_t from = 0; from < USERS; from += together) {
            struct eddy_step steps[USERS];
            float *hidden[USERS];
            uint32_t n = 0;
            for (uint32_t user = from; user < USERS && user < from + together; user++) {
                if (event >= user % 3) {
                    steps[n] = step_of(user, event);
                    hidden[n++] = ret + (size_t)user * size;
                }
            }
            eddy_hrnn_step(hrnn, scratch, n, steps, hidden);
        }
    }
    eddy_hrnn_scratch_free(scratch);
}

static void check_same(const struct eddy_shape *shape, const char *kernels,
                       uint32_t together, uint32_t rows_max, const float *want)
{
    size_t size = (size_t)USERS * eddy_hrnn_state_floats(shape);
    float *got = eddy_floats_new(size);
    struct eddy_hrnn *hrnn = open_hrnn(kernels);
    play(hrnn, together, rows_max, got);
    if (!CHECK_MEM(got, want, size * sizeof(*got))) {
        fprintf(stderr, "    H %u, cell %d, mode %d, %s, %u together, %u rows\n",
                shape->hidden, (int)shape->cell, (int)shape->mode, kernels, together,
                rows_max);
    }
    eddy_hrnn_free(hrnn);
    free(got);
}

static void users_together_have_the_bits_of_users_alone(void)
{
    static const uint32_t sizes[] = {5, 32, 33, 149};
    for (int c = 0; c < 4 * 9; c++) {
        struct eddy_shape shape = {.items = ITEMS,
                                   .hidden = sizes[c / 9],
                                   .layers = 2,
                                   .types = TYPES,
                                   .cell = (enum eddy_cell)(c % 3),
                                   .mode = (enum eddy_mode)(c / 3 % 3)};
        draw_params(&shape);
        size_t size = (size_t)USERS * eddy_hrnn_state_floats(&shape);
        float *want = eddy_floats_new(size);
        struct eddy_hrnn *hrnn = open_hrnn("naive");
        play(hrnn, 1, 1, want);
        eddy_hrnn_free(hrnn);
        float largest = 0.0F;
        for (size_t i = 0; i < size; i++) {
            largest = fmaxf(largest, fabsf(want[i]));
        }
        CHECK(largest > 0.1F && largest < 100.0F);
        static const char *const names[] = {"avx2", "avx512"};
        for (int n = 0; n < 2; n++) {
            if (eddy_kernels_find(names[n])) {
                check_same(&shape, names[n], 1, 1, want);
                check_same(&shape, names[n], USERS, 64, want);
                check_same(&shape, names[n], USERS, 7, want); /* slices */
                check_same(&shape, names[n], 13, 13, want);
            }
        }
        free(want);
        free(block);
    }
}

static void a_step_marked_first_forgets_whatever_was_there(void)
{
    for (int mode = 0; mode < 3; mode++) {
        struct eddy_shape shape = {.items = ITEMS,
                                   .hidden = 33,
                                   .layers = 2,
                                   .types = TYPES,
                                   .mode = (enum eddy_mode)mode};
        draw_params(&shape);
        struct eddy_hrnn *hrnn = open_hrnn("naive");
        struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&shape, 2);
        uint32_t size = eddy_hrnn_state_floats(&shape);
        float *a = eddy_floats_new(size), *b = eddy_floats_new(size);
        for (uint32_t i = 0; i < size; i++) {
            b[i] = NAN;
        }
        struct eddy_step steps[2] = {{.item = 3, .begin = true, .first = true},
                                     {.item = 3, .begin = true, .first = true}};
        float *hidden[2] = {a, b};
        eddy_hrnn_step(hrnn, scratch, 2, steps, hidden);
        CHECK_MEM(a, b, size * sizeof(*a));
        free(a);
        free(b);
        eddy_hrnn_scratch_free(scratch);
        eddy_hrnn_free(hrnn);
        free(block);
    }
}

/* Two sessions of one user; what the second one sees of the first one. */
static void the_user_level_moves_only_where_a_session_begins(void)
{
    struct eddy_shape shape = {.items = ITEMS,
                               .hidden = 32,
                               .layers = 1,
                               .types = TYPES,
                               .mode = EDDY_MODE_INIT};
    draw_params(&shape);
    struct eddy_hrnn *hrnn = open_hrnn("naive");
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&shape, 1);
    CHECK_INT(eddy_hrnn_query_offset(&shape), 64);
    CHECK_INT(eddy_hrnn_state_floats(&shape), 96);
    float state[96], before[96];
    const struct eddy_step steps[] = {{.item = 1, .begin = true, .first = true},
                                      {.item = 2, .gap = 3},
                                      {.item = 3, .gap = 15, .begin = true},
                                      {.item = 4, .gap = 2}};
    static const bool moves[] = {false, false, true, false};
    memset(state, 0, sizeof(state));
    for (int i = 0; i < 4; i++) {
        memcpy(before, state, sizeof(before));
        float *hidden = state;
        eddy_hrnn_step(hrnn, scratch, 1, &steps[i], &hidden);
        bool moved = memcmp(before + 32, state + 32, 32 * sizeof(float)) != 0;
        CHECK_INT(moved, moves[i]);
        CHECK(memcmp(before + 64, state + 64, 32 * sizeof(float)) != 0);
    }
    eddy_hrnn_scratch_free(scratch);
    eddy_hrnn_free(hrnn);
    free(block);
}

static void flat_mode_has_no_user_level(void)
{
    struct eddy_shape shape = {.items = 9, .hidden = 40, .layers = 3, .types = 1};
    CHECK_INT(eddy_hrnn_query_offset(&shape), 120);
    CHECK_INT(eddy_hrnn_state_floats(&shape), 160);
}

static bool a_network_and_its_scratch_are_made(void)
{
    struct eddy_hrnn *hrnn = open_hrnn("naive");
    struct eddy_hrnn_scratch *scratch =
        hrnn ? eddy_hrnn_scratch_new(&layout.shape, 4) : NULL;
    bool made = scratch != NULL;
    eddy_hrnn_scratch_free(scratch);
    eddy_hrnn_free(hrnn);
    return made;
}

static void a_lack_of_memory_is_reported_and_leaks_nothing(void)
{
    for (int cell = 0; cell < 2; cell++) {
        struct eddy_shape shape = {.items = ITEMS,
                                   .hidden = 8,
                                   .layers = 2,
                                   .types = TYPES,
                                   .cell = (enum eddy_cell)cell,
                                   .mode = EDDY_MODE_ALL};
        draw_params(&shape);
        TORTURE(a_network_and_its_scratch_are_made);
        free(block);
    }
}

static void a_step_allocates_nothing(void)
{
    struct eddy_shape shape = {.items = ITEMS,
                               .hidden = 8,
                               .layers = 2,
                               .types = TYPES,
                               .mode = EDDY_MODE_ALL};
    draw_params(&shape);
    struct eddy_hrnn *hrnn = open_hrnn("naive");
    struct eddy_hrnn_scratch *scratch = eddy_hrnn_scratch_new(&shape, 2);
    float states[5][64] = {{0}};
    float *hidden[5];
    struct eddy_step steps[5];
    for (uint32_t user = 0; user < 5; user++) {
        hidden[user] = states[user];
        steps[user] = step_of(user, 3);
    }
    torture_arm(0);
    eddy_hrnn_step(hrnn, scratch, 5, steps, hidden);
    CHECK(!atomic_load(&torture_hit));
    torture_arm(-1);
    eddy_hrnn_scratch_free(scratch);
    eddy_hrnn_free(hrnn);
    free(block);
}

static void freeing_nothing_is_fine(void)
{
    eddy_hrnn_free(NULL);
    eddy_hrnn_scratch_free(NULL);
}

int main(void)
{
    RUN(users_together_have_the_bits_of_users_alone);
    RUN(a_step_marked_first_forgets_whatever_was_there);
    RUN(the_user_level_moves_only_where_a_session_begins);
    RUN(flat_mode_has_no_user_level);
    RUN(a_lack_of_memory_is_reported_and_leaks_nothing);
    RUN(a_step_allocates_nothing);
    RUN(freeing_nothing_is_fine);
    return check_done();
}
