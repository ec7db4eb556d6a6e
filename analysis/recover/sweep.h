/* What the files of the command recover share: the sweep (recover.c), one run (recover_run.c), its
 * model (recover_student.c: recover_layer.c, recover_sequence.c, recover_ranks.c) and losses
 * (recover_losses.c), its training (recover_train.c), what is said of its layers
 * (recover_layers.c), what is kept (recover_part.c, recover_merge.c) and printed
 * (recover_report.c). */
#ifndef RSD_RECOVER_PRIVATE_H
#define RSD_RECOVER_PRIVATE_H

#include "recover/options.h"
#include "result/amend.h"
#include "result/calibration_file.h"
#include "result/recovery_table.h"

enum { BOOTSTRAP_SEED = 0 }; /* standard errors are the same numbers whatever --seed is */

/* What is open for the whole sweep. */
typedef struct {
    const recover_params *params;
    const char *command_line;
    recover_plan plan;
    rsd_model *model;
    char *name;
    journal_model entry;
    rsd_shape shape;
    char *options; /* canonical text */
    calibration calibration;
    stream train, eval;
    size_t pass;           /* windows in memory at a time */
    rsd_weights *original; /* the teacher's; NULL: the objective needs none */
    rsd_transformer *teacher;
} sweep;

/* Index of the run called so, plan.runs where there is none. */
size_t sweep_find_run(const sweep *s, const char *name);

/* ---- recover_student.c ---- */

/* The model of a run: quantized layers, adapters, and a pass over both. */
typedef struct {
    const sweep *sweep;
    const recover_run *run;
    rsd_weights *weights;
    float **extra; /* [extras] layers that a packed base leaves as they are */
    size_t extras;
    rsd_base base;
    bool adapted;                       /* it has adapters */
    rsd_adapters adapters, start, grad; /* start: as they began */
    rsd_transformer *pass;
    rsd_adapted *hook;
    rsd_recover *trainer; /* NULL: not trained */

    double quantized;                /* weights that are quantized */
    double packed_bytes;             /* their bytes */
    double norm, error, start_error; /* sums of squares of W, W - Wq, W - Wq - C */
} student;

/* How a run's model is made: quantized only, or the original for a control; with adapters, their
 * ranks spread where --rank-budget says so; with adapters of one rank all the same. */
typedef enum { STUDENT_PLAIN, STUDENT_ADAPTED, STUDENT_EVEN } student_kind;

/* Adapted ones are ready to train.  Free with student_free, also after a failure.
 * Errors: those of reading, quantizing and the initialisation, with the matrix' name. */
RSD_CHECK int student_make(const sweep *s, const recover_run *run, student_kind kind, student *out);
void student_free(student *s);

/* W_q of a layer as the run holds it, into Wq (of the tensor's shape). */
RSD_CHECK int student_base(const student *s, size_t layer, rsd_slot slot, rsd_mat Wq);

/* The rank that a layer's adapter has now; 0 for none. */
size_t student_rank(const student *s, size_t layer, rsd_slot slot);

/* ---- recover_layer.c ---- */

typedef struct {
    student *to;
    const rsd_tensor *tensor;
    size_t layer;
    rsd_slot slot;
    const rsd_spec *spec; /* NULL: it stays as it is */
    int err;
    char message[512];
    double bytes, norm, error, start_error; /* sums of squares, as a student's */
} layer_job;

/* What a layer is made for when those before it were made already (adapters/sequence.h). */
typedef struct {
    rsd_mat target;                     /* in the place of W */
    const rsd_calibration *calibration; /* of the inputs; G stays the calibration file's */
    rsd_mat corrected;                  /* gets W_q + C */
} layer_sequence;

/* Read, quantize, start the adapter, measure both against W, and keep it.  q NULL: for W itself.
 * Errors: those of reading, quantizing and the initialisation. */
RSD_CHECK int layer_make(layer_job *j, const layer_sequence *q);

/* ---- recover_sequence.c ---- */

/* All layers of a model in its order, on the first --sequence tokens; layers without quantizer are
 * made for W itself.  Errors: RSD_ESTOPPED after a signal; layer_make's with the matrix' name,
 * rsd_sequence's. */
RSD_CHECK int layers_in_sequence(student *s, layer_job *job, size_t jobs);

/* ---- recover_ranks.c ---- */

typedef struct {
    const rsd_tensor *tensor;
    const rsd_spec *spec; /* NULL: nothing is lost there */
    size_t pool;
    size_t rank; /* in: of the uniform choice, which sets the budget; out: what it gets, >= 1 */
} rank_layer;

/* Ranks that cost as many numbers as the given ones, or fewer by less than one rank, and leave the
 * least predicted loss: half the tail energy of G^(1/2) (W - W_q) H^(1/2), summed over layers.
 * Errors: RSD_EUSAGE for a layer without H or G; those of reading, quantizing, the roots and the
 * spectrum; with the matrix' name. */
RSD_CHECK int ranks_spread(const sweep *s, rsd_variant variant, rank_layer *layer, size_t count);

/* ---- recover_losses.c ---- */

/* Loss of each evaluation window as the model is now: loss[s->sweep->eval.windows].
 * Errors: the passes'. */
RSD_CHECK int student_losses(const student *s, double *loss);

