/* What tells one calibration from another, whatever their files are called: hashes of what was
 * measured.  Of each moment they take the tokens, the eigenvalues and the channels' means and
 * largest values, which are small beside the matrix and change with it. */
#ifndef RSD_CALIBRATION_IDENTITY_H
#define RSD_CALIBRATION_IDENTITY_H

#include "result/calibration_file.h"

/* Of one layer: 16 hexadecimal digits, "none" where the file has nothing of it.  One thread at a
 * time.  Errors: the store's. */
RSD_CHECK int calibration_layer_identity(const calibration *k, const rsd_tensor *t, char out[17]);

/* Of all layers of the model; "none" where no file is open. */
RSD_CHECK int calibration_identity(const calibration *k, const rsd_model *model, char out[17]);

#endif
