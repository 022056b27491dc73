/* Layer: base.  Hashes with a specification, and a map from 64-bit hash to index. */
#ifndef EDDY_BASE_HASH_H
#define EDDY_BASE_HASH_H

#include <nettle/sha2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Kafka's murmur2 (org.apache.kafka.common.utils.Utils.murmur2); the partition of a key
 * is (murmur2 & 0x7fffffff) % partitions, as librdkafka's murmur2 partitioners do. */
uint32_t eddy_murmur2(struct eddy_span key);
uint32_t eddy_partition_of(struct eddy_span key, uint32_t partitions);

/* 64-bit hash for ids kept in state blobs: XXH64 with seed 0 (xxHash specification
 * 0.1.1), written here because it is part of the stored format. Never 0: a zero result
 * becomes 1, so that 0 can mean "none". */
uint64_t eddy_hash64(struct eddy_span bytes);

/* Mix two 64-bit values into one (splitmix64 finaliser of a + golden * b). */
uint64_t eddy_mix64(uint64_t a, uint64_t b);

/* SHA-256 (FIPS 180-4), streaming, by Nettle, which takes the CPU's own instructions. */
struct eddy_sha256 {
    struct sha256_ctx nettle;
};
void eddy_sha256_init(struct eddy_sha256 *sha);
void eddy_sha256_update(struct eddy_sha256 *sha, const void *bytes, size_t size);
void eddy_sha256_final(struct eddy_sha256 *sha, unsigned char ret_digest[32]);
/* Lower-case hexadecimal with NUL of the first count bytes: 2 * count + 1 chars. */
void eddy_hex(const unsigned char *bytes, size_t count, char *ret_text);

/* Map from non-zero 64-bit hash to uint32_t, open addressing, grows by doubling. */
struct eddy_map {
    uint64_t *keys;
    uint32_t *values;
    uint32_t count;
    uint32_t mask; /* slots - 1; 0 when empty */
};
#define EDDY_MAP_NONE UINT32_MAX
int eddy_map_init(struct eddy_map *map, uint32_t expected); /* 0 or EDDY_ENOMEM */
void eddy_map_fini(struct eddy_map *map);
void eddy_map_clear(struct eddy_map *map);
/* Value of key or EDDY_MAP_NONE. */
uint32_t eddy_map_get(const struct eddy_map *map, uint64_t key);
/* Ask for the memory that a look-up of key will need: before many look-ups, for all. */
void eddy_map_prefetch(const struct eddy_map *map, uint64_t key);
/* Insert or overwrite: 0 or EDDY_ENOMEM. Allocates nothing while count stays within
 * the expected size of init. */
int eddy_map_put(struct eddy_map *map, uint64_t key, uint32_t value);
/* Remove (backward-shift deletion). No effect when absent. */
void eddy_map_remove(struct eddy_map *map, uint64_t key);

#endif
