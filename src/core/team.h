/* Layer: core.  Fork and join: n tasks on a few threads, results independent of how many.
 * For training and evaluation; serving never uses it. */
#ifndef EDDY_CORE_TEAM_H
#define EDDY_CORE_TEAM_H

#include <stdint.h>

/* One task; worker (0 .. threads - 1) says whose scratch memory it may use. A task must
 * write only what belongs to its index or to its worker. */
typedef void (*eddy_team_fn)(void *context, uint32_t task, uint32_t worker);

/* Run tasks 0 .. tasks - 1, each once, on up to `threads` threads including the caller's,
 * and return when all have ended. A thread that cannot be started is done without.
 * Locks: none (tasks are drawn from an atomic counter). */
void eddy_team_run(uint32_t threads, uint32_t tasks, eddy_team_fn run, void *context);

#endif
