/* A run's model as it is now: its losses, those after merging, and the bytes that it holds. */
#ifndef RSD_RECOVER_LOSSES_H
#define RSD_RECOVER_LOSSES_H

#include "recover/student.h"

/* Loss of each evaluation window as the model is now: loss[s->sweep->eval.windows].
 * Errors: the passes'. */
RSD_CHECK int student_losses(const student *s, double *loss);

/* The same of any model in the student's place. */
RSD_CHECK int sweep_losses(const sweep *s, rsd_transformer *pass, double *loss);

/* Of the second text, allocated (free); left as it is where there is none. */
RSD_CHECK int student_second_losses(const student *s, double **loss);

/* Those of the evaluation text and, where there is one, of the second, each allocated (free). */
RSD_CHECK int student_all_losses(const student *s, double **eval, double **second);

/* Its mean loss on the first windows of the training stream, and on those that are held out. */
RSD_CHECK int student_probe(const student *s, double *loss);
RSD_CHECK int student_held_out(const student *s, double *loss);

/* The same of the run's model after its adapters were merged into the weights. */
RSD_CHECK int student_merged_losses(const student *s, recover_merge how, double *loss);

/* Bytes that the student holds, counted: of the linear layers that are quantized; of everything but
 * the teacher, which the sweep shares. */
size_t student_base_bytes(const student *s);
size_t student_bytes(const student *s);

#endif
