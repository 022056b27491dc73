/* Layer: app.  The right OpenBLAS kernels for this CPU: they are chosen when the library is
 * loaded, so the way to another choice is the environment and a new start. */
#ifndef EDDY_APP_BLAS_CORE_H
#define EDDY_APP_BLAS_CORE_H

#include <stdbool.h>
#include <stdint.h>

/* To be called first by commands that multiply large matrices (train, eval, bench, demo).
 * When the CPU can do more than the kernels that OpenBLAS chose, sets OPENBLAS_CORETYPE and
 * starts this program again with the same arguments, once; then this does not return. With
 * EDDY_KEEP_BLAS_CORE in the environment everything is left alone. */
void eddy_blas_core_ensure(void);

/* One line to stderr about the kernels in use, a warning when they are poor. quiet: the
 * warning only. */
void eddy_blas_core_report(const char *command, bool quiet);

/* What one core of this machine does now in cblas_sgemm, FLOP/s of CPU time: y (rows,
 * outputs) = x (rows, inputs) w^T, the median of a few slices, some 0.2 s in all. 0: no
 * memory. The ceiling beside which training's own rate is shown. */
double eddy_blas_core_rate(uint32_t rows, uint32_t outputs, uint32_t inputs);

#endif
