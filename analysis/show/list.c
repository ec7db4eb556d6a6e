/* residuum list: what can be named on a command line, each with its options and source. */
#include "adapters/init.h"
#include "alloc.h"
#include "cli/command.h"
#include "cli/json_out.h"
#include "figures/figure.h"
#include "mat.h"
#include "quantizers/quantizer.h"
#include "result/tables.h"
#include "rng.h"
#include "transformer/arch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
} list_params;

static const list_params defaults = { { 0 } };
static const rsd_opt options[] = { { 0 } };

/* Whatever a quantizer stores is so many bytes a matrix, a row, a column and a weight, where rows
 * are whole blocks.  So what a layer of 768 x 768 takes, a language model's usual size, of the
 * smallest, is counted on four small matrices, and costs next to nothing.
 *
 * Those that need a calibration get one of uncorrelated inputs and gradients of size 1: it changes
 * no sizes. */
enum { SIDE = 768, ROWS = 64, COLUMNS = 256 }; /* and twice as many of either */

typedef struct {
    rsd_mat W;               /* 2 ROWS x 2 COLUMNS */
    double *identity, *ones; /* [n*n] for the n at hand, [n] */
    char text[RSD_SPEC_MAX]; /* the spec that was counted for a quantizer's name, */
    double bits;             /* which one of its aliases often stands for as well */
} typical;

static int typical_alloc(typical *t)
{
    enum { MOST = 2 * COLUMNS };
    rsd_rng *rng = NULL;
    *t = (typical){ 0 };
    RSD_TRY(rsd_mat_alloc(2 * ROWS, MOST, &t->W));
    RSD_TRY(rsd_rng_alloc(0, "list", &rng));
    rsd_rng_normals(rng, t->W.x, t->W.m * t->W.n);
    rsd_rng_free(rng);
    RSD_TRY(rsd_zeroed(MOST * MOST, sizeof *t->identity, &t->identity));
    RSD_TRY(rsd_zeroed(MOST, sizeof *t->ones, &t->ones));
    for (int i = 0; i < MOST; i++)
        t->ones[i] = 1;
    return RSD_OK;
}

static void typical_free(typical *t)
{
    rsd_mat_free(&t->W);
    free(t->identity);
    free(t->ones);
}

static int count_bytes(typical *t, const rsd_spec *spec, size_t m, size_t n, double *bytes)
{
    const double *I = t->identity, *ones = t->ones;
    const rsd_calibration c = { m, n, I, NULL, ones, ones, ones, SIDE };
    const bool needs = spec->quantizer->calibration == RSD_CALIBRATION_NEEDS;
    rsd_packed packed;
    memset(t->identity, 0, n * n * sizeof *t->identity);
    for (size_t i = 0; i < n; i++)
        t->identity[i * (n + 1)] = 1;
    const rsd_mat W = { t->W.x, m, n, t->W.ld };
    const int err = rsd_pack(spec, W, needs ? &c : NULL, &packed);
    *bytes = (double)rsd_packed_bytes(&packed);
    rsd_packed_free(&packed);
    return err;
}

static int count_bits(typical *t, const rsd_spec *spec, double *bits)
{
    double bytes[2][2];
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 2; j++)
            RSD_TRY(count_bytes(t, spec, ROWS << i, COLUMNS << j, &bytes[i][j]));
    const double rows = (double)(SIDE - ROWS) / ROWS, columns = (double)(SIDE - COLUMNS) / COLUMNS;
    const double few = bytes[0][0] + rows * (bytes[1][0] - bytes[0][0]);
    const double more = bytes[0][1] + rows * (bytes[1][1] - bytes[0][1]);
    *bits = 8 * (few + columns * (more - few)) / ((double)SIDE * SIDE);
    return RSD_OK;
}

