/* Hashes with a specification: murmur2 decides the partition of a user as every Kafka
 * client does, XXH64 stands in stored states, SHA-256 names and guards snapshots. Results
 * are part of formats: they must never change. Input is read byte by byte, little endian,
 * so they are the same on every machine. */
#include "base/hash.h"

#include <stdlib.h>

#include "base/log.h"
#include "eddy/error.h"

static uint32_t read32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

static uint64_t read64(const unsigned char *p)
{
    return read32(p) | (uint64_t)read32(p + 4) << 32;
}

/* MurmurHash2 (Appleby, public domain) with the seed that Kafka's Java client uses. */
uint32_t eddy_murmur2(struct eddy_span key)
{
    const uint32_t m = 0x5bd1e995;
    const unsigned char *p = (const unsigned char *)key.data;
    size_t left = key.size;
    uint32_t h = UINT32_C(0x9747b28c) ^ (uint32_t)key.size;
    for (; left >= 4; p += 4, left -= 4) {
        uint32_t k = read32(p) * m;
        k ^= k >> 24;
        h = (h * m) ^ (k * m);
    }
    if (left > 0) {
        for (size_t i = 0; i < left; i++) {
            h ^= (uint32_t)p[i] << (8 * i);
        }
        h *= m;
    }
    h = (h ^ (h >> 13)) * m;
    return h ^ (h >> 15);
}

uint32_t eddy_partition_of(struct eddy_span key, uint32_t partitions)
{
    EDDY_ASSERT(partitions > 0);
    return (eddy_murmur2(key) & 0x7fffffff) % partitions;
}

/* XXH64: the primes and the scheme are those of the xxHash specification 0.1.1. */
#define PRIME1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME3 UINT64_C(0x165667B19E3779F9)
#define PRIME4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t lane_round(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * PRIME2, 31) * PRIME1;
}

/* All whole 32-byte stripes; advances *p. */
static uint64_t hash_stripes(const unsigned char **p, size_t *left)
{
    uint64_t lanes[4] = {PRIME1 + PRIME2, PRIME2, 0, 0 - PRIME1};
    for (; *left >= 32; *p += 32, *left -= 32) {
        for (size_t i = 0; i < 4; i++) {
            lanes[i] = lane_round(lanes[i], read64(*p + 8 * i));
        }
    }
    uint64_t h = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
                 rotate(lanes[3], 18);
    for (int i = 0; i < 4; i++) {
        h = (h ^ lane_round(0, lanes[i])) * PRIME1 + PRIME4;
    }
    return h;
}

uint64_t eddy_hash64(struct eddy_span bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.data;
    size_t left = bytes.size;
    uint64_t h = left >= 32 ? hash_stripes(&p, &left) : PRIME5;
    h += bytes.size;
    for (; left >= 8; p += 8, left -= 8) {
        h = rotate(h ^ lane_round(0, read64(p)), 27) * PRIME1 + PRIME4;
    }
    if (left >= 4) {
        h = rotate(h ^ read32(p) * PRIME1, 23) * PRIME2 + PRIME3;
        p += 4;
        left -= 4;
    }
    for (; left > 0; p++, left--) {
        h = rotate(h ^ *p * PRIME5, 11) * PRIME1;
    }
    h = (h ^ (h >> 33)) * PRIME2;
    h = (h ^ (h >> 29)) * PRIME3;
    h ^= h >> 32;
    return h ? h : 1;
}

uint64_t eddy_mix64(uint64_t a, uint64_t b)
{
    uint64_t z = a + UINT64_C(0x9E3779B97F4A7C15) * b;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

void eddy_sha256_init(struct eddy_sha256 *sha)
{
    sha256_init(&sha->nettle);
}

void eddy_sha256_update(struct eddy_sha256 *sha, const void *bytes, size_t size)
{
    sha256_update(&sha->nettle, size, bytes);
}

void eddy_sha256_final(struct eddy_sha256 *sha, unsigned char ret_digest[32])
{
    sha256_digest(&sha->nettle, SHA256_DIGEST_SIZE, ret_digest);
}

void eddy_hex(const unsigned char *bytes, size_t count, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * count] = '\0';
}
