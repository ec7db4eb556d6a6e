/* A tokenizer out of a tokenizer.json. */
#include "alloc.h"
#include "io/json.h"
#include "io/tokens/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- the model ---- */

static int parse_vocabulary(const json_t *vocab, rsd_tokenizer *t)
{
    const char *key;
    json_t *value;
    if (!json_is_object(vocab))
        return RSD_FAIL(RSD_EFORMAT, "model: 'vocab' is missing or not an object");
    json_object_foreach((json_t *)vocab, key, value)
    {
        size_t id;
        RSD_TRY(rsd_json_size(vocab, "vocab", key, RSD_ID_MOST, &id));
        RSD_TRY(rsd_bpe_add_token(t->bpe, key, strlen(key), (uint32_t)id));
        rsd_tokenizer_count_id(t, id);
    }
    return RSD_OK;
}

/* "a b" or ["a", "b"] */
static int parse_merge(const json_t *merge, size_t rank, rsd_bpe *bpe)
{
    const json_t *a = json_array_get(merge, 0), *b = json_array_get(merge, 1);
    if (json_array_size(merge) == 2 && json_is_string(a) && json_is_string(b))
        return rsd_bpe_add_merge(bpe, json_string_value(a), json_string_length(a),
                                 json_string_value(b), json_string_length(b));
    const char *text = json_string_value(merge);
    const char *space = text ? strchr(text, ' ') : NULL;
    if (!space || strchr(space + 1, ' '))
        return RSD_FAIL(RSD_EFORMAT, "model: merge %zu is not two tokens", rank);
    return rsd_bpe_add_merge(bpe, text, (size_t)(space - text), space + 1, strlen(space + 1));
}

static int parse_merges(const json_t *merges, rsd_bpe *bpe)
{
    const json_t *merge;
    size_t rank;
    if (!json_is_array(merges))
        return RSD_FAIL(RSD_EFORMAT, "model: 'merges' is missing or not an array");
    json_array_foreach(merges, rank, merge) { RSD_TRY(parse_merge(merge, rank, bpe)); }
    return RSD_OK;
}

/* Options that change how words are cut, which no model of the families here uses. */
static int refuse_variants(const json_t *model)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    const json_t *dropout = json_object_get(model, "dropout");
    if (dropout && !json_is_null(dropout) && json_number_value(dropout) != 0)
        return RSD_FAIL(RSD_EFORMAT, "model: dropout %g is not supported",
                        json_number_value(dropout));
    for (size_t k = 0; k < sizeof affixes / sizeof *affixes; k++) {
        const json_t *affix = json_object_get(model, affixes[k]);
        if (!rsd_json_absent(model, affixes[k]) && json_string_length(affix) != 0)
            return RSD_FAIL(RSD_EFORMAT, "model: %s '%s' is not supported", affixes[k],
                            json_string_value(affix));
    }
    return RSD_OK;
}

static int parse_model(const json_t *model, rsd_tokenizer *t)
{
    static const char *const models[] = { "BPE" };
    static const char *const known[] = { "type",
                                         "dropout",
                                         "unk_token",
                                         "continuing_subword_prefix",
                                         "end_of_word_suffix",
                                         "fuse_unk",
                                         "byte_fallback",
                                         "ignore_merges",
                                         "vocab",
                                         "merges",
                                         NULL };
    rsd_bpe_flags flags = { false, false, false };
    const char *unknown;
    size_t n;
    if (!json_is_object(model))
        return RSD_FAIL(RSD_EFORMAT, "'model' is missing or not an object");
    if (!rsd_json_absent(model, "type") || rsd_json_absent(model, "merges"))
        RSD_TRY(rsd_json_type(model, "model", models, 1, sizeof *models, &n));
    RSD_TRY(rsd_json_known(model, "model", known));
    RSD_TRY(refuse_variants(model));
    RSD_TRY(rsd_json_flag(model, "model", "byte_fallback", &flags.byte_fallback));
    RSD_TRY(rsd_json_flag(model, "model", "fuse_unk", &flags.fuse_unk));
    RSD_TRY(rsd_json_flag(model, "model", "ignore_merges", &flags.ignore_merges));
    RSD_TRY(rsd_bpe_alloc(flags, &t->bpe));
    RSD_TRY(parse_vocabulary(json_object_get(model, "vocab"), t));
    RSD_TRY(parse_merges(json_object_get(model, "merges"), t->bpe));
    if (rsd_json_absent(model, "unk_token"))
        return RSD_OK;
    RSD_TRY(rsd_json_string(model, "model", "unk_token", &unknown, &n));
    return rsd_bpe_set_unknown(t->bpe, unknown, n);
}

/* ---- added tokens ---- */

