/* residuum quantize: what a quantizer makes of a model or of one array, as files.
 *
 * Two things are written: the dequantized numbers, in a form that other programs read as they read
 * the original, and the bytes that the quantizer really stores, section by section. */
#include "alloc.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/json_out.h"
#include "cli/printable.h"
#include "cli/select.h"
#include "io/file.h"
#include "io/model.h"
#include "mat.h"
#include "quantize/budget.h"
#include "quantize/model_folder.h"
#include "quantize/to_gguf.h"
#include "quantizers/quantizer.h"
#include "result/calibration_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    rsd_common common;
    rsd_list specs, map;
    const char *calibration;
    double target_bpw;
    select_options select;
} quantize_params;

static const quantize_params defaults = { .target_bpw = 0 };

#define AT(field) offsetof(quantize_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "NAME[:KEY=VALUE,...], as `residuum list quantizers` names them; one, or several with "
      "--target-bpw" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer for the matrices whose name matches; the first rule counts" },
    CALIBRATION_OPTIONS(AT(calibration)),
    { "target-bpw", 0, RSD_OPT_REAL, AT(target_bpw), 0, 64, "BITS",
      "give each matrix the -q with the least predicted loss within so many bits per weight" },
    SELECT_OPTIONS(AT(select)),
    { 0 },
};
/* clang-format on */

/* What was done, as it is printed at the end. */
typedef struct {
    const rsd_tensor *tensor; /* the model's */
    char spec[RSD_SPEC_MAX];
    rsd_quant_stats stats;
} report_row;

typedef struct {
    report_row *row;
    size_t rows, capacity;
    double weights, bytes, error, norm;
} report;

static int report_matrix(void *context, const rsd_tensor *t, const rsd_spec *spec,
                         const rsd_quant_stats *s, double norm)
{
    report *r = context;
    RSD_TRY(rsd_grow(&r->row, &r->capacity, r->rows + 1, sizeof *r->row));
    report_row *row = &r->row[r->rows++];
    *row = (report_row){ .tensor = t, .stats = *s };
    memcpy(row->spec, spec->text, sizeof row->spec);
    r->weights += (double)t->elements;
    r->bytes += (double)s->packed_bytes;
    r->error += norm * norm * s->relative_error * s->relative_error;
    r->norm += norm * norm;
    return RSD_OK;
}

static int print_json(const report *r, const char *output, double bits, double error)
{
    json_out j = json_begin_object();
    json_put_text(&j, "output", output);
    json_open_list(&j, "matrices");
    for (size_t i = 0; i < r->rows; i++) {
        const rsd_quant_stats *s = &r->row[i].stats;
        json_open_object(&j, NULL);
        json_put_text(&j, "tensor", r->row[i].tensor->name);
        json_put_text(&j, "spec", r->row[i].spec);
        json_put_real(&j, "bits_per_weight", s->bits_per_weight);
        json_put_size(&j, "packed_bytes", s->packed_bytes);
        json_put_real(&j, "relative_error", s->relative_error);
        json_put_real(&j, "sqnr_db", s->sqnr_db);
        json_put_real(&j, "max_abs_error", s->max_abs_error);
        json_close(&j);
    }
    json_close(&j);
    json_put_real(&j, "bits_per_weight", bits);
    json_put_real(&j, "relative_error", error);
    return json_print(&j, stdout, JSON_INDENTED);
}

static int print_report(const report *r, const char *output, bool json)
{
    const double bits = 8 * r->bytes / r->weights;
    const double error = r->norm > 0 ? sqrt(r->error / r->norm) : 0;
    if (json)
        return print_json(r, output, bits, error);
    printf("%-48s %-36s %9s %10s\n", "tensor", "quantizer", "bits/wt", "rel.err");
    for (size_t i = 0; i < r->rows; i++) {
        printable_put(stdout, r->row[i].tensor->name, 48);
        printf(" %-36s %9.4f %10.6f\n", r->row[i].spec, r->row[i].stats.bits_per_weight,
               r->row[i].stats.relative_error);
    }
    printf("%-48s %-36s %9.4f %10.6f\n", "all", "", bits, error);
    return RSD_OK;
}

/* Everything that is open. */
typedef struct {
    const quantize_params *params;
    rsd_model *model;
    calibration calibration;
    select_specs specs;
    report report;
} quantization;

static int check_output(const quantize_params *p)
{
    struct stat st;
    if (!p->common.output)
        return RSD_FAIL(RSD_EUSAGE, "say where to write: -o OUT");
    if (stat(p->common.output, &st) == 0 && !p->common.force)
        return RSD_FAIL(RSD_EUSAGE, "%s is there already; --force replaces it", p->common.output);
    return RSD_OK;
}

/* One quantizer for each matrix, whoever chooses it. */
static int choose_specs(quantization *q)
{
    const quantize_params *p = q->params;
    const budget_job job = { .model = q->model,
                             .select = &p->select,
                             .calibration = &q->calibration,
                             .bits = p->target_bpw };
    if (p->target_bpw > 0)
        return budget_choose(&job, &q->specs);
    if (q->specs.specs > 1)
        return RSD_FAIL(RSD_EUSAGE,
                        "one -q for all matrices, not %zu; --map GLOB=SPEC for some, "
                        "--target-bpw to choose",
                        q->specs.specs);
    return RSD_OK;
}

static int write_output(quantization *q)
{
    const char *output = q->params->common.output;
    const quantize_job job = { .select = &q->params->select,
                               .specs = &q->specs,
                               .calibration = &q->calibration,
                               .output = output,
                               .report = report_matrix,
                               .context = &q->report };
    if (rsd_path_ends(output, ".npy"))
        return quantize_to_npy(&job, q->model);
    if (rsd_path_ends(output, ".gguf"))
        return quantize_to_gguf(&job, q->model);
    return quantize_to_folder(&job, q->model);
}

static int quantize(quantization *q, const char *input)
{
    const quantize_params *p = q->params;
    RSD_TRY(check_output(p));
    RSD_TRY(select_specs_parse(&p->specs, &p->map, &q->specs));
    if (q->specs.specs + q->specs.rules == 0)
        return RSD_FAIL(RSD_EUSAGE, "say how: -q SPEC, or --map GLOB=SPEC");
    RSD_TRY(rsd_model_open(input, &q->model));
    RSD_TRY(select_check(&p->select, &q->specs, p->calibration,
                         (const rsd_model *const[]){ q->model }, 1));
    RSD_TRY(calibration_open(p->calibration, q->model, &q->calibration));
    RSD_TRY(choose_specs(q));
    RSD_TRY(write_output(q));
    return !p->common.quiet || p->common.json
               ? print_report(&q->report, p->common.output, p->common.json)
               : RSD_OK;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    quantization q = { .params = params };
    const int err = quantize(&q, arguments->words.item[0]);
    select_specs_free(&q.specs);
    calibration_close(&q.calibration);
    rsd_model_close(q.model);
    free(q.report.row);
    return err;
}

extern const rsd_command rsd_command_quantize;
const rsd_command rsd_command_quantize = {
    .name = "quantize",
    .usage = "INPUT -q SPEC... [--target-bpw BITS] [--calibration FILE.h5] -o OUT",
    .summary = "write what a quantizer makes of a model, or of one array",
    .details =
        "A model becomes a model folder: model.safetensors holds the dequantized weights "
        "(float32,\n"
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
