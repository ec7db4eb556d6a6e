#include "transformer/evaluate.h"

#include "mat.h"

#include <stdlib.h>
#include <string.h>

size_t rsd_windows(size_t tokens, size_t context)
{
    return tokens > context ? (tokens - 1) / context : 0;
}

size_t rsd_window_at(size_t i, size_t count, size_t of)
{
    /* i * of may be beyond size_t where both are windows of a long stream */
    return of ? i * (of / count) + i * (of % count) / count : i;
}

/* Memory of one pass. */
typedef struct {
    int32_t *token, *input, *target;
    double *loss, *kl;
    unsigned char *agree;
    void *work;
    size_t work_bytes;
} pass;

static int pass_alloc(const rsd_evaluate_job *job, pass *p)
{
    const size_t rows = job->batch * job->context;
    *p = (pass){ 0 };
    RSD_TRY(rsd_array_alloc(job->context + 1, 1, sizeof *p->token, &p->token));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->input, &p->input));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->target, &p->target));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->loss, &p->loss));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->kl, &p->kl));
    return rsd_array_alloc(rows, 1, 1, &p->agree);
}

static void pass_free(pass *p)
{
    free(p->token);
    free(p->input);
    free(p->target);
    free(p->loss);
    free(p->kl);
    free(p->agree);
    free(p->work);
}

static int read_windows(const rsd_evaluate_job *job, size_t first, size_t count, const pass *p)
{
    const size_t T = job->context;
    for (size_t w = 0; w < count; w++) {
        const size_t at = rsd_window_at(first + w, job->windows, job->of);
        RSD_TRY(rsd_tokens_read(job->tokens, at * T, T + 1, p->token));
        memcpy(p->input + w * T, p->token, T * sizeof *p->token);
        memcpy(p->target + w * T, p->token + 1, T * sizeof *p->token);
    }
    return RSD_OK;
}

static int run_loss(const rsd_transformer *t, const rsd_loss *loss, pass *p)
{
    const size_t bytes = rsd_loss_work(loss);
    if (bytes > p->work_bytes) {
        free(p->work);
        p->work_bytes = 0;
        RSD_TRY(rsd_array_alloc(bytes, 1, 1, &p->work));
        p->work_bytes = bytes;
    }
    return rsd_loss_run(rsd_transformer_mm(t), loss, p->work);
}

static void window_means(const double *x, size_t count, size_t T, double *out)
{
    for (size_t w = 0; w < count; w++) {
        double sum = 0;
        for (size_t t = 0; t < T; t++)
            sum += x[w * T + t];
        out[w] = sum / (double)T;
    }
}

static int evaluate_pass(const rsd_evaluate_job *job, size_t first, size_t count, pass *p,
                         rsd_evaluation *out)
{
    const size_t T = job->context, M = count * T;
    const rsd_real *hidden, *original = NULL;
    RSD_TRY(read_windows(job, first, count, p));
    RSD_TRY(rsd_transformer_forward(job->model, p->input, count, T, &hidden));
    rsd_loss loss = { .M = M,
                      .model = rsd_transformer_head(job->model, hidden),
                      .target = p->target,
                      .loss = p->loss };
    if (job->original) {
        RSD_TRY(rsd_transformer_forward(job->original, p->input, count, T, &original));
        loss.teacher = rsd_transformer_head(job->original, original);
        loss.kl = p->kl;
        loss.agree = p->agree;
    }
    RSD_TRY(run_loss(job->model, &loss, p));
    window_means(p->loss, count, T, out->loss + first);
    if (!job->original)
        return RSD_OK;
    memcpy(out->kl + first * T, p->kl, M * sizeof *p->kl);
    for (size_t i = 0; i < M; i++)
        out->agree += p->agree[i];
    const rsd_loss own = { .M = M, .model = loss.teacher, .target = p->target, .loss = p->loss };
    RSD_TRY(run_loss(job->original, &own, p));
    window_means(p->loss, count, T, out->loss_original + first);
    return RSD_OK;
}

int rsd_evaluate(const rsd_evaluate_job *job, rsd_evaluation *out)
{
    pass p;
    int err = RSD_OK;
    *out = (rsd_evaluation){ .context = job->context };
    RSD_TRY_DONE(pass_alloc(job, &p));
    RSD_TRY_DONE(rsd_array_alloc(job->windows, 1, sizeof *out->loss, &out->loss));
    if (job->original) {
        RSD_TRY_DONE(
            rsd_array_alloc(job->windows, 1, sizeof *out->loss_original, &out->loss_original));
        RSD_TRY_DONE(rsd_array_alloc(job->windows, job->context, sizeof *out->kl, &out->kl));
    }
    while (out->windows < job->windows && !(job->stop && job->stop(job->callback_context))) {
        const size_t left = job->windows - out->windows;
        const size_t count = left < job->batch ? left : job->batch;
        RSD_TRY_DONE(evaluate_pass(job, out->windows, count, &p, out));
        out->windows += count;
        if (job->progress)
            job->progress(job->callback_context, out->windows);
    }
done:
    pass_free(&p);
    if (err)
        rsd_evaluation_free(out);
    return err;
}

void rsd_evaluation_free(rsd_evaluation *e)
{
    free(e->loss);
    free(e->loss_original);
    free(e->kl);
    *e = (rsd_evaluation){ 0 };
}
