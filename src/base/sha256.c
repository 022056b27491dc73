/* SHA-256, by the CPU's own instructions where it has them: a model's files are hashed
 * whenever it is opened, an input file whenever it is trained on. Names follow FIPS 180-4,
 * section 6.2. */
#include <string.h>

#include "base/hash.h"
#include "base/sha256_blocks.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const _Alignas(16) uint32_t sha_k[64] = {
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

static void plain_block(uint32_t state[8], const unsigned char block[64])
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

void eddy_sha256_blocks_plain(uint32_t state[8], const unsigned char *blocks,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        plain_block(state, blocks + 64 * i);
}

#if defined(__x86_64__)
/* Words t .. t+3 of the schedule from the sixteen before them. */
__attribute__((target("sha,sse4.1"))) static inline __m128i next_words(__m128i w16,
                                                                       __m128i w12,
                                                                       __m128i w8,
                                                                       __m128i w4)
{
    __m128i sum =
        _mm_add_epi32(_mm_sha256msg1_epu32(w16, w12), _mm_alignr_epi8(w4, w8, 4));
    return _mm_sha256msg2_epu32(sum, w4);
}
#endif

#if defined(__x86_64__)
/* A vector holds four words, the first in the lowest lane; the working variables stand as
 * (f, e, b, a) and (h, g, d, c). One instruction does two rounds: of the variables it gives
 * the new first four, and the old first four are the second four after it. */
__attribute__((target("sha,sse4.1"))) void eddy_sha256_blocks_ni(
    uint32_t state[8], const unsigned char *blocks, size_t count)
{
    const __m128i reverse = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef =
        _mm_set_epi32((int)state[0], (int)state[1], (int)state[4], (int)state[5]);
    __m128i cdgh =
        _mm_set_epi32((int)state[2], (int)state[3], (int)state[6], (int)state[7]);
    for (; count > 0; count--, blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
#pragma GCC unroll 16
        for (int t = 0; t < 16; t++) { /* four rounds each */
            if (t < 4)
                w[t] = _mm_shuffle_epi8(
                    _mm_loadu_si128((const __m128i *)(const void *)(blocks + 16 * t)),
                    reverse);
            else
                w[t % 4] = next_words(w[t % 4], w[(t + 1) % 4], w[(t + 2) % 4],
                                      w[(t + 3) % 4]);
            __m128i sum = _mm_add_epi32(
                w[t % 4],
                _mm_load_si128((const __m128i *)(const void *)(sha_k + 4 * t)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    uint32_t first[4], second[4];
    _mm_storeu_si128((__m128i *)(void *)first, abef);
    _mm_storeu_si128((__m128i *)(void *)second, cdgh);
    const uint32_t after[8] = {first[3], first[2], second[3], second[2],
                               first[1], first[0], second[1], second[0]};
    memcpy(state, after, sizeof after);
}

bool eddy_sha256_has_ni(void)
{
    enum { SSSE3 = 1 << 9, SSE41 = 1 << 19, SHA = 1 << 29 };
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & SSSE3) == 0 || (c & SSE41) == 0)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & SHA) != 0;
}
#else
void eddy_sha256_blocks_ni(uint32_t state[8], const unsigned char *blocks, size_t count)
{
    eddy_sha256_blocks_plain(state, blocks, count);
}

bool eddy_sha256_has_ni(void)
{
    return false;
}
#endif

static void add_blocks(struct eddy_sha256 *sha, const unsigned char *blocks,
                       size_t count)
{
    if (sha->ni)
        eddy_sha256_blocks_ni(sha->state, blocks, count);
    else
        eddy_sha256_blocks_plain(sha->state, blocks, count);
}

void eddy_sha256_init(struct eddy_sha256 *sha)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(sha->state, start, sizeof start);
    sha->count = 0;
    sha->ni = eddy_sha256_has_ni();
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
        add_blocks(sha, sha->block, 1);
        p += part;
        size -= part;
    }
    add_blocks(sha, p, size / 64);
    p += size / 64 * 64;
    size %= 64;
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
        add_blocks(sha, sha->block, 1);
        filled = 0;
    }
    memset(sha->block + filled, 0, 56 - filled);
    for (int i = 0; i < 8; i++) {
        sha->block[56 + i] = (unsigned char)(bits >> (56 - 8 * i));
    }
    add_blocks(sha, sha->block, 1);
    for (int i = 0; i < 32; i++) {
        ret_digest[i] = (unsigned char)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
    }
}
