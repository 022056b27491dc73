/* Layer: app.  Events out of a file or a pipe, one by one: CSV with Amazon's columns, one
 * JSON object per line, or canonical msgpack records one behind the other. A pipe is read
 * as it flows; a file can be gone through again. */
#ifndef EDDY_APP_EVENT_SOURCE_H
#define EDDY_APP_EVENT_SOURCE_H

#include "core/event.h"

enum eddy_source_format {
    EDDY_SOURCE_AUTO, /* by the first byte */
    EDDY_SOURCE_CSV,
    EDDY_SOURCE_JSONL,
    EDDY_SOURCE_CANONICAL,
};

struct eddy_source;

/* path "-" is standard input. Fails with EDDY_EIO, or EDDY_EFORMAT when a CSV lacks a
 * column. Owned: eddy_source_close (NULL is fine). */
int eddy_source_open(const char *path, enum eddy_source_format format,
                     struct eddy_source **ret, struct eddy_err *err);
void eddy_source_close(struct eddy_source *source);

/* The format that was found. */
enum eddy_source_format eddy_source_format(const struct eddy_source *source);

/* 1: *ret is the next event, spans borrowed until the next call; eddy_event_check is still
 * to be called, because the shift may have moved its time into or out of the range. 0: the end. A code of class
 * EVENT: this row is bad ("NAME:LINE: column TIMESTAMP: ..."), the next call goes on
 * behind it. EDDY_EFORMAT, EDDY_EIO, EDDY_ENOMEM: no way on. */
int eddy_source_next(struct eddy_source *source, struct eddy_event *ret,
                     struct eddy_err *err);

/* Records still to come, for progress: lines of a file (rows of text that span lines count
 * more than once); 0 when not known. */
uint64_t eddy_source_estimate(const struct eddy_source *source);

/* Add shift_ms to the time of every further event. */
void eddy_source_shift(struct eddy_source *source, int64_t shift_ms);

/* Where a record begins. */
struct eddy_source_mark {
    size_t at;
    uint64_t line;
};
/* True when eddy_source_seek works: not a pipe. */
bool eddy_source_is_file(const struct eddy_source *source);
/* The next record's place, and back to such a place (files only). */
struct eddy_source_mark eddy_source_tell(const struct eddy_source *source);
void eddy_source_seek(struct eddy_source *source, struct eddy_source_mark mark);
/* Place of the record that eddy_source_next looked at last. */
struct eddy_source_mark eddy_source_last(const struct eddy_source *source);

#endif
