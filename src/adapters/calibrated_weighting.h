/* Private to src/adapters: the weighting of an initialisation, by its layer's calibration. */
#ifndef RSD_ADAPTERS_CALIBRATED_WEIGHTING_H
#define RSD_ADAPTERS_CALIBRATED_WEIGHTING_H

#include "adapters/alternate.h"
#include "adapters/init.h"
#include "adapters/metric.h"

typedef enum { RSD_VIEW_NONE, RSD_VIEW_DIAGONAL, RSD_VIEW_FULL } rsd_view;

/* H and G as the method looks at them, each damped.  A diagonal of H is calibration->square, or
 * that of calibration->H.  Free with rsd_metric_free, also after a failure. Errors: RSD_EUSAGE
 * where a moment is missing (name: the method's), rsd_side_full's. */
RSD_CHECK int rsd_calibrated_weighting(const rsd_init_task *task, const char *name, rsd_view G,
                                       rsd_view H, rsd_weighting *out);

/* rsd_alternate in that metric, which how leaves empty.  Errors: those of both. */
RSD_CHECK int rsd_alternate_calibrated(rsd_alternation how, const char *name, rsd_view G,
                                       rsd_view H, const rsd_init_task *task, rsd_init_result *out);

#endif
