/* Layer: core.  The safetensors file format: 8 bytes of header size (little-endian), a JSON
 * header {name: {dtype, shape, data_offsets}}, the data. Here F32, U32 and U64. */
#ifndef EDDY_CORE_SAFETENSORS_H
#define EDDY_CORE_SAFETENSORS_H

#include <stdint.h>

#include "base/buf.h"
#include "eddy/error.h"

enum eddy_st_type { EDDY_ST_F32, EDDY_ST_U32, EDDY_ST_U64 };

/* (rows, cols) is written as the shape [rows, cols], or [n] when one of them is 1. */
struct eddy_st_tensor {
    const char *name; /* needs no escape in JSON */
    uint32_t rows, cols;
    const void *data;
    enum eddy_st_type type;
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

/* As eddy_safetensors_read, of any type. */
int eddy_safetensors_read_as(const struct eddy_safetensors *file, const char *name,
                             enum eddy_st_type type, uint32_t rows, uint32_t cols,
                             void *ret, struct eddy_err *err);
/* Length of a tensor of one dimension; -1: it is not there, or of another shape. */
int64_t eddy_safetensors_length(const struct eddy_safetensors *file, const char *name);

/* Whether all of n values are finite. */
bool eddy_floats_are_finite(const float *values, size_t n);

#endif
