#include "app/event_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "TYPE=NUMBER": TYPE into type, up to the last '=', for a type may hold one. false: it is
 * not one. */
static bool read_pair(const char *text, char type[EDDY_EVENT_TYPE_SIZE], double *ret)
{
    const char *equals = strrchr(text, '=');
    size_t size = equals ? (size_t)(equals - text) : 0;
    char *end = NULL;
    double number = equals ? strtod(equals + 1, &end) : 0;
    if (equals == NULL || size >= EDDY_EVENT_TYPE_SIZE || end == equals + 1 ||
        *end != '\0')
        return false;
    memcpy(type, text, size);
    type[size] = '\0';
    *ret = number;
    return true;
}

static int read_weights(struct eddy_event_options *options,
                        const struct eddy_arg_list *list, struct eddy_err *err)
{
    if (list->count > EDDY_EVENT_TYPES_MAX)
        return eddy_fail(err, EDDY_EUSAGE, "--event-weight: at most %d types",
                         EDDY_EVENT_TYPES_MAX);
    for (size_t i = 0; i < list->count; i++) {
        double weight;
        if (!read_pair(list->values[i], options->weight_types[i], &weight) ||
            !(weight >= 0 && weight <= 1))
            return eddy_fail(err, EDDY_EUSAGE,
                             "--event-weight %s: write TYPE=W with W from 0 to 1, e.g. "
                             "--event-weight purchase=1",
                             list->values[i]);
        options->weights[i] =
            (struct eddy_event_weight){options->weight_types[i], weight};
    }
    options->weight_count = (uint32_t)list->count;
    return 0;
}

static int add_threshold(struct eddy_event_options *options, const char *text,
                         const char *event_type, struct eddy_err *err)
{
    uint32_t n = options->threshold_count;
    char type[EDDY_EVENT_TYPE_SIZE];
    double least;
    if (!read_pair(text, type, &least) || type[0] == '\0' || !isfinite(least))
        return eddy_fail(err, EDDY_EUSAGE,
                         "--event-value-threshold: \"%s\" is not a number and not "
                         "TYPE=N, e.g. --event-value-threshold rating=4",
                         text);
    if (n == EDDY_EVENT_TYPES_MAX)
        return eddy_fail(err, EDDY_EUSAGE, "--event-value-threshold: at most %d types",
                         EDDY_EVENT_TYPES_MAX);
    if (event_type != NULL && strcmp(event_type, type) != 0)
        return eddy_fail(err, EDDY_EUSAGE,
                         "--event-value-threshold %s says nothing beside --event-type "
                         "%s, which leaves no row of type %s",
                         text, event_type, type);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(options->threshold_types[i], type) == 0)
            return eddy_fail(err, EDDY_EUSAGE,
                             "--event-value-threshold: two thresholds of type %s",
                             type);
    memcpy(options->threshold_types[n], type, sizeof type);
    options->thresholds[n] =
        (struct eddy_event_threshold){options->threshold_types[n], least};
    options->threshold_count++;
    return 0;
}

int eddy_event_options_read(struct eddy_event_options *ret,
                            const struct eddy_arg_list *weights,
                            const struct eddy_arg_list *thresholds,
                            const char *event_type, struct eddy_err *err)
{
    *ret = (struct eddy_event_options){0};
    int r = read_weights(ret, weights, err);
    for (size_t i = 0; r == 0 && i < thresholds->count; i++) {
        const char *text = thresholds->values[i];
        char *end = NULL;
        double number = strtod(text, &end);
        if (end != text && *end == '\0' && isfinite(number)) {
            ret->has_threshold = true;
            ret->threshold = number;
        } else {
            r = add_threshold(ret, text, event_type, err);
        }
    }
    return r;
}

void eddy_event_options_put(const struct eddy_event_options *options,
                            struct eddy_buf *out)
{
    if (options->has_threshold)
        eddy_buf_printf(out, "event-value-threshold=%.17g\n", options->threshold);
    for (uint32_t i = 0; i < options->threshold_count; i++)
        eddy_buf_printf(out, "event-value-threshold %s=%.17g\n",
                        options->thresholds[i].type, options->thresholds[i].threshold);
}

void eddy_event_options_encode(const struct eddy_event_options *options,
                               struct eddy_buf *out)
{
    if (options->threshold_count == 0)
        return;
    if (options->has_threshold)
        eddy_buf_printf(out, ",\"event_value_threshold\":%.17g", options->threshold);
    eddy_buf_puts(out, ",\"event_value_thresholds\":{");
    for (uint32_t i = 0; i < options->threshold_count; i++) {
        eddy_buf_puts(out, i > 0 ? "," : "");
        eddy_buf_put_json_string(out, eddy_span_of(options->thresholds[i].type));
        eddy_buf_printf(out, ":%.17g", options->thresholds[i].threshold);
    }
    eddy_buf_puts(out, "}");
}
