/* Short texts for pictures and their file names.  Text is UTF-8. */
#ifndef RSD_FIGURES_LABEL_H
#define RSD_FIGURES_LABEL_H

#include <stddef.h>

/* The shortest SPEC whose canonical form is this one: "nf4" for "nf:bits=4,block=64", "nf4:double";
 * the text itself where no quantizer of this program knows it.  Caller frees; NULL: no memory. */
char *label_of_spec(const char *canonical);

/* text, or its end behind an ellipsis, in at most `width` characters and size bytes. */
void label_shorten(const char *text, size_t width, char *out, size_t size);

/* About how wide the text is set in a sans-serif face, in units of its size. */
double label_width(const char *text);

/* Every byte outside [A-Za-z0-9._-] becomes '-', in place. */
void label_file_name(char *text);

#endif
