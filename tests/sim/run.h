/* One simulated run: a world, two to five workers over one store and one topic, and a
 * scheduler that lets everything go wrong. A function of (seed, mutant). */
#ifndef EDDY_TESTS_SIM_RUN_H
#define EDDY_TESTS_SIM_RUN_H

#include "world.h"

/* clang-format off */
/* XX(id, name, what is broken): workers with a defect that a check has to notice. */
#define SIM_MUTANTS(XX)                                                                \
    XX(NONE, "none", "nothing")                                                        \
    XX(NO_VERIFY, "no-verify",                                                         \
       "loads are believed without looking at fence and offset")                       \
    XX(BLIND_COMMIT, "blind-commit", "commits do not compare fence and offset")        \
    XX(TORN_COMMIT, "torn-commit",                                                     \
       "states and position are written one after the other")                          \
    XX(EARLY_PUBLISH, "early-publish", "lists go out before their commit")             \
    XX(NO_OUTBOX, "no-outbox", "commits carry an empty outbox")                        \
    XX(EARLY_CONFIRM, "early-confirm", "lists count as delivered when handed over")    \
    XX(IGNORE_FAILURE, "ignore-failure",                                               \
       "failed deliveries are reported as successes")                                  \
    XX(NO_SETTLE, "no-settle", "dead letters are not waited for")                      \
    XX(OLD_POSITION, "old-position", "acquire believes the last position that it saw") \
    XX(SKIP_DELIVERY, "skip-delivery", "a record behind a gap is taken")               \
    XX(NO_DEFAULT, "no-default", "the default list is not written")

/* clang-format on */
enum sim_mutant {
#define XX(id, name, text) SIM_##id,
    SIM_MUTANTS(XX)
#undef XX
        SIM_MUTANT_COUNT
};

/* clang-format off */
/* What happened, to see that a run was worth something. */
#define SIM_COUNTERS(XX)                                                               \
    XX(turns)                                                                          \
    XX(records)                                                                        \
    XX(commits)                                                                        \
    XX(fenced)                                                                         \
    XX(crashes)                                                                        \
    XX(injected) XX(store_faults) XX(lost_tails) XX(rewinds) XX(late_commits)          \
        XX(moves) XX(zombie_turns) XX(duplicates) XX(gaps) XX(full)                    \
            XX(failed_deliveries) XX(published) XX(dead) XX(stale_keys)
/* clang-format on */
struct sim_counters {
#define XX(name) uint64_t name;
    SIM_COUNTERS(XX)
#undef XX
};

/* false: a check failed; why says which. counters are added to. */
struct sim_failure {
    char text[400];
};
bool sim_run(const struct world_models *models, uint64_t seed, enum sim_mutant mutant,
             struct sim_counters *counters, struct sim_failure *ret_failure);

#endif
