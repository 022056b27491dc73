/* MessagePack: pull reader and writers.
 *
 * The reader is a cursor: each call looks at one head byte and consumes one value, nothing
 * is allocated and nothing copied. A failing call consumes nothing, so the caller may try
 * another type. Lengths are checked against the bytes that are left before they are
 * believed: an array head with 2^32 elements in a 10-byte record is refused at once (every
 * element takes at least one byte).
 *
 * Writers go through msgpack-c's packer, which chooses the smallest encoding. */
#include "base/msgpack.h"

#include <msgpack/pack.h>

/* How a head byte is to be read. */
enum shape {
    FIXED,  /* value in the head itself          */
    VALUE,  /* value in `width` bytes behind it  */
    RUN,    /* `width` bytes of length, then that many bytes; ext: plus a type byte */
    FIXEXT, /* `width` bytes and a type byte    */
    COUNT,  /* `width` bytes of count            */
    NONE,
};

struct head {
    enum eddy_mp_type type;
    enum shape shape;
    unsigned width;
};

static const struct head heads[32] = {
    /* 0xc0 .. 0xdf */
    {EDDY_MP_NIL, FIXED, 0},   {EDDY_MP_BAD, NONE, 0},    {EDDY_MP_BOOL, FIXED, 0},
    {EDDY_MP_BOOL, FIXED, 0},  {EDDY_MP_BIN, RUN, 1},     {EDDY_MP_BIN, RUN, 2},
    {EDDY_MP_BIN, RUN, 4},     {EDDY_MP_EXT, RUN, 1},     {EDDY_MP_EXT, RUN, 2},
    {EDDY_MP_EXT, RUN, 4},     {EDDY_MP_FLOAT, VALUE, 4}, {EDDY_MP_FLOAT, VALUE, 8},
    {EDDY_MP_INT, VALUE, 1},   {EDDY_MP_INT, VALUE, 2},   {EDDY_MP_INT, VALUE, 4},
    {EDDY_MP_INT, VALUE, 8},   {EDDY_MP_INT, VALUE, 1},   {EDDY_MP_INT, VALUE, 2},
    {EDDY_MP_INT, VALUE, 4},   {EDDY_MP_INT, VALUE, 8},   {EDDY_MP_EXT, FIXEXT, 1},
    {EDDY_MP_EXT, FIXEXT, 2},  {EDDY_MP_EXT, FIXEXT, 4},  {EDDY_MP_EXT, FIXEXT, 8},
    {EDDY_MP_EXT, FIXEXT, 16}, {EDDY_MP_STR, RUN, 1},     {EDDY_MP_STR, RUN, 2},
    {EDDY_MP_STR, RUN, 4},     {EDDY_MP_ARRAY, COUNT, 2}, {EDDY_MP_ARRAY, COUNT, 4},
    {EDDY_MP_MAP, COUNT, 2},   {EDDY_MP_MAP, COUNT, 4},
};

static struct head head_of(unsigned char byte)
{
    if (byte < 0x80 || byte >= 0xe0) {
        return (struct head){EDDY_MP_INT, FIXED, 0};
    }
    if (byte < 0x90) {
        return (struct head){EDDY_MP_MAP, COUNT, 0};
    }
    if (byte < 0xa0) {
        return (struct head){EDDY_MP_ARRAY, COUNT, 0};
    }
    if (byte < 0xc0) {
        return (struct head){EDDY_MP_STR, RUN, 0};
    }
    return heads[byte - 0xc0];
}

static size_t left_in(const struct eddy_mp *mp)
{
    return (size_t)(mp->end - mp->at);
}

