/* The runs of a sweep: lists are parsed, crossed, and given their controls. */
#include "figures/label.h"
#include "mat.h"
#include "recover_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists ---- */

/* What a list of words "a,b" says, given once or more often. */
static int each_word(const rsd_list *list, int (*take)(recover_plan *, const char *),
                     recover_plan *plan)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < list->count; i++) {
        char *text = strdup(list->item[i]), *at = text;
        if (!text)
            return RSD_FAIL(RSD_ENOMEM, "'%s'", list->item[i]);
        for (char *word; !err && (word = strsep(&at, ",")) != NULL;)
            err = take(plan, word);
        free(text);
    }
    return err;
}

/* Room for one more of what *array holds. */
static int grow(void *array, size_t count, size_t size)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, (count + 1) * size);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "list of %zu", count + 1);
    memcpy(array, &grown, sizeof grown);
    return RSD_OK;
}

static int take_rank(recover_plan *plan, const char *word)
{
    static const rsd_opt row = { "rank", 0, RSD_OPT_SIZE, 0, 1, 1e6, "R", "" };
    size_t rank;
    const int err = rsd_opt_set(&row, &rank, word);
    if (err)
        return rsd_fail_prefix(err, "--rank");
    for (size_t i = 0; i < plan->ranks; i++)
        if (plan->rank[i] == rank)
            return RSD_OK;
    RSD_TRY(grow(&plan->rank, plan->ranks, sizeof *plan->rank));
    plan->rank[plan->ranks++] = rank;
    return RSD_OK;
}

static int take_variant(recover_plan *plan, const char *word)
{
    int v = 0;
    while (v < RSD_VARIANTS && strcmp(rsd_variant_name((rsd_variant)v), word) != 0)
        v++;
    if (v == RSD_VARIANTS)
        return RSD_FAIL(RSD_EUSAGE, "--variant: no '%s'; there are %s", word, RSD_VARIANT_WORDS);
    for (size_t i = 0; i < plan->variants; i++)
        if (plan->variant[i] == (rsd_variant)v)
            return RSD_OK;
    RSD_TRY(grow(&plan->variant, plan->variants, sizeof *plan->variant));
    plan->variant[plan->variants++] = (rsd_variant)v;
    return RSD_OK;
}

static int take_init(recover_plan *plan, const char *text)
{
    rsd_init_spec spec;
    const int err = rsd_init_parse(text, &spec);
    if (err)
        return rsd_fail_prefix(RSD_EUSAGE, "--init");
    for (size_t i = 0; i < plan->inits; i++)
        if (strcmp(plan->init[i].text, spec.text) == 0)
            return RSD_OK;
    RSD_TRY(grow(&plan->init, plan->inits, sizeof *plan->init));
    plan->init[plan->inits++] = spec;
    return RSD_OK;
}

/* Does the word begin another initialisation, or is it a key of the one before? */
static bool begins_init(const char *word)
{
    const size_t n = strcspn(word, ":,");
    for (const rsd_init *const *i = rsd_inits; *i; i++) {
        if (strlen((*i)->name) == n && strncmp((*i)->name, word, n) == 0)
            return true;
        for (const rsd_alias *a = (*i)->aliases; a && a->alias; a++)
            if (strlen(a->alias) == n && strncmp(a->alias, word, n) == 0)
                return true;
    }
    return false;
}

/* "zero,loftq:steps=5,order=svd,lorc": commas part initialisations, and keys inside one. */
static int take_inits(recover_plan *plan, const char *text)
{
    char *copy = strdup(text);
    int err = copy ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "--init %s", text);
    for (char *at = copy; !err && at;) {
        char *comma = strchr(at, ',');
        while (comma && !begins_init(comma + 1) && strchr(at, ':'))
            comma = strchr(comma + 1, ',');
        if (comma)
            *comma = 0;
        err = take_init(plan, at);
        at = comma ? comma + 1 : NULL;
    }
    free(copy);
    return err;
}

static int parse_lists(const recover_params *p, recover_plan *plan)
{
    RSD_TRY(select_specs_parse(&p->specs, &p->map, &plan->specs));
    RSD_TRY(each_word(&p->ranks, take_rank, plan));
    RSD_TRY(each_word(&p->variants, take_variant, plan));
    for (size_t i = 0; i < p->inits.count; i++)
        RSD_TRY(take_inits(plan, p->inits.item[i]));
    if (plan->ranks == 0)
        RSD_TRY(take_rank(plan, "8"));
    if (plan->variants == 0)
        RSD_TRY(take_variant(plan, "lora"));
    if (plan->inits == 0)
        RSD_TRY(take_init(plan, "zero"));
    RSD_TRY(rsd_init_parse("zero", &plan->zero));
    if (plan->specs.specs + plan->specs.rules == 0)
        return RSD_FAIL(RSD_EUSAGE, "say which quantizer: -q SPEC or --map GLOB=SPEC");
    return RSD_OK;
}

