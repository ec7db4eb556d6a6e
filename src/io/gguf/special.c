/* Which of llama.cpp's tokenizers a tokenizer.json is, and its special tokens. */
#include "io/gguf/pre.h"
#include "io/gguf/vocabulary_lists.h"

#include <stdio.h>
#include <string.h>

static const char *type_of(const json_t *j)
{
    const char *type = json_string_value(json_object_get(j, "type"));
    return type ? type : "";
}

/* A step of this type: j itself, or among the list that a Sequence has under key. */
static const json_t *find_step(const json_t *j, const char *key, const char *type)
{
    const json_t *item;
    size_t k;
    if (strcmp(type_of(j), type) == 0)
        return j;
    json_array_foreach(json_object_get(j, key), k, item)
    {
        if (strcmp(type_of(item), type) == 0)
            return item;
    }
    return NULL;
}

/* ---- the kind ---- */

/* What cuts a byte-level tokenizer's text, where it has a name; NULL: it has none. */
static const rsd_gguf_pre *find_pre(const json_t *pre_tokenizer)
{
    const json_t *level = find_step(pre_tokenizer, "pretokenizers", "ByteLevel");
    const json_t *split = find_step(pre_tokenizer, "pretokenizers", "Split");
    const json_t *digits = find_step(pre_tokenizer, "pretokenizers", "Digits");
    const size_t steps = json_array_size(json_object_get(pre_tokenizer, "pretokenizers"));
    const bool expression = !json_is_false(json_object_get(level, "use_regex"));
    if (!json_is_false(json_object_get(level, "add_prefix_space")))
        return NULL;
    const char *text =
        json_string_value(json_object_get(json_object_get(split, "pattern"), "Regex"));
    if (steps <= 1)
        return expression ? rsd_gguf_pre_like(false, NULL) : NULL;
    if (steps == 2 && digits && expression &&
        json_is_true(json_object_get(digits, "individual_digits")))
        return rsd_gguf_pre_like(true, NULL);
    return steps == 2 && text && !expression ? rsd_gguf_pre_like(false, text) : NULL;
}

/* SentencePiece's: spaces become U+2581, by the normalizer or by Metaspace. */
static bool is_sentencepiece(const json_t *tokenizer)
{
    const json_t *replace =
        find_step(json_object_get(tokenizer, "normalizer"), "normalizers", "Replace");
    const char *content = json_string_value(json_object_get(replace, "content"));
    const json_t *meta =
        find_step(json_object_get(tokenizer, "pre_tokenizer"), "pretokenizers", "Metaspace");
    return meta || (content && strcmp(content, "\u2581") == 0);
}

/* Are all of j's steps, j itself or those of a Sequence under key, of these types? */
static bool steps_are(const json_t *j, const char *key, const char *const *types)
{
    const json_t *item;
    size_t k;
    if (!j || json_is_null(j))
        return true;
    for (const char *const *t = types; *t; t++)
        if (strcmp(type_of(j), *t) == 0)
            return true;
    if (strcmp(type_of(j), "Sequence") != 0)
        return false;
    json_array_foreach(json_object_get(j, key), k, item)
    {
        if (!steps_are(item, key, types))
            return false;
    }
    return true;
}

/* Is its text taken as SentencePiece takes it: spaces rewritten, and nothing else? */
static bool takes_text_plainly(const json_t *tokenizer)
{
    static const char *const rewriting[] = { "Prepend", "Replace", NULL };
    static const char *const cutting[] = { "Metaspace", NULL };
    return steps_are(json_object_get(tokenizer, "normalizer"), "normalizers", rewriting) &&
           steps_are(json_object_get(tokenizer, "pre_tokenizer"), "pretokenizers", cutting);
}

void rsd_vocabulary_classify(rsd_vocabulary *v, char note[RSD_GGUF_NOTE_MAX])
{
    const json_t *model = json_object_get(v->tokenizer, "model");
    const json_t *pre_tokenizer = json_object_get(v->tokenizer, "pre_tokenizer");
    const bool bpe = json_object_get(model, "merges") &&
                     (strcmp(type_of(model), "BPE") == 0 || !json_object_get(model, "type"));
    const rsd_gguf_pre *pre = find_pre(pre_tokenizer);
    v->pre = (rsd_gguf_string){ "default", strlen("default") };
    if (bpe && find_step(pre_tokenizer, "pretokenizers", "ByteLevel")) {
        v->kind = RSD_VOCABULARY_GPT2;
        if (pre)
            v->pre = (rsd_gguf_string){ pre->names, strcspn(pre->names, " ") };
        else
            snprintf(note, RSD_GGUF_NOTE_MAX,
                     "llama.cpp has no name known here for what cuts this tokenizer's text: "
                     "'default' is written, and its tokens may differ");
    } else if (bpe && is_sentencepiece(v->tokenizer)) {
        v->kind = RSD_VOCABULARY_LLAMA;
        if (!takes_text_plainly(v->tokenizer))
            snprintf(note, RSD_GGUF_NOTE_MAX,
                     "GGUF has no place for all that this tokenizer does to text before it "
                     "merges: its tokens may differ");
    } else {
        snprintf(note, RSD_GGUF_NOTE_MAX,
                 "tokenizer.json is neither byte-level nor "
                 "SentencePiece's byte-pair encoding: no vocabulary is written");
    }
}

