/* Short texts for pictures and their file names.  Text is UTF-8. */
#ifndef RSD_FIGURES_CAPTION_H
#define RSD_FIGURES_CAPTION_H

#include <stddef.h>

/* text, or its end behind an ellipsis, in at most `width` characters and size bytes, of which
 * CAPTION_SIZE(width) are enough.  What cannot be shown is escaped (utf8.h), which is wider. */
#define CAPTION_SIZE(width) (4 * (size_t)(width) + 4)
void caption_shorten(const char *text, size_t width, char *out, size_t size);

/* About how wide the text is set in a sans-serif face, in units of its size. */
double caption_width(const char *text);

/* Every byte outside [A-Za-z0-9._-] becomes '-', in place. */
void caption_file_name(char *text);

#endif
