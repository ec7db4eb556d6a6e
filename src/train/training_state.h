/* Private to src/train.  What the states of trainings (checkpoint.h, recover.h) share: tensors of
 * known size in a safetensors file, and the identity of the training that wrote it. */
#ifndef RSD_TRAIN_TRAINING_STATE_H
#define RSD_TRAIN_TRAINING_STATE_H

#include "io/file.h"
#include "io/safetensors.h"

/* "F32", or "F64" in the double build: how numbers of the training are declared. */
extern const char *const rsd_state_real;

typedef struct {
    rsd_map map;
    rsd_safetensors st;
} rsd_state_file;

/* Free with rsd_state_close, also after an error.
 * Errors: RSD_EIO; RSD_EFORMAT when it is no safetensors file or has no identity; RSD_EARG when the
 * identity, 64 hexadecimal digits, is not this one. */
RSD_CHECK int rsd_state_open(const char *path, const char *identity, rsd_state_file *out);
void rsd_state_close(rsd_state_file *f);

/* The bytes of a tensor; they belong to f.  Errors: RSD_EFORMAT when it is missing, of another type
 * or has not that many. */
RSD_CHECK int rsd_state_find(const rsd_state_file *f, const char *name, const char *type,
                             size_t bytes, const uint8_t **out);

#endif
