/* One run of analyze: what analyze.c (the command), analyze_inputs.c (models and checkpoints) and
 * analyze_plan.c (what is left to do, and doing it) share. */
#ifndef RSD_ANALYZE_PRIVATE_H
#define RSD_ANALYZE_PRIVATE_H

#include "analyze/measure.h"
#include "cli/command.h"
#include "cli/select.h"

typedef struct {
    int method;
    size_t top, vectors, null_draws, overlap, excess_rank;
    double tolerance, damping;
    const char *nulls;
} numbers;

typedef struct {
    rsd_common common;
    rsd_list specs, map, quantized;
    select_options select;
    numbers numbers;
    size_t control, memory;
    const char *calibration;
    bool predict;
} analyze_params;

/* A model of the run and where its matrices stand. */
typedef struct {
    rsd_model *model;
    char *name;
    bool control; /* ours, not the user's: no selection applies */
    result_model entry;
    calibration calibration; /* what --calibration says of it */
} input;

typedef struct {
    measure_item item;
    char *path;        /* of the matrix' group */
    wq_origin *origin; /* what is still to be done */
} task;

typedef struct {
    const analyze_params *params;
    const char *command_line;
    measure_options measure;
    select_specs specs;
    size_t inputs, checkpoints, tasks, todo;
    input *input;
    input *checkpoint; /* of --quantized */
    task *task;
    size_t *pending; /* [todo] indices of the tasks to run */
    parts *parts;
    char *options, *inputs_text; /* canonical texts */
    const result_model **named;  /* of inputs and checkpoints, for the terms */
    finished_terms terms;
    finished finished;
    a_priori_models a_priori; /* where there is a calibration */
    size_t failures;          /* updated under omp atomic */
} analysis;

/* Open the models on the command line and list their matrices. */
RSD_CHECK int analyze_open_inputs(analysis *r, const rsd_list *words);
/* Open what --quantized names; each must hold at least one of the matrices. */
RSD_CHECK int analyze_open_checkpoints(analysis *r);
/* Add the low-rank control; what is finished must be known. */
RSD_CHECK int analyze_add_control(analysis *r);
/* Find the models of this run in the calibration's file.  Errors: RSD_EUSAGE where none is there.
 */
RSD_CHECK int analyze_open_calibration(analysis *r);
void analyze_close_inputs(analysis *r);

/* List what is not finished, then do it.  Failures of single matrices are counted.
 * Errors: RSD_EUSAGE where what is finished was made with another calibration. */
RSD_CHECK int analyze_plan(analysis *r);
RSD_CHECK int analyze_compute(analysis *r);

/* In place of both: what can be predicted without quantizing (predict.c). */
RSD_CHECK int analyze_predict(analysis *r);
size_t analyze_largest(const analysis *r); /* bytes of the largest matrix */

#endif
