/* Linked into tests under ThreadSanitizer only, for the sake of librdkafka.
 *
 * librdkafka uses C11's threads, which GCC 12's ThreadSanitizer does not know: a thread of
 * thrd_create has no state of the sanitizer and dies in the first intercepted call, and
 * mtx_lock orders nothing. Here they go to the POSIX functions, which it does know (in
 * glibc the types are the same); a symbol of the program stands before that of the C
 * library. What librdkafka does to its own memory is not judged: it is not instrumented,
 * and its reference counts order accesses in ways that cannot be seen from here. */
#define _GNU_SOURCE /* static recursive mutexes */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#define SEEN __attribute__((visibility("default"))) /* by shared libraries */

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc's mtx_t");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t");

const char *__tsan_default_suppressions(void);
SEEN const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:librdkafka.so.1\n";
}

struct start {
    thrd_start_t run;
    void *argument;
};

static void *run_start(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    return (void *)(intptr_t)start.run(start.argument);
}

static int result_of(int code)
{
    return code == 0           ? thrd_success
           : code == ENOMEM    ? thrd_nomem
           : code == EBUSY     ? thrd_busy
           : code == ETIMEDOUT ? thrd_timedout
                               : thrd_error;
}

SEEN int thrd_create(thrd_t *thread, thrd_start_t run, void *argument)
{
    struct start *start = malloc(sizeof *start);
    if (!start) {
        return thrd_nomem;
    }
    *start = (struct start){run, argument};
    int code = pthread_create(thread, NULL, run_start, start);
    if (code != 0) {
        free(start);
    }
    return result_of(code);
}

SEEN int thrd_join(thrd_t thread, int *ret_result)
{
    void *result = NULL;
    int code = pthread_join(thread, &result);
    if (code == 0 && ret_result) {
        *ret_result = (int)(intptr_t)result;
    }
    return result_of(code);
}

/* Initialisation and end are not shown to the sanitizer: it takes them for writes, and how
 * librdkafka hands a new object to another thread it cannot see. It gets to know a mutex
 * when it is first locked and forgets it when its memory is freed. */
__attribute__((no_sanitize("thread"))) SEEN int mtx_init(mtx_t *mutex, int type)
{
    static const pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
    static const pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
    *(pthread_mutex_t *)mutex = type & mtx_recursive ? recursive : normal;
    return thrd_success;
}

SEEN void mtx_destroy(mtx_t *mutex)
{
    (void)mutex;
}

SEEN int mtx_lock(mtx_t *mutex)
{
    return result_of(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

SEEN int mtx_trylock(mtx_t *mutex)
{
    return result_of(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

SEEN int mtx_unlock(mtx_t *mutex)
{
    return result_of(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

__attribute__((no_sanitize("thread"))) SEEN int cnd_init(cnd_t *condition)
{
    static const pthread_cond_t fresh = PTHREAD_COND_INITIALIZER;
    *(pthread_cond_t *)condition = fresh;
    return thrd_success;
}

SEEN void cnd_destroy(cnd_t *condition)
{
    (void)condition;
}

SEEN int cnd_signal(cnd_t *condition)
{
    return result_of(pthread_cond_signal((pthread_cond_t *)condition));
}

SEEN int cnd_broadcast(cnd_t *condition)
{
    return result_of(pthread_cond_broadcast((pthread_cond_t *)condition));
}

SEEN int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return result_of(
        pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

SEEN int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return result_of(pthread_cond_timedwait((pthread_cond_t *)condition,
                                            (pthread_mutex_t *)mutex, until));
}

SEEN void call_once(once_flag *flag, void (*run)(void))
{
    (void)pthread_once((pthread_once_t *)flag, run);
}
