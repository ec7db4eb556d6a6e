#include "quantizers/quantizer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ENTRY(name) extern const rsd_quantizer rsd_quantizer_##name;
#include "quantizers/list.h"
#undef ENTRY

const rsd_quantizer *const rsd_quantizers[] = {
#define ENTRY(name) &rsd_quantizer_##name,
#include "quantizers/list.h"
#undef ENTRY
    NULL
};

/* The quantizer that name names or abbreviates; *preset is what the abbreviation stands for. */
static const rsd_quantizer *find(const char *name, const char **preset)
{
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        *preset = "";
        if (strcmp((*q)->name, name) == 0)
            return *q;
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++) {
            *preset = a->params;
            if (strcmp(a->alias, name) == 0)
                return *q;
        }
    }
    return NULL;
}

static void append(char *out, size_t size, const char *word)
{
    const size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
}

static int unknown(const char *name)
{
    char known[2048] = "";
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        append(known, sizeof known, (*q)->name);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            append(known, sizeof known, a->alias);
    }
    return RSD_FAIL(RSD_ENOTFOUND, "no quantizer '%s'; known: %s", name, known);
}

static int parse_params(const rsd_quantizer *q, const char *preset, const char *keys, void *params)
{
    RSD_TRY(rsd_opt_parse(q->options, params, preset));
    RSD_TRY(rsd_opt_parse(q->options, params, keys));
    return q->settle ? q->settle(params) : RSD_OK;
}

int rsd_spec_parse(const char *text, rsd_spec *out)
{
    char name[RSD_SPEC_MAX];
    const size_t len = strcspn(text, ":");
    if (len >= sizeof name)
        return RSD_FAIL(RSD_ENOTFOUND, "a quantizer's name of %zu characters", len);
    memcpy(name, text, len);
    name[len] = 0;

    const char *preset;
    const rsd_quantizer *q = find(name, &preset);
    if (!q)
        return unknown(name);
    if (text[len] == ':' && !text[len + 1])
        return RSD_FAIL(RSD_EUSAGE, "%s: no keys after the colon", text);

    *out = (rsd_spec){ .quantizer = q };
    assert(q->params_size <= sizeof out->params);
    memcpy(out->params, q->defaults, q->params_size);
    const int err = parse_params(q, preset, text + len + (text[len] == ':'), out->params);
    if (err)
        return rsd_fail_prefix(err, "%s", text);

    const size_t used = (size_t)snprintf(out->text, sizeof out->text, "%s:", q->name);
    const size_t need =
        rsd_opt_format(q->options, out->params, out->text + used, sizeof out->text - used);
    assert(used + need < sizeof out->text);
    return RSD_OK;
}

/* The calibration as the method gets it. */
static int choose_calibration(const rsd_spec *spec, rsd_mat W, const rsd_calibration **c)
{
    const rsd_quantizer *q = spec->quantizer;
    if (q->calibration == RSD_CALIBRATION_NONE)
        *c = NULL;
    if (*c && ((*c)->m != W.m || (*c)->n != W.n))
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix, but calibration of one of %zu x %zu", W.m,
                        W.n, (*c)->m, (*c)->n);
    if (!*c && q->calibration == RSD_CALIBRATION_NEEDS)
        return RSD_FAIL(RSD_EUSAGE, "%s needs a calibration: residuum calibrate, then "
                        "--calibration FILE.h5", spec->text);
    return RSD_OK;
}

int rsd_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    rsd_packed_init(out, W.m, W.n);
    if (!W.m || !W.n)
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix has nothing to quantize", W.m, W.n);
    RSD_TRY(rsd_mat_check_finite(W));
    RSD_TRY(choose_calibration(spec, W, &c));
    return spec->quantizer->pack(spec->params, W, c, out);
}

int rsd_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    if (Wq.m != in->m || Wq.n != in->n)
        return RSD_FAIL(RSD_EARG, "%zu x %zu packed, but %zu x %zu to unpack into", in->m, in->n,
                        Wq.m, Wq.n);
    return spec->quantizer->unpack(spec->params, in, Wq);
}

/* In double, and row by row: the sums of a large matrix keep their digits. */
static void measure(rsd_mat W, rsd_mat Wq, rsd_quant_stats *stats)
{
    double error = 0, energy = 0, largest = 0;
    for (size_t i = 0; i < W.m; i++) {
        const float *w = W.x + i * W.ld, *q = Wq.x + i * Wq.ld;
        double row_error = 0, row_energy = 0;
#pragma omp simd reduction(+ : row_error, row_energy)
        for (size_t j = 0; j < W.n; j++) {
            const double d = (double)w[j] - (double)q[j];
            row_error += d * d;
            row_energy += (double)w[j] * (double)w[j];
        }
        error += row_error;
        energy += row_energy;
        for (size_t j = 0; j < W.n; j++)
            largest = fmax(largest, fabs((double)w[j] - (double)q[j]));
    }
    stats->relative_error = error == 0 ? 0 : sqrt(error / energy); /* NaN stays NaN */
    stats->sqnr_db = -20 * log10(stats->relative_error);
    stats->max_abs_error = largest;
}

int rsd_quantize(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_mat Wq,
                 rsd_quant_stats *stats, rsd_packed *keep)
{
    int err = RSD_OK;
    rsd_packed packed;
    *stats = (rsd_quant_stats){ 0 };
    RSD_TRY_DONE(rsd_pack(spec, W, c, &packed));
    RSD_TRY_DONE(rsd_unpack(spec, &packed, Wq));
    stats->packed_bytes = rsd_packed_bytes(&packed);
    stats->bits_per_weight = rsd_packed_bits_per_weight(&packed);
    measure(W, Wq, stats);
done:
    if (keep)
        *keep = packed;
    else
        rsd_packed_free(&packed);
    return err;
}
