/* Layer: app.  Which program this is, more exactly than its version says. */
#ifndef EDDY_APP_PROGRAM_H
#define EDDY_APP_PROGRAM_H

#include "base/buf.h"

/* Append "0.1.0 build 5f0c2e8a91b7d344": the version and the start of the build ID that the
 * linker made from the program's bytes (note NT_GNU_BUILD_ID); without one the version alone. */
void eddy_program_put(struct eddy_buf *out);

#endif
