/* The error that a quantizer is expected to make, weight by weight, without quantizing.
 *
 * A weight w, in a run of weights that share a scale and whose size is s, is left with
 *
 *     R = leak w + N,    E N = 0,    E N^2 = (c0 s^2 + c1 s |w| + c2 w^2) (i/i_run)^-g
 *
 * where s is the largest magnitude of the run, or its range (rsd_scale_runs), and i the importance
 * of w's input, where the quantizer weighs inputs, i_run their mean over the run. The leak is what
 * a coarse quantizer leaves of W in R; even levels have c0 alone, levels that lie further apart for
 * larger weights the others, and casts, whose runs are single weights, the last. The constants are
 * the quantizer's own, whatever W is: they are measured once, on normal numbers.
 *
 * It holds for rounding that looks at nothing else.  Feedback between columns, or scales that are
 * chosen by what a layer puts out, cannot be foreseen so; nor can weights that lie on a quantizer's
 * grid already, of which nothing is left.
 * Source: Bennett, Bell System Technical Journal 27 (1948) 446; Bussgang, MIT RLE technical report
 * 216 (1952). */
#ifndef RSD_QUANTIZERS_EXPECTED_ERROR_H
#define RSD_QUANTIZERS_EXPECTED_ERROR_H

#include "quantizers/quantizer.h"

typedef struct {
    rsd_scale_runs runs;
    double leak, c[3];
    double by_importance;   /* g; 0 where inputs are not weighed */
    double bits_per_weight; /* of the sample, which is 128 x 1024 */
} rsd_error_model;

/* Can this quantizer's error be foreseen? */
bool rsd_error_is_expected(const rsd_spec *spec);

/* Measure the quantizer's constants.  importances: it will be given some, if it takes any.  The
 * same spec has the same constants.  Cost: quantizing 131072 weights.
 * Errors: RSD_EUSAGE where its error cannot be foreseen; those of rsd_quantize. */
RSD_CHECK int rsd_error_model_make(const rsd_spec *spec, bool importances, rsd_error_model *out);

/* V_ij = sqrt(E N_ij^2) of W; V has W's shape and does not overlap it.  square[W.n]: importances of
 * the inputs, as rsd_calibration has them; NULL: all alike.  Memory: a few doubles for each run.
 * Errors: rsd_importance_fill's; RSD_ENOMEM. */
RSD_CHECK int rsd_expect_error(const rsd_error_model *model, rsd_mat W, const double *square,
                               rsd_mat V);

#endif