/* Its mean loss on the first windows of the training stream. */
RSD_CHECK int student_probe(const student *s, double *loss);

/* The same of the run's model after its adapters were merged into the weights. */
RSD_CHECK int student_merged_losses(const student *s, recover_merge how, double *loss);

/* Bytes that the student holds, counted: of the linear layers that are quantized; of everything but
 * the teacher, which the sweep shares. */
size_t student_base_bytes(const student *s);
size_t student_bytes(const student *s);

/* ---- recover_train.c ---- */

/* What a training leaves behind, step by step. */
typedef struct {
    size_t steps, evals;
    double *train_loss, *rate; /* [steps of the plan], the first `steps` calibration */
    double *eval_step, *eval_loss;
    size_t most_evals;
    double best;
    size_t best_step;
    double seconds; /* of steps, over all processes that had a part */
} curves;

RSD_CHECK int curves_alloc(const recover_numbers *n, curves *out);
void curves_free(curves *c);

/* Train a student, from where `state` (a path without suffix; NULL: keep none) says it was left.
 * first: the loss before any step; last gets the losses after the last, by window.
 * Errors: RSD_ESTOPPED after a signal, with the state written; the trainer's. */
RSD_CHECK int recover_train(student *s, const char *state, double first, curves *c, double *last);

/* Remove what recover_train kept under this name. */
void recover_forget_state(const char *state);

/* ---- recover_layers.c ---- */

/* Rows of /recovery/layers, and the arrays that belong to them. */
typedef struct {
    recovery_layer row;
    size_t rank, start_rank;
    double *s, *start; /* singular values of C and of its start */
    double *u, *v;     /* [rank][rows], [rank][cols] */
} measured_layer;

typedef struct {
    size_t count;
    measured_layer *item;
} measured_layers;

RSD_CHECK int recover_measure(const student *s, measured_layers *out);

/* Overlaps of the trained correction's subspaces with those of the columns of B and rows of A; 0
 * matrices leave them as they are. */
RSD_CHECK int measured_overlap(const measured_layer *l, rsd_mat B, rsd_mat A, double *left,
                               double *right);

/* Overlaps with what calibration knows, where there is one (recover_data.c). */
RSD_CHECK int recover_overlap_data(const sweep *s, const rsd_tensor *t, rsd_mat R,
                                   measured_layer *l);
void measured_layers_free(measured_layers *l);
RSD_CHECK int recover_write_layers(rsd_store *store, const char *run_path,
                                   const measured_layers *l);

/* ---- recover_part.c ---- */

/* One run's results. */
typedef struct {
    recovery_row row;
    bool done;  /* the row is known, and ok */
    char *part; /* the file that it lies in, beside F.h5; NULL: in F.h5, or nowhere */
    double *fp, *q, *init, *trained, *merged; /* [row.windows], NULL where there is none */
    curves curves;
    measured_layers layers;
} outcome;

void outcome_free(outcome *o);

/* Finished runs on their way into the result file: each is a file of its own in F.h5.part/, written
 * beside its name and renamed; at the end they and what F.h5 held become the new F.h5. */
typedef struct {
    amend file;
    bool open;     /* false: no -o, nothing is kept */
    bool replace;  /* what F.h5 held of this model's runs does not count (--force) */
    size_t others; /* parts of runs that this sweep does not have */
    char **other;
} recover_parts;

/* Open and lock; read what is done into outcome[plan.runs], which is zero before.
 * Errors: RSD_EUSAGE when options contradict those of a run that is there; those of amend.h. */
RSD_CHECK int parts_open(const sweep *s, recover_parts *p, outcome *outcomes);
void parts_close(recover_parts *p);

/* Where a run's state is kept, without suffix; *path NULL where nothing is kept.  Caller frees. */
RSD_CHECK int parts_state(const sweep *s, const recover_parts *p, const recover_run *run,
                          char **path);

/* Keep a run that has ended, one way or the other. */
RSD_CHECK int parts_put(const sweep *s, recover_parts *p, const recover_run *run, outcome *o);

/* A file of this name in F.h5.part/ says that --force was given. */
#define PARTS_MARK "recovery-replace"

/* Everything into F.h5, unless nothing is new (recover_merge.c). */
RSD_CHECK int parts_finish(const sweep *s, recover_parts *p, const outcome *outcomes);

/* ---- recover_run.c ---- */

/* Losses that many runs are set against: by evaluation window. */
typedef struct {
    double *fp;
    double **q; /* [specs of -q, at least 1]; NULL until one run has needed it */
    size_t specs;
    bool memory_said;
} references;

/* What is known of a run before it begins; the row's texts are the caller's to free. */
RSD_CHECK int run_describe(const sweep *s, const recover_run *run, recovery_row *r);

/* Do it.  o->row is described.  Errors: RSD_ESTOPPED after a signal, with the state kept; what made
 * this run fail. */
RSD_CHECK int run_one(const sweep *s, references *refs, const recover_parts *parts,
                      const recover_run *run, outcome *o);

/* ---- recover_report.c ---- */

/* Bytes by the system: resident anonymous memory, and the most of all memory since the reset. */
size_t memory_resident(void);
size_t memory_peak(void);
void memory_reset_peak(void);

void report_table(const sweep *s, const outcome *outcomes);
RSD_CHECK int report_json(const sweep *s, const outcome *outcomes);

#endif
