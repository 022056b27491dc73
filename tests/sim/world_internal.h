/* Inside world_*.c. */
#ifndef EDDY_TESTS_SIM_WORLD_INTERNAL_H
#define EDDY_TESTS_SIM_WORLD_INTERNAL_H

#include "world.h"

/* Fill partitions, users and records (world_log.c). */
void world_generate(struct world *world, uint32_t records, bool bad);
/* Fold them (world_reference.c). */
void world_fold(struct world *world);
struct eddy_policy world_policy(struct eddy_rng *rng);

#endif
