/* Files that hold a picture: their names, and whether one is whole.  A program that runs out of
 * disk may well end as if all were fine. */
#ifndef RSD_FIGURES_PICTURE_H
#define RSD_FIGURES_PICTURE_H

#include "err.h"

typedef enum { PICTURE_PNG, PICTURE_SVG, PICTURE_PDF } picture_format;
#define PICTURE_WORDS "png|svg|pdf"
const char *picture_suffix(picture_format format); /* "png" */

/* Does the file begin and end as its format says, with nothing missing between?  Of PNG all chunks
 * are walked, of PDF the table of objects must stand where the trailer says; of SVG only the two
 * ends tell.
 * Errors: RSD_EFORMAT, with the size and what is not there but without the path; RSD_EIO. */
RSD_CHECK int picture_check(picture_format format, const char *path);

#endif
