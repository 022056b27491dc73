/* MPI behind core/exchange.h: one collective, MPI_Bcast. Broadcasts are cut into pieces
 * because MPI counts in int. */
#include "io/mpi.h"

#include <mpi.h>

enum { PIECE = 1 << 30 };

static int fail(struct eddy_err *err, const char *call, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int size = 0;
    if (MPI_Error_string(code, text, &size) != MPI_SUCCESS)
        size = 0;
    return eddy_fail(err, EDDY_EIO, "%s: %.*s", call, size, text);
}

static int broadcast(void *context, uint32_t root, void *bytes, size_t size,
                     struct eddy_err *err)
{
    char *at = bytes;
    (void)context; /* one group per process */
    while (size > 0) {
        int piece = size < PIECE ? (int)size : PIECE;
        int code = MPI_Bcast(at, piece, MPI_BYTE, (int)root, MPI_COMM_WORLD);
        if (code != MPI_SUCCESS)
            return fail(err, "MPI_Bcast", code);
        at += piece;
        size -= (size_t)piece;
    }
    return 0;
}

int eddy_mpi_start(struct eddy_exchange *ret, struct eddy_err *err)
{
    int provided, rank, ranks;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code != MPI_SUCCESS)
        return fail(err, "MPI_Init_thread", code);
    if (provided < MPI_THREAD_FUNNELED)
        return eddy_fail(err, EDDY_EIO, "this MPI does not allow threads");
    if ((code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN)) !=
            MPI_SUCCESS ||
        (code = MPI_Comm_rank(MPI_COMM_WORLD, &rank)) != MPI_SUCCESS ||
        (code = MPI_Comm_size(MPI_COMM_WORLD, &ranks)) != MPI_SUCCESS)
        return fail(err, "MPI_COMM_WORLD", code);
    *ret = (struct eddy_exchange){
        .rank = (uint32_t)rank, .ranks = (uint32_t)ranks, .broadcast = broadcast};
    return 0;
}

void eddy_mpi_stop(void)
{
    (void)MPI_Finalize(); /* everything has been handed round */
}

void eddy_mpi_abort(int code)
{
    (void)MPI_Abort(MPI_COMM_WORLD, code); /* nobody is left to tell */
}
