/* What spectra predict for layers that are corrected. */
#include "compare/predicted.h"

#include "spectra/forecast.h"

#include <math.h>
#include <string.h>

/* Sums of what predicts from `first` on, below `end`. */
typedef struct {
    int first, end;
    rsd_forecast of[PREDICTORS];
} sums;

static const sums of_residuals = { .end = PREDICTOR_A_PRIORI },
                  of_a_priori = { .first = PREDICTOR_A_PRIORI, .end = PREDICTORS };

static void add_layer(sums *s, const evidence_layer *l, size_t rank)
{
    for (int k = s->first; k < s->end; k++) {
        const evidence_curve *curve = evidence_curve_of(l, k);
        rsd_forecast_add(&s->of[k], curve->energy, evidence_remaining(l, curve, rank));
    }
}

static void finish(const sums *s, forecast *out)
{
    for (int k = s->first; k < s->end; k++) {
        out->remaining[k] = rsd_forecast_remaining(&s->of[k]);
        out->energy[k] = s->of[k].total;
    }
}

static void forget(forecast *out)
{
    for (int k = 0; k < PREDICTORS; k++)
        out->remaining[k] = out->energy[k] = NAN;
}

void forecast_at(const evidence_case *c, bool a_priori, size_t rank, forecast *out)
{
    sums s = a_priori ? of_a_priori : of_residuals;
    forget(out);
    for (size_t i = 0; i < c->layers; i++)
        add_layer(&s, &c->layer[i], rank);
    finish(&s, out);
}

/* The run's row of a layer that it quantized, or NULL: it had no adapter.  Adapters on layers that
 * stayed as they are have no residual to correct. */
static const recovery_layer *adapter_of(const evidence *e, size_t run, const char *tensor)
{
    for (size_t i = 0; i < e->run_layers; i++)
        if (e->layer_run[i] == run && e->run_layer[i].weight_error != 0 &&
            strcmp(e->run_layer[i].tensor, tensor) == 0)
            return &e->run_layer[i];
    return NULL;
}

/* Weights of the quantized layers that have adapters; false where one is not the case's. */
static bool adapted_weights(const evidence *e, size_t run, const evidence_case *c, int64_t *sum)
{
    *sum = 0;
    for (size_t i = 0; i < e->run_layers; i++) {
        const recovery_layer *l = &e->run_layer[i];
        if (e->layer_run[i] != run || l->weight_error == 0)
            continue;
        if (!evidence_find_layer(c, l->tensor))
            return false;
        *sum += l->rows * l->cols;
    }
    return true;
}

/* Files say how many weights a run quantized (2 bytes each in bfloat16), and which layers had
 * adapters.  Those are the case's layers, or those with adapters, or neither is known to fit. */
static forecast_fit fit_case(const evidence *e, size_t run, const evidence_case *c, sums s,
                             forecast *out)
{
    const int64_t quantized = e->run[run].bf16_bytes / 2;
    int64_t in_case = 0, adapted;
    if (!c)
        return FORECAST_NO_SPECTRA;
    for (size_t i = 0; i < c->layers; i++)
        in_case += (int64_t)(c->layer[i].rows * c->layer[i].cols);
    if (!adapted_weights(e, run, c, &adapted) || (quantized != in_case && quantized != adapted))
        return FORECAST_OTHER_LAYERS;
    for (size_t i = 0; i < c->layers; i++) {
        const recovery_layer *l = adapter_of(e, run, c->layer[i].tensor);
        if (l || quantized == in_case)
            add_layer(&s, &c->layer[i], l ? (size_t)l->rank : 0);
    }
    finish(&s, out);
    return FORECAST_FITS;
}

forecast_fit forecast_run(const evidence *e, size_t run, forecast *out)
{
    const recovery_row *r = &e->run[run];
    forget(out);
    const forecast_fit known =
        fit_case(e, run, evidence_find(e, r->model, r->spec), of_residuals, out);
    const forecast_fit ahead =
        fit_case(e, run, evidence_find_a_priori(e, r->model, r->spec), of_a_priori, out);
    return ahead == FORECAST_FITS ? ahead : known;
}
