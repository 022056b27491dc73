/* Layer: app.  The file of trials of a search: a header, then a line per finished job. */
#ifndef EDDY_APP_TUNE_FILE_H
#define EDDY_APP_TUNE_FILE_H

#include "app/tune_search.h"

/* Read FOLDER/trials.jsonl into search, or begin one. A last line that a kill cut short is
 * taken away. Returns the descriptor for eddy_tune_file_add, or EDDY_EUSAGE (another
 * search; or one, and resume is not set), EDDY_EFORMAT, EDDY_EIO. */
int eddy_tune_file_open(struct eddy_tune_search *search, struct eddy_err *err);
/* Append the line of a job that has ended, and wait until the disk has it. EDDY_EIO. */
int eddy_tune_file_add(int fd, const struct eddy_tune_search *search, uint32_t job,
                       struct eddy_err *err);

#endif
