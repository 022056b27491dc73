/* The policy that travels in snapshot records (core/event.h): its keys, their ranges, and its
 * msgpack form. */
#include "base/msgpack.h"
#include "core/event.h"

const struct eddy_policy eddy_policy_default = {25, false, 86400};

enum { LIST_SIZE_MAX = 500 };

static const char *const policy_names[] = {"list_size", "exclude_recent", "lateness_s"};

enum eddy_policy_field eddy_policy_field_find(struct eddy_span key)
{
    for (int i = 0; i < EDDY_POLICY_UNKNOWN; i++) {
        if (eddy_span_eq(key, eddy_span_of(policy_names[i]))) {
            return (enum eddy_policy_field)i;
        }
    }
    return EDDY_POLICY_UNKNOWN;
}

int eddy_policy_set(struct eddy_policy *policy, enum eddy_policy_field field,
                    int64_t value)
{
    if (field == EDDY_POLICY_LIST_SIZE && value >= 1 && value <= LIST_SIZE_MAX) {
        policy->list_size = (uint32_t)value;
    } else if (field == EDDY_POLICY_EXCLUDE_RECENT && (value == 0 || value == 1)) {
        policy->exclude_recent = value != 0;
    } else if (field == EDDY_POLICY_LATENESS_S && value >= 0 && value <= UINT32_MAX) {
        policy->lateness_s = (uint32_t)value;
    } else {
        return EDDY_EBADEVENT;
    }
    return 0;
}

void eddy_policy_encode(const struct eddy_policy *policy, struct eddy_buf *out)
{
    eddy_mp_put_map(out, EDDY_POLICY_UNKNOWN);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_LIST_SIZE]));
    eddy_mp_put_u64(out, policy->list_size);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_EXCLUDE_RECENT]));
    eddy_mp_put_bool(out, policy->exclude_recent);
    eddy_mp_put_str(out, eddy_span_of(policy_names[EDDY_POLICY_LATENESS_S]));
    eddy_mp_put_u64(out, policy->lateness_s);
}

static int decode_policy_value(struct eddy_mp *mp, enum eddy_policy_field field,
                               struct eddy_policy *policy)
{
    int64_t value = 0;
    bool flag = false;
    int code;
    if (field == EDDY_POLICY_EXCLUDE_RECENT) {
        code = eddy_mp_bool(mp, &flag);
        value = flag;
    } else {
        code = eddy_mp_i64(mp, &value);
    }
    return code < 0 ? code : eddy_policy_set(policy, field, value);
}

int eddy_policy_decode(struct eddy_mp *mp, struct eddy_policy *ret)
{
    struct eddy_policy policy = eddy_policy_default;
    struct eddy_mp next = *mp;
    uint32_t count, seen = 0;
    if (eddy_mp_map(&next, &count) < 0) {
        return EDDY_EBADEVENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct eddy_span key;
        int code = eddy_mp_str(&next, &key);
        if (code < 0) {
            return code;
        }
        enum eddy_policy_field field = eddy_policy_field_find(key);
        if (field == EDDY_POLICY_UNKNOWN) {
            code = eddy_mp_skip(&next);
        } else if (seen & 1u << field) {
            code = EDDY_EBADEVENT;
        } else {
            seen |= 1u << field;
            code = decode_policy_value(&next, field, &policy);
        }
        if (code < 0) {
            return code;
        }
    }
    *ret = policy;
    *mp = next;
    return 0;
}
