/* One linear layer of a run's model, and all of them in sequence. */
#ifndef RSD_RECOVER_LAYER_H
#define RSD_RECOVER_LAYER_H

#include "recover/student.h"

typedef struct {
    const rsd_tensor *tensor; /* first: each_layer.h */
    student *to;
    size_t layer;
    rsd_slot slot;
    const rsd_spec *spec;                   /* NULL: it stays as it is */
    double bytes, norm, error, start_error; /* sums of squares, as a student's */
} layer_job;

/* What a layer is made for when those before it were made already (adapters/sequence.h). */
typedef struct {
    rsd_mat target;                     /* in the place of W */
    const rsd_calibration *calibration; /* of the inputs; G stays the calibration file's */
    rsd_mat corrected;                  /* gets W_q + C */
} layer_sequence;

/* Read, quantize, start the adapter, measure both against W, and keep it.  q NULL: for W itself.
 * Errors: those of reading, quantizing and the initialisation. */
RSD_CHECK int layer_make(layer_job *j, const layer_sequence *q);

/* All layers of a model in its order, on the first --sequence tokens; layers without quantizer are
 * made for W itself.  Errors: RSD_ESTOPPED after a signal; layer_make's with the matrix' name,
 * rsd_sequence's. */
RSD_CHECK int layers_in_sequence(student *s, layer_job *job, size_t jobs);

#endif
