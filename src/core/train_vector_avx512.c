/* core/train_vector.h for avx512. */
#define TABLE eddy_train_vector_avx512
#define NAME  "avx512"
#include "core/train_vector.inc"
