/* What the network sees of an event: gaps, session borders, values. */
#include "core/step.h"

#include "check.h"

static void gap_buckets_are_powers_of_two(void)
{
    static const struct {
        int64_t gap_s;
        int bucket;
    } rows[] = {{0, 0},          {1, 1},           {2, 1},
                {3, 2},          {6, 2},           {7, 3},
                {1800, 10},      {86400, 16},      {-1, 0},
                {INT64_MIN, 0},  {(1 << 30), 30},  {(1LL << 31) - 2, 30},
                {INT64_MAX, 31}, {(1LL << 31), 31}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_INT(eddy_gap_bucket(rows[i].gap_s), rows[i].bucket);
}

static void a_session_begins_at_the_first_event_and_after_silence(void)
{
    static const struct {
        int64_t previous_s, now_s;
        bool begin, first;
        int gap;
    } rows[] = {
        {-1, 1000, true, true, 0},          {1000, 2800, false, false, 10},
        {1000, 2801, true, false, 10},      {1000, 1000, false, false, 0},
        {1000, 900, false, false, 0},       {0, INT64_MAX, true, false, 31},
        {1000, INT64_MIN, false, false, 0}, {0, 1, false, false, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct eddy_step step =
            eddy_step_make(7, 3, rows[i].previous_s, rows[i].now_s, 1800, false, 5.0F);
        CHECK_INT(step.begin, rows[i].begin);
        CHECK_INT(step.first, rows[i].first);
        CHECK_INT(step.gap, rows[i].gap);
        CHECK_INT(step.item, 7);
        CHECK_INT(step.type, 3);
        CHECK(step.value == 0.0F);
    }
}

static void values_are_squashed_and_unusable_ones_are_absent(void)
{
    static const struct {
        float value;
        double want;
    } rows[] = {{0.0F, 0.0},     {1.0F, 0.69314718}, {-1.0F, -0.69314718},
                {1e-10F, 1e-10}, {3e38F, 88.596805}, {-250.0F, -5.5254529},
                {NAN, 0.0},      {INFINITY, 0.0},    {-INFINITY, 0.0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct eddy_step step = eddy_step_make(0, 0, -1, 0, 1800, true, rows[i].value);
        CHECK_NEAR(step.value, rows[i].want, 1e-6 * fabs(rows[i].want));
    }
}

int main(void)
{
    RUN(gap_buckets_are_powers_of_two);
    RUN(a_session_begins_at_the_first_event_and_after_silence);
    RUN(values_are_squashed_and_unusable_ones_are_absent);
    return check_done();
}
