/* make_shards FOLDER SHARDS MATRICES ROWS COLS: a sharded model of noise, as large as you like.
 *
 * SHARDS files of MATRICES float32 matrices each, in the layout of a Llama folder, with config and
 * index.  Only one matrix is in memory. */
#include "err.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "mat.h"
#include "rng.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *folder;
    size_t shards, matrices;
    rsd_mat W;
    rsd_rng *rng;
} job;

static void tensor_name(char *out, size_t size, size_t layer)
{
    snprintf(out, size, "model.layers.%zu.mlp.up_proj.weight", layer);
}

static void shard_name(char *out, size_t size, const job *j, size_t shard)
{
    snprintf(out, size, "model-%05zu-of-%05zu.safetensors", shard + 1, j->shards);
}

static int write_shard(const job *j, size_t shard)
{
    char name[96], path[4096];
    rsd_st_writer *w;
    const size_t shape[2] = { j->W.m, j->W.n }, bytes = j->W.m * j->W.n * sizeof *j->W.x;
    int err = RSD_OK;
    RSD_TRY(rsd_st_writer_alloc(&w));
    for (size_t i = 0; i < j->matrices; i++) {
        tensor_name(name, sizeof name, shard * j->matrices + i);
        RSD_TRY_DONE(rsd_st_writer_declare(w, name, "F32", 2, shape, bytes));
    }
    shard_name(name, sizeof name, j, shard);
    snprintf(path, sizeof path, "%s/%s", j->folder, name);
    RSD_TRY_DONE(rsd_st_writer_begin(w, path));
    for (size_t i = 0; i < j->matrices; i++) {
        rsd_rng_normals(j->rng, j->W.x, j->W.m * j->W.n);
        RSD_TRY_DONE(rsd_st_writer_data(w, j->W.x, bytes));
    }
    err = rsd_st_writer_commit(w);
done:
    rsd_st_writer_free(w);
    return err;
}

static int write_text(const job *j, const char *name, void (*print)(const job *, FILE *))
{
    char path[4096];
    rsd_writer w;
    snprintf(path, sizeof path, "%s/%s", j->folder, name);
    RSD_TRY(rsd_writer_open(path, &w));
    print(j, w.stream);
    return rsd_writer_commit(&w);
}

static void print_index(const job *j, FILE *f)
{
    fputs("{\"weight_map\":{", f);
    for (size_t i = 0; i < j->shards * j->matrices; i++) {
        char tensor[96], shard[96];
        tensor_name(tensor, sizeof tensor, i);
        shard_name(shard, sizeof shard, j, i / j->matrices);
        fprintf(f, "%s\n\"%s\":\"%s\"", i ? "," : "", tensor, shard);
    }
    fputs("}}\n", f);
}

static void print_config(const job *j, FILE *f)
{
    (void)j;
    fputs("{\"model_type\":\"llama\"}\n", f);
}

static int run(job *j, size_t rows, size_t cols)
{
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(rows, cols, &j->W));
    RSD_TRY_DONE(rsd_rng_alloc(1, "shards", &j->rng));
    RSD_TRY_DONE(rsd_make_folder(j->folder));
    for (size_t s = 0; s < j->shards; s++)
        RSD_TRY_DONE(write_shard(j, s));
    RSD_TRY_DONE(write_text(j, "model.safetensors.index.json", print_index));
    err = write_text(j, "config.json", print_config);
done:
    if (j->rng)
        rsd_rng_free(j->rng);
    rsd_mat_free(&j->W);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: make_shards FOLDER SHARDS MATRICES ROWS COLS\n");
        return 2;
    }
    job j = { .folder = argv[1],
              .shards = strtoul(argv[2], NULL, 10),
              .matrices = strtoul(argv[3], NULL, 10) };
    const int err = run(&j, strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10));
    if (err)
        fprintf(stderr, "make_shards: %s\n", rsd_errmsg());
    return err != RSD_OK;
}
