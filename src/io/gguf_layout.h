/* How llama.cpp wants the tensors of a Hugging Face checkpoint: the names and the order of rows
 * that gguf/names.h lists, from the checkpoint's side. */
#ifndef RSD_IO_GGUF_LAYOUT_H
#define RSD_IO_GGUF_LAYOUT_H

#include "err.h"
#include "io/gguf/names.h"
#include "io/gguf_write.h"
#include "mat.h"

#include <stddef.h>

typedef struct {
    char name[RSD_GGUF_NAME_MAX + 1]; /* "blk.3.attn_q.weight"; empty: is not stored, such as
                                         masks and frequencies that old checkpoints hold */
    rsd_gguf_order order;
} rsd_gguf_place;

/* What general.architecture calls a config's model_type: "llama" for llama and mistral, "gptneox".
 * Errors: RSD_ENOTFOUND for one that llama.cpp lacks or this program does not write; the message
 * lists the others. */
RSD_CHECK int rsd_gguf_architecture(const char *model_type, const char **out);

/* Where a tensor goes.  Prefixes such as "model." may be there or not.
 * Errors: RSD_EFORMAT for a tensor that the architecture has no place for; RSD_ENOTFOUND as
 * above. */
RSD_CHECK int rsd_gguf_place_of(const char *model_type, const char *tensor, rsd_gguf_place *out);

/* Bring W's rows from the checkpoint's order into the file's, in place; a bias is a matrix of one
 * column.  d: rows of a head.  Errors: RSD_EFORMAT when W.m is no multiple of d (d even for
 * ROTARY), of 3 d for QKV; RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_order_rows(rsd_gguf_order order, size_t d, rsd_mat W);

/* rope_freqs.weight of a Llama whose frequencies are scaled as Llama 3.1's: what llama.cpp divides
 * the plain frequency theta^(-2i/dims) of pair i by.  out[dims/2].  Wavelengths under
 * original/high_freq keep theirs (1), those over original/low_freq are stretched (factor), what
 * lies between is blended.  Source: llama.cpp, conversion/llama.py, generate_extra_tensors. */
void rsd_gguf_rope_factors(double theta, size_t dims, double factor, double low_freq,
                           double high_freq, double original, float *out);

#endif
