/* Layer: core.  The vector kernels, included by kernel_avx2.c and kernel_avx512.c after
 * they have defined VEC, MASK, WIDTH, their primitives, and the register blocks.
 *
 * Same bits as the naive twins in kernel.c:
 *  1. An output of a matrix product is one chain of fma over k, started with the bias. The
 *     blocks keep rows x panels of such chains in registers and walk k once, so neither
 *     block shape nor vector width is visible in the result.
 *  2. Elementwise functions are the operations of base/vmath.c, lane by lane.
 *  3. Sums of layer_norm run in 16 lanes whatever the width, then down a fixed tree.
 *  4. Quotients and roots are the correctly rounded instructions, never estimates. */
#ifndef EDDY_CORE_KERNEL_VEC_H
#define EDDY_CORE_KERNEL_VEC_H

#include "base/vmath_poly.h"
#include "core/kernel.h"

enum { PANEL = 16, PARTS = PANEL / WIDTH, BLOCK_PANELS_MAX = 8 };

#define INLINE static inline __attribute__((always_inline))

/* The vector at from, of which left values (or more) exist; missing ones are 0. Whole
 * vectors go without a mask: masked stores of AVX2 are slow on some CPUs. */
INLINE VEC get(const float *from, uint32_t left)
{
    return left >= WIDTH ? load(from) : load_part(from, first_lanes(left));
}

INLINE void put(float *to, uint32_t left, VEC x)
{
    if (left >= WIDTH)
        store(to, x);
    else
        store_part(to, first_lanes(left), x);
}

/* w: first panel of the block; next: a panel to bring nearer, a line per k. rows and panels
 * are literals at every call: the loops over them unroll and acc lives in registers. */
INLINE void block(const float *w, const float *next, const float *bias, uint32_t inputs,
                  const float *x, size_t x_stride, float *y, size_t y_stride,
                  const int rows, const int panels)
{
    VEC acc[ROWS][BLOCK_PANELS_MAX * PARTS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
        for (int p = 0; p < panels * PARTS; p++)
            acc[r][p] = load(bias + p * WIDTH);
    }
    for (size_t k = 0; k < inputs; k++) {
        VEC weights[BLOCK_PANELS_MAX * PARTS];
        _mm_prefetch((const char *)(next + k * PANEL), _MM_HINT_T1);
#pragma GCC unroll 16
        for (int p = 0; p < panels * PARTS; p++) {
            const float *panel = w + (size_t)(p / PARTS) * inputs * PANEL;
            weights[p] = load(panel + k * PANEL + (size_t)(p % PARTS) * WIDTH);
        }
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            VEC value = splat(x[(size_t)r * x_stride + k]);
#pragma GCC unroll 16
            for (int p = 0; p < panels * PARTS; p++)
                acc[r][p] = madd(weights[p], value, acc[r][p]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 16
        for (int p = 0; p < panels * PARTS; p++)
            store(y + (size_t)r * y_stride + p * WIDTH, acc[r][p]);
    }
}

typedef void (*block_fn)(const float *w, const float *next, const float *bias,
                         uint32_t inputs, const float *x, size_t x_stride, float *y,
                         size_t y_stride);

#define XX(rows, panels)                                                               \
    static void block_##rows##x##panels(const float *w, const float *next,             \
                                        const float *bias, uint32_t inputs,            \
                                        const float *x, size_t x_stride, float *y,     \
                                        size_t y_stride)                               \
    {                                                                                  \
        block(w, next, bias, inputs, x, x_stride, y, y_stride, rows, panels);          \
    }
BLOCKS(XX)
#undef XX

static const block_fn blocks[ROWS][BLOCK_PANELS_MAX] = {
#define XX(rows, panels) [rows - 1][panels - 1] = block_##rows##x##panels,
    BLOCKS(XX)
#undef XX
};
static const uint8_t panel_steps[ROWS] = PANEL_STEPS;

/* Rows in groups of `group` <= ROWS, rows a multiple of it. A step of panels stays in the
 * first-level cache while all rows pass over it; meanwhile each group of rows brings one
 * of the panels behind it nearer (bench_score with a cold table: a third faster). */
static void pass(const struct eddy_packed *w, uint32_t first_panel,
                 uint32_t panel_count, uint32_t group, uint32_t rows, const float *x,
                 size_t x_stride, float *y, size_t y_stride)
{
    const uint32_t step = panel_steps[group - 1];
    const size_t panel_size = (size_t)w->inputs * PANEL;
    for (uint32_t p = 0; p < panel_count; p += step) {
        uint32_t panels = panel_count - p < step ? panel_count - p : step;
        block_fn run = blocks[group - 1][panels - 1];
        uint32_t panel = first_panel + p, next = panel + panels;
        for (uint32_t r = 0; r < rows; r += group, next++)
            run(w->data + panel * panel_size,
                w->data + (next < w->panels ? next : panel) * panel_size,
                w->bias + (size_t)panel * PANEL, w->inputs, x + r * x_stride, x_stride,
                y + r * y_stride + (size_t)p * PANEL, y_stride);
    }
}

