/* core/train_vector.h for avx2. */
#define TABLE eddy_train_vector_avx2
#define NAME  "avx2"
#include "core/train_vector.inc"
