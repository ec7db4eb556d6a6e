/* Architectures: what a config.json says, as the numbers that a forward pass needs.
 *
 * One forward pass serves all of them (block.h): what differs is in rsd_shape.  Which tensor is
 * which linear layer is told by io/model/roles.h, as for the analyzer; the norms' names are here.
 * Each architecture lives in one file of arch/, whose name is its model_type, and is listed once:
 * in ARCHITECTURES of Makefile.am. */
#ifndef RSD_TRANSFORMER_ARCH_H
#define RSD_TRANSFORMER_ARCH_H

#include "err.h"
#include "io/config.h"
#include "transformer/activation.h"
#include "transformer/rotary.h"

#include <stdbool.h>
#include <stddef.h>

enum { RSD_LAYERS_MAX = 256 };

typedef enum { RSD_NORM_LAYER, RSD_NORM_RMS } rsd_norm_kind;

/* How the output of a fused query-key-value layer is laid out. */
typedef enum {
    RSD_QKV_SEPARATE, /* three layers */
    RSD_QKV_HEADS,    /* [head][q k v][head_size], GPT-NeoX */
    RSD_QKV_BLOCKS    /* [q k v][head][head_size], GPT-2 */
} rsd_qkv_layout;

/* Biases of linear layers: there or not as stored, or as the configuration (or the architecture)
 * says in the words beside it, which the weights must agree with. */
typedef struct {
    enum { RSD_BIAS_AS_STORED, RSD_BIAS_NONE, RSD_BIAS_ALL } is;
    const char *said; /* "attention_bias is false"; static text */
} rsd_bias_rule;

typedef struct {
    size_t layers;    /* L */
    size_t width;     /* C, of the residual stream */
    size_t heads;     /* H, query heads */
    size_t kv_heads;  /* key-value heads, H / kv_heads query heads share one */
    size_t head_size; /* d */
    size_t hidden;    /* F, of the MLP */
    size_t vocab;     /* V, rows of the head */
    size_t context;   /* most tokens a window may have */
    rsd_norm_kind norm;
    double norm_eps;
    bool parallel;  /* attention and MLP read the same residual stream (GPT-NeoX) */
    bool gated;     /* MLP is down(act(gate x) * up x) */
    bool tied;      /* the head is the token table, unless the weights have another (weights.h) */
    bool positions; /* learned position table */
    rsd_qkv_layout qkv;
    rsd_activation activation;
    rsd_rotary_spec rotary; /* dims 0: none */
    rsd_bias_rule qkv_bias, o_bias, mlp_bias;
    double attention_scale;
    size_t window; /* keys that a local layer sees */
    bool local[RSD_LAYERS_MAX];
} rsd_shape;

typedef struct {
    const char *name, *summary, *reference; /* paper or code it follows */

    /* Names of the norms; % is the layer. */
    const char *norm1, *norm2, *final_norm;

    /* Read the configuration into *out, which is zero before.  What is not implemented is refused
     * by name.  Errors: RSD_EFORMAT. */
    int (*configure)(rsd_config *config, rsd_shape *out);
} rsd_arch;

/* NULL-terminated, in Makefile order. */
extern const rsd_arch *const rsd_archs[];

/* What several architectures read alike.  sizes: hidden_size, num_hidden_layers,
 * num_attention_heads, intermediate_size, vocab_size, max_position_embeddings; rope: rope_theta and
 * either rope_scaling or rope_parameters, of dims dimensions over the context (out->theta above 0
 * is the default); activation: the text under key.
 * Errors of all: RSD_EFORMAT with the key and its value. */
RSD_CHECK int rsd_arch_read_sizes(rsd_config *c, rsd_shape *s);
RSD_CHECK int rsd_arch_read_rope(rsd_config *c, size_t dims, size_t context, rsd_rotary_spec *out);
RSD_CHECK int rsd_arch_read_activation(rsd_config *c, const char *key, const char *otherwise,
                                       rsd_activation *out);
/* Llama and what grew out of it: RMSNorm, rotary, grouped queries, gated MLP.  Errors: as above. */
RSD_CHECK int rsd_arch_read_llama(rsd_config *c, rsd_shape *s);
/* Which layers see no more than a sliding window of keys, 0 for none: as layer_types says, else
 * those from `first` on.  Every architecture asks: layer_types may be written for each.
 * Errors: as above. */
RSD_CHECK int rsd_arch_read_windows(rsd_config *c, rsd_shape *s, size_t window, size_t first);
/* The rule that a flag makes, where the configuration has it; else *rule keeps what it had.  yes
 * and no: what is said of it.  Errors: as above. */
RSD_CHECK int rsd_arch_read_bias(rsd_config *c, const char *key, const char *yes, const char *no,
                                 rsd_bias_rule *rule);
/* A flag of which only one value is implemented.  Errors: RSD_EFORMAT for the other. */
RSD_CHECK int rsd_arch_require(rsd_config *c, const char *key, bool otherwise, bool value);

/* The architecture called name (a config's model_type) and the shape that config (JSON text) gives.
 * Errors: RSD_ENOTFOUND for an unknown architecture (the message lists the known ones),
 * RSD_EFORMAT for a configuration that is not implemented, or whose numbers do not fit. */
RSD_CHECK int rsd_arch_configure(const char *name, const char *config, const rsd_arch **arch,
                                 rsd_shape *shape);

#endif
