/* eddy/error.h: error codes, their classes and the message that travels with them.
 *
 * Every function that can fail returns 0 (or a count >= 0) on success and one of the
 * negative codes below on failure. The class of a code decides the reaction, in one
 * place: a bad EVENT is dead-lettered and the partition goes on; RETRY means that a
 * dependency is away: keep the work, back off, be un-ready; FATAL means that this
 * process cannot go on. */
#ifndef EDDY_ERROR_H
#define EDDY_ERROR_H

/* XX(name, class, reason, text). reason is the stable word that appears in metrics and
 * dead-letter headers. */
#define EDDY_ERR_MAP(XX)                                                               \
    XX(EBADEVENT, EDDY_CLASS_EVENT, "malformed", "event does not match its schema")    \
    XX(ETOOBIG, EDDY_CLASS_EVENT, "too_big", "larger than the configured limit")       \
    XX(EVERSION, EDDY_CLASS_EVENT, "version", "format version is not known")           \
    XX(ETIME, EDDY_CLASS_EVENT, "timestamp", "time is missing or out of range")        \
    XX(EPLACE, EDDY_CLASS_EVENT, "partition", "record is in another user's partition") \
    XX(ESTORE, EDDY_CLASS_RETRY, "store", "Redis did not answer")                      \
    XX(EKAFKA, EDDY_CLASS_RETRY, "kafka", "Kafka did not answer")                      \
    XX(EFENCED, EDDY_CLASS_RETRY, "fenced", "another owner has taken the partition")   \
    XX(ENOMODEL, EDDY_CLASS_RETRY, "model_missing", "snapshot is not on this machine") \
    XX(EFULL, EDDY_CLASS_RETRY, "full", "a bounded queue is full")                     \
    XX(ECONFIG, EDDY_CLASS_FATAL, "config", "configuration is not usable")             \
    XX(EUSAGE, EDDY_CLASS_FATAL, "usage", "command line is not usable")                \
    XX(EFORMAT, EDDY_CLASS_FATAL, "format", "file is damaged or of another format")    \
    XX(EIO, EDDY_CLASS_FATAL, "io", "file could not be read or written")               \
    XX(ENOMEM, EDDY_CLASS_FATAL, "memory", "out of memory")                            \
    XX(EFATAL, EDDY_CLASS_FATAL, "fatal", "cannot go on")

enum eddy_err_class {
    EDDY_CLASS_EVENT, /* this event is bad: dead-letter it, go on            */
    EDDY_CLASS_RETRY, /* a dependency is away: keep the work, back off       */
    EDDY_CLASS_FATAL, /* this process cannot go on: drain and stop           */
};

enum eddy_err_index {
    EDDY_OK = 0,
#define XX(name, class, reason, text) EDDY_ERR_IDX_##name,
    EDDY_ERR_MAP(XX)
#undef XX
        EDDY_ERR_COUNT
};

#define XX(name, class, reason, text) EDDY_##name = -EDDY_ERR_IDX_##name,
enum eddy_err_code { EDDY_ERR_MAP(XX) };
#undef XX

/* A zeroed one is empty. */
struct eddy_err {
    int code;
    char text[240];
};

/* Class of a negative code. Thread: any. */
enum eddy_err_class eddy_err_class(int code);

/* Stable reason word of a negative code, static; "ok" for 0. Thread: any. */
const char *eddy_err_reason(int code);

/* General sentence for a negative code, static. Thread: any. */
const char *eddy_err_text(int code);

/* Record code and the formatted message in err (may be NULL; the message is cut to
 * fit) and return code. Thread: any. */
__attribute__((format(printf, 3, 4))) int eddy_fail(struct eddy_err *err, int code,
                                                    const char *fmt, ...);

#endif
