/* Losses that are computed once and copied to every run that is set against them. */
#include "recover/references.h"

#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "mat.h"
#include "recover/losses.h"

#include <stdlib.h>
#include <string.h>

int references_alloc(const sweep *s, references *out)
{
    *out = (references){ .specs = s->plan.specs.specs ? s->plan.specs.specs : 1 };
    return rsd_zeroed(out->specs, sizeof *out->q, &out->q);
}

static void reference_free(reference *r)
{
    free(r->eval);
    free(r->second);
    *r = (reference){ 0 };
}

void references_free(references *r)
{
    for (size_t i = 0; r->q && i < r->specs; i++)
        reference_free(&r->q[i]);
    free(r->q);
    reference_free(&r->fp);
    *r = (references){ 0 };
}

/* Losses of a model without adapters: the original, or the run's quantizer's. */
static int compute(const sweep *s, const recover_run *run, reference *out)
{
    student plain;
    int err = student_make(s, run, STUDENT_PLAIN, &plain);
    if (!err)
        err = student_all_losses(&plain, &out->eval, &out->second);
    student_free(&plain);
    if (err)
        reference_free(out);
    return err;
}

static int need(const sweep *s, references *refs, const recover_run *run, reference **q)
{
    if (!refs->fp.eval) {
        const recover_run original = { .control = true, .init = &s->plan.zero };
        RSD_TRY(compute(s, &original, &refs->fp));
        console_detail("original: loss %.5f", rsd_mean(refs->fp.eval, s->eval.windows));
    }
    *q = NULL;
    if (run->control)
        return RSD_OK;
    *q = &refs->q[run->spec ? run->spec - s->plan.specs.spec : 0];
    if ((*q)->eval)
        return RSD_OK;
    RSD_TRY(compute(s, run, *q));
    console_detail("%s: loss %.5f", run->spec ? run->spec->text : "--map",
                   rsd_mean((*q)->eval, s->eval.windows));
    return RSD_OK;
}

static int copy(const double *from, size_t n, double **to)
{
    if (!from)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(n, 1, sizeof **to, to));
    memcpy(*to, from, n * sizeof *from);
    return RSD_OK;
}

int references_put(const sweep *s, references *refs, const recover_run *run, outcome *o)
{
    reference *q;
    RSD_TRY(need(s, refs, run, &q));
    RSD_TRY(copy(refs->fp.eval, s->eval.windows, &o->fp));
    RSD_TRY(copy(refs->fp.second, s->second.windows, &o->second_fp));
    if (!q)
        return RSD_OK;
    RSD_TRY(copy(q->eval, s->eval.windows, &o->q));
    return copy(q->second, s->second.windows, &o->second_q);
}
