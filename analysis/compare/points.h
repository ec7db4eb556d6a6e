/* Predictions joined with what was measured: a point for every run, and for every layer that was
 * quantized alone. */
#ifndef RSD_COMPARE_POINTS_H
#define RSD_COMPARE_POINTS_H

#include "compare/evidence.h"
#include "spectra/association.h"
#include "spectra/contest.h"

typedef enum { POINTS_CLOSED, POINTS_TRAINED, POINTS_LAYERS, POINTS_KINDS } points_kind;

typedef struct {
    const recovery_row *run;            /* or NULL */
    const sensitivity_row *sensitivity; /* or NULL */
    double predicted[PREDICTORS];       /* recovered share; of a layer: its energy, GRH halved */
    double measured, se;                /* recovered share; of a layer: its loss increase */
    size_t cluster;                     /* points of one cluster are not independent */
    size_t part;                        /* index below */
} point;

/* Points of one start, or of layers under one quantizer and correction: what is between two parts
 * may be the start, or the quantizer, and no spectrum. */
typedef struct {
    const char *model, *spec; /* of layers; NULL of runs */
    const char *init;         /* "" of layers that are not corrected */
    size_t rank;              /* of the layers' correction */
    size_t count;
    rsd_association of[PREDICTORS];
    rsd_contest contest; /* of runs: predictors, and a constant behind them */
} points_part;

typedef struct {
    size_t count, parts;
    point *point;
    points_part *part;
    points_part all;                 /* pooled; of layers with `within` over the parts */
    size_t no_spectra, other_layers; /* runs or layers that were left out, and why */
} points;

/* Runs: the share that the start alone won back (kind closed: starts that correct), or training.
 * Runs of one model, quantizer and start form a cluster: ranks and seeds are looks at one thing.
 * Layers: what each costs alone; correlations are of ranks, lines of logarithms; clusters are
 * evidence_unit's.  Free with points_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int points_make(const evidence *e, points_kind kind, uint64_t seed, points *out);
void points_free(points *p);

#endif
