/* Debian 12's OpenBLAS 0.3.21 does not know Xeons newer than itself and runs its Prescott
 * kernels on them (SSE3: 15 GFLOP/s a core instead of 75); an OPENBLAS_CORETYPE left over
 * in the environment does the same harm on any CPU (Haswell on an AMD Zen 5: 103 GFLOP/s
 * a core instead of 190). */
#include "app/blas_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/train.h"

static const char variable[] = "OPENBLAS_CORETYPE";
static const char keep[] = "EDDY_KEEP_BLAS_CORE";
static const char guard[] = "EDDY_BLAS_STARTED_AGAIN";

enum { ARGUMENTS_MAX = 4096, BYTES_MAX = 1 << 20 };

/* This process' arguments, from the kernel, because sub-commands only see their own. The
 * memory stays taken: either exec or the caller's run goes on. */
static char **own_arguments(void)
{
    char *bytes = malloc(BYTES_MAX);
    char **arguments = calloc(ARGUMENTS_MAX + 1, sizeof *arguments);
    FILE *file = fopen("/proc/self/cmdline", "re");
    size_t size = 0, count = 0;

    if (bytes && arguments && file)
        size = fread(bytes, 1, BYTES_MAX, file);
    if (file)
        (void)fclose(file); /* read only */
    if (size == 0 || size == BYTES_MAX || bytes[size - 1] != '\0')
        goto fail;
    for (size_t at = 0; at < size; at += strlen(bytes + at) + 1) {
        if (count == ARGUMENTS_MAX)
            goto fail;
        arguments[count++] = bytes + at;
    }
    return arguments;
fail:
    free(bytes);
    free(arguments);
    return NULL;
}

void eddy_blas_core_ensure(void)
{
    const char *wanted = eddy_blas_core_wanted();
    if (getenv(guard) != NULL) {
        /* Children of ours decide for themselves. */
        (void)unsetenv(guard);
        (void)unsetenv(variable);
        return;
    }
    if (wanted == NULL || getenv(keep) != NULL)
        return;
    char **arguments = own_arguments();
    if (arguments == NULL)
        return;
    if (setenv(variable, wanted, 1) == 0 && setenv(guard, "1", 1) == 0)
        (void)execv("/proc/self/exe", arguments);
    /* Not possible: go on with the kernels there are. */
    (void)unsetenv(variable);
    (void)unsetenv(guard);
    free(arguments[0]);
    free(arguments);
}

void eddy_blas_core_report(const char *command, bool quiet)
{
    const char *wanted = eddy_blas_core_wanted();
    if (wanted != NULL)
        (void)fprintf(
            stderr,
            "eddy %s: warning: OpenBLAS uses its %s kernels although this CPU "
            "can run %s: expect a half to a fifth of the speed; unset or change "
            "%s, or link a newer OpenBLAS\n",
            command, eddy_blas_core(), wanted, variable);
    else if (!quiet)
        (void)fprintf(stderr, "eddy %s: OpenBLAS runs its %s kernels\n", command,
                      eddy_blas_core());
}
