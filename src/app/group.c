#include "app/group.h"

#include <stdlib.h>

#ifdef EDDY_MPI
#include "io/mpi.h"
#endif

/* Variables that Open MPI's, MPICH's and Slurm's starters set to the number of processes. */
static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
                                    "MPI_LOCALNRANKS"};

static bool started_by_mpirun(void)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *text = getenv(sizes[i]);
        if (text != NULL && strtol(text, NULL, 10) > 1)
            return true;
    }
    return false;
}

int eddy_group_start(struct eddy_group *group, struct eddy_err *err)
{
    *group = (struct eddy_group){.exchange = {.rank = 0, .ranks = 1}};
    if (!started_by_mpirun())
        return 0;
#ifdef EDDY_MPI
    return eddy_mpi_start(&group->exchange, err);
#else
    return eddy_fail(err, EDDY_EUSAGE,
                     "mpirun has started several of this program, which was built "
                     "without MPI: build it with cmake -DEDDY_MPI=ON, or start one");
#endif
}

const struct eddy_exchange *eddy_group_exchange(const struct eddy_group *group)
{
    return group->exchange.ranks > 1 ? &group->exchange : NULL;
}

bool eddy_group_leads(const struct eddy_group *group)
{
    return group->exchange.rank == 0;
}

int eddy_group_end(struct eddy_group *group, int code)
{
#ifdef EDDY_MPI
    if (group->exchange.ranks > 1 && code != 0)
        eddy_mpi_abort(code);
    if (group->exchange.ranks > 1)
        eddy_mpi_stop();
#endif
    group->exchange.ranks = 1;
    return code;
}
