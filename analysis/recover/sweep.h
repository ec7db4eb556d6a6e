/* What is open for a whole sweep of recover: model, tokens, options, plan. */
#ifndef RSD_RECOVER_SWEEP_H
#define RSD_RECOVER_SWEEP_H

#include "recover/menu.h"
#include "recover/options.h"
#include "result/calibration_file.h"
#include "result/parts.h"
#include "result/provenance.h"
#include "result/recovery_table.h"
#include "train/held_out.h"

/* What is open for the whole sweep. */
typedef struct {
    const recover_params *params;
    const char *command_line;
    recover_plan plan;
    rsd_model *model;
    char *name;
    result_model entry;
    rsd_shape shape;
    char *options; /* canonical text */
    char *inputs;  /* what it does not name: the content of files, the program's algorithm */
    calibration calibration;
    stream train, eval, second; /* second: no windows where there is none */
    rsd_held_out held;          /* training windows that no step sees */
    menu menu;                  /* of bases of the same bytes */
    size_t pass;                /* windows in memory at a time */
    rsd_weights *original;      /* the teacher's; NULL: the objective needs none */
    rsd_transformer *teacher;
} sweep;

/* Index of the run called so, plan.runs where there is none. */
size_t sweep_find_run(const sweep *s, const char *name);

#endif
