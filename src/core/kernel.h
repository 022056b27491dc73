/* Layer: core.  Fixed-order kernels of serving. Each output is one chain of fused
 * multiply-adds over the input index in rising order, so the bits depend neither on the
 * vector width (AVX2, AVX-512, plain C) nor on how many rows are computed together.
 * Three implementations of one table; naive is the slow twin in plain C with fmaf. Where a
 * result is NaN, all have a NaN; which one (sign, payload) is not promised. */
#ifndef EDDY_CORE_KERNEL_H
#define EDDY_CORE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/* A matrix (outputs, inputs) packed for y = W x: panels of 16 outputs,
 * data[panel][input][16], the last panel padded with zeros; bias[panel * 16]. */
struct eddy_packed {
    float *data; /* 64-byte aligned, owned */
    float *bias; /* padded to 16, owned; zeros when there is none */
    uint32_t outputs, inputs, panels;
};
/* from: row-major (outputs, inputs); bias may be NULL. 0 or EDDY_ENOMEM. */
int eddy_packed_init(struct eddy_packed *packed, const float *from, const float *bias,
                     uint32_t outputs, uint32_t inputs);
/* All zeros. 0 or EDDY_ENOMEM. */
int eddy_packed_zero(struct eddy_packed *packed, uint32_t outputs, uint32_t inputs);
/* Inputs [first, first + count) of all outputs; from: row-major (outputs, count). */
void eddy_packed_set(struct eddy_packed *packed, uint32_t first, uint32_t count,
                     const float *from);
void eddy_packed_fini(struct eddy_packed *packed);

/* Zeroed, 64-byte aligned floats; free with free(). NULL: memory. */
float *eddy_floats_new(size_t count);

struct eddy_kernels {
    const char *name; /* "avx512", "avx2", "naive" */

    /* y[r][o] = bias[o] + sum_k W[o][k] x[r][k], chain starts with bias, k rises.
     * x: (rows, x_stride), y: (rows, y_stride >= panels * 16); all of the padding of y is
     * written. */
    void (*matmul)(const struct eddy_packed *w, uint32_t rows, const float *x,
                   size_t x_stride, float *y, size_t y_stride);

    /* As matmul for the panels first_panel .. first_panel + panel_count - 1 only, y holds
     * panel_count * 16 columns: the scoring tile. */
    void (*matmul_panels)(const struct eddy_packed *w, uint32_t first_panel,
                          uint32_t panel_count, uint32_t rows, const float *x,
                          size_t x_stride, float *y, size_t y_stride);

    /* y = (x - mean) / sqrt(variance + 1e-5) * gain + bias over n values. Sums run in 16
     * lanes (index mod 16), lanes are added as a tree: (l, l+8), (l, l+4), (l, l+2), (l,
     * l+1); missing values of the last group of 16 count as 0 (and are not deviations).
     * y may be x. */
    void (*layer_norm)(const float *x, const float *gain, const float *bias, uint32_t n,
                       float *y);

    /* Elementwise over n values, each the scalar function of base/vmath.h. */
    void (*sigmoid)(float *x, uint32_t n);
    void (*tanh)(float *x, uint32_t n);
    void (*gelu)(float *x, uint32_t n);
    void (*log1p)(float *x, uint32_t n);
    /* s = fma(z, c - s, s) */
    void (*blend)(float *s, const float *z, const float *c, uint32_t n);
    /* y += x */
    void (*add)(float *y, const float *x, uint32_t n);
    /* y = fma(a, b, y) */
    void (*mul_add)(float *y, const float *a, const float *b, uint32_t n);

    /* Indices (rising) of values > threshold among n (n <= 4096), count returned: the
     * filter in front of top-K. NaN is never above. ret_index: room for n. */
    uint32_t (*above)(const float *values, uint32_t n, float threshold,
                      uint16_t *ret_index);
    /* Fold n values into the maxima of groups (a multiple of 16): value i belongs to group
     * (first + i) mod groups; first is a multiple of 16 below groups. NaN is passed over. */
    void (*fold)(float *maxima, uint32_t groups, uint32_t first, const float *values,
                 uint32_t n);
    /* A number that at least k of the maxima exceed, found by 10 halvings from threshold
     * (which at least k exceed, or -infinity) upwards; threshold when none is found. */
    float (*raise)(const float *maxima, uint32_t groups, uint32_t k, float threshold);
};

/* Halvings of raise: beyond 10 the threshold moves by less than 0.1 % of the range. */
enum { EDDY_RAISE_ROUNDS = 10 };

/* The best the CPU can run; EDDY_KERNELS=naive|avx2|avx512 in the environment of a test
 * or bench chooses another. Thread: any, constant after the first call. */
const struct eddy_kernels *eddy_kernels_get(void);
/* By name, NULL when the CPU cannot run it. */
const struct eddy_kernels *eddy_kernels_find(const char *name);

/* For kernel.c, which asks the CPU first. */
extern const struct eddy_kernels eddy_kernels_avx2, eddy_kernels_avx512;

#endif
