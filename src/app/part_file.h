/* Layer: app.  A file that is not complete yet goes when the command is stopped. */
#ifndef EDDY_APP_PART_FILE_H
#define EDDY_APP_PART_FILE_H

/* From now on SIGINT, SIGTERM and SIGHUP remove the file at path before they end the process;
 * those that are ignored stay so. One file at a time; a longer path than EDDY_PATH_SIZE is
 * left alone. What kills without a word leaves the file: the next run writes it anew.
 * Thread: main. */
void eddy_part_file_guard(const char *path);
/* The file has its name, or is gone: signals are as they were. */
void eddy_part_file_release(void);

#endif
