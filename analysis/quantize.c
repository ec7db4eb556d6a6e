/* residuum quantize: what a quantizer makes of a model or of one array, as files.
 *
 * Two things are written: the dequantized numbers, in a form that other programs read as they read
 * the original, and the bytes that the quantizer really stores, section by section. */
#include "command.h"
#include "console.h"
#include "io/file.h"
#include "io/model.h"
#include "mat.h"
#include "quantize_folder.h"
#include "quantize_gguf.h"
#include "quantizers/quantizer.h"
#include "select.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    rsd_common common;
    rsd_list specs, map;
    select_options select;
} quantize_params;

static const quantize_params defaults = { .specs = { 0 } };

#define AT(field) offsetof(quantize_params, field)
static const rsd_opt options[] = {
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "NAME[:KEY=VALUE,...], as `residuum list quantizers` names them; one" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer for the matrices whose name matches; the first rule counts" },
    SELECT_OPTIONS(AT(select)),
    { 0 }
};

/* What was done, as it is printed at the end. */
typedef struct {
    json_t *rows;
    double weights, bytes, error, norm;
} report;

static void report_matrix(void *context, const rsd_tensor *t, const rsd_spec *spec,
                          const rsd_quant_stats *s, double norm)
{
    report *r = context;
    json_array_append_new(
        r->rows, json_pack("{s:s, s:s, s:f, s:I, s:f, s:o, s:f}", "tensor", t->name, "spec",
                           spec->text, "bits_per_weight", s->bits_per_weight, "packed_bytes",
                           (json_int_t)s->packed_bytes, "relative_error", s->relative_error,
                           "sqnr_db", isfinite(s->sqnr_db) ? json_real(s->sqnr_db) : json_null(),
                           "max_abs_error", s->max_abs_error));
    r->weights += (double)t->elements;
    r->bytes += (double)s->packed_bytes;
    r->error += norm * norm * s->relative_error * s->relative_error;
    r->norm += norm * norm;
}

static int print_report(const report *r, const char *output, bool json)
{
    const double bits = 8 * r->bytes / r->weights;
    const double error = r->norm > 0 ? sqrt(r->error / r->norm) : 0;
    if (json) {
        json_t *all = json_pack("{s:s, s:O, s:f, s:f}", "output", output, "matrices", r->rows,
                                "bits_per_weight", bits, "relative_error", error);
        const int failed = !all || json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
        json_decref(all);
        return failed ? RSD_FAIL(RSD_EIO, "could not print as JSON") : RSD_OK;
    }
    printf("%-48s %-36s %9s %10s\n", "tensor", "quantizer", "bits/wt", "rel.err");
    size_t i;
    json_t *row;
    json_array_foreach(r->rows, i, row)
        printf("%-48s %-36s %9.4f %10.6f\n", json_string_value(json_object_get(row, "tensor")),
               json_string_value(json_object_get(row, "spec")),
               json_real_value(json_object_get(row, "bits_per_weight")),
               json_real_value(json_object_get(row, "relative_error")));
    printf("%-48s %-36s %9.4f %10.6f\n", "all", "", bits, error);
    return RSD_OK;
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static int run_with(const quantize_params *p, const char *input, const select_specs *specs)
{
    const char *output = p->common.output;
    rsd_model *model = NULL;
    struct stat st;
    if (stat(output, &st) == 0 && !p->common.force)
        return RSD_FAIL(RSD_EUSAGE, "%s is there already; --force replaces it", output);

    report r = { .rows = json_array() };
    const quantize_job job = { .select = &p->select, .specs = specs, .output = output,
                               .report = report_matrix, .context = &r };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_model_open(input, &model));
    if (ends_with(output, ".npy"))
        err = quantize_to_npy(&job, model);
    else if (ends_with(output, ".gguf"))
        err = quantize_to_gguf(&job, model);
    else
        err = quantize_to_folder(&job, model);
    if (err)
        goto done;
    if (!p->common.quiet || p->common.json)
        err = print_report(&r, output, p->common.json);
done:
    rsd_model_close(model);
    json_decref(r.rows);
    return err;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const quantize_params *p = params;
    select_specs specs = { 0 };
    if (!p->common.output)
        return RSD_FAIL(RSD_EUSAGE, "say where to write: -o OUT");
    int err = select_specs_parse(&p->specs, &p->map, &specs);
    if (!err && specs.specs > 1)
        err = RSD_FAIL(RSD_EUSAGE, "one -q for all matrices, not %zu; --map GLOB=SPEC for some",
                       specs.specs);
    if (!err && specs.specs + specs.rules == 0)
        err = RSD_FAIL(RSD_EUSAGE, "say how: -q SPEC, or --map GLOB=SPEC");
    if (!err)
        err = run_with(p, arguments->words.item[0], &specs);
    select_specs_free(&specs);
    return err;
}

extern const rsd_command rsd_command_quantize;
const rsd_command rsd_command_quantize = {
    .name = "quantize",
    .usage = "INPUT -q SPEC -o OUT",
    .summary = "write what a quantizer makes of a model, or of one array",
    .details =
        "A model becomes a model folder: model.safetensors holds the dequantized weights (float32,\n"
        "all else as it was), packed.safetensors the bytes that the quantizer stores, and the\n"
        "configuration and tokenizer are copied.  OUT.npy for one matrix: OUT.npy and\n"
        "OUT.packed.safetensors.  OUT.gguf: the file that llama.cpp loads, of the quantizers that\n"
        "GGUF has a type for (fp16, bf16, q8_0, q4_k, ...); what is not quantized is float16.\n",
    .options = options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_JSON,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(quantize_params),
    .run = run,
};
