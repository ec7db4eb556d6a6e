/* The learning rate of a run. */
#ifndef RSD_RECOVER_RATE_H
#define RSD_RECOVER_RATE_H

#include "recover/student.h"

/* s->rate, s->displacement and s->move, for a student that is ready to train: the rate that --lr
 * gives, or, for auto, the one that train/rates.h chooses by what a step would do to each layer
 * (adapters/displacement.h).  That is known of quantized layers of which the calibration has H and
 * G.  Errors: those of reading and of rsd_displacement, with the matrix' name; RSD_ESTOPPED. */
RSD_CHECK int student_choose_rate(student *s);

#endif
