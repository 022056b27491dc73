/* The scheduler of the simulation.
 *
 * Time is a sequence of actions drawn from the seed: a worker takes a turn, a fault is
 * armed, deliveries are confirmed or fail, the group moves a partition, a worker dies, the
 * store loses its tail. Which kinds of trouble a seed knows is drawn first ("swarm
 * testing", Groce et al., ISSTA 2012): runs with few kinds go deep where runs with all
 * kinds only go wide.
 *
 * A worker believes what its group last told it; one that was not told (a zombie) goes on
 * until the store refuses it. At the end faults stop, each partition has one owner, the log
 * is read to its end, and the world is compared with the reference. */
#include "run_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum action {
    TURN,
    SERVICE,
    PROBE,
    DELIVER,
    FAIL_DELIVERY,
    INJECT,
    CRASH_AT_STAGE,
    CRASH,
    STORE_FAULT,
    LATE_COMMIT,
    LOSE_TAIL,
    MOVE,
    SINK_LIMIT,
    FAIL_SETTLE,
    SPLIT_BRAIN,
    ACTIONS
};

static const uint32_t full_odds[ACTIONS] = {
    [TURN] = 60,         [SERVICE] = 20,    [PROBE] = 5,          [DELIVER] = 20,
    [FAIL_DELIVERY] = 6, [INJECT] = 4,      [CRASH_AT_STAGE] = 3, [CRASH] = 2,
    [STORE_FAULT] = 6,   [LATE_COMMIT] = 4, [LOSE_TAIL] = 2,      [MOVE] = 5,
    [SINK_LIMIT] = 2,    [FAIL_SETTLE] = 2, [SPLIT_BRAIN] = 2,
};

void sim_fail(struct sim *sim, const char *fmt, ...)
{
    if (sim->failed) {
        return; /* the first failure is the one to look at */
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(sim->failure.text, sizeof sim->failure.text, fmt, args);
    va_end(args);
    sim->failed = true;
}

static uint32_t below(struct sim *sim, uint32_t bound)
{
    return eddy_rng_below(&sim->rng, bound);
}

static bool chance(struct sim *sim, uint32_t percent)
{
    return below(sim, 100) < percent;
}

/* ---------------------------------------------------------------- deliveries */

/* Some of what a worker has under way arrives, in order; the rest fails or is lost. */
static void resolve(struct sim *sim, struct sim_worker *worker)
{
    uint32_t waiting = eddy_sink_mem_waiting(worker->sink.inner);
    if (waiting > 0) {
        (void)eddy_sink_mem_deliver(worker->sink.inner, below(sim, waiting + 1), 0,
                                    true);
        (void)eddy_sink_mem_deliver(worker->sink.inner, waiting, EDDY_EKAFKA, false);
    }
}

static void deliver(struct sim *sim, struct sim_worker *worker, bool fail)
{
    uint32_t count = 1 + below(sim, 30);
    int code = fail ? EDDY_EKAFKA : 0;
    uint32_t done =
        eddy_sink_mem_deliver(worker->sink.inner, count, code, chance(sim, 50));
    sim->counters->failed_deliveries += fail ? done : 0;
}

/* ---------------------------------------------------------------- a worker's life */

static void stop_worker(struct sim *sim, struct sim_worker *worker)
{
    if (worker->path) {
        uint32_t waiting = eddy_sink_mem_waiting(worker->sink.inner);
        (void)eddy_sink_mem_deliver(worker->sink.inner, below(sim, waiting + 1), 0,
                                    true);
        sim_worker_stop(worker);
    }
}

/* The group gives a new process the partitions of the old one. */
static void restart_worker(struct sim *sim, struct sim_worker *worker)
{
    stop_worker(sim, worker);
    if (sim_worker_start(sim, worker)) {
        for (uint32_t p = 0; p < sim->world->partitions; p++) {
            worker->assigned[p] = sim->owner[p] == (uint32_t)(worker - sim->workers);
        }
    }
}

static void forget_all(struct sim_worker *worker)
{
    memset(worker->acquired, 0, sizeof worker->acquired);
}

static bool is_expected(int code)
{
    return code == EDDY_ESTORE || code == EDDY_EKAFKA || code == EDDY_EFENCED ||
           code == EDDY_EFULL;
}

static void acquire(struct sim *sim, struct sim_worker *worker, uint32_t p)
{
    struct eddy_err err = {0};
    uint64_t before = eddy_path_offset(worker->path, p);
    for (uint32_t i = 0; i < sim->worker_count && !sim->late_zombies; i++) {
        /* What others have under way has timed out by now. */
        if (&sim->workers[i] != worker && sim->workers[i].path) {
            resolve(sim, &sim->workers[i]);
        }
    }
    (void)sim_committed(sim, p); /* see how far it was, before it is published again */
    int r = eddy_path_acquire(worker->path, p, &worker->next[p], &err);
    if (r < 0 && !is_expected(r)) {
        sim_fail(sim, "acquire of partition %u: %s", p, err.text);
    }
    worker->acquired[p] = r == 0;
    sim->counters->rewinds += r == 0 && worker->next[p] < before;
}

static void push_wrong(struct sim *sim, struct sim_worker *worker, uint32_t p)
{
    const struct world *world = sim->world;
    uint64_t next = worker->next[p];
    if (next > 0) { /* delivered a second time */
        const struct eddy_record *old =
            &world->records[p][below(sim, (uint32_t)next)].record;
        sim->counters->duplicates++;
        if (eddy_path_push(worker->path, old, false) != EDDY_PUSH_OLD) {
            sim_fail(sim, "a record delivered twice was taken");
        }
    }
    if (next + 1 < world->log_size[p]) { /* one left out */
        bool allow = sim->mutant == SIM_SKIP_DELIVERY && chance(sim, 5);
        sim->counters->gaps++;
        enum eddy_push push =
            eddy_path_push(worker->path, &world->records[p][next + 1].record, allow);
        if (allow && push == EDDY_PUSH_TAKEN) {
            worker->next[p] = next + 2;
        } else if (push != EDDY_PUSH_GAP && push != EDDY_PUSH_FULL) {
            sim_fail(sim, "a record behind a gap was taken");
        }
    }
}

static void push_some(struct sim *sim, struct sim_worker *worker)
{
    const struct world *world = sim->world;
    uint32_t count = 1 + below(sim, chance(sim, 10) ? 200 : 30);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t p = below(sim, world->partitions);
        if (!worker->assigned[p] || !worker->acquired[p] ||
            worker->next[p] >= world->log_size[p]) {
            continue;
        }
        if (chance(sim, 5)) {
            push_wrong(sim, worker, p);
            continue;
        }
        enum eddy_push push =
            eddy_path_push(worker->path, &world->records[p][worker->next[p]].record,
                           false);
        if (push == EDDY_PUSH_GAP) {
            worker->acquired[p] = false; /* broken: acquired again next time */
        } else if (push == EDDY_PUSH_FULL) {
            return;
        } else {
            sim->counters->records += push == EDDY_PUSH_TAKEN;
            worker->next[p]++;
        }
    }
}

