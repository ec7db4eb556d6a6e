/* The rows of /prediction. */
#ifndef RSD_COMPARE_PREDICTIONS_H
#define RSD_COMPARE_PREDICTIONS_H

#include "compare/evidence.h"
#include "result/prediction_table.h"

/* What every predictor says of every case, all layers at ranks 1, 2, 4, ... and each alone.  Texts
 * belong to the evidence.  Errors: RSD_ENOMEM. */
RSD_CHECK int predictions_make(const evidence *e, prediction_rows *out);

#endif
