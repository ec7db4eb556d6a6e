/* What trained corrections look like, layer by layer: rows of /recovery/layers and the arrays that
 * belong to them. */
#ifndef RSD_RECOVER_LAYERS_H
#define RSD_RECOVER_LAYERS_H

#include "recover/student.h"
#include "result/recovery_table.h"

/* Rows of /recovery/layers, and the arrays that belong to them. */
typedef struct {
    recovery_layer row;
    size_t rank, start_rank;
    double *s, *start; /* singular values of C and of its start */
    double *u, *v;     /* [rank][rows], [rank][cols] */
} measured_layer;

typedef struct {
    size_t count;
    measured_layer *item;
} measured_layers;

RSD_CHECK int recover_measure(const student *s, measured_layers *out);

/* Overlaps of the trained correction's subspaces with those of the columns of B and rows of A; 0
 * matrices leave them as they are. */
RSD_CHECK int measured_overlap(const measured_layer *l, rsd_mat B, rsd_mat A, double *left,
                               double *right);

/* Overlaps with what calibration knows, where there is one. */
RSD_CHECK int recover_overlap_data(const sweep *s, const rsd_tensor *t, rsd_mat R,
                                   measured_layer *l);
void measured_layers_free(measured_layers *l);
RSD_CHECK int recover_write_layers(rsd_store *store, const char *run_path,
                                   const measured_layers *l);

#endif
