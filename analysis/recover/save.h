/* --save-adapters: a run's adapters as folders that PEFT, transformers and eval load.
 *
 *   DIR/RUN/         adapter_config.json, adapter_model.safetensors, README.md
 *   DIR/RUN/base/    W_q as a model folder (--save-base; by default where the start moved the base,
 *                    so that it can be made in no other way)
 *
 * base_model_name_or_path is the absolute path of what the adapters were trained on: base/, or the
 * model, which README.md then says how to quantize. */
#ifndef RSD_RECOVER_SAVE_H
#define RSD_RECOVER_SAVE_H

#include "recover/outcome.h"
#include "recover/student.h"

/* What was asked and cannot be had, before any work.  Errors: RSD_EUSAGE. */
RSD_CHECK int save_check(const recover_params *params, const recover_plan *plan);

/* What was written; all NULL: nothing. */
typedef struct {
    char *folder, *base;
} saved;

/* Write a trained student's folders.  Free with saved_free, also after a failure.
 * Errors: the model's, RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int save_student(const student *m, saved *out);

/* Read everything back, as whoever gets the folders will, and set the losses against those of the
 * run; README.md says both.  Errors: RSD_EIO where they differ beyond rounding; the readers'. */
RSD_CHECK int save_read_back(const sweep *s, const recover_run *run, const outcome *o,
                             const saved *files);
void saved_free(saved *files);

/* Notes runs that were done before and whose adapters are not in DIR. */
RSD_CHECK int save_note_missing(const sweep *s, const outcome *outcomes);

#endif
