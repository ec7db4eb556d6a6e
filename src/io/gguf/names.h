/* What llama.cpp calls a model's tensors, and what the same model's Hugging Face checkpoint calls
 * them; and how llama.cpp's converter re-orders the rows of some. */
#ifndef RSD_IO_GGUF_NAMES_H
#define RSD_IO_GGUF_NAMES_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* Order of the rows in the file.  With H heads of d rows each, d = rows / H: */
typedef enum {
    RSD_ROWS_SAME,
    RSD_ROWS_ROTARY_Q, /* [head][d/2][2] of what is [head][2][d/2]: rotated pairs side by side */
    RSD_ROWS_ROTARY_K, /* the same with the key-value heads */
    RSD_ROWS_QKV       /* [q k v][head][d] of what is [head][q k v][d] */
} rsd_gguf_order;

/* A tensor without its .weight or .bias; % is the block's number. */
typedef struct {
    const char *gguf;
    const char *name; /* # is the expert's number: the file holds [experts][rows][columns] */
    rsd_gguf_order order;
    bool transposed; /* the checkpoint stores it in x out, the file out x in */
} rsd_gguf_row;

enum { RSD_GGUF_TABLES = 4 };

typedef struct {
    const char *gguf;                           /* general.architecture */
    const char *model_type;                     /* of config.json */
    const rsd_gguf_row *table[RSD_GGUF_TABLES]; /* each ends in gguf == NULL; NULL: no more */
} rsd_gguf_arch;

/* NULL for an architecture that is not known by its tensors' names. */
const rsd_gguf_arch *rsd_gguf_arch_find(const char *name, size_t n);

/* The row of a tensor's name; arch may be NULL.  NULL where there is none: the tensor keeps its
 * name. */
const rsd_gguf_row *rsd_gguf_row_find(const rsd_gguf_arch *arch, const char *tensor);

/* The checkpoint's name of it, with its ending; the caller frees.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_rename(const rsd_gguf_row *row, const char *tensor, size_t expert,
                              char **out);

#endif
