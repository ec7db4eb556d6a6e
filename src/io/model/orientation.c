/* Which way a weight lies: the one place that decides between out x in and Conv1D's in x out, for
 * plain numbers and for packings alike. */
#include "io/model/sources.h"

#include <string.h>

/* What one matrix tells of itself. */
typedef enum { UNTOLD, OUT_BY_IN, IN_BY_OUT } lie;

/* Width of the residual stream, as the token or position table says; 0: there is none. */
static size_t width_of(const rsd_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        const rsd_tensor *t = &model->entry[i].tensor;
        if (t->role.embedding && t->ndim == 2 && strcmp(t->role.role, "head") != 0)
            return t->shape[1];
    }
    return 0;
}

/* A vector of one number per output. */
static lie by_bias(const rsd_model *model, const rsd_tensor *t)
{
    char name[1024];
    const size_t stem = strlen(t->name) - strlen(".weight");
    if ((size_t)snprintf(name, sizeof name, "%.*s.bias", (int)stem, t->name) >= sizeof name)
        return UNTOLD;
    const rsd_entry *s = rsd_entries_get(model->by_name, model->count, name);
    const size_t outputs = s && s->tensor.ndim == 1 ? s->tensor.shape[0] : 0;
    return outputs == t->shape[0] ? OUT_BY_IN : outputs == t->shape[1] ? IN_BY_OUT : UNTOLD;
}

/* width is the inputs' side of qkv and up, the outputs' of o and down. */
static lie by_width(const rsd_tensor *t, size_t width)
{
    const bool writes = strcmp(t->role.role, "o") == 0 || strcmp(t->role.role, "down") == 0;
    if (t->shape[0] == width)
        return writes ? OUT_BY_IN : IN_BY_OUT;
    if (t->shape[1] == width)
        return writes ? IN_BY_OUT : OUT_BY_IN;
    return UNTOLD;
}

static lie told(const rsd_model *model, const rsd_entry *s, size_t width)
{
    const rsd_tensor *t = &s->tensor;
    const size_t a = t->shape[0], b = t->shape[1], small = a < b ? a : b;
    const size_t ratio = strcmp(t->role.role, "qkv") == 0 ? 3 : 4;
    lie how = a == b ? UNTOLD : by_bias(model, t);
    if (how == UNTOLD && a != b && width)
        how = by_width(t, width);
    if (how == UNTOLD && a != b && (a == ratio * b || b == ratio * a))
        how = by_width(t, small);
    return how;
}

static bool is_judged(const rsd_entry *s)
{
    return s->tensor.matrix && s->tensor.role.conv1d && !s->out_by_in;
}

/* Codes, or plain numbers (of a type that may not be read)? */
static bool is_packed(const rsd_entry *s)
{
    return s->packing && rsd_dtype_is_real(s->tensor.dtype);
}

/* What most of the matrices of one kind of storage tell. */
static lie of_most(const rsd_model *model, bool packed, size_t width)
{
    size_t votes[3] = { 0 };
    for (size_t i = 0; i < model->count; i++)
        if (is_judged(&model->entry[i]) && is_packed(&model->entry[i]) == packed)
            votes[told(model, &model->entry[i], width)]++;
    if (votes[OUT_BY_IN] == votes[IN_BY_OUT])
        return UNTOLD;
    return votes[OUT_BY_IN] > votes[IN_BY_OUT] ? OUT_BY_IN : IN_BY_OUT;
}

/* Which of the two shapes a tensor is listed with: bytes that are copied keep theirs; a packing has
 * the one that its family's checkpoints have, whose place it takes when it is written as numbers.
 */
static void settle(rsd_entry *s, bool in_by_out)
{
    rsd_tensor *t = &s->tensor;
    const size_t first = t->shape[0];
    s->turned = in_by_out;
    if (!is_packed(s))
        t->role.transposed = in_by_out;
    if (t->role.transposed == in_by_out)
        return;
    t->shape[0] = t->shape[1];
    t->shape[1] = first;
}

void rsd_model_orient(rsd_model *model)
{
    const size_t width = width_of(model);
    if (model->generated)
        return;
    for (size_t i = 0; i < model->count; i++) {
        rsd_tensor *t = &model->entry[i].tensor;
        t->matrix =
            t->ndim == 2 && t->elements && (rsd_dtype_is_real(t->dtype) || model->entry[i].packing);
    }
    const lie most[] = { of_most(model, false, width), of_most(model, true, width) };
    for (size_t i = 0; i < model->count; i++) {
        rsd_entry *s = &model->entry[i];
        rsd_tensor *t = &s->tensor;
        if (!t->matrix)
            continue;
        if (is_judged(s)) {
            const lie own = told(model, s, width), how = own == UNTOLD ? most[is_packed(s)] : own;
            settle(s, how == UNTOLD ? t->role.transposed : how == IN_BY_OUT);
        } else if (s->out_by_in)
            settle(s, false);
        t->rows = t->shape[t->role.transposed ? 1 : 0];
        t->cols = t->shape[t->role.transposed ? 0 : 1];
    }
}
