/* The schema of /recovery in the result file.
 *
 *   /recovery/runs      one row per run: the lists below
 *   /recovery/layers    one row per run and layer that has an adapter
 *   /recovery/<run>/    attributes options, spec, init, variant, of kind same bytes also candidates
 *                       and map (GLOB=SPEC, a line each); arrays
 *       step, train_loss, learning_rate         per step
 *       eval_step, eval_loss                    per evaluation, the first before any step
 *       held_step, held_loss                    per look at the training windows held out
 *       window_loss_{fp,q,init,trained,merged}  per evaluation window: what errors are paired over
 *       window_second_{fp,q,trained}            per window of the second text
 *       layers/<tensor>/singular_values, start_singular_values, left_vectors, right_vectors
 *
 * Losses are nats per token.  A number that a run does not have is NaN. */
#ifndef RSD_RESULT_RECOVERY_H
#define RSD_RESULT_RECOVERY_H

#include "result/rows.h"

/* clang-format off */
#define RECOVERY_TEXTS(ENTRY)                                                                      \
    ENTRY(run, "name of the run's group")                                                          \
    ENTRY(model, "name of the model in this file")                                                 \
    ENTRY(spec, "quantizer of the base; empty: not quantized, a control")                          \
    ENTRY(init, "how the adapters started")                                                        \
    ENTRY(variant, "kind of adapter")                                                              \
    ENTRY(objective, "what was minimized: ce, kl or hidden")                                       \
    ENTRY(kind, "adapters, control (the original with adapters) or same bytes (none, more bits)")  \
    ENTRY(factors, "quantizer that B and A are stored, counted and evaluated by")                  \
    ENTRY(same_bytes, "same bytes: quantizer of the base; mixed: several (attribute map)")         \
    ENTRY(base, "how the base lay in memory: dense or packed")                                     \
    ENTRY(status, "ok or failed")                                                                  \
    ENTRY(message, "why it failed")
/* clang-format on */

/* clang-format off */
#define RECOVERY_INTEGERS(ENTRY)                                                                   \
    ENTRY(rank, "rank", "of the adapters; AdaLoRA: before its budget falls")                       \
    ENTRY(seed, "", "of the start and of the order of data")                                       \
    ENTRY(control, "bool", "1: what runs are set against, not one of them (kind says which)")      \
    ENTRY(steps, "step", "of the optimizer")                                                       \
    ENTRY(batch, "window", "windows of a step")                                                    \
    ENTRY(context, "token", "inputs of a window")                                                  \
    ENTRY(windows, "window", "of the evaluation")                                                  \
    ENTRY(windows_of, "window", "of the stream that these are spread over; 0: its first, or all")  \
    ENTRY(block, "window", "longest block of windows that an error was taken in")                  \
    ENTRY(tokens, "token", "trained on, repetitions counted")                                      \
    ENTRY(kept_step, "step", "whose adapters the run ended with: loss_trained is theirs")          \
    ENTRY(held_windows, "window", "of the training stream held out to choose it; 0: the last step") \
    ENTRY(best_step, "step", "of the least evaluation loss; nothing is chosen by it")              \
    ENTRY(adapter_numbers, "count", "numbers that train")                                          \
    ENTRY(rank_sum, "rank", "sum of the layers' ranks at the end")                                 \
    ENTRY(adapter_bytes, "byte", "of the adapters as stored")                                      \
    ENTRY(stored_bytes, "byte", "of the quantized layers, packed, and of the adapters")            \
    ENTRY(budget_bytes, "byte", "same bytes: most that the base may take; 0: of another kind")     \
    ENTRY(windows_second, "window", "of the second text; 0: none")                                 \
    ENTRY(base_bytes, "byte", "of the quantized layers as the run holds them")                     \
    ENTRY(bf16_bytes, "byte", "of the same layers in bfloat16")                                    \
    ENTRY(computed_bytes, "byte", "of all that the run allocates, counted")                        \
    ENTRY(resident_bytes, "byte", "growth of the process up to the end of training, by the system") \
    ENTRY(peak_bytes, "byte", "most memory of the process during the run, by the system")
