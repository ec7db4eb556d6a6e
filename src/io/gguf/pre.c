/* Source: llama.cpp, src/llama-vocab.cpp, which gives the expressions of the tokenizer.json that
 * each name was made for beside its own form of them.  Where the two differ (tekken and gpt-4o:
 * llama.cpp cuts words before combining marks, as in Hindi) it is the tokenizer.json's. */
#include "io/gguf/pre.h"

#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES       "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define UPPER        "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER        "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define LLAMA3                                                                                     \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "                                    \
                 "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES

static const rsd_gguf_pre all[] = {
    { .names = "gpt-2 phi-2 mpt olmo jais jina-es jina-de jina-v2-es jina-v2-de jina-v1-en "
               "jina-v2-code roberta-bpe gigachat a.x-4.0 mellum modern-bert trillion "
               "granite-docling" },
    { .names = "smollm starcoder refact command-r codeshell exaone minerva-7b mellum2",
      .digits = true },
    { .names = "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
      .expression = { LLAMA3 },
      .ignore_merges = true,
      .adds_bos = true },
    { .names = "glm4 glm5", .expression = { LLAMA3 }, .ignore_merges = true },
    { .names = "dbrx smaug-bpe chatglm-bpe", .expression = { LLAMA3 } },
    { .names = "qwen2 deepseek-r1-qwen kormo f2llmv2 stablelm2 hunyuan megrez solar-open grok-2",
      .expression = { CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                                   "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" SPACES } },
    { .names = "qwen35",
      .expression = { CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
                                   "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" SPACES } },
    { .names = "tekken",
      .expression = { "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+|[^\\r\\n\\p{L}\\p{N}]?" UPPER
                      "+" LOWER "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES },
      .ignore_merges = true,
      .adds_bos = true },
    { .names = "gpt-4o llama4 kanana2 talkie minimax-m2",
      .expression = { "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS
                      "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER "*" CONTRACTIONS
                      "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" SPACES } },
    { .names = "deepseek-v3 hunyuan-dense joyai-llm hy_v4",
      .expression = { "\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
                      "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
                      "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*"
                      "|\\s*[\r\n]+|\\s+(?!\\S)|\\s+" } },
    { .names = "seed-coder",
      .expression = { CONTRACTIONS "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}"
                                   "| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+" } },
};
enum { ALL = sizeof all / sizeof *all };

const rsd_gguf_pre *rsd_gguf_pre_find(const char *name, size_t n)
{
    for (size_t i = 0; i < ALL; i++)
        for (const char *at = all[i].names; *at; at += *at == ' ') {
            const size_t length = strcspn(at, " ");
            if (length == n && memcmp(at, name, n) == 0)
                return &all[i];
            at += length;
        }
    return NULL;
}

const rsd_gguf_pre *rsd_gguf_pre_like(bool digits, const char *expression)
{
    for (size_t i = 0; i < ALL; i++)
        if (all[i].digits == digits && !all[i].expression[1] &&
            (expression ? all[i].expression[0] && strcmp(all[i].expression[0], expression) == 0
                        : !all[i].expression[0]))
            return &all[i];
    return NULL;
}
