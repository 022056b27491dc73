/* The pull reader against msgpack-c's unpacker: on random documents, on every truncation
 * of them, on random damage. Then the rules of the contract. */
#include "base/msgpack.h"

#include <msgpack.h>

#include "base/rng.h"
#include "check.h"

static struct eddy_rng rng;

/* Numbers around every boundary of the encodings, and any others. */
static uint64_t some_number(void)
{
    uint64_t bits = UINT64_C(1) << eddy_rng_below(&rng, 64);
    switch (eddy_rng_below(&rng, 4)) {
    case 0: return bits;
    case 1: return bits - 1;
    case 2: return 0 - bits;
    default: return eddy_rng_next(&rng) >> eddy_rng_below(&rng, 64);
    }
}

static void put_bytes(struct eddy_buf *buf, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        eddy_buf_putc(buf, (char)eddy_rng_next(&rng));
    }
}

static int append(void *buf, const char *bytes, size_t size)
{
    eddy_buf_put(buf, bytes, size);
    return 0;
}

/* A random value: leaves by our writers, ext (which we do not write) by msgpack-c. */
static void put_value(struct eddy_buf *buf, int depth)
{
    struct eddy_buf bytes;
    msgpack_packer packer;
    uint32_t kinds = depth > 0 ? 11 : 8;
    uint32_t count = eddy_rng_below(&rng, eddy_rng_below(&rng, 50) == 0 ? 300 : 20);
    eddy_buf_init(&bytes, 0);
    put_bytes(&bytes, count);
    eddy_buf_puts(&bytes, "");
    switch (eddy_rng_below(&rng, kinds)) {
    case 0: eddy_mp_put_nil(buf); break;
    case 1: eddy_mp_put_bool(buf, eddy_rng_below(&rng, 2)); break;
    case 2: eddy_mp_put_i64(buf, (int64_t)some_number()); break;
    case 3: eddy_mp_put_u64(buf, some_number()); break;
    case 4: eddy_mp_put_f32(buf, (float)eddy_rng_normal(&rng)); break;
    case 5: eddy_mp_put_f64(buf, eddy_rng_normal(&rng)); break;
    case 6: eddy_mp_put_str(buf, eddy_buf_span(&bytes)); break;
    case 7: eddy_mp_put_bin(buf, eddy_buf_span(&bytes)); break;
    case 8:
        msgpack_packer_init(&packer, buf, append);
        (void)msgpack_pack_ext(&packer, count, 5);
        eddy_buf_put(buf, bytes.data, bytes.size);
        break;
    case 9:
        eddy_mp_put_array(buf, count);
        for (uint32_t i = 0; i < count; i++) {
            put_value(buf, depth - 2);
        }
        break;
    default:
        count /= 2;
        eddy_mp_put_map(buf, count);
        for (uint32_t i = 0; i < 2 * count; i++) {
            put_value(buf, depth - 2);
        }
        break;
    }
    eddy_buf_fini(&bytes);
}

static bool same_run(struct eddy_span ours, const char *data, uint32_t size)
{
    return CHECK_INT(ours.size, size) && CHECK_MEM(ours.data, data, size);
}

static bool agrees(struct eddy_mp *mp, const msgpack_object *object);

static bool agrees_inside(struct eddy_mp *mp, const msgpack_object *object)
{
    uint32_t count;
    if (object->type == MSGPACK_OBJECT_ARRAY) {
        bool good = CHECK_INT(eddy_mp_array(mp, &count), 0) &&
                    CHECK_INT(count, object->via.array.size);
        for (uint32_t i = 0; good && i < count; i++) {
            good = agrees(mp, &object->via.array.ptr[i]);
        }
        return good;
    }
    bool good =
        CHECK_INT(eddy_mp_map(mp, &count), 0) && CHECK_INT(count, object->via.map.size);
    for (uint32_t i = 0; good && i < count; i++) {
        good = agrees(mp, &object->via.map.ptr[i].key) &&
               agrees(mp, &object->via.map.ptr[i].val);
    }
    return good;
}

