#include "eddy/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    enum eddy_err_class class;
    const char *reason;
    const char *text;
} errors[EDDY_ERR_COUNT] = {[EDDY_OK] = {EDDY_CLASS_EVENT, "ok", "no error"},
#define XX(name, class_, reason_, text_)                                               \
    [EDDY_ERR_IDX_##name] = {class_, reason_, text_},
                            EDDY_ERR_MAP(XX)
#undef XX
};

static int index_of(int code)
{
    return code < 0 && code > -EDDY_ERR_COUNT ? -code : EDDY_ERR_IDX_EFATAL;
}

enum eddy_err_class eddy_err_class(int code)
{
    return errors[index_of(code)].class;
}

const char *eddy_err_reason(int code)
{
    return code == 0 ? "ok" : errors[index_of(code)].reason;
}

const char *eddy_err_text(int code)
{
    return code == 0 ? "no error" : errors[index_of(code)].text;
}

int eddy_fail(struct eddy_err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->code = code;
        (void)vsnprintf(err->text, sizeof err->text, fmt, args); /* cut on purpose */
        va_end(args);
    }
    return code;
}
