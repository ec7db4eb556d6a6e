/* What a sweep says at its end, and how much memory the system says a run took. */
#include "recover/report.h"
#include "alloc.h"
#include "boot.h"
#include "cli/json_out.h"
#include "mat.h"
#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

/* "RssAnon:     1234 kB" of /proc/self/status in bytes; 0 where the system has no such file. */
static size_t status_bytes(const char *key)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *f = fopen("/proc/self/status", "r");
    if (!f)
        return 0;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            kilobytes = strtoul(line + strlen(key), NULL, 10);
    fclose(f);
    return kilobytes * 1024;
}

size_t memory_resident(void) { return status_bytes("RssAnon:"); }
size_t memory_peak(void) { return status_bytes("VmHWM:"); }

void memory_reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f)
        return; /* the peak is then that of the process so far */
    fputs("5", f);
    fclose(f);
}

/* ---- the table ---- */

static void put_loss(double x)
{
    if (isfinite(x))
        printf(" %8.4f", x);
    else
        printf(" %8s", "-");
}

static void put_rate(const recovery_row *r)
{
    if (isfinite(r->learning_rate))
        printf(" %8.2e %5lld", r->learning_rate, (long long)r->kept_step);
    else
        printf(" %8s %5s", "-", "-");
}

static void put_share(double x, double se)
{
    if (isfinite(x))
        printf(" %7.1f ±%5.1f", 100 * x, 100 * se);
    else
        printf(" %14s", "-");
}

/* Which columns tell runs apart. */
typedef struct {
    bool variant, seed, merged, factors;
    int spec, init, storage; /* widths */
} layout;

static void put_head(const layout *l)
{
    printf("%-*s %4s %-*s", l->spec, "quantizer", "rank", l->init, "start");
    if (l->variant)
        printf(" %-7s", "variant");
    if (l->seed)
        printf(" %4s", "seed");
    if (l->factors)
        printf(" %-*s", l->storage, "factors");
    printf(" %6s %8s %5s %8s %8s %8s %8s", "bits", "rate", "step", "original", "quant.", "start",
           "trained");
    if (l->merged)
        printf(" %8s", "merged");
    printf(" %8s %14s %14s\n", "control", "recovered %", "of control %");
}

/* What stands in the column of starts; caller frees, NULL when memory is out. */
static char *start_label(const recovery_row *r)
{
    char *base = NULL, *text = NULL;
    if (recovery_kind_of(r) != RECOVERY_SAME_BYTES)
        return strdup(r->init);
    base = strcmp(r->same_bytes, "mixed") ? rsd_spec_label(r->same_bytes) : strdup("mixed");
    if (!base || rsd_format(&text, "= %s", base))
        text = NULL;
    free(base);
    return text;
}

static void put_storage(const layout *l, const recovery_row *r)
{
    char *label = *r->factors ? rsd_spec_label(r->factors) : NULL;
    printf(" %-*.*s", l->storage, l->storage, label ? label : "-");
    free(label);
}

static void put_name(const layout *l, const recovery_row *r)
{
    const bool original = recovery_kind_of(r) == RECOVERY_CONTROL;
    char *label = *r->spec ? rsd_spec_label(r->spec) : NULL, *start = start_label(r);
    printf("%-*.*s %4lld %-*.*s", l->spec, l->spec,
           original ? "(original)"
           : label  ? label
                    : "(map)",
           (long long)r->rank, l->init, l->init, start ? start : r->init);
    free(start);
    free(label);
    if (l->variant)
        printf(" %-7s", r->variant);
    if (l->seed)
        printf(" %4lld", (long long)r->seed);
    if (l->factors)
        put_storage(l, r);
}

static void put_row(const layout *l, const recovery_row *r)
{
    put_name(l, r);
    if (strcmp(r->status, "ok") != 0) {
        printf(" failed: %s\n", r->message);
        return;
    }
    printf(" %6.3f", r->bits_per_weight_total);
    put_rate(r);
    put_loss(r->loss_fp);
    put_loss(r->loss_q);
    put_loss(r->loss_init);
    put_loss(r->loss_trained);
    if (l->merged)
        put_loss(r->loss_merged);
    put_loss(r->loss_control);
    put_share(r->recovered_fraction, r->recovered_fraction_se);
    put_share(r->recovered_control, r->recovered_control_se);
    putchar('\n');
}

static void take_width(int *width, const char *text)
{
    const int n = (int)strlen(text);
    *width = n > *width && n <= 32 ? n : *width;
}

static layout lay_out(const sweep *s, const outcome *o)
{
    layout l = { .variant = s->plan.variants > 1,
                 .seed = s->params->seeds > 1,
                 .merged = s->params->numbers.merge != RECOVER_MERGE_NONE,
                 .factors = s->plan.storages > 1,
                 .storage = (int)strlen("factors"),
                 .spec = (int)strlen("(original)"),
                 .init = (int)strlen("start") };
    for (size_t i = 0; i < s->plan.runs; i++) {
        if (!o[i].row.run)
            continue;
        char *label = *o[i].row.spec ? rsd_spec_label(o[i].row.spec) : NULL;
        if (label)
            take_width(&l.spec, label);
        free(label);
        char *start = start_label(&o[i].row);
        if (start)
            take_width(&l.init, start);
        free(start);
        label = *o[i].row.factors ? rsd_spec_label(o[i].row.factors) : NULL;
        if (label)
            take_width(&l.storage, label);
        free(label);
    }
    return l;
}

