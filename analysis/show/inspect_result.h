/* What a result file holds: provenance, models, quantizers, what failed. */
#ifndef RSD_INSPECT_RESULT_H
#define RSD_INSPECT_RESULT_H

#include "err.h"

#include <stdbool.h>

/* On standard output, as text or as one JSON object.  Errors: as rsd_store_open. */
RSD_CHECK int inspect_result(const char *path, bool json);

#endif
