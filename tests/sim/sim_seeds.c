/* Many seeds, no mutant: every run has to end as the reference says.
 *
 *   sim_seeds [--seeds N] [--first SEED]     seeds SEED .. SEED + N - 1, default 1 ..
 *   sim_seeds --seed SEED                    one seed
 *   sim_seeds --mutant NAME ...              with a defect (see run.h) */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "run.h"

static enum sim_mutant find_mutant(const char *name)
{
    static const char *const names[] = {
#define XX(id, name, text) name,
        SIM_MUTANTS(XX)
#undef XX
    };
    for (int i = 0; i < SIM_MUTANT_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (enum sim_mutant)i;
        }
    }
    fprintf(stderr, "there is no mutant %s\n", name);
    exit(64);
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 1000;
    enum sim_mutant mutant = SIM_NONE;
    struct sim_counters counters = {0};
    struct sim_failure failure = {0};
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t number = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seeds") == 0) {
            count = number;
        } else if (strcmp(argv[i], "--first") == 0) {
            first = number;
        } else if (strcmp(argv[i], "--seed") == 0) {
            first = number;
            count = 1;
        } else if (strcmp(argv[i], "--mutant") == 0) {
            mutant = find_mutant(argv[i + 1]);
        }
    }
    struct world_models *models = world_models_new();
    uint64_t begin = eddy_monotonic_ns();
    uint64_t failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!sim_run(models, seed, mutant, &counters, &failure)) {
            failed++;
            printf("seed %llu failed: %s\n  again: %s --seed %llu\n",
                   (unsigned long long)seed, failure.text, argv[0],
                   (unsigned long long)seed);
            if (failed == 5) {
                break;
            }
        }
    }
    double seconds = (double)(eddy_monotonic_ns() - begin) / 1e9;
    printf("%llu seeds in %.1f s (%.0f a second), %llu failed\n",
           (unsigned long long)count, seconds, (double)count / seconds,
           (unsigned long long)failed);
#define XX(name) printf(#name " %llu\n", (unsigned long long)counters.name);
    SIM_COUNTERS(XX)
#undef XX
    world_models_free(models);
    return failed > 0;
}
