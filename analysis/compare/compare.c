/* residuum compare: what spectra predicted, held against what was measured, and a verdict. */
#include "cli/command.h"
#include "cli/console.h"
#include "compare/comparison_bytes.h"
#include "compare/comparison_text.h"
#include "compare/predictions.h"
#include "result/parts.h"

#include <stdlib.h>

typedef struct {
    rsd_common common;
    size_t rank;
    bool no_write;
} compare_params;

static const compare_params defaults = { 0 };

#define AT(field) offsetof(compare_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    { "rank", 0, RSD_OPT_SIZE, AT(rank), 0, 1 << 20, "R",
      "at which the verdict is reached; 0: the median of the runs' ranks, 8 without runs" },
    { "no-write", 0, RSD_OPT_FLAG, AT(no_write), 0, 0, NULL,
      "leave the files as they are: no table /prediction" },
    { 0 },
};
/* clang-format on */

/* ---- /prediction ---- */

/* The table is made anew of what its file holds when it is written. */
static const char *const written[] = { "/prediction", NULL };
static const parts_kind kind = {
    .command = "compare", .prefix = "prediction-", .writes = written, .always = true
};

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    evidence own = { 0 };
    prediction_rows made = { 0 };
    int err = RSD_OK;
    (void)context;
    if (!old)
        return RSD_FAIL(RSD_ENOTFOUND, "the result file is gone");
    RSD_TRY_DONE(evidence_add(&own, old));
    RSD_TRY_DONE(predictions_make(&own, &made));
    *changes = made.count > 0;
    if (made.count)
        err = rows_write(&prediction_schema, part, made.row, made.count);
done:
    free(made.row);
    evidence_free(&own);
    return err;
}

static int write_predictions(const char *path)
{
    const parts_publication publication = { .command_line = "", .last = write_last };
    parts *p = NULL;
    int err = parts_open(&kind, path, NULL, false, &p);
    if (!err)
        err = parts_publish(p, &publication);
    parts_close(p);
    return err;
}

/* ---- the command ---- */

static int add_file(evidence *e, same_bytes_list *bytes, const char *path)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    int err = evidence_add(e, store);
    if (!err)
        err = same_bytes_add(bytes, store);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

static int report(const evidence *e, const comparison *c, bool json)
{
    if (json)
        return comparison_print_json(e, c);
    if (e->cases || e->a_priori_cases)
        comparison_print(e, c);
    else
        comparison_print_bytes(&c->bytes);
    return RSD_OK;
}

static int make(const compare_params *p, const rsd_list *files, evidence *e, comparison *c)
{
    same_bytes_list bytes = { 0 };
    int err = RSD_OK;
    for (size_t i = 0; !err && i < files->count; i++)
        err = add_file(e, &bytes, files->item[i]);
    if (!err && !e->cases && !e->a_priori_cases && !bytes.count)
        err = RSD_FAIL(RSD_ENOTFOUND,
                       "%s holds no residual: residuum analyze MODEL -q SPEC "
                       "--calibration FILE.h5 -o FILE.h5",
                       files->item[0]);
    if (!err)
        err = comparison_make(e, p->rank, p->common.seed, c);
    c->bytes = bytes;
    return err;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const compare_params *p = params;
    const rsd_list *files = &arguments->words;
    evidence e = { 0 };
    comparison c = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(make(p, files, &e, &c));
    for (size_t i = 0; i < files->count && !p->no_write; i++)
        RSD_TRY_DONE(write_predictions(files->item[i]));
    err = report(&e, &c, p->common.json);
done:
    comparison_free(&c);
    evidence_free(&e);
    return err;
}

extern const rsd_command rsd_command_compare;
const rsd_command rsd_command_compare = {
    .name = "compare",
    .usage = "FILE.h5... [--rank R] [--json]",
    .summary = "what spectra predicted against what was measured, and a verdict",
    .details =
        "Reads the residuals' spectra (analyze -q ... --calibration), what adapters won back\n"
        "(recover) and what single layers cost (eval --one-at-a-time).  Per weighting, the share\n"
        "of the residual's energy within rank r is set against the share of the loss that came\n"
        "back: R the weights, RdH the inputs' sizes, RH the inputs, GR the gradients, GRH the "
        "loss\n"
        "itself; null is a residual without structure, a_priori what analyze predicts of GRH "
        "from\n"
        "weights' sizes, and a constant knows nothing at all.  Runs\n"
        "are told start by start, single layers quantizer by quantizer; what is pooled says so.\n"
        "Intervals hold 95 % of 2000 draws of what is independent: runs of one model, quantizer\n"
        "and start count as one, matrices of one block (of fewer than 8 blocks: each matrix) too,\n"
        "under however many quantizers.  Below 8 there is no interval, and no correlation.  A run\n"
        "or layer that is in the files twice counts once; runs that quantized other layers than\n"
        "were analyzed are left out, and counted.  Where recover made bases of the same bytes, "
        "each\n"
        "run stands against the one that was best on training windows, window by window, on both\n"
        "texts.\n"
        "The verdict tells apart what the share of G^1/2 R H^1/2 at rank r is made of: noise, as\n"
        "iid noise of that shape holds; scales, what R's null (its scales, its signs drawn) holds\n"
        "beyond that; data and loss, what H and G add to the null; own, what R holds beyond its\n"
        "null, below 0 where the quantizer has taken already what a correction would.  Named are\n"
        "parts beyond a point of 100, by Holm's correction over all parts of a table.\n",
    .options = options,
    .common = RSD_TAKES_JSON | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1000,
    .defaults = &defaults,
    .params_size = sizeof(compare_params),
    .run = run,
};
