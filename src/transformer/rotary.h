/* Rotary position embedding, half-split: channels i and i + dims/2 of a head turn together by the
 * angle position * f_i, f_i = theta^(-2i/dims); channels from dims on stay as they are (NeoX's
 * rotary_pct, GPT-J's rotary_dim).
 *
 * Frequencies and angles are rounded to float32 as the implementation does with which checkpoints
 * were trained; their cosines are then exact to float32.
 * Sources: Su et al., arXiv:2104.09864, eq. 34; half-split order and llama3 scaling:
 * transformers, modeling_rope_utils.py. */
#ifndef RSD_TRANSFORMER_ROTARY_H
#define RSD_TRANSFORMER_ROTARY_H

#include "err.h"
#include "transformer/real.h"

typedef enum { RSD_ROPE_PLAIN, RSD_ROPE_LINEAR, RSD_ROPE_LLAMA3 } rsd_rope_scaling;

typedef struct {
    size_t dims;    /* even, 0 <= dims <= D */
    size_t context; /* positions 0 .. context-1 are tabulated */
    double theta;   /* > 1; 10000 where the model does not say */
    rsd_rope_scaling scaling;
    double factor; /* LINEAR, LLAMA3: > 0; what frequencies are divided by */
    /* LLAMA3: wavelengths under original/high_freq stay, those over original/low_freq are
     * stretched by factor, what lies between is blended.  0 < low_freq < high_freq. */
    double low_freq, high_freq, original;
} rsd_rotary_spec;

typedef struct rsd_rotary rsd_rotary;

/* Errors: RSD_EARG when the spec is out of range, RSD_ENOMEM. */
RSD_CHECK int rsd_rotary_alloc(const rsd_rotary_spec *spec, rsd_rotary **out);
void rsd_rotary_free(rsd_rotary *r);

/* Turn H heads of B*T rows in place; row b*T + t is at position start + t.
 * backward: the inverse turn, which takes gradients back (the turn is orthogonal).
 * start + T <= context (asserted). */
void rsd_rotary_forward(const rsd_rotary *r, rsd_heads x, size_t B, size_t T, size_t H,
                        size_t start);
void rsd_rotary_backward(const rsd_rotary *r, rsd_heads dx, size_t B, size_t T, size_t H,
                         size_t start);

#endif
