/* The runs of a sweep: lists are parsed, crossed, and given their controls. */
#include "alloc.h"
#include "cli/console.h"
#include "near.h"
#include "quantize/budget.h"
#include "quantizers/label.h"
#include "recover/base_choice.h"
#include "recover/options.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- lists ---- */

static int take_variant(void *context, const char *word)
{
    recover_plan *plan = context;
    int v = 0;
    rsd_near near = { .word = word };
    while (v < RSD_VARIANTS && strcasecmp(rsd_variant_name((rsd_variant)v), word) != 0)
        rsd_near_try(&near, rsd_variant_name((rsd_variant)v++));
    if (v == RSD_VARIANTS)
        return RSD_FAIL(RSD_EUSAGE, "--variant: no '%s'; there are %s%s", word, RSD_VARIANT_WORDS,
                        rsd_near_hint(&near).text);
    for (size_t i = 0; i < plan->variants; i++)
        if (plan->variant[i] == (rsd_variant)v)
            return RSD_OK;
    RSD_TRY(rsd_room(&plan->variant, plan->variants, 1, sizeof *plan->variant));
    plan->variant[plan->variants++] = (rsd_variant)v;
    return RSD_OK;
}

static int take_storage(void *context, const char *word)
{
    recover_plan *plan = context;
    rsd_spec spec;
    if (rsd_spec_parse(word, &spec))
        return rsd_fail_prefix(RSD_EUSAGE, "--factors");
    if (spec.quantizer->calibration == RSD_CALIBRATION_NEEDS)
        return RSD_FAIL(RSD_EUSAGE, "--factors %s: it needs a calibration, and factors have none",
                        spec.text);
    for (size_t i = 0; i < plan->storages; i++)
        if (strcmp(plan->storage[i].text, spec.text) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&plan->storage, plan->storages, 1, sizeof *plan->storage));
    plan->storage[plan->storages++] = spec;
    return RSD_OK;
}

static int parse_lists(const recover_params *p, recover_plan *plan)
{
    RSD_TRY(select_specs_parse(&p->specs, &p->map, &plan->specs));
    RSD_TRY(choices_parse(&p->ranks, &p->inits, &plan->of));
    RSD_TRY(choices_each(&p->variants, choices_word, take_variant, plan));
    RSD_TRY(choices_each(&p->factors, rsd_spec_item, take_storage, plan));
    RSD_TRY(rsd_spec_parse("bf16", &plan->plain));
    if (plan->storages == 0)
        RSD_TRY(take_storage(plan, "bf16"));
    if (plan->of.ranks == 0)
        RSD_TRY(choices_add_rank(&plan->of, "8"));
    if (plan->variants == 0)
        RSD_TRY(take_variant(plan, "lora"));
    if (plan->of.inits == 0)
        RSD_TRY(choices_add_init(&plan->of, "zero"));
    RSD_TRY(rsd_init_parse("zero", &plan->zero));
    if (plan->specs.specs + plan->specs.rules == 0)
        return RSD_FAIL(RSD_EUSAGE, "say which quantizer: -q SPEC or --map GLOB=SPEC");
    return RSD_OK;
}

/* ---- ranks ---- */

/* Most rank that a layer's correction can have: of the linear layers that get adapters. */
static size_t widest(const recover_params *p, const rsd_model *model)
{
    const select_options all = { 0 };
    size_t most = 0;
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        const size_t least = t->rows < t->cols ? t->rows : t->cols;
        if (select_takes(&all, model, t) && (!p->targets || fnmatch(p->targets, t->name, 0) == 0))
            most = least > most ? least : most;
    }
    return most;
}

/* A rank that no layer has is called by what there is; two that become the same are one. */
static void cap_ranks(const recover_params *p, const rsd_model *model, choices *of)
{
    const size_t most = widest(p, model);
    size_t kept = 0;
    for (size_t i = 0; i < of->ranks; i++) {
        size_t rank = of->rank[i], k = 0;
        if (most && rank > most) {
            console_note("--rank %zu: no layer with adapters has more than %zu, which is taken",
                         rank, most);
            rank = most;
        }
        while (k < kept && of->rank[k] != rank)
            k++;
        of->rank[k] = rank;
        kept += k == kept;
    }
    of->ranks = kept;
}

/* ---- runs ---- */

/* "_int8"; nothing for bf16. */
static int name_factors(const recover_plan *plan, const recover_run *r, char **out)
{
    if (strcmp(r->factors->text, plan->plain.text) == 0)
        return rsd_copy_text("", out);
    char *label = rsd_spec_label(r->factors->text);
    const int err = label ? rsd_format(out, "_%s", label)
                          : RSD_FAIL(RSD_ENOMEM, "label of %s", r->factors->text);
    free(label);
    return err;
}

