/* A GGUF file's tensors and types, before any data are read. */
#include "quantize/gguf_plan.h"

#include "cli/console.h"
#include "mat.h"
#include "quantize/gguf_metadata.h"
#include "quantize/gguf_types.h"
#include "transformer/create.h"
#include "transformer/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what goes where ---- */

static gguf_item *find(const gguf_plan *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->item[i].place.name, name) == 0)
            return &p->item[i];
    return NULL;
}

/* The type of what no quantizer takes. */
static const rsd_ggml_type *plain_type(const rsd_tensor *t)
{
    if (!t->matrix || strcmp(t->role.role, "position") == 0)
        return rsd_ggml_type_by_name("f32");
    return rsd_ggml_type_by_name(t->dtype == RSD_BF16 ? "bf16" : "f16");
}

static int add(gguf_plan *p, const rsd_tensor *t, rsd_gguf_place place)
{
    const gguf_item *other = find(p, place.name);
    gguf_item *it = &p->item[p->count];
    if (other)
        return RSD_FAIL(RSD_EFORMAT, "tensors '%s' and '%s' are the same in GGUF",
                        other->tensor->name, t->name);
    if (!rsd_dtype_is_real(t->dtype) || t->ndim > 2)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is neither a vector nor a matrix of real numbers",
                        t->name);
    *it = (gguf_item){ .place = place,
                       .tensor = t,
                       .rows = t->matrix ? t->rows : t->elements,
                       .cols = t->matrix ? t->cols : 1,
                       .type = plain_type(t),
                       .wanted = quantize_spec_of(p->job, p->model, t) };
    p->count++;
    if (!it->wanted)
        return RSD_OK;
    p->taken++;
    it->spec = *it->wanted;
    RSD_TRY(gguf_type_of(it->wanted, &it->asked));
    return gguf_type_for_columns(&it->spec, it->cols, &it->type);
}

static int add_tensors(gguf_plan *p)
{
    const rsd_tensor *tokens, *head;
    RSD_TRY(rsd_weights_tables(p->model, &p->shape, &tokens, &head));
    for (size_t i = 0; i < rsd_model_count(p->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(p->model, i);
        rsd_gguf_place place;
        RSD_TRY(rsd_gguf_place_of(p->model_type, t->name, &place));
        const bool unused = p->shape.tied && t == head && t != tokens;
        if (p->shape.tied && t == tokens)
            snprintf(place.name, sizeof place.name, "token_embd.weight");
        if (place.name[0] && !unused)
            RSD_TRY(add(p, t, place));
    }
    return RSD_OK;
}

/* llama.cpp's gptneox looks for a head also where it is the token table. */
static int add_tied_head(gguf_plan *p)
{
    const gguf_item *table = find(p, "token_embd.weight");
    if (!p->shape.tied || !table || strcmp(p->architecture, "gptneox") != 0)
        return RSD_OK;
    return add(p, table->tensor, (rsd_gguf_place){ .name = "output.weight" });
}

static int add_rope_factors(gguf_plan *p)
{
    const rsd_rotary_spec *r = &p->shape.rotary;
    if (r->dims == 0 || r->scaling != RSD_ROPE_LLAMA3)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(r->dims / 2, 1, sizeof *p->rope_factors, &p->rope_factors));
    rsd_gguf_rope_factors(r->theta, r->dims, r->factor, r->low_freq, r->high_freq, r->original,
                          p->rope_factors);
    p->item[p->count++] = (gguf_item){ .place = { .name = "rope_freqs.weight" },
                                       .rows = r->dims / 2,
                                       .cols = 1,
                                       .type = rsd_ggml_type_by_name("f32") };
    return RSD_OK;
}

/* ---- is it whole? ---- */

static int check_parameter(const gguf_plan *p, const rsd_parameter *parameter)
{
    rsd_gguf_place place;
    RSD_TRY(rsd_gguf_place_of(p->model_type, parameter->name, &place));
    const gguf_item *it = find(p, place.name);
    const size_t cols = parameter->cols ? parameter->cols : 1;
    if (!it)
        return RSD_FAIL(RSD_EFORMAT, "%s has no tensor '%s', which a %s needs",
                        rsd_model_source(p->model), parameter->name, p->model_type);
    if (it->rows != parameter->rows || it->cols != cols)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is %zu x %zu, the configuration says %zu x %zu",
                        it->tensor->name, it->rows, it->cols, parameter->rows, cols);
    return RSD_OK;
}