/* What a worker does about a result of turn, service or tidy. */
static void react(struct sim *sim, struct sim_worker *worker, int r,
                  const struct eddy_err *err, bool was_armed)
{
    uint32_t count = 0;
    const uint32_t *fenced = eddy_path_fenced(worker->path, &count);
    for (uint32_t i = 0; i < count; i++) {
        sim->counters->fenced++;
        worker->acquired[fenced[i]] = false;
        /* A zombie learns the truth; an owner that was robbed takes it back. */
        worker->assigned[fenced[i]] =
            sim->owner[fenced[i]] == (uint32_t)(worker - sim->workers) ||
            chance(sim, 20);
    }
    if (worker->crashed) {
        restart_worker(sim, worker);
    } else if (r == EDDY_EFULL) {
        sim->counters->full++;
    } else if (r < 0) {
        if (!was_armed && !is_expected(r)) {
            sim_fail(sim, "a worker stopped: %s", err->text);
        }
        forget_all(worker);
    }
}

static void service(struct sim *sim, struct sim_worker *worker)
{
    struct eddy_err err = {0};
    int r = eddy_path_service(worker->path, &err);
    react(sim, worker, r == EDDY_EKAFKA ? 0 : r, &err, false);
}

static void turn(struct sim *sim, struct sim_worker *worker)
{
    struct eddy_err err = {0};
    for (uint32_t p = 0; p < sim->world->partitions; p++) {
        if (worker->assigned[p] && !worker->acquired[p]) {
            acquire(sim, worker, p);
        }
        sim->counters->zombie_turns += worker->assigned[p] && worker->acquired[p] &&
                                       &sim->workers[sim->owner[p]] != worker;
    }
    push_some(sim, worker);
    bool armed = worker->fault_stage != NULL;
    int r = eddy_path_turn(worker->path, &err);
    sim->counters->turns++;
    react(sim, worker, r, &err, armed);
}

/* ---------------------------------------------------------------- trouble */

static void arm(struct sim *sim, struct sim_worker *worker, bool crash)
{
    static const char *const stages[] = {"decode", "load",   "apply",  "score",
                                         "list",   "commit", "publish"};
    static const int codes[] = {EDDY_ESTORE, EDDY_EKAFKA, EDDY_ENOMODEL, EDDY_ENOMEM};
    worker->fault_stage = stages[below(sim, 7)];
    worker->fault_code = codes[below(sim, 4)];
    worker->fault_is_crash = crash;
}

