/* The inner products in which a residual R = W - W_q is seen: as it is, or weighted by what is
 * known of its layer, H = E[x x'] of its inputs and G = E[g g'] of the loss's gradients at its
 * outputs.  A weighting is an inner product; a metric (metrics.h) is a number that a spectrum has.
 *
 * The squared Frobenius norm of R diag(H)^1/2 is the error of the outputs if inputs were
 * uncorrelated, of R H^1/2 the error of the outputs, of G^1/2 R H^1/2 twice the loss that R costs,
 * to second order; G^1/2 R weighs outputs alone, and tells what the two know apart. */
#ifndef RSD_SPECTRA_WEIGHTING_H
#define RSD_SPECTRA_WEIGHTING_H

/* ENTRY(constant, name); the names are those of groups and rows of result files. */
/* clang-format off */
#define RSD_WEIGHTING_LIST(ENTRY)                                                                  \
    ENTRY(NONE, "R")                                                                               \
    ENTRY(DIAG_H, "RdH")                                                                           \
    ENTRY(H, "RH")                                                                                 \
    ENTRY(G, "GR")                                                                                 \
    ENTRY(GH, "GRH")
/* clang-format on */

#define RSD_ENUM(constant, name) RSD_WEIGHTING_##constant,
typedef enum { RSD_WEIGHTING_LIST(RSD_ENUM) RSD_WEIGHTINGS } rsd_weighting_kind;
#undef RSD_ENUM

/* "R", "RdH", "RH", "GR" or "GRH". */
const char *rsd_weighting_name(rsd_weighting_kind kind);

#endif
