/* Layer: io.  The processes that mpirun has started, as a group that trains together
 * (core/exchange.h). Built with `cmake -DEDDY_MPI=ON` alone. */
#ifndef EDDY_IO_MPI_H
#define EDDY_IO_MPI_H

#include "core/exchange.h"

/* Join the group. Once per process, before any other call here, not before a new start of
 * the program (exec). EDDY_EIO. Thread: the main thread, which then makes all calls. */
int eddy_mpi_start(struct eddy_exchange *ret, struct eddy_err *err);
/* Leave it, when all members do. */
void eddy_mpi_stop(void);
/* End all members at once, this one with `code`: one that is gone would leave the others
 * waiting. Does not return. */
void eddy_mpi_abort(int code);

#endif
