/* residuum calibrate: H and G of every linear layer, into a result file. */
#include "alloc.h"
#include "calibrate/collection.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "mat.h"
#include "result/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const calibrate_params defaults = { .stream.precision = RSD_PRECISION_AUTO,
                                           .checkpoint_every = 512 };
enum { ALGORITHM = 1 }; /* raised when the same options give other numbers */

#define AT(field) offsetof(calibrate_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    STREAM_OPTIONS(AT(stream), STREAM_FIRST_TOKENS),
    { "empirical", 0, RSD_OPT_FLAG, AT(empirical), 0, 0, NULL,
      "G with the data's labels, not drawn from the model (biased: the empirical Fisher matrix)" },
    { "memory", 0, RSD_OPT_REAL, AT(memory), 0, 1e9, "MB",
      "for moments; what needs more reads the tokens several times; 0: half of this machine's" },
    { "checkpoint-every", 0, RSD_OPT_SIZE, AT(checkpoint_every), 1, 1e9, "N",
      "windows between states of the moments at hand, for resuming" },
    SELECT_OPTIONS(AT(select)),
    { 0 },
};
/* clang-format on */

static int open_model(collection *c, const char *argument)
{
    const char *name;
    size_t len;
    const char *source = select_source(argument, &name, &len);
    if (!c->params->common.output)
        return RSD_FAIL(RSD_EUSAGE, "give the result file: -o FILE.h5");
    RSD_TRY(rsd_model_open(source, &c->model));
    RSD_TRY(
        select_check(&c->params->select, NULL, true, (const rsd_model *const[]){ c->model }, 1));
    RSD_TRY(rsd_weights_load(c->model, &c->weights));
    RSD_TRY(stream_open(&c->params->stream, c->model, &c->weights->shape, &c->stream));
    c->name = name ? strndup(name, len) : strdup(rsd_model_name(c->model));
    if (!c->name)
        return RSD_FAIL(RSD_ENOMEM, "name of %s", source);
    return result_model_describe(c->model, c->name, &c->entry);
}

static size_t token_count(const collection *c) { return c->stream.windows * c->stream.context; }

static int about_path(const collection *c, char **out)
{
    char *model = rsd_store_escape(c->name);
    const int err = model ? rsd_format(out, "/calibration/%s", model)
                          : RSD_FAIL(RSD_ENOMEM, "path of %s", c->name);
    free(model);
    return err;
}

/* ---- the file ---- */

/* --force forgets this model's calibration. */
static const char *const written[] = { "/calibration/@", "/models/@/matrices/*/H",
                                       "/models/@/matrices/*/G", NULL };
static const parts_kind kind = { .command = "calibrate",
                                 .prefix = "calibration-",
                                 .writes = written };

static int describe(collection *c)
{
    const char *file = strrchr(c->params->stream.tokens, '/');
    char tokens[17];
    snprintf(c->about, sizeof c->about,
             "tokens=%.200s,context=%zu,windows=%zu,labels=%s,precision=%s,seed=%zu",
             file ? file + 1 : c->params->stream.tokens, c->stream.context, c->stream.windows,
             c->params->empirical ? "data" : "model", stream_precision_name(&c->stream),
             c->params->common.seed);
    RSD_TRY(stream_identity(&c->stream, tokens));
    snprintf(c->inputs, sizeof c->inputs, "algorithm=%d,tokens=%s", ALGORITHM, tokens);
    return RSD_OK;
}

/* Note the moments of one matrix. */
static int note_moments(text_index *index, const rsd_store *store, const char *matrix)
{
    static const char *const what[] = { "H", "G" };
    int err = RSD_OK;
    for (int i = 0; !err && i < 2; i++) {
        char *group = NULL, *array = NULL;
        size_t at;
        err = rsd_format(&group, "%s/%s", matrix, what[i]);
        if (!err)
            err = rsd_format(&array, "%s/eigenvalues", group);
        if (!err && rsd_store_exists(store, array))
            err = text_index_add(index, group, 0, &at);
        free(array);
        free(group);
    }
    return err;
}

