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

/* SHA-256. Names follow FIPS 180-4, section 6.2. */
static const uint32_t sha_k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t turn(uint32_t x, int bits)
{
    return x >> bits | x << (32 - bits);
}

static void sha_block(uint32_t state[8], const unsigned char block[64])
{
    uint32_t w[64], v[8];
    for (size_t t = 0; t < 16; t++) {
        const unsigned char *p = block + 4 * t;
        w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    }
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    memcpy(v, state, sizeof v); /* a b c d e f g h */
    for (int t = 0; t < 64; t++) {
        uint32_t sum1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25);
        uint32_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + sum1 + choose + sha_k[t] + w[t];
        uint32_t sum0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + sum0 + majority;
    }
    for (int i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void eddy_sha256_init(struct eddy_sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, start, sizeof start);
    sha->count = 0;
}

void eddy_sha256_update(struct eddy_sha256 *sha, const void *bytes, size_t size)
{
    const unsigned char *p = bytes;
    size_t filled = sha->count % 64;
    sha->count += size;
    if (filled > 0) {
        size_t part = size < 64 - filled ? size : 64 - filled;
        if (part > 0) {
            memcpy(sha->block + filled, p, part);
        }
        if (filled + part < 64) {
            return;
        }
        sha_block(sha->state, sha->block);
        p += part;
        size -= part;
    }
    for (; size >= 64; p += 64, size -= 64) {
        sha_block(sha->state, p);
    }
    if (size > 0) {
        memcpy(sha->block, p, size);
    }
}

void eddy_sha256_final(struct eddy_sha256 *sha, unsigned char ret_digest[32])
{
    uint64_t bits = sha->count * 8;
    size_t filled = sha->count % 64;
    sha->block[filled++] = 0x80;
    if (filled > 56) {
        memset(sha->block + filled, 0, 64 - filled);
        sha_block(sha->state, sha->block);
        filled = 0;
    }
    memset(sha->block + filled, 0, 56 - filled);
    for (int i = 0; i < 8; i++) {
        sha->block[56 + i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    sha_block(sha->state, sha->block);
    for (int i = 0; i < 32; i++) {
        ret_digest[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
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
