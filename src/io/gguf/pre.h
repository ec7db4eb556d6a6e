/* Private to src/io: what cuts a byte-level tokenizer's text into words, by the names that
 * llama.cpp has for it (tokenizer.ggml.pre). */
#ifndef RSD_IO_GGUF_PRE_H
#define RSD_IO_GGUF_PRE_H

#include <stdbool.h>
#include <stddef.h>

enum { RSD_GGUF_PRE_SPLITS = 3 };

typedef struct {
    const char *names; /* apart by spaces; the first is the one to write */
    bool digits;       /* every digit is a word: Digits, individual_digits */
    const char *expression[RSD_GGUF_PRE_SPLITS]; /* of Splits, one after the other, as
                                                    tokenizer.json has them; none: GPT-2's */
    bool ignore_merges;                          /* what the name implies for the model, and */
    bool adds_bos;                               /* where the file does not say it */
} rsd_gguf_pre;

/* By a name of n bytes; NULL: it is not known. */
const rsd_gguf_pre *rsd_gguf_pre_find(const char *name, size_t n);

/* The first one of these; NULL: there is none. */
const rsd_gguf_pre *rsd_gguf_pre_like(bool digits, const char *expression);

#endif
