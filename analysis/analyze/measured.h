/* What measure.c (numbers), measure_wq.c (where W_q comes from) and measure_write.c (the file)
 * share. */
#ifndef RSD_MEASURE_PRIVATE_H
#define RSD_MEASURE_PRIVATE_H

#include "analyze/measure.h"
#include "analyze/measure_null.h"
#include "result/calibration_file.h"

/* A spectrum and what is said of it. */
typedef struct {
    rsd_spectrum spectrum;
    result_record record;
} measured;

typedef struct {
    measured wq, r;
    measured seen[RSD_WEIGHTINGS]; /* R in each weighting but none, which is r */
    null_curves null[RSD_NULLS];
    int code; /* why this W_q failed; only a checkpoint's fails alone */
    char message[512];
} quantized;

typedef struct {
    const measure_item *item;
    char *matrix_path;
    rsd_mat W, R; /* R holds W_q first */
    rsd_mat seen; /* R in one of the weightings */
    moment_roots roots;
    layer_calibration calibration; /* the same calibration, for quantizers that take one */
    measured w;
    quantized *q;       /* [item->sources] */
    char message[1024]; /* why the matrix failed */
} work;

/* W_q of a source into w->R, and how far it is from W.  Errors: RSD_ENOTFOUND (the checkpoint has
 * no such tensor), RSD_EARG (it is of another shape), those of rsd_quantize and rsd_model_read. */
RSD_CHECK int measure_wq(work *w, const measure_source *source, rsd_quant_stats *stats);

/* For journal_put, of a work: what was measured, or that the matrix failed. */
int measure_fill(rsd_store *store, void *work);
int measure_fill_failed(rsd_store *store, void *work);

#endif
