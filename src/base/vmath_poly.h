/* Layer: base.  Constants of base/vmath.h, shared by the scalar functions in vmath.c and
 * the vector functions in core/kernel_vec.inc: two copies would drift apart. The polynomial
 * coefficients are own fits (interpolation at Chebyshev nodes in 60 digits, rounded). */
#ifndef EDDY_BASE_VMATH_POLY_H
#define EDDY_BASE_VMATH_POLY_H

/* exp: x = n ln 2 + r, |r| <= ln(2)/2; exp(r) = 1 + r + r^2 q(r). ln 2 in two parts, the
 * first with 16 significant bits so that n ln2_hi is exact. Adding ROUND (1.5 * 2^23)
 * leaves n in the low bits of the sum. */
static const float EXP_LO = -87.3F, EXP_HI = 88.3F;
static const float LOG2_E = 0x1.715476p+0F, ROUND = 0x1.8p23F;
static const float LN2_HI = 0x1.62e4p-1F, LN2_LO = 0x1.7f7d1cp-20F;
static const float EXP_Q0 = 0.5F, EXP_Q1 = 0x1.5554dcp-3F, EXP_Q2 = 0x1.55551ap-5F,
                   EXP_Q3 = 0x1.120b7cp-7F, EXP_Q4 = 0x1.6d1116p-10F;

/* log: x = 2^n (1 + f), 1 + f in [sqrt 1/2, sqrt 2); s = f / (2 + f), z = s^2;
 * log(1 + f) = f - f^2/2 + s (f^2/2 + z p(z)) (the form of FreeBSD's libm, e_log.c). */
static const float LOG_P0 = 0x1.555556p-1F, LOG_P1 = 0x1.9999ecp-2F,
                   LOG_P2 = 0x1.245c28p-2F, LOG_P3 = 0x1.ddd4dap-3F;

/* tanh: |x| < TANH_SMALL: x + x z p(z), z = x^2; else 1 - 2 / (exp(2 |x|) + 1). */
static const float TANH_SMALL = 0.625F;
static const float TANH_P0 = -0x1.555556p-2F, TANH_P1 = 0x1.1110eap-3F,
                   TANH_P2 = -0x1.ba08c4p-5F, TANH_P3 = 0x1.64a976p-6F,
                   TANH_P4 = -0x1.116a1p-7F, TANH_P5 = 0x1.2c83a8p-9F;

/* GELU: x / (1 + exp(-2u)), 2u = x (K1 + K3 x^2), K1 = 2 sqrt(2/pi), K3 = 0.044715 K1;
 * which is x (1 + tanh u) / 2. Below GELU_LO the result is 0 to 37 digits, and x^2 would
 * overflow for the most negative x. */
static const float GELU_LO = -20.0F;
static const float GELU_K1 = 1.5957691669F, GELU_K3 = 0.0713548139F;

#endif