/* ---- special tokens ---- */

static bool find_text(const rsd_vocabulary *v, const json_t *text, uint32_t *id)
{
    const rsd_gguf_string s = { json_string_value(text), json_string_length(text) };
    return s.byte && rsd_vocabulary_find(v, s, id);
}

/* The id of KIND_token: by tokenizer_config.json's text, else by config.json's number (the first of
 * a list). */
static bool special_id(const rsd_vocabulary *v, const char *kind, uint32_t *id)
{
    char key[32];
    snprintf(key, sizeof key, "%s_token", kind);
    const json_t *text = json_object_get(v->settings, key);
    if (json_is_object(text))
        text = json_object_get(text, "content");
    if (find_text(v, text, id))
        return true;
    snprintf(key, sizeof key, "%s_token_id", kind);
    const json_t *number = json_object_get(v->config, key);
    if (json_is_array(number))
        number = json_array_get(number, 0);
    const json_int_t value = json_integer_value(number);
    if (!json_is_integer(number) || value < 0 || (size_t)value >= v->count)
        return false;
    *id = (uint32_t)value;
    return true;
}

/* The token that the template puts at an end of the text. */
static bool template_id(const rsd_vocabulary *v, const json_t *template, bool last, uint32_t *id)
{
    const json_t *single = json_object_get(template, "single");
    const size_t n = json_array_size(single);
    const json_t *token =
        json_object_get(json_array_get(single, last && n ? n - 1 : 0), "SpecialToken");
    return find_text(v, json_object_get(token, "id"), id);
}

/* Is the token put there?  The template says; without one tokenizer_config.json; else no.  Where
 * nothing says which token it is, the template does: *known and *id are then set. */
static bool is_added(const rsd_vocabulary *v, bool last, bool *known, uint32_t *id)
{
    uint32_t put;
    const json_t *processor = json_object_get(v->tokenizer, "post_processor");
    const json_t *template = find_step(processor, "processors", "TemplateProcessing");
    if (!template)
        return json_is_true(json_object_get(v->settings, last ? "add_eos_token" : "add_bos_token"));
    if (!template_id(v, template, last, &put))
        return false;
    if (!*known)
        *id = put;
    *known = true;
    return *id == put;
}

/* Does SentencePiece's kind put a space before the text? */
static bool adds_space(const json_t *tokenizer)
{
    const json_t *meta =
        find_step(json_object_get(tokenizer, "pre_tokenizer"), "pretokenizers", "Metaspace");
    const char *scheme = json_string_value(json_object_get(meta, "prepend_scheme"));
    if (meta)
        return scheme ? strcmp(scheme, "never") != 0
                      : !json_is_false(json_object_get(meta, "add_prefix_space"));
    return find_step(json_object_get(tokenizer, "normalizer"), "normalizers", "Prepend");
}

static int put_id(rsd_gguf_writer *w, const char *key, bool known, uint32_t id)
{
    return known ? rsd_gguf_put_u32(w, key, id) : RSD_OK;
}

int rsd_vocabulary_put_special(rsd_gguf_writer *w, const rsd_vocabulary *v)
{
    uint32_t bos = 0, eos = 0, id = 0;
    bool has_bos = special_id(v, "bos", &bos), has_eos = special_id(v, "eos", &eos);
    const bool add_bos = is_added(v, false, &has_bos, &bos);
    const bool add_eos = is_added(v, true, &has_eos, &eos);
    const json_t *template = json_object_get(v->settings, "chat_template");
    const json_t *unknown = json_object_get(json_object_get(v->tokenizer, "model"), "unk_token");
    RSD_TRY(put_id(w, "tokenizer.ggml.bos_token_id", has_bos, bos));
    RSD_TRY(put_id(w, "tokenizer.ggml.eos_token_id", has_eos, eos));
    const bool has_unknown = find_text(v, unknown, &id) || special_id(v, "unk", &id);
    RSD_TRY(put_id(w, "tokenizer.ggml.unknown_token_id", has_unknown, id));
    const bool has_pad = special_id(v, "pad", &id);
    RSD_TRY(put_id(w, "tokenizer.ggml.padding_token_id", has_pad, id));
    RSD_TRY(rsd_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", add_bos));
    RSD_TRY(rsd_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", add_eos));
    if (v->kind == RSD_VOCABULARY_LLAMA)
        RSD_TRY(rsd_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", adds_space(v->tokenizer)));
    if (json_is_string(template))
        RSD_TRY(rsd_gguf_put_text(
            w, "tokenizer.chat_template",
            (rsd_gguf_string){ json_string_value(template), json_string_length(template) }));
    return RSD_OK;
}
