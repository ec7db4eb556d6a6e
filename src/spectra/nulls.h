/* Null models of a residual: matrices without structure to hold its spectrum against. */
#ifndef RSD_SPECTRA_NULLS_H
#define RSD_SPECTRA_NULLS_H

#include "err.h"
#include "mat.h"
#include "rng.h"

#include <stdbool.h>

typedef enum {
    RSD_NULL_SIGN_FLIP,        /* random signs: keeps every |R_ij|, so also row and column scale */
    RSD_NULL_VARIANCE_PROFILE, /* the same in closed form (variance_profile.h): no draw */
    RSD_NULL_PERMUTED,         /* all entries permuted (WeightWatcher's randomize) */
    RSD_NULL_MARCHENKO_PASTUR, /* iid noise of the same variance, by quadrature: no draw */
    RSD_NULLS
} rsd_null;
/* "sign_flip", "variance_profile", "permuted", "marchenko_pastur" */
const char *rsd_null_name(rsd_null null);
/* Is it one of R in any weighting, not of R alone? */
bool rsd_null_is_weighted(rsd_null null);
bool rsd_null_is_drawn(rsd_null null);

/* N = one draw; N has R's shape and is R or does not overlap it.  Signs and permutation depend on
 * the shape and the stream, not on ld.  Of a null that is drawn (asserted). */
void rsd_null_draw(rsd_null null, rsd_mat R, rsd_rng *rng, rsd_mat N);

/* Pointwise mean, least and largest of draws[count][n], count > 0; NaN where a draw is NaN.  mean
 * may be draws[0]. */
void rsd_band(const double *const *draws, size_t count, size_t n, double *mean, double *low,
              double *high);

#endif
