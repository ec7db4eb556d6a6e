/* Private to src/io/model.  Hugging Face checkpoints whose linear layers are stored quantized:
 * GPTQ, AWQ, bitsandbytes.
 *
 * The arrays of one layer stand side by side in the file; together they are one matrix out x in.
 *
 * GPTQ (AutoGPTQ, GPTQModel), b = 2, 3, 4 or 8 bits:
 *   qweight I32 [in*b/32, out]     codes of an output as a stream of b-bit numbers along the inputs
 *   qzeros  I32 [groups, out*b/32] zeros as such a stream along the outputs; version 1 of the
 *                                  format, which is taken unless the configuration says gptq_v2,
 *                                  stores them minus 1, modulo 2^b
 *   scales  real [groups, out];  g_idx I32 [in], the group of each input; without it groups follow
 *   one another.  W[o][i] = scales[g][o] * (code - zero[g][o]).
 * AWQ (the GEMM layout of AutoAWQ), 4 bits:
 *   qweight I32 [in, out/8], qzeros I32 [groups, out/8]: nibble k of word c belongs to output
 *   8c + {0,2,4,6,1,3,5,7}[k];  scales real [groups, out].
 * bitsandbytes, 4 bits: NAME.weight holds two codes a byte, the first in the high nibble, of the
 *   flat matrix; .absmax F32 per block, or U8 with .nested_absmax and .nested_quant_map F32;
 *   .quant_map F32 [16]; .quant_state.bitsandbytes__{nf4,fp4}: JSON with shape and block sizes.
 * bitsandbytes, 8 bits: NAME.weight I8 [out, in], .SCB F32 [out];  W = code * SCB / 127.
 *
 * Products are float32, whatever type the kernels of those libraries compute in. */
#ifndef RSD_IO_PREQUANTIZED_H
#define RSD_IO_PREQUANTIZED_H

#include "err.h"
#include "io/model/sources.h"

/* Replace the arrays of every quantized layer among the model's entries by the matrix that they
 * are. Errors: RSD_EFORMAT, naming layer and numbers: a method, format or number of bits that is
 * not read, arrays that are missing or whose shapes disagree; RSD_ENOMEM. */
RSD_CHECK int rsd_prequantized_fold(rsd_model *model);

#endif