/* A bias that the architecture may have belongs to a layer of as many rows. */
static int check_bias(const gguf_plan *p, const gguf_item *it)
{
    const size_t n = strlen(it->place.name), stem = n - strlen(".bias");
    char weight[RSD_GGUF_NAME_MAX + 8];
    if (n < 6 || strcmp(it->place.name + stem, ".bias") != 0)
        return RSD_OK;
    snprintf(weight, sizeof weight, "%.*s.weight", (int)stem, it->place.name);
    const gguf_item *layer = find(p, weight);
    return layer && layer->rows == it->rows
               ? RSD_OK
               : RSD_FAIL(RSD_EFORMAT, "tensor '%s' of %zu numbers is the bias of no layer",
                          it->tensor->name, it->rows);
}

static int check_whole(const gguf_plan *p)
{
    rsd_parameters all;
    int err = RSD_OK;
    RSD_TRY(rsd_parameters_list(p->arch, &p->shape, NULL, &all));
    for (size_t i = 0; i < all.count && !err; i++)
        err = check_parameter(p, &all.item[i]);
    rsd_parameters_free(&all);
    for (size_t i = 0; i < p->count && !err; i++)
        err = check_bias(p, &p->item[i]);
    return err;
}

int gguf_plan_make(const quantize_job *job, const rsd_model *model, gguf_plan *p)
{
    *p = (gguf_plan){ .job = job, .model = model };
    p->model_type = rsd_model_architecture(p->model);
    RSD_TRY(rsd_gguf_architecture(p->model_type, &p->architecture));
    RSD_TRY(rsd_arch_configure(p->model_type, rsd_model_config(p->model), &p->arch, &p->shape));
    RSD_TRY(gguf_check_shape(p->architecture, &p->shape));
    RSD_TRY(rsd_array_alloc(rsd_model_count(p->model) + 2, 1, sizeof *p->item, &p->item));
    RSD_TRY(add_tensors(p));
    RSD_TRY(add_tied_head(p));
    RSD_TRY(add_rope_factors(p));
    RSD_TRY(check_whole(p));
    return p->taken ? RSD_OK
                    : RSD_FAIL(RSD_EUSAGE, "%s: no matrix is selected; see --include and --map",
                               rsd_model_source(p->model));
}

void gguf_plan_free(gguf_plan *p)
{
    free(p->item);
    free(p->rope_factors);
}

/* ---- what the user should know ---- */

static bool fell_back(const gguf_item *it, const rsd_ggml_type *asked, const rsd_ggml_type *type)
{
    return it->asked == asked && it->type == type && asked && asked != type;
}

/* One line per pair of types: how many matrices, and the first of them. */
void gguf_plan_note_fallbacks(const gguf_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        const gguf_item *a = &p->item[i];
        size_t count = 0, first = p->count;
        for (size_t k = 0; k < p->count; k++)
            if (fell_back(&p->item[k], a->asked, a->type)) {
                first = k < first ? k : first;
                count++;
            }
        if (first == i)
            console_note("%zu of %zu matrices have rows that do not fill blocks of %zu (%s: %zu "
                         "columns): %s there, not %s, as llama.cpp does",
                         count, p->taken, a->asked->block, a->tensor->name, a->cols, a->type->name,
                         a->asked->name);
    }
}

const rsd_ggml_type *gguf_plan_main_type(const gguf_plan *p)
{
    const rsd_ggml_type *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t elements = 0;
        for (size_t k = 0; k < p->count; k++)
            if (p->item[k].wanted && p->item[k].type == p->item[i].type)
                elements += p->item[k].rows * p->item[k].cols;
        if (p->item[i].wanted && elements > most) {
            most = elements;
            best = p->item[i].type;
        }
    }
    return best;
}
