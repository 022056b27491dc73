/* base/vmath against libm in double, over a grid of all floats of the useful range, and at
 * the edges that the headers promise. */
#include "base/vmath.h"

#include <float.h>

#include "check.h"

static double sigmoid_exact(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double gelu_exact(double x)
{
    return 0.5 * x *
           (1.0 +
            tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* Distance of got from want in units of the last place of want. */
static double ulps(float got, double want)
{
    float size = (float)fabs(want);
    if (size < FLT_MIN) {
        size = FLT_MIN;
    }
    return fabs((double)got - want) /
           ((double)nextafterf(size, INFINITY) - (double)size);
}

static const struct {
    const char *name;
    float (*run)(float);
    double (*exact)(double);
    float low, high;
    double ulps_max;
} functions[] = {
    {"exp", eddy_expf, exp, -87.3F, 88.3F, 2.0},
    {"log", eddy_logf, log, FLT_MIN, FLT_MAX, 2.0},
    {"log1p", eddy_log1pf, log1p, 0.0F, FLT_MAX, 3.0},
    {"tanh", eddy_tanhf, tanh, -FLT_MAX, FLT_MAX, 2.0},
    {"sigmoid", eddy_sigmoidf, sigmoid_exact, -87.0F, FLT_MAX, 3.0},
};

/* Every 4099th float, so that exponents and mantissas are all visited. */
static void every_function_is_within_its_ulps_of_libm(void)
{
    for (size_t f = 0; f < sizeof(functions) / sizeof(functions[0]); f++) {
        double worst = 0.0, worst_at = 0.0;
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
            float x = float_of((uint32_t)bits);
            if (!(x >= functions[f].low && x <= functions[f].high)) {
                continue;
            }
            double error = ulps(functions[f].run(x), functions[f].exact((double)x));
            if (error > worst) {
                worst = error;
                worst_at = (double)x;
            }
        }
        if (!CHECK(worst > 0.0 && worst <= functions[f].ulps_max)) {
            fprintf(stderr, "    %s: %g ulp at %.9g\n", functions[f].name, worst,
                    worst_at);
        }
    }
}

static void gelu_is_within_its_absolute_error_of_libm(void)
{
    double worst = 0.0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
        float x = float_of((uint32_t)bits);
        if (fabsf(x) > FLT_MIN && fabsf(x) < 1e30F) {
            double error = fabs((double)eddy_geluf(x) - gelu_exact((double)x));
            worst = fmax(worst, error / fabs((double)x));
        }
    }
    CHECK(worst > 0.0);
    CHECK_NEAR(worst, 0.0, 4e-7);
}

static void nan_stays_nan(void)
{
    CHECK(isnan(eddy_expf(NAN)));
    CHECK(isnan(eddy_logf(NAN)));
    CHECK(isnan(eddy_log1pf(NAN)));
    CHECK(isnan(eddy_tanhf(-NAN)));
    CHECK(isnan(eddy_sigmoidf(NAN)));
    CHECK(isnan(eddy_geluf(NAN)));
}

static void ends_of_the_range_saturate(void)
{
    CHECK_NEAR(eddy_expf(-INFINITY), exp(-87.3), 1e-43);
    CHECK_NEAR(eddy_expf(INFINITY) / 1e38F, exp(88.3) / 1e38, 1e-5);
    CHECK(eddy_expf(0.0F) == 1.0F);
    CHECK(eddy_tanhf(INFINITY) == 1.0F && eddy_tanhf(-INFINITY) == -1.0F);
    CHECK(eddy_tanhf(9.5F) == 1.0F && eddy_tanhf(8.9F) < 1.0F);
    CHECK(eddy_sigmoidf(INFINITY) == 1.0F);
    CHECK(eddy_sigmoidf(-INFINITY) > 0.0F && eddy_sigmoidf(-INFINITY) < 1e-37F);
    CHECK(eddy_geluf(INFINITY) == INFINITY);
    CHECK_NEAR(eddy_geluf(-INFINITY), 0.0, 1e-36);
    CHECK_NEAR(eddy_geluf(-FLT_MAX), 0.0, 1e-36);
    CHECK(eddy_geluf(FLT_MAX) == FLT_MAX);
}

static void logarithm_of_nothing_is_that_of_the_smallest_normal(void)
{
    const float smallest = eddy_logf(FLT_MIN);
    CHECK_NEAR(smallest, -87.3365447505, 1e-5);
    CHECK(eddy_logf(0.0F) == smallest && eddy_logf(-1.0F) == smallest);
    CHECK(eddy_logf(-INFINITY) == smallest && eddy_logf(float_of(1)) == smallest);
    CHECK(eddy_logf(INFINITY) == INFINITY && eddy_log1pf(INFINITY) == INFINITY);
    CHECK(eddy_logf(1.0F) == 0.0F);
}

static void odd_functions_keep_the_sign_of_zero_and_denormals_stay(void)
{
    CHECK(signbit(eddy_tanhf(-0.0F)) && eddy_tanhf(-0.0F) == 0.0F);
    CHECK(!signbit(eddy_tanhf(0.0F)));
    CHECK(eddy_tanhf(float_of(5)) == float_of(5));
    CHECK(eddy_tanhf(-float_of(5)) == -float_of(5));
    CHECK(eddy_log1pf(float_of(5)) == float_of(5));
    CHECK(eddy_sigmoidf(float_of(1)) == 0.5F && eddy_expf(float_of(1)) == 1.0F);
}

int main(void)
{
    RUN(every_function_is_within_its_ulps_of_libm);
    RUN(gelu_is_within_its_absolute_error_of_libm);
    RUN(nan_stays_nan);
    RUN(ends_of_the_range_saturate);
    RUN(logarithm_of_nothing_is_that_of_the_smallest_normal);
    RUN(odd_functions_keep_the_sign_of_zero_and_denormals_stay);
    return check_done();
}
