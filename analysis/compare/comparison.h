/* Predictions of spectra joined with what was measured. */
#ifndef RSD_COMPARISON_H
#define RSD_COMPARISON_H

#include "compare/evidence.h"
#include "spectra/association.h"
#include "spectra/verdict.h"

/* What is predicted of a set of layers, each corrected at its own rank. */
typedef struct {
    double
        remaining[EVIDENCE_METRICS]; /* share of the energy; NaN where a layer lacks the metric */
    double loss;                     /* GRH: half the energy that remains, nat/token */
} forecast;

/* Every layer at `rank`. */
void forecast_at(const evidence_case *c, size_t rank, forecast *out);

/* The layers of a run at the ranks that they ended with, all others uncorrected. */
void forecast_run(const evidence *e, const evidence_case *c, const recovery_row *run,
                  forecast *out);

/* One point of the comparison: a run, or a layer that was quantized alone. */
typedef struct {
    const recovery_row *run;            /* or NULL */
    const sensitivity_row *sensitivity; /* or NULL */
    double predicted[EVIDENCE_METRICS]; /* recovered share; of a layer: its energy, GRH halved */
    double measured, se;                /* recovered share; of a layer: its loss increase */
    size_t cluster;                     /* points of one cluster are not independent */
} point;

typedef enum { POINTS_CLOSED, POINTS_TRAINED, POINTS_LAYERS, POINTS_KINDS } points_kind;

typedef struct {
    size_t count;
    point *point;
    rsd_association metric[EVIDENCE_METRICS]; /* layers: of logarithms where both are above 0 */
} points;

/* Mean overlap of trained adapters with a subspace of equal dimension, and that of random ones. */
typedef struct {
    const char *what; /* "start", "R", "W", ... */
    rsd_interval left, right;
    double random_left, random_right;
} comparison_overlap;
enum { OVERLAPS_MAX = 8 };

typedef struct {
    points kind[POINTS_KINDS];
    size_t overlaps;
    comparison_overlap overlap[OVERLAPS_MAX];
    /* medians over layers of the effective rank, and of it over min(rows, cols) or channels */
    double rank_W, rank_R, rank_H, rank_G, rank_trained;
    double share_W, share_R, share_H, share_G, share_trained;
    size_t rank;         /* at which the verdict is reached */
    rsd_verdict verdict; /* over the layers of all cases */
    rsd_verdict *by_case;
} comparison;

/* rank 0: the median of the runs' ranks, or 8.  Free with comparison_free, also after a failure.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int comparison_make(const evidence *e, size_t rank, uint64_t seed, comparison *out);
void comparison_free(comparison *c);

#endif
