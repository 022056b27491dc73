/* Keyed draws and the sequential generator. */
#include "base/rng.h"

#include "check.h"

static void the_generator_is_xoshiro256_starstar(void)
{
    /* First outputs from the state 1, 2, 3, 4, as the reference C code (Blackman, Vigna)
     * and the tests of Rust's rand_xoshiro give them. */
    static const uint64_t want[] = {11520u,
                                    0u,
                                    1509978240u,
                                    1215971899390074240u,
                                    1216172134540287360u,
                                    607988272756665600u,
                                    16172922978634559625u,
                                    8476171486693032832u,
                                    10595114339597558777u,
                                    2904607092377533576u};
    struct eddy_rng rng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        CHECK_INT(eddy_rng_next(&rng), want[i]);
    }
}

static void draws_are_a_function_of_all_keys(void)
{
    uint64_t first = eddy_draw64(1, 2, 3, 4);
    CHECK_INT(eddy_draw64(1, 2, 3, 4), first);
    CHECK(eddy_draw64(2, 2, 3, 4) != first);
    CHECK(eddy_draw64(1, 3, 3, 4) != first);
    CHECK(eddy_draw64(1, 2, 4, 4) != first);
    CHECK(eddy_draw64(1, 2, 3, 5) != first);
    CHECK(eddy_draw64(1, 2, 4, 3) != first); /* nor are keys exchangeable */
    CHECK(eddy_draw64(0, 0, 0, 0) != 0);
}

static void neighbouring_draws_are_uniform_and_independent(void)
{
    /* Mean and lag correlation over each key; the bounds are five standard errors. */
    enum { N = 20000 };
    for (int key = 0; key < 4; key++) {
        double sum = 0, product = 0, last = 0;
        for (uint64_t i = 0; i < N; i++) {
            double u = eddy_draw_unit(key == 0 ? i : 9, key == 1 ? i : 9,
                                      key == 2 ? i : 9, key == 3 ? i : 9);
            CHECK(u >= 0 && u < 1);
            sum += u;
            product += (u - 0.5) * (last - 0.5);
            last = u;
        }
        CHECK_NEAR(sum / N, 0.5, 5 * 0.2887 / sqrt(N));
        CHECK_NEAR(product / N, 0, 5.0 / 12 / sqrt(N));
    }
}

static void below_is_unbiased(void)
{
    enum { N = 120000, BOUND = 12 };
    uint32_t counts[BOUND] = {0};
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 3);
    for (int i = 0; i < N; i++) {
        counts[eddy_rng_below(&rng, BOUND)]++;
    }
    double chi2 = 0;
    for (int i = 0; i < BOUND; i++) {
        double off = counts[i] - N / (double)BOUND;
        chi2 += off * off / (N / (double)BOUND);
    }
    CHECK(chi2 < 31.3); /* 0.1 percent point at 11 degrees of freedom */
    CHECK_INT(eddy_rng_below(&rng, 1), 0);
    for (int i = 0; i < 1000; i++) {
        CHECK(eddy_rng_below(&rng, UINT32_C(0xC0000000)) < UINT32_C(0xC0000000));
    }
}

static void normal_has_mean_0_and_variance_1(void)
{
    enum { N = 100000 };
    double sum = 0, square = 0, fourth = 0;
    struct eddy_rng rng;
    eddy_rng_seed(&rng, 4);
    for (int i = 0; i < N; i++) {
        double x = eddy_rng_normal(&rng);
        sum += x;
        square += x * x;
        fourth += x * x * x * x;
    }
    CHECK_NEAR(sum / N, 0, 5 / sqrt(N));
    CHECK_NEAR(square / N, 1, 5 * sqrt(2.0 / N));
    CHECK_NEAR(fourth / N, 3, 5 * sqrt(96.0 / N));
}

static void seeds_give_different_streams(void)
{
    struct eddy_rng a, b;
    eddy_rng_seed(&a, 0);
    eddy_rng_seed(&b, 1);
    CHECK(a.s[0] || a.s[1] || a.s[2] || a.s[3]); /* all zero would stay all zero */
    CHECK(eddy_rng_next(&a) != eddy_rng_next(&b));
}

int main(void)
{
    RUN(the_generator_is_xoshiro256_starstar);
    RUN(draws_are_a_function_of_all_keys);
    RUN(neighbouring_draws_are_uniform_and_independent);
    RUN(below_is_unbiased);
    RUN(normal_has_mean_0_and_variance_1);
    RUN(seeds_give_different_streams);
    return check_done();
}
