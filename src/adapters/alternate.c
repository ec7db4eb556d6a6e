#include "adapters/alternate.h"

#include "linalg/lowrank.h"

#include <math.h>

int rsd_init_quantize(const rsd_init_task *task, rsd_mat X, rsd_init_result *out)
{
    rsd_packed_free(&out->packed);
    if (task->quantizer)
        return rsd_quantize(task->quantizer, X, task->calibration, out->Wq, &out->stats,
                            &out->packed);
    rsd_mat_copy(X, out->Wq);
    out->stats = (rsd_quant_stats){ .bits_per_weight = 32, .sqnr_db = INFINITY };
    return RSD_OK;
}

/* The best pair so far. */
typedef struct {
    double error;
    rsd_init_result pair; /* own Wq, B, A, packed */
} kept;

static int kept_alloc(const rsd_init_result *like, kept *k)
{
    k->error = INFINITY;
    RSD_TRY(rsd_mat_alloc(like->Wq.m, like->Wq.n, &k->pair.Wq));
    RSD_TRY(rsd_mat_alloc(like->B.m, like->B.n, &k->pair.B));
    return rsd_mat_alloc(like->A.m, like->A.n, &k->pair.A);
}

static void kept_free(kept *k)
{
    rsd_mat_free(&k->pair.Wq);
    rsd_mat_free(&k->pair.B);
    rsd_mat_free(&k->pair.A);
    rsd_packed_free(&k->pair.packed);
}

/* to = from; the packed bytes change their owner. */
static void move(rsd_init_result *from, rsd_init_result *to)
{
    rsd_mat_copy(from->Wq, to->Wq);
    rsd_mat_copy(from->B, to->B);
    rsd_mat_copy(from->A, to->A);
    rsd_packed_free(&to->packed);
    to->packed = from->packed;
    to->stats = from->stats;
    from->packed = (rsd_packed){ 0 };
}

/* R = W - B A */
static void subtract_correction(rsd_mat W, const rsd_init_result *out, rsd_mat R)
{
    rsd_mat_mul(out->B, out->A, R);
    rsd_mat_sub(W, R, R);
}

/* The best correction of what Wq leaves; R is work space. */
static int correct(const rsd_alternation *how, const rsd_init_task *task, rsd_mat R,
                   rsd_init_result *out)
{
    rsd_mat_sub(task->W, out->Wq, R);
    return rsd_metric_lowrank(&how->metric, R, task->seed, out->B, out->A);
}

/* From the correction in out, or none, to the next pair. */
static int step(const rsd_alternation *how, const rsd_init_task *task, bool corrected, rsd_mat R,
                rsd_init_result *out)
{
    rsd_mat X = task->W;
    if (corrected) {
        subtract_correction(task->W, out, R);
        X = R;
    }
    RSD_TRY(rsd_init_quantize(task, X, out));
    out->steps++;
    return how->refit ? correct(how, task, R, out) : RSD_OK;
}

static int error_of(const rsd_alternation *how, const rsd_init_task *task, rsd_mat R,
                    const rsd_init_result *out, double *error)
{
    subtract_correction(task->W, out, R);
    rsd_mat_sub(R, out->Wq, R);
    return rsd_metric_norm(&how->metric, R, error);
}

/* The last pair, whatever it is. */
static int run(const rsd_alternation *how, const rsd_init_task *task, rsd_mat R,
               rsd_init_result *out)
{
    for (size_t t = 0; t < how->steps; t++) {
        if (t && !how->refit)
            RSD_TRY(correct(how, task, R, out));
        RSD_TRY(step(how, task, t || how->from_weights, R, out));
    }
    return RSD_OK;
}

/* The best pair. */
static int run_best(const rsd_alternation *how, const rsd_init_task *task, rsd_mat R,
                    rsd_init_result *out)
{
    int err = RSD_OK;
    kept best = { 0 };
    RSD_TRY_DONE(kept_alloc(out, &best));
    for (size_t t = 0; t < how->steps; t++) {
        double error;
        if (t && !how->refit)
            RSD_TRY_DONE(correct(how, task, R, out));
        RSD_TRY_DONE(step(how, task, t || how->from_weights, R, out));
        RSD_TRY_DONE(error_of(how, task, R, out, &error));
        const bool better = t == 0 || error < best.error;
        if (!better && how->stop)
            break;
        if (!better)
            continue;
        move(out, &best.pair);
        best.error = error;
    }
    move(&best.pair, out);
done:
    kept_free(&best);
    return err;
}

int rsd_alternate(const rsd_alternation *how, const rsd_init_task *task, rsd_init_result *out)
{
    int err = RSD_OK;
    rsd_mat R = { 0 };
    out->clamped = how->metric.G.clamped + how->metric.H.clamped;
    RSD_TRY_DONE(rsd_mat_alloc(task->W.m, task->W.n, &R));
    if (how->from_weights)
        RSD_TRY_DONE(rsd_metric_lowrank(&how->metric, task->W, task->seed, out->B, out->A));
    RSD_TRY_DONE(how->best || how->stop ? run_best(how, task, R, out) : run(how, task, R, out));
done:
    rsd_mat_free(&R);
    return err;
}
