/* What each of several quantizers makes of a matrix: how many bytes, at what loss. */
#ifndef RSD_QUANTIZE_TRIAL_H
#define RSD_QUANTIZE_TRIAL_H

#include "quantizers/quantizer.h"
#include "result/calibration_file.h"
#include "spectra/allocate.h"

typedef struct {
    const rsd_tensor *tensor;
    const rsd_spec *spec; /* [specs] */
    size_t specs;
    rsd_option *option; /* [specs], the caller's: bytes, loss */
    int err;            /* trials_run's own */
    char message[512];
} trial;

typedef struct {
    const rsd_model *model;
    const calibration *calibration; /* for quantizers that take it; NULL: none */
    bool predict; /* loss: half of tr(G R H R'), nats per token; false: half of ||R||^2 */
} trial_job;

/* Fill every option, matrices side by side; takes as long as quantizing them once with each.
 * Errors: RSD_EUSAGE with predict for a matrix without H and G; the model's, the quantizers', each
 * with the matrix' name; RSD_ESTOPPED after a signal; RSD_ENOMEM. */
RSD_CHECK int trials_run(const trial_job *job, trial *item, size_t count);

#endif
