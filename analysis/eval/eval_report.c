/* Losses as text or JSON: of one model, or of one against the original. */
#include "boot.h"
#include "eval/evaluation.h"
#include "mat.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Loss in bits over the bytes of text that the targets stand for; NaN where that is unknown. */
static int bits_per_byte(const evaluation *e, double loss, double *bits)
{
    uint64_t bytes;
    *bits = NAN;
    if (!rsd_tokens_has_bytes(e->stream.tokens))
        return RSD_OK;
    const size_t targets = e->result.windows * e->stream.context;
    RSD_TRY(rsd_tokens_bytes(e->stream.tokens, 1, targets, &bytes));
    *bits = loss * (double)targets / M_LN2 / (double)bytes;
    return RSD_OK;
}

static void put(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, isfinite(value) ? json_real(value) : json_null());
}

/* What is compared with the original. */
static int compare(evaluation *e, json_t *json)
{
    rsd_evaluation *r = &e->result;
    const size_t tokens = r->windows * r->context;
    double se, *means;
    RSD_TRY(rsd_array_alloc(r->windows, 1, sizeof *means, &means));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = rsd_mean(r->kl + w * r->context, r->context);
    int err = rsd_bootstrap_se(means, r->windows, e->params->common.seed, &se);
    put(json, "kl", rsd_mean(means, r->windows));
    put(json, "kl_se", se);
    put(json, "kl_median", rsd_quantile(r->kl, tokens, 0.5));
    put(json, "kl_p99", rsd_quantile(r->kl, tokens, 0.99));
    put(json, "top1_agreement", (double)r->agree / (double)tokens);
    put(json, "loss_original", rsd_mean(r->loss_original, r->windows));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = r->loss[w] - r->loss_original[w];
    if (!err)
        err = rsd_bootstrap_se(means, r->windows, e->params->common.seed, &se);
    put(json, "loss_increase", rsd_mean(means, r->windows));
    put(json, "loss_increase_se", se);
    const double numbers = e->hook ? (double)rsd_adapters_parameters(&e->adapters) : 0;
    put(json, "bits_per_weight", 8 * e->bytes / e->weights);
    put(json, "bits_per_weight_total", (8 * e->bytes + 16 * numbers) / e->weights);
    if (e->hook)
        json_object_set_new(json, "adapter_numbers", json_integer((json_int_t)numbers));
    free(means);
    return err;
}

static void print_text(const json_t *json)
{
    /* clang-format off */
    static const char *const units[][2] = {
        { "loss", "nats per token" }, { "loss_se", "" }, { "perplexity", "" }, { "tokens", "" },
        { "bits_per_byte", "" }, { "loss_original", "nats per token" },
        { "loss_increase", "nats per token" }, { "loss_increase_se", "" },
        { "kl", "nats per token" }, { "kl_se", "" }, { "kl_median", "nats" }, { "kl_p99", "nats" },
        { "top1_agreement", "share of tokens" }, { "bits_per_weight", "of what is quantized" },
        { "bits_per_weight_total", "with adapters at 16 bits a number" }, { "adapter_numbers", "" },
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const json_t *v = json_object_get(json, units[i][0]);
        if (json_is_integer(v))
            printf("%-18s %" JSON_INTEGER_FORMAT " %s\n", units[i][0], json_integer_value(v),
                   units[i][1]);
        else if (json_is_real(v))
            printf("%-18s %.7g %s\n", units[i][0], json_real_value(v), units[i][1]);
    }
}

int eval_report(evaluation *e)
{
    const rsd_evaluation *r = &e->result;
    const double loss = rsd_mean(r->loss, r->windows);
    double se, bits;
    RSD_TRY(rsd_bootstrap_se(r->loss, r->windows, e->params->common.seed, &se));
    RSD_TRY(bits_per_byte(e, loss, &bits));
    json_t *json = json_object();
    put(json, "loss", loss);
    put(json, "loss_se", se);
    put(json, "perplexity", exp(loss));
    put(json, "bits_per_byte", bits);
    json_object_set_new(json, "tokens", json_integer((json_int_t)(r->windows * r->context)));
    json_object_set_new(json, "context", json_integer((json_int_t)r->context));
    json_object_set_new(
        json, "precision",
        json_string(rsd_matmul_precision(rsd_transformer_mm(e->pass)) == RSD_PRECISION_BF16
                        ? "bf16"
                        : "f32"));
    int err = e->teacher ? compare(e, json) : RSD_OK;
    if (!err && e->params->common.json) {
        err = json_dumpf(json, stdout, JSON_INDENT(1))
                  ? RSD_FAIL(RSD_EIO, "could not print as JSON")
                  : RSD_OK;
        putchar('\n');
    } else if (!err)
        print_text(json);
    json_decref(json);
    return err;
}
