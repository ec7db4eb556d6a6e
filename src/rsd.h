/* The library, in the order the data flow through it. */
#ifndef RSD_H
#define RSD_H

#include "err.h"
#include "fp.h"
#include "mat.h"
#include "near.h"
#include "opt.h"
#include "par.h"
#include "rng.h"
#include "spec.h"

#include "ggml/type.h"
#include "io/imatrix.h"
#include "io/model.h"
#include "quantizers/quantizer.h"

#include "linalg/lowrank.h"
#include "linalg/product.h"
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "linalg/subspace.h"

#include "spectra/curves.h"
#include "spectra/leak.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/metrics.h"
#include "spectra/nulls.h"
#include "spectra/powerlaw.h"

#include "io/store.h"

#include "io/tokens.h"
#include "transformer/calibrate.h"
#include "transformer/create.h"
#include "transformer/evaluate.h"
#include "transformer/transformer.h"

#include "adapters/adapted.h"
#include "adapters/adapter.h"
#include "adapters/init.h"
#include "adapters/peft_folder.h"

#include "train/pretrain.h"
#include "train/recover.h"
#include "train/recovered.h"

#include "spectra/allocate.h"
#include "spectra/association.h"
#include "spectra/verdict.h"

#endif
