/* The fast kernels must give the bits of the naive ones, for awkward sizes, and for any
 * number of rows computed together. */
#include "core/kernel.h"

#include <float.h>
#include <stdlib.h>

#include "base/vmath.h"
#include "check.h"

enum { ROWS_MAX = 67, WIDE_MAX = 640, SIZE = ROWS_MAX * WIDE_MAX };

static const char *const names[] = {"avx2", "avx512"};
enum { NAMES = 2 };

static const struct eddy_kernels *naive;
static float *x, *y, *z; /* work buffers of SIZE floats */

static uint32_t draw_state = 1;
static uint32_t draw(void)
{
    draw_state = draw_state * 1664525U + 1013904223U;
    return draw_state >> 8;
}
static float draw_float(void)
{
    return (float)draw() / (float)(1 << 23) - 1.0F;
}

static void fill(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = draw_float();
}

/* All the values at which elementwise functions change branch, and every exponent. */
static uint32_t fill_odd(float *values)
{
    static const float odd[] = {0.0F,     -0.0F,   INFINITY, -INFINITY,  NAN,
                                FLT_MIN,  FLT_MAX, -FLT_MAX, 1e-45F,     -1e-45F,
                                0.625F,   -0.625F, -20.0F,   -20.00001F, 87.3F,
                                -87.3F,   88.3F,   -88.3F,   9.01F,      -9.02F,
                                0.62499F, 1e-30F,  43.7F,    -43.7F};
    uint32_t n = 0;
    for (; n < sizeof(odd) / sizeof(odd[0]); n++)
        values[n] = odd[n];
    for (int exponent = -149; exponent < 128; exponent++)
        values[n++] = ldexpf(draw_float() + 1e-9F, exponent);
    for (; n < WIDE_MAX - 3; n++)
        values[n] = 30.0F * draw_float();
    return n; /* no multiple of 8 or 16 */
}

/* Same bits, where any NaN equals any other (core/kernel.h). */
static bool same_bits(const float *a, const float *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&a[i], &b[i], sizeof(*a)) && !(isnan(a[i]) && isnan(b[i]))) {
            fprintf(stderr, "    at %zu: %a and %a\n", i, (double)a[i], (double)b[i]);
            return false;
        }
    }
    return true;
}

static void matmul_case(const struct eddy_kernels *kernels, uint32_t outputs,
                        uint32_t inputs, uint32_t rows)
{
    struct eddy_packed packed;
    size_t x_stride = inputs + 3, y_stride = ((size_t)outputs + 15) / 16 * 16 + 16;
    fill(z, (size_t)outputs * inputs);
    fill(x, rows * x_stride);
    fill(y, outputs);
    CHECK_INT(eddy_packed_init(&packed, z, outputs % 2 ? y : NULL, outputs, inputs), 0);
    fill(y, rows * y_stride);
    float *want = eddy_floats_new(rows * y_stride);
    memcpy(want, y, rows * y_stride * sizeof(*y));
    naive->matmul(&packed, rows, x, x_stride, want, y_stride);
    kernels->matmul(&packed, rows, x, x_stride, y, y_stride);
    if (!CHECK(same_bits(y, want, rows * y_stride)))
        fprintf(stderr, "    %s %u x %u, %u rows\n", kernels->name, outputs, inputs,
                rows);
    eddy_packed_fini(&packed);
    free(want);
}

static void matmul_has_the_bits_of_its_naive_twin(void)
{
    static const uint32_t sizes[][2] = {{1, 1},   {3, 7},     {16, 16},  {17, 33},
                                        {33, 17}, {149, 149}, {130, 64}, {596, 37}};
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (size_t s = 0; kernels && s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            for (uint32_t rows = 0; rows <= 19; rows++)
                matmul_case(kernels, sizes[s][0], sizes[s][1], rows);
            matmul_case(kernels, sizes[s][0], sizes[s][1], 64);
            matmul_case(kernels, sizes[s][0], sizes[s][1], 65);
        }
    }
}

