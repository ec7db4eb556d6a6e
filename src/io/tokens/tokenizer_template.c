/* The post-processor of a tokenizer.json: ids before and after every text. */
#include "alloc.h"
#include "io/json.h"
#include "io/tokens/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

int rsd_ids_append(rsd_ids *ids, const int32_t *id, size_t count)
{
    RSD_TRY(rsd_grow(&ids->id, &ids->capacity, ids->count + count, sizeof *ids->id));
    if (count)
        memcpy(ids->id + ids->count, id, count * sizeof *id);
    ids->count += count;
    return RSD_OK;
}

/* {"SpecialToken": {"id": name}}: the ids that special_tokens lists under that name. */
static int parse_special(const json_t *item, const json_t *names, rsd_tokenizer *t, rsd_ids *to)
{
    static const char what[] = "TemplateProcessing";
    const char *name;
    size_t n, k, id;
    const json_t *number;
    RSD_TRY(rsd_json_string(item, what, "id", &name, &n));
    const json_t *ids = json_object_get(json_object_get(names, name), "ids");
    if (!json_is_array(ids))
        return RSD_FAIL(RSD_EFORMAT, "%s: special_tokens lacks '%s'", what, name);
    json_array_foreach(ids, k, number)
    {
        id = (size_t)json_integer_value(number);
        if (!json_is_integer(number) || id > RSD_ID_MOST)
            return RSD_FAIL(RSD_EFORMAT, "%s: an id of '%s' is not a whole number in [0, %d]", what,
                            name, RSD_ID_MOST);
        const int32_t one = (int32_t)id;
        RSD_TRY(rsd_ids_append(to, &one, 1));
        rsd_tokenizer_count_id(t, id);
    }
    return RSD_OK;
}

/* {"Sequence": {"id": "A"}}: where the text is. */
static int parse_text_place(const json_t *item, bool *seen)
{
    const char *name;
    size_t n;
    RSD_TRY(rsd_json_string(item, "TemplateProcessing", "id", &name, &n));
    if (*seen || strcmp(name, "A") != 0)
        return RSD_FAIL(RSD_EFORMAT, "TemplateProcessing: sequence '%s'%s in 'single'", name,
                        *seen ? " again" : "");
    *seen = true;
    return RSD_OK;
}

static int parse_places(const json_t *json, rsd_tokenizer *t, rsd_ids *before, rsd_ids *after)
{
    const json_t *list = json_object_get(json, "single"), *item;
    const json_t *names = json_object_get(json, "special_tokens");
    bool seen = false;
    size_t k;
    json_array_foreach(list, k, item)
    {
        const json_t *special = json_object_get(item, "SpecialToken");
        if (special)
            RSD_TRY(parse_special(special, names, t, seen ? after : before));
        else
            RSD_TRY(parse_text_place(json_object_get(item, "Sequence"), &seen));
    }
    return seen ? RSD_OK : RSD_FAIL(RSD_EFORMAT, "TemplateProcessing: 'single' lacks sequence 'A'");
}

/* A template goes around what those before it have made. */
static int parse_template(const json_t *json, rsd_tokenizer *t)
{
    rsd_ids before = { 0 }, after = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(parse_places(json, t, &before, &after));
    RSD_TRY_DONE(rsd_ids_append(&before, t->before.id, t->before.count));
    RSD_TRY_DONE(rsd_ids_append(&t->after, after.id, after.count));
    const rsd_ids old = t->before;
    t->before = before;
    before = old;
done:
    free(before.id);
    free(after.id);
    return err;
}

/* Changes offsets, no token. */
static int parse_byte_level(const json_t *json, rsd_tokenizer *t)
{
    (void)json;
    (void)t;
    return RSD_OK;
}

static int parse_processor(const json_t *json, rsd_tokenizer *t);

static int parse_processors(const json_t *json, rsd_tokenizer *t)
{
    const json_t *list = json_object_get(json, "processors"), *item;
    size_t k;
    if (!json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "post_processor Sequence: 'processors' is not an array");
    json_array_foreach(list, k, item) { RSD_TRY(parse_processor(item, t)); }
    return RSD_OK;
}

static int parse_processor(const json_t *json, rsd_tokenizer *t)
{
    static const struct {
        const char *name;
        int (*parse)(const json_t *json, rsd_tokenizer *t);
        const char *known[5];
    } kinds[] = {
        { "TemplateProcessing", parse_template, { "type", "single", "pair", "special_tokens" } },
        { "ByteLevel",
          parse_byte_level,
          { "type", "add_prefix_space", "trim_offsets", "use_regex" } },
        { "Sequence", parse_processors, { "type", "processors" } },
    };
    size_t k;
    RSD_TRY(rsd_json_type(json, "post_processor", kinds, sizeof kinds / sizeof *kinds,
                          sizeof *kinds, &k));
    RSD_TRY(rsd_json_known(json, kinds[k].name, kinds[k].known));
    return kinds[k].parse(json, t);
}

int rsd_tokenizer_parse_processor(const json_t *json, rsd_tokenizer *t)
{
    return json && !json_is_null(json) ? parse_processor(json, t) : RSD_OK;
}
