/* Layer: core.  The safetensors file format: 8 bytes of header size (little-endian), a JSON
 * header {name: {dtype, shape, data_offsets}}, the data. Only F32 here. */
#ifndef EDDY_CORE_SAFETENSORS_H
#define EDDY_CORE_SAFETENSORS_H

#include <stdint.h>

#include "base/buf.h"
#include "eddy/error.h"

/* (rows, cols) is written as the shape [rows, cols], or [n] when one of them is 1. */
struct eddy_st_tensor {
    const char *name; /* needs no escape in JSON */
    uint32_t rows, cols;
    const float *data;
};

/* Append the file. Failure shows in out. */
void eddy_safetensors_encode(const struct eddy_st_tensor *tensors, uint32_t count,
                             struct eddy_buf *out);

struct eddy_safetensors {
    void *header; /* parsed, owned */
    struct eddy_span data;
    uint32_t count; /* tensors */
};
/* Read the header; data is borrowed from bytes. EDDY_EFORMAT says why not. Owned:
 * eddy_safetensors_close. */
int eddy_safetensors_open(struct eddy_span bytes, struct eddy_safetensors *ret,
                          struct eddy_err *err);
void eddy_safetensors_close(struct eddy_safetensors *file);

/* Copy a tensor of exactly this shape to ret (rows * cols floats). EDDY_EFORMAT: not
 * there, another shape or type, out of bounds, NaN or infinity in it. */
int eddy_safetensors_read(const struct eddy_safetensors *file, const char *name,
                          uint32_t rows, uint32_t cols, float *ret,
                          struct eddy_err *err);

/* Whether all of n values are finite. */
bool eddy_floats_are_finite(const float *values, size_t n);

#endif
