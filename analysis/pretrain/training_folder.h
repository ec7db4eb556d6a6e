/* The folder that a training leaves, a model folder at any time:
 *
 *   config.json, model.safetensors   the model as of the last checkpoint (tokenizer.json beside
 *                                    CONFIG is copied, too)
 *   training.safetensors             from which the same command goes on
 *   initial/                         the model before the first step
 *   best/                            the model of the least evaluation loss */
#ifndef RSD_PRETRAIN_FOLDER_H
#define RSD_PRETRAIN_FOLDER_H

#include "train/checkpoint.h"

typedef struct {
    const char *path;
    const char *config; /* text of config.json */
    rsd_dtype dtype;    /* of every model.safetensors but the initial one */
} pretrain_folder;

/* The text of CONFIG, a config.json or the folder that it lies in; caller frees. */
RSD_CHECK int pretrain_config(const char *source, char **text);
/* tokenizer.json beside CONFIG, or NULL; caller frees. */
char *pretrain_tokenizer(const char *source);

/* Make the folder and the model of step 0, unless they are there; force: anew.
 * Errors: RSD_EUSAGE, and nothing is touched, where the folder holds another configuration's
 * training or a model that was not trained there. */
RSD_CHECK int pretrain_folder_start(const pretrain_folder *f, const char *source, uint64_t seed,
                                    bool force, rsd_model **initial);
/* Go on from training.safetensors where there is one.  Errors: RSD_EUSAGE when it is another's. */
RSD_CHECK int pretrain_folder_resume(const pretrain_folder *f, rsd_pretrain *p,
                                     rsd_progress *progress);
RSD_CHECK int pretrain_folder_checkpoint(const pretrain_folder *f, const rsd_pretrain *p,
                                         const rsd_progress *progress);
RSD_CHECK int pretrain_folder_best(const pretrain_folder *f, const rsd_pretrain *p);

#endif
