/* Exact top-k against a full sort: ties, NaN, infinities, rising and equal scores. */
#include "core/topk.h"

#include <stdlib.h>

#include "base/rng.h"
#include "best_lists.h"

enum { ITEMS_MAX = 5000, K_MAX = 500 };

static float *scores;
static struct eddy_scored *want, *got;
static struct eddy_topk topk;

static void check_selection(const char *what, const struct eddy_kernels *kernels,
                            uint32_t n, uint32_t k)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (scores[i] > -INFINITY) {
            want[left++] = (struct eddy_scored){i, scores[i]};
        }
    }
    eddy_topk_begin(&topk, k);
    for (uint32_t i = 0; i < n; i += EDDY_TOPK_TILE) {
        uint32_t size = n - i < EDDY_TOPK_TILE ? n - i : EDDY_TOPK_TILE;
        eddy_topk_push(&topk, kernels, scores + i, size, i);
    }
    uint32_t count = eddy_topk_finish(&topk, kernels, got);
    if (!check_best(got, count, want, left, k)) {
        fprintf(stderr, "    %s, %s, %u of %u\n", what, kernels->name, k, n);
    }
}

/* The i-th score of each kind of input. */
static float uniform(uint32_t i)
{
    return (float)eddy_draw_unit(1, i, 0, 0) - 0.5F;
}
static float few_values(uint32_t i)
{
    return (float)(eddy_draw64(2, i, 0, 0) % 3) - 1.0F;
}
static float all_equal(uint32_t i)
{
    (void)i;
    return 0.25F;
}
static float signed_zeros(uint32_t i)
{
    return i % 3 ? -0.0F : 0.0F;
}
static float rising(uint32_t i)
{
    return (float)i;
}
static float falling(uint32_t i)
{
    return -(float)i;
}
static float with_nan(uint32_t i)
{
    return i % 7 == 0 ? NAN : i % 11 == 0 ? -INFINITY : uniform(i);
}
static float infinities(uint32_t i)
{
    return i % 50 == 3 ? INFINITY : i % 2 ? -INFINITY : uniform(i);
}
static float nothing(uint32_t i)
{
    return i % 2 ? NAN : -INFINITY;
}
static float huge_and_tiny(uint32_t i)
{
    return ldexpf(uniform(i), (int)(eddy_draw64(3, i, 0, 0) % 280) - 150);
}
static float sawtooth(uint32_t i)
{
    return (float)(i % 112) + uniform(i) / 1024.0F;
}

static void best_k_are_those_of_a_full_sort(void)
{
    static const struct {
        const char *what;
        float (*score)(uint32_t);
    } inputs[] = {{"uniform", uniform},  {"few values", few_values},
                  {"equal", all_equal},  {"zeros", signed_zeros},
                  {"rising", rising},    {"falling", falling},
                  {"NaN", with_nan},     {"infinities", infinities},
                  {"nothing", nothing},  {"huge and tiny", huge_and_tiny},
                  {"sawtooth", sawtooth}};
    static const uint32_t sizes[] = {1, 15, 16, 767, 768, 769, 2000, ITEMS_MAX};
    static const uint32_t ks[] = {1, 2, 10, 25, 100, K_MAX};
    static const char *const names[] = {"naive", "avx2", "avx512"};
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        for (uint32_t item = 0; item < ITEMS_MAX; item++) {
            scores[item] = inputs[i].score(item);
        }
        for (size_t c = 0; c < 8 * 6 * 3; c++) {
            const struct eddy_kernels *kernels = eddy_kernels_find(names[c % 3]);
            if (kernels) {
                check_selection(inputs[i].what, kernels, sizes[c / 18], ks[c / 3 % 6]);
            }
        }
    }
}

static void nothing_is_asked_for_and_nothing_comes(void)
{
    scores[0] = 1.0F;
    eddy_topk_begin(&topk, 0);
    eddy_topk_push(&topk, eddy_kernels_get(), scores, 1, 0);
    CHECK_INT(eddy_topk_finish(&topk, eddy_kernels_get(), got), 0);
}

static void a_score_of_minus_zero_comes_back_as_zero(void)
{
    scores[0] = -0.0F;
    eddy_topk_begin(&topk, 1);
    eddy_topk_push(&topk, eddy_kernels_get(), scores, 1, 7);
    CHECK_INT(eddy_topk_finish(&topk, eddy_kernels_get(), got), 1);
    CHECK_INT(got[0].item, 7);
    CHECK(got[0].score == 0.0F && !signbit(got[0].score));
}

int main(void)
{
    scores = eddy_floats_new(ITEMS_MAX);
    want = calloc(ITEMS_MAX, sizeof(*want));
    got = calloc(K_MAX, sizeof(*got));
    if (eddy_topk_init(&topk, K_MAX) || !scores || !want || !got) {
        return 1;
    }
    RUN(best_k_are_those_of_a_full_sort);
    RUN(nothing_is_asked_for_and_nothing_comes);
    RUN(a_score_of_minus_zero_comes_back_as_zero);
    eddy_topk_fini(&topk);
    free(scores);
    free(want);
    free(got);
    return check_done();
}