/* The group moves a partition. The worker that had it either hears of it and lets go, or
 * sleeps on. */
static void move(struct sim *sim, bool keep_both)
{
    uint32_t p = below(sim, sim->world->partitions);
    uint32_t to = below(sim, sim->worker_count);
    struct sim_worker *from = &sim->workers[sim->owner[p]];
    if (to == sim->owner[p]) {
        return;
    }
    sim->counters->moves++;
    if (!keep_both && chance(sim, 60)) {
        if (chance(sim, 70)) { /* flushes its producer first */
            (void)eddy_sink_mem_deliver(from->sink.inner, UINT32_MAX, 0, true);
            service(sim, from);
        }
        eddy_path_release(from->path, p);
        from->assigned[p] = false;
        from->acquired[p] = false;
    }
    sim->owner[p] = to;
    sim->workers[to].assigned[p] = true;
}

static void store_fault(struct sim *sim, struct sim_worker *worker)
{
    static const enum eddy_mem_fault faults[] = {EDDY_MEM_FAIL_BEFORE,
                                                 EDDY_MEM_FAIL_AFTER,
                                                 EDDY_MEM_FAIL_HALF,
                                                 EDDY_MEM_FAIL_LATE};
    sim->counters->store_faults++;
    eddy_store_mem_fail_next(worker->store.inner, faults[below(sim, 4)]);
}

static void act(struct sim *sim, enum action action, struct sim_worker *worker)
{
    switch (action) {
    case TURN: turn(sim, worker); break;
    case SERVICE: service(sim, worker); break;
    case PROBE: {
        struct eddy_err err = {0};
        react(sim, worker, eddy_path_probe(worker->path, &err), &err, false);
        break;
    }
    case DELIVER: deliver(sim, worker, false); break;
    case FAIL_DELIVERY: deliver(sim, worker, true); break;
    case INJECT: arm(sim, worker, false); break;
    case CRASH_AT_STAGE: arm(sim, worker, true); break;
    case CRASH:
        sim->counters->crashes++;
        restart_worker(sim, worker);
        break;
    case STORE_FAULT: store_fault(sim, worker); break;
    case LATE_COMMIT:
        sim->counters->late_commits += eddy_memory_deliver_late(sim->memory);
        break;
    case LOSE_TAIL:
        for (uint32_t p = 0; p < sim->world->partitions; p++) {
            (void)sim_committed(sim, p);
        }
        sim->counters->lost_tails +=
            eddy_memory_lose_tail(sim->memory,
                                  1 + below(sim, chance(sim, 15) ? 64 : 12)) > 0;
        break;
    case MOVE: move(sim, false); break;
    case SPLIT_BRAIN: move(sim, true); break;
    case SINK_LIMIT:
        eddy_sink_mem_limit(worker->sink.inner,
                            chance(sim, 50) ? 1 + below(sim, 5) : UINT32_MAX);
        break;
    case FAIL_SETTLE: eddy_sink_mem_fail_settle(worker->sink.inner); break;
    case ACTIONS: break;
    }
}

static enum action draw_action(struct sim *sim)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < ACTIONS; i++) {
        total += sim->odds[i];
    }
    uint32_t draw = below(sim, total);
    uint32_t i = 0;
    while (draw >= sim->odds[i]) {
        draw -= sim->odds[i++];
    }
    return (enum action)i;
}

/* ---------------------------------------------------------------- a run */

static void begin(struct sim *sim)
{
    sim->worker_count = 2 + below(sim, SIM_WORKERS_MAX - 1);
    sim->late_zombies = chance(sim, 20);
    for (uint32_t i = 0; i < ACTIONS; i++) {
        sim->odds[i] = i <= DELIVER || chance(sim, 60) ? full_odds[i] : 0;
    }
    for (uint32_t p = 0; p < sim->world->partitions; p++) {
        sim->owner[p] = below(sim, sim->worker_count);
    }
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        restart_worker(sim, &sim->workers[i]);
    }
}

/* Peace: one owner for each partition, no more faults. */
static void calm_down(struct sim *sim)
{
    sim->counters->late_commits += eddy_memory_deliver_late(sim->memory);
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        struct sim_worker *worker = &sim->workers[i];
        if (chance(sim, 40)) {
            restart_worker(sim, worker);
        }
        worker->fault_stage = NULL;
        eddy_sink_mem_limit(worker->sink.inner, UINT32_MAX);
        (void)eddy_sink_mem_deliver(worker->sink.inner, UINT32_MAX, 0, true);
        for (uint32_t p = 0; p < sim->world->partitions; p++) {
            if (&sim->workers[sim->owner[p]] != worker) {
                eddy_path_release(worker->path, p);
                worker->assigned[p] = false;
                worker->acquired[p] = false;
            }
        }
    }
}