/* What the typical layer really takes: counted, never declared. */
static int typical_bits(typical *t, const char *spec_text, double *bits)
{
    rsd_spec spec;
    *bits = NAN;
    RSD_TRY(rsd_spec_parse(spec_text, &spec));
    if (strcmp(spec.text, t->text) != 0) {
        RSD_TRY(count_bits(t, &spec, bits));
        if (strcmp(spec.quantizer->name, spec_text) != 0)
            return RSD_OK;
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

/* An option's default as text.  Caller frees. */
static int value_text(const rsd_opt *o, const void *params, char **out)
{
    const size_t size = rsd_opt_value(o, params, NULL, 0) + 1;
    RSD_TRY(rsd_zeroed(size, 1, out));
    rsd_opt_value(o, params, *out, size);
    return RSD_OK;
}

static int put_option(json_out *j, const rsd_opt *o, const void *params)
{
    char *value;
    RSD_TRY(value_text(o, params, &value));
    json_open_object(j, NULL);
    json_put_text(j, "name", o->name);
    json_put_text(j, "default", value);
    json_put_text(j, "help", o->help);
    if (o->arg)
        json_put_text(j, "values", o->arg);
    if (o->type == RSD_OPT_SIZE || o->type == RSD_OPT_REAL) {
        json_put_real(j, "min", o->min);
        json_put_real(j, "max", o->max);
    }
    json_close(j);
    free(value);
    return RSD_OK;
}

static int put_choices(json_out *j, const rsd_alias *a, const rsd_opt *o, const void *params)
{
    json_open_list(j, "aliases");
    for (; a && a->alias; a++)
        json_put_text(j, NULL, a->alias);
    json_close(j);
    json_open_list(j, "options");
    for (; o && o->name; o++)
        RSD_TRY(put_option(j, o, params));
    json_close(j);
    return RSD_OK;
}

static int put_quantizer(json_out *j, const rsd_quantizer *q, typical *t)
{
    double bits;
    RSD_TRY(typical_bits(t, q->name, &bits));
    json_open_object(j, NULL);
    json_put_text(j, "name", q->name);
    json_put_text(j, "summary", q->summary);
    json_put_text(j, "source", q->reference);
    json_put_real(j, "bits_per_weight", bits);
    json_put_text(j, "calibration", calibration_words[q->calibration]);
    RSD_TRY(put_choices(j, q->aliases, q->options, q->defaults));
    json_close(j);
    return RSD_OK;
}

static int print_option(const rsd_opt *o, const void *params)
{
    char *value;
    RSD_TRY(value_text(o, params, &value));
    printf("  %s=%s  ", o->name, value);
    free(value);
    if (o->type == RSD_OPT_SIZE || o->type == RSD_OPT_REAL)
        printf("[%.10g to %.10g%s%s] ", o->min, o->max, o->arg ? ", " : "", o->arg ? o->arg : "");
    else if (o->arg)
        printf("[%s] ", o->arg);
    printf("%s\n", o->help);
    return RSD_OK;
}

static int print_options(const rsd_opt *o, const void *params)
{
    for (; o && o->name; o++)
        RSD_TRY(print_option(o, params));
    return RSD_OK;
}

static int print_quantizer(const rsd_quantizer *q, typical *t)
{
    double bits;
    RSD_TRY(typical_bits(t, q->name, &bits));
    printf("%s  %s\n  %.3f bits per weight at %d x %d%s; %s\n", q->name, q->summary, bits,
           (int)SIDE, (int)SIDE, calibration_texts[q->calibration], q->reference);
    for (const rsd_alias *a = q->aliases; a && a->alias; a++) {
        RSD_TRY(typical_bits(t, a->alias, &bits));
        printf("  %-10s %s%s%s, %.3f bits\n", a->alias, q->name, *a->params ? ":" : "", a->params,
               bits);
    }
    RSD_TRY(print_options(q->options, q->defaults));
    putchar('\n');
    return RSD_OK;
}

/* Each of the sections, as text where j is NULL. */
static int list_quantizers(json_out *j)
{
    typical t;
    int err = typical_alloc(&t);
    for (const rsd_quantizer *const *q = rsd_quantizers; !err && *q; q++)
        err = j ? put_quantizer(j, *q, &t) : print_quantizer(*q, &t);
    typical_free(&t);
    return err;
}

static int put_init(json_out *j, const rsd_init *q)
{
    json_open_object(j, NULL);
    json_put_text(j, "name", q->name);
    json_put_text(j, "summary", q->summary);
    json_put_text(j, "source", q->reference);
    json_put_text(j, "calibration", calibration_words[q->calibration]);
    RSD_TRY(put_choices(j, q->aliases, q->options, q->defaults));
    json_close(j);
    return RSD_OK;
}

static int print_init(const rsd_init *q)
{
    printf("%s  %s\n  %s%s\n", q->name, q->summary, q->reference,
           calibration_texts[q->calibration]);
    for (const rsd_alias *a = q->aliases; a && a->alias; a++)
        printf("  %-10s %s%s%s\n", a->alias, q->name, *a->params ? ":" : "", a->params);
    return print_options(q->options, q->defaults);
}

static int list_inits(json_out *j)
{
    for (const rsd_init *const *i = rsd_inits; *i; i++)
        RSD_TRY(j ? put_init(j, *i) : print_init(*i));
    return RSD_OK;
}

/* reference may be NULL. */
static void put_line(json_out *j, const char *name, const char *summary, const char *reference)
{
    if (!j) {
        printf("%-12s %s%s%s\n", name, summary, reference ? "; " : "", reference ? reference : "");
        return;
    }
    json_open_object(j, NULL);
    json_put_text(j, "name", name);
    json_put_text(j, "summary", summary);
    if (reference)
        json_put_text(j, "source", reference);
    json_close(j);
}

static int list_architectures(json_out *j)
{
    for (const rsd_arch *const *a = rsd_archs; *a; a++)
        put_line(j, (*a)->name, (*a)->summary, (*a)->reference);
    return RSD_OK;
}

static int list_figures(json_out *j)
{
    for (const figure *const *f = figures; *f; f++)
        put_line(j, (*f)->name, (*f)->summary, NULL);
    return RSD_OK;
}

static int list_tables(json_out *j)
{
    for (const table_kind *const *t = table_kinds; *t; t++)
        put_line(j, (*t)->name, (*t)->summary, NULL);
    return RSD_OK;
}

static int list_commands(json_out *j)
{
    for (const rsd_command *const *c = rsd_commands; *c; c++)
        put_line(j, (*c)->name, (*c)->summary, NULL);
    return RSD_OK;
}

static const struct {
    const char *name;
    int (*print)(json_out *j);
} sections[] = {
    { "quantizers", list_quantizers },
    { "inits", list_inits },
    { "architectures", list_architectures },
    { "figures", list_figures },
    { "tables", list_tables },
    { "commands", list_commands },
};
enum { SECTIONS = sizeof sections / sizeof *sections };

static int print_section(size_t i, bool title, json_out *j)
{
    if (j) {
        json_open_list(j, sections[i].name);
        RSD_TRY(sections[i].print(j));
        json_close(j);
        return RSD_OK;
    }
    if (title)
        printf("%s%s\n\n", i ? "\n" : "", sections[i].name);
    return sections[i].print(NULL);
}

static int list(const char *want, json_out *j)
{
    bool found = false;
    for (size_t i = 0; i < SECTIONS; i++)
        if (!want || strcmp(want, sections[i].name) == 0) {
            RSD_TRY(print_section(i, !want, j));
            found = true;
        }
    return found ? RSD_OK
                 : RSD_FAIL(RSD_EUSAGE,
                            "cannot list '%s'; quantizers, inits, architectures, figures, tables "
                            "or commands",
                            want);
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const list_params *p = params;
    const char *want = arguments->words.count ? arguments->words.item[0] : NULL;
    if (!p->common.json)
        return list(want, NULL);
    json_out j = json_begin_object();
    const int err = list(want, &j);
    if (!err)
        return json_print(&j, stdout, JSON_INDENTED);
    json_drop(&j);
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
