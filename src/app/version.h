/* Layer: app.  Versions of eddy and of the libraries it runs with. */
#ifndef EDDY_APP_VERSION_H
#define EDDY_APP_VERSION_H

#include "base/buf.h"

/* Lines "name version", eddy first. */
void eddy_version_print(struct eddy_buf *out);
/* The same as one JSON object. */
void eddy_version_print_json(struct eddy_buf *out);

#endif
