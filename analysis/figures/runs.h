/* Runs of recover as figures see them: by model and quantizer, a line for each way to start. */
#ifndef RSD_FIGURES_RUNS_H
#define RSD_FIGURES_RUNS_H

#include "figures/axis.h"
#include "figures/figure.h"
#include "result/recovery_table.h"

typedef struct {
    const char *spec; /* canonical; "" for --map */
    char *label;
} runs_spec;

/* A start, with its variant and what its factors are stored by where runs have several: a line of
 * the figure. */
typedef struct {
    const char *init, *variant, *factors;
    char *label;
} runs_series;

/* The runs of one model, those that went well. */
typedef struct {
    const view *v;
    const char *model;
    recovery_row *row; /* of the whole file */
    size_t rows;
    size_t specs, series, ranks;
    runs_spec *spec;
    runs_series *line;
    int64_t *rank; /* increasing */
} runs;

/* Call `draw` with the runs of each selected model that has any; nothing to draw is no error.
 * Errors: the store's, draw's, RSD_ENOMEM. */
RSD_CHECK int runs_each_model(const view *v, int (*draw)(const runs *r, const page_sink *sink),
                              const page_sink *sink);

/* The next run of this kind (NULL: any) after row *at, which starts at SIZE_MAX; NULL: no more. */
const recovery_row *runs_next(const runs *r, const runs_spec *spec, const runs_series *line,
                              int64_t rank, size_t *at);

/* The original model's runs with adapters: controls of this rank and variant. */
const recovery_row *runs_control(const runs *r, int64_t rank, const char *variant);

/* The next base of the same bytes that was made for one of these quantizers, by growing bits: after
 * `last` (NULL: the first); NULL: no more. */
const recovery_row *runs_same_bytes(const runs *r, const recovery_row *last);

/* Loss of the original, and of the model under the quantizer: NaN where no run says. */
double runs_original(const runs *r);
double runs_quantized(const runs *r, const runs_spec *spec);

/* Mean over seeds of the evaluations of runs of this kind: *step and *loss of *n; freed by the
 * caller.  *n is 0 where there is none. */
RSD_CHECK int runs_curve(const runs *r, const runs_spec *spec, const runs_series *line,
                         int64_t rank, double **step, double **loss, size_t *n);

/* The axes' series and legend: "series" and series_1, ... of the page. */
void runs_put_series(const runs *r, page *p);

/* Names of a table's columns: first, then one per series; NULL when memory is out.  Free the array
 * alone. */
const char **runs_columns(const runs *r, const char *first);

#endif
