/* The simulator can fail: every defect of run.h is noticed within a few hundred seeds, and
 * the same seeds pass without one. Each mutant runs in a process of its own, because an
 * assertion of the path may be what notices it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static const struct {
    const char *name, *text;
} mutants[] = {
#define XX(id, name, text) {name, text},
    SIM_MUTANTS(XX)
#undef XX
};

enum { CAUGHT = 9 };

static int run_seeds(enum sim_mutant mutant, uint64_t seeds)
{
    struct world_models *models = world_models_new();
    struct sim_counters counters = {0};
    struct sim_failure failure = {0};
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        if (!sim_run(models, seed, mutant, &counters, &failure)) {
            printf("%-15s seed %llu: %.100s\n", mutants[mutant].name,
                   (unsigned long long)seed, failure.text);
            world_models_free(models);
            return CAUGHT;
        }
    }
    world_models_free(models);
    return 0;
}

/* true: noticed, by a check or by an assertion of the path. */
static bool is_caught(enum sim_mutant mutant, uint64_t seeds)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int code = run_seeds(mutant, seeds);
        fflush(NULL);
        _exit(code);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("sim_mutants");
        exit(70);
    }
    if (WIFSIGNALED(status)) {
        printf("%-15s ended by signal %d\n", mutants[mutant].name, WTERMSIG(status));
        return WTERMSIG(status) == SIGABRT;
    }
    return WEXITSTATUS(status) == CAUGHT;
}

int main(int argc, char **argv)
{
    uint64_t seeds = 1000;
    int missed = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0) {
            seeds = strtoull(argv[i + 1], NULL, 10);
        }
    }
    for (int i = SIM_NONE + 1; i < SIM_MUTANT_COUNT; i++) {
        if (!is_caught((enum sim_mutant)i, seeds)) {
            printf("MISSED %s: %s\n", mutants[i].name, mutants[i].text);
            missed++;
        }
    }
    if (is_caught(SIM_NONE, seeds < 100 ? seeds : 100)) {
        printf("a run without a defect failed\n");
        missed++;
    }
    printf("%d mutants, %d missed\n", SIM_MUTANT_COUNT - 1, missed);
    return missed > 0;
}
