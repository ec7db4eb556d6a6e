#include "adapters/sequence.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One model's rows of one layer's inputs in the batch at hand. */
typedef struct {
    size_t layer;
    rsd_slot slot;
    rsd_real *x; /* [rows][n] */
    bool seen;
} tap;

/* Everything that lives as long as the job. */
typedef struct {
    const rsd_sequence_job *job;
    rsd_transformer *original, *current;
    int32_t *token;
    tap before, after;
    rsd_moment H;  /* of x~ */
    double *cross; /* [n*n] sum of x x~', then its mean */
    double *panel, *panel_after;
} run;

/* The pass has done its work when it has come here. */
static int take(void *context, size_t layer, rsd_slot slot, const rsd_real *x, size_t rows,
                size_t n)
{
    tap *t = context;
    if (layer != t->layer || slot != t->slot)
        return RSD_OK;
    memcpy(t->x, x, rows * n * sizeof *x);
    t->seen = true;
    return RSD_ESTOPPED;
}

static int pass(rsd_transformer *model, tap *t, const int32_t *token, size_t count, size_t context)
{
    const rsd_capture capture = { .input = take, .context = t };
    const rsd_real *hidden;
    t->seen = false;
    rsd_transformer_capture(model, &capture);
    const int err = rsd_transformer_forward(model, token, count, context, &hidden);
    rsd_transformer_capture(model, NULL);
    return t->seen ? RSD_OK : err;
}

static void widen(const rsd_real *x, size_t count, double *out)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (double)x[i];
}

/* cross += sum over rows of x x~' */
static void add_cross(run *r, size_t rows, size_t n)
{
    for (size_t at = 0; at < rows; at += RSD_MOMENT_PANEL) {
        const size_t p = rows - at < RSD_MOMENT_PANEL ? rows - at : RSD_MOMENT_PANEL;
        widen(r->before.x + at * n, p * n, r->panel);
        widen(r->after.x + at * n, p * n, r->panel_after);
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)n, (int)p, 1, r->panel,
                    (int)n, r->panel_after, (int)n, 1, r->cross, (int)n);
    }
}

/* Both moments of the inputs of (layer, slot), n wide. */
static int observe(run *r, size_t layer, rsd_slot slot, size_t n)
{
    const rsd_sequence_job *job = r->job;
    const size_t T = job->context;
    r->before.layer = r->after.layer = layer;
    r->before.slot = r->after.slot = slot;
    memset(r->cross, 0, n * n * sizeof *r->cross);
    RSD_TRY(rsd_moment_alloc(n, &r->H));
    for (size_t w = 0; w < job->windows; w += job->batch) {
        const size_t count = job->windows - w < job->batch ? job->windows - w : job->batch;
        if (job->stop && job->stop(job->callback_context))
            return RSD_FAIL(RSD_ESTOPPED, "stopped in layer %zu", layer);
        for (size_t i = 0; i < count; i++)
            RSD_TRY(rsd_tokens_read(job->tokens, (w + i) * T, T, r->token + i * T));
        RSD_TRY(pass(r->original, &r->before, r->token, count, T));
        RSD_TRY(pass(r->current, &r->after, r->token, count, T));
        rsd_moment_add(&r->H, r->after.x, count * T, r->panel);
        add_cross(r, count * T, n);
    }
    for (size_t i = 0; i < n * n; i++)
        r->cross[i] /= (double)(job->windows * T);
    return rsd_moment_finish(&r->H);
}

/* cross becomes (E[x x~'] + l I)', factor the Cholesky factor of H + l I; false where x~ is 0. */
static int prepare(run *r, size_t n, double *factor, bool *moves)
{
    double trace = 0;
    memcpy(factor, r->H.second, n * n * sizeof *factor);
    for (size_t i = 0; i < n; i++)
        trace += factor[i * n + i];
    *moves = trace > 0;
    if (!*moves)
        return RSD_OK;
    for (size_t i = 0; i < n; i++) {
        factor[i * n + i] += r->job->ridge * trace / (double)n;
        r->cross[i * n + i] += r->job->ridge * trace / (double)n;
    }
    const int info = LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', (int)n, factor, (int)n);
    return info ? RSD_FAIL(RSD_EDOM,
                           "second moment of %zu channels with ridge %g is not positive "
                           "definite (minor %d)",
                           n, r->job->ridge, info)
                : RSD_OK;
}

/* target = W cross factor^-1.  Row-major m x n is column-major n x m, and H is symmetric. */
static int retarget(const run *r, rsd_mat W, const double *factor, rsd_mat target)
{
    const size_t m = W.m, n = W.n;
    int err = RSD_OK;
    double *w = NULL, *y = NULL;
    RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *w, &w));
    RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *y, &y));
    for (size_t i = 0; i < m * n; i++)
        w[i] = (double)W.x[i];
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)n, 1, w, (int)n,
                r->cross, (int)n, 0, y, (int)n);
    LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', (int)n, (int)m, factor, (int)n, y, (int)n);
    for (size_t i = 0; i < m * n; i++)
        target.x[i] = (float)y[i];
    err = rsd_mat_check_finite(target);
