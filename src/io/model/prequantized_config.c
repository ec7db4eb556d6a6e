/* What the configuration says of a quantized checkpoint: config.json's quantization_config, or a
 * file beside it. */
#include "io/json_load.h"
#include "io/model/prequantized_arrays.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int not_read(const char *what, const char *value, const char *known)
{
    return RSD_FAIL(RSD_EFORMAT, "quantization_config: %s '%s' is not read; %s %s", what, value,
                    known, strchr(known, ' ') ? "are" : "is");
}

/* j[key] as a text; "" where it is missing. */
static int text_of(const json_t *j, const char *key, const char **text)
{
    const json_t *value = json_object_get(j, key);
    *text = "";
    if (!value || json_is_null(value))
        return RSD_OK;
    if (!json_is_string(value))
        return RSD_FAIL(RSD_EFORMAT, "quantization_config: %s is not a text", key);
    *text = json_string_value(value);
    return RSD_OK;
}

/* The first of two keys that is there; AutoAWQ's own file has other names. */
static size_t size_of(const json_t *j, const char *key, const char *other)
{
    const json_t *value = json_object_get(j, key);
    const json_int_t v = json_integer_value(value ? value : json_object_get(j, other));
    return v > 0 ? (size_t)v : 0; /* group_size is -1 for one group a row */
}

