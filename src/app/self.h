/* Layer: app.  Further processes of this very program: command lines, start, and what they
 * said when they failed. */
#ifndef EDDY_APP_SELF_H
#define EDDY_APP_SELF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "eddy/error.h"

enum { EDDY_WORDS_MAX = 320 };

/* A command line that grows; a zeroed one is empty. */
struct eddy_words {
    char *list[EDDY_WORDS_MAX + 1]; /* NULL behind the last */
    size_t count;
    bool failed; /* too many, or no memory: eddy_self_start says so */
};
/* Append a word, or NAME and VALUE (nothing for a NULL value), or a printf text. */
void eddy_words_add(struct eddy_words *words, const char *text);
void eddy_words_option(struct eddy_words *words, const char *name, const char *value);
__attribute__((format(printf, 2, 3))) void eddy_words_printf(struct eddy_words *words,
                                                             const char *fmt, ...);
/* Free the words; it is empty then. */
void eddy_words_fini(struct eddy_words *words);

/* Start `eddy WORDS` (the first word is the sub-command), which the kernel kills when the
 * calling thread ends. Standard output goes to the file output, messages to log, both
 * written anew. EDDY_EFATAL. Thread: any; the child's signals are not blocked. */
int eddy_self_start(const struct eddy_words *words, const char *output, const char *log,
                    pid_t *ret_pid, struct eddy_err *err);

/* Why it failed, as a line: the last one of the log that begins as messages of commands do
 * ("eddy train: ..."), else how it ended. status: of waitpid. */
void eddy_self_failure(const char *log, int status, char *ret, size_t size);

#endif
