/* Singular spectra: full and truncated, with or without vectors, always with an error bound. */
#ifndef RSD_LINALG_SPECTRUM_H
#define RSD_LINALG_SPECTRUM_H

#include "err.h"
#include "linalg/rounding.h"
#include "mat.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    RSD_METHOD_AUTO,  /* krylov when top is a small part of min(m,n), else gram */
    RSD_METHOD_GRAM,  /* eigenvalues of the double-precision Gram matrix of the short side;
                         done again by gesdd where a value is below 1e-6 sigma_1 */
    RSD_METHOD_GESDD, /* LAPACK's dgesdd in double */
    RSD_METHOD_KRYLOV /* randomized block Krylov, proved; needs top > 0 */
} rsd_method;
#define RSD_METHOD_WORDS "auto|gram|gesdd|krylov"
const char *rsd_method_name(rsd_method method);

typedef struct {
    rsd_method method;
    size_t top;         /* singular values wanted; 0: all min(m,n) */
    size_t vectors;     /* singular vectors wanted, left and right, <= values wanted */
    double tolerance;   /* krylov: error_bound at most this times sigma_1; in (0,1).  Below 5e-7 the
                           products with A are in double, and it takes twice as long */
    uint64_t seed;      /* krylov's start block */
    bool quick;         /* krylov: without the proof that no larger value was missed */
    double rounding;    /* u of the numbers that A was stored in (rounding.h); 0: float32's */
    rsd_rounding noise; /* that A has beside its own rounding */
} rsd_spectrum_opts;
#define RSD_SPECTRUM_DEFAULTS                                                                      \
    {                                                                                              \
        .method = RSD_METHOD_AUTO, .tolerance = 1e-6, .seed = 0                                    \
    }

typedef struct {
    size_t m, n;
    size_t count; /* values held: min(m,n), or top */
    double *s;    /* [count] nonincreasing, >= 0 */
    size_t vectors;
    double *u;         /* [vectors][m]: u + k*m is the k-th left vector, unit norm */
    double *v;         /* [vectors][n]: likewise right; A v = sigma u */
    rsd_method method; /* what was used in the end; never AUTO */
    bool complete;     /* count == min(m,n) */
    bool proved; /* error_bound holds for every k, whatever A: always but for a quick krylov */
    double error_bound; /* absolute bound on |s[k] - sigma_k|, every k.
                           gesdd: (m + n) eps sigma_1, LAPACK's backward error.  gram: what rounding
                           of the Gram matrix can at worst have done to the smallest value (gram.h);
                           a hundred to some thousand times what is seen.  krylov: ||R||_2 of the
                           residuals A' u - s v (or A v - s u) and what the rest of A may exceed the
                           smallest value by (leading.h); quick: ||R||_2 alone */
    rsd_rounding noise; /* what rounding of A's entries can have moved its values by */
    double sumsq;       /* ||A||_F^2 summed from A itself: energy shares are right even if
                           the spectrum is truncated */
    double seconds;
} rsd_spectrum;

/* out is filled from nothing; free with rsd_spectrum_free also after a failure.
 * Uses rsd_par_inner() threads.
 *
 * Values of gram and krylov that come with vectors are those of A on the vectors' span, so that
 * A' u = s v to error_bound and A v = s u to rounding (m < n: the other way round); the vectors are
 * orthonormal to rounding, clustered or not.
 *
 * Errors: RSD_EARG for an empty matrix, one beyond LAPACK's int, or options out of range;
 * RSD_EDOM if A holds NaN or Inf (says where); RSD_ECONV; RSD_ENOMEM.  Any float32 is in range:
 * squares do not overflow in double.
 * Memory: gram min(m,n)^2 doubles, gesdd m n doubles, krylov 4 to 9 columns for each value; vectors
 * some columns more.
 * Source: gram, gesdd: Golub & Van Loan 8.6, LAPACK Users' Guide 4.9; krylov: Musco & Musco,
 * NeurIPS 2015. */
RSD_CHECK int rsd_spectrum_compute(rsd_mat A, const rsd_spectrum_opts *opts, rsd_spectrum *out);
void rsd_spectrum_free(rsd_spectrum *s);

/* Bytes of working memory that rsd_spectrum_compute takes for this shape, the fallback to gesdd
 * left out: what a plan needs. */
size_t rsd_spectrum_bytes(size_t m, size_t n, const rsd_spectrum_opts *opts);

#endif