static int check_about(const collection *c, const rsd_store *store)
{
    char *path, *where = NULL;
    RSD_TRY(about_path(c, &path));
    int err = rsd_format(&where, "%s: calibration of %s", c->params->common.output, c->name);
    if (!err && rsd_store_exists(store, path))
        err = provenance_agree_at(store, path, "options", where, c->about);
    if (!err && rsd_store_exists(store, path))
        err = provenance_agree_at(store, path, "inputs", where, c->inputs);
    free(where);
    free(path);
    return err;
}

/* What the file and the parts hold must have been made alike. */
static int read_file(const rsd_store *store, bool part, void *context)
{
    collection *c = context;
    int err = check_about(c, store);
    for (size_t i = 0; !err && i < rsd_model_count(c->model); i++) {
        char *path = result_matrix_path(c->name, rsd_model_tensor(c->model, i)->name);
        if (!path)
            return RSD_FAIL(RSD_ENOMEM, "path of a matrix");
        if (rsd_store_exists(store, path))
            err = note_moments(part ? &c->kept : &c->published, store, path);
        free(path);
    }
    return err;
}

static int open_file(collection *c)
{
    const rsd_common *common = &c->params->common;
    RSD_TRY(describe(c));
    RSD_TRY(parts_open(&kind, common->output, &c->entry, common->force, &c->parts));
    RSD_TRY(rsd_format(&c->state, "%s/%s%.16s.state", parts_folder(c->parts), kind.prefix,
                       short_hash_of(c->name).text));
    if (common->force)
        state_forget(c);
    return parts_each(c->parts, read_file, c);
}

static bool has_group(const text_index *index, const char *matrix, const char *what)
{
    char *group;
    if (rsd_format(&group, "%s/%s", matrix, what))
        return false; /* then it is done again */
    const bool has = text_index_find(index, group, NULL);
    free(group);
    return has;
}

static bool is_done(const collection *c, const char *matrix)
{
    return has_group(&c->published, matrix, "H") && has_group(&c->published, matrix, "G");
}

/* A moment that a killed run has kept is no unit of this one. */
static void add_unit(collection *c, const char *matrix, const char *what, size_t n)
{
    if (!has_group(&c->kept, matrix, what))
        c->unit[c->units++] = (unit){ .layer = c->layers, .n = n, .what = what };
}

static int add_layer(collection *c, size_t block, rsd_slot slot, size_t *skipped)
{
    const rsd_tensor *t = c->weights->block[block].tensor[slot];
    if (!t || !select_takes(&c->params->select, c->model, t))
        return RSD_OK;
    char *path = result_matrix_path(c->name, t->name);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
    if (is_done(c, path)) {
        ++*skipped;
        free(path);
        return RSD_OK;
    }
    size_t leader = 0;
    while (leader < c->layers &&
           (c->layer[leader].block != block || !rsd_same_input(c->layer[leader].slot, slot)))
        leader++;
    c->layer[c->layers] = (layer){ t, block, slot, path, leader };
    if (leader == c->layers)
        add_unit(c, path, "H", t->cols);
    add_unit(c, path, "G", t->rows);
    c->layers++;
    return RSD_OK;
}