/* One that is normalized is looked for as the normalizer leaves it. */
static int put_added(rsd_tokenizer *t, rsd_added_token token, bool normalized)
{
    rsd_piece text = { (const uint8_t *)token.text, NULL, token.n, 0, true };
    if (!normalized)
        return rsd_added_put(&t->raw, token);
    RSD_TRY(rsd_normalizer_run(t->normalizer, text, &text));
    token.text = (char *)text.byte;
    token.n = text.n;
    return rsd_added_put(&t->normalized, token);
}

static int name_added(rsd_tokenizer *t, rsd_added_token token)
{
    const size_t before = t->names.count;
    const int32_t id = (int32_t)token.id;
    size_t at;
    RSD_TRY(rsd_intern_add(&t->names, token.text, token.n, &at));
    if (at < before)
        return RSD_FAIL(RSD_EFORMAT, "added token '%.*s' is there twice",
                        (int)(token.n > 100 ? 100 : token.n), token.text);
    return rsd_ids_append(&t->named, &id, 1);
}

int rsd_tokenizer_add(rsd_tokenizer *t, rsd_added_token token, bool normalized)
{
    rsd_tokenizer_count_id(t, token.id);
    RSD_TRY(name_added(t, token));
    return put_added(t, token, normalized);
}

static int parse_added(const json_t *json, rsd_tokenizer *t)
{
    static const char *const known[] = { "id",     "content",    "single_word", "lstrip",
                                         "rstrip", "normalized", "special",     NULL };
    static const char what[] = "added token";
    rsd_added_token token = { 0 };
    bool special = false;
    const char *text;
    size_t id;
    RSD_TRY(rsd_json_known(json, what, known));
    RSD_TRY(rsd_json_size(json, what, "id", RSD_ID_MOST, &id));
    RSD_TRY(rsd_json_string(json, what, "content", &text, &token.n));
    RSD_TRY(rsd_json_flag(json, what, "single_word", &token.single_word));
    RSD_TRY(rsd_json_flag(json, what, "lstrip", &token.lstrip));
    RSD_TRY(rsd_json_flag(json, what, "rstrip", &token.rstrip));
    RSD_TRY(rsd_json_flag(json, what, "special", &special));
    bool normalized = !special;
    RSD_TRY(rsd_json_flag(json, what, "normalized", &normalized));
    token.text = (char *)text;
    token.id = (uint32_t)id;
    return rsd_tokenizer_add(t, token, normalized);
}

static int parse_all_added(const json_t *list, rsd_tokenizer *t)
{
    const json_t *item;
    size_t k;
    if (list && !json_is_null(list) && !json_is_array(list))
        return RSD_FAIL(RSD_EFORMAT, "'added_tokens' is not an array");
    json_array_foreach(list, k, item) { RSD_TRY(parse_added(item, t)); }
    RSD_TRY(rsd_added_finish(&t->raw));
    return rsd_added_finish(&t->normalized);
}

/* ---- the file ---- */

static int parse_members(const json_t *root, rsd_tokenizer *t)
{
    /* clang-format off */
    static const char *const known[] = {
        "version",       "truncation", "padding",        "added_tokens", "normalizer",
        "pre_tokenizer", "decoder",    "post_processor", "model",        NULL,
    };
    /* clang-format on */
    RSD_TRY(rsd_json_known(root, "tokenizer", known));
    if (!rsd_json_absent(root, "truncation") || !rsd_json_absent(root, "padding"))
        t->note = "its truncation and padding are left out: texts have the length that they have";
    RSD_TRY(parse_model(json_object_get(root, "model"), t));
    RSD_TRY(rsd_normalizer_parse(json_object_get(root, "normalizer"), &t->normalizer));
    RSD_TRY(rsd_pretokenizer_parse(json_object_get(root, "pre_tokenizer"), &t->pretokenizer));
    /* where the document begins then depends on how the reference counts offsets */
    if (rsd_normalizer_moves_start(t->normalizer) && rsd_pretokenizer_knows_start(t->pretokenizer))
        return RSD_FAIL(RSD_EFORMAT, "Metaspace's prepend_scheme 'first' is not supported behind a "
                                     "normalizer that strips or prepends");
    RSD_TRY(parse_all_added(json_object_get(root, "added_tokens"), t));
    return rsd_tokenizer_parse_processor(json_object_get(root, "post_processor"), t);
}

int rsd_tokenizer_parse(const uint8_t *data, size_t size, rsd_tokenizer **out)
{
    rsd_tokenizer *t;
    json_error_t why;
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *t, &t));
    /* an empty file is mapped nowhere, which jansson would take for a mistake of the caller */
    json_t *root = json_loadb(size ? (const char *)data : "", size,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    int err;
    if (root)
        err = parse_members(root, t);
    else if (json_error_code(&why) == json_error_out_of_memory)
        err = RSD_FAIL(RSD_ENOMEM, "tokenizer");
    else
        err = RSD_FAIL(RSD_EFORMAT, "line %d, byte %d: %s", why.line, why.position, why.text);
    json_decref(root);
    if (err)
        rsd_tokenizer_free(t);
    else
        *out = t;
    return err;
}
