/* --target-bpw: the quantizers to choose from, what each would cost, and the choice. */
#include "quantize/budget.h"

#include "alloc.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "linalg/roots.h"
#include "mat.h"
#include "spectra/allocate.h"
#include "spectra/forecast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is said of a choice. */
typedef struct {
    double bits, loss;   /* per weight, and predicted, of what was chosen */
    double uniform_loss; /* predicted, of the best single quantizer within the budget; NaN: none */
    const char *uniform; /* its text, among specs */
} result;

/* One matrix, and what each candidate makes of it. */
typedef struct {
    const rsd_tensor *tensor;
    rsd_option *option; /* [specs] bytes, predicted loss */
} candidate;

typedef struct {
    const budget_job *job;
    select_specs *specs;
    size_t count;
    candidate *item;
    double weights, bound_bytes; /* of all selected; of those that a rule binds */
} run;

static bool is_bound(const select_specs *specs, const char *tensor)
{
    size_t count;
    const rsd_spec *spec = select_specs_for(specs, tensor, &count);
    return spec != specs->spec;
}

/* ---- what candidates cost ---- */

static int try_spec(const rsd_spec *spec, rsd_mat W, const layer_calibration *k, rsd_mat Wq,
                    rsd_option *out)
{
    rsd_quant_stats stats;
    double trace;
    RSD_TRY(rsd_quantize(spec, W, &k->c, Wq, &stats, NULL));
    rsd_mat_sub(W, Wq, Wq);
    RSD_TRY(rsd_quadratic(k->c.G, Wq, k->c.H, &trace));
    *out = (rsd_option){ (double)stats.packed_bytes, rsd_loss_of_energy(trace) };
    return RSD_OK;
}

static int try_all(run *r, const rsd_tensor *t, const rsd_spec *spec, size_t count,
                   rsd_option *option)
{
    layer_calibration k = { 0 };
    rsd_mat W = { 0 }, Wq = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(calibration_read(r->job->calibration, t, &k));
    if (!k.c.H || !k.c.G) {
        err = RSD_FAIL(RSD_EUSAGE, "no H and G of this matrix: residuum calibrate");
        goto done;
    }
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &Wq));
    RSD_TRY_DONE(rsd_model_read(r->job->model, t, W));
    for (size_t s = 0; s < count; s++)
        RSD_TRY_DONE(try_spec(&spec[s], W, &k, Wq, &option[s]));
done:
    rsd_mat_free(&W);
    rsd_mat_free(&Wq);
    layer_calibration_free(&k);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

static int take_tensor(run *r, const rsd_tensor *t)
{
    r->weights += (double)t->elements;
    if (is_bound(r->specs, t->name)) {
        rsd_option bound = { 0 };
        size_t one;
        RSD_TRY(try_all(r, t, select_specs_for(r->specs, t->name, &one), 1, &bound));
        r->bound_bytes += bound.cost;
        return RSD_OK;
    }
    candidate *c = &r->item[r->count++];
    c->tensor = t;
    RSD_TRY(rsd_array_alloc(r->specs->specs, 1, sizeof *c->option, &c->option));
    return try_all(r, t, r->specs->spec, r->specs->specs, c->option);
}

static int take_all(run *r)
{
    const size_t tensors = rsd_model_count(r->job->model);
    RSD_TRY(rsd_array_alloc(tensors + 1, 1, sizeof *r->item, &r->item));
    console_progress_begin("trying quantizers on", tensors, (double)tensors);
    int err = RSD_OK;
    for (size_t i = 0; i < tensors && !err; i++) {
        const rsd_tensor *t = rsd_model_tensor(r->job->model, i);
        if (stop_requested())
            err = RSD_ESTOPPED;
        else if (select_takes(r->job->select, r->job->model, t))
            err = take_tensor(r, t);
        console_progress_step(t->name, 1);
    }
    console_progress_end();
    return err;
}

