/* Private to src/train: what recover.c and recover_state.c share. */
#ifndef RSD_TRAIN_RECOVER_PRIVATE_H
#define RSD_TRAIN_RECOVER_PRIVATE_H

#include "train/recover.h"

struct rsd_recover {
    rsd_recover_options options;
    rsd_transformer *model, *teacher;
    rsd_adapted *adapted;
    rsd_adapters *adapters, *grad;
    rsd_window_reader reader;
    rsd_adamw adamw;      /* adamw.step: steps done */
    rsd_adalora *adalora; /* NULL: another variant */

    rsd_real *best; /* the adapters after best_step, as long as theirs; NULL: none was judged */
    size_t best_step;
    double best_loss;

    size_t width; /* channels of the last hidden states */
    int32_t *input, *target;
    double *loss;
    rsd_real *dhidden;
    void *work;
};

#endif
