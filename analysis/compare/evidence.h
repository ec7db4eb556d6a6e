/* What result files hold on what is low rank: spectra of residuals in every metric, and what
 * recover and eval --one-at-a-time measured. */
#ifndef RSD_EVIDENCE_H
#define RSD_EVIDENCE_H

#include "opt.h"
#include "result/recovery_table.h"
#include "result/sensitivity_table.h"

/* In which metric a residual is seen; the null is R's own with its signs drawn. */
typedef enum {
    EVIDENCE_NULL,
    EVIDENCE_R,
    EVIDENCE_RDH,
    EVIDENCE_RH,
    EVIDENCE_GRH,
    EVIDENCE_METRICS
} evidence_metric;
extern const char *const evidence_metric_name[EVIDENCE_METRICS]; /* "null", "R", ... "GRH" */

typedef struct {
    double energy; /* ||.||_F^2; NaN where the file does not have this metric */
    size_t n;
    double *share; /* [n] of the energy, in the first 1 .. n directions */
    bool complete; /* n == min(rows, cols) */
} evidence_curve;

/* One matrix under one quantizer. */
typedef struct {
    char *tensor, *role;
    int64_t layer;
    size_t rows, cols;
    evidence_curve curve[EVIDENCE_METRICS];
} evidence_layer;

typedef struct {
    char *model, *spec;
    bool control; /* the program's own matrix, not one of the user's */
    size_t layers;
    evidence_layer *layer;
} evidence_case;

/* Effective ranks of one matrix, which no quantizer changes; NaN where not known. */
typedef struct {
    char *model, *tensor;
    bool control;
    size_t rows, cols;
    double W, H, G; /* H and G: of the square roots of their eigenvalues */
    double W_energy_r90, H_energy_r90, G_energy_r90;
} evidence_matrix;

typedef struct {
    size_t cases, matrices, runs, run_layers, sensitivities;
    evidence_case *item;
    evidence_matrix *matrix;
    recovery_row *run;
    recovery_layer *run_layer;
    sensitivity_row *sensitivity;
} evidence;

/* Add what one file holds; the store may be closed after.  Free with evidence_free, also after a
 * failure.  A file without spectra, runs or sensitivities adds none of them.
 * Errors: the store's, RSD_EFORMAT, RSD_ENOMEM. */
RSD_CHECK int evidence_add(evidence *e, const rsd_store *store);
void evidence_free(evidence *e);

/* The case of this model and quantizer, or NULL; the layer of this tensor, or NULL. */
const evidence_case *evidence_find(const evidence *e, const char *model, const char *spec);
const evidence_layer *evidence_find_layer(const evidence_case *c, const char *tensor);

/* Share of the energy that remains behind the first `rank` directions: 1 for rank 0, 0 from
 * min(rows, cols) on, NaN where the curve ends before. */
double evidence_remaining(const evidence_layer *layer, evidence_metric metric, size_t rank);

#endif