done:
    free(y);
    free(w);
    return err;
}

static rsd_mat weight_of(const rsd_weights *w, size_t layer, rsd_slot slot)
{
    const rsd_factor *W = &w->block[layer].linear[slot].W;
    if (!W->x)
        return (rsd_mat){ 0 };
    return (rsd_mat){ w->memory + (W->x - w->memory), W->rows, W->cols, W->cols };
}

static int correct_layer(run *r, size_t layer, rsd_slot slot, const double *factor, bool moves)
{
    const rsd_sequence_job *job = r->job;
    const rsd_mat W = weight_of(job->original, layer, slot);
    const rsd_moment *G = job->block ? job->block[layer].G[slot] : NULL;
    const rsd_calibration seen = { .m = W.m,
                                   .n = W.n,
                                   .H = r->H.second,
                                   .G = G ? G->second : NULL,
                                   .mean_abs = r->H.mean_abs,
                                   .max_abs = r->H.max_abs,
                                   .tokens = r->H.rows };
    int err = RSD_OK;
    rsd_mat target;
    RSD_TRY_DONE(rsd_mat_alloc(W.m, W.n, &target));
    if (moves)
        RSD_TRY_DONE(retarget(r, W, factor, target));
    else
        rsd_mat_copy(W, target);
    RSD_TRY_DONE(job->correct(job->callback_context, layer, slot, target, &seen,
                              weight_of(job->current, layer, slot)));
done:
    rsd_mat_free(&target);
    return err;
}

/* slot and those that read the same. */
static int correct_group(run *r, size_t layer, rsd_slot slot, size_t *done)
{
    const size_t n = weight_of(r->job->original, layer, slot).n;
    int err = RSD_OK;
    bool moves;
    double *factor = NULL;
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *factor, &factor));
    RSD_TRY_DONE(observe(r, layer, slot, n));
    RSD_TRY_DONE(prepare(r, n, factor, &moves));
    for (rsd_slot s = slot; s < RSD_LINEARS; s++)
        if (rsd_same_input(slot, s) && weight_of(r->job->original, layer, s).x) {
            RSD_TRY_DONE(correct_layer(r, layer, s, factor, moves));
            ++*done;
        }
done:
    rsd_moment_free(&r->H);
    r->H = (rsd_moment){ 0 };
    free(factor);
    return err;
}

static bool leads_group(const run *r, size_t layer, rsd_slot slot)
{
    for (rsd_slot s = 0; s < slot; s++)
        if (rsd_same_input(s, slot) && weight_of(r->job->original, layer, s).x)
            return false;
    return weight_of(r->job->original, layer, slot).x;
}

static int run_alloc(run *r)
{
    const rsd_sequence_job *job = r->job;
    const size_t rows = job->batch * job->context;
    size_t n = 1;
    for (size_t i = 0; i < job->original->shape.layers * RSD_LINEARS; i++) {
        const rsd_mat W = weight_of(job->original, i / RSD_LINEARS, i % RSD_LINEARS);
        n = W.x && W.n > n ? W.n : n;
    }
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->token, &r->token));
    RSD_TRY(rsd_array_alloc(rows, n, sizeof *r->before.x, &r->before.x));
    RSD_TRY(rsd_array_alloc(rows, n, sizeof *r->after.x, &r->after.x));
    RSD_TRY(rsd_array_alloc(n, n, sizeof *r->cross, &r->cross));
    RSD_TRY(rsd_array_alloc(RSD_MOMENT_PANEL, n, sizeof *r->panel, &r->panel));
    RSD_TRY(rsd_array_alloc(RSD_MOMENT_PANEL, n, sizeof *r->panel_after, &r->panel_after));
    RSD_TRY(rsd_transformer_alloc(job->original, RSD_PRECISION_F32, RSD_KEEP_NOTHING, rows,
                                  &r->original));
    return rsd_transformer_alloc(job->current, RSD_PRECISION_F32, RSD_KEEP_NOTHING, rows,
                                 &r->current);
}

int rsd_sequence(const rsd_sequence_job *job, size_t *done)
{
    int err = RSD_OK;
    run r = { .job = job };
    *done = 0;
    if (!(job->ridge > 0) || isinf(job->ridge) || !job->batch || !job->windows || !job->context)
        return RSD_FAIL(RSD_EARG, "a sequence with ridge %g, %zu windows of %zu tokens, %zu a pass",
                        job->ridge, job->windows, job->context, job->batch);
    RSD_TRY_DONE(run_alloc(&r));
    for (size_t layer = 0; layer < job->original->shape.layers; layer++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            if (!leads_group(&r, layer, slot))
                continue;
            RSD_TRY_DONE(correct_group(&r, layer, slot, done));
        }
done:
    if (err == RSD_ESTOPPED)
        err = RSD_OK; /* *done says how far it came */
    rsd_transformer_free(r.current);
    rsd_transformer_free(r.original);
    free(r.panel_after);
    free(r.panel);
    free(r.cross);
    free(r.after.x);
    free(r.before.x);
    free(r.token);
    return err;
}