/* Read one value and compare it with msgpack-c's object. */
static bool agrees(struct eddy_mp *mp, const msgpack_object *object)
{
    bool flag;
    int64_t i64;
    uint64_t u64;
    double f64;
    struct eddy_span run;
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_NIL) &&
               CHECK_INT(eddy_mp_nil(mp), 0);
    case MSGPACK_OBJECT_BOOLEAN:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_BOOL) &&
               CHECK_INT(eddy_mp_bool(mp, &flag), 0) &&
               CHECK_INT(flag, object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        CHECK_INT(eddy_mp_peek(mp),
                  object->via.u64 > INT64_MAX ? EDDY_MP_UINT : EDDY_MP_INT);
        CHECK_INT(eddy_mp_i64(&(struct eddy_mp){mp->at, mp->end}, &i64),
                  object->via.u64 > INT64_MAX ? EDDY_EBADEVENT : 0);
        CHECK_INT(eddy_mp_f64(&(struct eddy_mp){mp->at, mp->end}, &f64), 0);
        CHECK_NEAR(f64, (double)object->via.u64, 0);
        return CHECK_INT(eddy_mp_u64(mp, &u64), 0) && CHECK_INT(u64, object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        CHECK_INT(eddy_mp_peek(mp), EDDY_MP_INT);
        CHECK_INT(eddy_mp_u64(&(struct eddy_mp){mp->at, mp->end}, &u64),
                  EDDY_EBADEVENT);
        CHECK_INT(eddy_mp_f64(&(struct eddy_mp){mp->at, mp->end}, &f64), 0);
        CHECK_NEAR(f64, (double)object->via.i64, 0);
        return CHECK_INT(eddy_mp_i64(mp, &i64), 0) && CHECK_INT(i64, object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_FLOAT) &&
               CHECK_INT(eddy_mp_f64(mp, &f64), 0) &&
               CHECK_MEM(&f64, &object->via.f64, sizeof f64);
    case MSGPACK_OBJECT_STR:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_STR) &&
               CHECK_INT(eddy_mp_str(mp, &run), 0) &&
               same_run(run, object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_BIN:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_BIN) &&
               CHECK_INT(eddy_mp_bin(mp, &run), 0) &&
               same_run(run, object->via.bin.ptr, object->via.bin.size);
    case MSGPACK_OBJECT_EXT:
        return CHECK_INT(eddy_mp_peek(mp), EDDY_MP_EXT) &&
               CHECK_INT(eddy_mp_skip(mp), 0);
    default: return agrees_inside(mp, object);
    }
}

/* Whether msgpack-c reads one value, and how long it is. */
static bool theirs(struct eddy_span bytes, size_t *ret_size)
{
    msgpack_unpacked result;
    size_t size = 0;
    msgpack_unpacked_init(&result);
    msgpack_unpack_return code =
        msgpack_unpack_next(&result, bytes.data, bytes.size, &size);
    msgpack_unpacked_destroy(&result);
    *ret_size = size;
    return code == MSGPACK_UNPACK_SUCCESS;
}

static bool skips_the_same(struct eddy_span bytes)
{
    struct eddy_mp mp = eddy_mp_of(bytes);
    size_t size;
    bool good = theirs(bytes, &size);
    int code = eddy_mp_skip(&mp);
    return CHECK_INT(code, good ? 0 : EDDY_EBADEVENT) &&
           CHECK_INT((const char *)mp.at - bytes.data, good ? size : 0);
}

static void random_documents_read_the_same(void)
{
    eddy_rng_seed(&rng, 5);
    for (int i = 0; i < 5000; i++) {
        struct eddy_buf buf;
        msgpack_unpacked result;
        size_t size = 0;
        eddy_buf_init(&buf, 0);
        put_value(&buf, 5);
        msgpack_unpacked_init(&result);
        bool good = CHECK_INT(msgpack_unpack_next(&result, buf.data, buf.size, &size),
                              MSGPACK_UNPACK_SUCCESS);
        struct eddy_mp mp = eddy_mp_of(eddy_buf_span(&buf));
        good = good && agrees(&mp, &result.data) && CHECK(mp.at == mp.end) &&
               CHECK_INT(eddy_mp_peek(&mp), EDDY_MP_END) &&
               skips_the_same(eddy_buf_span(&buf));
        msgpack_unpacked_destroy(&result);
        eddy_buf_fini(&buf);
        if (!good) {
            return;
        }
    }
}

static void every_truncation_is_refused(void)
{
    eddy_rng_seed(&rng, 6);
    for (int i = 0; i < 300; i++) {
        struct eddy_buf buf;
        eddy_buf_init(&buf, 0);
        put_value(&buf, 3);
        for (size_t size = 0; size < buf.size; size++) {
            /* An exact copy, so that asan sees a read behind it. */
            struct eddy_buf part;
            eddy_buf_init(&part, 0);
            eddy_buf_put(&part, buf.data, size);
            struct eddy_mp mp = eddy_mp_of((struct eddy_span){part.data, size});
            CHECK_INT(eddy_mp_skip(&mp), EDDY_EBADEVENT);
            CHECK((const char *)mp.at == part.data);
            eddy_buf_fini(&part);
        }
        eddy_buf_fini(&buf);
    }
}

