/* A unit test in plain C: case functions named as sentences, a main with one RUN row for
 * each, and `return check_done();` at its end.
 *
 *     static void empty_key_has_a_hash(void)
 *     {
 *         CHECK_INT(eddy_murmur2(eddy_span_of("")), 0x106e08d9);
 *     }
 *     int main(void)
 *     {
 *         RUN(empty_key_has_a_hash);
 *         return check_done();
 *     }
 *
 * A check that fails prints file, line, expression and both values; the case goes on. Each
 * macro evaluates its arguments once, is true when the check held, and may be used from any
 * thread. */
#ifndef EDDY_TESTS_CHECK_H
#define EDDY_TESTS_CHECK_H

#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static atomic_int check_failures; /* of the running case */
static int check_cases_passed;
static int check_cases_failed;

__attribute__((unused)) static bool check_report(bool held, const char *file, int line,
                                                 const char *expression)
{
    if (!held) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: %s\n", file, line, expression);
    }
    return held;
}

__attribute__((unused)) static bool check_int(long long got, long long want,
                                              const char *file, int line,
                                              const char *expression)
{
    if (check_report(got == want, file, line, expression)) {
        return true;
    }
    fprintf(stderr, "    got  %lld (0x%llx)\n    want %lld (0x%llx)\n", got,
            (unsigned long long)got, want, (unsigned long long)want);
    return false;
}

__attribute__((unused)) static bool check_str(const char *got, const char *want,
                                              const char *file, int line,
                                              const char *expression)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;
    if (check_report(same, file, line, expression)) {
        return true;
    }
    fprintf(stderr, "    got  %s%s%s\n    want %s%s%s\n", got ? "\"" : "",
            got ? got : "NULL", got ? "\"" : "", want ? "\"" : "", want ? want : "NULL",
            want ? "\"" : "");
    return false;
}

/* Fails on NaN. */
__attribute__((unused)) static bool check_near(double got, double want,
                                               double tolerance, const char *file,
                                               int line, const char *expression)
{
    if (check_report(fabs(got - want) <= tolerance || got == want, file, line,
                     expression)) {
        return true;
    }
    fprintf(stderr, "    got  %.17g\n    want %.17g +- %g (off by %g)\n", got, want,
            tolerance, fabs(got - want));
    return false;
}

__attribute__((unused)) static void check_print_bytes(const char *name,
                                                      const unsigned char *bytes,
                                                      size_t begin, size_t end)
{
    fprintf(stderr, "    %s", name);
    for (size_t i = begin; i < end; i++) {
        fprintf(stderr, " %02x", bytes[i]);
    }
    fprintf(stderr, "\n");
}

__attribute__((unused)) static bool check_mem(const void *got, const void *want,
                                              size_t size, const char *file, int line,
                                              const char *expression)
{
    if (check_report(size == 0 || (got && want && memcmp(got, want, size) == 0), file,
                     line, expression)) {
        return true;
    }
    if (!got || !want) {
        fprintf(stderr, "    got  %p\n    want %p\n", got, want);
        return false;
    }
    const unsigned char *a = got, *b = want;
    size_t first = 0;
    while (a[first] == b[first]) {
        first++;
    }
    size_t end = size - first > 16 ? first + 16 : size;
    fprintf(stderr, "    first difference at byte %zu of %zu\n", first, size);
    check_print_bytes("got ", a, first, end);
    check_print_bytes("want", b, first, end);
    return false;
}

#define CHECK(cond) check_report((cond) ? true : false, __FILE__, __LINE__, #cond)
#define CHECK_INT(got, want)                                                           \
    check_int((long long)(got), (long long)(want), __FILE__, __LINE__,                 \
              #got " == " #want)
#define CHECK_STR(got, want)                                                           \
    check_str((got), (want), __FILE__, __LINE__, #got " is " #want)
#define CHECK_NEAR(got, want, tolerance)                                               \
    check_near((double)(got), (double)(want), (double)(tolerance), __FILE__, __LINE__, \
               #got " is near " #want)
#define CHECK_MEM(got, want, size)                                                     \
    check_mem((got), (want), (size_t)(size), __FILE__, __LINE__,                       \
              #got " has the bytes of " #want)

/* What fails in main counts as a case too. */
__attribute__((unused)) static void check_outside(void)
{
    if (atomic_exchange(&check_failures, 0) > 0) {
        check_cases_failed++;
        fprintf(stderr, "FAILED outside of a case\n");
    }
}

__attribute__((unused)) static void check_run(const char *name, void (*run)(void))
{
    check_outside();
    run();
    if (atomic_exchange(&check_failures, 0) > 0) {
        check_cases_failed++;
        fprintf(stderr, "FAILED %s\n", name);
    } else {
        check_cases_passed++;
    }
}
#define RUN(function) check_run(#function, function)

/* Print the summary; the exit status of main. A program without a case has failed. */
__attribute__((unused)) static int check_done(void)
{
    check_outside();
    printf("%d passed, %d failed\n", check_cases_passed, check_cases_failed);
    return check_cases_failed > 0 || check_cases_passed == 0 ? 1 : 0;
}

#endif