static int add_layers(collection *c)
{
    const size_t blocks = c->weights->shape.layers, most = blocks * RSD_LINEARS;
    size_t skipped = 0;
    RSD_TRY(rsd_array_alloc(most, 1, sizeof *c->layer, &c->layer));
    RSD_TRY(rsd_array_alloc(most, 2, sizeof *c->unit, &c->unit));
    RSD_TRY(rsd_array_alloc(most, 2, sizeof *c->measured, &c->measured));
    RSD_TRY(rsd_array_alloc(blocks, 1, sizeof *c->moments, &c->moments));
    for (size_t b = 0; b < blocks; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            RSD_TRY(add_layer(c, b, slot, &skipped));
    if (skipped)
        console_note("%zu of %zu layers are calibrated already", skipped, skipped + c->layers);
    if (skipped + c->layers == 0)
        return RSD_FAIL(RSD_EUSAGE, "no linear layer is selected; see --include");
    return RSD_OK;
}

static size_t memory_limit(const collection *c)
{
    if (c->params->memory > 0)
        return (size_t)(c->params->memory * 1e6);
    return (size_t)sysconf(_SC_PHYS_PAGES) / 2 * (size_t)sysconf(_SC_PAGESIZE);
}

/* Moments fill one pass over the tokens after the other.  Says what it will take. */
static int plan(collection *c)
{
    const size_t limit = memory_limit(c);
    size_t used = 0, most = 0, stored = 0, widest = 0;
    for (size_t i = 0; i < c->units; i++) {
        unit *u = &c->unit[i];
        const size_t bytes = rsd_moment_bytes(u->n);
        if (bytes == SIZE_MAX)
            return RSD_FAIL(RSD_ENOMEM, "a moment of %zu channels", u->n);
        if (used && (bytes > limit || used > limit - bytes)) {
            c->passes++;
            used = 0;
        }
        u->pass = c->passes;
        used += bytes;
        most = used > most ? used : most;
        stored += moment_group_bytes(u->n);
        widest = u->n > widest ? u->n : widest;
    }
    c->passes++;
    console_note("%zu layers, %zu moments: %.1f MB of memory, %.1f MB in the file before "
                 "compression",
                 c->layers, c->units, (double)most / 1e6, (double)stored / 1e6);
    console_note("%zu windows of %zu tokens, read %zu %s", c->stream.windows, c->stream.context,
                 c->passes, c->passes == 1 ? "time" : "times");
    if (token_count(c) < widest)
        console_note("fewer tokens (%zu) than channels (up to %zu): some moments are singular",
                     token_count(c), widest);
    return RSD_OK;
}

/* All blocks' activations are kept where they take no more than a quarter of what moments may. */
static int open_pass(collection *c)
{
    const rsd_shape *s = &c->weights->shape;
    const size_t rows = c->stream.batch * c->stream.context;
    const size_t state = rsd_block_state_size(s, rows) * sizeof(rsd_real);
    const rsd_keep keep = state <= memory_limit(c) / 4 / s->layers ? RSD_KEEP_ALL : RSD_KEEP_INPUTS;
    RSD_TRY(rsd_transformer_alloc(c->weights, c->stream.precision, keep, rows, &c->pass));
    console_detail("%zu windows a pass, %zu MB of activations%s", c->stream.batch,
                   rsd_transformer_bytes(c->pass) / 1000000,
                   keep == RSD_KEEP_ALL ? "" : "; blocks run again on the way back");
    return RSD_OK;
}

/* The group of what the calibration was made from. */
static int write_about(const collection *c, rsd_store *to)
{
    char *path;
    int err = RSD_OK;
    RSD_TRY(about_path(c, &path));
    RSD_TRY_DONE(rsd_store_group(to, path));
    RSD_TRY_DONE(provenance_write(to, path, c->command_line, c->params->common.seed));
    RSD_TRY_DONE(rsd_store_set_text(to, path, "options", c->about));
    RSD_TRY_DONE(rsd_store_set_text(to, path, "inputs", c->inputs));
    RSD_TRY_DONE(rsd_store_set_text(to, path, "tokens_file", c->params->stream.tokens));
    RSD_TRY_DONE(rsd_store_set_int(to, path, "tokens", (int64_t)token_count(c)));
    RSD_TRY_DONE(rsd_store_set_int(to, path, "windows", (int64_t)c->stream.windows));
    RSD_TRY_DONE(rsd_store_set_int(to, path, "context", (int64_t)c->stream.context));
    RSD_TRY_DONE(rsd_store_set_text(to, path, "labels", c->params->empirical ? "data" : "model"));
    err = rsd_store_set_text(to, path, "precision", stream_precision_name(&c->stream));
done:
    free(path);
    return err;
}

int calibrate_write_about(const collection *c, rsd_store *to)
{
    RSD_TRY(result_model_write(to, &c->entry));
    RSD_TRY(write_about(c, to));
    for (size_t i = 0; i < c->layers; i++)
        RSD_TRY(result_write_matrix(to, c->layer[i].path, c->layer[i].tensor, "calibrated", ""));
    return RSD_OK;
}

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    const collection *c = context;
    (void)old;
    (void)changes;
    return calibrate_write_about(c, part);
}

