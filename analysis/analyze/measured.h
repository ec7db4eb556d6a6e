/* What measure.c (numbers), measure_wq.c (where W_q comes from) and measure_write.c (the file)
 * share. */
#ifndef RSD_MEASURE_PRIVATE_H
#define RSD_MEASURE_PRIVATE_H

#include "analyze/measure.h"
#include "analyze/measure_a_priori.h"
#include "analyze/measure_moments.h"
#include "analyze/measure_null.h"
#include "result/result.h"

/* A spectrum and what is said of it. */
typedef struct {
    rsd_spectrum spectrum;
    result_record record;
} measured;

typedef struct {
    measured wq, r;
    measured seen[RSD_WEIGHTINGS]; /* R in each weighting but none, which is r */
    null_curves null[RSD_NULLS][RSD_WEIGHTINGS];
    a_priori_curve a_priori; /* what was to be expected; without share: nothing */
    int code;                /* why this W_q failed */
    char message[512];
} quantized;

typedef struct {
    const measure_item *item;
    char *matrix_path;
    rsd_mat W;
    rsd_mat Wq, R; /* one buffer: W_q, until R = W - W_q takes its place */
    rsd_mat seen;  /* R in one of the weightings */
    moment_roots roots;
    layer_calibration calibration;
    a_priori_layer layer;
    measured w;
    quantized *q;       /* [item->origins] */
    char message[1024]; /* why the matrix failed */
} work;

/* W_q of an origin into w->Wq, and how far it is from W.  Errors: RSD_ENOTFOUND (the checkpoint has
 * no such tensor), RSD_EARG (it is of another shape), those of rsd_quantize and rsd_model_read. */
RSD_CHECK int measure_wq(work *w, const wq_origin *origin, rsd_quant_stats *stats);

/* Not a failure of ours: somebody may well have left a matrix as it was, or out of a checkpoint;
 * and what a control cannot have is no matter. */
bool measure_is_absence(const work *w, size_t origin);

/* For parts_put, of a work: what was measured, or that the matrix failed. */
int measure_fill(rsd_store *store, void *work);
int measure_fill_failed(rsd_store *store, void *work);

#endif
