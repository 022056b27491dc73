/* Scalar elementary functions; the vector twins are in core/kernel_vec.inc and do the same
 * operations in the same order (tests/unit/test_kernel.c compares the bits). fmaf is one
 * rounding by the C standard, in hardware or not.
 *
 * NaN: comparisons are written so that a NaN falls to a harmless constant (the semantics
 * of the vector min and max instructions); at the end x + x is returned for it. */
#include "base/vmath.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/vmath_poly.h"

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

/* exp for anything; a NaN counts as exp_lo. */
static float exp_clamped(float x)
{
    x = x > exp_lo ? x : exp_lo;
    x = x < exp_hi ? x : exp_hi;
    float shifted = fmaf(x, log2_e, exp_round);
    float n = shifted - exp_round;
    float r = fmaf(n, -ln2_hi, x);
    r = fmaf(n, -ln2_lo, r);
    float q = fmaf(exp_q4, r, exp_q3);
    q = fmaf(q, r, exp_q2);
    q = fmaf(q, r, exp_q1);
    q = fmaf(q, r, exp_q0);
    float y = fmaf(q, r * r, r) + 1.0F;
    uint32_t scale = (bits_of(shifted) << 23) + 0x3f800000U; /* 2^n */
    return y * float_of(scale);
}

float eddy_expf(float x)
{
    return isnan(x) ? x + x : exp_clamped(x);
}

float eddy_logf(float x)
{
    if (isnan(x) || x == INFINITY)
        return x + x;
    x = x > FLT_MIN ? x : FLT_MIN;
    /* Bits above those of sqrt(1/2), in units of the exponent, are n. */
    uint32_t above = bits_of(x) - 0x3f3504f3U;
    int32_t n_int = (int32_t)above >> 23;
    float n = (float)n_int;
    float f = float_of(bits_of(x) - ((uint32_t)n_int << 23)) - 1.0F;
    float s = f / (2.0F + f);
    float z = s * s;
    float p = fmaf(log_p3, z, log_p2);
    p = fmaf(p, z, log_p1);
    p = fmaf(p, z, log_p0);
    float half = 0.5F * f * f;
    float low = fmaf(s, fmaf(p, z, half), n * ln2_lo);
    return fmaf(n, ln2_hi, (low - half) + f);
}

float eddy_log1pf(float x)
{
    float u = 1.0F + x;
    /* log(u) belongs to u, not to 1 + x: the quotient repairs the rounding of the sum. */
    if (u == 1.0F || isnan(x) || u == INFINITY)
        return x;
    return eddy_logf(u) * (x / (u - 1.0F));
}

float eddy_tanhf(float x)
{
    if (isnan(x))
        return x + x;
    float a = fabsf(x);
    float y;
    if (a < tanh_small) {
        float z = a * a;
        float p = fmaf(tanh_p5, z, tanh_p4);
        p = fmaf(p, z, tanh_p3);
        p = fmaf(p, z, tanh_p2);
        p = fmaf(p, z, tanh_p1);
        p = fmaf(p, z, tanh_p0);
        y = fmaf(p, z * a, a);
    } else {
        y = 1.0F - 2.0F / (exp_clamped(a + a) + 1.0F);
    }
    return copysignf(y, x);
}

float eddy_sigmoidf(float x)
{
    return isnan(x) ? x + x : 1.0F / (1.0F + exp_clamped(-x));
}

float eddy_geluf(float x)
{
    if (isnan(x))
        return x + x;
    x = x > gelu_lo ? x : gelu_lo;
    float u2 = x * fmaf(gelu_k3, x * x, gelu_k1);
    return x / (1.0F + exp_clamped(-u2));
}