static void damaged_documents_are_judged_the_same(void)
{
    int valid = 0, tried = 0;
    eddy_rng_seed(&rng, 7);
    for (int i = 0; i < 30000; i++) {
        struct eddy_buf buf;
        eddy_buf_init(&buf, 0);
        put_value(&buf, 3);
        for (uint32_t n = 1 + eddy_rng_below(&rng, 3); n > 0; n--) {
            buf.data[eddy_rng_below(&rng, (uint32_t)buf.size)] =
                (char)eddy_rng_next(&rng);
        }
        /* Heads of 32-bit arrays and maps make msgpack-c allocate what they promise. */
        if (!memchr(buf.data, 0xdd, buf.size) && !memchr(buf.data, 0xdf, buf.size)) {
            size_t size;
            tried++;
            valid += theirs(eddy_buf_span(&buf), &size) ? 1 : 0;
            if (!skips_the_same(eddy_buf_span(&buf))) {
                i = 30000;
            }
        }
        eddy_buf_fini(&buf);
    }
    CHECK(valid > tried / 20 && valid < tried * 19 / 20); /* both kinds were met */
}

static void a_failing_read_consumes_nothing(void)
{
    static const char text[] = "\xa3"
                               "abc";
    struct eddy_mp mp = eddy_mp_of((struct eddy_span){text, 4});
    const unsigned char *at = mp.at;
    bool flag = true;
    int64_t i64 = 5;
    uint64_t u64 = 5;
    double f64 = 5;
    uint32_t count = 5;
    struct eddy_span run = {text, 1};
    CHECK_INT(eddy_mp_nil(&mp), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_bool(&mp, &flag), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_i64(&mp, &i64), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_u64(&mp, &u64), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_f64(&mp, &f64), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_bin(&mp, &run), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_array(&mp, &count), EDDY_EBADEVENT);
    CHECK_INT(eddy_mp_map(&mp, &count), EDDY_EBADEVENT);
    CHECK(mp.at == at && flag && i64 == 5 && u64 == 5 && count == 5 && run.size == 1);
    CHECK_INT(eddy_mp_str(&mp, &run), 0);
    CHECK_INT(run.size, 3);
    CHECK_INT(eddy_mp_str(&mp, &run), EDDY_EBADEVENT); /* nothing left */
    CHECK_INT(eddy_mp_skip(&mp), EDDY_EBADEVENT);
    struct eddy_mp none = eddy_mp_of((struct eddy_span){NULL, 0});
    CHECK_INT(eddy_mp_peek(&none), EDDY_MP_END);
    CHECK_INT(eddy_mp_skip(&none), EDDY_EBADEVENT);
}

static void lengths_are_not_believed(void)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        {"\xdd\xff\xff\xff\xff\x01", 6},
        {"\xdf\x00\x00\x00\x02\x01\x01", 7},
        {"\xdb\xff\xff\xff\xff", 5},
        {"\xc6\x80\x00\x00\x00", 5},
        {"\xc9\xff\xff\xff\xff\x01", 6},
        {"\x93\x01\x02", 3},
        {"\x82\x01\x02\x03", 4},
        {"\xc1", 1},
        {"\xd4\x01", 2},
        {"\xcf\x01\x02", 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eddy_mp mp = eddy_mp_of((struct eddy_span){rows[i].bytes, rows[i].size});
        uint32_t count;
        struct eddy_span run;
        CHECK_INT(eddy_mp_array(&mp, &count), EDDY_EBADEVENT);
        CHECK_INT(eddy_mp_map(&mp, &count), EDDY_EBADEVENT);
        CHECK_INT(eddy_mp_str(&mp, &run), EDDY_EBADEVENT);
        CHECK_INT(eddy_mp_bin(&mp, &run), EDDY_EBADEVENT);
        CHECK_INT(eddy_mp_skip(&mp), EDDY_EBADEVENT);
    }
    struct eddy_mp reserved = eddy_mp_of((struct eddy_span){"\xc1", 1});
    CHECK_INT(eddy_mp_peek(&reserved), EDDY_MP_BAD);
}

static void nesting_ends_at_32(void)
{
    char deep[40];
    memset(deep, '\x91', sizeof deep);
    deep[32] = '\x01';
    struct eddy_mp mp = eddy_mp_of((struct eddy_span){deep, 33});
    CHECK_INT(eddy_mp_skip(&mp), 0);
    deep[32] = '\x91';
    deep[33] = '\x01';
    mp = eddy_mp_of((struct eddy_span){deep, 34});
    CHECK_INT(eddy_mp_skip(&mp), EDDY_EBADEVENT);
}

int main(void)
{
    RUN(random_documents_read_the_same);
    RUN(every_truncation_is_refused);
    RUN(damaged_documents_are_judged_the_same);
    RUN(a_failing_read_consumes_nothing);
    RUN(lengths_are_not_believed);
    RUN(nesting_ends_at_32);
    return check_done();
}
