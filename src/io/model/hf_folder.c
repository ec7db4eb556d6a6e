#include "io/model/hf_folder.h"

#include "alloc.h"
#include "io/file.h"
#include "io/json_load.h"
#include "mat.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char weights[] = "model.safetensors", index_name[] = "model.safetensors.index.json";

bool rsd_is_pickle_name(const char *path)
{
    static const char *const endings[] = { ".bin", ".pt", ".pth", ".ckpt", ".pkl" };
    for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
        if (rsd_path_ends(path, endings[k]))
            return true;
    return false;
}

/* A pickle begins with 0x80 and its protocol's number, PyTorch's zip with a local file header.  So
 * may the length in front of a safetensors header (0x280 = 640 bytes), but then a '{' follows. */
bool rsd_is_pickle_data(const uint8_t *data, size_t size)
{
    if (size <= 8 || data[8] == '{')
        return false;
    return memcmp(data, "PK\3\4", 4) == 0 || (data[0] == 0x80 && 2 <= data[1] && data[1] <= 5);
}

int rsd_fail_pickle(const char *path)
{
    const char *slash = strrchr(path, '/');
    return RSD_FAIL(RSD_EFORMAT,
                    "%s: is a Python pickle, which can run code and is never read; convert it: "
                    "python3 -c \"import sys, torch, safetensors.torch as s; "
                    "s.save_file({k: v.clone().contiguous() for k, v in torch.load(sys.argv[1], "
                    "map_location='cpu', weights_only=True).items()}, sys.argv[2], "
                    "{'format': 'pt'})\" '%s' '%.*smodel.safetensors'",
                    path, path, slash ? (int)(slash - path + 1) : 0, path);
}

/* Names in a folder, sorted; hidden ones left out. */
typedef struct {
    size_t count;
    char **name;
} listing;

static void free_names(char **name, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(name[i]);
    free(name);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_add(listing *list, const char *name)
{
    RSD_TRY(rsd_room(&list->name, list->count, 1, sizeof *list->name));
    RSD_TRY(rsd_copy_text(name, &list->name[list->count]));
    list->count++;
    return RSD_OK;
}

static int list_folder(const char *path, listing *out)
{
    struct dirent *entry;
    int err = RSD_OK;
    DIR *dir = opendir(path);
    *out = (listing){ 0 };
    if (!dir)
        return RSD_FAIL(RSD_EIO, "%s: cannot list: %s", path, strerror(errno));
    while (!err && (errno = 0, entry = readdir(dir)))
        if (*entry->d_name != '.')
            err = list_add(out, entry->d_name);
    if (!err && errno)
        err = RSD_FAIL(RSD_EIO, "%s: cannot list: %s", path, strerror(errno));
    closedir(dir);
    if (err) {
        free_names(out->name, out->count);
        *out = (listing){ 0 };
    } else if (out->count) {
        qsort(out->name, out->count, sizeof *out->name, compare);
    }
    return err;
}

static bool has(const listing *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->name[i], name) == 0)
            return true;
    return false;
}

/* "a, b, c ..." as far as it fits. */
static void describe(const listing *list, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "%s", list->count ? "" : "nothing"), i = 0;
    for (; i < list->count && used + strlen(list->name[i]) + 8 < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", list->name[i]);
    if (i < list->count)
        snprintf(out + used, size - used, " ...");
}

/* Weights that are pickles, not what trainers leave beside them: optimizer state, arguments. */
static bool is_pickled_model(const char *name)
{
    return rsd_is_pickle_name(name) &&
           (strncmp(name, "pytorch_model", 13) == 0 ||
            !(rsd_path_ends(name, ".bin") || rsd_path_ends(name, ".pkl")));
}

static int no_weights(const char *path, const listing *all)
{
    char there[400];
    for (size_t i = 0; i < all->count; i++)
        if (is_pickled_model(all->name[i])) {
            char *file = rsd_path_join(path, all->name[i]);
            const int err = file ? rsd_fail_pickle(file) : RSD_FAIL(RSD_ENOMEM, "path");
            free(file);
            return err;
        }
    describe(all, there, sizeof there);
    return RSD_FAIL(RSD_ENOTFOUND, "%s: no %s, no %s and not a single *.safetensors; there is %s",
                    path, weights, index_name, there);
}

static int set_single(const char *name, rsd_hf_folder *out)
{
    RSD_TRY(rsd_zeroed(1, sizeof *out->file, &out->file));
    RSD_TRY(rsd_copy_text(name, &out->file[0]));
    out->count = 1;
    return RSD_OK;
}

