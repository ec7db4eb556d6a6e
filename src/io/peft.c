#include "io/peft.h"

#include "alloc.h"

#include "io/file.h"
#include "io/json.h"
#include "io/tokens/regex.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the lists of a configuration ---- */

static void free_patterns(rsd_peft_pattern *p, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(p[i].module);
    free(p);
}

void rsd_peft_config_free(rsd_peft_config *c)
{
    for (size_t i = 0; i < c->targets; i++)
        free(c->target[i]);
    free(c->target);
    free_patterns(c->rank_of, c->ranks);
    free_patterns(c->alpha_of, c->alphas);
    free(c->base);
    *c = (rsd_peft_config){ 0 };
}

int rsd_peft_config_target(rsd_peft_config *c, const char *module)
{
    RSD_TRY(rsd_room(&c->target, c->targets, 1, sizeof *c->target));
    RSD_TRY(rsd_copy_text(module, &c->target[c->targets]));
    c->targets++;
    return RSD_OK;
}

static int add_pattern(rsd_peft_pattern **list, size_t *count, const char *module, double value)
{
    RSD_TRY(rsd_room(list, *count, 1, sizeof **list));
    RSD_TRY(rsd_copy_text(module, &(*list)[*count].module));
    (*list)[(*count)++].value = value;
    return RSD_OK;
}

int rsd_peft_config_except(rsd_peft_config *c, const char *module, size_t rank, double alpha)
{
    RSD_TRY(add_pattern(&c->rank_of, &c->ranks, module, (double)rank));
    return add_pattern(&c->alpha_of, &c->alphas, module, alpha);
}

static int matches(const char *pattern, const char *module, bool *found)
{
    char *text;
    rsd_regex *re = NULL;
    size_t begin, end;
    RSD_TRY(rsd_format(&text, "^(?:.*\\.)?(?:%s)$", pattern));
    int err = rsd_regex_compile(RSD_REGEX_PCRE2, text, strlen(text), &re);
    if (!err)
        err = rsd_regex_find(re, (const uint8_t *)module, strlen(module), 0, found, &begin, &end);
    rsd_regex_free(re);
    free(text);
    return err;
}

int rsd_peft_config_alpha(const rsd_peft_config *c, const char *module, double *alpha)
{
    *alpha = c->alpha;
    for (size_t i = 0; i < c->alphas; i++) {
        bool found;
        RSD_TRY(matches(c->alpha_of[i].module, module, &found));
        if (!found)
            continue;
        *alpha = c->alpha_of[i].value; /* the first that matches counts */
        return RSD_OK;
    }
    return RSD_OK;
}

/* ---- writing ---- */

/* alpha as a whole number where it is one: PEFT declares it so. */
static json_t *number(double x)
{
    return x == floor(x) && fabs(x) < 1e15 ? json_integer((json_int_t)x) : json_real(x);
}

static json_t *patterns(const rsd_peft_pattern *p, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count && object; i++)
        if (json_object_set_new(object, p[i].module, number(p[i].value))) {
            json_decref(object);
            return NULL;
        }
    return object;
}

