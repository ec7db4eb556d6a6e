/* The groups H and G of a matrix in the result file.
 *
 *   moment         float32[n][n]  the second moment, symmetric
 *   mean_abs, max_abs     f64[n]  mean and largest |x| of each channel
 *   eigenvalues           f64[n]  nonincreasing; cumulative_energy f64[n], their running share
 *   attributes: tokens, damping (what was added to the diagonal: 0), clamped (eigenvalues of
 *   rounding's size, stored as 0), and the metrics of spectra/metrics.h
 *
 * The metrics are those of the data matrix X / sqrt(tokens) (tokens x n), whose singular values are
 * the square roots of the eigenvalues: noise of its shape is what Marchenko-Pastur means there.
 *
 * Matrices that read the same input share one H: it stands with the first of them, the others have
 * its eigenvalues and metrics, and shared_with, the path of its group. */
#ifndef RSD_MOMENT_GROUP_H
#define RSD_MOMENT_GROUP_H

#include "io/store.h"
#include "spectra/metrics.h"
#include "transformer/moments.h"

typedef struct {
    rsd_moment moment; /* finished */
    double trace;
    double *lambda; /* [n] */
    size_t clamped;
    rsd_metrics metrics;
} moment_spectrum;

/* Eigenvalues and metrics of a finished moment, whose matrix is destroyed; c->lambda is
 * allocated.  Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int moment_spectrum_compute(moment_spectrum *c);
void moment_spectrum_free(moment_spectrum *c);

/* The moment, before it is measured: path is that of the group H or G. */
RSD_CHECK int moment_group_write_moment(rsd_store *store, const char *path,
                                        const moment_spectrum *c);

/* All else.  shared_with: path of the group that holds the moment; NULL where it is this one. */
RSD_CHECK int moment_group_write_spectrum(rsd_store *store, const char *path,
                                          const moment_spectrum *c, const char *shared_with);

/* Bytes of one moment in the file, before compression. */
size_t moment_group_bytes(size_t n);

#endif
