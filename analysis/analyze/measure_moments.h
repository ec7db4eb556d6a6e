/* R weighted by what is known of the data (spectra/weighting.h), H and G from a result file that
 * calibrate made. */
#ifndef RSD_MEASURE_MOMENTS_H
#define RSD_MEASURE_MOMENTS_H

#include "mat.h"
#include "result/calibration_tally.h"
#include "result/journal.h"
#include "spectra/weighting.h"

/* Where H and G come from. */
typedef struct {
    rsd_store *store;
    double damping;           /* share of the mean eigenvalue that is added to every one */
    calibration_tally *tally; /* of what quantizers read */
} moment_source;

/* Are H and G of this matrix there? */
bool moments_there(const moment_source *from, const char *matrix_path);

/* The roots of one matrix' moments. */
typedef struct {
    size_t m, n, clamped; /* clamped: negative eigenvalues, of both */
    int64_t tokens;
    double *diagonal, *root_h, *root_g; /* diag(H), H^1/2, G^1/2 */
} moment_roots;

/* Working memory of roots and products, for the plan. */
size_t moment_bytes(size_t rows, size_t cols);

/* Reads under the journal's lock: the store takes one thread at a time.  Free with
 * moment_roots_free, also after a failure.
 * Errors: the store's; RSD_EFORMAT for a moment of another size than rows x cols asks;
 * those of rsd_root. */
RSD_CHECK int moment_roots_load(const moment_source *from, journal *j, const char *matrix_path,
                                size_t rows, size_t cols, moment_roots *out);
void moment_roots_free(moment_roots *r); /* the arrays; the numbers stay */

/* out = R in a weighting, not R.  Errors: RSD_ENOMEM. */
RSD_CHECK int moment_apply(const moment_roots *r, rsd_weighting_kind weighting, rsd_mat R,
                           rsd_mat out);

#endif