static json_t *list(char **text, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array; i++)
        if (json_array_append_new(array, json_string(text[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *config_json(const rsd_peft_config *c)
{
    return json_pack("{s:s, s:s, s:s?, s:I, s:o, s:f, s:s, s:b, s:b, s:b, s:b, s:b, s:n, s:o, s:o, "
                     "s:o}",
                     "peft_type", "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path",
                     c->base, "r", (json_int_t)c->rank, "lora_alpha", number(c->alpha),
                     "lora_dropout", 0.0, "bias", "none", "use_rslora", c->rslora, "use_dora",
                     c->dora, "fan_in_fan_out", c->fan_in_fan_out, "init_lora_weights", 1,
                     "inference_mode", 1, "modules_to_save", "target_modules",
                     list(c->target, c->targets), "rank_pattern", patterns(c->rank_of, c->ranks),
                     "alpha_pattern", patterns(c->alpha_of, c->alphas));
}

int rsd_peft_config_write(const rsd_peft_config *c, const char *path)
{
    json_t *json = config_json(c);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    const int err = text ? rsd_file_write(path, text, strlen(text))
                         : RSD_FAIL(RSD_EARG, "%s: a name is not UTF-8, or memory is out", path);
    free(text);
    json_decref(json);
    return err;
}

/* ---- reading ---- */

/* Read here, or without effect on what the adapter computes. */
/* clang-format off */
static const char *const known[] = {
    "peft_type", "r", "lora_alpha", "use_rslora", "use_dora", "fan_in_fan_out", "bias",
    "init_lora_weights", "rank_pattern", "alpha_pattern", "base_model_name_or_path",
    "task_type", "auto_mapping", "revision", "inference_mode", "target_modules", "exclude_modules",
    "lora_dropout", "layers_to_transform", "layers_pattern", "megatron_core", "runtime_config",
    "loftq_config", "eva_config", "corda_config", "qalora_group_size", "peft_version",
};
/* clang-format on */

static bool asks_for_nothing(const json_t *j)
{
    return json_is_null(j) || json_is_false(j) || (json_is_array(j) && json_array_size(j) == 0) ||
           (json_is_object(j) && json_object_size(j) == 0);
}

static int check_known(json_t *json)
{
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0)
            i++;
        if (i == sizeof known / sizeof *known && !asks_for_nothing(value))
            return RSD_FAIL(RSD_EFORMAT, "'%s' is not supported", key);
    }
    return RSD_OK;
}

/* A text that must be this one where it is there. */
static int require(const json_t *json, const char *key, const char *want, bool optional)
{
    const char *text;
    size_t n;
    if (optional && rsd_json_absent(json, key))
        return RSD_OK;
    RSD_TRY(rsd_json_string(json, "adapter", key, &text, &n));
    return strcmp(text, want) == 0
               ? RSD_OK
               : RSD_FAIL(RSD_EFORMAT, "%s '%s' is not supported; known: %s", key, text, want);
}

/* Starts that leave the base as it is; others subtract what they put into the adapter. */
static int check_start(const json_t *json)
{
    static const char *const harmless[] = { "gaussian", "orthogonal", "eva" };
    const json_t *start = json_object_get(json, "init_lora_weights");
    if (!start || json_is_null(start) || json_is_boolean(start))
        return RSD_OK;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless && json_is_string(start); i++)
        if (strcmp(json_string_value(start), harmless[i]) == 0)
            return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "init_lora_weights '%s' changes the base's weights",
                    json_is_string(start) ? json_string_value(start) : "?");
}

static int read_patterns(const json_t *json, const char *key, double least, rsd_peft_pattern **out,
                         size_t *count)
{
    json_t *object = json_object_get(json, key), *value;
    const char *module;
    if (rsd_json_absent(json, key))
        return RSD_OK;
    if (!json_is_object(object))
        return RSD_FAIL(RSD_EFORMAT, "'%s' is not an object", key);
    json_object_foreach(object, module, value)
    {
        if (!json_is_number(value) || !(json_number_value(value) >= least))
            return RSD_FAIL(RSD_EFORMAT, "%s of '%s' is no number of %g or more", key, module,
                            least);
        RSD_TRY(add_pattern(out, count, module, json_number_value(value)));
    }
    return RSD_OK;
}

static int read_json(json_t *json, rsd_peft_config *out)
{
    if (!json_is_object(json))
        return RSD_FAIL(RSD_EFORMAT, "not an object");
    RSD_TRY(require(json, "peft_type", "LORA", false));
    RSD_TRY(require(json, "bias", "none", true));
    RSD_TRY(check_start(json));
    RSD_TRY(check_known(json));
    RSD_TRY(rsd_json_size(json, "adapter", "r", 1 << 24, &out->rank));
    const json_t *alpha = json_object_get(json, "lora_alpha");
    if (!json_is_number(alpha))
        return RSD_FAIL(RSD_EFORMAT, "'lora_alpha' is not a number");
    out->alpha = json_number_value(alpha);
    RSD_TRY(rsd_json_flag(json, "adapter", "use_rslora", &out->rslora));
    RSD_TRY(rsd_json_flag(json, "adapter", "use_dora", &out->dora));
    RSD_TRY(rsd_json_flag(json, "adapter", "fan_in_fan_out", &out->fan_in_fan_out));
    RSD_TRY(read_patterns(json, "rank_pattern", 1, &out->rank_of, &out->ranks));
    RSD_TRY(read_patterns(json, "alpha_pattern", -INFINITY, &out->alpha_of, &out->alphas));
    const json_t *base = json_object_get(json, "base_model_name_or_path");
    return json_is_string(base) ? rsd_copy_text(json_string_value(base), &out->base) : RSD_OK;
}

int rsd_peft_config_read(const char *path, rsd_peft_config *out)
{
    rsd_map map;
    json_error_t error;
    *out = (rsd_peft_config){ 0 };
    RSD_TRY(rsd_map_open(path, &map));
    json_t *json = json_loadb((const char *)map.data, map.size, JSON_REJECT_DUPLICATES, &error);
    const int err =
        json ? read_json(json, out) : RSD_FAIL(RSD_EFORMAT, "line %d: %s", error.line, error.text);
    json_decref(json);
    rsd_map_close(&map);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}
