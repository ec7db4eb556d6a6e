/* recover's options: the table, their defaults, and what they refuse. */
#include "recover/options.h"

#include "recover/menu.h"
#include "result/calibration_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const recover_params recover_defaults = {
    .stream.precision = RSD_PRECISION_AUTO,
    .eval_windows = STREAM_SPREAD,
    .numbers = { .b_ratio = 1,
                 .lr = RECOVER_LR_AUTO,
                 .clip = 1,
                 .damping = 1e-3,
                 .orthogonality = 0.5,
                 .steps = 200,
                 .batch = 8,
                 .warmup = 20,
                 .eval_every = 50,
                 .budget_interval = 1,
                 .merge = RECOVER_MERGE_NONE },
    .seeds = 1,
    .checkpoint_every = 100,
    .base = RECOVER_DENSE,
};

/* Given at two offsets: inside the parameters, and alone for the canonical text. */
/* clang-format off */
#define NUMBER_ROWS(base)                                                                          \
    { "alpha", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, alpha), 0, 1e9, "X",            \
      "adapters are scaled by alpha / rank; 0: alpha is the rank" },                               \
    { "rslora", 0, RSD_OPT_FLAG, (base) + offsetof(recover_numbers, rslora), 0, 0, NULL,           \
      "scale by alpha / sqrt(rank)" },                                                             \
    { "lora-plus", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, b_ratio), 1e-3, 1e4,        \
      "RATIO", "learning rate of B over that of A (LoRA+: 16)" },                                  \
    { "steps", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, steps), 0, 1e9, "N",            \
      "steps of the optimizer; 0: adapters stay as they start, and there is no control" },         \
    { "batch", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, batch), 1, 1 << 20, "N",        \
      "windows a step" },                                                                          \
    { "lr", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, lr), 0, 10, "auto|X",              \
      "highest learning rate; it falls as half a cosine, to 0 one step after the last.  auto: a "  \
      "start that corrects takes the rate at which a step moves its correction by 4 % of what is " \
      "left to correct, by the calibration's H and G (median over layers), one of B = 0 no more " \
      "than 1e-3 sqrt(8 / rank) sqrt(128 / inputs), which without a calibration is every "         \
      "start's" },                                                                                 \
    { "lr-probe", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, lr_probe), 0, 8, "N",        \
      "try N rates, that of --lr, a third, a tenth, ... of it, ten steps each, and train with "    \
      "the one of the least loss on held-out training windows; 0: do not" },                       \
    { "keep", 0, RSD_OPT_CHOICE, (base) + offsetof(recover_numbers, keep), 0, 0, "best|last",      \
      "end with the adapters of the step, of those that are evaluated and 0, of the least loss "   \
      "on a few training windows that no step sees, or of the last step" },                        \
    { "warmup", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, warmup), 0, 1e9, "N",          \
      "steps on which the learning rate rises from 0, at most half of all" },                      \
    { "clip", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, clip), 0, 1e9, "X",              \
      "most norm of a step's gradient; 0: any" },                                                  \
    { "weight-decay", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, decay), 0, 10, "X",      \
      "of the adapters, beside the gradient" },                                                    \
    { "objective", 0, RSD_OPT_CHOICE, (base) + offsetof(recover_numbers, objective), 0, 0,         \
      RSD_OBJECTIVE_WORDS,                                                                         \
      "ce: the data's next tokens; kl: the original's distribution; hidden: its last states" },    \
    { "eval-every", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, eval_every), 0, 1e9, "N",  \
      "steps between evaluations; 0: before the first and after the last step only" },             \
    { "merge", 0, RSD_OPT_CHOICE, (base) + offsetof(recover_numbers, merge), 0, 0,                 \
      "none|plain|requantize",                                                                     \
      "loss after merging too: plain, W + s B A; requantize, on the quantizer's own grid" },       \
    { "quantization-aware", 0, RSD_OPT_FLAG, (base) + offsetof(recover_numbers, straight), 0, 0,   \
      NULL, "train through quantize(W + s B A), gradients passed straight (lora)" },               \
    { "damping", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, damping), 0, 1, "X",          \
      "added to the eigenvalues of H and G, as a share of their mean" },                           \
    { "sequence", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, sequence), 0, 1e15,          \
      "TOKENS",                                                                                    \
      "make starts that correct one layer after the other, each for the inputs that those "       \
      "before it, corrected, send it on the first TOKENS of --tokens; 0: side by side" },          \
    { "rank-budget", 0, RSD_OPT_FLAG, (base) + offsetof(recover_numbers, spread), 0, 0, NULL,      \
      "--rank is a mean: as many numbers in all, spread over the layers by the loss that each "   \
      "rank is predicted to save, at least 1 (controls: alike); a start that corrects is left "    \
      "even where that is better on 32 training windows" },                                       \
    { "target-rank", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, target_rank), 0, 1e6,     \
      "R", "adalora: mean rank of a layer at the end; 0: two thirds of --rank" },                  \
    { "budget-begin", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, budget_begin), 0, 1e9,   \
      "N", "adalora: steps before ranks fall; 0: a tenth of all" },                                \
    { "budget-end", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, budget_end), 0, 1e9, "N",  \
      "adalora: last steps, with ranks that stay; 0: half of all" },                               \
    { "budget-interval", 0, RSD_OPT_SIZE, (base) + offsetof(recover_numbers, budget_interval), 1,  \
      1e9, "N", "adalora: steps between choices of ranks" },                                       \
    { "orthogonality", 0, RSD_OPT_REAL, (base) + offsetof(recover_numbers, orthogonality), 0, 1e6, \
      "X", "adalora: weight of the penalty on ||P'P - I|| and ||QQ' - I||" }
