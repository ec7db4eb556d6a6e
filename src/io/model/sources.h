/* Private to src/io/model.  Inside of a model, for model.c and the kinds of source only: where each
 * tensor lies, and how the kinds of source find theirs. */
#ifndef RSD_IO_SOURCES_H
#define RSD_IO_SOURCES_H

#include "io/file.h"
#include "io/model.h"
#include "io/model/synthetic.h"
#include "io/safetensors.h"

/* How a tensor becomes numbers where that is more than converting a type: blocks, codes and scales,
 * rows in another order.  The first member of a struct that knows the rest. */
typedef struct rsd_packing rsd_packing;
struct rsd_packing {
    /* W: the matrix out x in, or a vector as one row; file: the model's. */
    int (*read)(const rsd_packing *self, const rsd_map *file, rsd_mat W);
};

/* A tensor and where it lies.  The tensor comes first: callers hold pointers to it. */
typedef struct {
    rsd_tensor tensor;
    size_t file, offset, bytes; /* offset: number of the matrix where the model is generated */
    bool fortran;
    rsd_packing *packing; /* NULL: plain numbers; allocated in one piece */
} rsd_entry;

struct rsd_model {
    char *source, *name;
    char *architecture, *config; /* NULL: none */
    size_t files;
    rsd_map *file;
    size_t count;
    rsd_entry *entry;          /* in natural order, once sorted */
    const rsd_entry **by_name; /* the same, sorted by name */
    bool generated;            /* by: */
    rsd_synthetic synthetic;
};

/* Each maps the source's files, reads their headers, appends the tensors to model->entry with roles
 * and shapes, and sets architecture and config where the source has them.  What is there after a
 * failure belongs to the model as well. */
RSD_CHECK int rsd_source_file(rsd_model *model, const char *path);
/* index: what the folder's index promises, empty where it has none; the caller frees. */
RSD_CHECK int rsd_source_folder(rsd_model *model, const char *path, rsd_st_index *index);
RSD_CHECK int rsd_source_synthetic(rsd_model *model, const char *text);
/* model->file[0] is mapped and begins with "GGUF"; maps the other parts of a split model. */
RSD_CHECK int rsd_source_gguf(rsd_model *model);

/* Shared by the sources. */
RSD_CHECK int rsd_source_map(rsd_model *model, const char *path); /* one more file */
RSD_CHECK int rsd_source_room(rsd_model *model, size_t more);     /* for so many more entries */
void rsd_source_roles(rsd_model *model); /* names tell roles; roles and shapes tell W's shape */

/* RSD_ENOMEM, naming the source. */
int rsd_model_no_memory(const rsd_model *model);

#endif