/* Big-endian unsigned number of width bytes. */
static uint64_t read_number(const unsigned char *at, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

enum eddy_mp_type eddy_mp_peek(const struct eddy_mp *mp)
{
    if (mp->at == mp->end) {
        return EDDY_MP_END;
    }
    if (*mp->at == 0xcf && left_in(mp) >= 9 && mp->at[1] >= 0x80) {
        return EDDY_MP_UINT;
    }
    return head_of(*mp->at).type;
}

int eddy_mp_nil(struct eddy_mp *mp)
{
    if (mp->at == mp->end || *mp->at != 0xc0) {
        return EDDY_EBADEVENT;
    }
    mp->at++;
    return 0;
}

int eddy_mp_bool(struct eddy_mp *mp, bool *ret)
{
    if (mp->at == mp->end || (*mp->at != 0xc2 && *mp->at != 0xc3)) {
        return EDDY_EBADEVENT;
    }
    *ret = *mp->at++ == 0xc3;
    return 0;
}

/* An integer as its 64 bits and whether it is negative. */
static int read_integer(struct eddy_mp *mp, uint64_t *ret_bits, bool *ret_negative)
{
    if (mp->at == mp->end) {
        return EDDY_EBADEVENT;
    }
    unsigned char byte = *mp->at;
    struct head head = head_of(byte);
    if (head.type != EDDY_MP_INT || head.width > left_in(mp) - 1) {
        return EDDY_EBADEVENT;
    }
    bool is_signed = byte >= 0xd0; /* d0..d3 and the negative fixint */
    uint64_t bits = head.width ? read_number(mp->at + 1, head.width) : byte;
    unsigned width = head.width ? head.width : 1;
    *ret_negative = is_signed && (bits >> (8 * width - 1)) != 0;
    if (*ret_negative && width < 8) {
        bits |= UINT64_MAX << (8 * width);
    }
    *ret_bits = bits;
    mp->at += 1 + head.width;
    return 0;
}

int eddy_mp_i64(struct eddy_mp *mp, int64_t *ret)
{
    struct eddy_mp next = *mp;
    uint64_t bits;
    bool negative;
    if (read_integer(&next, &bits, &negative) < 0 || (!negative && bits > INT64_MAX)) {
        return EDDY_EBADEVENT;
    }
    *ret = (int64_t)bits;
    *mp = next;
    return 0;
}

int eddy_mp_u64(struct eddy_mp *mp, uint64_t *ret)
{
    struct eddy_mp next = *mp;
    uint64_t bits;
    bool negative;
    if (read_integer(&next, &bits, &negative) < 0 || negative) {
        return EDDY_EBADEVENT;
    }
    *ret = bits;
    *mp = next;
    return 0;
}

int eddy_mp_f64(struct eddy_mp *mp, double *ret)
{
    uint64_t bits;
    bool negative;
    if (mp->at == mp->end) {
        return EDDY_EBADEVENT;
    }
    if (*mp->at == 0xca && left_in(mp) >= 5) {
        uint32_t narrow = (uint32_t)read_number(mp->at + 1, 4);
        float value;
        memcpy(&value, &narrow, sizeof value);
        *ret = (double)value;
        mp->at += 5;
        return 0;
    }
    if (*mp->at == 0xcb && left_in(mp) >= 9) {
        bits = read_number(mp->at + 1, 8);
        memcpy(ret, &bits, sizeof bits);
        mp->at += 9;
        return 0;
    }
    if (read_integer(mp, &bits, &negative) < 0) {
        return EDDY_EBADEVENT;
    }
    *ret = negative ? (double)(int64_t)bits : (double)bits;
    return 0;
}

/* A run of bytes of one type. */
static int read_run(struct eddy_mp *mp, enum eddy_mp_type type, struct eddy_span *ret)
{
    if (mp->at == mp->end) {
        return EDDY_EBADEVENT;
    }
    struct head head = head_of(*mp->at);
    size_t left = left_in(mp) - 1;
    if (head.type != type || head.shape != RUN || head.width > left) {
        return EDDY_EBADEVENT;
    }
    uint64_t size = head.width ? read_number(mp->at + 1, head.width) : *mp->at & 31u;
    if (size > left - head.width) {
        return EDDY_EBADEVENT;
    }
    mp->at += 1 + head.width;
    *ret = (struct eddy_span){(const char *)mp->at, (size_t)size};
    mp->at += size;
    return 0;
}

int eddy_mp_str(struct eddy_mp *mp, struct eddy_span *ret)
{
    return read_run(mp, EDDY_MP_STR, ret);
}

int eddy_mp_bin(struct eddy_mp *mp, struct eddy_span *ret)
{
    return read_run(mp, EDDY_MP_BIN, ret);
}

/* Head of an array or map; each entry takes at least `entry` bytes. */
static int read_count(struct eddy_mp *mp, enum eddy_mp_type type, unsigned entry,
                      uint32_t *ret)
{
    if (mp->at == mp->end) {
        return EDDY_EBADEVENT;
    }
    struct head head = head_of(*mp->at);
    size_t left = left_in(mp) - 1;
    if (head.type != type || head.width > left) {
        return EDDY_EBADEVENT;
    }
    uint64_t count = head.width ? read_number(mp->at + 1, head.width) : *mp->at & 15u;
    if (count > (left - head.width) / entry) {
        return EDDY_EBADEVENT;
    }
    mp->at += 1 + head.width;
    *ret = (uint32_t)count;
    return 0;
}

int eddy_mp_array(struct eddy_mp *mp, uint32_t *ret_count)
{
    return read_count(mp, EDDY_MP_ARRAY, 1, ret_count);
}

int eddy_mp_map(struct eddy_mp *mp, uint32_t *ret_count)
{
    return read_count(mp, EDDY_MP_MAP, 2, ret_count);
}

/* Skip a value that contains no others. */
static int skip_leaf(struct eddy_mp *mp)
{
    struct head head = head_of(*mp->at);
    size_t left = left_in(mp) - 1;
    uint64_t size = head.width;
    if (head.shape == NONE || head.width > left) {
        return EDDY_EBADEVENT;
    }
    if (head.shape == RUN) {
        size = head.width ? read_number(mp->at + 1, head.width) : *mp->at & 31u;
        size += head.width;
    }
    size += head.type == EDDY_MP_EXT ? 1 : 0;
    if (size > left) {
        return EDDY_EBADEVENT;
    }
    mp->at += 1 + size;
    return 0;
}

int eddy_mp_skip(struct eddy_mp *mp)
{
    enum { DEPTH_MAX = 32 };
    uint64_t open[DEPTH_MAX]; /* values still to come on each level */
    unsigned depth = 0;
    struct eddy_mp next = *mp;
    for (;;) {
        enum eddy_mp_type type = eddy_mp_peek(&next);
        uint32_t count = 0;
        int code = type == EDDY_MP_END     ? EDDY_EBADEVENT
                   : type == EDDY_MP_ARRAY ? eddy_mp_array(&next, &count)
                   : type == EDDY_MP_MAP   ? eddy_mp_map(&next, &count)
                                           : skip_leaf(&next);
        if (code < 0) {
            return code;
        }
        if (count > 0) {
            if (depth == DEPTH_MAX) {
                return EDDY_EBADEVENT;
            }
            open[depth++] = type == EDDY_MP_MAP ? 2 * (uint64_t)count : count;
            continue;
        }
        while (depth > 0 && --open[depth - 1] == 0) {
            depth--;
        }
        if (depth == 0) {
            *mp = next;
            return 0;
        }
    }
}

static int append(void *buf, const char *bytes, size_t size)
{
    eddy_buf_put(buf, bytes, size);
    return 0; /* failure stays in the buffer */
}

static struct msgpack_packer packer_of(struct eddy_buf *buf)
{
    return (struct msgpack_packer){buf, append};
}

void eddy_mp_put_nil(struct eddy_buf *buf)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_nil(&packer);
}

void eddy_mp_put_bool(struct eddy_buf *buf, bool value)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void eddy_mp_put_i64(struct eddy_buf *buf, int64_t value)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_int64(&packer, value);
}

void eddy_mp_put_u64(struct eddy_buf *buf, uint64_t value)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_uint64(&packer, value);
}

void eddy_mp_put_f32(struct eddy_buf *buf, float value)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_float(&packer, value);
}

void eddy_mp_put_f64(struct eddy_buf *buf, double value)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_double(&packer, value);
}

void eddy_mp_put_str(struct eddy_buf *buf, struct eddy_span text)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_str(&packer, text.size);
    eddy_buf_put(buf, text.data, text.size);
}

void eddy_mp_put_bin(struct eddy_buf *buf, struct eddy_span bytes)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_bin(&packer, bytes.size);
    eddy_buf_put(buf, bytes.data, bytes.size);
}

void eddy_mp_put_array(struct eddy_buf *buf, uint32_t count)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_array(&packer, count);
}

void eddy_mp_put_map(struct eddy_buf *buf, uint32_t count)
{
    struct msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_map(&packer, count);
}
