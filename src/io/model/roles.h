/* What a tensor is for, told by its name and its architecture's naming. */
#ifndef RSD_IO_ROLES_H
#define RSD_IO_ROLES_H

#include <stdbool.h>

typedef struct {
    const char *role; /* q k v qkv o gate up down (linear layers of a block), embedding position
                         head norm bias other */
    int layer;        /* block number from 0, -1 outside the blocks */
    bool linear;      /* weight of a linear layer of a block: analyzed by default */
    bool embedding;   /* token or position table, or the head: analyzed with --embeddings */
    bool conv1d;      /* a name of GPT-2's Conv1D layers: which way it lies is to be judged */
    bool transposed;  /* stored in x out, as far as its family tells (model_type) */
} rsd_role;

/* architecture: model_type of config.json ("gpt_neox", "gpt2", "llama", "mistral", "qwen2",
 * "gpt_neo", "opt", "bert", ...), or NULL when there is no config: then the name decides alone.
 * Any prefix such as "model." or "transformer." is allowed.  What no pattern knows is `other`,
 * with the layer number if the name holds one (".layers.7." etc.). */
rsd_role rsd_role_of(const char *architecture, const char *tensor_name);

/* The architecture that this name gives away, or NULL: for files without config.json.  GPT-Neo's
 * feed-forward names are GPT-2's but its weights are stored out x in; only its attention's names
 * tell the two apart, so a reader asks every name of a file before it asks for roles. */
const char *rsd_role_architecture(const char *tensor_name);

#endif