/* Mean and standard deviation over the seeds of one kind of run. */
static void put_spread(const sweep *s, const outcome *o, size_t first)
{
    double x[3] = { 0 }, xx[3] = { 0 };
    const recover_run *run = &s->plan.run[first];
    size_t n = 0;
    for (size_t i = first; i < s->plan.runs; i++) {
        const recover_run *k = &s->plan.run[i];
        if (!o[i].done || k->control != run->control || k->spec != run->spec ||
            k->init != run->init || k->variant != run->variant || k->rank != run->rank ||
            k->factors != run->factors || k->same_bytes)
            continue;
        const double v[3] = { o[i].row.loss_init, o[i].row.loss_trained,
                              100 * o[i].row.recovered_fraction };
        for (int c = 0; c < 3; c++) {
            x[c] += v[c];
            xx[c] += v[c] * v[c];
        }
        n++;
    }
    if (n < 2)
        return;
    const layout l = lay_out(s, o);
    layout place = l;
    place.seed = false;
    put_name(&place, &o[first].row);
    for (int c = 0; c < 3; c++) {
        const double k = (double)n, mean = x[c] / k;
        const double sd = sqrt(fmax(0, xx[c] / k - mean * mean) * k / (k - 1));
        if (isfinite(mean))
            printf(c < 2 ? "  %8.4f ±%7.4f" : "  %7.1f ±%5.1f", mean, sd);
        else
            printf("  %14s", "-");
    }
    printf("  (%zu seeds)\n", n);
}

/* What the errors are over. */
static void put_windows(const sweep *s, const outcome *o)
{
    int64_t block = 0;
    for (size_t i = 0; i < s->plan.runs; i++)
        if (o[i].done && o[i].row.block > block)
            block = o[i].row.block;
    printf("losses are means over %zu windows of %zu tokens", s->eval.windows, s->eval.context);
    if (s->eval.of)
        printf(", spread over the %zu of the stream", s->eval.of);
    printf("; errors take up to %lld that follow each other together\n", (long long)block);
}

/* How rates and steps were chosen. */
static void put_choices(const sweep *s)
{
    const recover_numbers *n = &s->params->numbers;
    if (n->steps == 0)
        return;
    if (n->lr == RECOVER_LR_AUTO)
        printf("rates were chosen for each run (--lr auto)%s\n",
               s->calibration.store ? " by what a step does to what is left to correct"
                                    : " by rank and inputs, without a calibration");
    if (s->held.windows && n->keep == RECOVER_KEEP_BEST)
        printf("trained is the step with the least loss on %zu training windows that no step saw\n",
               s->held.windows);
}

void report_table(const sweep *s, const outcome *o)
{
    const layout l = lay_out(s, o);
    size_t undefined = 0;
    put_head(&l);
    for (int controls = 1; controls >= 0; controls--)
        for (size_t i = 0; i < s->plan.runs; i++)
            if (o[i].row.run && s->plan.run[i].control == (controls == 1)) {
                put_row(&l, &o[i].row);
                undefined += o[i].done && !controls && isnan(o[i].row.recovered_fraction);
            }
    put_windows(s, o);
    put_choices(s);
    if (undefined)
        printf("recovered %% is undefined for %zu %s: loss of the quantized model minus the "
               "original's is not above its own standard error\n",
               undefined, undefined == 1 ? "run" : "runs");
    if (s->params->numbers.sequence)
        printf("starts that correct were made one layer after the other, on the first %zu tokens\n",
               s->params->numbers.sequence);
    if (recover_wants_bases(s->params))
        printf("= marks the base of no more bytes, without adapters, that was best on training "
               "windows\n");
    if (s->second.windows)
        printf("losses on the second text (%zu windows) are in recovery/runs, and what compare "
               "says\n",
               s->second.windows);
    if (s->params->numbers.spread)
        printf("ranks are means: each layer's own is in /recovery/layers\n");
    if (s->params->seeds < 2)
        return;
    printf("\nmean ± standard deviation over seeds: start, trained, recovered %%\n");
    for (size_t i = 0; i < s->plan.runs; i++)
        if (o[i].done && s->plan.run[i].seed == s->params->common.seed &&
            !s->plan.run[i].same_bytes)
            put_spread(s, o, i);
}

static void put_json(json_out *j, const recovery_row *r)
{
    json_open_object(j, NULL);
#define PUT(name, text) json_put_text(j, #name, r->name);
    RECOVERY_TEXTS(PUT)
#undef PUT
#define PUT(name, units, text) json_put_int(j, #name, r->name);
    RECOVERY_INTEGERS(PUT)
#undef PUT
#define PUT(name, units, text) json_put_real(j, #name, r->name);
    RECOVERY_REALS(PUT)
#undef PUT
    json_close(j);
}

int report_json(const sweep *s, const outcome *o)
{
    bool complete = true;
    for (size_t i = 0; i < s->plan.runs; i++)
        complete = complete && o[i].done;
    json_out j = json_begin_object();
    json_put_text(&j, "model", s->name);
    json_put_bool(&j, "complete", complete);
    json_open_list(&j, "runs");
    for (size_t i = 0; i < s->plan.runs; i++)
        if (o[i].row.run)
            put_json(&j, &o[i].row);
    json_close(&j);
    return json_print(&j, stdout, JSON_INDENTED);
}
