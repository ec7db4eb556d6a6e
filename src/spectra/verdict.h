/* What gathers a residual's energy in few directions: chance, the residual's scales, the data, the
 * loss, or the residual itself?
 *
 * Seen in the loss's weighting, G^(1/2) R H^(1/2), rank r holds a share c of the energy.  So does
 * noise.  R's null (nulls.h) keeps every |R_ij| and draws the signs: it has R's scales and no
 * structure of its own, and the same H and G make directions of it too.  c is told apart into
 *
 *   noise   what iid noise of R's shape holds (marchenko_pastur.h)
 *   scales  what R's null holds beyond that, as R is larger in some rows, columns and blocks
 *   data    what H adds to the null's share
 *   loss    what G adds to the null's share
 *   own     what R holds beyond its null in that weighting; below 0 where the quantizer has taken
 *           already what a correction would take (feedback, as GPTQ's)
 *
 * which add up to c.  What data and loss add depends on which comes first; each gets the mean over
 * both orders (Shapley's value), N(.) being the null's share:
 *
 *   inputs first      data = N(RH) - N(R)     loss = N(GRH) - N(RH)
 *   gradients first   loss = N(GR) - N(R)     data = N(GRH) - N(GR)
 *
 * Where nulls are known of R and R H^(1/2) alone, the share of R H^(1/2) is told apart, without
 * loss; where of R alone, that of R, without data.
 *
 * Each part is a mean over layers with its interval over clusters of them (dependent.h).  A part is
 * named where it lies beyond `least`, up or down, with Holm's correction over all that is decided
 * together (claims.h): its interval then holds neither 0 nor `least`.  The cause is the largest
 * part that is named and above 0; it is sure where its interval lies above those of the others and
 * both orders say so.  Nothing is the cause where none is named, for sure where all intervals lie
 * within `least` of 0.
 * Source: Shapley, A value for n-person games, 1953. */
#ifndef RSD_SPECTRA_VERDICT_H
#define RSD_SPECTRA_VERDICT_H

#include "spectra/dependent.h"
#include "spectra/weighting.h"

/* Of one layer, NaN where not known: shares of the energy that the first r directions hold, in
 * [0,1], by rsd_weighting_kind; those of RSD_WEIGHTING_DIAG_H are not looked at. */
typedef struct {
    double noise;                  /* of iid noise of its shape */
    double null[RSD_WEIGHTINGS];   /* of the null */
    double share[RSD_WEIGHTINGS];  /* of R itself */
    double energy[RSD_WEIGHTINGS]; /* ||.||_F^2 of R over the null's */
} rsd_capture_shares;

typedef enum {
    RSD_PART_NOISE, /* as a cause: nothing */
    RSD_PART_SCALES,
    RSD_PART_DATA,
    RSD_PART_LOSS,
    RSD_PART_OWN,
    RSD_PARTS
} rsd_part;

typedef struct {
    rsd_interval data, loss;
} rsd_split;

typedef struct {
    rsd_weighting_kind in;        /* what is told apart: GH, H, or NONE for R itself */
    size_t layers,                /* that know what that needs; 0: nothing is known */
        clusters,                 /* independent ones of them */
        lesser;                   /* layers that know a lesser weighting only, and are left out */
    rsd_interval held;            /* c */
    rsd_interval part[RSD_PARTS]; /* they add up to it; NaN what `in` does not have */
    rsd_split inputs_first, gradients_first; /* NaN but in GH */
    rsd_interval energy; /* geometric mean of R's energy over its null's; NaN for R itself */
    /* by rsd_verdict_decide */
    double p[RSD_PARTS]; /* of lying within `least` of 0, Holm's; NaN: no interval */
    rsd_part cause;
    bool sure;
} rsd_verdict;

/* "noise", "scales", "data", "loss", "own"; as a cause "nothing" in place of the first. */
const char *rsd_part_name(rsd_part part);
const char *rsd_cause_name(rsd_part cause);

/* The numbers; nothing is named yet.  cluster: layers of equal number are not independent (one
 * matrix under several quantizers); NULL: all are.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_verdict_measure(const rsd_capture_shares *layer, const size_t *cluster,
                                  size_t count, uint64_t seed, rsd_verdict *out);

/* What may be said of v[count] that are looked at together.  least: in [0,1], of the energy: how
 * large a part must be to be a part.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_verdict_decide(rsd_verdict *v, size_t count, double least);

/* Both, of one verdict that stands alone.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_verdict_reach(const rsd_capture_shares *layer, const size_t *cluster,
                                size_t count, double least, uint64_t seed, rsd_verdict *out);

/* Is the part named? */
bool rsd_verdict_names(const rsd_verdict *v, rsd_part part);

#endif
