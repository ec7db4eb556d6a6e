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
    /* W: the matrix as the packing gives it (rsd_entry says how that lies), or a vector as one row;
     * file: the model's. */
    int (*read)(const rsd_packing *self, const rsd_map *file, rsd_mat W);
};

/* A tensor and where it lies.  The tensor comes first: callers hold pointers to it. */
typedef struct {
    rsd_tensor tensor;
    size_t file, offset, bytes; /* offset: number of the matrix where the model is generated */
    bool out_by_in; /* known of its format, whatever its name says: the packing gives W itself */
    bool turned;    /* the bytes, or the packing, give W in x out: set by rsd_model_orient */
    rsd_packing *packing; /* NULL: plain numbers; allocated in one piece */
} rsd_entry;

struct rsd_model {
    char *source, *name;
    char *architecture, *config; /* NULL: none */
    size_t files;
    rsd_map *file;
    size_t count;
    rsd_entry *entry;    /* in natural order, once sorted */
    rsd_entry **by_name; /* the same, sorted by name */
    bool generated;      /* by: */
    rsd_synthetic synthetic;
};

/* Each maps the source's files, reads their headers, appends the tensors to model->entry with roles
 * and shapes, and sets architecture and config where the source has them.  What is there after a
 * failure belongs to the model as well.  Errors: those of rsd_model_open. */
RSD_CHECK int rsd_source_file(rsd_model *model, const char *path);
RSD_CHECK int rsd_source_folder(rsd_model *model, const char *path);
RSD_CHECK int rsd_source_synthetic(rsd_model *model, const char *text);
/* model->file[0] is mapped and begins with "GGUF"; maps the other parts of a split model.
 * Errors: as above. */
RSD_CHECK int rsd_source_gguf(rsd_model *model);

/* Shared by the sources.  Errors: those of rsd_map_open; RSD_ENOMEM. */
RSD_CHECK int rsd_source_map(rsd_model *model, const char *path); /* one more file */
RSD_CHECK int rsd_source_room(rsd_model *model, size_t more);     /* for so many more entries */
void rsd_source_roles(rsd_model *model);                          /* names tell roles */

/* Pointers to all entries, sorted by name; free with free().  Valid until an entry is added.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_entries_sort(const rsd_model *model, rsd_entry ***out);
/* Where name is, or belongs, among them; the entry of that name, or NULL. */
size_t rsd_entries_find(rsd_entry *const *sorted, size_t count, const char *name);
rsd_entry *rsd_entries_get(rsd_entry *const *sorted, size_t count, const char *name);

/* RSD_EFORMAT, with the files, where two have one name. */
RSD_CHECK int rsd_entries_unique(const rsd_model *model, rsd_entry *const *sorted);
/* Name of the file that an entry lies in, without its folder. */
const char *rsd_entry_file(const rsd_model *model, const rsd_entry *s);

/* How every matrix lies, in one place: out x in, or in x out as GPT-2's Conv1D stores it.  Needs
 * roles and by_name; sets matrix, rows, cols, role.transposed, turned, and for a packing known to
 * be out x in the shape that the checkpoint of its name has.
 *
 * Only names that Conv1D families use are asked.  What tells, in this order: the length of the bias
 * beside it; the width of the token table; sides of 1 : 3 (queries, keys and values) or 1 : 4 (the
 * feed-forward); what these tell of the other such matrices that are stored alike; the family. */
void rsd_model_orient(rsd_model *model);

/* A packing for what is listed but whose numbers are not known: reading fails with this line.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_unread_alloc(rsd_packing **out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* RSD_ENOMEM, naming the source. */
int rsd_model_no_memory(const rsd_model *model);

#endif
