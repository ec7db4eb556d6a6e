/* The model of a run: quantized layers, adapters, and a pass over both. */
#ifndef RSD_RECOVER_STUDENT_H
#define RSD_RECOVER_STUDENT_H

#include "adapters/adapted.h"
#include "recover/sweep.h"
#include "train/recover.h"

typedef struct {
    const sweep *sweep;
    const recover_run *run;
    rsd_weights *weights;
    float **extra; /* [extras] layers that a packed base leaves as they are */
    size_t extras;
    rsd_base base;
    bool adapted;                       /* it has adapters */
    rsd_adapters adapters, start, grad; /* start: as they began */
    rsd_transformer *pass;
    rsd_adapted *hook;
    rsd_recover *trainer; /* NULL: not trained */

    double rate;                 /* of learning (rate.h) */
    double displacement;         /* what a step of it moves: median delta(rate), NaN: not known */
    double (*move)[RSD_LINEARS]; /* delta(1) of each layer, NaN: not known; NULL: not asked for */

    double quantized;                /* weights that are quantized */
    double packed_bytes;             /* their bytes */
    double norm, error, start_error; /* sums of squares of W, W - Wq, W - Wq - C */
} student;

/* How a run's model is made: quantized only, or the original for a control; with adapters, their
 * ranks spread where --rank-budget says so; with adapters of one rank all the same. */
typedef enum { STUDENT_PLAIN, STUDENT_ADAPTED, STUDENT_EVEN } student_kind;

/* Adapted ones are ready to train.  Free with student_free, also after a failure.
 * Errors: those of reading, quantizing and the initialisation, with the matrix' name. */
RSD_CHECK int student_make(const sweep *s, const recover_run *run, student_kind kind, student *out);
void student_free(student *s);

/* W_q of a layer as the run holds it, into Wq (of the tensor's shape). */
RSD_CHECK int student_base(const student *s, size_t layer, rsd_slot slot, rsd_mat Wq);

/* The rank that a layer's adapter has now; 0 for none. */
size_t student_rank(const student *s, size_t layer, rsd_slot slot);

#endif
