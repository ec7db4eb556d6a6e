/* Private to src/io/tokens: the patterns of tokenizer.json. */
#ifndef RSD_IO_PATTERN_H
#define RSD_IO_PATTERN_H

#include "io/tokens/regex.h"

#include <jansson.h>

/* j["pattern"], {"String": text} or {"Regex": expression}, compiled.  what: j's name for messages.
 * Errors: RSD_EFORMAT when it is neither or does not compile, RSD_ENOMEM. */
RSD_CHECK int rsd_pattern_read(const json_t *j, const char *what, rsd_regex **out);

#endif
