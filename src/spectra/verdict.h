/* What is low rank: the model, the data, or the loss?
 *
 * A rank-r correction of the residual R captures a share of its energy in each metric.  The share
 * in the loss's metric is told apart into what every step of knowledge adds, in this order:
 *
 *   noise   share of R at rank r that a residual without structure would let it capture (the
 *           sign-flip null: every |R_ij| kept, every sign drawn)
 *   model   share of R beyond that: low rank that quantization itself left in the residual
 *   data    share of R H^(1/2) beyond that of R: the inputs do not reach all directions
 *   loss    share of G^(1/2) R H^(1/2) beyond that of R H^(1/2): not all outputs matter
 *
 * Each is a mean over layers with its bootstrap interval.  The largest of model, data and loss is
 * the answer; it is sure where its interval lies above those of the other two, and there is no low
 * rank to speak of where none exceeds `least`. */
#ifndef RSD_SPECTRA_VERDICT_H
#define RSD_SPECTRA_VERDICT_H

#include "spectra/association.h"

#include <stdbool.h>

/* Shares of one layer's energy that the first r directions hold, in [0,1]; NaN where not known. */
typedef struct {
    double null, R, RH, GRH;
} rsd_capture_shares;

typedef enum { RSD_VERDICT_NONE, RSD_VERDICT_MODEL, RSD_VERDICT_DATA, RSD_VERDICT_LOSS } rsd_source;

typedef struct {
    size_t layers;                         /* that know what is needed: null, R and RH */
    rsd_interval noise, model, data, loss; /* loss NaN where no layer knows GRH */
    rsd_source source;
    bool sure;
} rsd_verdict;

const char *rsd_source_name(rsd_source s); /* "nothing", "model", "data", "loss" */

/* least: in [0,1], a share below which nothing is called low rank.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_verdict_reach(const rsd_capture_shares *layer, size_t count, double least,
                                uint64_t seed, rsd_verdict *out);

#endif