/* The only *.safetensors of the folder. */
static int find_single(const char *path, const listing *all, rsd_hf_folder *out)
{
    const char *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        if (rsd_path_ends(all->name[i], ".safetensors")) {
            found = all->name[i];
            count++;
        }
    if (!count)
        return no_weights(path, all);
    if (count > 1)
        return RSD_FAIL(RSD_ENOTFOUND,
                        "%s: %zu *.safetensors (%s ...), but neither %s nor %s says "
                        "how they belong together",
                        path, count, found, weights, index_name);
    return set_single(found, out);
}

/* The index's files, once each, sorted. */
static int collect_shards(rsd_hf_folder *out)
{
    const rsd_st_index *index = &out->index;
    const char **all;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(index->count, 1, sizeof *all, &all));
    for (size_t i = 0; i < index->count; i++)
        all[i] = index->entry[i].file;
    qsort(all, index->count, sizeof *all, compare);
    RSD_TRY_DONE(rsd_array_alloc(index->count, 1, sizeof *out->file, &out->file));
    for (size_t i = 0; i < index->count; i++) {
        if (i && strcmp(all[i], all[i - 1]) == 0)
            continue;
        if (!(out->file[out->count] = strdup(all[i]))) {
            err = RSD_FAIL(RSD_ENOMEM, "shard name");
            goto done;
        }
        out->count++;
    }
done:
    free(all);
    return err;
}

static int read_index(const char *path, rsd_hf_folder *out)
{
    rsd_map map;
    char *file = rsd_path_join(path, index_name);
    if (!file)
        return RSD_FAIL(RSD_ENOMEM, "%s: path", path);
    int err = rsd_map_open(file, &map);
    if (!err) {
        err = rsd_st_index_parse(map.data, map.size, &out->index);
        if (err)
            rsd_fail_prefix(err, "%s", file);
        rsd_map_close(&map);
    }
    free(file);
    return err ? err : collect_shards(out);
}

static int parse_config(const char *text, size_t size, const char *path, rsd_hf_folder *out)
{
    json_t *root;
    int err = rsd_json_load(text, size, &root);
    if (err)
        return rsd_fail_prefix(err, "%s", path);
    const json_t *type = json_object_get(root, "model_type");
    if (!json_is_object(root))
        err = RSD_FAIL(RSD_EFORMAT, "%s: is not a JSON object", path);
    else if (type && !json_is_string(type))
        err = RSD_FAIL(RSD_EFORMAT, "%s: model_type is not a string", path);
    else
        err = rsd_copy_text(json_string_value(type), &out->architecture);
    json_decref(root);
    return err;
}

/* The whole of a file of the folder, a 0 behind it, and its path. */
static int read_text(const char *folder, const char *name, char **path, char **text, size_t *size)
{
    rsd_map map;
    RSD_TRY(rsd_format(path, "%s/%s", folder, name));
    RSD_TRY(rsd_map_open(*path, &map));
    const int err = rsd_zeroed(map.size + 1, 1, text);
    if (!err && map.size)
        memcpy(*text, map.data, map.size);
    *size = map.size;
    rsd_map_close(&map);
    return err;
}

static int read_config(const char *folder, rsd_hf_folder *out)
{
    char *path = NULL;
    size_t size;
    int err = read_text(folder, "config.json", &path, &out->config, &size);
    if (!err)
        err = parse_config(out->config, size, path, out);
    free(path);
    return err;
}

/* How the weights were quantized, where a file of its own says it. */
static int read_quantization(const char *folder, const listing *all, rsd_hf_folder *out)
{
    static const char *const names[] = { "quantize_config.json", "quant_config.json",
                                         "hf_quant_config.json" };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char *path = NULL;
        size_t size;
        if (!has(all, names[k]))
            continue;
        const int err = read_text(folder, names[k], &path, &out->quantization, &size);
        free(path);
        return err;
    }
    return RSD_OK;
}

static int find_weights(const char *path, const listing *all, rsd_hf_folder *out)
{
    if (has(all, weights))
        return set_single(weights, out);
    return has(all, index_name) ? read_index(path, out) : find_single(path, all, out);
}

int rsd_hf_folder_open(const char *path, rsd_hf_folder *out)
{
    listing all;
    int err = RSD_OK;
    *out = (rsd_hf_folder){ 0 };
    RSD_TRY(list_folder(path, &all));
    if (has(&all, "config.json"))
        RSD_TRY_DONE(read_config(path, out));
    RSD_TRY_DONE(read_quantization(path, &all, out));
    RSD_TRY_DONE(find_weights(path, &all, out));
done:
    free_names(all.name, all.count);
    if (err)
        rsd_hf_folder_free(out);
    return err;
}

void rsd_hf_folder_free(rsd_hf_folder *folder)
{
    free(folder->config);
    free(folder->architecture);
    free(folder->quantization);
    free_names(folder->file, folder->count);
    rsd_st_index_free(&folder->index);
    *folder = (rsd_hf_folder){ 0 };
}
