/* Which kernels OpenBLAS runs, and which it should: see app/blas_core.c. */
#include "core/train.h"

/* From OpenBLAS' cblas.h; declared here because older headers lack it. */
char *openblas_get_corename(void);

static bool cpu_has_avx512(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

static bool cpu_has_avx2(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

/* 2: AVX-512 kernels, 1: AVX2, 0: older. Names of OpenBLAS 0.3.x. */
static int core_level(const char *name)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "Sapphirerapids",
                                         "SapphireRapids"};
    static const char *const avx2[] = {"Haswell", "Zen", "Excavator"};
    for (size_t i = 0; i < sizeof avx512 / sizeof *avx512; i++)
        if (strcmp(name, avx512[i]) == 0)
            return 2;
    for (size_t i = 0; i < sizeof avx2 / sizeof *avx2; i++)
        if (strcmp(name, avx2[i]) == 0)
            return 1;
    return 0;
}

const char *eddy_blas_core(void)
{
    return openblas_get_corename();
}

const char *eddy_blas_core_wanted(void)
{
    int level = core_level(eddy_blas_core());
    if (cpu_has_avx512() && level < 2)
        return "SkylakeX";
    if (cpu_has_avx2() && level < 1)
        return "Haswell";
    return NULL;
}

bool eddy_blas_core_is_poor(void)
{
    return eddy_blas_core_wanted() != NULL;
}
