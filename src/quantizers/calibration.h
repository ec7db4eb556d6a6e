/* What is known of the data that pass a linear layer y = W x, W m x n, for quantizers and low-rank
 * corrections that use it.  A view: owns nothing; a NULL member is not known. */
#ifndef RSD_QUANTIZERS_CALIBRATION_H
#define RSD_QUANTIZERS_CALIBRATION_H

#include <stddef.h>

typedef struct {
    size_t m, n;
    const double *H;        /* [n*n] E[x x'] of the inputs, symmetric, not damped */
    const double *G;        /* [m*m] E[g g'] of the loss's gradient g at the outputs */
    const double *square;   /* [n] E[x^2], the diagonal of H, or importance weights of an imatrix */
    const double *mean_abs; /* [n] E|x| */
    const double *max_abs;  /* [n] max |x| */
    size_t tokens;          /* that the means are over; 0: not known */
} rsd_calibration;

/* What a method cannot work without, or takes where it is there. */
typedef enum {
    RSD_CALIBRATION_NONE,  /* takes none */
    RSD_CALIBRATION_TAKES, /* better with it */
    RSD_CALIBRATION_NEEDS
} rsd_calibration_need;

#endif
