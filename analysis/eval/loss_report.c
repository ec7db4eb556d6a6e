/* Losses that eval measured, as text and as JSON. */
#include "eval/loss_report.h"

#include "boot.h"
#include "cli/json_out.h"
#include "mat.h"
#include "spectra/serial.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Loss in bits over the bytes of text that the targets stand for; NaN where that is unknown. */
static int bits_per_byte(const loss_report *o, double loss, double *bits)
{
    const size_t T = o->stream->context;
    double all = 0;
    *bits = NAN;
    if (!rsd_tokens_has_bytes(o->stream->tokens))
        return RSD_OK;
    for (size_t w = 0; w < o->result->windows; w++) {
        uint64_t bytes;
        const size_t at = rsd_window_at(w, o->stream->windows, o->stream->of);
        RSD_TRY(rsd_tokens_bytes(o->stream->tokens, at * T + 1, T, &bytes));
        all += (double)bytes;
    }
    *bits = loss * (double)o->result->windows * (double)T / M_LN2 / all;
    return RSD_OK;
}

/* A mean over windows under its key, its error and the block that this was taken in beside it. */
static void put_mean(json_out *j, const char *key, const double *x, size_t windows)
{
    const rsd_series_mean m = rsd_series_mean_of(x, windows);
    char text[64];
    json_put_real(j, key, m.mean);
    snprintf(text, sizeof text, "%s_se", key);
    json_put_real(j, text, m.se);
    snprintf(text, sizeof text, "%s_block", key);
    json_put_size(j, text, m.block);
}

/* What is compared with the original. */
static int compare(const loss_report *o, json_out *j)
{
    const rsd_evaluation *r = o->result;
    const size_t tokens = r->windows * r->context;
    double *means;
    RSD_TRY(rsd_array_alloc(r->windows, 1, sizeof *means, &means));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = rsd_mean(r->kl + w * r->context, r->context);
    put_mean(j, "kl", means, r->windows);
    json_put_real(j, "kl_median", rsd_quantile(r->kl, tokens, 0.5));
    json_put_real(j, "kl_p99", rsd_quantile(r->kl, tokens, 0.99));
    json_put_real(j, "top1_agreement", (double)r->agree / (double)tokens);
    json_put_real(j, "loss_original", rsd_mean(r->loss_original, r->windows));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = r->loss[w] - r->loss_original[w];
    put_mean(j, "loss_increase", means, r->windows);
    json_put_real(j, "bits_per_weight", 8 * o->bytes / o->weights);
    json_put_real(j, "bits_per_weight_total",
                  (8 * o->bytes + 16 * (double)o->numbers) / o->weights);
    if (o->adapted)
        json_put_size(j, "adapter_numbers", o->numbers);
    free(means);
    return RSD_OK;
}

static void print_text(const json_t *json)
{
    /* clang-format off */
    static const char *const units[][2] = {
        { "loss", "nats per token" }, { "loss_se", "" },
        { "loss_block", "windows that were taken together for the error" },
        { "perplexity", "" }, { "tokens", "" }, { "windows", "" },
        { "windows_of", "windows of the stream that these are spread over; 0: its first, or all" },
        { "precision", "of matrix products" },
        { "bits_per_byte", "" }, { "loss_original", "nats per token" },
        { "loss_increase", "nats per token" }, { "loss_increase_se", "" },
        { "loss_increase_block", "windows" }, { "kl", "nats per token" }, { "kl_se", "" },
        { "kl_block", "windows" }, { "kl_median", "nats" }, { "kl_p99", "nats" },
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
        else if (json_is_string(v))
            printf("%-18s %s %s\n", units[i][0], json_string_value(v), units[i][1]);
    }
}

int loss_report_print(const loss_report *o, bool as_json)
{
    const rsd_evaluation *r = o->result;
    const double loss = rsd_mean(r->loss, r->windows);
    double bits;
    RSD_TRY(bits_per_byte(o, loss, &bits));
    json_out j = json_begin_object();
    put_mean(&j, "loss", r->loss, r->windows);
    json_put_real(&j, "perplexity", exp(loss));
    json_put_real(&j, "bits_per_byte", bits);
    json_put_size(&j, "tokens", r->windows * r->context);
    json_put_size(&j, "context", r->context);
    json_put_size(&j, "windows", r->windows);
    json_put_size(&j, "windows_of", o->stream->of);
    json_put_text(&j, "precision", o->stream->precision == RSD_PRECISION_BF16 ? "bf16" : "f32");
    int err = r->loss_original ? compare(o, &j) : RSD_OK;
    if (!err && (as_json || !json_whole(&j)))
        return json_print(&j, stdout, JSON_INDENTED);
    if (!err)
        print_text(json_whole(&j));
    json_drop(&j);
    return err;
}
