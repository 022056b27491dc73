/* The store's protocol, as far as it is the same everywhere: names of keys, the two small
 * values beside the states, and the calls through the table of an implementation.
 *
 * Keys of a partition carry the hash tag {prefix:p}, so that Redis Cluster keeps them in
 * one slot, on one node, in one replication stream: only so can one EXEC move them
 * together. List keys carry no tag: a reader who knows a user knows his key.
 *
 * Both values are msgpack with a version in front. Encoders write the fields in one order
 * with the smallest encoding: equal contents are equal bytes, which the digests rely on. */
#include "io/store.h"

#include "base/msgpack.h"

enum { POSITION_VERSION = 1 };

void eddy_store_close(struct eddy_store *store)
{
    if (store) {
        store->ops->close(store);
    }
}

int eddy_store_acquire(struct eddy_store *store, uint32_t partition,
                       struct eddy_arena *arena, struct eddy_position *ret_position,
                       bool *ret_found, struct eddy_span *ret_outbox,
                       struct eddy_err *err)
{
    return store->ops->acquire(store, partition, arena, ret_position, ret_found,
                               ret_outbox, err);
}

void eddy_store_forget(struct eddy_store *store, uint32_t partition)
{
    store->ops->forget(store, partition);
}

int eddy_store_load(struct eddy_store *store, struct eddy_load *loads, uint32_t count,
                    struct eddy_arena *arena, uint32_t *ret_fenced_partition,
                    struct eddy_err *err)
{
    if (count == 0) {
        return 0;
    }
    return store->ops->load(store, loads, count, arena, ret_fenced_partition, err);
}

int eddy_store_commit(struct eddy_store *store, struct eddy_commit *commits,
                      uint32_t count, struct eddy_err *err)
{
    if (count == 0) {
        return 0;
    }
    return store->ops->commit(store, commits, count, err);
}

int eddy_store_get(struct eddy_store *store, struct eddy_span key,
                   struct eddy_arena *arena, struct eddy_span *ret_value,
                   struct eddy_err *err)
{
    return store->ops->get(store, &key, 1, arena, ret_value, err);
}

int eddy_store_get_many(struct eddy_store *store, const struct eddy_span *keys,
                        uint32_t count, struct eddy_arena *arena,
                        struct eddy_span *ret_values, struct eddy_err *err)
{
    if (count == 0) {
        return 0;
    }
    return store->ops->get(store, keys, count, arena, ret_values, err);
}

int eddy_store_set_if_absent(struct eddy_store *store, struct eddy_span key,
                             struct eddy_span value, struct eddy_err *err)
{
    return store->ops->set_if_absent(store, key, value, err);
}

int eddy_store_scan_users(struct eddy_store *store, uint32_t partition,
                          int (*visit)(void *context, struct eddy_span user,
                                       struct eddy_span blob, struct eddy_span list),
                          void *context, struct eddy_err *err)
{
    return store->ops->scan_users(store, partition, visit, context, err);
}

/* ---------------------------------------------------------------- keys */

static void put_tag(const struct eddy_store *store, uint32_t partition,
                    struct eddy_buf *out)
{
    eddy_buf_putc(out, '{');
    eddy_buf_puts(out, store->prefix);
    eddy_buf_putc(out, ':');
    eddy_buf_put_u64(out, partition);
    eddy_buf_puts(out, "}:");
}

void eddy_key_list(const struct eddy_store *store, struct eddy_span user,
                   struct eddy_buf *out)
{
    eddy_buf_puts(out, store->prefix);
    eddy_buf_puts(out, ":list:");
    eddy_buf_put(out, user.data, user.size);
}

void eddy_key_state(const struct eddy_store *store, uint32_t partition,
                    struct eddy_span user, struct eddy_buf *out)
{
    put_tag(store, partition, out);
    eddy_buf_puts(out, "s:");
    eddy_buf_put(out, user.data, user.size);
}

void eddy_key_part(const struct eddy_store *store, uint32_t partition, const char *name,
                   struct eddy_buf *out)
{
    put_tag(store, partition, out);
    eddy_buf_puts(out, name);
}

void eddy_key_meta(const struct eddy_store *store, struct eddy_buf *out)
{
    eddy_buf_puts(out, store->prefix);
    eddy_buf_puts(out, ":meta");
}

void eddy_key_list_default(const struct eddy_store *store, struct eddy_buf *out)
{
    eddy_buf_puts(out, store->prefix);
    eddy_buf_puts(out, ":list-default");
}

/* ---------------------------------------------------------------- position */

