/* Private to src/io/model.  What a model folder in Hugging Face layout holds: its config and the
 * files of its weights. */
#ifndef RSD_IO_HF_FOLDER_H
#define RSD_IO_HF_FOLDER_H

#include "err.h"
#include "io/safetensors.h"

typedef struct {
    char *config;       /* text of config.json, a JSON object; NULL where there is none */
    char *architecture; /* its model_type; NULL where there is none */
    char *quantization; /* text of quantize_config.json, quant_config.json or hf_quant_config.json;
                           NULL where there is none */
    size_t count;
    char **file;        /* names of the safetensors files inside the folder, sorted by byte value */
    rsd_st_index index; /* of a sharded model: which tensor lies in which of them; else empty */
} rsd_hf_folder;

/* Weights are looked for as model.safetensors, then model.safetensors.index.json and the shards it
 * names, then a single *.safetensors.  Reads config.json and the index, but no weights; that the
 * files named exist is seen when they are opened.
 * Errors: RSD_EIO, RSD_ENOTFOUND (no weights; the message lists what there is), RSD_EFORMAT
 * (malformed JSON, with its line; a shard outside the folder; nothing but pickles). */
RSD_CHECK int rsd_hf_folder_open(const char *path, rsd_hf_folder *out);
void rsd_hf_folder_free(rsd_hf_folder *folder);

/* Is it named like a Python pickle (.bin .pt .pth .ckpt .pkl)? */
bool rsd_is_pickle_name(const char *path);

/* Do its first bytes look like one, or like PyTorch's zip around one? */
bool rsd_is_pickle_data(const uint8_t *data, size_t size);

/* RSD_EFORMAT, with the command that converts path to safetensors. */
int rsd_fail_pickle(const char *path);

#endif
