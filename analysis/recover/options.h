/* The options of recover, and the runs that they ask for. */
#ifndef RSD_RECOVER_OPTIONS_H
#define RSD_RECOVER_OPTIONS_H

#include "cli/choices.h"
#include "cli/command.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "result/calibration_file.h"
#include "train/recover.h"

/* What a trained adapter is merged into before its loss is taken again. */
typedef enum { RECOVER_MERGE_NONE, RECOVER_MERGE_PLAIN, RECOVER_MERGE_REQUANTIZE } recover_merge;

/* Whose adapters a run ends with: of the step of the least loss on held-out training windows, or of
 * the last. */
enum { RECOVER_KEEP_BEST, RECOVER_KEEP_LAST };

/* --lr auto: each run's rate is chosen before it begins (rate.h). */
#define RECOVER_LR_AUTO RSD_REAL_WORD(0)

/* Options that shape numbers: runs of one model in a result file agree in all of them. */
typedef struct {
    double alpha, b_ratio, lr, decay, clip, damping, orthogonality;
    size_t steps, batch, warmup, eval_every, target_rank, budget_begin, budget_end, budget_interval,
        sequence, lr_probe;
    int objective, merge, keep;
    bool rslora, straight, spread;
} recover_numbers;

typedef struct {
    rsd_common common;
    stream_options stream;
    const char *eval_tokens, *second_tokens, *targets, *calibration, *save_adapters,
        *optimizer_state;
    size_t max_eval_tokens, seeds, checkpoint_every;
    rsd_list specs, map, ranks, inits, variants, factors, same_bytes;
    double target_bpw;
    select_options select;
    recover_numbers numbers;
    int base, save_base, eval_windows; /* the last: stream_windows */
    bool no_control, no_same_bytes, recompute, dry_run;
} recover_params;

enum { RECOVER_DENSE, RECOVER_PACKED };
enum { SAVE_BASE_AUTO, SAVE_BASE_DENSE, SAVE_BASE_NONE };

extern const rsd_opt recover_options[];
extern const recover_params recover_defaults;

/* What a base without adapters is quantized with (base_choice.h). */
typedef struct recover_base recover_base;

/* One run of the sweep. */
typedef struct {
    const rsd_spec *spec; /* NULL: --map alone, or the control */
    const rsd_init_spec *init;
    rsd_variant variant;
    size_t rank, seed;
    const rsd_spec *factors; /* what B and A are stored by */
    bool control;            /* of the original model */
    bool same_bytes;         /* a base without adapters, as large as the runs of this spec, rank, */
                             /* variant and storage; init is zero */
    const recover_base *base; /* while that base is made; NULL: as spec and rules say */
    size_t set_against;       /* index of the run that is its control; SIZE_MAX: none */
    char *name; /* of its group: model_spec_rRANK_init_variant_sSEED, other factors behind it */
    size_t training; /* characters of it that name the training, which runs share that differ in */
                     /* the storage of factors alone */
} recover_run;

typedef struct {
    select_specs specs;
    choices of; /* ranks and starts */
    size_t variants, storages, runs;
    rsd_variant *variant;
    rsd_spec *storage;  /* of factors */
    rsd_spec plain;     /* bf16, that of controls */
    rsd_init_spec zero; /* of controls */
    recover_run *run;   /* controls first, bases of the same bytes last */
} recover_plan;

/* What was not said and depends on the rest: an evaluation is never later than the last step. */
void recover_settle(recover_params *params);

/* Parse the lists and cross them; with --target-bpw, choose each matrix' quantizer first.  name:
 * the model's, in the names of runs.  Free with recover_plan_free, also after a failure.
 * Errors: RSD_EUSAGE for what no run could do; those of the parsers and of budget.h; RSD_ENOMEM. */
RSD_CHECK int recover_plan_make(const recover_params *params, const rsd_model *model,
                                const char *name, const calibration *data, recover_plan *out);
void recover_plan_free(recover_plan *plan);

/* Are bases of the same bytes asked for: by a calibration, or by name? */
bool recover_wants_bases(const recover_params *params);

/* The canonical text of all that shapes a run's numbers beside what its name says: "key=value"
 * parted by commas.  tokens, eval_tokens, second_tokens: fingerprints of the streams, the last NULL
 * where there is none.
 * Caller frees; NULL when memory is out. */
char *recover_canonical(const recover_params *params, const char *tokens, const char *eval_tokens,
                        const char *second_tokens, const stream *train, const stream *eval);

/* The quantizer of one linear layer in this run, or NULL: it stays as it is. */
const rsd_spec *recover_spec_for(const recover_plan *plan, const recover_run *run,
                                 const select_options *select, const rsd_model *model,
                                 const rsd_tensor *t);

/* Inputs that qalora sums: the group of the quantizer's scales.
 * Errors: RSD_EUSAGE where the quantizer has none, or is not affine. */
RSD_CHECK int recover_pool(const rsd_spec *spec, size_t *pool);

#endif
