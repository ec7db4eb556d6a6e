/* residuum inspect: a model's matrices, or what a result file holds. */
#include "cli/command.h"
#include "cli/select.h"
#include "io/model.h"
#include "show/inspect_result.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    rsd_common common;
    select_options select;
    bool all;
} inspect_params;

static const inspect_params defaults = { .all = false };

#define AT(field) offsetof(inspect_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    SELECT_OPTIONS(AT(select)),
    { "all", 'a', RSD_OPT_FLAG, AT(all), 0, 0, NULL,
      "tensors that are no matrices too (norms, biases)" },
    { 0 },
};
/* clang-format on */

static void shape_text(const rsd_tensor *t, char *out, size_t size)
{
    size_t used = 0;
    *out = 0;
    for (size_t d = 0; d < t->ndim && used < size; d++)
        used += (size_t)snprintf(out + used, size - used, "%s%zu", d ? " x " : "", t->shape[d]);
}

/* 0 for what is made, not stored. */
static double bits_per_weight(const rsd_tensor *t)
{
    return t->elements ? 8 * (double)t->stored_bytes / (double)t->elements : 0;
}

static void print_text(const inspect_params *p, const rsd_model *model)
{
    size_t taken = 0, weights = 0, matrices = 0;
    printf("%s: %s, %zu tensors, %zu parameters\n", rsd_model_source(model),
           rsd_model_architecture(model), rsd_model_count(model), rsd_model_parameters(model));
    printf("  %-52s %-10s %5s %15s  %-14s %8s %s\n", "tensor", "role", "layer", "out x in",
           "stored", "bits/wt", "analyzed");
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (!t->matrix && !p->all)
            continue;
        char shape[128];
        if (t->matrix)
            snprintf(shape, sizeof shape, "%zu x %zu", t->rows, t->cols);
        else
            shape_text(t, shape, sizeof shape);
        const bool take = select_takes(&p->select, model, t);
        printf("  %-52s %-10s ", t->name, t->role.role);
        if (t->role.layer >= 0)
            printf("%5d", t->role.layer);
        else
            printf("%5s", "-");
        printf(" %15s  %-14s %8.4g %s%s\n", shape, t->stored, bits_per_weight(t),
               take ? "yes" : "no", t->role.transposed ? " (stored in x out)" : "");
        matrices += t->matrix;
        taken += take;
        weights += take ? t->elements : 0;
    }
    printf("%zu of %zu matrices, %zu weights, are analyzed\n", taken, matrices, weights);
}

static json_t *tensor_json(const inspect_params *p, const rsd_model *model, const rsd_tensor *t)
{
    json_t *shape = json_array();
    for (size_t d = 0; d < t->ndim; d++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[d]));
    return json_pack("{s:s, s:s, s:i, s:s, s:s, s:f, s:o, s:I, s:I, s:b, s:b}", "name", t->name,
                     "role", t->role.role, "layer", t->role.layer, "dtype",
                     rsd_dtype_name(t->dtype), "stored", t->stored, "bits_per_weight",
                     bits_per_weight(t), "shape", shape, "rows", (json_int_t)t->rows, "cols",
                     (json_int_t)t->cols, "transposed", t->role.transposed, "analyzed",
                     select_takes(&p->select, model, t));
}

static int print_json(const inspect_params *p, const rsd_model *model)
{
    char sha256[65];
    RSD_TRY(rsd_model_sha256(model, sha256));
    json_t *tensors = json_array();
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (t->matrix || p->all)
            json_array_append_new(tensors, tensor_json(p, model, t));
    }
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:I, s:o}", "source", rsd_model_source(model), "architecture",
                  rsd_model_architecture(model), "sha256", sha256, "parameters",
                  (json_int_t)rsd_model_parameters(model), "tensors", tensors);
    if (!all || json_dumpf(all, stdout, JSON_INDENT(1)))
        return RSD_FAIL(RSD_EIO, "%s: could not print as JSON", rsd_model_source(model));
    putchar('\n');
    json_decref(all);
    return RSD_OK;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    const inspect_params *p = params;
    const char *path = arguments->words.item[0];
    const size_t n = strlen(path);
    if (n > 3 && strcmp(path + n - 3, ".h5") == 0)
        return inspect_result(path, p->common.json);

    rsd_model *model = NULL;
    int err = rsd_model_open(path, &model);
    if (!err && p->common.json)
        err = print_json(p, model);
    else if (!err)
        print_text(p, model);
    rsd_model_close(model);
    return err;
}

extern const rsd_command rsd_command_inspect;
const rsd_command rsd_command_inspect = {
    .name = "inspect",
    .usage = "MODEL|F.h5 [--json]",
    .summary = "a model's matrices, or what a result file holds",
    .options = options,
    .common = RSD_TAKES_JSON,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(inspect_params),
    .run = run,
};
