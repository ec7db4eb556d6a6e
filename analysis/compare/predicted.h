/* What the spectra of a case predict for a set of its layers, each corrected at its own rank. */
#ifndef RSD_COMPARE_PREDICTED_H
#define RSD_COMPARE_PREDICTED_H

#include "compare/evidence.h"

/* NaN where a layer lacks the weighting. */
typedef struct {
    double energy[PREDICTORS], remaining[PREDICTORS]; /* the whole; share of it */
} forecast;

/* Every layer at `rank`; a_priori: the case is one of evidence's a_priori, and predicts as
 * PREDICTOR_A_PRIORI alone, as others do as all but that. */
void forecast_at(const evidence_case *c, bool a_priori, size_t rank, forecast *out);

typedef enum {
    FORECAST_FITS,
    FORECAST_NO_SPECTRA,   /* no residual of this model and quantizer, and nothing a priori */
    FORECAST_OTHER_LAYERS, /* the run quantized other layers than the spectra are of */
} forecast_fit;

/* The layers that run number `run` quantized, at the ranks that they ended with; those without an
 * adapter stay uncorrected.  A run that quantized some of the case's layers, all of them with
 * adapters, is predicted from those; adapters on layers that it did not quantize count nowhere.
 * Residuals and what was predicted without them fit by themselves; it is enough that one does. */
forecast_fit forecast_run(const evidence *e, size_t run, forecast *out);

#endif
