/* What the command eval has open, and what it says at its end. */
#ifndef RSD_EVAL_EVALUATION_H
#define RSD_EVAL_EVALUATION_H

#include "adapters/adapted.h"
#include "cli/command.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "result/calibration_file.h"
#include "transformer/evaluate.h"

typedef struct {
    rsd_common common;
    stream_options stream;
    const char *calibration, *adapter;
    rsd_list specs, map, inits, ranks;
    double target_bpw, damping;
    bool one_at_a_time;
    select_options select;
} eval_params;

/* Everything that is open. */
typedef struct {
    const eval_params *params;
    rsd_model *model;
    rsd_weights *original, *quantized;
    rsd_transformer *pass, *teacher;
    rsd_adapters adapters;
    rsd_adapted *hook; /* NULL: no adapters */
    stream stream;
    calibration calibration;
    select_specs specs;
    double weights, bytes; /* that were quantized */
    rsd_evaluation result;
} evaluation;

/* Losses of the windows done, and what changed against the original where there is one, as text or
 * JSON on standard output.  Errors: the stream's, RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int eval_report(evaluation *e);

#endif