void eddy_position_encode(const struct eddy_position *position, struct eddy_buf *out)
{
    eddy_mp_put_map(out, 4);
    eddy_mp_put_str(out, eddy_span_of("v"));
    eddy_mp_put_u64(out, POSITION_VERSION);
    eddy_mp_put_str(out, eddy_span_of("offset"));
    eddy_mp_put_u64(out, position->offset);
    eddy_mp_put_str(out, eddy_span_of("snapshot"));
    eddy_mp_put_str(out, eddy_span_of(position->snapshot));
    eddy_mp_put_str(out, eddy_span_of("policy"));
    eddy_policy_encode(&position->policy, out);
}

static int decode_snapshot_id(struct eddy_mp *mp, char ret[EDDY_SNAPSHOT_ID_SIZE])
{
    struct eddy_span text;
    if (eddy_mp_str(mp, &text) < 0 || text.size >= EDDY_SNAPSHOT_ID_SIZE ||
        (text.size > 0 && memchr(text.data, 0, text.size))) {
        return EDDY_EFORMAT;
    }
    memset(ret, 0, EDDY_SNAPSHOT_ID_SIZE);
    if (text.size > 0) {
        memcpy(ret, text.data, text.size);
    }
    return 0;
}

enum { SEEN_VERSION = 1, SEEN_OFFSET = 2, SEEN_SNAPSHOT = 4, SEEN_POLICY = 8 };

static int decode_field(struct eddy_mp *mp, struct eddy_position *position,
                        uint64_t *version, unsigned *seen)
{
    struct eddy_span key;
    int r = eddy_mp_str(mp, &key);
    if (r < 0) {
        return EDDY_EFORMAT;
    }
    if (eddy_span_eq(key, eddy_span_of("v"))) {
        *seen |= SEEN_VERSION;
        r = eddy_mp_u64(mp, version);
    } else if (eddy_span_eq(key, eddy_span_of("offset"))) {
        *seen |= SEEN_OFFSET;
        r = eddy_mp_u64(mp, &position->offset);
    } else if (eddy_span_eq(key, eddy_span_of("snapshot"))) {
        *seen |= SEEN_SNAPSHOT;
        r = decode_snapshot_id(mp, position->snapshot);
    } else if (eddy_span_eq(key, eddy_span_of("policy"))) {
        *seen |= SEEN_POLICY;
        r = eddy_policy_decode(mp, &position->policy);
    } else {
        r = eddy_mp_skip(mp); /* written by a later eddy of the same version */
    }
    return r < 0 ? EDDY_EFORMAT : 0;
}

int eddy_position_decode(struct eddy_span bytes, struct eddy_position *ret)
{
    struct eddy_mp mp = eddy_mp_of(bytes);
    struct eddy_position position;
    uint64_t version = 0;
    unsigned seen = 0;
    uint32_t count = 0;
    memset(&position, 0, sizeof position);
    if (eddy_mp_map(&mp, &count) < 0) {
        return EDDY_EFORMAT;
    }
    for (uint32_t i = 0; i < count; i++) {
        int r = decode_field(&mp, &position, &version, &seen);
        if (r < 0) {
            return r;
        }
    }
    if (mp.at != mp.end || !(seen & SEEN_VERSION)) {
        return EDDY_EFORMAT;
    }
    if (version != POSITION_VERSION) {
        return EDDY_EVERSION;
    }
    if (seen != (SEEN_VERSION | SEEN_OFFSET | SEEN_SNAPSHOT | SEEN_POLICY)) {
        return EDDY_EFORMAT;
    }
    *ret = position;
    return 0;
}

/* ---------------------------------------------------------------- outbox */

void eddy_outbox_encode(const struct eddy_span *users, uint32_t count,
                        struct eddy_buf *out)
{
    eddy_mp_put_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        eddy_mp_put_str(out, users[i]);
    }
}

int eddy_outbox_decode(struct eddy_span bytes, struct eddy_arena *arena,
                       const struct eddy_span **ret_users, uint32_t *ret_count)
{
    struct eddy_mp mp = eddy_mp_of(bytes);
    uint32_t count = 0;
    if (bytes.size == 0) {
        *ret_users = NULL;
        *ret_count = 0;
        return 0;
    }
    /* Every string takes a byte at least: a count beyond that is a lie that must not
     * decide how much memory is taken. */
    if (eddy_mp_array(&mp, &count) < 0 || count > bytes.size) {
        return EDDY_EFORMAT;
    }
    struct eddy_span *users = eddy_arena_zero(arena, count ? count : 1, sizeof *users);
    if (!users) {
        return EDDY_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_span user;
        if (eddy_mp_str(&mp, &user) < 0 || user.size == 0 || user.size > EDDY_ID_MAX) {
            return EDDY_EFORMAT;
        }
        users[i] = eddy_arena_copy(arena, user);
        if (!users[i].data) {
            return EDDY_ENOMEM;
        }
    }
    if (mp.at != mp.end) {
        return EDDY_EFORMAT;
    }
    *ret_users = users;
    *ret_count = count;
    return 0;
}