/* clang-format on */

/* clang-format off */
#define RECOVERY_REALS(ENTRY)                                                                      \
    ENTRY(alpha, "", "s = alpha / rank, or alpha / sqrt(rank)")                                    \
    ENTRY(scale, "", "s of the first layer")                                                       \
    ENTRY(learning_rate, "", "highest")                                                            \
    ENTRY(displacement, "ratio", "of corrections by a step at it, to what is left: median of layers") \
    ENTRY(seconds, "s", "of training, evaluations left out")                                       \
    ENTRY(tokens_per_s, "token/s", "trained")                                                      \
    ENTRY(bits_per_weight, "bit", "of the quantized matrices, scales included")                    \
    ENTRY(bits_per_weight_total, "bit", "with the adapters as stored")                             \
    ENTRY(weight_error, "ratio", "||W - Wq||_F / ||W||_F over the quantized layers")               \
    ENTRY(start_error, "ratio", "||W - Wq - C||_F / ||W||_F, C the start's correction")            \
    ENTRY(loss_fp, "nat/token", "of the original model")                                           \
    ENTRY(loss_fp_se, "nat/token", "its standard error: over blocks of windows")                   \
    ENTRY(loss_q, "nat/token", "of the model quantized without adapters")                          \
    ENTRY(loss_q_se, "nat/token", "its standard error")                                            \
    ENTRY(loss_init, "nat/token", "with the adapters as they start")                               \
    ENTRY(loss_init_se, "nat/token", "its standard error")                                         \
    ENTRY(loss_trained, "nat/token", "with the adapters of kept_step")                             \
    ENTRY(loss_trained_se, "nat/token", "its standard error")                                      \
    ENTRY(loss_held, "nat/token", "on the training windows held out, with the same adapters")      \
    ENTRY(loss_held_init, "nat/token", "the same with the adapters as they start")                 \
    ENTRY(loss_best, "nat/token", "least of the evaluations: chosen by looking at it")             \
    ENTRY(loss_merged, "nat/token", "after merging the adapters into the weights")                 \
    ENTRY(loss_merged_se, "nat/token", "its standard error")                                       \
    ENTRY(loss_control, "nat/token", "of the original model with adapters, trained alike")         \
    ENTRY(loss_control_se, "nat/token", "its standard error")                                      \
    ENTRY(loss_probe, "nat/token", "same bytes: on training windows, by which the base was chosen") \
    ENTRY(loss_second, "nat/token", "on the second text, as loss_trained")                         \
    ENTRY(loss_second_se, "nat/token", "its standard error")                                       \
    ENTRY(loss_fp_second, "nat/token", "of the original model on the second text")                 \
    ENTRY(loss_q_second, "nat/token", "of the model quantized without adapters on it")             \
    ENTRY(gap, "nat/token", "loss_q - loss_fp")                                                    \
    ENTRY(gap_se, "nat/token", "its standard error, paired over windows")                          \
    ENTRY(recovered_init, "share", "(loss_q - loss_init) / gap; NaN where gap is under its error") \
    ENTRY(recovered_init_se, "share", "its standard error, paired over windows")                   \
    ENTRY(recovered_fraction, "share", "(loss_q - loss_trained) / gap")                            \
    ENTRY(recovered_fraction_se, "share", "its standard error")                                    \
    ENTRY(recovered_control, "share", "(loss_q - loss_trained) / (loss_q - loss_control)")         \
    ENTRY(recovered_control_se, "share", "its standard error")
/* clang-format on */

typedef struct {
#define RECOVERY_FIELD(name, text) char *name;
    RECOVERY_TEXTS(RECOVERY_FIELD)
#undef RECOVERY_FIELD
#define RECOVERY_FIELD(name, units, text) int64_t name;
    RECOVERY_INTEGERS(RECOVERY_FIELD)
#undef RECOVERY_FIELD
#define RECOVERY_FIELD(name, units, text) double name;
    RECOVERY_REALS(RECOVERY_FIELD)
#undef RECOVERY_FIELD
} recovery_row;

