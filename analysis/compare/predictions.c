/* What every predictor says of every case, as rows. */
#include "compare/predictions.h"

#include "compare/predicted.h"

#include <math.h>

static size_t most_rank(const evidence_case *c)
{
    size_t most = 1;
    for (size_t i = 0; i < c->layers; i++) {
        const size_t full = evidence_full_rank(&c->layer[i]);
        most = full > most ? full : most;
    }
    return most;
}

/* Energies are nats in the loss's weighting alone. */
static bool is_loss(int k) { return k == RSD_WEIGHTING_GH || k == PREDICTOR_A_PRIORI; }

static int add(prediction_rows *rows, const evidence_case *c, const char *tensor, int k,
               size_t rank, double remaining, double energy)
{
    const prediction_row row = { .model = c->model,
                                 .spec = c->spec,
                                 .tensor = tensor,
                                 .metric = predictor_name(k),
                                 .rank = (int64_t)rank,
                                 .remaining = remaining };
    return prediction_add(rows, &row, is_loss(k) ? energy : NAN);
}

static int add_layers(prediction_rows *rows, const evidence_case *c, int k, size_t rank)
{
    for (size_t i = 0; i < c->layers; i++) {
        const evidence_layer *l = &c->layer[i];
        const evidence_curve *curve = evidence_curve_of(l, k);
        RSD_TRY(
            add(rows, c, l->tensor, k, rank, evidence_remaining(l, curve, rank), curve->energy));
    }
    return RSD_OK;
}

static int add_case(prediction_rows *rows, const evidence_case *c, bool a_priori)
{
    const int first = a_priori ? PREDICTOR_A_PRIORI : 0;
    const int end = a_priori ? PREDICTORS : PREDICTOR_A_PRIORI;
    for (size_t rank = 1; rank <= most_rank(c); rank *= 2) {
        forecast f;
        forecast_at(c, a_priori, rank, &f);
        for (int k = first; k < end; k++) {
            RSD_TRY(add(rows, c, "", k, rank, f.remaining[k], f.energy[k]));
            RSD_TRY(add_layers(rows, c, k, rank));
        }
    }
    return RSD_OK;
}

int predictions_make(const evidence *e, prediction_rows *out)
{
    for (size_t i = 0; i < e->cases; i++)
        RSD_TRY(add_case(out, &e->item[i], false));
    for (size_t i = 0; i < e->a_priori_cases; i++)
        RSD_TRY(add_case(out, &e->a_priori[i], true));
    return RSD_OK;
}
