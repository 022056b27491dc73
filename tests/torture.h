/* Memory that runs out at a chosen moment. tests/CMakeLists.txt links every test that
 * includes this file with --wrap, so that malloc, calloc, realloc and aligned_alloc called
 * by eddy's own code come here (those inside shared libraries do not).
 *
 *     static bool a_thing_is_made(void)      true: made; false: refused for lack of memory
 *     TORTURE(a_thing_is_made);
 *
 * runs it with the first allocation failing, then the second, and so on until it succeeds
 * without a failure. It must return false exactly when one failed, and leak nothing (asan
 * tells). */
#ifndef EDDY_TESTS_TORTURE_H
#define EDDY_TESTS_TORTURE_H

#include <stdlib.h>

#include "check.h"
#include "eddy/error.h"

static atomic_long torture_countdown = -1; /* -1: off; 0: the next one fails */
static atomic_bool torture_hit;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static bool torture_now(void)
{
    long left = atomic_load(&torture_countdown);
    if (left < 0 || atomic_fetch_sub(&torture_countdown, 1) != 0) {
        return false;
    }
    atomic_store(&torture_hit, true);
    return true;
}

__attribute__((used)) void *__wrap_malloc(size_t size)
{
    return torture_now() ? NULL : __real_malloc(size);
}

__attribute__((used)) void *__wrap_calloc(size_t count, size_t size)
{
    return torture_now() ? NULL : __real_calloc(count, size);
}

__attribute__((used)) void *__wrap_realloc(void *old, size_t size)
{
    return torture_now() ? NULL : __real_realloc(old, size);
}

__attribute__((used)) void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return torture_now() ? NULL : __real_aligned_alloc(alignment, size);
}

/* The nth (from 0) allocation from now on fails, once. -1: none. */
__attribute__((unused)) static void torture_arm(long nth)
{
    atomic_store(&torture_hit, false);
    atomic_store(&torture_countdown, nth);
}

/* A step of such a run: true on 0, false on EDDY_ENOMEM; any other code fails the case. */
__attribute__((unused)) static bool torture_made(int code)
{
    if (code != 0 && !CHECK_INT(code, EDDY_ENOMEM)) {
        fprintf(stderr, "    %s\n", eddy_err_text(code));
    }
    return code == 0;
}

/* Returns the number of allocations of a run that succeeds. */
__attribute__((unused)) static long torture_run(const char *name, bool (*run)(void))
{
    enum { ROUNDS_MAX = 100000 };
    for (long nth = 0; nth < ROUNDS_MAX; nth++) {
        torture_arm(nth);
        bool made = run();
        bool hit = atomic_load(&torture_hit);
        torture_arm(-1);
        if (made == hit) {
            check_report(false, __FILE__, __LINE__, name);
            fprintf(stderr, "    allocation %ld %s, but the result is %s\n", nth,
                    hit ? "failed" : "did not fail", made ? "success" : "refusal");
            return nth;
        }
        if (!hit) {
            if (nth == 0) {
                check_report(false, __FILE__, __LINE__, name);
                fprintf(stderr, "    nothing was allocated: is the test linked with "
                                "--wrap?\n");
            }
            return nth;
        }
    }
    check_report(false, __FILE__, __LINE__, "torture comes to an end");
    return ROUNDS_MAX;
}
#define TORTURE(run) torture_run(#run, run)

#endif
