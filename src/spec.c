#include "spec.h"

#include "near.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const rsd_opt no_options[] = { { 0 } };

/* The method that name names or abbreviates; *preset is what the abbreviation stands for. */
static bool find(const rsd_registry *registry, const char *name, size_t *index,
                 rsd_registry_entry *e, const char **preset)
{
    for (*index = 0; registry->entry(*index, e); ++*index) {
        *preset = "";
        if (strcasecmp(e->name, name) == 0)
            return true;
        for (const rsd_alias *a = e->aliases; a && a->alias; a++) {
            *preset = a->params;
            if (strcasecmp(a->alias, name) == 0)
                return true;
        }
    }
    return false;
}

static void append(char *out, size_t size, const char *word)
{
    const size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
}

/* The near name; where none is near, all of them. */
static int unknown(const rsd_registry *registry, const char *name)
{
    char known[2048] = "";
    rsd_near near = { .word = name };
    rsd_registry_entry e;
    for (size_t i = 0; registry->entry(i, &e); i++) {
        append(known, sizeof known, e.name);
        rsd_near_try(&near, e.name);
        for (const rsd_alias *a = e.aliases; a && a->alias; a++) {
            append(known, sizeof known, a->alias);
            rsd_near_try(&near, a->alias);
        }
    }
    return near.name
               ? RSD_FAIL(RSD_ENOTFOUND, "no %s '%s'%s", registry->kind, name,
                          rsd_near_hint(&near).text)
               : RSD_FAIL(RSD_ENOTFOUND, "no %s '%s'; known: %s", registry->kind, name, known);
}

/* Does the text begin with a name, and not with a key of the spec before it? */
static bool begins_spec(const rsd_registry *registry, const char *text)
{
    char name[RSD_SPEC_MAX];
    const size_t len = strcspn(text, ":,");
    rsd_registry_entry e;
    const char *preset;
    size_t index;
    if (len >= sizeof name)
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    return find(registry, name, &index, &e, &preset);
}

size_t rsd_registry_item(const rsd_registry *registry, const char *list)
{
    size_t n = strcspn(list, ",");
    if (n <= strcspn(list, ":"))
        return n; /* it has no keys */
    while (list[n] && !begins_spec(registry, list + n + 1))
        n += 1 + strcspn(list + n + 1, ",");
    return n;
}

static int parse_params(const rsd_registry_entry *e, const char *preset, const char *keys,
                        void *params)
{
    const rsd_opt *options = e->options ? e->options : no_options;
    RSD_TRY(rsd_opt_parse(options, params, preset));
    RSD_TRY(rsd_opt_parse(options, params, keys));
    return e->settle ? e->settle(params) : RSD_OK;
}

static void print_canonical(const rsd_registry_entry *e, const void *params, char *out)
{
    char keys[RSD_SPEC_MAX] = "";
    if (e->options)
        rsd_opt_format(e->options, params, keys, sizeof keys);
    const int need = snprintf(out, RSD_SPEC_MAX, "%s%s%s", e->name, *keys ? ":" : "", keys);
    assert(need < RSD_SPEC_MAX && strlen(keys) + 1 < sizeof keys);
}

int rsd_registry_parse(const rsd_registry *registry, const char *text, size_t *index, void *params,
                       char *canonical)
{
    char name[RSD_SPEC_MAX];
    const size_t len = strcspn(text, ":");
    if (len >= sizeof name)
        return RSD_FAIL(RSD_ENOTFOUND, "a %s's name of %zu characters", registry->kind, len);
    memcpy(name, text, len);
    name[len] = 0;

    rsd_registry_entry e;
    const char *preset;
    if (!find(registry, name, index, &e, &preset))
        return unknown(registry, name);
    if (text[len] == ':' && !text[len + 1])
        return RSD_FAIL(RSD_EUSAGE, "%s: no keys after the colon", text);

    assert(e.params_size <= RSD_PARAMS_MAX);
    memset(params, 0, RSD_PARAMS_MAX);
    if (e.params_size)
        memcpy(params, e.defaults, e.params_size);
    const int err = parse_params(&e, preset, text + len + (text[len] == ':'), params);
    if (err)
        return rsd_fail_prefix(err, "%s", text);
    print_canonical(&e, params, canonical);
    return RSD_OK;
}