/* A layer of a run.  Overlaps are ||U'V||_F^2 / r of subspaces of dimension r, the adapter's rank
 * at the end; NaN where one of the two is nothing. */
/* clang-format off */
#define RECOVERY_LAYER_INTEGERS(ENTRY)                                                             \
    ENTRY(layer, "block", "block number")                                                          \
    ENTRY(rows, "row", "outputs")                                                                  \
    ENTRY(cols, "column", "inputs")                                                                \
    ENTRY(rank, "rank", "of the trained correction C = s B A; AdaLoRA: what the budget left")
/* clang-format on */
/* clang-format off */
#define RECOVERY_LAYER_REALS(ENTRY)                                                                \
    ENTRY(weight_error, "ratio", "||W - Wq||_F / ||W||_F")                                         \
    ENTRY(start_norm, "weight", "||C||_F of the start")                                            \
    ENTRY(norm, "weight", "||C||_F of the trained adapter")                                        \
    ENTRY(change, "weight", "||C - C of the start||_F")                                            \
    ENTRY(displacement, "ratio", "of C by a step at the learning rate, to what is left to correct") \
    ENTRY(largest, "weight", "largest singular value of C")                                        \
    ENTRY(stable_rank, "rank", "||C||_F^2 / largest^2")                                            \
    ENTRY(effective_rank, "rank", "exp of the entropy of C's singular values over their sum")      \
    ENTRY(overlap_start_left, "share", "left subspaces of C and of the start's factors")           \
    ENTRY(overlap_start_right, "share", "right subspaces of C and of the start's factors")         \
    ENTRY(overlap_R_left, "share", "left subspaces of C and of the top of R = W - Wq")             \
    ENTRY(overlap_R_right, "share", "right subspaces of C and of the top of R")                    \
    ENTRY(overlap_W_left, "share", "left subspaces of C and of the top of W")                      \
    ENTRY(overlap_W_right, "share", "right subspaces of C and of the top of W")                    \
    ENTRY(overlap_RH_left, "share", "left subspaces of C and of the best C in R H^1/2")            \
    ENTRY(overlap_RH_right, "share", "right subspaces of C and of that")                           \
    ENTRY(overlap_GRH_left, "share", "left subspaces of C and of the best C in G^1/2 R H^1/2")     \
    ENTRY(overlap_GRH_right, "share", "right subspaces of C and of that")                          \
    ENTRY(overlap_H_right, "share", "right subspace of C and the top of H: the inputs")            \
    ENTRY(overlap_G_left, "share", "left subspace of C and the top of G: the gradients")           \
    ENTRY(random_left, "share", "expected of random subspaces of these dimensions, rank / rows")   \
    ENTRY(random_right, "share", "likewise, rank / cols")
/* clang-format on */

typedef struct {
    char *run, *model, *tensor, *role;
#define RECOVERY_FIELD(name, units, text) int64_t name;
    RECOVERY_LAYER_INTEGERS(RECOVERY_FIELD)
#undef RECOVERY_FIELD
#define RECOVERY_FIELD(name, units, text) double name;
    RECOVERY_LAYER_REALS(RECOVERY_FIELD)
#undef RECOVERY_FIELD
} recovery_layer;

/* NaN and 0 throughout, no texts. */
extern const recovery_row recovery_no_row;
extern const recovery_layer recovery_no_layer;

/* What a run is.  Of rows that do not say it (version 0.1.0), what `control` says. */
typedef enum { RECOVERY_ADAPTERS, RECOVERY_CONTROL, RECOVERY_SAME_BYTES } recovery_kind;
const char *recovery_kind_name(recovery_kind kind);
recovery_kind recovery_kind_of(const recovery_row *row);

/* The tables, for rows.h. */
extern const rows_schema recovery_rows_schema, recovery_layers_schema;

/* "/recovery/<run>"; caller frees, NULL when memory is out. */
char *recovery_path(const char *run);

/* An array below it along the axis /axes/<axis>_<n>, which is made: steps, windows, ranks. */
RSD_CHECK int recovery_write_array(rsd_store *store, const char *path, const char *name,
                                   const double *x, size_t n, const char *axis, const char *units,
                                   const char *description);

#endif
