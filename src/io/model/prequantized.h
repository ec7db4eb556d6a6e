/* Private to src/io/model.  Hugging Face checkpoints whose linear layers are stored quantized, or
 * in fewer bits with a scale beside them.  The arrays of one layer stand side by side; together
 * they are one matrix out x in.
 *
 * GPTQ (AutoGPTQ, GPTQModel), b = 2, 3, 4 or 8 bits:
 *   qweight I32 [in*b/32, out]     codes of an output as a stream of b-bit numbers along the inputs
 *   qzeros  I32 [groups, out*b/32] zeros as such a stream along the outputs; version 1 of the
 *                                  format stores them minus 1, modulo 2^b, version 2 as they are.
 *                                  A layer whose zeros are all 2^(b-1), or all 2^(b-1) - 1, is
 *                                  symmetric and tells by that; else the configuration does
 *                                  (checkpoint_format), and version 1 is taken where it is silent.
 *   scales  real [groups, out];  g_idx I32 [in], the group of each input; without it, or where it
 *   holds nothing but zeros, groups follow one another.
 *   W[o][i] = scales[g][o] * (code - zero[g][o]).
 * AWQ (the GEMM layout of AutoAWQ), 4 bits:
 *   qweight I32 [in, out/8], qzeros I32 [groups, out/8]: nibble k of word c belongs to output
 *   8c + {0,2,4,6,1,3,5,7}[k];  scales real [groups, out].
 * bitsandbytes, 4 bits: NAME.weight holds two codes a byte, the first in the high nibble, of the
 *   flat matrix; .absmax F32 per block, or U8 with .nested_absmax and .nested_quant_map F32;
 *   .quant_map F32 [16]; .quant_state.bitsandbytes__{nf4,fp4}: JSON with shape and block sizes.
 * bitsandbytes, 8 bits: NAME.weight I8 [out, in], .SCB F32 [out];  W = code * SCB / 127.
 *
 * Numbers with a scale (DeepSeek, compressed-tensors, fbgemm, ModelOpt, ComfyUI, Mistral):
 *   NAME.weight F8_E4M3, F8_E5M2, I8, I16, I32, or U8 with zero points; beside it one of
 *   weight_scale, weight_scale_inv, scale_weight, qscale_weight, scales, scale, qscale: one number,
 *   one per row, or one per block of rows and columns (quantization_config says of which size,
 *   128 x 128 where it is silent and the shapes allow it); weight_zero_point of the same shape.
 *   W = (number - zero) * scale, also where the name ends in _inv.  Scales of activations are not
 *   weights and are left aside.
 * FP4 (ModelOpt's and compressed-tensors' NVFP4, MXFP4): U8 [out, in/2], the first code in the low
 *   nibble; weight_scale F8_E4M3 [out, in/16], times weight_scale_2 or through weight_global_scale;
 *   or F8_E8M0 (or U8) [out, in/32] alone.
 * compressed-tensors' packed integers: weight_packed I32 [out, in*b/32], codes from the low bits
 * on, each plus 2^(b-1); weight_shape, weight_scale [out, groups], weight_zero_point, weight_g_idx.
 *
 * What is none of these is refused by its name where it has one, and a weight of a linear layer
 * whose scale is missing is listed but not read.
 *
 * Products are float32, whatever type the kernels of those libraries compute in. */
#ifndef RSD_IO_PREQUANTIZED_H
#define RSD_IO_PREQUANTIZED_H

#include "err.h"
#include "io/model/sources.h"

/* Replace the arrays of every quantized layer among the model's entries by the matrix that they
 * are.  description: text of a file beside config.json that says how the weights were quantized
 * (quantize_config.json, quant_config.json, hf_quant_config.json), or NULL; config.json wins.
 * Errors: RSD_EFORMAT, naming layer and numbers: a method, format or number of bits that is not
 * read, arrays that are missing or whose shapes disagree; RSD_ENOMEM. */
RSD_CHECK int rsd_prequantized_fold(rsd_model *model, const char *description);

#endif
