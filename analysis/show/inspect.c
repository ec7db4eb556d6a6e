/* residuum inspect: a model's matrices, or what a result file holds. */
#include "cli/command.h"
#include "cli/json_out.h"
#include "cli/printable.h"
#include "cli/select.h"
#include "io/model.h"
#include "show/inspect_result.h"

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

/* "768 x 3072" in a column of so many characters, right. */
static void print_shape(const size_t *shape, size_t ndim, int width)
{
    for (size_t d = 0; d < ndim; d++)
        width -= snprintf(NULL, 0, "%s%zu", d ? " x " : "", shape[d]);
    printf("%*s", width > 0 ? width : 0, "");
    for (size_t d = 0; d < ndim; d++)
        printf("%s%zu", d ? " x " : "", shape[d]);
}

/* 0 for what is made, not stored. */
static double bits_per_weight(const rsd_tensor *t)
{
    return t->elements ? 8 * (double)t->stored_bytes / (double)t->elements : 0;
}

static void print_text(const inspect_params *p, const rsd_model *model)
{
    size_t taken = 0, weights = 0, matrices = 0;
    printable_put(stdout, rsd_model_source(model), 0);
    fputs(": ", stdout);
    printable_put(stdout, rsd_model_architecture(model), 0);
    printf(", %zu tensors, %zu parameters\n", rsd_model_count(model), rsd_model_parameters(model));
    printf("  %-52s %-10s %5s %15s  %-14s %8s %s\n", "tensor", "role", "layer", "out x in",
           "stored", "bits/wt", "analyzed");
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (!t->matrix && !p->all)
            continue;
        const bool take = select_takes(&p->select, model, t);
        fputs("  ", stdout);
        printable_put(stdout, t->name, 52);
        printf(" %-10s ", t->role.role);
        if (t->role.layer >= 0)
            printf("%5d", t->role.layer);
        else
            printf("%5s", "-");
        putchar(' ');
        print_shape(t->matrix ? (const size_t[]){ t->rows, t->cols } : t->shape,
                    t->matrix ? 2 : t->ndim, 15);
        printf("  %-14s %8.4g %s%s\n", t->stored, bits_per_weight(t), take ? "yes" : "no",
               t->role.transposed ? " (stored in x out)" : "");
        matrices += t->matrix;
        taken += take;
        weights += take ? t->elements : 0;
    }
    printf("%zu of %zu matrices, %zu weights, are analyzed\n", taken, matrices, weights);
}

static void put_tensor(const inspect_params *p, const rsd_model *model, const rsd_tensor *t,
                       json_out *j)
{
    json_open_object(j, NULL);
    json_put_text(j, "name", t->name);
    json_put_text(j, "role", t->role.role);
    json_put_int(j, "layer", t->role.layer);
    json_put_text(j, "dtype", rsd_dtype_name(t->dtype));
    json_put_text(j, "stored", t->stored);
    json_put_real(j, "bits_per_weight", bits_per_weight(t));
    json_open_list(j, "shape");
    for (size_t d = 0; d < t->ndim; d++)
        json_put_size(j, NULL, t->shape[d]);
    json_close(j);
    json_put_size(j, "rows", t->rows);
    json_put_size(j, "cols", t->cols);
    json_put_bool(j, "transposed", t->role.transposed);
    json_put_bool(j, "analyzed", select_takes(&p->select, model, t));
    json_close(j);
}

static int print_json(const inspect_params *p, const rsd_model *model)
{
    char sha256[65];
    RSD_TRY(rsd_model_sha256(model, sha256));
    json_out j = json_begin_object();
    json_put_text(&j, "source", rsd_model_source(model));
    json_put_text(&j, "architecture", rsd_model_architecture(model));
    json_put_text(&j, "sha256", sha256);
    json_put_size(&j, "parameters", rsd_model_parameters(model));
    json_open_list(&j, "tensors");
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (t->matrix || p->all)
            put_tensor(p, model, t, &j);
    }
    json_close(&j);
    return json_print(&j, stdout, JSON_INDENTED);
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
