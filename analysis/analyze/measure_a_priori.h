/* What the sizes of a matrix' weights, H and G predict of R in the loss's weighting, before there
 * is a W_q. */
#ifndef RSD_MEASURE_A_PRIORI_H
#define RSD_MEASURE_A_PRIORI_H

#include "analyze/measure_moments.h"
#include "cli/select.h"
#include "linalg/spectrum.h"
#include "quantizers/expected_error.h"
#include "result/a_priori_group.h"

/* The constants of a run's quantizers, in the order of its specs, then of its rules. */
typedef struct {
    const select_specs *specs;
    rsd_error_model *model; /* [specs + rules] */
} a_priori_models;

/* importances: quantizers that take them get some.  Free with a_priori_models_free, also after a
 * failure.  Errors: those of rsd_error_model_make. */
RSD_CHECK int a_priori_models_make(const select_specs *specs, bool importances,
                                   a_priori_models *out);
void a_priori_models_free(a_priori_models *m);

/* Of one of these specs; NULL where its error cannot be foreseen. */
const rsd_error_model *a_priori_model_of(const a_priori_models *m, const rsd_spec *spec);

/* One matrix with its moments, which outlive it. */
typedef struct {
    rsd_mat W, V;         /* V: sqrt of the squares that are expected of the error */
    const double *square; /* importances of the inputs */
    const moment_roots *roots;
    rsd_spectrum_opts opts; /* of W in the weighting */
    size_t n;               /* ranks of a curve */
    double energy, *leak;   /* of W in the weighting, and its curve, NULL until a quantizer leaks */
} a_priori_layer;

/* Working memory beside W and the roots, for the plan. */
size_t a_priori_bytes(size_t rows, size_t cols);

/* Free with a_priori_layer_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int a_priori_layer_make(rsd_mat W, const rsd_calibration *c, const moment_roots *roots,
                                  const rsd_spectrum_opts *opts, a_priori_layer *out);
void a_priori_layer_free(a_priori_layer *l);

/* Energies and share[n] into *out, whose texts and place stay; the caller frees share, also after a
 * failure.  Errors: those of rsd_variance_profile_curves and rsd_spectrum_compute. */
RSD_CHECK int a_priori_layer_curve(a_priori_layer *l, const rsd_error_model *model,
                                   a_priori_curve *out);

#endif
