/* Private to src/quantizers/ggml.  What the quantizers that follow ggml share: rows of blocks
 * (ggml/block_layout.h), in one section "blocks".  A row that does not fill its last block is
 * padded with zeros.
 *
 * Where a row is whole blocks, and no weight is at the ends of float32, the bytes are those of
 * ggml's quantize function.  Beyond: a scale over fp16's 65504 is stored as 65504 (ggml: Inf), one
 * whose inverse overflows as 0 (ggml: undefined), and weights of the types that search for a scale
 * are taken as +-2^32 where they are larger, which no fp16 scale reaches.
 *
 * Importance weights, diag H or a llama.cpp imatrix, are a calibration's `square`.  An input that
 * it never saw weighs what a typical one of its block does (importance.h); with zeros=ggml nothing,
 * and blocks of such inputs become 0, as in ggml. */
#ifndef RSD_QUANTIZERS_GGML_H
#define RSD_QUANTIZERS_GGML_H

#include "ggml/type.h"
#include "quantizers/quantizer.h"

#include <stdbool.h>

/* What these quantizers' .data is.  One of the two encoders is there: of one block, or of a row of
 * x[n] in whole blocks.  weight: as x, or NULL. */
typedef struct {
    const char *type; /* rsd_ggml_type's name */
    float limit;      /* |x| is clamped to it first */
    void (*encode_block)(const float *x, const float *weight, void *block);
    void (*encode)(const rsd_spec *spec, const float *x, const float *weight, size_t n,
                   void *blocks);
    size_t sub;      /* weights of a row that share a scale; 0: a block's */
    bool affine;     /* and a minimum */
    const void *how; /* what types that share an encode differ in */
} rsd_ggml_format;

/* Parameters of the types that take importance weights. */
typedef struct {
    int weights, zeros;
} rsd_ggml_params;
extern const rsd_ggml_params rsd_ggml_defaults;

/* Their rows of an option table, at the offset of an rsd_ggml_params; and that table alone. */
/* clang-format off */
#define RSD_GGML_OPTIONS(at)                                                                       \
    { "weights", 0, RSD_OPT_CHOICE, (at) + offsetof(rsd_ggml_params, weights), 0, 0, "auto|none",  \
      "importance of inputs, from a calibration where there is one" },                             \
    { "zeros", 0, RSD_OPT_CHOICE, (at) + offsetof(rsd_ggml_params, zeros), 0, 0, "neutral|ggml",   \
      "inputs that it never saw weigh as their neighbours do, or nothing, as in ggml" }
/* clang-format on */
extern const rsd_opt rsd_ggml_options[];

/* Their blocks, or the sub-blocks of these. */
rsd_scale_runs rsd_ggml_scales(const rsd_spec *spec);

/* Errors: RSD_EDOM for an importance that is negative or not finite, RSD_ENOMEM. */
RSD_CHECK int rsd_ggml_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c,
                            rsd_packed *out);
RSD_CHECK int rsd_ggml_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq);

/* Scales to fp16, ties to even, at most 65504; d[count] becomes what was stored. */
void rsd_ggml_halves(float *d, size_t count, uint16_t *half);
void rsd_ggml_half(float *d, uint8_t *at); /* one, to its place */

/* 1/d, 0 where that overflows: codes of a scale that is stored as 0 do not matter. */
static inline float rsd_ggml_inverse(float d)
{
    const float inverse = 1 / d;
    return inverse - inverse == 0 ? inverse : 0;
}

/* sum of x^2, in float32, one after the other as the reference adds. */
float rsd_ggml_sumsq(const float *x, size_t n);

#endif
