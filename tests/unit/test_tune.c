#include "core/tune.h"

#include "check.h"

static struct eddy_tune_space plane(void)
{
    struct eddy_tune_space space = {.count = 2};
    for (int d = 0; d < 2; d++) {
        space.dimensions[d].kind = EDDY_TUNE_CONTINUOUS;
        space.dimensions[d].min = d ? 0 : -5;
        space.dimensions[d].max = d ? 15 : 10;
    }
    return space;
}

/* Branin's function, minimum .397887 at three places. */
static double branin(const double *x)
{
    const double pi = 3.14159265358979;
    double a = x[1] - 5.1 / (4 * pi * pi) * x[0] * x[0] + 5 / pi * x[0] - 6;
    return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10;
}

/* A narrow hill off the middle. */
static double hill(const double *x)
{
    double a = x[0] - 6.5, b = x[1] - 3;
    return a * a + 2 * b * b + .5 * a * b;
}

/* Best value of `jobs` trials; startup beyond jobs: random search. */
static double search(double (*f)(const double *), uint32_t jobs, uint32_t startup,
                     uint64_t seed)
{
    struct eddy_tune_space space = plane();
    struct eddy_tune_trial trials[40];
    double best = 1e300;
    for (uint32_t i = 0; i < jobs; i++) {
        trials[i] = (struct eddy_tune_trial){.state = EDDY_TUNE_DONE};
        CHECK(eddy_tune_suggest(&space, trials, i, startup, seed, trials[i].at));
        double value = f(trials[i].at);
        trials[i].value = -value;
        best = value < best ? value : best;
    }
    CHECK_NEAR(-trials[eddy_tune_best(trials, jobs)].value, best, 0);
    return best;
}

static void it_beats_random_search_on_average_over_seeds(void)
{
    double (*const functions[])(const double *) = {branin, hill};
    for (int f = 0; f < 2; f++) {
        double tpe = 0, chance = 0;
        int wins = 0;
        enum { SEEDS = 60, JOBS = 40 };
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            double a = search(functions[f], JOBS, 10, seed);
            double b = search(functions[f], JOBS, 1000, seed);
            tpe += a / SEEDS;
            chance += b / SEEDS;
            wins += a < b;
        }
        if (!CHECK(tpe < .6 * chance) || !CHECK(wins >= SEEDS * 3 / 4))
            fprintf(stderr, "    function %d: %g against %g, %d of %d\n", f, tpe,
                    chance, wins, SEEDS);
    }
}

static void a_suggestion_depends_on_seed_and_results_alone(void)
{
    struct eddy_tune_space space = plane();
    struct eddy_tune_trial trials[12] = {{.value = 0}};
    double a[EDDY_TUNE_DIMENSIONS], b[EDDY_TUNE_DIMENSIONS];
    for (uint32_t i = 0; i < 12; i++) {
        trials[i].state = i < 10 ? EDDY_TUNE_DONE : EDDY_TUNE_RUNNING;
        CHECK(eddy_tune_suggest(&space, trials, i, 5, 7, trials[i].at));
        trials[i].value = -hill(trials[i].at);
    }
    CHECK(eddy_tune_suggest(&space, trials, 12, 5, 7, a));
    CHECK(eddy_tune_suggest(&space, trials, 12, 5, 7, b));
    CHECK_MEM(a, b, 2 * sizeof *a);
    CHECK(eddy_tune_suggest(&space, trials, 12, 5, 8, b));
    CHECK(a[0] != b[0]);
    trials[11].value = 1e9; /* still running: nobody knows it yet */
    CHECK(eddy_tune_suggest(&space, trials, 12, 5, 7, b));
    CHECK_MEM(a, b, 2 * sizeof *a);
    trials[3].value = 1e9;
    CHECK(eddy_tune_suggest(&space, trials, 12, 5, 7, b));
    CHECK(a[0] != b[0]);
}

