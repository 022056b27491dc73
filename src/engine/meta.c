#include "engine/meta.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { LAYOUT = 1 };

struct eddy_meta eddy_meta_of(const struct eddy_config *config, uint32_t partitions)
{
    struct eddy_meta meta = {.partitions = partitions,
                             .policy = eddy_config_policy(config)};
    (void)snprintf(meta.initial, sizeof meta.initial, "%s", config->model.initial);
    return meta;
}

static void encode(const struct eddy_meta *meta, struct eddy_buf *out)
{
    eddy_buf_printf(out,
                    "{\"initial\":\"%s\",\"layout\":%d,\"partitioner\":\"murmur2\","
                    "\"partitions\":%" PRIu32 ",\"policy\":{\"exclude_recent\":%s,"
                    "\"lateness_s\":%" PRIu32 ",\"list_size\":%" PRIu32 "}}",
                    meta->initial, LAYOUT, meta->partitions,
                    meta->policy.exclude_recent ? "true" : "false",
                    meta->policy.lateness_s, meta->policy.list_size);
}

static int decode(const json_t *root, const char *key, struct eddy_meta *ret,
                  struct eddy_err *err)
{
    const json_t *policy = json_object_get(root, "policy");
    json_int_t layout = json_integer_value(json_object_get(root, "layout"));
    const char *partitioner = json_string_value(json_object_get(root, "partitioner"));
    const char *initial = json_string_value(json_object_get(root, "initial"));

    if (layout != LAYOUT)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "%s says layout %lld, this eddy writes layout %d: use the version that wrote "
            "it, or another group",
            key, (long long)layout, LAYOUT);
    if (!partitioner || strcmp(partitioner, "murmur2") != 0)
        return eddy_fail(err, EDDY_ECONFIG, "%s says partitioner \"%s\", not murmur2",
                         key, partitioner ? partitioner : "");
    if (!initial || !json_is_object(policy))
        return eddy_fail(err, EDDY_ECONFIG,
                         "%s is damaged: initial or policy is missing", key);
    ret->partitions = (uint32_t)json_integer_value(json_object_get(root, "partitions"));
    (void)snprintf(ret->initial, sizeof ret->initial, "%s", initial);
    ret->policy = (struct eddy_policy){
        .list_size = (uint32_t)json_integer_value(json_object_get(policy, "list_size")),
        .exclude_recent = json_is_true(json_object_get(policy, "exclude_recent")),
        .lateness_s =
            (uint32_t)json_integer_value(json_object_get(policy, "lateness_s")),
    };
    return 0;
}

int eddy_meta_read(struct eddy_store *store, struct eddy_meta *ret, bool *ret_found,
                   struct eddy_err *err)
{
    struct eddy_arena *arena = eddy_arena_new(4096, 1 << 20);
    struct eddy_span value = {NULL, 0};
    struct eddy_buf key;
    int rc = 0;

    eddy_buf_init(&key, 0);
    eddy_key_meta(store, &key);
    if (!arena || key.failed)
        rc = eddy_fail(err, EDDY_ENOMEM, "no memory");
    if (rc == 0)
        rc = eddy_store_get(store, eddy_buf_span(&key), arena, &value, err);
    if (rc == 0 && value.data) {
        json_t *root = json_loadb(value.data, value.size, 0, NULL);
        rc = decode(root, key.data, ret, err);
        json_decref(root);
    }
    if (rc == 0)
        *ret_found = value.data != NULL;
    eddy_buf_fini(&key);
    eddy_arena_free(arena);
    return rc;
}

static int write_first(struct eddy_store *store, const struct eddy_meta *meta,
                       struct eddy_err *err)
{
    struct eddy_buf key, value;
    int rc = 0;

    eddy_buf_init(&key, 0);
    eddy_buf_init(&value, 0);
    eddy_key_meta(store, &key);
    encode(meta, &value);
    rc = key.failed || value.failed
             ? eddy_fail(err, EDDY_ENOMEM, "no memory")
             : eddy_store_set_if_absent(store, eddy_buf_span(&key),
                                        eddy_buf_span(&value), err);
    eddy_buf_fini(&key);
    eddy_buf_fini(&value);
    return rc < 0 ? rc : 0;
}

int eddy_meta_settle(struct eddy_store *store, struct eddy_meta *meta,
                     struct eddy_err *err)
{
    struct eddy_meta in_force = *meta;
    bool found = false;
    int rc = write_first(store, meta, err);

    if (rc == 0)
        rc = eddy_meta_read(store, &in_force, &found, err);
    if (rc)
        return rc;
    if (in_force.partitions != meta->partitions)
        return eddy_fail(
            err, EDDY_ECONFIG,
            "partition count changed from %" PRIu32 " (%s:meta) to %" PRIu32
            ": users would not meet their states. Write the events, keyed by user, into a "
            "new topic and start a new group on it (deploy/README.md)",
            in_force.partitions, store->prefix, meta->partitions);
    *meta = in_force;
    return 0;
}
