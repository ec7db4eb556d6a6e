/* Every number that summarises one spectrum.  The list below is the one place: it declares the
 * struct, names the columns of /spectra, the attributes of the result file and the help.
 *
 * s: singular values, s_1 >= ... >= s_d, d = min(m,n), D = max(m,n).  NaN means "not known" or "not
 * defined", and nothing else:
 *   - a truncated spectrum does not tell sums over all values, nor what needs the median when half
 *     or fewer of the values are held, nor a rank that lies beyond those held; whatever follows
 *     from s_1 and ||A||_F alone it does tell;
 *   - a zero matrix has norms, thresholds and counts 0, but no shares, ratios or logarithms;
 *   - a power law needs 8 values of s^2 > 1e-5 (absolute, as in WeightWatcher), and a tail whose
 *     values differ by more than noise_level.
 * Norms, curves and their ranks are of the values as they are.  Everything else (counts, ranks,
 * entropies, the median and what follows from it, power laws) takes those for 0 that are no larger
 * than noise_level, what rounding could have made of 0: of the numbers as they were stored
 * (spectrum.h's noise), of double precision (max(m,n) eps s_1), and error_bound of a truncated one.
 * So a float32 matrix of rank 4 has rank 4, 4 spikes and no power law. */
#ifndef RSD_SPECTRA_METRICS_H
#define RSD_SPECTRA_METRICS_H

#include "err.h"
#include "linalg/spectrum.h"

/* ENTRY(field, units, description) */
/* clang-format off */
#define RSD_METRIC_LIST(ENTRY)                                                                     \
    ENTRY(frobenius, "weight", "Frobenius norm sqrt(sum s^2), from the matrix itself")             \
    ENTRY(spectral, "weight", "spectral norm s_1")                                                 \
    ENTRY(nuclear, "weight", "nuclear norm sum s")                                                 \
    ENTRY(stable_rank, "rank", "sum s^2 / s_1^2")                                                  \
    ENTRY(effective_rank, "rank", "exp of the entropy of s/sum s (Roy & Vetterli 2007)")           \
    ENTRY(participation_ratio, "rank", "(sum s^2)^2 / sum s^4")                                    \
    ENTRY(numerical_rank, "rank", "number of s > noise_level")                                     \
    ENTRY(rank_loss, "count", "min(m,n) - numerical_rank (WeightWatcher)")                         \
    ENTRY(sum_r50, "rank", "least r whose values hold 50 % of sum s")                              \
    ENTRY(sum_r90, "rank", "least r whose values hold 90 % of sum s")                              \
    ENTRY(sum_r95, "rank", "least r whose values hold 95 % of sum s")                              \
    ENTRY(sum_r99, "rank", "least r whose values hold 99 % of sum s")                              \
    ENTRY(energy_r50, "rank", "least r whose values hold 50 % of sum s^2")                         \
    ENTRY(energy_r90, "rank", "least r whose values hold 90 % of sum s^2")                         \
    ENTRY(energy_r95, "rank", "least r whose values hold 95 % of sum s^2")                         \
    ENTRY(energy_r99, "rank", "least r whose values hold 99 % of sum s^2")                         \
    ENTRY(sum_mean, "share", "mean of cumulative_sum over all ranks")                              \
    ENTRY(energy_mean, "share", "mean of cumulative_energy over all ranks")                        \
    ENTRY(sum_excess, "share", "sum_mean less that of noise of this shape (Marchenko-Pastur)")     \
    ENTRY(energy_excess, "share", "energy_mean less that of noise of this shape")                  \
    ENTRY(mp_variance, "weight^2", "variance of an entry, ||A||_F^2 / (m n)")                      \
    ENTRY(mp_variance_robust, "weight^2", "variance from the median of s^2 (spikes ignored)")      \
    ENTRY(mp_edge, "weight", "Marchenko-Pastur edge sqrt(v) (sqrt m + sqrt n), v = mp_variance")   \
    ENTRY(mp_edge_robust, "weight", "the same edge with v = mp_variance_robust")                   \
    ENTRY(mp_spikes, "count", "s^2 over the robust edge^2 by more than 3 Tracy-Widom deviations")  \
    ENTRY(mp_softrank, "ratio", "robust Marchenko-Pastur edge squared / s_1^2")                    \
    ENTRY(gavish_donoho_threshold, "weight", "optimal hard threshold omega median(s)")             \
    ENTRY(gavish_donoho_rank, "rank", "number of s above gavish_donoho_threshold")                 \
    ENTRY(alpha, "exponent", "power law of s^2 by WeightWatcher's fit: density ~ x^-alpha")        \
    ENTRY(alpha_error, "exponent", "standard error of alpha, (alpha - 1)/sqrt(alpha_tail)")        \
    ENTRY(alpha_ks, "distance", "its Kolmogorov-Smirnov distance, WeightWatcher's one-sided")      \
    ENTRY(alpha_xmin, "weight^2", "its lower cut-off in s^2")                                      \
    ENTRY(alpha_tail, "count", "values at or above the cut-off")                                   \
    ENTRY(alpha_clipped, "exponent", "alpha with fingers (outlying values) left out, 2 to 9")      \
    ENTRY(alpha_fingers, "count", "WeightWatcher's num_fingers (clip_xmax): left out, less 1")     \
    ENTRY(alpha_two_sided, "exponent", "power law by the two-sided distance (Clauset 2009)")       \
    ENTRY(alpha_two_sided_ks, "distance", "its two-sided Kolmogorov-Smirnov distance")             \
    ENTRY(alpha_weighted, "log10 weight^2", "alpha log10 s_1^2")                                   \
    ENTRY(log_norm, "log10 weight^2", "log10 sum s^2")                                             \
    ENTRY(log_spectral_norm, "log10 weight^2", "log10 s_1^2")                                      \
    ENTRY(log_alpha_norm, "log10 weight^2", "log10 sum (s^2)^alpha (Schatten, p = 2 alpha)")       \
    ENTRY(matrix_entropy, "nat/nat", "-sum e ln e / ln rank, e = s^2 / sum s^2 (WeightWatcher)")   \
    ENTRY(detx_count, "count", "largest r whose s^2, over their mean, have a product >= 1")        \
    ENTRY(noise_level, "weight", "largest s that rounding could have made of 0; it counts as 0")
/* clang-format on */

typedef struct {
#define RSD_FIELD(name, units, text) double name;
    RSD_METRIC_LIST(RSD_FIELD)
#undef RSD_FIELD
} rsd_metrics;

typedef struct {
    const char *name, *units, *description;
    size_t offset; /* of the double in rsd_metrics */
} rsd_metric_info;

extern const rsd_metric_info rsd_metric_table[]; /* ends in name == NULL */

/* Value of one metric. */
double rsd_metric(const rsd_metrics *m, const rsd_metric_info *info);

/* All of them.  Never fails on a valid spectrum (at least one value; finite, nonincreasing, >= 0).
 * Errors: RSD_ENOMEM.  Cost: some milliseconds for d = 768, some tens for 8192.
 * Source: methods as named in each description; formulas in the headers beside this one. */
RSD_CHECK int rsd_metrics_compute(const rsd_spectrum *s, rsd_metrics *out);

#endif
