/* Writing a quantized model: dequantized numbers beside packed bytes. */
#ifndef RSD_QUANTIZE_FOLDER_H
#define RSD_QUANTIZE_FOLDER_H

#include "cli/select.h"
#include "io/model.h"
#include "quantizers/quantizer.h"
#include "result/calibration_file.h"

typedef struct {
    const select_options *select;
    const select_specs *specs;
    const calibration *calibration; /* for quantizers that take it */
    const char *output;
    /* Called for each matrix when it is done; norm is ||W||_F. */
    int (*report)(void *context, const rsd_tensor *t, const rsd_spec *spec,
                  const rsd_quant_stats *stats, double norm);
    void *context;
} quantize_job;

/* The spec that a job has for a tensor, or NULL when it stays as it is. */
const rsd_spec *quantize_spec_of(const quantize_job *job, const rsd_model *model,
                                 const rsd_tensor *t);

/* OUTPUT.npy (dequantized, float32) and OUTPUT.packed.safetensors, of a model with one matrix. */
RSD_CHECK int quantize_to_npy(const quantize_job *job, const rsd_model *model);

/* A model folder.  Memory is bounded by the largest matrix: matrices are packed twice, once to
 * learn the sizes that the header of packed.safetensors begins with, once to write. */
RSD_CHECK int quantize_to_folder(const quantize_job *job, const rsd_model *model);

#endif
