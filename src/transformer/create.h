/* New models: what tensors an architecture has, under which names, and what they hold before the
 * first step of training.
 *
 * Matrices are normal with standard deviation 0.02, those that write into the residual stream (o,
 * down) 1/sqrt(2 L) of that, so that its variance does not grow with depth; norms are 1, biases 0.
 * Source: Radford et al., Language Models are Unsupervised Multitask Learners (2019), section 2.3.
 */
#ifndef RSD_TRANSFORMER_CREATE_H
#define RSD_TRANSFORMER_CREATE_H

#include "io/dtype.h"
#include "transformer/weights.h"

#include <stdint.h>

typedef enum { RSD_FILL_NORMAL, RSD_FILL_RESIDUAL, RSD_FILL_ONE, RSD_FILL_ZERO } rsd_fill;

/* One tensor of a checkpoint, in the order of the forward pass. */
typedef struct {
    char name[128];
    size_t rows, cols; /* out x in; cols 0: a vector of rows */
    bool turned;       /* the file has in x out (GPT-2's Conv1D) */
    rsd_fill fill;
    rsd_real *x; /* where the weights hold it, out x in; NULL without weights */
} rsd_parameter;

typedef struct {
    size_t count;
    rsd_parameter *item;
} rsd_parameters;

/* The tensors of an architecture's model of this shape, named as Hugging Face's transformers names
 * them.  w: weights of that shape, or NULL.  Biases are those that the architecture has by default.
 * Free with rsd_parameters_free.
 * Errors: RSD_ENOTFOUND for an architecture whose names are not known, RSD_ENOMEM. */
RSD_CHECK int rsd_parameters_list(const rsd_arch *arch, const rsd_shape *shape,
                                  const rsd_weights *w, rsd_parameters *out);
void rsd_parameters_free(rsd_parameters *p);
size_t rsd_parameter_elements(const rsd_parameter *p);

/* Write all of them, rounded to nearest, as a model.safetensors: x must be there.
 * dtype: RSD_F32, RSD_F16 or RSD_BF16 (asserted).
 * Errors: RSD_EDOM for a number beyond dtype's range, RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int rsd_parameters_write(const rsd_parameters *p, rsd_dtype dtype, const char *path);

/* The architecture and shape that a config.json (its text) describes: rsd_arch_configure by its
 * model_type.  Errors: RSD_EFORMAT without one, those of rsd_arch_configure. */
RSD_CHECK int rsd_create_shape(const char *config, const rsd_arch **arch, rsd_shape *shape);

/* Write an initial model.safetensors, float32, for a config.json (its text).  What a tensor holds
 * depends on seed and its name alone.  Errors: those of the above. */
RSD_CHECK int rsd_create(const char *config, uint64_t seed, const char *path);

#endif
