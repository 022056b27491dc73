/* Canonical events, written: msgpack for the log, JSON for people and dead letters. Fields
 * come in the order of EDDY_FIELD_MAP; what has its default is left out, so that an event
 * that was decoded and encoded again has the bytes of its shortest form. */
#include "base/msgpack.h"
#include "core/event.h"
#include "core/text.h"

static const char *const kind_names[] = {"event", "impression", "snapshot"};

/* Text fields in the order of the table; NULL data: not written. kind "event" and type
 * "click" are the defaults and left out. */
static uint32_t gather_texts(const struct eddy_event *event, struct eddy_span *ret)
{
    static const struct eddy_span absent = {NULL, 0};
    for (int i = 0; i < EDDY_FIELD_UNKNOWN; i++) {
        ret[i] = absent;
    }
    if (event->kind != EDDY_KIND_EVENT) {
        ret[EDDY_FIELD_KIND] = eddy_span_of(kind_names[event->kind]);
    }
    if (event->kind == EDDY_KIND_SNAPSHOT) {
        ret[EDDY_FIELD_SNAPSHOT] = eddy_span_of(event->snapshot);
    } else {
        ret[EDDY_FIELD_USER] = event->user;
        ret[EDDY_FIELD_ITEM] = event->item;
        ret[EDDY_FIELD_ID] = event->id;
        ret[EDDY_FIELD_SESSION] = event->session;
        ret[EDDY_FIELD_RECOMMENDATION_ID] = event->recommendation_id;
        if (event->kind != EDDY_KIND_EVENT ||
            !eddy_span_eq(event->type, eddy_span_of("click"))) {
            ret[EDDY_FIELD_TYPE] = event->type;
        }
    }
    uint32_t count = 0;
    for (int i = 0; i < EDDY_FIELD_UNKNOWN; i++) {
        count += ret[i].data != NULL;
    }
    return count;
}

static void put_key(struct eddy_buf *out, enum eddy_field field)
{
    eddy_mp_put_str(out, eddy_span_of(eddy_field_name(field)));
}

static void put_context(const struct eddy_event *event, struct eddy_buf *out)
{
    eddy_mp_put_map(out, event->context_count);
    for (uint32_t i = 0; i < event->context_count; i++) {
        const struct eddy_event_context *at = &event->context[i];
        double number;
        eddy_mp_put_str(out, at->name);
        if (at->is_number && eddy_number_parse(at->text, &number)) {
            eddy_mp_put_f64(out, number);
        } else {
            eddy_mp_put_str(out, at->text);
        }
    }
}

static void put_field(const struct eddy_event *event, enum eddy_field field,
                      struct eddy_span text, struct eddy_buf *out)
{
    bool is_snapshot = event->kind == EDDY_KIND_SNAPSHOT;
    if (text.data) {
        put_key(out, field);
        eddy_mp_put_str(out, text);
    } else if (field == EDDY_FIELD_TS && event->ts_ms != 0) {
        put_key(out, field);
        eddy_mp_put_i64(out, event->ts_ms);
    } else if (field == EDDY_FIELD_VALUE && event->has_value && !is_snapshot) {
        put_key(out, field);
        eddy_mp_put_f32(out, event->value);
    } else if (field == EDDY_FIELD_CONTEXT && event->context_count && !is_snapshot) {
        put_key(out, field);
        put_context(event, out);
    } else if (field == EDDY_FIELD_IMPRESSION && event->impression_count &&
               !is_snapshot) {
        put_key(out, field);
        eddy_mp_put_array(out, event->impression_count);
        for (uint32_t i = 0; i < event->impression_count; i++) {
            eddy_mp_put_str(out, event->impressions[i]);
        }
    } else if (field == EDDY_FIELD_POLICY && is_snapshot) {
        put_key(out, field);
        eddy_policy_encode(&event->policy, out);
    }
}

void eddy_event_encode(const struct eddy_event *event, struct eddy_buf *out)
{
    struct eddy_span texts[EDDY_FIELD_UNKNOWN];
    bool is_snapshot = event->kind == EDDY_KIND_SNAPSHOT;
    uint32_t count = gather_texts(event, texts);
    count += event->ts_ms != 0;
    count += !is_snapshot && event->has_value;
    count += !is_snapshot && event->impression_count > 0;
    count += !is_snapshot && event->context_count > 0;
    count += is_snapshot; /* policy */
    eddy_mp_put_map(out, count);
    for (int i = 0; i < EDDY_FIELD_UNKNOWN; i++) {
        put_field(event, (enum eddy_field)i, texts[i], out);
    }
}

static void put_json_policy(const struct eddy_policy *policy, struct eddy_buf *out)
{
    eddy_buf_printf(out, "{\"list_size\":%u,\"exclude_recent\":%s,\"lateness_s\":%u}",
                    policy->list_size, policy->exclude_recent ? "true" : "false",
                    policy->lateness_s);
}

static void put_json_context(const struct eddy_event *event, struct eddy_buf *out)
{
    for (uint32_t i = 0; i < event->context_count; i++) {
        const struct eddy_event_context *at = &event->context[i];
        eddy_buf_putc(out, i == 0 ? '{' : ',');
        eddy_buf_put_json_string(out, at->name);
        eddy_buf_putc(out, ':');
        if (at->is_number) {
            eddy_buf_put(out, at->text.data, at->text.size);
        } else {
            eddy_buf_put_json_string(out, at->text);
        }
    }
    eddy_buf_putc(out, '}');
}

static void put_json_field(const struct eddy_event *event, enum eddy_field field,
                           struct eddy_span text, struct eddy_buf *out)
{
    bool is_snapshot = event->kind == EDDY_KIND_SNAPSHOT;
    size_t before = out->size;
    eddy_buf_printf(out, "%s\"%s\":", out->data[out->size - 1] == '{' ? "" : ",",
                    eddy_field_name(field));
    if (text.data) {
        eddy_buf_put_json_string(out, text);
    } else if (field == EDDY_FIELD_TS && event->ts_ms != 0) {
        eddy_buf_put_i64(out, event->ts_ms);
    } else if (field == EDDY_FIELD_VALUE && event->has_value && !is_snapshot) {
        eddy_buf_printf(out, "%.9g", (double)event->value); /* reads back exactly */
    } else if (field == EDDY_FIELD_CONTEXT && event->context_count && !is_snapshot) {
        put_json_context(event, out);
    } else if (field == EDDY_FIELD_IMPRESSION && event->impression_count &&
               !is_snapshot) {
        for (uint32_t i = 0; i < event->impression_count; i++) {
            eddy_buf_putc(out, i == 0 ? '[' : ',');
            eddy_buf_put_json_string(out, event->impressions[i]);
        }
        eddy_buf_putc(out, ']');
    } else if (field == EDDY_FIELD_POLICY && is_snapshot) {
        put_json_policy(&event->policy, out);
    } else if (!out->failed) {
        out->size = before; /* absent: take the key back */
        out->data[before] = '\0';
    }
}

void eddy_event_encode_json(const struct eddy_event *event, struct eddy_buf *out)
{
    struct eddy_span texts[EDDY_FIELD_UNKNOWN];
    (void)gather_texts(event, texts);
    eddy_buf_putc(out, '{');
    for (int i = 0; i < EDDY_FIELD_UNKNOWN && !out->failed; i++) {
        put_json_field(event, (enum eddy_field)i, texts[i], out);
    }
    eddy_buf_putc(out, '}');
}
