/* The kernels with 8-lane vectors; the functions are in core/kernel_vec.inc. Built with AVX2
 * and FMA flags: nothing here may run before core/kernel.c has asked the CPU. */
#include <immintrin.h>
#include <stdint.h>

#define TABLE      eddy_kernels_avx2
#define TABLE_NAME "avx2"
#define VEC        __m256
#define MASK       __m256i

enum { WIDTH = 8 };

/* 6 rows x 1 panel: 12 accumulators, 2 weights and a broadcast row value in 16 registers.
 * Few rows take more panels, so that enough independent chains hide the latency. */
enum { ROWS = 6 };
#define PANEL_STEPS                                                                    \
    {                                                                                  \
        4, 3, 2, 1, 1, 1                                                               \
    }
#define BLOCKS(XX)                                                                     \
    XX(1, 1)                                                                           \
    XX(1, 2)                                                                           \
    XX(1, 3)                                                                           \
    XX(1, 4) XX(2, 1) XX(2, 2) XX(2, 3) XX(3, 1) XX(3, 2) XX(4, 1) XX(5, 1) XX(6, 1)

static inline VEC load(const float *from)
{
    return _mm256_loadu_ps(from);
}

static inline void store(float *to, VEC x)
{
    _mm256_storeu_ps(to, x);
}

/* The first n lanes; all of them for n >= WIDTH. */
static inline MASK first_lanes(uint32_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < WIDTH ? (int)n : WIDTH), lane);
}

static inline VEC load_part(const float *from, MASK mask)
{
    return _mm256_maskload_ps(from, mask);
}

static inline void store_part(float *to, MASK mask, VEC x)
{
    _mm256_maskstore_ps(to, mask, x);
}

static inline VEC keep_part(MASK mask, VEC x)
{
    return _mm256_and_ps(x, _mm256_castsi256_ps(mask));
}

static inline VEC splat(float x)
{
    return _mm256_set1_ps(x);
}

static inline VEC madd(VEC a, VEC b, VEC c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline VEC add(VEC a, VEC b)
{
    return _mm256_add_ps(a, b);
}

static inline VEC sub(VEC a, VEC b)
{
    return _mm256_sub_ps(a, b);
}

static inline VEC mul(VEC a, VEC b)
{
    return _mm256_mul_ps(a, b);
}

static inline VEC quot(VEC a, VEC b)
{
    return _mm256_div_ps(a, b);
}

/* a > b ? a : b, so b when a is NaN. */
static inline VEC greater(VEC a, VEC b)
{
    return _mm256_max_ps(a, b);
}

/* a < b ? a : b, so b when a is NaN. */
static inline VEC smaller(VEC a, VEC b)
{
    return _mm256_min_ps(a, b);
}

/* a < b ? x : y */
static inline VEC if_less(VEC a, VEC b, VEC x, VEC y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}

/* x is NaN ? x + x : y */
static inline VEC or_nan(VEC x, VEC y)
{
    return _mm256_blendv_ps(y, _mm256_add_ps(x, x), _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

/* Magnitude of x, and magnitude with the sign of x. */
static inline VEC magnitude(VEC x)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x);
}

static inline VEC with_sign_of(VEC x, VEC y)
{
    return _mm256_or_ps(y, _mm256_and_ps(x, _mm256_set1_ps(-0.0F)));
}

/* 2^n, n in the low bits of shifted (base/vmath_poly.h). */
static inline VEC power_of_two(VEC shifted)
{
    __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}

/* x = 2^n m, m in [sqrt 1/2, sqrt 2): bits above those of sqrt(1/2), in units of the
 * exponent, are n. */
static inline VEC split(VEC x, VEC *ret_n)
{
    __m256i bits = _mm256_castps_si256(x);
    __m256i above = _mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3));
    __m256i n = _mm256_srai_epi32(above, 23);
    *ret_n = _mm256_cvtepi32_ps(n);
    return _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(n, 23)));
}

/* Bit per lane with x > y. */
static inline uint32_t lanes_above(VEC x, VEC y)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GT_OQ));
}

/* Lanes l and l + 8 of the 16 added. */
static inline __m256 add_halves(const VEC *lanes)
{
    return _mm256_add_ps(lanes[0], lanes[1]);
}

static inline float lane_min(VEC x)
{
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

static inline float lane_max(VEC x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

#include "core/kernel_vec.inc"