static uint32_t stored_outbox(struct sim *sim, uint32_t partition)
{
    struct eddy_store *store = eddy_store_mem_open(sim->memory, "eddy", "observer");
    const struct eddy_span *users = NULL;
    struct eddy_span value = {NULL, 0};
    struct eddy_err err = {0};
    uint32_t count = 0;
    EDDY_ASSERT(store);
    eddy_buf_clear(&sim->text);
    eddy_key_part(store, partition, "outbox", &sim->text);
    EDDY_ASSERT(eddy_store_get(store, eddy_buf_span(&sim->text), sim->arena, &value,
                               &err) == 0);
    EDDY_ASSERT(eddy_outbox_decode(value, sim->arena, &users, &count) == 0);
    eddy_store_close(store);
    return count;
}

static bool is_drained(struct sim *sim)
{
    for (uint32_t p = 0; p < sim->world->partitions; p++) {
        struct sim_worker *worker = &sim->workers[sim->owner[p]];
        if (!worker->acquired[p] || sim_committed(sim, p) != sim->world->log_size[p] ||
            eddy_path_unconfirmed(worker->path) > 0 || stored_outbox(sim, p) > 0) {
            return false;
        }
    }
    return true;
}

static void explain_stall(struct sim *sim)
{
    for (uint32_t p = 0; p < sim->world->partitions; p++) {
        const struct sim_worker *worker = &sim->workers[sim->owner[p]];
        uint64_t offset = sim_committed(sim, p);
        uint32_t outbox = stored_outbox(sim, p);
        if (offset != sim->world->log_size[p] || outbox > 0 || !worker->acquired[p]) {
            sim_fail(
                sim,
                "no progress after the faults ended: partition %u stands at %llu of "
                "%u, reads %llu, %u pushed, %u lists unconfirmed, outbox of %u, "
                "acquired %d",
                p, (unsigned long long)offset, sim->world->log_size[p],
                (unsigned long long)worker->next[p], eddy_path_pending(worker->path),
                eddy_path_unconfirmed(worker->path), outbox, worker->acquired[p]);
        }
    }
    sim_fail(sim, "no progress after the faults ended: lists stay unconfirmed");
}

static void drain(struct sim *sim)
{
    for (uint32_t round = 0; !sim->failed && !is_drained(sim); round++) {
        if (round == 300) {
            explain_stall(sim);
        }
        for (uint32_t i = 0; i < sim->worker_count; i++) {
            struct sim_worker *worker = &sim->workers[i];
            struct eddy_err err = {0};
            turn(sim, worker);
            (void)eddy_sink_mem_deliver(worker->sink.inner, UINT32_MAX, 0, true);
            service(sim, worker);
            react(sim, worker, eddy_path_probe(worker->path, &err), &err, false);
            react(sim, worker, eddy_path_tidy(worker->path, &err), &err, false);
        }
    }
}

bool sim_run(const struct world_models *models, uint64_t seed, enum sim_mutant mutant,
             struct sim_counters *counters, struct sim_failure *ret_failure)
{
    struct sim *sim = calloc(1, sizeof *sim);
    EDDY_ASSERT(sim);
    sim->models = models;
    sim->mutant = mutant;
    sim->counters = counters;
    eddy_rng_seed(&sim->rng, seed ^ 0x5eed);
    sim->world = world_new(models, seed, 150 + below(sim, 100), chance(sim, 80));
    sim->memory = eddy_memory_new(64);
    sim->topic = eddy_topic_new();
    sim->arena = eddy_arena_new(1 << 16, 1 << 26);
    EDDY_ASSERT(sim->memory && sim->topic && sim->arena);
    eddy_buf_init(&sim->text, 0);
    begin(sim);
    for (uint32_t step = 60 + below(sim, 120); step > 0 && !sim->failed; step--) {
        act(sim, draw_action(sim), &sim->workers[below(sim, sim->worker_count)]);
    }
    if (!sim->failed) {
        calm_down(sim);
        drain(sim);
    }
    if (!sim->failed) {
        sim_check_end(sim);
    }
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        stop_worker(sim, &sim->workers[i]);
    }
    bool ok = !sim->failed;
    *ret_failure = sim->failure;
    world_free(sim->world);
    eddy_memory_free(sim->memory);
    eddy_topic_free(sim->topic);
    eddy_arena_free(sim->arena);
    eddy_buf_fini(&sim->text);
    free(sim);
    return ok;
}
