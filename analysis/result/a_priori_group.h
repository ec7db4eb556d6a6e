/* What is expected of residuals that are not there: /a_priori/<model>/<tensor>/<spec>.  Each holds
 * cumulative_energy of R in the loss's weighting, GRH, as weights' sizes, H and G predict it. */
#ifndef RSD_RESULT_A_PRIORI_H
#define RSD_RESULT_A_PRIORI_H

#include "result/result.h"

/* One matrix under one quantizer. */
typedef struct {
    result_place place;
    const char *spec;
    double energy, leaked; /* expected ||G^(1/2) R H^(1/2)||_F^2; of which W's leak */
    double damping;        /* of H and G, a share of their mean eigenvalue */
    size_t n;
    double *share; /* [n] */
} a_priori_curve;

/* Errors: the store's. */
RSD_CHECK int a_priori_write(rsd_store *store, const a_priori_curve *curve);

/* All that a file has, and the texts in it.  None where it has no such group. */
typedef struct {
    size_t count;
    a_priori_curve *curve;
    rsd_names texts;
} a_priori_curves;

/* Free with a_priori_free, also after a failure.
 * Errors: the store's; RSD_EFORMAT for an array that is no curve of its matrix. */
RSD_CHECK int a_priori_read(const rsd_store *store, a_priori_curves *out);
void a_priori_free(a_priori_curves *curves);

#endif
