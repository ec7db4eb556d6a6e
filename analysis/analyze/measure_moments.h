/* R in the metrics of the data: R diag(H)^1/2, R H^1/2 and G^1/2 R H^1/2, H and G from a result
 * file that calibrate made.  The last one's squared Frobenius norm is twice the loss that R costs,
 * to second order. */
#ifndef RSD_MEASURE_MOMENTS_H
#define RSD_MEASURE_MOMENTS_H

#include "mat.h"
#include "result/journal.h"

/* Where H and G come from. */
typedef struct {
    rsd_store *store;
    double damping; /* share of the mean eigenvalue that is added to every one */
} moment_source;

enum { MOMENT_RDH, MOMENT_RH, MOMENT_GRH, MOMENT_METRICS };
extern const char *const moment_metrics[MOMENT_METRICS]; /* "RdH", "RH", "GRH": groups' names */

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

/* out = R in the metric; not R. */
RSD_CHECK int moment_apply(const moment_roots *r, int metric, rsd_mat R, rsd_mat out);

#endif