/* clang-format on */

static const rsd_opt number_options[] = { NUMBER_ROWS(0), { 0 } };

#define AT(field) offsetof(recover_params, field)
/* clang-format off */
const rsd_opt recover_options[] = {
    STREAM_OPTIONS(AT(stream), STREAM_FIRST_TOKENS),
    { "eval-tokens", 0, RSD_OPT_STRING, AT(eval_tokens), 0, 0, "PATH",
      "token stream that losses are measured on, in windows of the same context" },
    { "max-eval-tokens", 0, RSD_OPT_SIZE, AT(max_eval_tokens), 0, 1e15, "N",
      "evaluate on no more than N tokens, in windows (--windows); 0: all" },
    STREAM_WINDOWS_ROW(AT(eval_windows)),
    { "second-tokens", 0, RSD_OPT_STRING, AT(second_tokens), 0, 0, "PATH",
      "another text that the losses of ended runs are measured on as well, in as many windows" },
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "quantize with NAME[:KEY=VALUE,...], as `residuum list quantizers` names them" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer for the matrices whose name matches; the first rule counts" },
    { "target-bpw", 0, RSD_OPT_REAL, AT(target_bpw), 0, 64, "BITS",
      "give each matrix the -q with the least predicted loss within so many bits per weight" },
    { "rank", 0, RSD_OPT_LIST, AT(ranks), 0, 0, "R[,R...]", "of the adapters; 8 when not given" },
    { "init", 0, RSD_OPT_LIST, AT(inits), 0, 0, "INIT[,INIT...]",
      "how adapters start, as `residuum list inits` names it; zero when not given" },
    { "variant", 0, RSD_OPT_LIST, AT(variants), 0, 0, "LIST",
      RSD_VARIANT_WORDS "; lora when not given" },
    { "factors", 0, RSD_OPT_LIST, AT(factors), 0, 0, "SPEC[,SPEC...]",
      "quantizers that B and A are stored by, each a run: they are counted, evaluated and saved as "
      "stored, with a row for each of the rank's directions; bf16 when not given" },
    { "seeds", 0, RSD_OPT_SIZE, AT(seeds), 1, 10000, "N",
      "runs of each kind, with seeds from --seed on" },
    { "targets", 0, RSD_OPT_STRING, AT(targets), 0, 0, "GLOB",
      "layers that get adapters, by tensor name; all linear layers of the blocks when not given" },
    { "include", 0, RSD_OPT_LIST, AT(select.include), 0, 0, "GLOB",
      "quantize the linear layers whose name matches" },
    { "exclude", 0, RSD_OPT_LIST, AT(select.exclude), 0, 0, "GLOB",
      "leave out the linear layers whose name matches" },
    NUMBER_ROWS(AT(numbers)),
    CALIBRATION_OPTIONS(AT(calibration)),
    { "no-control", 0, RSD_OPT_FLAG, AT(no_control), 0, 0, NULL,
      "do not train adapters on the original model as well" },
    { "same-bytes", 0, RSD_OPT_LIST, AT(same_bytes), 0, 0, "SPEC[,SPEC...]",
      "set runs against a base without adapters that takes no more bytes, chosen on training "
      "windows from these quantizers and the run's own with more bits or finer groups, matrix by "
      "matrix where H and G predict losses; " MENU_USUAL ": a list of 2 to 6 bits, which is taken "
      "when a calibration is given" },
    { "no-same-bytes", 0, RSD_OPT_FLAG, AT(no_same_bytes), 0, 0, NULL,
      "leave these bases out" },
    { "base", 0, RSD_OPT_CHOICE, AT(base), 0, 0, "dense|packed",
      "unpack the quantized layers once, or keep them packed and unpack at every use" },
    { "checkpoint-activations", 0, RSD_OPT_FLAG, AT(recompute), 0, 0, NULL,
      "keep each block's input only and run the block again on the way back: less memory" },
    { "optimizer-state", 0, RSD_OPT_STRING, AT(optimizer_state), 0, 0, "PATH",
      "keep the optimizer's moments in this mapped file" },
    { "checkpoint-every", 0, RSD_OPT_SIZE, AT(checkpoint_every), 1, 1e9, "N",
      "steps between states of the run at hand, for resuming; and at evaluations" },
    { "save-adapters", 0, RSD_OPT_STRING, AT(save_adapters), 0, 0, "DIR",
      "write each run's adapters in PEFT's format into a folder of DIR" },
    { "save-base", 0, RSD_OPT_CHOICE, AT(save_base), 0, 0, "auto|dense|none",
      "W_q beside the adapters, as a model folder that adapter_config.json names; auto: where the "
      "start changed it, so that the quantizer alone does not make it again" },
    { "dry-run", 0, RSD_OPT_FLAG, AT(dry_run), 0, 0, NULL, "say what would run, and end" },
    { 0 },
};
/* clang-format on */

