#include "cli/select.h"

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
    RSD_TRY(rsd_spec_parse(text, &spec));
    for (size_t i = 0; i < out->specs; i++)
        if (strcmp(out->spec[i].text, spec.text) == 0)
            return RSD_OK;
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

static bool is_all(const char *text) { return strcmp(text, "all") == 0; }

/* No fewer than add_all adds. */
static size_t count_all(void)
{
    size_t count = 0;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        count++;
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            count++;
    }
    return count;
}

static int add_rule(select_specs *out, const char *text)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return RSD_FAIL(RSD_EUSAGE, "--map %s: expected GLOB=SPEC", text);
    select_rule *rule = &out->rule[out->rules];
    RSD_TRY(rsd_spec_parse(equals + 1, &rule->spec));
    rule->glob = strndup(text, (size_t)(equals - text));
    if (!rule->glob)
        return RSD_FAIL(RSD_ENOMEM, "--map %s", text);
    out->rules++;
    return RSD_OK;
}

int select_specs_parse(const rsd_list *specs, const rsd_list *map, select_specs *out)
{
    size_t room = specs->count;
    *out = (select_specs){ 0 };
    for (size_t i = 0; i < specs->count; i++)
        room += is_all(specs->item[i]) ? count_all() : 0;
    RSD_TRY(rsd_array_alloc(room, 1, sizeof *out->spec, &out->spec));
    RSD_TRY(rsd_array_alloc(map->count, 1, sizeof *out->rule, &out->rule));
    for (size_t i = 0; i < specs->count; i++)
        RSD_TRY(is_all(specs->item[i]) ? add_all(out) : add_spec(out, specs->item[i]));
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
