/* Kernels in plain C, packing, and the choice of an implementation.
 *
 * The naive kernels are the specification: short loops with fmaf in the order that
 * core/kernel.h promises. The fast ones (core/kernel_vec.inc, built for AVX2 and AVX-512)
 * must give the same bits; tests/unit/test_kernel.c compares them on awkward sizes.
 *
 * Why own kernels: OpenBLAS gives another last bit for another number of rows and another
 * CPU, and a replay cuts batches differently. Here an output is one chain of fused
 * multiply-adds over k, so rows and outputs may be blocked at will. */
#include "core/kernel.h"

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/vmath.h"
#include "eddy/error.h"

enum { PANEL = 16, LANES = 16 };

float *eddy_floats_new(size_t count)
{
    if (count > (SIZE_MAX - 63) / sizeof(float))
        return NULL;
    size_t size = (count * sizeof(float) + 63) / 64 * 64;
    float *floats = aligned_alloc(64, size ? size : 64);
    if (floats)
        memset(floats, 0, size);
    return floats;
}

int eddy_packed_zero(struct eddy_packed *packed, uint32_t outputs, uint32_t inputs)
{
    uint32_t panels = outputs / PANEL + (outputs % PANEL != 0);
    *packed =
        (struct eddy_packed){.outputs = outputs, .inputs = inputs, .panels = panels};
    packed->data = eddy_floats_new((size_t)panels * inputs * PANEL);
    packed->bias = eddy_floats_new((size_t)panels * PANEL);
    if (packed->data && packed->bias)
        return 0;
    eddy_packed_fini(packed);
    return EDDY_ENOMEM;
}

void eddy_packed_set(struct eddy_packed *packed, uint32_t first, uint32_t count,
                     const float *from)
{
    for (uint32_t o = 0; o < packed->outputs; o++) {
        size_t panel = (size_t)(o / PANEL) * packed->inputs + first;
        float *to = packed->data + panel * PANEL + o % PANEL;
        const float *row = from + (size_t)o * count;
        for (uint32_t k = 0; k < count; k++)
            to[(size_t)k * PANEL] = row[k];
    }
}

int eddy_packed_init(struct eddy_packed *packed, const float *from, const float *bias,
                     uint32_t outputs, uint32_t inputs)
{
    if (eddy_packed_zero(packed, outputs, inputs) < 0)
        return EDDY_ENOMEM;
    if (inputs > 0)
        eddy_packed_set(packed, 0, inputs, from);
    if (bias)
        memcpy(packed->bias, bias, (size_t)outputs * sizeof(*bias));
    return 0;
}

void eddy_packed_fini(struct eddy_packed *packed)
{
    free(packed->data);
    free(packed->bias);
    *packed = (struct eddy_packed){0};
}

static void naive_matmul_panels(const struct eddy_packed *w, uint32_t first_panel,
                                uint32_t panel_count, uint32_t rows, const float *x,
                                size_t x_stride, float *y, size_t y_stride)
{
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t o = 0; o < panel_count * PANEL; o++) {
            size_t panel = (size_t)first_panel + o / PANEL;
            const float *column = w->data + panel * w->inputs * PANEL + o % PANEL;
            float sum = w->bias[panel * PANEL + o % PANEL];
            for (uint32_t k = 0; k < w->inputs; k++)
                sum = fmaf(column[(size_t)k * PANEL], x[r * x_stride + k], sum);
            y[r * y_stride + o] = sum;
        }
    }
}

static void naive_matmul(const struct eddy_packed *w, uint32_t rows, const float *x,
                         size_t x_stride, float *y, size_t y_stride)
{
    naive_matmul_panels(w, 0, w->panels, rows, x, x_stride, y, y_stride);
}

/* The tree of layer_norm's contract; destroys lanes. */
static float add_lanes(float *lanes)
{
    for (int half = LANES / 2; half > 0; half /= 2) {
        for (int l = 0; l < half; l++)
            lanes[l] += lanes[l + half];
    }
    return lanes[0];
}

