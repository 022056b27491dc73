/* Layer: base.  Growable byte buffer with a sticky failure flag: write as much as you
 * like, check once (curl's dynbuf, git's strbuf). */
#ifndef EDDY_BASE_BUF_H
#define EDDY_BASE_BUF_H

#include <stdint.h>

#include "base/span.h"

struct eddy_buf {
    char *data;      /* NUL-terminated whenever size > 0 was ever written */
    size_t size;     /* bytes in use, the NUL not counted */
    size_t capacity; /* bytes allocated */
    size_t max_size; /* 0: no limit */
    bool failed;     /* memory or max_size ran out; sticky until clear */
};

/* In memory that the caller owns. max_size 0: no limit. Thread: the owner's. */
void eddy_buf_init(struct eddy_buf *buf, size_t max_size);
void eddy_buf_fini(struct eddy_buf *buf);  /* frees; buf may be used again */
void eddy_buf_clear(struct eddy_buf *buf); /* keeps the memory */
/* Room for more bytes behind size (and the NUL): 0 or EDDY_ENOMEM, then failed is set. */
int eddy_buf_reserve(struct eddy_buf *buf, size_t more);

/* Append. Without room nothing is appended, now or later, and failed is set. Bytes must not
 * be the buffer's own. */
void eddy_buf_put(struct eddy_buf *buf, const void *bytes, size_t size);
void eddy_buf_puts(struct eddy_buf *buf, const char *text);
void eddy_buf_putc(struct eddy_buf *buf, char c);
void eddy_buf_put_u64(struct eddy_buf *buf, uint64_t value); /* decimal */
void eddy_buf_put_i64(struct eddy_buf *buf, int64_t value);  /* decimal */
__attribute__((format(printf, 2, 3))) void eddy_buf_printf(struct eddy_buf *buf,
                                                           const char *fmt, ...);

/* A JSON string with its quotes: control characters, quote, backslash escaped; invalid
 * UTF-8 becomes U+FFFD. */
void eddy_buf_put_json_string(struct eddy_buf *buf, struct eddy_span text);

/* A JSON number with digits decimals, rounded half away from zero by integer
 * arithmetic on the double, so that equal bits give equal text everywhere; NaN and
 * infinities become null. digits <= 9, |value| < 9e9, beyond that exponent form. */
void eddy_buf_put_fixed(struct eddy_buf *buf, double value, int digits);

/* What the buffer holds; borrowed until the next append. */
static inline struct eddy_span eddy_buf_span(const struct eddy_buf *buf)
{
    return (struct eddy_span){buf->data, buf->size};
}

#endif
