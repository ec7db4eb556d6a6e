/* Arrays of methods that are not read: refused by the method's name, so that no part of a layer is
 * ever taken for the whole. */
#include "io/file.h"
#include "io/model/prequantized_arrays.h"

#include <string.h>

/* Endings of names that each method alone uses. */
static const struct {
    const char *ending, *method;
} foreign[] = {
    { ".qzeros", "GPTQ or AWQ (without its qweight)" },
    { ".weight_shape", "compressed-tensors (without its weight_packed)" },
    { ".codebooks", "AQLM" },
    { ".W_q", "HQQ" },
    { ".centroids.weight", "VPTQ" },
    { ".Qidxs", "QuIP#" },
    { ".q_weight", "EXL2" },
    { ".trellis", "EXL3" },
    { ".weight._data", "quanto" },
    { "._weight_qdata", "torchao" },
    { ".weight:_data", "torchao" },
    { ".dense_weights", "SpQR" },
    { ".bitmask", "compressed-tensors' sparse format" },
    { ".weight_bitmask", "compressed-tensors' sparse format" },
    { ".lookup_table", "SqueezeLLM" },
    { "_proj_blocks", "MXFP4 (gpt-oss)" },
    { ".pre_quant_scale", "ModelOpt's AWQ" },
    { "._pre_quant_scale", "ModelOpt's AWQ" },
};
enum { FOREIGN = sizeof foreign / sizeof *foreign };

static int refuse(const rsd_entry *s, const char *method)
{
    return RSD_FAIL(RSD_EFORMAT, "tensor '%s' is an array of %s, which is not read", s->tensor.name,
                    method);
}

/* bitsandbytes' scales beside a weight, whose quant_state is missing or under another name. */
static int check_state(const rsd_arrays *all, const rsd_entry *s)
{
    static const char ending[] = ".weight.absmax";
    char weight[1024];
    const char *name = s->tensor.name;
    const int n = (int)(strlen(name) - strlen(".absmax"));
    if (!rsd_path_ends(name, ending) ||
        (size_t)snprintf(weight, sizeof weight, "%.*s", n, name) >= sizeof weight ||
        !rsd_entries_get(all->sorted, all->model->count, weight))
        return RSD_OK;
    return refuse(s, "bitsandbytes (without its quant_state)");
}

/* MLX: U32 words as NAME.weight, with NAME.scales and often NAME.biases. */
static int check_words(const rsd_arrays *all, const rsd_entry *s, const rsd_quantized_config *c)
{
    char name[1024];
    const char *weight = s->tensor.name;
    if (s->tensor.dtype != RSD_U32 || !rsd_path_ends(weight, ".weight"))
        return RSD_OK;
    const int stem = (int)(strlen(weight) - strlen("weight"));
    if ((size_t)snprintf(name, sizeof name, "%.*sscales", stem, weight) >= sizeof name ||
        !rsd_entries_get(all->sorted, all->model->count, name))
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT,
                    "tensor '%s' is stored as MLX %s-bit, which is not read; mlx_lm.convert "
                    "--dequantize writes it as numbers",
                    weight, c->mlx_bits ? c->mlx_bits : "?");
}

int rsd_foreign_check(const rsd_arrays *all, const rsd_quantized_config *c)
{
    const rsd_model *model = all->model;
    for (size_t i = 0; i < model->count; i++) {
        const rsd_entry *s = &model->entry[i];
        if (all->used[i])
            continue;
        for (size_t k = 0; k < FOREIGN; k++)
            if (rsd_path_ends(s->tensor.name, foreign[k].ending))
                return refuse(s, foreign[k].method);
        RSD_TRY(check_state(all, s));
        RSD_TRY(check_words(all, s, c));
    }
    return RSD_OK;
}
