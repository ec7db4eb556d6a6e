/* Private to src/io/gguf: what vocabulary.c (tokens), special.c (kind, special tokens) and
 * vocabulary_copy.c share. */
#ifndef RSD_IO_GGUF_VOCABULARY_PRIVATE_H
#define RSD_IO_GGUF_VOCABULARY_PRIVATE_H

#include "io/gguf_vocabulary.h"
#include "io/intern.h"

#include <jansson.h>

typedef enum { RSD_VOCABULARY_NONE, RSD_VOCABULARY_LLAMA, RSD_VOCABULARY_GPT2 } rsd_vocabulary_kind;

typedef struct {
    rsd_vocabulary_kind kind;
    rsd_gguf_string pre;                   /* tokenizer.ggml.pre */
    json_t *tokenizer, *settings, *config; /* tokenizer.json, tokenizer_config.json, config.json */
    size_t count, merges;
    rsd_gguf_string *text; /* [count], in the JSON or in pads */
    int32_t *type;
    float *score;
    rsd_intern texts; /* all texts, and their ids */
    uint32_t *id;
    rsd_gguf_string *merge; /* [merges] */
    char *pads, *merge_bytes;
} rsd_vocabulary;

bool rsd_vocabulary_find(const rsd_vocabulary *v, rsd_gguf_string text, uint32_t *id);

/* Set kind and pre; a note where llama.cpp has none that fits. */
void rsd_vocabulary_classify(rsd_vocabulary *v, char note[RSD_GGUF_NOTE_MAX]);

/* Ids of special tokens, which of them begin and end a text, the chat template.
 * Errors: as rsd_gguf_put_value. */
RSD_CHECK int rsd_vocabulary_put_special(rsd_gguf_writer *w, const rsd_vocabulary *v);

/* Put all of tokenizer.* that a GGUF file, or the first of its parts, has.  Errors: those of
 * rsd_gguf_metadata_open and rsd_gguf_put_value. */
RSD_CHECK int rsd_vocabulary_copy(rsd_gguf_writer *w, const char *path);

#endif
