/* --tokens, --context, --max-tokens, --windows and --precision: a token stream, cut into windows
 * for a model that runs over them. */
#ifndef RSD_STREAM_H
#define RSD_STREAM_H

#include "io/model.h"
#include "io/tokens.h"
#include "opt.h"
#include "transformer/arch.h"
#include "transformer/matmul.h"

typedef struct {
    const char *tokens;
    size_t context, max_tokens;
    int windows;   /* stream_windows: which, where max_tokens leaves some out */
    int precision; /* rsd_precision */
} stream_options;

/* In the order of the option's words.  Text that follows itself is alike: the first windows of a
 * file are about what its beginning is about, windows spread over it are about the file. */
typedef enum { STREAM_FIRST, STREAM_SPREAD } stream_windows;
#define STREAM_WINDOWS_ROW(offset)                                                                 \
    {                                                                                              \
        "windows", 0, RSD_OPT_CHOICE, (offset), 0, 0, "first|spread",                              \
            "which windows to evaluate on where fewer tokens are asked for than there are: the "   \
            "first, or as many spread evenly over the stream"                                      \
    }

/* Rows for a command's option table; `base` is the stream_options' offset in its struct.  most:
 * what --max-tokens N does. */
/* clang-format off */
#define STREAM_OPTIONS(base, most)                                                                 \
    { "tokens", 0, RSD_OPT_STRING, (base) + offsetof(stream_options, tokens), 0, 0, "PATH",        \
      "token stream: .u16, .u32, .npy, Megatron .bin/.idx, or .txt with the model's "              \
      "tokenizer.json or the vocabulary of its GGUF file" },                                       \
        { "context", 0, RSD_OPT_SIZE, (base) + offsetof(stream_options, context), 0, 1 << 24, "N", \
          "inputs of a window, in tokens; 0: the model's context, at most 2048" },                 \
        { "max-tokens", 0, RSD_OPT_SIZE, (base) + offsetof(stream_options, max_tokens), 0, 1e15,   \
          "N", most },                                                                             \
    {                                                                                              \
        "precision", 0, RSD_OPT_CHOICE, (base) + offsetof(stream_options, precision), 0, 0,        \
            "f32|bf16|auto",                                                                       \
            "of matrix products; bf16 rounds to 8 bits, which alone makes a KL of about 1e-4; "    \
            "auto: f32 for a model of fewer than 50 million parameters, above bf16 where the "     \
            "processor multiplies it"                                                              \
    }
#define STREAM_FIRST_TOKENS "use the first N tokens; 0: all"
#define STREAM_MOST_TOKENS  "use no more than N tokens, in windows (--windows); 0: all"
/* clang-format on */

typedef struct {
    rsd_tokens *tokens;
    size_t context, windows;
    size_t of;    /* windows of the stream that these are spread over; 0: its first, or all */
    size_t batch; /* windows a pass: about 2048 tokens */
    rsd_precision precision; /* F32 or BF16 */
} stream;

/* What `auto` is for a model of so many parameters; other choices stay.  Never RSD_PRECISION_AUTO.
 */
rsd_precision stream_precision(int chosen, size_t parameters);

/* Text is read with the tokenizer.json of the model's folder, or the vocabulary of its GGUF file.
 * Free with stream_close, also after a failure.  Errors: RSD_EUSAGE where no tokens are named, the
 * context is above the model's, or no window filled; those of rsd_tokenizer_load_model and
 * rsd_tokens_open. */
RSD_CHECK int stream_open(const stream_options *options, const rsd_model *model,
                          const rsd_shape *shape, stream *out);
void stream_close(stream *s);

/* Tell the user what became of a text that was read with this tokenizer (NULL: it was none). */
void stream_note_text(const char *path, const rsd_tokenizer *tokenizer);

/* The hash of a stream's beginning and end (64 digits and a 0).  Errors: the stream's. */
RSD_CHECK int stream_fingerprint(const rsd_tokens *tokens, char hex[65]);

/* What tells one stream from another, whatever its file is called: the hash of every token of its
 * windows, 16 hexadecimal digits.  Errors: the stream's. */
RSD_CHECK int stream_identity(const stream *s, char out[17]);

/* "f32" or "bf16". */
const char *stream_precision_name(const stream *s);

#endif
