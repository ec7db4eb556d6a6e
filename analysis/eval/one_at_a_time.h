/* eval --one-at-a-time: each matrix quantized, or corrected, alone; into the table /sensitivity. */
#ifndef RSD_EVAL_SINGLE_H
#define RSD_EVAL_SINGLE_H

#include "eval/sensitivity.h"

typedef struct {
    const char *output; /* result file that gets the table; NULL: printed only */
    bool force;         /* forget the rows that the file holds */
    const char *command_line;
    bool json;
} eval_single_options;

/* Measure, add to the file's table, print.  Rows that the file holds for the same matrix, spec,
 * correction and windows are not measured again.
 * Errors: those of sensitivity_measure and of the file; RSD_EPARTIAL where a matrix failed;
 * RSD_ESTOPPED. */
RSD_CHECK int eval_single(const sensitivity_job *job, const eval_single_options *options);

#endif
