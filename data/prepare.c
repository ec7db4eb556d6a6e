/* Text to what pretrain reads, with the project's own tokenizer:
 *
 *   prepare learn TEXT VOCAB tokenizer.json      learn a byte-level BPE tokenizer
 *   prepare encode TEXT tokenizer.json OUT.u16 LIMIT      the first LIMIT tokens; 0: all */
#include "io/bpe_train.h"
#include "io/file.h"
#include "io/tokens.h"
#include "mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int learn(const char *text, size_t vocab, const char *path)
{
    rsd_map map;
    RSD_TRY(rsd_map_open(text, &map));
    const rsd_bpe_training o = { .vocab_size = vocab };
    size_t made = 0;
    int err = rsd_bpe_train(map.data, map.size, &o, path, &made);
    rsd_map_close(&map);
    if (!err && made != vocab)
        err = RSD_FAIL(RSD_EFORMAT, "%s: gives %zu tokens, not %zu", text, made, vocab);
    return err;
}

static int write_tokens(const rsd_tokens *tokens, rsd_writer *file)
{
    int32_t id[1024];
    uint8_t pair[sizeof id / sizeof *id][2];
    const size_t count = rsd_tokens_count(tokens), most = sizeof id / sizeof *id;
    for (size_t first = 0; first < count; first += most) {
        const size_t n = count - first < most ? count - first : most;
        RSD_TRY(rsd_tokens_read(tokens, first, n, id));
        for (size_t i = 0; i < n; i++) {
            pair[i][0] = (uint8_t)(id[i] & 255);
            pair[i][1] = (uint8_t)(id[i] >> 8);
        }
        RSD_TRY(rsd_writer_put(file, pair, 2 * n));
    }
    return RSD_OK;
}

static int encode(const char *text, const char *tokenizer, const char *path, size_t limit)
{
    rsd_tokenizer *t = NULL;
    rsd_tokens *tokens = NULL;
    rsd_writer file = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_tokenizer_load(tokenizer, &t));
    const rsd_tokens_options o = { .tokenizer = t, .vocab = 65536, .limit = limit };
    RSD_TRY_DONE(rsd_tokens_open(text, &o, &tokens));
    RSD_TRY_DONE(rsd_writer_open(path, &file));
    RSD_TRY_DONE(write_tokens(tokens, &file));
    err = rsd_writer_commit(&file);
done:
    rsd_writer_abandon(&file);
    rsd_tokens_close(tokens);
    rsd_tokenizer_free(t);
    return err;
}

int main(int argc, char **argv)
{
    int err = RSD_EUSAGE;
    if (argc == 5 && strcmp(argv[1], "learn") == 0)
        err = learn(argv[2], strtoull(argv[3], NULL, 10), argv[4]);
    else if (argc == 6 && strcmp(argv[1], "encode") == 0)
        err = encode(argv[2], argv[3], argv[4], strtoull(argv[5], NULL, 10));
    if (err == RSD_EUSAGE)
        fputs("usage: prepare learn TEXT VOCAB TOKENIZER | encode TEXT TOKENIZER OUT LIMIT\n",
              stderr);
    else if (err)
        fprintf(stderr, "prepare: %s\n", rsd_errmsg());
    return err ? 1 : 0;
}