static int name_run(const recover_plan *plan, recover_run *r, const char *model)
{
    char *label = r->spec ? rsd_spec_label(r->spec->text) : NULL, *factors;
    if (r->spec && !label)
        return RSD_FAIL(RSD_ENOMEM, "label of %s", r->spec->text);
    const char *quantizer = label ? label : r->control ? "original" : "map";
    int err = name_factors(plan, r, &factors);
    if (!err && r->same_bytes)
        err = rsd_format(&r->name, "%s_%s_r%zu_%s%s_same_bytes", model, quantizer, r->rank,
                         rsd_variant_name(r->variant), factors);
    else if (!err)
        err = rsd_format(&r->name, "%s_%s_r%zu_%s_%s_s%zu%s", model, quantizer, r->rank,
                         r->init->text, rsd_variant_name(r->variant), r->seed, factors);
    if (!err)
        r->training = strlen(r->name) - strlen(factors);
    free(factors);
    free(label);
    return err;
}

static int add_run(recover_plan *plan, recover_run r, const char *model)
{
    RSD_TRY(rsd_room(&plan->run, plan->runs, 1, sizeof *plan->run));
    RSD_TRY(name_run(plan, &r, model));
    plan->run[plan->runs++] = r;
    return RSD_OK;
}

/* qalora's pooled inputs are the quantizer's groups: its control has them too, and the quantizer in
 * its name; the others' controls know no quantizer. */
static int add_control(recover_plan *plan, recover_run r, const char *model)
{
    r.control = true;
    r.init = &plan->zero;
    r.factors = &plan->plain;
    if (r.variant != RSD_QALORA)
        r.spec = NULL;
    for (size_t i = 0; i < plan->runs; i++) {
        const recover_run *c = &plan->run[i];
        if (c->control && c->spec == r.spec && c->variant == r.variant && c->rank == r.rank &&
            c->seed == r.seed)
            return RSD_OK;
    }
    RSD_TRY(add_run(plan, r, model));
    recover_run *added = &plan->run[plan->runs - 1];
    if (!r.spec)
        return RSD_OK;
    char *name; /* not the name of the quantized run */
    RSD_TRY(rsd_format(&name, "%s_original", added->name));
    free(added->name);
    added->name = name;
    added->training = strlen(name);
    return RSD_OK;
}

/* Of the same quantizer, variant, rank and storage there is one. */
static int add_base(recover_plan *plan, recover_run r, const char *model)
{
    r.same_bytes = true;
    r.init = &plan->zero;
    for (size_t i = 0; i < plan->runs; i++) {
        const recover_run *b = &plan->run[i];
        if (b->same_bytes && b->spec == r.spec && b->variant == r.variant && b->rank == r.rank &&
            b->factors == r.factors)
            return RSD_OK;
    }
    return add_run(plan, r, model);
}

/* Every combination: quantizer, variant, rank, initialisation, seed, storage of the factors. */
static int cross(const recover_params *p, recover_plan *plan,
                 int (*put)(recover_plan *plan, recover_run r, const char *model),
                 const char *model)
{
    const size_t specs = plan->specs.specs ? plan->specs.specs : 1;
    const size_t inits = put == add_run ? plan->of.inits : 1;
    const size_t count =
        specs * plan->variants * plan->of.ranks * inits * p->seeds * plan->storages;
    for (size_t i = 0; i < count; i++) {
        size_t k = i;
        recover_run r = { .set_against = SIZE_MAX };
        r.factors = &plan->storage[k % plan->storages];
        k /= plan->storages;
        r.seed = p->common.seed + k % p->seeds;
        k /= p->seeds;
        r.init = &plan->of.init[k % inits];
        k /= inits;
        r.rank = plan->of.rank[k % plan->of.ranks];
        k /= plan->of.ranks;
        r.variant = plan->variant[k % plan->variants];
        k /= plan->variants;
        r.spec = plan->specs.specs ? &plan->specs.spec[k] : NULL;
        RSD_TRY(put(plan, r, model));
    }
    return RSD_OK;
}

static void find_controls(recover_plan *plan)
{
    for (size_t i = 0; i < plan->runs; i++) {
        recover_run *r = &plan->run[i];
        for (size_t k = 0; !r->control && !r->same_bytes && k < plan->runs; k++) {
            const recover_run *c = &plan->run[k];
            if (c->control && c->variant == r->variant && c->rank == r->rank &&
                c->seed == r->seed && (c->variant != RSD_QALORA || c->spec == r->spec))
                r->set_against = k;
        }
    }
}

