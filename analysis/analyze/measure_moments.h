/* R weighted by what a calibration says of the data (spectra/weighting.h). */
#ifndef RSD_MEASURE_MOMENTS_H
#define RSD_MEASURE_MOMENTS_H

#include "mat.h"
#include "result/calibration_file.h"
#include "spectra/variance_profile.h"
#include "spectra/weighting.h"

/* One matrix' moments and their roots. */
typedef struct {
    size_t m, n, clamped; /* clamped: negative eigenvalues, of both */
    size_t tokens;
    double *diagonal, *root_h, *root_g; /* diag(H), H^1/2, G^1/2 */
    rsd_profile_weight h, g;            /* H and G with their damping; the calibration's */
} moment_roots;

/* Working memory of roots and products, for the plan. */
size_t moment_bytes(size_t rows, size_t cols);

/* Of a layer whose H and G are there, which must stay while they are used.  damping: the share of
 * the mean eigenvalue that is added to every one.  Free with moment_roots_free, also after a
 * failure.
 * Errors: RSD_EDOM for a negative diagonal (name: of the matrix, in messages); rsd_root's. */
RSD_CHECK int moment_roots_make(const rsd_calibration *c, double damping, const char *name,
                                moment_roots *out);
void moment_roots_free(moment_roots *r); /* the arrays; the numbers stay */

/* What stands left and right of R in a weighting, as a profile takes it; of diag(H), none. */
void moment_weights(const moment_roots *r, rsd_weighting_kind weighting, rsd_profile_weight *G,
                    rsd_profile_weight *H);

/* out = R in a weighting, not R.  Errors: RSD_ENOMEM. */
RSD_CHECK int moment_apply(const moment_roots *r, rsd_weighting_kind weighting, rsd_mat R,
                           rsd_mat out);

#endif