static void matmul_of_any_slice_of_rows_and_panels_has_the_same_bits(void)
{
    enum { OUTPUTS = 149, INPUTS = 61, PANELS = 10, STRIDE = PANELS * 16 };
    struct eddy_packed packed;
    fill(z, (size_t)OUTPUTS * INPUTS);
    fill(x, (size_t)ROWS_MAX * INPUTS);
    CHECK_INT(eddy_packed_init(&packed, z, z + 5, OUTPUTS, INPUTS), 0);
    CHECK_INT(packed.panels, PANELS);
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        if (!kernels)
            continue;
        kernels->matmul(&packed, ROWS_MAX, x, INPUTS, y, STRIDE);
        for (int i = 0; i < 200; i++) {
            uint32_t first = draw() % PANELS, count = 1 + draw() % (PANELS - first);
            uint32_t row = draw() % ROWS_MAX, rows = 1 + draw() % (ROWS_MAX - row);
            kernels->matmul_panels(&packed, first, count, rows, x + row * INPUTS,
                                   INPUTS, z, count * 16);
            for (uint32_t r = 0; r < rows; r++)
                CHECK_MEM(z + r * count * 16, y + (row + r) * STRIDE + first * 16,
                          count * 16 * sizeof(float));
        }
    }
    eddy_packed_fini(&packed);
}

static void padding_of_a_product_is_zero(void)
{
    struct eddy_packed packed;
    fill(x, 8);
    fill(z, 24);
    fill(y, 64);
    CHECK_INT(eddy_packed_init(&packed, z, z, 3, 8), 0);
    eddy_kernels_get()->matmul(&packed, 1, x, 8, y, 16);
    for (int i = 3; i < 16; i++)
        CHECK(y[i] == 0.0F);
    eddy_packed_fini(&packed);
    CHECK(packed.data == NULL);
}

static void product_is_near_the_exact_one(void)
{
    struct eddy_packed packed;
    enum { OUT = 21, IN = 130 };
    fill(x, IN);
    fill(z, (size_t)OUT * IN);
    CHECK_INT(eddy_packed_init(&packed, z, z + 7, OUT, IN), 0);
    eddy_kernels_get()->matmul(&packed, 1, x, IN, y, 32);
    for (int o = 0; o < OUT; o++) {
        double sum = (double)z[7 + o];
        for (int k = 0; k < IN; k++)
            sum += (double)z[o * IN + k] * (double)x[k];
        CHECK_NEAR(y[o], sum, 2e-5);
    }
    eddy_packed_fini(&packed);
}

static void layer_norm_has_the_bits_of_its_naive_twin(void)
{
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (uint32_t size = 1; kernels && size < 270; size++) {
            fill(x, 3 * (size_t)size + 16);
            naive->layer_norm(x, x + size, x + 2 * size, size, y);
            /* In place, with what lies behind left alone. */
            memcpy(z, x, (size + 16) * sizeof(*z));
            kernels->layer_norm(z, x + size, x + 2 * size, size, z);
            memcpy(y + size, x + size, 16 * sizeof(*y));
            if (!CHECK(same_bits(z, y, size + 16)))
                fprintf(stderr, "    %s %u values\n", kernels->name, size);
        }
    }
}

