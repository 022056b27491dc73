/* Layer: core.  The inverse of a symmetric positive definite matrix of floats. */
#ifndef EDDY_CORE_INVERT_H
#define EDDY_CORE_INVERT_H

#include <stdint.h>

/* a: (n, n), lower triangle read; becomes the inverse, both triangles. threads: that work
 * on it; the bits do not depend on them. OpenBLAS must be set to one thread. 0, 1 when the
 * matrix is not positive definite in single floats (a is destroyed), EDDY_ENOMEM. */
int eddy_invert(float *a, uint32_t n, uint32_t threads);

#endif
