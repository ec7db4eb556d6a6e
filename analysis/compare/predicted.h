/* What the spectra of a case predict for a set of its layers, each corrected at its own rank. */
#ifndef RSD_COMPARE_PREDICTED_H
#define RSD_COMPARE_PREDICTED_H

#include "compare/evidence.h"

typedef struct {
    double remaining[PREDICTORS]; /* share of the energy; NaN where a layer lacks the weighting */
    double loss;                  /* GRH: half the energy that remains, nat/token */
} forecast;

/* Every layer at `rank`. */
void forecast_at(const evidence_case *c, size_t rank, forecast *out);

typedef enum {
    FORECAST_FITS,
    FORECAST_NO_SPECTRA,   /* no residual of this model and quantizer */
    FORECAST_OTHER_LAYERS, /* the run quantized other layers than the spectra are of */
} forecast_fit;

/* The layers that run number `run` quantized, at the ranks that they ended with; those without an
 * adapter stay uncorrected.  A run that quantized some of the case's layers, all of them with
 * adapters, is predicted from those; adapters on layers that it did not quantize count nowhere.
 * *out is written where it fits. */
forecast_fit forecast_run(const evidence *e, size_t run, forecast *out);

#endif
