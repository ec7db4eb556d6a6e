/* What comes out of files, printed as text: names of tensors and models, messages, units.  A
 * terminal would obey what such a text holds; here it is shown (utf8.h, rsd_printable). */
#ifndef RSD_PRINTABLE_H
#define RSD_PRINTABLE_H

#include "err.h"

#include <stddef.h>
#include <stdio.h>

/* The text, and spaces up to `width` characters; a longer one is not cut. */
void printable_put(FILE *f, const char *text, size_t width);

/* Characters that printable_put takes for it. */
size_t printable_width(const char *text);

/* A copy as it is shown.  Errors: RSD_ENOMEM; *out is then NULL. */
RSD_CHECK int printable_copy(const char *text, char **out);

#endif
