/* --target-bpw: the quantizers to choose from, what each would cost, and the choice. */
#include "quantize/budget.h"

#include "alloc.h"
#include "cli/console.h"
#include "mat.h"
#include "quantize/trial.h"
#include "spectra/allocate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is said of a choice. */
typedef struct {
    double bits, loss;   /* per weight, and predicted, of what was chosen */
    double uniform_loss; /* predicted, of the best single quantizer within the budget; NaN: none */
    const char *uniform; /* its text, among specs */
} result;

/* The matrices that are chosen for, and what each candidate makes of them; then those that a rule
 * binds. */
typedef struct {
    const budget_job *job;
    select_specs *specs;
    size_t count, bound;
    trial *item;                 /* [count + bound] */
    rsd_option *option;          /* what they point into */
    double weights, bound_bytes; /* of all selected; of those that a rule binds */
} run;

static bool is_bound(const select_specs *specs, const char *tensor)
{
    size_t count;
    const rsd_spec *spec = select_specs_for(specs, tensor, &count);
    return spec != specs->spec;
}

/* ---- what candidates cost ---- */

/* Selected matrices, those that a rule binds at the end. */
static void list_matrices(run *r)
{
    const rsd_model *model = r->job->model;
    for (int bound = 0; bound < 2; bound++)
        for (size_t i = 0; i < rsd_model_count(model); i++) {
            const rsd_tensor *t = rsd_model_tensor(model, i);
            if (!select_takes(r->job->select, model, t) || is_bound(r->specs, t->name) != bound)
                continue;
            trial *item = &r->item[r->count + r->bound];
            *item = (trial){ .tensor = t };
            item->spec = select_specs_for(r->specs, t->name, &item->specs);
            r->weights += (double)t->elements;
            r->count += !bound;
            r->bound += bound;
        }
}

static int try_all(run *r)
{
    const trial_job job = { r->job->model, r->job->calibration, .predict = true };
    const size_t matrices = rsd_model_count(r->job->model);
    RSD_TRY(rsd_array_alloc(matrices + 1, 1, sizeof *r->item, &r->item));
    list_matrices(r);
    const size_t options = r->count * r->specs->specs + r->bound;
    RSD_TRY(rsd_array_alloc(options + 1, 1, sizeof *r->option, &r->option));
    rsd_option *next = r->option;
    for (size_t i = 0; i < r->count + r->bound; i++) {
        r->item[i].option = next;
        next += r->item[i].specs;
    }
    RSD_TRY(trials_run(&job, r->item, r->count + r->bound));
    for (size_t i = r->count; i < r->count + r->bound; i++)
        r->bound_bytes += r->item[i].option->cost;
    return RSD_OK;
}

/* ---- choosing ---- */

int budget_glob(const char *name, char **out)
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
        RSD_TRY(budget_glob(tensor[i], &rule->glob));
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
    int err = try_all(&r);
    if (!err)
        err = choose(&r, &chosen);
    if (!err)
        note(&chosen);
    free(r.option);
    free(r.item);
    return err;
}