/* ---- runs ---- */

static int name_run(recover_run *r, const char *model)
{
    char *label = r->spec ? label_of_spec(r->spec->text) : strdup(r->control ? "original" : "map");
    const bool fine =
        label && asprintf(&r->name, "%s_%s_r%zu_%s_%s_s%zu", model, label, r->rank, r->init->text,
                          rsd_variant_name(r->variant), r->seed) >= 0;
    free(label);
    if (fine)
        return RSD_OK;
    r->name = NULL;
    return RSD_FAIL(RSD_ENOMEM, "name of a run");
}

static int add_run(recover_plan *plan, recover_run r, const char *model)
{
    RSD_TRY(grow(&plan->run, plan->runs, sizeof *plan->run));
    RSD_TRY(name_run(&r, model));
    plan->run[plan->runs++] = r;
    return RSD_OK;
}

/* qalora's pooled inputs are the quantizer's groups: its control has them too, and the quantizer in
 * its name; the others' controls know no quantizer. */
static int add_control(recover_plan *plan, recover_run r, const char *model)
{
    r.control = true;
    r.init = &plan->zero;
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
    char *name = NULL; /* not the name of the quantized run */
    if (asprintf(&name, "%s_original", added->name) < 0)
        return RSD_FAIL(RSD_ENOMEM, "name of a run");
    free(added->name);
    added->name = name;
    return RSD_OK;
}

/* Every combination: quantizer, variant, rank, initialisation, seed. */
static int cross(const recover_params *p, recover_plan *plan, bool controls, const char *model)
{
    const size_t specs = plan->specs.specs ? plan->specs.specs : 1;
    const size_t inits = controls ? 1 : plan->inits;
    const size_t count = specs * plan->variants * plan->ranks * inits * p->seeds;
    for (size_t i = 0; i < count; i++) {
        size_t k = i;
        recover_run r = { .set_against = SIZE_MAX };
        r.seed = p->common.seed + k % p->seeds;
        k /= p->seeds;
        r.init = &plan->init[k % inits];
        k /= inits;
        r.rank = plan->rank[k % plan->ranks];
        k /= plan->ranks;
        r.variant = plan->variant[k % plan->variants];
        k /= plan->variants;
        r.spec = plan->specs.specs ? &plan->specs.spec[k] : NULL;
        RSD_TRY(controls ? add_control(plan, r, model) : add_run(plan, r, model));
    }
    return RSD_OK;
}

static void find_controls(recover_plan *plan)
{
    for (size_t i = 0; i < plan->runs; i++) {
        recover_run *r = &plan->run[i];
        for (size_t k = 0; !r->control && k < plan->runs; k++) {
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
    if (n->eval_every > n->steps)
        return RSD_FAIL(RSD_EUSAGE, "--eval-every %zu is above --steps %zu; 0 evaluates at the end",
                        n->eval_every, n->steps);
    if (!p->eval_tokens)
        return RSD_FAIL(RSD_EUSAGE, "say what losses are measured on: --eval-tokens PATH");
    return RSD_OK;
}

int recover_plan_make(const recover_params *params, const char *model, recover_plan *out)
{
    *out = (recover_plan){ 0 };
    RSD_TRY(parse_lists(params, out));
    RSD_TRY(check(params, out));
    if (!params->no_control)
        RSD_TRY(cross(params, out, true, model));
    RSD_TRY(cross(params, out, false, model));
    find_controls(out);
    return RSD_OK;
}

void recover_plan_free(recover_plan *plan)
{
    for (size_t i = 0; i < plan->runs; i++)
        free(plan->run[i].name);
    free(plan->run);
    free(plan->rank);
    free(plan->variant);
    free(plan->init);
    select_specs_free(&plan->specs);
    *plan = (recover_plan){ 0 };
}

/* ---- one layer ---- */

const rsd_spec *recover_spec_for(const recover_plan *plan, const recover_run *run,
                                 const select_options *select, const rsd_model *model,
                                 const rsd_tensor *t)
{
    size_t count;
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
        return RSD_FAIL(RSD_EUSAGE, "qalora sums inputs by the groups of an affine quantizer, %s "
                        "has none: int:scheme=affine,group=N", spec->text);
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
