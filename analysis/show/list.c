/* residuum list: what can be named on a command line, each with its options and source. */
#include "adapters/init.h"
#include "cli/command.h"
#include "figures/figure.h"
#include "mat.h"
#include "quantizers/quantizer.h"
#include "result/tables.h"
#include "rng.h"
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

/* The matrix whose bytes are counted, and a calibration for the quantizers that need one: moments
 * of uncorrelated inputs and gradients, which change no sizes. */
typedef struct {
    rsd_mat W;
    double *H, *G, *ones;
    rsd_calibration calibration;
    char text[RSD_SPEC_MAX]; /* the spec that was counted for a quantizer's name, */
    double bits;             /* which one of its aliases often stands for as well */
} typical;

static double *identity(size_t n)
{
    double *A = calloc(n, n * sizeof *A);
    for (size_t i = 0; A && i < n; i++)
        A[i * n + i] = 1;
    return A;
}

static int typical_alloc(typical *t)
{
    enum { SIDE = 768 }; /* a language model's usual size, of the smallest */
    rsd_rng *rng = NULL;
    *t = (typical){ 0 };
    RSD_TRY(rsd_mat_alloc(SIDE, SIDE, &t->W));
    RSD_TRY(rsd_rng_alloc(0, "list", &rng));
    rsd_rng_normals(rng, t->W.x, t->W.m * t->W.n);
    rsd_rng_free(rng);
    t->H = identity(SIDE);
    t->G = identity(SIDE);
    t->ones = calloc(SIDE, sizeof *t->ones);
    if (!t->H || !t->G || !t->ones)
        return RSD_FAIL(RSD_ENOMEM, "moments of %d inputs", SIDE);
    for (int i = 0; i < SIDE; i++)
        t->ones[i] = 1;
    t->calibration = (rsd_calibration){ SIDE, SIDE, t->H, t->G, t->ones, t->ones, t->ones, SIDE };
    return RSD_OK;
}

static void typical_free(typical *t)
{
    rsd_mat_free(&t->W);
    free(t->H);
    free(t->G);
    free(t->ones);
}

/* What the typical matrix really takes: counted, never declared. */
static int typical_bits(typical *t, const char *spec_text, double *bits)
{
    rsd_spec spec;
    rsd_packed packed;
    RSD_TRY(rsd_spec_parse(spec_text, &spec));
    if (strcmp(spec.text, t->text) != 0) {
        const bool needs = spec.quantizer->calibration == RSD_CALIBRATION_NEEDS;
        const int err = rsd_pack(&spec, t->W, needs ? &t->calibration : NULL, &packed);
        *bits = err ? NAN : rsd_packed_bits_per_weight(&packed);
        rsd_packed_free(&packed);
        if (err || strcmp(spec.quantizer->name, spec_text) != 0)
            return err;
        memcpy(t->text, spec.text, sizeof t->text);
        t->bits = *bits;
    }
    *bits = t->bits;
    return RSD_OK;
}

/* A name and what is meant by it, in the order of rsd_calibration_need. */
static const char *const calibration_words[] = { "none", "takes", "needs" };
static const char *const calibration_texts[] = { "", "; takes a calibration",
                                                 "; needs a calibration" };

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

static json_t *aliases_json(const rsd_alias *a)
{
    json_t *names = json_array();
    for (; a && a->alias; a++)
        json_array_append_new(names, json_string(a->alias));
    return names;
}

static json_t *options_json(const rsd_opt *o, const void *params)
{
    json_t *rows = json_array();
    for (; o && o->name; o++)
        json_array_append_new(rows, option_json(o, params));
    return rows;
}

static int quantizer_json(const rsd_quantizer *q, typical *t, json_t *out)
{
    double bits;
    RSD_TRY(typical_bits(t, q->name, &bits));
    json_array_append_new(
        out, json_pack("{s:s, s:s, s:s, s:f, s:s, s:o, s:o}", "name", q->name, "summary",
                       q->summary, "source", q->source, "bits_per_weight", bits, "calibration",
                       calibration_words[q->calibration], "aliases", aliases_json(q->aliases),
                       "options", options_json(q->options, q->defaults)));
    return RSD_OK;
}

static void print_option(const rsd_opt *o, const void *params)
{
    char value[256];
    rsd_opt_value(o, params, value, sizeof value);
    printf("  %s=%s  ", o->name, value);
    if (o->type == RSD_OPT_SIZE || o->type == RSD_OPT_REAL)
        printf("[%.10g to %.10g%s%s] ", o->min, o->max, o->arg ? ", " : "", o->arg ? o->arg : "");
    else if (o->arg)
        printf("[%s] ", o->arg);
    printf("%s\n", o->help);
}

static int quantizer_text(const rsd_quantizer *q, typical *t)
{
    double bits;
    RSD_TRY(typical_bits(t, q->name, &bits));
    printf("%s  %s\n  %.3f bits per weight at %zu x %zu%s; %s\n", q->name, q->summary, bits, t->W.m,
           t->W.n, calibration_texts[q->calibration], q->source);
    for (const rsd_alias *a = q->aliases; a && a->alias; a++) {
        RSD_TRY(typical_bits(t, a->alias, &bits));
        printf("  %-10s %s%s%s, %.3f bits\n", a->alias, q->name, *a->params ? ":" : "", a->params,
               bits);
    }
    for (const rsd_opt *o = q->options; o && o->name; o++)
        print_option(o, q->defaults);
    putchar('\n');
    return RSD_OK;
}

static int list_quantizers(json_t *json)
{
    typical t;
    int err = typical_alloc(&t);
    for (const rsd_quantizer *const *q = rsd_quantizers; !err && *q; q++)
        err = json ? quantizer_json(*q, &t, json) : quantizer_text(*q, &t);
    typical_free(&t);
    return err;
}

static json_t *init_json(const rsd_init *q)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "name", q->name, "summary", q->summary,
                     "source", q->source, "calibration", calibration_words[q->calibration],
                     "aliases", aliases_json(q->aliases), "options",
                     options_json(q->options, q->defaults));
}

static int list_inits(json_t *json)
{
    for (const rsd_init *const *i = rsd_inits; *i; i++) {
        const rsd_init *q = *i;
        if (json) {
            json_array_append_new(json, init_json(q));
            continue;
        }
        printf("%s  %s\n  %s%s\n", q->name, q->summary, q->source,
               calibration_texts[q->calibration]);
        for (const rsd_alias *a = q->aliases; a && a->alias; a++)
            printf("  %-10s %s%s%s\n", a->alias, q->name, *a->params ? ":" : "", a->params);
        for (const rsd_opt *o = q->options; o && o->name; o++)
            print_option(o, q->defaults);
    }
    return RSD_OK;
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
    { "inits", list_inits },
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
        err = RSD_FAIL(RSD_EUSAGE,
                       "cannot list '%s'; quantizers, inits, architectures, figures, tables or "
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
    .usage = "[quantizers|inits|architectures|figures|tables|commands] [--json]",
    .summary = "what can be named: quantizers and adapters' starts with their options, "
               "architectures, figures",
    .options = options,
    .common = RSD_TAKES_JSON,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(list_params),
    .run = run,
};
