/* Layer: base.  Own exp, log, tanh, sigmoid in fp32, built only from fused multiply-add,
 * add, multiply and integer operations in one fixed order, so that the scalar versions
 * here and the vector versions in core/kernel give the same bits on every x86-64 with
 * FMA. Maximal error about 2 ulp (tests/unit/test_vmath.c checks against libm). */
#ifndef EDDY_BASE_VMATH_H
#define EDDY_BASE_VMATH_H

float eddy_expf(float x);     /* clamps to [-87.3, 88.3]; NaN stays NaN */
float eddy_logf(float x);     /* x > 0; 0 gives -87.4 */
float eddy_tanhf(float x);    /* saturates beyond |x| > 9 */
float eddy_sigmoidf(float x); /* 1 / (1 + exp(-x)) */
float eddy_geluf(float x);    /* tanh form (Hendrycks, Gimpel 2016) */

#endif