static int parse_gptq(const json_t *j, rsd_quantized_config *out)
{
    const char *format;
    RSD_TRY(text_of(j, "checkpoint_format", &format));
    if (*format && strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
        return not_read("checkpoint_format", format, "gptq, gptq_v2");
    if (json_is_true(json_object_get(j, "is_marlin_format")))
        return not_read("checkpoint_format", "marlin", "gptq, gptq_v2");
    out->zeros_as_are = strcmp(format, "gptq_v2") == 0;
    out->mixed = json_object_size(json_object_get(j, "dynamic")) > 0;
    return RSD_OK;
}

static int parse_awq(const json_t *j, rsd_quantized_config *out)
{
    const char *version;
    (void)out;
    RSD_TRY(text_of(j, "version", &version));
    if (*version && strcasecmp(version, "gemm") != 0)
        return not_read("AWQ's version", version, "gemm");
    return RSD_OK;
}

static int parse_bitsandbytes(const json_t *j, rsd_quantized_config *out)
{
    (void)j;
    out->bits = out->group = 0; /* every layer says its own */
    return RSD_OK;
}

static void parse_block(const json_t *block, rsd_quantized_config *out)
{
    for (size_t k = 0; k < 2 && json_array_size(block) == 2; k++) {
        const json_int_t n = json_integer_value(json_array_get(block, k));
        out->block[k] = n > 0 ? (size_t)n : 0;
    }
}

static int parse_fp8(const json_t *j, rsd_quantized_config *out)
{
    out->scaled = true;
    parse_block(json_object_get(j, "weight_block_size"), out);
    return RSD_OK;
}

/* Groups of layers, each with a description of its weights; what they do not agree on is not said.
 */
static int parse_compressed(const json_t *j, rsd_quantized_config *out)
{
    const char *key, *format, *sparsity;
    const json_t *group;
    bool first = true;
    RSD_TRY(text_of(j, "format", &format));
    RSD_TRY(text_of(json_object_get(j, "sparsity_config"), "format", &sparsity));
    if (*sparsity && strcmp(sparsity, "dense") != 0)
        return not_read("sparsity format", sparsity, "dense");
    if (strstr(format, "marlin") || strstr(format, "bitmask"))
        return not_read("format", format, "pack-quantized, int-quantized, float-quantized");
    if (json_object_size(json_object_get(j, "transform_config")) > 0)
        return not_read("transform_config", "rotations", "null");
    out->scaled = true;
    out->mixed = true;
    json_object_foreach((json_t *)json_object_get(j, "config_groups"), key, group)
    {
        const json_t *weights = json_object_get(group, "weights");
        const size_t bits = size_of(weights, "num_bits", "num_bits");
        const size_t inputs = size_of(weights, "group_size", "group_size");
        rsd_quantized_config own = { .block = { 1, inputs } };
        parse_block(json_object_get(weights, "block_structure"), &own);
        out->bits = first || bits == out->bits ? bits : 0;
        for (size_t k = 0; k < 2; k++)
            out->block[k] = first || own.block[k] == out->block[k] ? own.block[k] : 0;
        first = false;
    }
    return RSD_OK;
}

/* NVIDIA's ModelOpt, in config.json or in its own hf_quant_config.json. */
static int parse_modelopt(const json_t *j, rsd_quantized_config *out)
{
    const json_t *inner = json_object_get(j, "quantization");
    const char *algorithm;
    RSD_TRY(text_of(json_is_object(inner) ? inner : j, "quant_algo", &algorithm));
    if (*algorithm && strncmp(algorithm, "FP8", 3) != 0 && strcmp(algorithm, "NVFP4") != 0)
        return not_read("ModelOpt's quant_algo", algorithm, "FP8, NVFP4");
    *out = (rsd_quantized_config){ .scaled = true };
    return RSD_OK;
}

static const struct {
    const char *name;
    int (*parse)(const json_t *j, rsd_quantized_config *out);
} methods[] = {
    { "gptq", parse_gptq },
    { "awq", parse_awq },
    { "bitsandbytes", parse_bitsandbytes },
    { "fp8", parse_fp8 },
    { "fbgemm_fp8", parse_fp8 },
    { "compressed-tensors", parse_compressed },
    { "modelopt", parse_modelopt },
};
enum { METHODS = sizeof methods / sizeof *methods };

static int parse_method(const json_t *j, const char *otherwise, rsd_quantized_config *out)
{
    const char *method;
    RSD_TRY(text_of(j, "quant_method", &method));
    if (!*method)
        method = otherwise;
    out->bits = size_of(j, "bits", "w_bit");
    out->group = size_of(j, "group_size", "q_group_size");
    for (size_t k = 0; k < METHODS; k++)
        if (strcmp(methods[k].name, method) == 0)
            return methods[k].parse(j, out);
    char known[256] = "";
    size_t used = 0;
    for (size_t k = 0; k < METHODS; k++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", k ? ", " : "",
                                 methods[k].name);
    return not_read("quant_method", method, known);
}

/* bitsandbytes' older checkpoints do not name their method. */
static const char *unnamed(const json_t *j)
{
    return json_object_get(j, "load_in_8bit") || json_object_get(j, "load_in_4bit") ? "bitsandbytes"
           : json_object_get(j, "config_groups") ? "compressed-tensors"
                                                 : "";
}

/* A file of its own names no method: AutoGPTQ's has bits, AutoAWQ's w_bit, ModelOpt's a producer.
 */
static int parse_description(const char *description, rsd_quantized_config *out)
{
    json_t *j = NULL;
    int err = rsd_json_load(description, strlen(description), &j);
    if (err)
        return rsd_fail_prefix(err, "description of the quantization");
    if (json_is_object(json_object_get(j, "quantization")))
        err = parse_modelopt(j, out);
    else if (json_is_object(j))
        err = parse_method(j, json_object_get(j, "w_bit") ? "awq" : "gptq", out);
    json_decref(j);
    return err;
}

/* MLX puts what it did under a key of its own. */
static int parse_mlx(const json_t *j, rsd_quantized_config *out)
{
    static const char *const texts[] = { "?", "1", "2", "3", "4", "5", "6", "7", "8" };
    const size_t bits = size_of(j, "bits", "bits");
    out->mlx_bits = texts[bits < sizeof texts / sizeof *texts ? bits : 0];
    return RSD_OK;
}

int rsd_quantized_config_parse(const char *config, const char *description,
                               rsd_quantized_config *out)
{
    json_t *root = NULL;
    int err = config ? rsd_json_load(config, strlen(config), &root) : RSD_OK;
    const json_t *said = json_object_get(root, "quantization_config");
    const json_t *mlx = json_object_get(root, "quantization");
    rsd_quantized_config beside = { 0 };
    *out = (rsd_quantized_config){ 0 };
    if (!json_is_object(said))
        said = json_object_get(root, "compression_config"); /* compressed-tensors' first name */
    if (!err && description)
        err = parse_description(description, &beside);
    if (!err && json_is_object(said))
        err = parse_method(said, unnamed(said), out);
    else if (!err && json_is_object(mlx) && json_object_get(mlx, "bits"))
        err = parse_mlx(mlx, out);
    else
        *out = beside;
    if (!err && json_is_object(said) && !json_object_get(said, "checkpoint_format"))
        out->zeros_as_are = beside.zeros_as_are;
    json_decref(root);
    return err;
}
