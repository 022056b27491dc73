/* Fork and join without a pool: threads live for one call. Starting one costs some 20 us
 * against tens of milliseconds of matrix products, and there is no lock, no queue and no
 * state that outlives the call. */
#include "core/team.h"

#include <stdatomic.h>

#include "base/thread.h"

enum { TEAM_MAX = 64 };

struct team {
    eddy_team_fn run;
    void *context;
    uint32_t tasks;
    _Atomic uint32_t next;
};

struct member {
    struct team *team;
    uint32_t worker;
};

static void *work(void *argument)
{
    struct member *member = argument;
    struct team *team = member->team;
    for (;;) {
        uint32_t task = atomic_fetch_add_explicit(&team->next, 1, memory_order_relaxed);
        if (task >= team->tasks)
            return NULL;
        team->run(team->context, task, member->worker);
    }
}

void eddy_team_run(uint32_t threads, uint32_t tasks, eddy_team_fn run, void *context)
{
    struct team team = {.run = run, .context = context, .tasks = tasks};
    struct member members[TEAM_MAX];
    pthread_t started[TEAM_MAX];
    uint32_t count = 0;

    if (threads > TEAM_MAX)
        threads = TEAM_MAX;
    if (threads > tasks)
        threads = tasks;
    for (uint32_t i = 1; i < threads; i++) {
        members[i] = (struct member){&team, i};
        if (eddy_thread_start(&started[count], EDDY_ROLE_TRAINER, "eddy-team", work,
                              &members[i], NULL) != 0)
            break;
        count++;
    }
    members[0] = (struct member){&team, 0};
    work(&members[0]);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(started[i], NULL);
}
