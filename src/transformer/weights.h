/* The weights of a checkpoint as the forward pass takes them: which tensor is which layer is told
 * by io/model/roles.h, shapes are checked against the architecture's. */
#ifndef RSD_TRANSFORMER_WEIGHTS_H
#define RSD_TRANSFORMER_WEIGHTS_H

#include "err.h"
#include "io/model.h"
#include "transformer/arch.h"
#include "transformer/embedding.h"
#include "transformer/linear.h"
#include "transformer/norm.h"

/* The linear layers of a block; fused architectures have QKV, the others Q, K and V. */
typedef enum {
    RSD_Q,
    RSD_K,
    RSD_V,
    RSD_QKV,
    RSD_O,
    RSD_GATE,
    RSD_UP,
    RSD_DOWN,
    RSD_LINEARS
} rsd_slot;
const char *rsd_slot_role(rsd_slot slot); /* "q": as io/model/roles.h says it */

typedef struct {
    rsd_norm norm1, norm2;
    rsd_linear linear[RSD_LINEARS];        /* W.x NULL: the architecture has none */
    const rsd_tensor *tensor[RSD_LINEARS]; /* of the rsd_model it came from */
} rsd_block_weights;

typedef struct {
    const rsd_arch *arch;
    rsd_shape shape;
    rsd_embedding embedding;
    rsd_norm final_norm;
    rsd_linear head;          /* V x C; the token table where tied */
    rsd_block_weights *block; /* [shape.layers] */

    rsd_real *memory; /* every number above, in one block */
    size_t count;     /* of numbers */
    rsd_half **half;  /* bfloat16 copies, by rsd_weights_prepare */
    size_t halves;
} rsd_weights;

/* Read every weight, as float32 (double in the double build).  Free with rsd_weights_free.
 * Errors: those of rsd_arch_configure; RSD_EFORMAT for a tensor that is missing, there twice or of
 * another shape (name and both shapes), a bias that the configuration excludes or lacks, a weight
 * that this forward pass does not have (weights_unused.h); RSD_EDOM for NaN or Inf; RSD_ENOMEM.
 *
 * A tied model may have its table as the token table or as the head.  Where it has both and they
 * differ, the stored head is the head, and shape.tied is false then. */
RSD_CHECK int rsd_weights_load(const rsd_model *model, rsd_weights **out);

/* The table of a role, "embedding", "position" or "head"; NULL where there is none. */
const rsd_tensor *rsd_weights_table(const rsd_model *model, const char *role);

/* The token table and the head among the model's tensors (NULL: none), and shape->tied as the
 * weights have it: see above.  Errors: those of reading, RSD_ENOMEM. */
RSD_CHECK int rsd_weights_tables(const rsd_model *model, rsd_shape *shape,
                                 const rsd_tensor **tokens, const rsd_tensor **head);

/* rsd_weights_load without the linear layers of the blocks: their W has its shape, but neither x
 * nor half.  For passes whose linear layers a hook computes (block.h).  Errors: as above. */
RSD_CHECK int rsd_weights_load_frame(const rsd_model *model, rsd_weights **out);

void rsd_weights_free(rsd_weights *w);

/* A copy with numbers of its own: the student that is quantized beside its teacher.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_weights_copy(const rsd_weights *w, rsd_weights **out);

/* bfloat16 copies for a mm that computes in bf16; nothing in f32.  Again after weights change.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_weights_prepare(rsd_weights *w, const rsd_matmul *mm);

/* Where a linear layer's, or the embedding's, numbers may be changed: rows x cols of the tensor.
 * NULL when this tensor is no such weight. */
rsd_real *rsd_weights_of(const rsd_weights *w, const rsd_tensor *tensor);

#endif
