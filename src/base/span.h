/* Layer: base.  A borrowed run of bytes. The holder says how long it lives. */
#ifndef EDDY_BASE_SPAN_H
#define EDDY_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct eddy_span {
    const char *data;
    size_t size;
};

/* The characters of a C string; NULL gives the empty run. */
static inline struct eddy_span eddy_span_of(const char *text)
{
    return (struct eddy_span){text, text ? strlen(text) : 0};
}

/* Same bytes. Any two empty runs are equal. */
static inline bool eddy_span_eq(struct eddy_span a, struct eddy_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* A copy with a NUL behind it. Owned: free(). NULL: memory. (strndup would do, but it is
 * free to read on to a NUL that a span need not have, and address sanitizers do.) */
static inline char *eddy_span_dup(struct eddy_span span)
{
    char *copy = (char *)malloc(span.size + 1); /* C++ reads this file, too */
    if (copy == NULL)
        return NULL;
    if (span.size > 0)
        memcpy(copy, span.data, span.size);
    copy[span.size] = '\0';
    return copy;
}

#endif
