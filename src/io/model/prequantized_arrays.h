/* Private to src/io/model: what prequantized.c (which arrays belong together) and the layouts
 * share. */
#ifndef RSD_IO_PREQUANTIZED_PRIVATE_H
#define RSD_IO_PREQUANTIZED_PRIVATE_H

#include "io/model/prequantized.h"

/* The arrays of one layer; what is not there is NULL. */
typedef struct {
    const char *module;                           /* name without .weight */
    rsd_entry *qweight, *qzeros, *scales, *g_idx; /* GPTQ, AWQ */
    rsd_entry *weight, *absmax, *quant_map, *nested_absmax, *nested_map, *state; /* bitsandbytes */
    rsd_entry *scb;                                                              /* its 8 bits */
} rsd_quantized_arrays;

/* What quantization_config says that the arrays do not. */
typedef struct {
    size_t bits, group;  /* 0: not said */
    bool mixed;          /* layers may differ from that */
    bool zeros_plus_one; /* GPTQ's first version */
} rsd_quantized_config;

/* Fill *out: the tensor's shape (rows, cols), `stored`, and a packing.
 * Errors: RSD_EFORMAT beginning with the layer's name; RSD_ENOMEM. */
RSD_CHECK int rsd_layout_words(const rsd_quantized_arrays *a, const rsd_quantized_config *c,
                               rsd_entry *out); /* GPTQ and AWQ */
RSD_CHECK int rsd_layout_bnb4(const rsd_quantized_arrays *a, const rsd_map *file, rsd_entry *out);
RSD_CHECK int rsd_layout_bnb8(const rsd_quantized_arrays *a, rsd_entry *out);

#endif
