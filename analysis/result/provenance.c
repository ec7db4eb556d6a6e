/* What results were made from: written, and compared with what a file says. */
#include "config.h"

#include "result/provenance.h"

#include "alloc.h"
#include "io/file.h"
#include "result/result.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int result_model_describe(const rsd_model *model, const char *name, result_model *out)
{
    *out = (result_model){ .name = name,
                           .source = rsd_model_source(model),
                           .architecture = rsd_model_architecture(model),
                           .config = rsd_model_config(model),
                           .parameters = rsd_model_parameters(model) };
    return rsd_model_sha256(model, out->sha256);
}

int result_model_write_at(rsd_store *store, const char *path, const result_model *m)
{
    RSD_TRY(rsd_store_group(store, path));
    RSD_TRY(rsd_store_set_text(store, path, "source", m->source));
    RSD_TRY(rsd_store_set_text(store, path, "architecture", m->architecture));
    RSD_TRY(rsd_store_set_text(store, path, "config", m->config));
    RSD_TRY(rsd_store_set_text(store, path, "sha256", m->sha256));
    RSD_TRY(rsd_store_set_int(store, path, "parameters", (int64_t)m->parameters));
    return m->control ? rsd_store_set_int(store, path, "control", 1) : RSD_OK;
}

int result_model_write(rsd_store *store, const result_model *m)
{
    char *path = result_model_path(m->name);
    const int err = path ? result_model_write_at(store, path, m)
                         : RSD_FAIL(RSD_ENOMEM, "path of model %s", m->name);
    free(path);
    return err;
}

short_hash short_hash_of(const char *text)
{
    char hex[65];
    short_hash out;
    rsd_sha256(text, strlen(text), hex);
    memcpy(out.text, hex, 16);
    out.text[16] = 0;
    return out;
}

static int check_weights(const char *file, const char *held, const result_model *m)
{
    if (strcmp(held, m->sha256) == 0)
        return RSD_OK;
    return RSD_FAIL(RSD_EUSAGE,
                    "%s holds another model called %s (sha256 %.12s..., %s has %.12s...); call "
                    "this one NAME=%s, or write another file with -o",
                    file, m->name, held, m->source, m->sha256, m->source);
}

static int check_config(const char *file, const char *held, const result_model *m)
{
    if (strcmp(held, m->config) == 0)
        return RSD_OK;
    return RSD_FAIL(RSD_EUSAGE,
                    "%s holds %s with another configuration (config.json %s, %s has %s); call "
                    "this one NAME=%s, or write another file with -o",
                    file, m->name, short_hash_of(held).text, m->source,
                    short_hash_of(m->config).text, m->source);
}

int result_model_find(const rsd_store *store, const result_model *m, bool *found)
{
    char *path = result_model_path(m->name), *sha = NULL, *config = NULL;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of model %s", m->name);
    *found = !err && store && rsd_store_exists(store, path);
    if (err || !*found)
        goto done;
    RSD_TRY_DONE(rsd_store_get_text(store, path, "sha256", &sha));
    RSD_TRY_DONE(check_weights(rsd_store_path(store), sha, m));
    if (rsd_store_has(store, path, "config")) {
        RSD_TRY_DONE(rsd_store_get_text(store, path, "config", &config));
        err = check_config(rsd_store_path(store), config, m);
    }
done:
    free(config);
    free(sha);
    free(path);
    return err;
}

int provenance_write(rsd_store *store, const char *path, const char *command_line, uint64_t seed)
{
    char now[32];
    const time_t t = time(NULL);
    struct tm utc;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    RSD_TRY(rsd_store_set_text(store, path, "tool_version", PACKAGE_VERSION));
    RSD_TRY(rsd_store_set_text(store, path, "command_line", command_line));
    RSD_TRY(rsd_store_set_text(store, path, "created_utc", now));
    return rsd_store_set_int(store, path, "seed", (int64_t)seed);
}

int provenance_agree(const char *where, const char *held, const char *wanted)
{
    static const char nothing[] = "nothing more";
    size_t start = 0, i = 0;
    if (strcmp(held, wanted) == 0)
        return RSD_OK;
    for (; held[i] && held[i] == wanted[i]; i++)
        if (held[i] == ',')
            start = i + 1;
    const char *a = held + start, *b = wanted + start;
    if (!held[i] && wanted[i] == ',') {
        a = nothing;
        b = wanted + i + 1;
    } else if (!wanted[i] && held[i] == ',') {
        a = held + i + 1;
        b = nothing;
    }
    return RSD_FAIL(RSD_EUSAGE,
                    "%s was made with '%.*s', this command says '%.*s'; --force starts over, -o "
                    "writes another file",
                    where, (int)strcspn(a, ","), a, (int)strcspn(b, ","), b);
}

int provenance_agree_at(const rsd_store *store, const char *path, const char *name,
                        const char *where, const char *wanted)
{
    static const char first[] = "algorithm=1";
    char *held;
    if (!rsd_store_has(store, path, name)) {
        const size_t n = strcspn(wanted, ",");
        const bool same = n == sizeof first - 1 && memcmp(wanted, first, n) == 0;
        return same || strncmp(wanted, "algorithm=", 10) != 0
                   ? RSD_OK
                   : provenance_agree(where, first, wanted);
    }
    RSD_TRY(rsd_store_get_text(store, path, name, &held));
    const int err = provenance_agree(where, held, wanted);
    free(held);
    return err;
}