static void naive_layer_norm(const float *x, const float *gain, const float *bias,
                             uint32_t n, float *y)
{
    float sums[LANES] = {0}, squares[LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        sums[i % LANES] += x[i];
    float mean = add_lanes(sums) / (float)n;
    for (uint32_t i = 0; i < n; i++)
        squares[i % LANES] = fmaf(x[i] - mean, x[i] - mean, squares[i % LANES]);
    float inverse = 1.0F / sqrtf(add_lanes(squares) / (float)n + 1e-5F);
    for (uint32_t i = 0; i < n; i++)
        y[i] = fmaf((x[i] - mean) * inverse, gain[i], bias[i]);
}

static void naive_sigmoid(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = eddy_sigmoidf(x[i]);
}

static void naive_tanh(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = eddy_tanhf(x[i]);
}

static void naive_gelu(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = eddy_geluf(x[i]);
}

static void naive_log1p(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = eddy_log1pf(x[i]);
}

static void naive_blend(float *s, const float *z, const float *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        s[i] = fmaf(z[i], c[i] - s[i], s[i]);
}

static void naive_add(float *y, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void naive_mul_add(float *y, const float *a, const float *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        y[i] = fmaf(a[i], b[i], y[i]);
}

static uint32_t naive_above(const float *values, uint32_t n, float threshold,
                            uint16_t *ret_index)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (values[i] > threshold)
            ret_index[count++] = (uint16_t)i;
    }
    return count;
}

static void naive_fold(float *maxima, uint32_t groups, uint32_t first,
                       const float *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        float *maximum = &maxima[(first + i) % groups];
        *maximum = values[i] > *maximum ? values[i] : *maximum;
    }
}

static float naive_raise(const float *maxima, uint32_t groups, uint32_t k,
                         float threshold)
{
    float low = maxima[0], high = maxima[0];
    for (uint32_t g = 1; g < groups; g++) {
        low = maxima[g] < low ? maxima[g] : low;
        high = maxima[g] > high ? maxima[g] : high;
    }
    low = low > threshold ? low : threshold;
    for (int round = 0; round < EDDY_RAISE_ROUNDS; round++) {
        float middle = 0.5F * high + 0.5F * low; /* NaN or infinite: none is found */
        uint32_t count = 0;
        for (uint32_t g = 0; g < groups; g++)
            count += maxima[g] > middle;
        if (count >= k)
            threshold = low = middle;
        else
            high = middle;
    }
    return threshold;
}

static const struct eddy_kernels naive = {
    .name = "naive",
    .matmul = naive_matmul,
    .matmul_panels = naive_matmul_panels,
    .layer_norm = naive_layer_norm,
    .sigmoid = naive_sigmoid,
    .tanh = naive_tanh,
    .gelu = naive_gelu,
    .log1p = naive_log1p,
    .blend = naive_blend,
    .add = naive_add,
    .mul_add = naive_mul_add,
    .above = naive_above,
    .fold = naive_fold,
    .raise = naive_raise,
};

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
}

const struct eddy_kernels *eddy_kernels_find(const char *name)
{
    if (!strcmp(name, naive.name))
        return &naive;
    if (!strcmp(name, eddy_kernels_avx2.name) && has_avx2())
        return &eddy_kernels_avx2;
    if (!strcmp(name, eddy_kernels_avx512.name) && has_avx512())
        return &eddy_kernels_avx512;
    return NULL;
}

static const struct eddy_kernels *choose(void)
{
    const char *wish = getenv("EDDY_KERNELS");
    const struct eddy_kernels *kernels = wish ? eddy_kernels_find(wish) : NULL;
    if (!kernels)
        kernels = eddy_kernels_find("avx512");
    if (!kernels)
        kernels = eddy_kernels_find("avx2");
    return kernels ? kernels : &naive;
}

const struct eddy_kernels *eddy_kernels_get(void)
{
    /* Threads that race here choose the same; the table itself is constant data, so the
     * pointer needs no ordering. */
    static _Atomic(const struct eddy_kernels *) chosen;
    const struct eddy_kernels *kernels =
        atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!kernels) {
        kernels = choose();
        atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
    }
    return kernels;
}
