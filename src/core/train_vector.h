/* Layer: core.  Elementwise loops of training, compiled for AVX-512, AVX2 and plain x86-64
 * from one source (train_vector.inc). Serving has its own, bit-exact ones (core/kernel.h);
 * here the order of a sum may depend on the vector width. */
#ifndef EDDY_CORE_TRAIN_VECTOR_H
#define EDDY_CORE_TRAIN_VECTOR_H

#include <stdint.h>

/* Keyed dropout of one row: element j is kept when a 24-bit hash of (key, j) is >= cut;
 * kept values are multiplied by scale. cut 0: everything is kept. */
struct eddy_dropout {
    uint32_t key, cut;
    float scale;
};

/* Items drawn as negatives, against one target. */
struct eddy_drawn {
    const float *correction; /* added to the logits */
    const uint32_t *items, *births;
    uint32_t target, now;      /* items with a birth after now did not exist */
    float elu, regularisation; /* of bpr_max */
};

/* Steps of Adam without gradient, made up for in one go (train_rows.c). */
struct eddy_adam_skip {
    float m_decay, v_decay;
    float moved; /* of a parameter, in m / sqrt(v) */
    float average_kept, average_lag;
};

struct eddy_train_vector {
    const char *name;

    void (*add)(uint32_t n, const float *x, float *y);           /* y += x    */
    void (*axpy)(uint32_t n, float a, const float *x, float *y); /* y += a x  */
    double (*square_sum)(uint32_t n, const float *x);

    /* v = residual + drop(o + bias); xhat = (v - mean) / sd; y = xhat gain + bias.
     * residual may be NULL. Returns 1 / sd. */
    float (*norm)(uint32_t n, const float *residual, const float *o,
                  const float *o_bias, struct eddy_dropout drop, const float *gain,
                  const float *bias, float *xhat, float *y);
    /* dv from dy; dgain, dbias accumulate; d_o = drop(dv), d_o_bias accumulates (may be
     * NULL). dv may be dy. */
    void (*norm_back)(uint32_t n, const float *dy, const float *xhat, float rsd,
                      const float *gain, struct eddy_dropout drop, float *dgain,
                      float *dbias, float *dv, float *d_o, float *d_o_bias);

    /* u += bias; g = gelu(u) */
    void (*gelu)(uint32_t n, const float *bias, float *u, float *g);
    /* dg becomes du = dg gelu'(u); g = gelu(u) again; dbias accumulates */
    void (*gelu_back)(uint32_t n, const float *u, float *g, float *dg, float *dbias);

    /* z = sigmoid(z + bz + uc), c += bc, s = s0 + z (c - s0); uc may be NULL */
    void (*mingru)(uint32_t n, const float *bz, const float *uc, const float *bc,
                   const float *s0, float *z, float *c, float *s);
    /* ds: gradient at s; carry: from the next step, replaced by that for s0. dz, dc:
     * gradients before the activations. dbz, dbc accumulate. */
    void (*mingru_back)(uint32_t n, const float *ds, const float *s0, const float *z,
                        const float *c, float *carry, float *dz, float *dc, float *dbz,
                        float *dbc);

    /* gates (r, z, n), 3n floats: input side in, activations out; h: hidden side, 3n
     * floats, biases added already; hn: keeps the hidden side of n. s = (1-z) n + z s0.
     * uc: 2n floats or NULL. */
    void (*gru)(uint32_t n, const float *h, const float *uc, const float *s0,
                float *gates, float *hn, float *s);
    /* gates: activations in, gradients of the input side out; dh: of the hidden side, 3n.
     * carry as above, but without the part that goes through the hidden matrix. */
    void (*gru_back)(uint32_t n, const float *ds, const float *s0, const float *hn,
                     float *gates, float *carry, float *dh);

    /* y = tanh(y + bias) */
    void (*tanh_bias)(uint32_t n, const float *bias, float *y);
    /* dx = dy (1 - y^2); dbias accumulates */
    void (*tanh_back)(uint32_t n, const float *y, const float *dy, float *dx,
                      float *dbias);

    /* logits += bias; then the gradient scale (softmax - onehot(target)). Returns the
     * loss -log softmax(target), unscaled. */
    double (*softmax)(uint32_t n, const float *bias, uint32_t target, float scale,
                      float *logits);
    /* As softmax, over n drawn items and the target: logits += correction, drawn items
     * that are the target or too young are left out. target_logit becomes its gradient. */
    double (*softmax_sampled)(uint32_t n, const struct eddy_drawn *drawn, float scale,
                              float *logits, float *target_logit);
    /* BPR-max (Hidasi, Karatzoglou 2018) with the target over the drawn items, the same
     * way. */
    double (*bpr_max)(uint32_t n, const struct eddy_drawn *drawn, float scale,
                      float *logits, float *target_logit);
    float (*dot)(uint32_t n, const float *x, const float *y);
    /* How many of n are greater than x, and how many equal. */
    void (*count)(uint32_t n, const float *values, float x, uint32_t *ret_greater,
                  uint32_t *ret_equal);

    /* Adam (Kingma, Ba 2015): rate is the bias-corrected rate, eps 1e-8. */
    void (*adam)(uint32_t n, float rate, float correction2, const float *gradient,
                 float gradient_scale, float *m, float *v, float *params);
    /* average may be NULL */
    void (*adam_skip)(uint32_t n, const struct eddy_adam_skip *skip, float *m, float *v,
                      float *params, float *average);
    /* average += a (params - average) */
    void (*average)(uint32_t n, float a, const float *params, float *average);
};

extern const struct eddy_train_vector eddy_train_vector_plain;
extern const struct eddy_train_vector eddy_train_vector_avx2;
extern const struct eddy_train_vector eddy_train_vector_avx512;

/* Numbers below the normal range count as zero in this thread and in those that it starts
 * from now on: moments of weights that are rarely used decay into that range, where the CPU
 * is a hundred times slower. Returns what to give to _end. */
unsigned eddy_train_vector_begin(void);
void eddy_train_vector_end(unsigned before);

/* The best this CPU can run. */
const struct eddy_train_vector *eddy_train_vector_get(void);

#endif
