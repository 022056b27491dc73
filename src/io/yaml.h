/* Layer: io.  The configuration file: YAML to option calls, through libyaml. */
#ifndef EDDY_IO_YAML_H
#define EDDY_IO_YAML_H

#include "base/conf.h"

/* Set every key of the file, with source EDDY_FROM_FILE and where "PATH:LINE". Nested maps
 * become dotted names, a list of scalars becomes one text with commas; a section may be
 * empty. Anchors, aliases and several documents are refused.
 * EDDY_ECONFIG says `FILE:LINE: key a.b: ...` for an unknown key, a key given twice, a
 * value that is not allowed, and `FILE:LINE: ...` for broken syntax. Options before the
 * mistake are set. Thread: init. */
int eddy_yaml_load(const char *path, struct eddy_conf *conf, struct eddy_err *err);

#endif