static void matmul_panels(const struct eddy_packed *w, uint32_t first_panel,
                          uint32_t panel_count, uint32_t rows, const float *x,
                          size_t x_stride, float *y, size_t y_stride)
{
    uint32_t full = rows / ROWS * ROWS;
    if (full)
        pass(w, first_panel, panel_count, ROWS, full, x, x_stride, y, y_stride);
    if (rows > full)
        pass(w, first_panel, panel_count, rows - full, rows - full, x + full * x_stride,
             x_stride, y + full * y_stride, y_stride);
}

static void matmul(const struct eddy_packed *w, uint32_t rows, const float *x,
                   size_t x_stride, float *y, size_t y_stride)
{
    matmul_panels(w, 0, w->panels, rows, x, x_stride, y, y_stride);
}

/* The 16 lanes in PARTS vectors, added as the tree (l, l+8), (l, l+4), (l, l+2), (l, l+1). */
INLINE float add_lanes(const VEC *lanes)
{
    __m256 eight = add_halves(lanes);
    __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static void layer_norm(const float *x, const float *gain, const float *bias, uint32_t n,
                       float *y)
{
    VEC sums[PARTS], squares[PARTS];
    for (int part = 0; part < PARTS; part++)
        sums[part] = squares[part] = splat(0.0F);
    uint32_t whole = n / PANEL * PANEL;
    for (uint32_t i = 0; i < whole; i += PANEL) {
        for (uint32_t part = 0; part < PARTS; part++)
            sums[part] = add(sums[part], load(x + i + part * WIDTH));
    }
    /* The last, partial group of 16. */
    MASK last[PARTS];
    for (uint32_t part = 0; part < PARTS; part++) {
        uint32_t before = whole + part * WIDTH;
        last[part] = first_lanes(n > before ? n - before : 0);
        sums[part] = add(sums[part], load_part(x + before, last[part]));
    }
    VEC mean = splat(add_lanes(sums) / (float)n);
    for (uint32_t i = 0; i < whole; i += PANEL) {
        for (uint32_t part = 0; part < PARTS; part++) {
            VEC d = sub(load(x + i + part * WIDTH), mean);
            squares[part] = madd(d, d, squares[part]);
        }
    }
    for (uint32_t part = 0; part < PARTS; part++) {
        VEC d = sub(load_part(x + whole + part * WIDTH, last[part]), mean);
        d = keep_part(last[part], d);
        squares[part] = madd(d, d, squares[part]);
    }
    __m128 variance = _mm_set_ss(add_lanes(squares) / (float)n + 1e-5F);
    VEC inverse = splat(1.0F / _mm_cvtss_f32(_mm_sqrt_ss(variance)));
    for (uint32_t i = 0; i < n; i += WIDTH) {
        VEC d = mul(sub(get(x + i, n - i), mean), inverse);
        put(y + i, n - i, madd(d, get(gain + i, n - i), get(bias + i, n - i)));
    }
}

/* exp_clamped of base/vmath.c: a NaN counts as EXP_LO. */
INLINE VEC exp_clamped(VEC x)
{
    x = smaller(greater(x, splat(EXP_LO)), splat(EXP_HI));
    VEC shifted = madd(x, splat(LOG2_E), splat(ROUND));
    VEC n = sub(shifted, splat(ROUND));
    VEC r = madd(n, splat(-LN2_HI), x);
    r = madd(n, splat(-LN2_LO), r);
    VEC q = madd(splat(EXP_Q4), r, splat(EXP_Q3));
    q = madd(q, r, splat(EXP_Q2));
    q = madd(q, r, splat(EXP_Q1));
    q = madd(q, r, splat(EXP_Q0));
    VEC y = add(madd(q, mul(r, r), r), splat(1.0F));
    return mul(y, power_of_two(shifted));
}

INLINE VEC map_sigmoid(VEC x)
{
    VEC e = exp_clamped(sub(splat(-0.0F), x));
    return or_nan(x, quot(splat(1.0F), add(splat(1.0F), e)));
}

INLINE VEC map_tanh(VEC x)
{
    VEC a = magnitude(x);
    VEC z = mul(a, a);
    VEC p = madd(splat(TANH_P5), z, splat(TANH_P4));
    p = madd(p, z, splat(TANH_P3));
    p = madd(p, z, splat(TANH_P2));
    p = madd(p, z, splat(TANH_P1));
    p = madd(p, z, splat(TANH_P0));
    VEC small = madd(p, mul(z, a), a);
    VEC e = exp_clamped(add(a, a));
    VEC large = sub(splat(1.0F), quot(splat(2.0F), add(e, splat(1.0F))));
    return or_nan(x, with_sign_of(x, if_less(a, splat(TANH_SMALL), small, large)));
}

INLINE VEC map_gelu(VEC x)
{
    VEC c = greater(x, splat(GELU_LO));
    VEC u2 = mul(c, madd(splat(GELU_K3), mul(c, c), splat(GELU_K1)));
    VEC e = exp_clamped(sub(splat(-0.0F), u2));
    return or_nan(x, quot(c, add(splat(1.0F), e)));
}

static void sigmoid_all(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH)
        put(x + i, n - i, map_sigmoid(get(x + i, n - i)));
}

