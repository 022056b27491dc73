/* Choice of the loops of training by what the CPU can run. */
#include "core/train_vector.h"

const struct eddy_train_vector *eddy_train_vector_get(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("fma"))
        return &eddy_train_vector_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &eddy_train_vector_avx2;
#endif
    return &eddy_train_vector_plain;
}
