/* Choosing matrices and their quantizers. */
#include "cli/select.h"

#include "alloc.h"
#include "cli/choices.h"
#include "cli/console.h"
#include "near.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static bool any_matches(const rsd_list *globs, const char *name)
{
    for (size_t i = 0; i < globs->count; i++)
        if (fnmatch(globs->item[i], name, 0) == 0)
            return true;
    return false;
}

static bool has_layers(const rsd_model *model)
{
    for (size_t i = 0; i < rsd_model_count(model); i++)
        if (rsd_model_tensor(model, i)->role.linear)
            return true;
    return false;
}

bool select_takes(const select_options *o, const rsd_model *model, const rsd_tensor *t)
{
    if (!t->matrix || any_matches(&o->exclude, t->name))
        return false;
    if (o->include.count)
        return any_matches(&o->include, t->name);
    return t->role.linear || (o->embeddings && t->role.embedding) || !has_layers(model);
}

const char *select_source(const char *argument, const char **name, size_t *len)
{
    const size_t n = strspn(argument, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_.-");
    *name = NULL;
    *len = 0;
    if (n == 0 || argument[n] != '=')
        return argument;
    *name = argument;
    *len = n;
    return argument + n + 1;
}

static int add_spec(select_specs *out, const char *text)
{
    rsd_spec spec;
    if (rsd_spec_parse(text, &spec))
        return rsd_fail_prefix(RSD_EUSAGE, "-q");
    for (size_t i = 0; i < out->specs; i++)
        if (strcmp(out->spec[i].text, spec.text) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&out->spec, out->specs, 1, sizeof *out->spec));
    out->spec[out->specs++] = spec;
    return RSD_OK;
}

/* Every quantizer that does without calibration, as its name and each of its aliases set it. */
static int add_all(select_specs *out)
{
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        if ((*q)->calibration == RSD_CALIBRATION_NEEDS)
            continue;
        RSD_TRY(add_spec(out, (*q)->name));
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            RSD_TRY(add_spec(out, a->alias));
    }
    return RSD_OK;
}

static int take_spec(void *context, const char *text)
{
    return strcmp(text, "all") == 0 ? add_all(context) : add_spec(context, text);
}

static int add_rule(select_specs *out, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return RSD_FAIL(RSD_EUSAGE, "--map %s: expected GLOB=SPEC", text);
    RSD_TRY(rsd_room(&out->rule, out->rules, 1, sizeof *out->rule));
    select_rule *rule = &out->rule[out->rules];
    if (rsd_spec_parse(equals + 1, &rule->spec))
        return rsd_fail_prefix(RSD_EUSAGE, "--map %s", text);
    rule->glob = strndup(text, (size_t)(equals - text));
    if (!rule->glob)
        return RSD_FAIL(RSD_ENOMEM, "--map %s", text);
    out->rules++;
    return RSD_OK;
}

int select_specs_parse(const rsd_list *specs, const rsd_list *map, select_specs *out)
{
    *out = (select_specs){ 0 };
    RSD_TRY(choices_each(specs, rsd_spec_item, take_spec, out));
    for (size_t i = 0; i < map->count; i++)
        RSD_TRY(add_rule(out, map->item[i]));
    return RSD_OK;
}

void select_specs_free(select_specs *s)
{
    for (size_t i = 0; i < s->rules; i++)
        free(s->rule[i].glob);
    free(s->rule);
    free(s->spec);
    *s = (select_specs){ 0 };
}

const rsd_spec *select_specs_for(const select_specs *s, const char *tensor, size_t *count)
{
    for (size_t i = 0; i < s->rules; i++)
        if (fnmatch(s->rule[i].glob, tensor, 0) == 0) {
            *count = 1;
            return &s->rule[i].spec;
        }
    *count = s->specs;
    return s->spec;
}

/* ---- before any work ---- */

static bool any_like(const char *glob, const rsd_model *const *models, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < rsd_model_count(models[i]); k++) {
            const rsd_tensor *t = rsd_model_tensor(models[i], k);
            if (t->matrix && fnmatch(glob, t->name, 0) == 0)
                return true;
        }
    return false;
}

/* A word without wildcards is meant as a part of names, or is a name that is misspelt. */
static int no_such_matrix(const char *option, const char *glob, const rsd_model *const *models,
                          size_t count)
{
    char *inside = NULL;
    rsd_near near = { .word = glob };
    RSD_TRY(rsd_format(&inside, "*%s*", glob));
    const bool word = !strpbrk(glob, "*?[");
    const bool part = word && any_like(inside, models, count);
    for (size_t i = 0; i < count && word && !part; i++)
        for (size_t k = 0; k < rsd_model_count(models[i]); k++)
            rsd_near_try(&near, rsd_model_tensor(models[i], k)->name);
    const int err =
        part ? RSD_FAIL(RSD_EUSAGE,
                        "%s %s: no matrix is called so; a glob needs *: did you mean '%s'?", option,
                        glob, inside)
             : RSD_FAIL(RSD_EUSAGE,
                        "%s %s: no matrix of %s is called so; residuum inspect lists names%s",
                        option, glob, count ? rsd_model_source(models[0]) : "the model",
                        rsd_near_hint(&near).text);
    free(inside);
    return err;
}

int select_check_glob(const char *option, const char *glob, const rsd_model *const *models,
                      size_t count)
{
    return any_like(glob, models, count) ? RSD_OK : no_such_matrix(option, glob, models, count);
}

int select_check(const select_options *o, const select_specs *specs, bool calibrated,
                 const rsd_model *const *models, size_t count)
{
    for (size_t i = 0; i < o->include.count; i++)
        RSD_TRY(select_check_glob("--include", o->include.item[i], models, count));
    for (size_t i = 0; i < o->exclude.count; i++)
        if (!any_like(o->exclude.item[i], models, count))
            console_note("--exclude %s: no matrix is called so", o->exclude.item[i]);
    for (size_t i = 0; specs && i < specs->rules; i++)
        RSD_TRY(select_check_glob("--map", specs->rule[i].glob, models, count));
    for (size_t i = 0; specs && !calibrated && i < specs->specs + specs->rules; i++) {
        const rsd_spec *spec =
            i < specs->specs ? &specs->spec[i] : &specs->rule[i - specs->specs].spec;
        if (spec->quantizer->calibration == RSD_CALIBRATION_NEEDS)
            return RSD_FAIL(RSD_EUSAGE,
                            "%s needs a calibration: residuum calibrate, then --calibration "
                            "FILE.h5",
                            spec->text);
    }
    return RSD_OK;
}