static void tanh_all(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH)
        put(x + i, n - i, map_tanh(get(x + i, n - i)));
}

static void gelu_all(float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH)
        put(x + i, n - i, map_gelu(get(x + i, n - i)));
}

static void blend_all(float *s, const float *z, const float *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH) {
        VEC state = get(s + i, n - i);
        VEC delta = sub(get(c + i, n - i), state);
        put(s + i, n - i, madd(get(z + i, n - i), delta, state));
    }
}

static void add_all(float *y, const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH)
        put(y + i, n - i, add(get(y + i, n - i), get(x + i, n - i)));
}

static void mul_add_all(float *y, const float *a, const float *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i += WIDTH) {
        VEC sum = madd(get(a + i, n - i), get(b + i, n - i), get(y + i, n - i));
        put(y + i, n - i, sum);
    }
}

INLINE uint32_t push_lanes(uint32_t lanes, uint32_t base, uint16_t *ret_index,
                           uint32_t count)
{
    for (; lanes; lanes &= lanes - 1)
        ret_index[count++] = (uint16_t)(base + (uint32_t)__builtin_ctz(lanes));
    return count;
}

/* Hits are rare: 32 values are looked at together, single lanes only where one is above. */
static uint32_t above(const float *values, uint32_t n, float threshold,
                      uint16_t *ret_index)
{
    VEC limit = splat(threshold);
    uint32_t count = 0;
    uint32_t i = 0;
    for (; i + 32 <= n; i += 32) {
        uint32_t lanes = 0;
#pragma GCC unroll 16
        for (uint32_t j = 0; j < 32; j += WIDTH)
            lanes |= lanes_above(load(values + i + j), limit) << j;
        count = push_lanes(lanes, i, ret_index, count);
    }
    for (; i < n; i += WIDTH) {
        uint32_t valid = n - i < WIDTH ? (1U << (n - i)) - 1 : (1U << WIDTH) - 1;
        uint32_t lanes = lanes_above(get(values + i, n - i), limit);
        count = push_lanes(lanes & valid, i, ret_index, count);
    }
    return count;
}

static void fold_all(float *maxima, uint32_t groups, uint32_t first,
                     const float *values, uint32_t n)
{
    uint32_t i = 0;
    while (i < n) {
        /* Up to the last group, then again from the first. */
        uint32_t end = n - i < groups - first ? n : i + groups - first;
        float *maximum = maxima + first;
        for (; i + WIDTH <= end; i += WIDTH, maximum += WIDTH)
            store(maximum, greater(load(values + i), load(maximum)));
        for (; i < end; i++, maximum++)
            *maximum = values[i] > *maximum ? values[i] : *maximum;
        first = 0;
    }
}

static float raise_threshold(const float *maxima, uint32_t groups, uint32_t k,
                             float threshold)
{
    VEC lows = load(maxima), highs = lows;
    for (uint32_t g = WIDTH; g < groups; g += WIDTH) {
        lows = smaller(load(maxima + g), lows);
        highs = greater(load(maxima + g), highs);
    }
    float low = lane_min(lows), high = lane_max(highs);
    low = low > threshold ? low : threshold;
    for (int round = 0; round < EDDY_RAISE_ROUNDS; round++) {
        float middle = 0.5F * high + 0.5F * low;
        VEC limit = splat(middle);
        uint32_t count = 0;
        for (uint32_t g = 0; g < groups; g += WIDTH)
            count += (uint32_t)__builtin_popcount(lanes_above(load(maxima + g), limit));
        if (count >= k)
            threshold = low = middle;
        else
            high = middle;
    }
    return threshold;
}

const struct eddy_kernels TABLE = {
    .name = TABLE_NAME,
    .matmul = matmul,
    .matmul_panels = matmul_panels,
    .layer_norm = layer_norm,
    .sigmoid = sigmoid_all,
    .tanh = tanh_all,
    .gelu = gelu_all,
    .blend = blend_all,
    .add = add_all,
    .mul_add = mul_add_all,
    .above = above,
    .fold = fold_all,
    .raise = raise_threshold,
};

#endif
