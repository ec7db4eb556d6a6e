/* What result files hold, gathered by model and quantizer. */
#include "compare/evidence.h"

#include "alloc.h"
#include "result/prediction_table.h"
#include "rng.h"
#include "spectra/curves.h"
#include "spectra/dependent.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *predictor_name(int predictor)
{
    static const char *const others[] = { "null", prediction_a_priori };
    return predictor >= PREDICTOR_NULL ? others[predictor - PREDICTOR_NULL]
                                       : rsd_weighting_name((rsd_weighting_kind)predictor);
}

/* ---- memory ---- */

static void free_case(evidence_case *c)
{
    for (size_t i = 0; i < c->layers; i++) {
        free(c->layer[i].tensor);
        free(c->layer[i].role);
        for (int k = 0; k < RSD_WEIGHTINGS; k++) {
            free(c->layer[i].curve[k].share);
            for (int n = 0; n < RSD_NULLS; n++)
                free(c->layer[i].null[n][k].share);
        }
    }
    free(c->layer);
    free(c->model);
    free(c->spec);
}

void evidence_free(evidence *e)
{
    for (size_t i = 0; i < e->models; i++) {
        free(e->known[i].name);
        free(e->known[i].sha256);
        free(e->known[i].label);
    }
    for (size_t i = 0; i < e->cases; i++)
        free_case(&e->item[i]);
    for (size_t i = 0; i < e->a_priori_cases; i++)
        free_case(&e->a_priori[i]);
    for (size_t i = 0; i < e->matrices; i++) {
        free(e->matrix[i].model);
        free(e->matrix[i].tensor);
    }
    for (size_t i = 0; e->windows && i < e->runs; i++) {
        free(e->windows[i].init);
        free(e->windows[i].trained);
    }
    free(e->known);
    free(e->item);
    free(e->a_priori);
    free(e->matrix);
    free(e->windows);
    free(e->layer_run);
    rows_free(&recovery_rows_schema, e->run, e->runs);
    rows_free(&recovery_layers_schema, e->run_layer, e->run_layers);
    rows_free(&sensitivity_schema, e->sensitivity, e->sensitivities);
    *e = (evidence){ 0 };
}

/* ---- looking ---- */

/* Were the factors stored in 16 bits or more?  Rounding to fewer is nothing that spectra know. */
static bool keeps_factors(const recovery_row *run)
{
    return run->adapter_bytes == 0 || run->adapter_bytes >= 2 * run->adapter_numbers;
}

bool evidence_counts(const recovery_row *run)
{
    return strcmp(run->status, "ok") == 0 && !run->control && keeps_factors(run);
}

static const evidence_case *find_among(const evidence_case *c, size_t count, const char *model,
                                       const char *spec)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(c[i].model, model) == 0 && strcmp(c[i].spec, spec) == 0)
            return &c[i];
    return NULL;
}

const evidence_case *evidence_find(const evidence *e, const char *model, const char *spec)
{
    return find_among(e->item, e->cases, model, spec);
}

const evidence_case *evidence_find_a_priori(const evidence *e, const char *model, const char *spec)
{
    return find_among(e->a_priori, e->a_priori_cases, model, spec);
}

const evidence_layer *evidence_find_layer(const evidence_case *c, const char *tensor)
{
    for (size_t i = 0; i < c->layers; i++)
        if (strcmp(c->layer[i].tensor, tensor) == 0)
            return &c->layer[i];
    return NULL;
}

size_t evidence_full_rank(const evidence_layer *layer)
{
    return layer->rows < layer->cols ? layer->rows : layer->cols;
}

rsd_null evidence_null_kind(const evidence_layer *layer)
{
    rsd_null best = RSD_NULL_SIGN_FLIP;
    int most = 0;
    for (rsd_null n = 0; n < RSD_NULLS; n++) {
        int known = 0;
        for (int k = 0; k < RSD_WEIGHTINGS; k++)
            known += !isnan(layer->curve[k].energy) && !isnan(layer->null[n][k].energy);
        if (known > most) {
            most = known;
            best = n;
        }
    }
    return best;
}

const evidence_curve *evidence_null(const evidence_layer *layer, rsd_weighting_kind kind)
{
    return &layer->null[evidence_null_kind(layer)][kind];
}

const evidence_curve *evidence_curve_of(const evidence_layer *layer, int predictor)
{
    if (predictor == PREDICTOR_NULL)
        return evidence_null(layer, RSD_WEIGHTING_NONE);
    return &layer->curve[predictor == PREDICTOR_A_PRIORI ? RSD_WEIGHTING_GH : predictor];
}

double evidence_remaining(const evidence_layer *layer, const evidence_curve *curve, size_t rank)
{
    if (isnan(curve->energy))
        return NAN;
    return rsd_remaining(curve->share, curve->n, evidence_full_rank(layer), rank);
}

/* ---- what is independent ---- */

static size_t number_of(const char *model, const char *tensor, int64_t layer)
{
    char text[4096];
    if (tensor)
        snprintf(text, sizeof text, "%s\n%s", model, tensor);
    else
        snprintf(text, sizeof text, "%s %lld", model, (long long)layer);
    return (size_t)rsd_seed(0, text);
}

/* Are there so many blocks, over all models, that they can be drawn? */
static bool has_blocks(const evidence *e)
{
    size_t seen[RSD_FEWEST_CLUSTERS], n = 0;
    for (size_t i = 0; i < e->cases; i++)
        for (size_t l = 0; l < e->item[i].layers && n < RSD_FEWEST_CLUSTERS; l++) {
            const evidence_layer *layer = &e->item[i].layer[l];
            const size_t number = number_of(e->item[i].model, NULL, layer->layer);
            size_t k = 0;
            while (k < n && seen[k] != number)
                k++;
            if (k == n && layer->layer >= 0)
                seen[n++] = number;
        }
    return n == RSD_FEWEST_CLUSTERS;
}

size_t evidence_unit(const evidence *e, const char *model, const char *tensor, int64_t layer)
{
    return number_of(model, layer >= 0 && has_blocks(e) ? NULL : tensor, layer);
}