static int check(const recover_params *p, const recover_plan *plan)
{
    const recover_numbers *n = &p->numbers;
    for (size_t i = 0; i < plan->variants; i++)
        if (n->straight && plan->variant[i] != RSD_LORA)
            return RSD_FAIL(RSD_EUSAGE, "--quantization-aware is for lora, not %s",
                            rsd_variant_name(plan->variant[i]));
    if (n->straight && (plan->storages > 1 || strcmp(plan->storage->text, plan->plain.text) != 0))
        return RSD_FAIL(RSD_EUSAGE, "--factors: what --quantization-aware trains is on the "
                                    "quantizer's grid, and no factors are stored");
    if (n->eval_every > n->steps)
        return RSD_FAIL(RSD_EUSAGE, "--eval-every %zu is above --steps %zu; 0 evaluates at the end",
                        n->eval_every, n->steps);
    if (n->spread && !p->calibration)
        return RSD_FAIL(RSD_EUSAGE, "--rank-budget predicts losses from H and G: --calibration "
                                    "FILE.h5");
    if (!p->eval_tokens)
        return RSD_FAIL(RSD_EUSAGE, "say what losses are measured on: --eval-tokens PATH");
    return RSD_OK;
}

/* What no run could do is said before any work. */
static int check_model(const recover_params *p, const rsd_model *model, const recover_plan *plan)
{
    const rsd_model *const models[] = { model };
    RSD_TRY(select_check(&p->select, &plan->specs, p->calibration, models, 1));
    for (size_t i = 0; i < plan->of.inits; i++)
        if (!p->calibration && plan->of.init[i].init->calibration == RSD_CALIBRATION_NEEDS)
            return RSD_FAIL(RSD_EUSAGE,
                            "--init %s needs a calibration: residuum calibrate, then --calibration "
                            "FILE.h5",
                            plan->of.init[i].text);
    return p->targets ? select_check_glob("--targets", p->targets, models, 1) : RSD_OK;
}

/* --target-bpw: several quantizers become a rule for each matrix. */
static int choose_quantizers(const recover_params *p, const rsd_model *model,
                             const calibration *data, recover_plan *plan)
{
    const budget_job job = {
        .model = model, .select = &p->select, .calibration = data, .bits = p->target_bpw
    };
    if (p->target_bpw > 0)
        RSD_TRY(budget_choose(&job, &plan->specs));
    return RSD_OK;
}

int recover_plan_make(const recover_params *params, const rsd_model *model, const char *name,
                      const calibration *data, recover_plan *out)
{
    *out = (recover_plan){ 0 };
    RSD_TRY(parse_lists(params, out));
    RSD_TRY(check(params, out));
    RSD_TRY(check_model(params, model, out));
    cap_ranks(params, model, &out->of);
    RSD_TRY(choose_quantizers(params, model, data, out));
    if (!params->no_control && params->numbers.steps)
        RSD_TRY(cross(params, out, add_control, name));
    RSD_TRY(cross(params, out, add_run, name));
    if (recover_wants_bases(params))
        RSD_TRY(cross(params, out, add_base, name));
    find_controls(out);
    return RSD_OK;
}

void recover_plan_free(recover_plan *plan)
{
    for (size_t i = 0; i < plan->runs; i++)
        free(plan->run[i].name);
    free(plan->run);
    free(plan->variant);
    free(plan->storage);
    choices_free(&plan->of);
    select_specs_free(&plan->specs);
    *plan = (recover_plan){ 0 };
}

/* ---- one layer ---- */

const rsd_spec *recover_spec_for(const recover_plan *plan, const recover_run *run,
                                 const select_options *select, const rsd_model *model,
                                 const rsd_tensor *t)
{
    size_t count;
    if (run->base)
        return base_spec_of(run->base, t);
    if (!select_takes(select, model, t))
        return NULL;
    const rsd_spec *all = select_specs_for(&plan->specs, t->name, &count);
    if (all != plan->specs.spec)
        return all; /* a rule of --map */
    return run->spec;
}

int recover_pool(const rsd_spec *spec, size_t *pool)
{
    char text[64];
    const rsd_opt *table = spec->quantizer->options;
    const rsd_opt *scheme = table ? rsd_opt_find(table, "scheme") : NULL;
    const rsd_opt *group = table ? rsd_opt_find(table, "group") : NULL;
    if (!scheme || !group)
        return RSD_FAIL(RSD_EUSAGE,
                        "qalora sums inputs by the groups of an affine quantizer, %s "
                        "has none: int:scheme=affine,group=N",
                        spec->text);
    rsd_opt_value(scheme, spec->params, text, sizeof text);
    if (strncmp(text, "affine", 6) != 0)
        return RSD_FAIL(RSD_EUSAGE, "qalora merges into zero points, %s has none: scheme=affine",
                        spec->text);
    rsd_opt_value(group, spec->params, text, sizeof text);
    *pool = strtoul(text, NULL, 10);
    if (*pool == 0)
        return RSD_FAIL(RSD_EUSAGE, "qalora needs groups along the inputs, %s has one per %s",
                        spec->text, text);
    return RSD_OK;
}
