/* Private to src/io/model: what prequantized.c (which arrays belong together) and the layouts
 * share. */
#ifndef RSD_IO_PREQUANTIZED_ARRAYS_H
#define RSD_IO_PREQUANTIZED_ARRAYS_H

#include "io/model/prequantized.h"

/* The model's entries by name, and which of them were used. */
typedef struct {
    const rsd_model *model;
    rsd_entry **sorted; /* [model->count] */
    bool *used;         /* [model->count], by the entry's number */
} rsd_arrays;

/* The layer whose arrays are being put together. */
typedef struct {
    const char *module; /* its name, without .weight */
    const rsd_arrays *all;
    size_t bytes;           /* of the arrays taken */
    const rsd_entry *codes; /* those in whose place the matrix is listed */
} rsd_layer;

/* The array module.name, marked as used and its bytes counted; NULL where there is none. */
rsd_entry *rsd_layer_take(rsd_layer *l, const char *name);
/* RSD_EFORMAT: "module: what without with". */
int rsd_layer_lacks(const rsd_layer *l, const char *what, const char *with);

/* What the configuration says that the arrays do not. */
typedef struct {
    size_t bits, group;   /* 0: not said */
    size_t block[2];      /* rows, columns that share a scale; 0: not said */
    bool mixed;           /* layers may differ from that */
    bool zeros_as_are;    /* GPTQ's second version */
    bool scaled;          /* its float8 weights have scales */
    const char *mlx_bits; /* MLX' own key is there: the bits as text */
} rsd_quantized_config;

/* Errors: RSD_EFORMAT for what is not read, by name. */
RSD_CHECK int rsd_quantized_config_parse(const char *config, const char *description,
                                         rsd_quantized_config *out);

/* Fill *out: the tensor's shape (rows, cols), `stored`, a packing, out_by_in where the layout says
 * it, and l->codes.
 * Errors: RSD_EFORMAT beginning with the layer's name; RSD_ENOMEM. */
typedef int rsd_layout(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out);
RSD_CHECK rsd_layout rsd_layout_words; /* GPTQ and AWQ */
RSD_CHECK rsd_layout rsd_layout_bnb4;  /* bitsandbytes */
RSD_CHECK rsd_layout rsd_layout_bnb8;
RSD_CHECK rsd_layout rsd_layout_compressed; /* weight_packed: integers, or FP4 */
RSD_CHECK rsd_layout rsd_layout_scaled;     /* a weight that rsd_scale_beside found a scale of */

/* ---- what stands beside a weight ---- */

/* Is a scale stored beside this 2-D weight of float8 or integers?  module: its name without
 * .weight.  Errors: RSD_EFORMAT where what is beside it is not understood. */
RSD_CHECK int rsd_scale_beside(const rsd_arrays *all, const rsd_entry *weight, const char *module,
                               bool *found);
/* A weight whose name does not end in .weight: where an array of its name and "scale" is beside it,
 * it is listed, and reading it says so.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_scale_beside_bare(const rsd_arrays *all, rsd_entry *weight);

typedef enum { RSD_BESIDE_SCALE, RSD_BESIDE_ZERO, RSD_BESIDE_FACTOR } rsd_beside;
/* The layer's array of that kind, under whichever of its names, or NULL.  RSD_EFORMAT: two. */
RSD_CHECK int rsd_layer_take_beside(rsd_layer *l, rsd_beside what, const rsd_entry **out);
/* Marks as used what is for activations only.  Errors: none in what rsd_scale_beside accepted. */
RSD_CHECK int rsd_layer_set_aside(const rsd_layer *l, const rsd_entry *codes);

/* RSD_EFORMAT naming the method, where an array that nobody took is one of a known method's. */
RSD_CHECK int rsd_foreign_check(const rsd_arrays *all, const rsd_quantized_config *c);

#endif