static void layer_norm_has_mean_zero_and_variance_one(void)
{
    enum { N = 149 };
    fill(x, N);
    for (int i = 0; i < N; i++) {
        y[i] = 1.0F;
        z[i] = 0.0F;
    }
    eddy_kernels_get()->layer_norm(x, y, z, N, x);
    double sum = 0.0, squares = 0.0;
    for (int i = 0; i < N; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    CHECK_NEAR(sum / N, 0.0, 1e-6);
    CHECK_NEAR(squares / N, 1.0, 1e-3);
}

static void check_map(const char *what, void (*fast)(float *, uint32_t),
                      void (*slow)(float *, uint32_t), float (*scalar)(float))
{
    uint32_t n = fill_odd(x);
    for (uint32_t part = 0; part < 33; part++) {
        uint32_t size = part < 32 ? part : n;
        memcpy(y, x, (n + 3) * sizeof(*y));
        memcpy(z, x, (n + 3) * sizeof(*z));
        fast(y, size);
        slow(z, size);
        if (!CHECK(same_bits(y, z, n + 3)))
            fprintf(stderr, "    %s of %u\n", what, size);
    }
    for (uint32_t i = 0; i < n; i++) {
        float want = scalar(x[i]);
        CHECK(same_bits(&y[i], &want, 1));
    }
}

static void elementwise_functions_have_the_bits_of_the_scalar_ones(void)
{
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        if (!kernels)
            continue;
        check_map("sigmoid", kernels->sigmoid, naive->sigmoid, eddy_sigmoidf);
        check_map("tanh", kernels->tanh, naive->tanh, eddy_tanhf);
        check_map("gelu", kernels->gelu, naive->gelu, eddy_geluf);
        check_map("log1p", kernels->log1p, naive->log1p, eddy_log1pf);
    }
}

/* A wrong rounding in the middle of a polynomial shows in few results: many values. */
static void elementwise_functions_have_the_bits_of_the_scalar_ones_on_many_values(void)
{
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (int round = 0; kernels && round < 16; round++) {
            fill(x, SIZE);
            for (size_t i = 0; i < SIZE; i++)
                x[i] = (round >= 12 ? fabsf(x[i]) : x[i]) * (round % 2 ? 20.0F : 2.0F);
            memcpy(y, x, SIZE * sizeof(*y));
            memcpy(z, x, SIZE * sizeof(*z));
            void (*const fast[])(float *, uint32_t) = {
                kernels->sigmoid, kernels->tanh, kernels->gelu,  kernels->sigmoid,
                kernels->tanh,    kernels->gelu, kernels->log1p, kernels->log1p};
            void (*const slow[])(float *, uint32_t) = {naive->sigmoid, naive->tanh,
                                                       naive->gelu,    naive->sigmoid,
                                                       naive->tanh,    naive->gelu,
                                                       naive->log1p,   naive->log1p};
            fast[round / 2](y, SIZE);
            slow[round / 2](z, SIZE);
            CHECK_MEM(y, z, SIZE * sizeof(*y));
        }
    }
}

static void blend_and_sums_have_the_bits_of_their_naive_twins(void)
{
    enum { FAR = WIDE_MAX };
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (uint32_t size = 0; kernels && size < 67; size++) {
            fill(x, 2 * FAR);
            fill(y, FAR);
            memcpy(z, y, FAR * sizeof(*z));
            kernels->blend(y, x, x + FAR, size);
            naive->blend(z, x, x + FAR, size);
            kernels->add(y, x, size);
            naive->add(z, x, size);
            kernels->mul_add(y, x, x + FAR, size);
            naive->mul_add(z, x, x + FAR, size);
            CHECK_MEM(y, z, FAR * sizeof(*y));
        }
    }
}

static void blend_is_exact_at_both_ends(void)
{
    float s[2] = {3.0F, 3.0F}, gate[2] = {0.0F, 1.0F}, c[2] = {5.0F, 5.0F};
    eddy_kernels_get()->blend(s, gate, c, 2);
    CHECK(s[0] == 3.0F && s[1] == 5.0F);
}

static void above_finds_what_its_naive_twin_finds(void)
{
    uint16_t got[4096], want[4096];
    static const float thresholds[] = {-INFINITY, -1.0F,    0.0F, 0.9F,
                                       0.999F,    INFINITY, NAN};
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (int i = 0; kernels && i < 300; i++) {
            uint32_t size = i < 100 ? (uint32_t)i : draw() % 4097;
            fill(x, size);
            for (uint32_t j = 0; j < size; j += 1 + draw() % 9)
                x[j] = j % 3 ? NAN : j % 2 ? -INFINITY : 0.0F;
            float threshold = thresholds[i % 7];
            uint32_t count = kernels->above(x, size, threshold, got);
            CHECK_INT(count, naive->above(x, size, threshold, want));
            CHECK_MEM(got, want, count * sizeof(*got));
        }
    }
}

