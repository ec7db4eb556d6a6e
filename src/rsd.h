/* The library: every public header, in the order the data flow through them.
 *
 * A program that computes spectra calls gsl_set_error_handler_off() before anything else: GSL ends
 * the process at an error otherwise, and the library reports it.
 *
 * A program that handles signals blocks them in the threads that call the library, before the first
 * call, so that threads which the library starts inherit that.  A thread in a product compiled by
 * oneDNN may have its stack pointer on the heap, where a handler's frame overwrites numbers. */
#ifndef RSD_H
#define RSD_H

/* The base: errors, memory, matrices, numbers, options, threads. */
#include "alloc.h"
#include "boot.h"
#include "err.h"
#include "fp.h"
#include "mat.h"
#include "near.h"
#include "opt.h"
#include "par.h"
#include "rng.h"
#include "spec.h"
#include "utf8.h"

/* A model becomes named matrices W. */
#include "ggml/type.h"
#include "io/config.h"
#include "io/dtype.h"
#include "io/file.h"
#include "io/gguf.h"
#include "io/imatrix.h"
#include "io/intern.h"
#include "io/model.h"
#include "io/npy.h"
#include "io/read.h"
#include "io/safetensors.h"

/* W becomes W_q, and R = W - W_q. */
#include "quantizers/calibration.h"
#include "quantizers/expected_error.h"
#include "quantizers/importance.h"
#include "quantizers/label.h"
#include "quantizers/packed.h"
#include "quantizers/quantizer.h"

/* Their singular values. */
#include "linalg/apply.h"
#include "linalg/eigen.h"
#include "linalg/lowrank.h"
#include "linalg/product.h"
#include "linalg/roots.h"
#include "linalg/rounding.h"
#include "linalg/spectrum.h"
#include "linalg/subspace.h"
#include "linalg/triangular.h"

/* What a spectrum says. */
#include "spectra/a_priori.h"
#include "spectra/allocate.h"
#include "spectra/association.h"
#include "spectra/claims.h"
#include "spectra/contest.h"
#include "spectra/curves.h"
#include "spectra/dependent.h"
#include "spectra/forecast.h"
#include "spectra/leak.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/metrics.h"
#include "spectra/nulls.h"
#include "spectra/paired.h"
#include "spectra/powerlaw.h"
#include "spectra/separable.h"
#include "spectra/serial.h"
#include "spectra/variance_profile.h"
#include "spectra/verdict.h"
#include "spectra/weighting.h"

/* Results, in HDF5. */
#include "io/store.h"

/* Text becomes tokens; model and tokens become losses, gradients and moments. */
#include "io/bpe_train.h"
#include "io/tokenizer.h"
#include "io/tokens.h"
#include "transformer/activation.h"
#include "transformer/arch.h"
#include "transformer/attention.h"
#include "transformer/block.h"
#include "transformer/calibrate.h"
#include "transformer/create.h"
#include "transformer/embedding.h"
#include "transformer/evaluate.h"
#include "transformer/gradients.h"
#include "transformer/half.h"
#include "transformer/linear.h"
#include "transformer/loss.h"
#include "transformer/matmul.h"
#include "transformer/moments.h"
#include "transformer/norm.h"
#include "transformer/real.h"
#include "transformer/rotary.h"
#include "transformer/transformer.h"
#include "transformer/weights.h"

/* Adapters make up for what quantizing lost, and train. */
#include "adapters/adalora.h"
#include "adapters/adapted.h"
#include "adapters/adapter.h"
#include "adapters/base.h"
#include "adapters/displacement.h"
#include "adapters/init.h"
#include "adapters/metric.h"
#include "adapters/peft_folder.h"
#include "adapters/sequence.h"
#include "adapters/stored.h"
#include "io/peft.h"
#include "train/adamw.h"
#include "train/checkpoint.h"
#include "train/held_out.h"
#include "train/pretrain.h"
#include "train/rates.h"
#include "train/recover.h"
#include "train/recovered.h"
#include "train/schedule.h"
#include "train/windows.h"

/* A quantized model as GGUF. */
#include "io/gguf/names.h"
#include "io/gguf_layout.h"
#include "io/gguf_vocabulary.h"
#include "io/gguf_write.h"
#include "io/model/roles.h"

#endif
