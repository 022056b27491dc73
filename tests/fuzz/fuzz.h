/* What fuzz targets share. A target is one function over bytes; libFuzzer drives it in
 * preset fuzz, replay_main.c over the committed corpus in every preset. A property that
 * does not hold aborts, which both report with the input. */
#ifndef EDDY_TESTS_FUZZ_H
#define EDDY_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define HOLDS(cond) EDDY_ASSERT(cond)

#endif
