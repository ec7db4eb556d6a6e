/* What result files hold on what is low rank: spectra of residuals in every weighting, and what
 * recover and eval --one-at-a-time measured. */
#ifndef RSD_EVIDENCE_H
#define RSD_EVIDENCE_H

#include "opt.h"
#include "result/recovery_table.h"
#include "result/sensitivity_table.h"
#include "spectra/nulls.h"
#include "spectra/weighting.h"

/* What predicts: R in a weighting (rsd_weighting_kind), R's own null, its signs drawn, or what was
 * predicted of GRH without R. */
enum { PREDICTOR_NULL = RSD_WEIGHTINGS, PREDICTOR_A_PRIORI, PREDICTORS };
const char *predictor_name(int predictor); /* "R", "RdH", ... "GRH", "null", "a_priori" */

typedef struct {
    double energy; /* ||.||_F^2; NaN where the file does not have this weighting */
    size_t n;
    double *share; /* [n] of the energy, in the first 1 .. n directions */
    bool complete; /* n == min(rows, cols) */
} evidence_curve;

/* One matrix under one quantizer. */
typedef struct {
    char *tensor, *role;
    int64_t layer;
    size_t rows, cols;
    evidence_curve curve[RSD_WEIGHTINGS];
    evidence_curve null[RSD_NULLS][RSD_WEIGHTINGS]; /* of those that keep R's scales */
} evidence_layer;

/* Texts `model` name one set of weights: where two files use a name for different ones, the later
 * is called name@sha256, eight digits of it. */
typedef struct {
    char *model, *spec;
    bool control; /* made, not trained: it says nothing of models */
    size_t layers;
    evidence_layer *layer;
} evidence_case;

/* Effective ranks of one matrix, which no quantizer changes; NaN where not known. */
typedef struct {
    char *model, *tensor;
    bool control;
    size_t rows, cols;
    double W, H, G;          /* H and G: of the square roots of their eigenvalues */
    double H_ratio, G_ratio; /* participation ratios of their eigenvalues */
    double W_energy_r90, H_energy_r90, G_energy_r90;
} evidence_matrix;

/* Losses of a run by evaluation window; NULL where the file has none. */
typedef struct {
    size_t file; /* which of the files; windows of two files may differ */
    double *init, *trained;
} evidence_windows;

typedef struct {
    char *name, *sha256, *label;
} evidence_model;

typedef struct {
    size_t files, models, cases, a_priori_cases, matrices, runs, run_layers, sensitivities;
    evidence_model *known;
    evidence_case *item;     /* [cases] whose residuals are there */
    evidence_case *a_priori; /* [a_priori_cases] what was predicted of residuals without them: curve
                                GH alone */
    evidence_matrix *matrix;
    recovery_row *run;
    evidence_windows *windows; /* [runs] */
    recovery_layer *run_layer;
    size_t *layer_run; /* [run_layers] index of the run */
    sensitivity_row *sensitivity;
    /* what was there already, and so was not taken again: runs, single layers; spectra of the same
     * matrix that differ, of which the first counts */
    size_t repeated_runs, repeated_layers, other_spectra;
} evidence;

/* Add what one file holds; the store may be closed after.  Free with evidence_free, also after a
 * failure.  A file without spectra, runs or sensitivities adds none of them.  What was added
 * before, be it from a copy of the file, is not added again: a run of the same name, model and
 * losses; a layer quantized alone with the same result (of two that differ, the one over more
 * windows counts). Errors: the store's, RSD_EFORMAT, RSD_ENOMEM. */
RSD_CHECK int evidence_add(evidence *e, const rsd_store *store);
void evidence_free(evidence *e);

/* A run that finished, of a quantized model, with factors of 16 bits. */
bool evidence_counts(const recovery_row *run);

/* The case of this model and quantizer, or NULL: that of its residuals, and of what was predicted
 * without them; the layer of this tensor, or NULL. */
const evidence_case *evidence_find(const evidence *e, const char *model, const char *spec);
const evidence_case *evidence_find_a_priori(const evidence *e, const char *model, const char *spec);
const evidence_layer *evidence_find_layer(const evidence_case *c, const char *tensor);

/* min(rows, cols). */
size_t evidence_full_rank(const evidence_layer *layer);

/* The null by which a layer is judged in every weighting: of those that keep R's scales the one
 * that is known in most weightings that R is, the drawn one of two; and its curve, whose energy is
 * NaN where it is not known. */
rsd_null evidence_null_kind(const evidence_layer *layer);
const evidence_curve *evidence_null(const evidence_layer *layer, rsd_weighting_kind kind);

/* The curve that predicts, of a layer whose residual is there, for PREDICTOR_A_PRIORI of one that
 * was predicted without it; its energy is NaN where it is not known. */
const evidence_curve *evidence_curve_of(const evidence_layer *layer, int predictor);

/* Share of the curve's energy that remains behind the first `rank` directions (rsd_remaining); NaN
 * where it is not known. */
double evidence_remaining(const evidence_layer *layer, const evidence_curve *curve, size_t rank);

/* Measurements that are not independent have equal numbers: those of one block of a model, whose
 * matrices share inputs; of one matrix where there are fewer than RSD_FEWEST_CLUSTERS blocks in
 * all, or it is in none. */
size_t evidence_unit(const evidence *e, const char *model, const char *tensor, int64_t layer);

#endif
