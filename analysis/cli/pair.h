/* Tensors of two checkpoints of one model that are the same weights. */
#ifndef RSD_PAIR_H
#define RSD_PAIR_H

#include "io/model.h"

/* The tensor of `other` that is called like `name`: the same name, or one of the two is the other
 * behind a prefix that ends in a dot ("h.0.mlp.c_fc.weight", "transformer.h.0.mlp.c_fc.weight").
 * NULL where there is none, or where prefixes leave a choice. */
const rsd_tensor *pair_find(const rsd_model *other, const char *name);

#endif
