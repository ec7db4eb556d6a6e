/* Opening a token stream and the model that runs over it. */
#include "cli/stream.h"

#include "cli/console.h"
#include "io/file.h"
#include "mat.h"
#include "transformer/evaluate.h"

#include <stdlib.h>
#include <string.h>

enum { PASS_TOKENS = 2048, SMALL_MODEL = 50000000 };

rsd_precision stream_precision(int chosen, size_t parameters)
{
    if (chosen != RSD_PRECISION_AUTO)
        return (rsd_precision)chosen;
    return parameters >= SMALL_MODEL && rsd_bf16_native() ? RSD_PRECISION_BF16 : RSD_PRECISION_F32;
}

static int open_tokens(const char *path, const rsd_model *model, rsd_tokens_options *o,
                       rsd_tokens **out)
{
    if (rsd_path_ends(path, ".txt"))
        RSD_TRY(rsd_tokenizer_load_model(rsd_model_source(model), &o->tokenizer));
    RSD_TRY(rsd_tokens_open(path, o, out));
    stream_note_text(path, o->tokenizer);
    return RSD_OK;
}

void stream_note_text(const char *path, const rsd_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    const rsd_uncovered u = rsd_tokenizer_uncovered(tokenizer);
    if (u.dropped)
        console_note("%s: %zu characters that no token covers are left out, the first is U+%04X",
                     path, u.dropped, u.first);
    if (u.unknown)
        console_note("%s: %zu characters that no token covers are the unknown token, the first is "
                     "U+%04X",
                     path, u.unknown, u.first);
    if (*rsd_tokenizer_note(tokenizer))
        console_detail("%s: tokenizer: %s", path, rsd_tokenizer_note(tokenizer));
}

int stream_open(const stream_options *options, const rsd_model *model, const rsd_shape *shape,
                stream *out)
{
    const char *path = options->tokens;
    const size_t context = options->context;
    *out = (stream){ 0 };
    if (!path)
        return RSD_FAIL(RSD_EUSAGE, "say which tokens: --tokens PATH");
    const bool spread = options->windows == STREAM_SPREAD && options->max_tokens;
    rsd_tokens_options o = { .vocab = shape->vocab, .limit = spread ? 0 : options->max_tokens };
    const int err = open_tokens(path, model, &o, &out->tokens);
    rsd_tokenizer_free(o.tokenizer);
    RSD_TRY(err);
    const size_t most = shape->context;
    out->context = context ? context : most < PASS_TOKENS ? most : PASS_TOKENS;
    if (out->context > most)
        return RSD_FAIL(RSD_EUSAGE, "--context %zu is above the model's %zu", context, most);
    size_t tokens = rsd_tokens_count(out->tokens);
    const size_t all = rsd_windows(tokens, out->context);
    tokens = spread && options->max_tokens < tokens ? options->max_tokens : tokens;
    out->windows = rsd_windows(tokens, out->context);
    out->of = out->windows < all ? all : 0;
    out->precision = stream_precision(options->precision, rsd_model_parameters(model));
    if (out->windows == 0)
        return RSD_FAIL(RSD_EUSAGE, "%s: %zu tokens do not fill a window of %zu inputs and targets",
                        path, tokens, out->context);
    out->batch = out->context < PASS_TOKENS ? PASS_TOKENS / out->context : 1;
    out->batch = out->batch < out->windows ? out->batch : out->windows;
    return RSD_OK;
}

void stream_close(stream *s)
{
    rsd_tokens_close(s->tokens);
    *s = (stream){ 0 };
}

int stream_fingerprint(const rsd_tokens *tokens, char hex[65])
{
    const size_t count = rsd_tokens_count(tokens), n = count < 65536 ? count : 65536;
    int32_t *id;
    RSD_TRY(rsd_array_alloc(2 * n, 1, sizeof *id, &id));
    int err = rsd_tokens_read(tokens, 0, n, id);
    if (!err)
        err = rsd_tokens_read(tokens, count - n, n, id + n);
    if (!err)
        rsd_sha256(id, 2 * n * sizeof *id, hex);
    free(id);
    return err;
}

int stream_identity(const stream *s, char out[17])
{
    const size_t n = s->context + 1;
    char both[129];
    int32_t *id;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *id, &id));
    rsd_sha256("", 0, both);
    for (size_t w = 0; !err && w < s->windows; w++) {
        const size_t at = rsd_window_at(w, s->windows, s->of) * s->context;
        err = rsd_tokens_read(s->tokens, at, n, id);
        rsd_sha256(id, n * sizeof *id, both + 64);
        rsd_sha256(both, 128, both);
    }
    free(id);
    memcpy(out, both, 16);
    out[16] = 0;
    return err;
}

const char *stream_precision_name(const stream *s)
{
    return s->precision == RSD_PRECISION_BF16 ? "bf16" : "f32";
}