bool recover_wants_bases(const recover_params *p)
{
    return !p->no_same_bytes && (p->calibration || p->same_bytes.count);
}

void recover_settle(recover_params *p)
{
    recover_numbers *n = &p->numbers;
    const bool said = n->eval_every != recover_defaults.numbers.eval_every;
    if (n->steps == 0 || (!said && n->eval_every > n->steps))
        n->eval_every = n->steps;
}

/* Commas part the items, so that inside one they become '+'. */
static void put_item(FILE *f, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void put_item(FILE *f, const char *key, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    const int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    fprintf(f, ",%s=", key);
    for (int i = 0; i < n; i++)
        fputc(text[i] == ',' ? '+' : text[i], f);
    if (n >= 0)
        free(text);
}

static void put_list(FILE *f, const char *key, const rsd_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        put_item(f, key, "%s", list->item[i]);
}

char *recover_canonical(const recover_params *p, const char *tokens, const char *eval_tokens,
                        const char *second_tokens, const stream *train, const stream *eval)
{
    char numbers[1024], *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    rsd_opt_format(number_options, &p->numbers, numbers, sizeof numbers);
    fputs(numbers, f);
    put_item(f, "tokens", "%.16s", tokens);
    put_item(f, "eval-tokens", "%.16s", eval_tokens);
    if (second_tokens)
        put_item(f, "second-tokens", "%.16s", second_tokens);
    put_item(f, "eval-windows", eval->of ? "%zu of %zu" : "%zu", eval->windows, eval->of);
    put_item(f, "context", "%zu", train->context);
    put_item(f, "precision", "%s", train->precision == RSD_PRECISION_BF16 ? "bf16" : "f32");
    put_item(f, "targets", "%s", p->targets ? p->targets : "*");
    put_item(f, "calibration", "%s", p->calibration ? "yes" : "no");
    if (p->target_bpw > 0) { /* runs are named "map" then: their quantizers are said here */
        put_item(f, "target-bpw", "%g", p->target_bpw);
        put_list(f, "q", &p->specs);
    }
    put_list(f, "map", &p->map);
    put_list(f, "include", &p->select.include);
    put_list(f, "exclude", &p->select.exclude);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}
