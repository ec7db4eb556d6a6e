/* Private to src/io/model.  Matrices with a known spectrum, by name:
 * `synthetic:rows=768,cols=768,rank=4,noise=0`. */
#ifndef RSD_IO_SYNTHETIC_H
#define RSD_IO_SYNTHETIC_H

#include "err.h"
#include "mat.h"
#include "opt.h"

typedef struct {
    size_t rows, cols;
    size_t rank;     /* rank of the signal; 0: none */
    double power;    /* the signal's k-th singular value is strength k^-power; power 0: see fill */
    double strength; /* largest singular value of the signal, power > 0 only */
    size_t spikes;   /* planted rank-1 terms on top of the noise */
    double spike;    /* singular value of each, in units of the noise's Marchenko-Pastur edge */
    double noise;    /* standard deviation of an entry's noise */
    double student;  /* degrees of freedom of Student-t noise, > 2; 0: normal */
    size_t count;    /* matrices, named layers.0.weight, layers.1.weight, ...: each its own seed */
    size_t seed;
} rsd_synthetic;

extern const rsd_opt rsd_synthetic_options[];

/* text is what follows "synthetic:".  Nothing but zeros to generate is refused.
 * Errors: RSD_EUSAGE. */
RSD_CHECK int rsd_synthetic_parse(const char *text, rsd_synthetic *out);

/* Matrix number i of the model; A is rows x cols (asserted).
 * power 0: the signal is B A of normal factors rounded to integers and scaled by a power of two, so
 * that every product and sum is exact in float32 and a rank-4 control shows exactly four values
 * above 1e-12 s_1.  power > 0: orthonormal factors, rounded to float32 once.
 * Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_synthetic_fill(const rsd_synthetic *p, size_t i, rsd_mat A);

#endif