static void fold_and_raise_agree_with_their_naive_twins(void)
{
    enum { GROUPS = 112 };
    for (int n = 0; n < NAMES; n++) {
        const struct eddy_kernels *kernels = eddy_kernels_find(names[n]);
        for (uint32_t i = 0; kernels && i < 200; i++) {
            for (uint32_t g = 0; g < GROUPS; g++)
                y[g] = z[g] = i % 5 ? -INFINITY : draw_float();
            fill(x, 4096);
            x[draw() % 4096] = NAN;
            x[draw() % 4096] = INFINITY;
            x[draw() % 4096] = -INFINITY;
            uint32_t first = draw() % (GROUPS / 16) * 16,
                     size = draw() % (i < 150 ? 900 : 4097);
            kernels->fold(y, GROUPS, first, x, size);
            naive->fold(z, GROUPS, first, x, size);
            CHECK_MEM(y, z, GROUPS * sizeof(*y));
            float threshold = i % 3 ? -INFINITY : -1.0F;
            uint32_t k = 1 + draw() % 60;
            float got = kernels->raise(y, GROUPS, k, threshold);
            CHECK(got == naive->raise(z, GROUPS, k, threshold));
        }
    }
}

static void at_least_k_maxima_exceed_a_raised_threshold(void)
{
    enum { GROUPS = 64 };
    int raised = 0;
    for (uint32_t k = 1; k <= GROUPS + 2; k++) {
        fill(x, GROUPS);
        float threshold = naive->raise(x, GROUPS, k, -INFINITY);
        uint32_t above = 0;
        for (int g = 0; g < GROUPS; g++)
            above += x[g] > threshold;
        CHECK(above >= k || threshold == -INFINITY);
        raised += threshold > -INFINITY && above < k + 4;
    }
    CHECK(raised > GROUPS / 2);
    for (int g = 0; g < GROUPS; g++)
        x[g] = 2.0F;
    CHECK(naive->raise(x, GROUPS, 5, -INFINITY) < 2.0F);
}

static void kernels_are_found_by_name(void)
{
    CHECK_STR(naive->name, "naive");
    CHECK(eddy_kernels_find("sse") == NULL);
    CHECK(eddy_kernels_find(eddy_kernels_get()->name) == eddy_kernels_get());
    CHECK(eddy_floats_new(SIZE_MAX) == NULL);
}

int main(void)
{
    naive = eddy_kernels_find("naive");
    x = eddy_floats_new(SIZE);
    y = eddy_floats_new(SIZE);
    z = eddy_floats_new(SIZE);
    printf("kernels of this CPU: %s\n", eddy_kernels_get()->name);
    RUN(matmul_has_the_bits_of_its_naive_twin);
    RUN(matmul_of_any_slice_of_rows_and_panels_has_the_same_bits);
    RUN(padding_of_a_product_is_zero);
    RUN(product_is_near_the_exact_one);
    RUN(layer_norm_has_the_bits_of_its_naive_twin);
    RUN(layer_norm_has_mean_zero_and_variance_one);
    RUN(elementwise_functions_have_the_bits_of_the_scalar_ones);
    RUN(elementwise_functions_have_the_bits_of_the_scalar_ones_on_many_values);
    RUN(blend_and_sums_have_the_bits_of_their_naive_twins);
    RUN(blend_is_exact_at_both_ends);
    RUN(above_finds_what_its_naive_twin_finds);
    RUN(fold_and_raise_agree_with_their_naive_twins);
    RUN(at_least_k_maxima_exceed_a_raised_threshold);
    RUN(kernels_are_found_by_name);
    free(x);
    free(y);
    free(z);
    return check_done();
}
