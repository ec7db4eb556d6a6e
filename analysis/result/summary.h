/* What a result file says, on one screen. */
#ifndef RSD_SUMMARY_H
#define RSD_SUMMARY_H

#include "err.h"

/* One line per model and quantizer, on standard output.  Errors: as rsd_store_open. */
RSD_CHECK int summary_print(const char *path);

#endif
