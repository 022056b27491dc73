/* Errors of libeddy as messages and exit codes (app/app.h). */
#include "app/app.h"

#include <stdio.h>

int eddy_app_fail(const char *command, const struct eddy_err *err)
{
    (void)fprintf(stderr, "eddy %s: %s\n", command,
                  err->text[0] ? err->text : eddy_err_text(err->code));
    switch (err->code) {
    case EDDY_ECONFIG: return EDDY_EXIT_CONFIG;
    case EDDY_EUSAGE: return EDDY_EXIT_USAGE;
    case EDDY_EIO: return EDDY_EXIT_IO;
    case EDDY_EFORMAT:
    case EDDY_EBADEVENT:
    case EDDY_ETOOBIG:
    case EDDY_EVERSION:
    case EDDY_ETIME: return EDDY_EXIT_DATA;
    case EDDY_ESTORE:
    case EDDY_EKAFKA:
    case EDDY_ENOMODEL: return EDDY_EXIT_UNAVAILABLE;
    default: return EDDY_EXIT_SOFTWARE;
    }
}
