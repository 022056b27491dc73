/* The kernels with 16-lane vectors; the functions are in core/kernel_vec.inc. Built with
 * AVX-512 flags: nothing here may run before core/kernel.c has asked the CPU. */
#include <immintrin.h>
#include <stdint.h>

#define TABLE      eddy_kernels_avx512
#define TABLE_NAME "avx512"
#define VEC        __m512
#define MASK       __mmask16

enum { WIDTH = 16 };

/* 8 rows x 3 panels: 24 accumulators, 3 weights and a broadcast row value in 32 registers,
 * 11 loads for 24 products. Measured (bench/bench_score.c's sizes, Zen 5): as fast as 12x2,
 * 14x2 and 6x4, all at the peak of two products per cycle; 8 divides a batch of 64. Few
 * rows take more panels, so that enough independent chains hide the latency. */
enum { ROWS = 8 };
#define PANEL_STEPS                                                                    \
    {                                                                                  \
        8, 6, 4, 4, 3, 3, 3, 3                                                         \
    }
/* clang-format off */
#define BLOCKS(XX)                                                                     \
    XX(1, 1) XX(1, 2) XX(1, 3) XX(1, 4) XX(1, 5) XX(1, 6) XX(1, 7) XX(1, 8)            \
    XX(2, 1) XX(2, 2) XX(2, 3) XX(2, 4) XX(2, 5) XX(2, 6)                              \
    XX(3, 1) XX(3, 2) XX(3, 3) XX(3, 4)                                                \
    XX(4, 1) XX(4, 2) XX(4, 3) XX(4, 4)                                                \
    XX(5, 1) XX(5, 2) XX(5, 3)                                                         \
    XX(6, 1) XX(6, 2) XX(6, 3)                                                         \
    XX(7, 1) XX(7, 2) XX(7, 3)                                                         \
    XX(8, 1) XX(8, 2) XX(8, 3)
/* clang-format on */

static inline VEC load(const float *from)
{
    return _mm512_loadu_ps(from);
}

static inline void store(float *to, VEC x)
{
    _mm512_storeu_ps(to, x);
}

/* The first n lanes; all of them for n >= WIDTH. */
static inline MASK first_lanes(uint32_t n)
{
    return n >= WIDTH ? 0xffff : (MASK)((1U << n) - 1);
}

static inline VEC load_part(const float *from, MASK mask)
{
    return _mm512_maskz_loadu_ps(mask, from);
}

static inline void store_part(float *to, MASK mask, VEC x)
{
    _mm512_mask_storeu_ps(to, mask, x);
}

static inline VEC keep_part(MASK mask, VEC x)
{
    return _mm512_maskz_mov_ps(mask, x);
}

static inline VEC splat(float x)
{
    return _mm512_set1_ps(x);
}

static inline VEC madd(VEC a, VEC b, VEC c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline VEC add(VEC a, VEC b)
{
    return _mm512_add_ps(a, b);
}

static inline VEC sub(VEC a, VEC b)
{
    return _mm512_sub_ps(a, b);
}

static inline VEC mul(VEC a, VEC b)
{
    return _mm512_mul_ps(a, b);
}

static inline VEC quot(VEC a, VEC b)
{
    return _mm512_div_ps(a, b);
}

/* a > b ? a : b, so b when a is NaN. */
static inline VEC greater(VEC a, VEC b)
{
    return _mm512_max_ps(a, b);
}

/* a < b ? a : b, so b when a is NaN. */
static inline VEC smaller(VEC a, VEC b)
{
    return _mm512_min_ps(a, b);
}

/* a < b ? x : y */
static inline VEC if_less(VEC a, VEC b, VEC x, VEC y)
{
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), x);
}

/* x is NaN ? x + x : y */
static inline VEC or_nan(VEC x, VEC y)
{
    return _mm512_mask_add_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x, x);
}

/* Magnitude of x, and magnitude with the sign of x. */
static inline VEC magnitude(VEC x)
{
    return _mm512_abs_ps(x);
}

static inline VEC with_sign_of(VEC x, VEC y)
{
    return _mm512_or_ps(y, _mm512_and_ps(x, _mm512_set1_ps(-0.0F)));
}

/* 2^n, n in the low bits of shifted (base/vmath_poly.h). */
static inline VEC power_of_two(VEC shifted)
{
    __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}

/* x = 2^n m, m in [sqrt 1/2, sqrt 2): bits above those of sqrt(1/2), in units of the
 * exponent, are n. */
static inline VEC split(VEC x, VEC *ret_n)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i above = _mm512_sub_epi32(bits, _mm512_set1_epi32(0x3f3504f3));
    __m512i n = _mm512_srai_epi32(above, 23);
    *ret_n = _mm512_cvtepi32_ps(n);
    return _mm512_castsi512_ps(_mm512_sub_epi32(bits, _mm512_slli_epi32(n, 23)));
}

/* Bit per lane with x > y. */
static inline uint32_t lanes_above(VEC x, VEC y)
{
    return _mm512_cmp_ps_mask(x, y, _CMP_GT_OQ);
}

/* Lanes l and l + 8 of the 16 added. */
static inline __m256 add_halves(const VEC *lanes)
{
    return _mm256_add_ps(_mm512_castps512_ps256(lanes[0]),
                         _mm512_extractf32x8_ps(lanes[0], 1));
}

static inline float lane_min(VEC x)
{
    return _mm512_reduce_min_ps(x);
}

static inline float lane_max(VEC x)
{
    return _mm512_reduce_max_ps(x);
}

#include "core/kernel_vec.inc"
