/* What reading a calibration met that its user should hear of: matrices that the file has nothing
 * of, which are quantized as without calibration, and inputs that the data never reached, which
 * weigh as typical ones (quantizers/importance.h). */
#ifndef RSD_CALIBRATION_TALLY_H
#define RSD_CALIBRATION_TALLY_H

#include "io/model.h"
#include "quantizers/calibration.h"

typedef struct {
    const rsd_tensor *tensor;
    size_t unseen; /* inputs; 0: the file has nothing of the matrix */
} calibration_remark;

typedef struct {
    calibration_remark *remark; /* [count] each tensor once */
    size_t count;
} calibration_tally;

/* t was read: c is what the file has of it, NULL for nothing.  t must outlive the tally.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int calibration_tally_add(calibration_tally *tally, const rsd_tensor *t,
                                    const rsd_calibration *c);

/* One note for each kind that occurred, with the first names.  path: the calibration's. */
void calibration_tally_note(const calibration_tally *tally, const char *path);
void calibration_tally_free(calibration_tally *tally);

#endif
