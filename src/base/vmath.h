/* Layer: base.  Own exp, log, tanh, sigmoid and GELU in fp32, built only from fused
 * multiply-add, add, multiply, divide and integer operations in one fixed order, so that
 * the scalar versions here and the vector versions in core/kernel give the same bits on
 * every x86-64 with FMA. NaN stays NaN. Thread: any. Errors against libm, over all floats
 * of the useful range (tests/unit/test_vmath.c): exp, log, tanh at most 2 ulp, sigmoid 3. */
#ifndef EDDY_BASE_VMATH_H
#define EDDY_BASE_VMATH_H

float eddy_expf(float x); /* x is clamped to [-87.3, 88.3]: never 0, never infinite */
float eddy_logf(float x); /* x below FLT_MIN, negative too, gives log FLT_MIN: -87.34 */
float eddy_log1pf(float x);   /* log(1 + x), x >= 0, exact for small x */
float eddy_tanhf(float x);    /* 1 from about 9.02 on */
float eddy_sigmoidf(float x); /* 1 / (1 + exp(-x)); never 0 */
float eddy_geluf(float x); /* tanh form (Hendrycks, Gimpel 2016); absolute 4e-7 |x| */

#endif