/* Layers in their order, whichever pass or run had them. */
static int publish(collection *c)
{
    const char **order;
    RSD_TRY(rsd_array_alloc(c->layers, 1, sizeof *order, &order));
    for (size_t i = 0; i < c->layers; i++)
        order[i] = c->layer[i].path;
    const parts_publication publication = { .order = order,
                                            .count = c->layers,
                                            .command_line = c->command_line,
                                            .seed = c->params->common.seed,
                                            .last = write_last,
                                            .context = c };
    const int err = parts_publish(c->parts, &publication);
    free(order);
    return err;
}

static int compute(collection *c)
{
    const size_t batches = (c->stream.windows + c->stream.batch - 1) / c->stream.batch;
    console_progress_begin("pass", batches * c->passes, (double)(c->stream.windows * c->passes));
    int err = RSD_OK;
    for (size_t p = 0; !err && p < c->passes; p++)
        err = calibrate_pass(c, p);
    console_progress_end();
    return err;
}

static void report(const collection *c, double seconds)
{
    size_t clamped = 0, values = 0;
    for (size_t i = 0; i < c->units; i++) {
        clamped += c->unit[i].c.clamped;
        values += c->unit[i].n;
    }
    console_note("%s: H and G of %zu layers from %zu tokens in %.1f s; damping 0, %zu of %zu "
                 "eigenvalues clamped to 0",
                 c->params->common.output, c->layers, token_count(c), seconds, clamped, values);
    console_detail("peak memory %zu MB", console_peak_memory() / 1000000);
}

static int calibrate(collection *c, const char *argument)
{
    const double start = console_seconds();
    RSD_TRY(open_model(c, argument));
    RSD_TRY(open_file(c));
    RSD_TRY(add_layers(c));
    if (c->layers == 0)
        return RSD_OK;
    if (c->units) {
        RSD_TRY(plan(c));
        RSD_TRY(open_pass(c));
    }
    RSD_TRY(compute(c));
    RSD_TRY(publish(c));
    report(c, console_seconds() - start);
    return RSD_OK;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    collection c = {
        .params = params,
        .command_line = arguments->text,
    };
    const int err = calibrate(&c, arguments->words.item[0]);
    parts_close(c.parts);
    for (size_t i = 0; i < c.units; i++)
        moment_spectrum_free(&c.unit[i].c);
    for (size_t i = 0; i < c.layers; i++)
        free(c.layer[i].path);
    rsd_transformer_free(c.pass);
    stream_close(&c.stream);
    rsd_weights_free(c.weights);
    rsd_model_close(c.model);
    text_index_free(&c.published);
    text_index_free(&c.kept);
    free(c.state);
    free(c.moments);
    free(c.measured);
    free(c.unit);
    free(c.layer);
    free(c.name);
    return err;
}

extern const rsd_command rsd_command_calibrate;
const rsd_command rsd_command_calibrate = {
    .name = "calibrate",
    .usage = "MODEL --tokens PATH -o FILE.h5",
    .summary = "second moments of each layer's inputs and output gradients",
    .details =
        "H = E[x x'] of a linear layer's input and G = E[g g'] of the loss's gradient at "
        "its output,\n"
        "with their eigenvalues and metrics, go into the result file, beside what analyze "
        "wrote or\n"
        "will write there.  Memory does not grow with the tokens: pythia-160m takes 2.6 GB, "
        "and up\n"
        "to 1.3 GB in the file.  The same command again resumes where it was stopped.  --force "
        "forgets\n"
        "an earlier calibration of this model, and nothing else.\n",
    .options = options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(calibrate_params),
    .run = run,
};
