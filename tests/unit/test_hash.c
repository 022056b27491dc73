/* Hashes against published vectors, the map against a plain table. */
#include "base/hash.h"

#include <stdlib.h>

#include "base/rng.h"
#include "check.h"

static void murmur2_gives_the_values_of_the_java_client(void)
{
    /* org.apache.kafka.common.utils.UtilsTest.testMurmur2, and librdkafka's
     * unittest_murmur2 (the last six). */
    static const struct {
        const char *key;
        uint32_t want;
    } rows[] = {
        {"21", (uint32_t)-973932308},
        {"foobar", (uint32_t)-790332482},
        {"a-little-bit-long-string", (uint32_t)-985981536},
        {"a-little-bit-longer-string", (uint32_t)-1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", (uint32_t)-58897971},
        {"abc", 479470107},
        {"kafka", 0xd067cf64},
        {"giberish123456789", 0x8f552b0c},
        {"1234", 0x9fc97b14},
        {"234", 0xe7c009ca},
        {"34", 0x873930da},
        {"4", 0x5a4b5ca1},
        {"", 0x106e08d9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(eddy_murmur2(eddy_span_of(rows[i].key)), rows[i].want);
    }
}

static void partition_is_the_positive_hash_modulo(void)
{
    CHECK_INT(eddy_partition_of(eddy_span_of("21"), 7),
              ((uint32_t)-973932308 & 0x7fffffff) % 7);
    CHECK_INT(eddy_partition_of(eddy_span_of("abc"), 1), 0);
}

static void hash64_is_xxh64_with_seed_0(void)
{
    /* "", "a", "abc" are well known; the others are xxHash's own sanity check: prefixes of
     * its test buffer, byteGen *= PRIME64_1 from PRIME32_1, top byte of each. */
    static const struct {
        size_t size;
        uint64_t want;
    } rows[] = {
        {0, 0xEF46DB3751D8E999},  {1, 0xE934A84ADB052768},   {4, 0x9136A0DCA57457EE},
        {14, 0x8282DCC4994E35C8}, {222, 0xB641AE8CB691C174},
    };
    unsigned char bytes[222];
    uint64_t generator = 2654435761u;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(generator >> 56);
        generator *= 11400714785074694797u;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_INT(eddy_hash64((struct eddy_span){(char *)bytes, rows[i].size}),
                  rows[i].want);
    }
    CHECK_INT(eddy_hash64(eddy_span_of("a")), 0xD24EC4F1A98C6E5B);
    CHECK_INT(eddy_hash64(eddy_span_of("abc")), 0x44BC2CF5AD770999);
    CHECK_INT(eddy_hash64((struct eddy_span){NULL, 0}), 0xEF46DB3751D8E999);
}

static void mix64_is_the_splitmix64_sequence(void)
{
    /* First outputs of splitmix64 seeded with 1234567 (Vigna's splitmix64.c; the same
     * numbers stand in Rosetta Code's task). */
    static const uint64_t want[] = {6457827717110365317u, 3203168211198807973u,
                                    9817491932198370423u, 4593380528125082431u,
                                    16408922859458223821u};
    for (uint64_t i = 0; i < 5; i++) {
        CHECK_INT(eddy_mix64(1234567, i + 1), want[i]);
    }
}

static void check_sha(const char *text, size_t repeats, size_t step, const char *want)
{
    struct eddy_sha256 sha;
    unsigned char digest[32];
    char hex[65];
    size_t size = strlen(text);
    eddy_sha256_init(&sha);
    for (size_t r = 0; r < repeats; r++) {
        for (size_t i = 0; i < size; i += step) {
            eddy_sha256_update(&sha, text + i, size - i < step ? size - i : step);
        }
    }
    eddy_sha256_final(&sha, digest);
    eddy_hex(digest, 32, hex);
    CHECK_STR(hex, want);
}

static void sha256_gives_the_fips_180_vectors_however_it_is_fed(void)
{
    static const char two_blocks[] =
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char long_text[] =
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    for (size_t step = 1; step < 130; step += 7) {
        check_sha("", 1, step,
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check_sha("abc", 1, step,
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check_sha(two_blocks, 1, step,
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        check_sha(long_text, 1, step,
                  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    }
    check_sha("aaaaaaaaaa", 100000, 10,
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void map_agrees_with_a_table_under_random_puts_and_removes(void)
{
    enum { KEYS = 500 };
    uint32_t want[KEYS];
    struct eddy_map map;
    struct eddy_rng rng;
    uint32_t count = 0;
    eddy_rng_seed(&rng, 7);
    memset(want, 0xff, sizeof want);
    CHECK_INT(eddy_map_init(&map, 0), 0);
    for (int step = 0; step < 20000; step++) {
        uint32_t key = eddy_rng_below(&rng, KEYS);
        uint64_t hash = key % 3 ? key + 1 : (key + 1) * UINT64_C(0x100000001);
        if (eddy_rng_below(&rng, 2)) {
            count += want[key] == EDDY_MAP_NONE;
            want[key] = (uint32_t)step;
            CHECK_INT(eddy_map_put(&map, hash, (uint32_t)step), 0);
        } else {
            count -= want[key] != EDDY_MAP_NONE;
            want[key] = EDDY_MAP_NONE;
            eddy_map_remove(&map, hash);
        }
        CHECK_INT(map.count, count);
        CHECK_INT(eddy_map_get(&map, hash), want[key]);
        for (uint32_t k = 0; step % 1000 == 0 && k < KEYS; k++) {
            uint64_t h = k % 3 ? k + 1 : (k + 1) * UINT64_C(0x100000001);
            CHECK_INT(eddy_map_get(&map, h), want[k]);
        }
    }
    eddy_map_clear(&map);
    CHECK_INT(eddy_map_get(&map, 2), EDDY_MAP_NONE);
    CHECK_INT(map.count, 0);
    eddy_map_fini(&map);
    CHECK_INT(eddy_map_get(&map, 2), EDDY_MAP_NONE);
}

static void map_keeps_its_memory_within_the_expected_size(void)
{
    static const uint32_t sizes[] = {0, 1, 11, 12, 13, 100, 1000, 49152, 49153};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct eddy_map map;
        CHECK_INT(eddy_map_init(&map, sizes[i]), 0);
        uint64_t *keys = map.keys;
        for (uint32_t k = 0; k < sizes[i]; k++) {
            CHECK_INT(eddy_map_put(&map, eddy_mix64(k, 1), k), 0);
        }
        CHECK(map.keys == keys);
        for (uint32_t k = 0; k < sizes[i]; k++) {
            CHECK_INT(eddy_map_get(&map, eddy_mix64(k, 1)), k);
        }
        eddy_map_fini(&map);
    }
}

int main(void)
{
    RUN(murmur2_gives_the_values_of_the_java_client);
    RUN(partition_is_the_positive_hash_modulo);
    RUN(hash64_is_xxh64_with_seed_0);
    RUN(mix64_is_the_splitmix64_sequence);
    RUN(sha256_gives_the_fips_180_vectors_however_it_is_fed);
    RUN(map_agrees_with_a_table_under_random_puts_and_removes);
    RUN(map_keeps_its_memory_within_the_expected_size);
    return check_done();
}