static void no_point_comes_twice_and_a_finite_space_ends(void)
{
    struct eddy_tune_space space = {.count = 2};
    struct eddy_tune_trial trials[13] = {{.value = 0}};
    space.dimensions[0] =
        (struct eddy_tune_dimension){.kind = EDDY_TUNE_INTEGER, .min = 2, .max = 5};
    space.dimensions[1] =
        (struct eddy_tune_dimension){.kind = EDDY_TUNE_CATEGORICAL, .choice_count = 3};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < 12; i++) {
        if (!CHECK(eddy_tune_suggest(&space, trials, i, 4, 1, trials[i].at)))
            return;
        trials[i].state = i % 3 ? EDDY_TUNE_DONE : EDDY_TUNE_FAILED;
        trials[i].value = trials[i].at[0];
        CHECK(trials[i].at[0] >= 2 && trials[i].at[0] <= 5);
        CHECK(trials[i].at[1] >= 0 && trials[i].at[1] <= 2);
        uint32_t bit =
            1u << ((uint32_t)(trials[i].at[0] - 2) * 3 + (uint32_t)trials[i].at[1]);
        CHECK((seen & bit) == 0);
        seen |= bit;
    }
    CHECK_INT(seen, 0xfff);
    CHECK(!eddy_tune_suggest(&space, trials, 12, 4, 1, trials[12].at));
}

static void the_better_choice_is_taken_more_often(void)
{
    struct eddy_tune_space space = {.count = 2};
    struct eddy_tune_trial trials[40] = {{.value = 0}};
    uint32_t good = 0;
    space.dimensions[0] =
        (struct eddy_tune_dimension){.kind = EDDY_TUNE_CATEGORICAL, .choice_count = 4};
    space.dimensions[1] = (struct eddy_tune_dimension){
        .kind = EDDY_TUNE_CONTINUOUS, .min = 1e-4, .max = 1};
    for (uint32_t i = 0; i < 40; i++) {
        CHECK(eddy_tune_suggest(&space, trials, i, 8, 2, trials[i].at));
        trials[i].state = EDDY_TUNE_DONE;
        trials[i].value =
            (trials[i].at[0] == 2 ? 1 : 0) - .1 * fabs(log10(trials[i].at[1]) + 2);
        good += i >= 8 && trials[i].at[0] == 2;
    }
    CHECK(good > 20); /* of 32; 8 by chance */
    uint32_t best = eddy_tune_best(trials, 40);
    CHECK_NEAR(log10(trials[best].at[1]), -2, .5);
}

static void values_are_written_as_training_reads_them(void)
{
    struct eddy_tune_dimension integer = {
        .kind = EDDY_TUNE_INTEGER, .min = 32, .max = 256};
    struct eddy_tune_dimension rate = {
        .kind = EDDY_TUNE_CONTINUOUS, .min = 1e-5, .max = .1};
    struct eddy_tune_dimension mask = {
        .kind = EDDY_TUNE_CATEGORICAL, .choice_count = 2, .choices = {"true", "false"}};
    char text[EDDY_TUNE_TEXT];
    double at = -1;
    eddy_tune_format(&integer, 149, text);
    CHECK_STR(text, "149");
    eddy_tune_format(&rate, 1.2345678e-4, text);
    CHECK_STR(text, "0.0001235");
    CHECK(eddy_tune_parse(&rate, text, &at));
    CHECK_NEAR(at, 1.235e-4, 0);
    eddy_tune_format(&mask, 1, text);
    CHECK_STR(text, "false");
    CHECK(eddy_tune_parse(&mask, "true", &at) && at == 0);
    CHECK(!eddy_tune_parse(&mask, "yes", &at));
    CHECK(!eddy_tune_parse(&integer, "31", &at));
    CHECK(!eddy_tune_parse(&integer, "64.5", &at));
    CHECK(!eddy_tune_parse(&rate, "nan", &at));
    struct eddy_tune_trial none[2] = {{.state = EDDY_TUNE_FAILED},
                                      {.state = EDDY_TUNE_DONE, .value = NAN}};
    CHECK_INT(eddy_tune_best(none, 2), 2);
}

int main(void)
{
    RUN(it_beats_random_search_on_average_over_seeds);
    RUN(a_suggestion_depends_on_seed_and_results_alone);
    RUN(no_point_comes_twice_and_a_finite_space_ends);
    RUN(the_better_choice_is_taken_more_often);
    RUN(values_are_written_as_training_reads_them);
    return check_done();
}
