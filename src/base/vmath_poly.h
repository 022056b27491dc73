/* Layer: base.  Constants of base/vmath.h, shared by the scalar functions in vmath.c and
 * the vector functions in core/kernel_vec.inc: two copies would drift apart. The polynomial
 * coefficients are own fits (interpolation at Chebyshev nodes in 60 digits, rounded). */
#ifndef EDDY_BASE_VMATH_POLY_H
#define EDDY_BASE_VMATH_POLY_H

/* exp: x = n ln 2 + r, |r| <= ln(2)/2; exp(r) = 1 + r + r^2 q(r). ln 2 in two parts, the
 * first with 16 significant bits so that n ln2_hi is exact. Adding exp_round (1.5 * 2^23)
 * leaves n in the low bits of the sum. */
static const float exp_lo = -87.3F, exp_hi = 88.3F;
static const float log2_e = 0x1.715476p+0F, exp_round = 0x1.8p23F;
static const float ln2_hi = 0x1.62e4p-1F, ln2_lo = 0x1.7f7d1cp-20F;
static const float exp_q0 = 0.5F, exp_q1 = 0x1.5554dcp-3F, exp_q2 = 0x1.55551ap-5F,
                   exp_q3 = 0x1.120b7cp-7F, exp_q4 = 0x1.6d1116p-10F;

/* log: x = 2^n (1 + f), 1 + f in [sqrt 1/2, sqrt 2); s = f / (2 + f), z = s^2;
 * log(1 + f) = f - f^2/2 + s (f^2/2 + z p(z)) (the form of FreeBSD's libm, e_log.c). */
static const float log_p0 = 0x1.555556p-1F, log_p1 = 0x1.9999ecp-2F,
                   log_p2 = 0x1.245c28p-2F, log_p3 = 0x1.ddd4dap-3F;

/* tanh: |x| < tanh_small: x + x z p(z), z = x^2; else 1 - 2 / (exp(2 |x|) + 1). */
static const float tanh_small = 0.625F;
static const float tanh_p0 = -0x1.555556p-2F, tanh_p1 = 0x1.1110eap-3F,
                   tanh_p2 = -0x1.ba08c4p-5F, tanh_p3 = 0x1.64a976p-6F,
                   tanh_p4 = -0x1.116a1p-7F, tanh_p5 = 0x1.2c83a8p-9F;

/* GELU: x / (1 + exp(-2u)), 2u = x (K1 + K3 x^2), K1 = 2 sqrt(2/pi), K3 = 0.044715 K1;
 * which is x (1 + tanh u) / 2. Below gelu_lo the result is 0 to 37 digits, and x^2 would
 * overflow for the most negative x. */
static const float gelu_lo = -20.0F;
static const float gelu_k1 = 1.5957691669F, gelu_k3 = 0.0713548139F;

#endif
