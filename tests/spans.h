/* Spans in tests: from text, and compared with it. */
#ifndef EDDY_TESTS_SPANS_H
#define EDDY_TESTS_SPANS_H

#include <stdio.h>

#include "base/span.h"

#define S(text) eddy_span_of(text)

/* Prints both when they differ. */
static inline bool is(struct eddy_span got, const char *want)
{
    bool same = eddy_span_eq(got, S(want));
    if (!same) {
        fprintf(stderr, "    got  \"%.*s\"\n    want \"%s\"\n", (int)got.size, got.data,
                want);
    }
    return same;
}

#endif
