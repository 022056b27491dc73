/* core/train_vector.h for plain. */
#define TABLE eddy_train_vector_plain
#define NAME  "plain"
#include "core/train_vector.inc"
