/* Layer: base.  The inside of SHA-256, in plain C and by the CPU's own instructions; private
 * to base/sha256.c and its tests. Thread: any. */
#ifndef EDDY_BASE_SHA256_BLOCKS_H
#define EDDY_BASE_SHA256_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Take count blocks of 64 bytes into the state. */
void eddy_sha256_blocks_plain(uint32_t state[8], const unsigned char *blocks,
                              size_t count);
/* The same; only where eddy_sha256_has_ni. */
void eddy_sha256_blocks_ni(uint32_t state[8], const unsigned char *blocks,
                           size_t count);
bool eddy_sha256_has_ni(void);

#endif
