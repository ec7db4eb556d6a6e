/* README.md beside adapters, in the form that model cards have. */
#include "recover/save_readme.h"

#include "config.h"

#include "cli/args.h"
#include "io/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_word(FILE *f, const char *option, const char *word)
{
    fprintf(f, " %s ", option);
    args_quote_word(f, word);
}

/* Where a file lies whatever folder the command is typed in; what is no path stays as it is. */
static void put_path(FILE *f, const char *option, const char *path)
{
    char real[PATH_MAX];
    put_word(f, option, realpath(path, real) ? real : path);
}

static void put_list(FILE *f, const char *option, const rsd_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        put_word(f, option, list->item[i]);
}

/* The options that make W_q of the model again. */
static void put_quantizing(FILE *f, const save_readme *r)
{
    const recover_params *p = r->sweep->params;
    const select_specs *specs = &r->sweep->plan.specs;
    if (r->run->spec)
        put_word(f, "-q", r->run->spec->text);
    for (size_t i = 0; i < specs->rules; i++) {
        fputs(" --map ", f);
        char rule[RSD_SPEC_MAX + 512];
        snprintf(rule, sizeof rule, "%s=%s", specs->rule[i].glob, specs->rule[i].spec.text);
        args_quote_word(f, rule);
    }
    put_list(f, "--include", &p->select.include);
    put_list(f, "--exclude", &p->select.exclude);
    if (p->calibration)
        put_path(f, "--calibration", p->calibration);
}

static void put_streams(FILE *f, const sweep *s)
{
    put_path(f, "--tokens", s->params->eval_tokens);
    fprintf(f, " --context %zu", s->eval.context);
    if (s->params->max_eval_tokens)
        fprintf(f, " --max-tokens %zu%s", s->params->max_eval_tokens,
                s->params->eval_windows == STREAM_FIRST ? " --windows first" : "");
    fputc('\n', f);
}

static void put_head(FILE *f, const save_readme *r, const char *model, double said, double read)
{
    const sweep *s = r->sweep;
    fprintf(f, "---\nbase_model: %s\nlibrary_name: peft\n---\n\n# %s\n\n",
            r->base ? r->base : model, r->run->name);
    fprintf(f, "Adapters in PEFT's format, trained by residuum %s beside a quantized model.\n\n",
            PACKAGE_VERSION);
    fprintf(f, "| | |\n|---|---|\n| model | %s |\n| quantizer | %s |\n| start | %s |\n", model,
            r->run->spec ? r->run->spec->text : "--map", r->run->init->text);
    fprintf(f, "| variant, rank, seed | %s, %zu, %zu |\n", rsd_variant_name(r->run->variant),
            r->run->rank, r->run->seed);
    fprintf(f, "| factors | rounded to what %s keeps of them, dequantized |\n",
            r->run->factors->text);
    fprintf(f, "| loss, nats per token | %.6f over %zu windows of %zu tokens |\n", said,
            s->eval.windows, s->eval.context);
    fprintf(f, "| read back from these files | %.6f |\n\n", read);
}

static void put_with_base(FILE *f, const save_readme *r, const char *folder)
{
    fprintf(f,
            "They stand on the weights W_q in `%s`, dequantized; beside others their loss is\n"
            "another.\n\n",
            r->base);
    fputs("    residuum eval ", f);
    args_quote_word(f, r->base);
    put_word(f, "--adapter", folder);
    put_streams(f, r->sweep);
    fprintf(f,
            "\n    from peft import AutoPeftModelForCausalLM\n"
            "    model = AutoPeftModelForCausalLM.from_pretrained(\"%s\")\n\n"
            "`base_model_name_or_path` in adapter_config.json is that folder; change it when the\n"
            "folder is moved.\n",
            folder);
}

static void put_without_base(FILE *f, const save_readme *r, const char *model, const char *folder)
{
    fprintf(f, "They stand on W_q, what the quantizer makes of the model's weights, not on the\n"
               "weights themselves, beside which their loss is another.\n\n    residuum eval ");
    args_quote_word(f, model);
    put_quantizing(f, r);
    put_word(f, "--adapter", folder);
    put_streams(f, r->sweep);
    fputs("\nFor PEFT, write W_q first (or train with `--save-base dense`):\n\n"
          "    residuum quantize ",
          f);
    args_quote_word(f, model);
    put_quantizing(f, r);
    fprintf(f,
            " -o BASE\n\n    from transformers import AutoModelForCausalLM\n"
            "    from peft import PeftModel\n"
            "    model = PeftModel.from_pretrained(\n"
            "        AutoModelForCausalLM.from_pretrained(\"BASE\"), \"%s\")\n",
            folder);
}

int save_readme_write(const save_readme *r, const char *folder, double said, double read)
{
    char *text = NULL, *path = rsd_path_join(folder, "README.md");
    char model[PATH_MAX], here[PATH_MAX];
    size_t size = 0;
    int err = RSD_OK;
    const char *source = r->sweep->entry.source;
    const char *from = realpath(source, model) ? model : source;
    const char *at = realpath(folder, here) ? here : folder;
    FILE *f = path ? open_memstream(&text, &size) : NULL;
    if (!f) {
        err = RSD_FAIL(RSD_ENOMEM, "README.md in %s", folder);
        goto done;
    }
    put_head(f, r, from, said, read);
    if (r->base)
        put_with_base(f, r, at);
    else
        put_without_base(f, r, from, at);
    err = fclose(f) ? RSD_FAIL(RSD_ENOMEM, "README.md in %s", folder)
                    : rsd_file_write(path, text, size);
done:
    free(text);
    free(path);
    return err;
}
