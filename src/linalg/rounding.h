/* What rounding of a matrix' entries can do to its singular values: the level below which a value
 * cannot be told from 0, nor two values from one another.
 *
 * A number of p bits is off by at most u |x|, u = 2^-p, so E, the error of a matrix A, has
 * |E_ij| <= u |A_ij|, and no singular value moves by more than ||E||_2 (Weyl):
 *
 *   likely  u (largest norm of a row + of a column): where the errors of entries are independent,
 *           ||E||_2 comes to less than half of that (Latala; Bandeira & van Handel)
 *   most    u ||A||_F >= ||E||_F >= ||E||_2, whatever they are: a matrix that repeats its entries
 *           repeats their errors
 *
 * Source: Bandeira & van Handel, Ann. Probab. 44 (2016) 2479, theorem 1.1. */
#ifndef RSD_LINALG_ROUNDING_H
#define RSD_LINALG_ROUNDING_H

#include "err.h"
#include "mat.h"

#define RSD_ROUNDING_F32 0x1p-24 /* u of float32 */

typedef struct {
    double likely, most; /* in the matrix' units */
} rsd_rounding;

/* Of A with numbers of this u.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_rounding_of(rsd_mat A, double u, rsd_rounding *out);

/* The larger of both; what is left of it where the matrix is scaled. */
rsd_rounding rsd_rounding_larger(rsd_rounding a, rsd_rounding b);
rsd_rounding rsd_rounding_scaled(rsd_rounding a, double factor);

#endif
