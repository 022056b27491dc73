/* The settings of a run as lines of text.
 *
 * A digest would say that two runs differ; a user wants to hear in what. learning_rate and
 * clip_norm may differ: a run that broke on a loss that is no number goes on with a lower
 * rate. So may epochs and patience while the search for the best epoch lasts: they only say
 * when it ends, so a run that goes on with more epochs is the run that had them from the
 * start. Once the last phase has begun they are decided. */
#include "core/train_settings.h"

#include <string.h>

#include "core/train_parts.h"

static const char *const free_settings[] = {"learning_rate", "clip_norm"};
static const char *const search_settings[] = {"epochs", "patience"};

static void put_line(struct eddy_buf *out, const char *name, const char *value)
{
    eddy_buf_puts(out, name);
    eddy_buf_putc(out, '=');
    eddy_buf_puts(out, value);
    eddy_buf_putc(out, '\n');
}

void eddy_train_settings_put(const struct eddy_train_options *options, const char *more,
                             struct eddy_buf *out)
{
    put_line(out, "cpu.loops", eddy_train_vector_get()->name);
    put_line(out, "cpu.blas", eddy_blas_core());
    for (size_t i = 0; i < eddy_train_option_count; i++) {
        const struct eddy_option *row = &eddy_train_option_table[i];
        eddy_buf_puts(out, row->name);
        eddy_buf_putc(out, '=');
        eddy_conf_format(row, (const char *)options + row->offset, out);
        eddy_buf_putc(out, '\n');
    }
    for (uint32_t i = 0; i < options->event_weight_count; i++)
        eddy_buf_printf(out, "event-weight %s=%.15g\n", options->event_weights[i].type,
                        options->event_weights[i].weight);
    eddy_buf_puts(out, "seed=");
    eddy_buf_put_u64(out, options->seed);
    eddy_buf_putc(out, '\n');
    if (more != NULL)
        eddy_buf_puts(out, more);
}

struct line {
    struct eddy_span name, value;
};

/* The line at *at, which moves on; false: there is none. */
static bool next_line(struct eddy_span text, size_t *at, struct line *ret)
{
    const char *begin = text.data + *at;
    const char *end = *at < text.size ? memchr(begin, '\n', text.size - *at) : NULL;
    if (end == NULL)
        return false;
    const char *equals = end;
    while (equals > begin && *equals != '=') /* the last: a type may hold one */
        equals--;
    *ret = (struct line){{begin, (size_t)(equals - begin)},
                         {equals + 1, (size_t)(end - equals - 1)}};
    *at += (size_t)(end - begin) + 1;
    return true;
}

/* "none" when there is no such line. */
static struct eddy_span value_of(struct eddy_span text, struct eddy_span name)
{
    struct line line;
    for (size_t at = 0; next_line(text, &at, &line);)
        if (eddy_span_eq(line.name, name))
            return line.value;
    return eddy_span_of("none");
}

static bool is_one_of(struct eddy_span name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (eddy_span_eq(name, eddy_span_of(names[i])))
            return true;
    return false;
}

static enum eddy_train_settings_verdict judge(struct eddy_span name,
                                              struct eddy_span old,
                                              struct eddy_span now, bool finishing,
                                              const char *file, struct eddy_err *err)
{
    bool searched = is_one_of(name, search_settings, 2);
    if (eddy_span_eq(old, now) || is_one_of(name, free_settings, 2) ||
        (searched && !finishing))
        return EDDY_TRAIN_SETTINGS_SAME;
    if (name.size > 4 && memcmp(name.data, "cpu.", 4) == 0)
        return EDDY_TRAIN_SETTINGS_CPU;
    if (eddy_span_eq(name, eddy_span_of("program")))
        return EDDY_TRAIN_SETTINGS_PROGRAM;
    (void)eddy_fail(
        err, EDDY_EUSAGE,
        "%.*s is %.*s here, but %.*s in the run that was interrupted%s: give "
        "that value to go on, or remove %s to start anew",
        (int)name.size, name.data, (int)now.size, now.data, (int)old.size, old.data,
        searched ? ", and it was past that decision" : "", file);
    return EDDY_TRAIN_SETTINGS_DIFFERENT;
}

enum eddy_train_settings_verdict eddy_train_settings_compare(struct eddy_span old,
                                                             struct eddy_span now,
                                                             bool finishing,
                                                             const char *name,
                                                             struct eddy_err *err)
{
    enum eddy_train_settings_verdict verdict = EDDY_TRAIN_SETTINGS_SAME;
    struct line line;
    for (size_t at = 0; !verdict && next_line(now, &at, &line);)
        verdict = judge(line.name, value_of(old, line.name), line.value, finishing,
                        name, err);
    for (size_t at = 0; !verdict && next_line(old, &at, &line);)
        verdict = judge(line.name, line.value, value_of(now, line.name), finishing,
                        name, err);
    return verdict;
}
