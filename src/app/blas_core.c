/* Debian 12's OpenBLAS 0.3.21 does not know Xeons newer than itself and runs its Prescott
 * kernels on them (SSE3: 15 GFLOP/s a core instead of 75); an OPENBLAS_CORETYPE left over
 * in the environment does the same harm on any CPU (Haswell on an AMD Zen 5: 103 GFLOP/s
 * a core instead of 190). */
#include "app/blas_core.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
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

enum { SLICES = 9, SLICE_NS = 20000000 };

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* FLOP/s of one slice. */
static double run_slice(uint32_t rows, uint32_t outputs, uint32_t inputs,
                        const float *x, const float *w, float *y)
{
    uint64_t start = eddy_thread_cpu_ns(), spent;
    double flops = 0;
    do {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)outputs,
                    (int)inputs, 1.0f, x, (int)inputs, w, (int)inputs, 0.0f, y,
                    (int)outputs);
        flops += 2.0 * rows * outputs * inputs;
        spent = eddy_thread_cpu_ns() - start;
    } while (spent < SLICE_NS);
    return flops / ((double)spent / 1e9);
}

double eddy_blas_core_rate(uint32_t rows, uint32_t outputs, uint32_t inputs)
{
    size_t x_size = (size_t)rows * inputs, w_size = (size_t)outputs * inputs;
    float *x = malloc(x_size * sizeof *x), *w = malloc(w_size * sizeof *w);
    float *y = malloc((size_t)rows * outputs * sizeof *y);
    double rates[SLICES] = {0};

    openblas_set_num_threads(1);
    if (x != NULL && w != NULL && y != NULL) {
        for (size_t i = 0; i < x_size; i++)
            x[i] = (float)(i % 7) - 3.0f;
        for (size_t i = 0; i < w_size; i++)
            w[i] = (float)(i % 5) - 2.0f;
        for (int s = 0; s < SLICES; s++)
            rates[s] = run_slice(rows, outputs, inputs, x, w, y);
    }
    free(x);
    free(w);
    free(y);
    qsort(rates, SLICES, sizeof *rates, by_value);
    return rates[SLICES / 2];
}
