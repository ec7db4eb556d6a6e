/* residuum list: what can be named on a command line, each with its options and source. */
#include "command.h"
#include "figures/figure.h"
#include "mat.h"
#include "quantizers/quantizer.h"
#include "rng.h"
#include "tables.h"
#include "transformer/arch.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
} list_params;

static const list_params defaults = { { 0 } };
static const rsd_opt options[] = { { 0 } };

/* What a matrix of a language model's usual size really takes: counted, never declared. */
static int typical_bits(const char *spec_text, rsd_mat W, double *bits)
{
    rsd_spec spec;
    rsd_packed packed;
    RSD_TRY(rsd_spec_parse(spec_text, &spec));
    const int err = rsd_pack(&spec, W, NULL, &packed);
    *bits = err ? NAN : rsd_packed_bits_per_weight(&packed);
    rsd_packed_free(&packed);
    return err;
}

static json_t *option_json(const rsd_opt *o, const void *params)
{
    char value[256];
    rsd_opt_value(o, params, value, sizeof value);
    json_t *j = json_pack("{s:s, s:s, s:s}", "name", o->name, "default", value, "help", o->help);
    if (o->arg)
        json_object_set_new(j, "values", json_string(o->arg));
    if (o->type == RSD_OPT_SIZE || o->type == RSD_OPT_REAL) {
        json_object_set_new(j, "min", json_real(o->min));
        json_object_set_new(j, "max", json_real(o->max));
    }
    return j;
}

static int quantizer_json(const rsd_quantizer *q, rsd_mat W, json_t *out)
{
    double bits;
    RSD_TRY(typical_bits(q->name, W, &bits));
    json_t *aliases = json_array(), *opts = json_array();
    for (const rsd_alias *a = q->aliases; a && a->alias; a++)
        json_array_append_new(aliases, json_string(a->alias));
    for (const rsd_opt *o = q->options; o->name; o++)
        json_array_append_new(opts, option_json(o, q->defaults));
    json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:f, s:o, s:o}", "name", q->name,
                                         "summary", q->summary, "source", q->source,
                                         "bits_per_weight", bits, "aliases", aliases, "options",
                                         opts));
    return RSD_OK;
}

static int quantizer_text(const rsd_quantizer *q, rsd_mat W)
{
    double bits;
    RSD_TRY(typical_bits(q->name, W, &bits));
    printf("%s  %s\n  %.3f bits per weight at %zu x %zu; %s\n", q->name, q->summary, bits, W.m,
           W.n, q->source);
    for (const rsd_alias *a = q->aliases; a && a->alias; a++) {
        RSD_TRY(typical_bits(a->alias, W, &bits));
        printf("  %-10s %s:%s, %.3f bits\n", a->alias, q->name, a->params, bits);
    }
    for (const rsd_opt *o = q->options; o->name; o++) {
        char value[256];
        rsd_opt_value(o, q->defaults, value, sizeof value);
        printf("  %s=%s  ", o->name, value);
        if (o->type == RSD_OPT_SIZE || o->type == RSD_OPT_REAL)
            printf("[%.10g to %.10g%s%s] ", o->min, o->max, o->arg ? ", " : "",
                   o->arg ? o->arg : "");
        else if (o->arg)
            printf("[%s] ", o->arg);
        printf("%s\n", o->help);
    }
    putchar('\n');
    return RSD_OK;
}

static int list_quantizers(json_t *json)
{
    rsd_mat W;
    rsd_rng *rng = NULL;
    RSD_TRY(rsd_mat_alloc(768, 768, &W));
    int err = rsd_rng_alloc(0, "list", &rng);
    if (!err)
        rsd_rng_normals(rng, W.x, W.m * W.n);
    for (const rsd_quantizer *const *q = rsd_quantizers; !err && *q; q++)
        err = json ? quantizer_json(*q, W, json) : quantizer_text(*q, W);
    rsd_rng_free(rng);
    rsd_mat_free(&W);
    return err;
}

static void add_line(json_t *json, const char *name, const char *summary)
{
    if (json)
        json_array_append_new(json, json_pack("{s:s, s:s}", "name", name, "summary", summary));
    else
        printf("%-12s %s\n", name, summary);
}

static int list_architectures(json_t *json)
{
    for (const rsd_arch *const *a = rsd_archs; *a; a++)
        if (json)
            json_array_append_new(json, json_pack("{s:s, s:s, s:s}", "name", (*a)->name, "summary",
                                                  (*a)->summary, "source", (*a)->source));
        else
            printf("%-12s %s; %s\n", (*a)->name, (*a)->summary, (*a)->source);
    return RSD_OK;
}

static int list_figures(json_t *json)
{
    for (const figure *const *f = figures; *f; f++)
        add_line(json, (*f)->name, (*f)->summary);
    return RSD_OK;
}

static int list_tables(json_t *json)
{
    for (const table_source *t = table_sources; t->name; t++)
        add_line(json, t->name, t->summary);
    return RSD_OK;
}

static int list_commands(json_t *json)
{
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        add_line(json, (*c)->name, (*c)->summary);
    return RSD_OK;
}

static const struct {
    const char *name;
    int (*print)(json_t *json);
} sections[] = {
    { "quantizers", list_quantizers },
    { "architectures", list_architectures },
    { "figures", list_figures },
    { "tables", list_tables },
    { "commands", list_commands },
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static int print_section(size_t i, bool title, json_t *all)
{
    json_t *json = NULL;
    if (all) {
        json = json_array();
        json_object_set_new(all, sections[i].name, json);
    } else if (title)
        printf("%s%s\n\n", i ? "\n" : "", sections[i].name);
    return sections[i].print(json);
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const list_params *p = params;
    const char *want = arguments->words.count ? arguments->words.item[0] : NULL;
    json_t *all = p->common.json ? json_object() : NULL;
    int err = RSD_OK;
    bool found = false;
    for (size_t i = 0; i < SECTIONS && !err; i++)
        if (!want || strcmp(want, sections[i].name) == 0) {
            err = print_section(i, !want, all);
            found = true;
        }
    if (!err && !found)
        err = RSD_FAIL(RSD_EUSAGE, "cannot list '%s'; quantizers, architectures, figures, tables or "
                                   "commands",
                       want);
    if (!err && all) {
        json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
    }
    json_decref(all);
    return err;
}

extern const rsd_command rsd_command_list;
const rsd_command rsd_command_list = {
    .name = "list",
    .usage = "[quantizers|architectures|figures|tables|commands] [--json]",
    .summary = "what can be named: quantizers with their options, architectures, figures",
    .options = options,
    .common = RSD_TAKES_JSON,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(list_params),
    .run = run,
};