/* ---- choosing ---- */

/* A name as a glob that matches it alone. */
static int glob_of(const char *name, char **out)
{
    char *at;
    RSD_TRY(rsd_zeroed(2 * strlen(name) + 1, 1, out));
    for (at = *out; *name; *at++ = *name++)
        if (strchr("*?[]\\", *name))
            *at++ = '\\';
    return RSD_OK;
}

int budget_bind(select_specs *specs, const char *const *tensor, const size_t *chosen, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        RSD_TRY(rsd_room(&specs->rule, specs->rules, 1, sizeof *specs->rule));
        select_rule *rule = &specs->rule[specs->rules];
        rule->spec = specs->spec[chosen[i]];
        RSD_TRY(glob_of(tensor[i], &rule->glob));
        specs->rules++;
    }
    specs->specs = 0;
    return RSD_OK;
}

static int add_rules(run *r, const size_t *chosen)
{
    const char **name;
    RSD_TRY(rsd_array_alloc(r->count + 1, 1, sizeof *name, &name));
    for (size_t i = 0; i < r->count; i++)
        name[i] = r->item[i].tensor->name;
    const int err = budget_bind(r->specs, name, chosen, r->count);
    free(name);
    for (size_t i = 0; !err && i < r->count; i++) {
        const select_rule *rule = &r->specs->rule[r->specs->rules - r->count + i];
        console_detail("--map '%s=%s'   predicted %.3g nats per token", rule->glob, rule->spec.text,
                       r->item[i].option[chosen[i]].loss);
    }
    return err;
}

static int choose(run *r, result *out)
{
    const double bytes = r->job->bits * r->weights / 8 - r->bound_bytes;
    rsd_options *layer = NULL;
    size_t *chosen = NULL;
    rsd_allocation a;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(r->count + 1, 1, sizeof *layer, &layer));
    RSD_TRY_DONE(rsd_array_alloc(r->count + 1, 1, sizeof *chosen, &chosen));
    for (size_t i = 0; i < r->count; i++)
        layer[i] = (rsd_options){ r->specs->specs, r->item[i].option };
    err = rsd_allocate(layer, r->count, bytes, chosen, &a);
    if (err) {
        err = rsd_fail_prefix(err, "--target-bpw %g (in bytes)", r->job->bits);
        goto done;
    }
    double cost;
    const size_t uniform = rsd_allocate_uniform(layer, r->count, bytes, &cost, &out->uniform_loss);
    out->uniform = uniform == SIZE_MAX ? NULL : r->specs->spec[uniform].text;
    out->bits = 8 * (a.cost + r->bound_bytes) / r->weights;
    out->loss = a.loss;
    err = add_rules(r, chosen);
done:
    free(chosen);
    free(layer);
    return err;
}

static void note(const result *chosen)
{
    if (chosen->uniform)
        console_note("%.3f bits per weight, predicted loss +%.4g; %s everywhere: +%.4g",
                     chosen->bits, chosen->loss, chosen->uniform, chosen->uniform_loss);
    else
        console_note("%.3f bits per weight, predicted loss +%.4g", chosen->bits, chosen->loss);
}

int budget_choose(const budget_job *job, select_specs *specs)
{
    run r = { .job = job, .specs = specs };
    result chosen = { .uniform_loss = NAN };
    if (!job->calibration || !job->calibration->store)
        return RSD_FAIL(RSD_EUSAGE, "--target-bpw predicts losses from H and G: --calibration "
                                    "FILE.h5");
    if (specs->specs < 2)
        return RSD_FAIL(RSD_EUSAGE, "--target-bpw chooses between quantizers: give several -q");
    int err = take_all(&r);
    if (!err)
        err = choose(&r, &chosen);
    if (!err)
        note(&chosen);
    for (size_t i = 0; i < r.count; i++)
        free(r.item[i].option);
    free(r.item);
    return err;
}
