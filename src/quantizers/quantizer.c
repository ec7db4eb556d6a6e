#include "quantizers/quantizer.h"

#include "quantizers/importance.h"

#include <fnmatch.h>
#include <math.h>

#define ENTRY(name) extern const rsd_quantizer rsd_quantizer_##name;
#include "quantizers/list.h"
#undef ENTRY

const rsd_quantizer *const rsd_quantizers[] = {
#define ENTRY(name) &rsd_quantizer_##name,
#include "quantizers/list.h"
#undef ENTRY
    NULL
};

static bool entry(size_t i, rsd_registry_entry *out)
{
    const rsd_quantizer *q = rsd_quantizers[i];
    if (q)
        *out = (rsd_registry_entry){ q->name,        q->options, q->defaults,
                                     q->params_size, q->aliases, q->settle };
    return q;
}

static const rsd_registry registry = { "quantizer", entry };

size_t rsd_spec_item(const char *list) { return rsd_registry_item(&registry, list); }

/* llama.cpp's names of files, "Q4_K_M": several types, of which one is most of the file. */
static bool is_mix(const char *text) { return fnmatch("[qQ][2-6]_[kK]_[sSmMlL]", text, 0) == 0; }

int rsd_spec_parse(const char *text, rsd_spec *out)
{
    size_t index;
    if (is_mix(text))
        return RSD_FAIL(RSD_ENOTFOUND,
                        "%s is llama.cpp's mix of types over a file, not a quantizer: most of it "
                        "is q%c_k; --map GLOB=SPEC for the others",
                        text, text[1]);
    RSD_TRY(rsd_registry_parse(&registry, text, &index, out->params, out->text));
    out->quantizer = rsd_quantizers[index];
    return RSD_OK;
}

bool rsd_idempotent_always(const rsd_spec *spec)
{
    (void)spec;
    return true;
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
        return RSD_FAIL(RSD_EUSAGE,
                        "%s needs a calibration: residuum calibrate, then "
                        "--calibration FILE.h5",
                        q->name);
    return RSD_OK;
}

int rsd_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    rsd_packed_init(out, W.m, W.n);
    if (!W.m || !W.n)
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix has nothing to quantize", W.m, W.n);
    RSD_TRY(rsd_mat_check_finite(W));
    RSD_TRY(choose_calibration(spec, W, &c));
    return spec->quantizer->pack(spec, W, c, out);
}

int rsd_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    if (Wq.m != in->m || Wq.n != in->n)
        return RSD_FAIL(RSD_EARG, "%zu x %zu packed, but %zu x %zu to unpack into", in->m, in->n,
                        Wq.m, Wq.n);
    return spec->quantizer->unpack(spec, in, Wq);
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
    stats->unseen_inputs =
        spec->quantizer->calibration == RSD_CALIBRATION_NONE ? 0 : rsd_unseen_inputs(c);
    measure(W, Wq, stats);
done:
    if (keep)
        *keep = packed;
    else
        rsd_packed_free(&packed);
    return err;
}
