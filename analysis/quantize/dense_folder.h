/* A model folder that other programs load: a model's tensors, of which some have other numbers. */
#ifndef RSD_DENSE_FOLDER_H
#define RSD_DENSE_FOLDER_H

#include "io/model.h"

typedef struct {
    const rsd_model *model;
    const char *output;                                /* the folder; made where it is not there */
    bool (*takes)(void *context, const rsd_tensor *t); /* does t get other numbers? */
    /* W, out x in: the numbers of t, the same whenever they are asked for. */
    int (*weight)(void *context, const rsd_tensor *t, rsd_mat W);
    void (*done)(void *context, const rsd_tensor *t); /* t is written; may be NULL */
    void *context;
    bool narrow; /* 16 bits of the model's stay where they hold the new numbers exactly; they are
                    then asked for twice */
} dense_folder;

/* model.safetensors: new numbers as float32, unless narrow, all else as it was; config.json: the
 * model's without what it says of quantization, its number type that of the widest weights; the
 * tokenizer's and other companion files of a folder are copied.  config.json comes last: where it
 * is, the folder is whole.  Memory: the largest matrix.
 * Errors: weight's, RSD_EFORMAT for a configuration that is no JSON object, RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int dense_folder_write(const dense_folder *f);

#endif
