/* Layer: base.  Thread roles: who may call what is written in contracts (Thread: loop |
 * worker | init | any) and asserted at the entry of functions. */
#ifndef EDDY_BASE_THREAD_H
#define EDDY_BASE_THREAD_H

#include <pthread.h>

#include "eddy/error.h"

enum eddy_role {
    EDDY_ROLE_NONE, /* before eddy_thread_set_role: passes every assertion */
    EDDY_ROLE_LOOP,
    EDDY_ROLE_WORKER,
    EDDY_ROLE_HTTP,
    EDDY_ROLE_TRAINER,
};

/* Role of the calling thread. Threads of libraries set it in their first callback. */
void eddy_thread_set_role(enum eddy_role role);
/* Aborts when the calling thread has a role and it is not this one. */
void eddy_thread_assert(enum eddy_role role, const char *function);
#define EDDY_ON(role) eddy_thread_assert(EDDY_ROLE_##role, __func__)

/* pthread_create with all signals blocked in the new thread, the role set and the name
 * (<= 15 chars) shown in ps and gdb. 0 or EDDY_ENOMEM. */
int eddy_thread_start(pthread_t *ret_thread, enum eddy_role role, const char *name,
                      void *(*run)(void *), void *argument, struct eddy_err *err);

#endif
