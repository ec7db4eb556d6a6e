/* What is low rank: the model, the data, or the loss?
 *
 * A rank-r correction of the residual R captures a share of its energy in each weighting.  The
 * share in the loss's weighting is told apart into what every step of knowledge adds:
 *
 *   noise   share of R at rank r that a residual without structure would let it capture (the
 *           sign-flip null: every |R_ij| kept, every sign drawn)
 *   model   share of R beyond that: low rank that quantization itself left in the residual
 *   data    what weighting by the inputs, H^(1/2), adds
 *   loss    what weighting by the gradients, G^(1/2), adds
 *
 * What the last two add depends on which comes first.  Where all four of R, R H^(1/2), G^(1/2) R
 * and G^(1/2) R H^(1/2) are known each gets the mean over both orders (Shapley's value):
 *
 *   inputs first      data = RH - R     loss = GRH - RH
 *   gradients first   loss = GR - R     data = GRH - GR
 *
 * Where G^(1/2) R is not known the inputs come first, and the verdict says so.
 *
 * Each is a mean over layers, with its interval over clusters of them (cluster.h).  The largest of
 * model, data and loss is the answer; it is sure where its interval lies above those of the others
 * and both orders name it, and there is no low rank to speak of where none exceeds `least`.
 * Source: Shapley, A value for n-person games, 1953. */
#ifndef RSD_SPECTRA_VERDICT_H
#define RSD_SPECTRA_VERDICT_H

#include "spectra/dependent.h"

/* Shares of one layer's energy that the first r directions hold, in [0,1]; NaN where not known. */
typedef struct {
    double null, R, RH, GR, GRH;
} rsd_capture_shares;

typedef enum { RSD_VERDICT_NONE, RSD_VERDICT_MODEL, RSD_VERDICT_DATA, RSD_VERDICT_LOSS } rsd_source;

typedef struct {
    rsd_interval data, loss;
} rsd_split;

typedef struct {
    size_t layers,
        clusters;   /* that know what is needed: null, R and RH; independent ones of them */
    bool symmetric; /* data and loss are means over both orders, not of inputs first */
    rsd_interval noise, model, data, loss;   /* loss NaN where no layer knows GRH */
    rsd_split inputs_first, gradients_first; /* the latter NaN unless symmetric */
    rsd_source source;
    bool sure;
} rsd_verdict;

const char *rsd_source_name(rsd_source s); /* "nothing", "model", "data", "loss" */

/* cluster: layers of equal number are not independent (one matrix under several quantizers); NULL:
 * all are.  least: in [0,1], a share below which nothing is called low rank.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_verdict_reach(const rsd_capture_shares *layer, const size_t *cluster,
                                size_t count, double least, uint64_t seed, rsd_verdict *out);

#endif
