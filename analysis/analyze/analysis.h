/* One run of analyze: what analyze.c (the command), analyze_inputs.c (models and checkpoints) and
 * analyze_plan.c (what is left to do, and doing it) share. */
#ifndef RSD_ANALYZE_PRIVATE_H
#define RSD_ANALYZE_PRIVATE_H

#include "analyze/measure.h"
#include "cli/command.h"
#include "cli/select.h"
#include "result/journal.h"

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
} analyze_params;

/* A model of the run and where its matrices stand. */
typedef struct {
    rsd_model *model;
    char *name;
    bool control; /* ours, not the user's: no selection applies */
    journal_model entry;
} input;

typedef struct {
    measure_item item;
    char *path;             /* of the matrix' group */
    measure_source *source; /* what is still to be done */
} task;

typedef struct {
    const analyze_params *params;
    measure_options measure;
    moment_source moments;
    calibration_tally tally;
    select_specs specs;
    size_t inputs, checkpoints, tasks, todo;
    input *input;
    input *checkpoint; /* of --quantized */
    task *task;
    size_t *pending; /* [todo] indices of the tasks to run */
    journal *journal;
    size_t failures; /* updated under omp atomic */
} run;

/* Open the models on the command line and list their matrices. */
RSD_CHECK int analyze_open_inputs(run *r, const rsd_list *words);
/* Open what --quantized names; each must hold at least one of the matrices. */
RSD_CHECK int analyze_open_checkpoints(run *r);
/* Add the low-rank control; the journal must be open. */
RSD_CHECK int analyze_add_control(run *r);
/* The file's H and G must be those of the models of this run. */
RSD_CHECK int analyze_open_calibration(run *r);
void analyze_close_inputs(run *r);

/* List what the journal does not hold yet, then do it.  Failures of single matrices are counted. */
RSD_CHECK int analyze_plan(run *r);
RSD_CHECK int analyze_compute(run *r);
size_t analyze_largest(const run *r); /* bytes of the largest matrix */

#endif
