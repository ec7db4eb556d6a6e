/* What --predict computes (predict.c) and says (predict_report.c). */
#ifndef RSD_ANALYZE_PREDICT_H
#define RSD_ANALYZE_PREDICT_H

#include "analyze/analysis.h"
#include "analyze/measure_a_priori.h"
#include "result/prediction_table.h"

/* One matrix: a curve for each of its specs, without share where the spec cannot be foreseen. */
typedef struct {
    const task *task;
    size_t specs;
    const rsd_spec *spec;
    a_priori_curve *curve; /* [specs] */
    int code;
} prediction_layer;

typedef struct {
    analysis *r;
    size_t layers;
    prediction_layer *layer;
    prediction_rows rows;
} prediction;

/* The rows of /prediction, of all layers and of each.  Errors: RSD_ENOMEM. */
RSD_CHECK int prediction_make_rows(prediction *p);

/* On standard output: a line for every model and quantizer. */
void prediction_print(const prediction *p);

#endif
