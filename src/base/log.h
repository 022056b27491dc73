/* Layer: base.  Log lines `ts level module key=value ... msg="..."` (logfmt) or JSON, one
 * write(2) per line to stderr, repeats limited to one per 10 s and call site. */
#ifndef EDDY_BASE_LOG_H
#define EDDY_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum eddy_log_level {
    EDDY_LOG_ERROR, /* someone must act                  */
    EDDY_LOG_WARN,  /* survived                          */
    EDDY_LOG_INFO,  /* state changes, a few per minute   */
    EDDY_LOG_DEBUG, /* per event, sampled                */
};

/* Where the lines go: fd (default 2), level (default info), json or logfmt (default).
 * Thread: init, but the level may be changed at any time. */
void eddy_log_setup(int fd, enum eddy_log_level level, bool json);
bool eddy_log_wants(enum eddy_log_level level);

/* One line. fields is a ready `key=value key="va lue"` text or "" (see eddy_log_kv);
 * the message is quoted and cut at 1 KiB. Thread: any. */
__attribute__((format(printf, 4, 5))) void eddy_log(enum eddy_log_level level,
                                                    const char *module,
                                                    const char *fields, const char *fmt,
                                                    ...);

/* Append `key=value` to fields (a blank before it unless first), quoted where necessary and
 * cut at 256 bytes. */
void eddy_log_kv(struct eddy_buf *fields, const char *key, struct eddy_span value);
void eddy_log_kv_i64(struct eddy_buf *fields, const char *key, int64_t value);

/* As eddy_log, but at most one line per 10 s for each call site; the next line that gets
 * through says how many were held back (field suppressed=N). */
#define EDDY_LOG_LIMITED(level, module, fields, ...)                                   \
    do {                                                                               \
        static struct eddy_log_limit limit_;                                           \
        eddy_log_limited(&limit_, level, module, fields, __VA_ARGS__);                 \
    } while (0)
struct eddy_log_limit {
    _Atomic long long next_ms;
    _Atomic unsigned held_back;
};
__attribute__((format(printf, 5, 6))) void eddy_log_limited(
    struct eddy_log_limit *limit, enum eddy_log_level level, const char *module,
    const char *fields, const char *fmt, ...);

#define EDDY_ASSERT(cond)                                                              \
    ((cond) ? (void)0 : eddy_assert_failed(#cond, __FILE__, __LINE__))
/* Writes the condition to stderr and aborts. On in release builds too. */
__attribute__((noreturn)) void eddy_assert_failed(const char *cond, const char *file,
                                                  int line);

#endif
