/* io/store: what is written is read back, by us and by HDF5's own dimension scale calls; files of
 * others; every error; full disks; damaged files; no handle is left open. */
#include "io/store.h"
#include "test.h"

#include <hdf5.h>
#include <hdf5_hl.h>

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* HDF5 leaks headers of damaged files.  Read by the leak sanitizer, if there is one. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libhdf5\n"; }

static char folder[64];

/* A path in the test's folder; the last four stay valid. */
static const char *at(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static rsd_store *create(const char *name)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(at(name), RSD_STORE_CREATE, &s));
    return s;
}

static rsd_store *reopen(const char *name)
{
    rsd_store *s;
    CHECK_OK(rsd_store_open(at(name), RSD_STORE_READ, &s));
    return s;
}

static rsd_array_info vector(size_t n, const char *axis)
{
    return (rsd_array_info){
        .units = "1", .description = "a vector", .ndim = 1, .shape = { n }, .axis = { axis }
    };
}

static size_t slurp(const char *path, unsigned char *buffer, size_t size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    const size_t n = fread(buffer, 1, size, f);
    fclose(f);
    assert_true(n < size);
    return n;
}

static void spill(const char *path, const unsigned char *buffer, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(buffer, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* HDF5 numbers the handles of a kind one after the other: those between a fresh one before a test
 * and a fresh one after it are the test's, and must all be closed. */
enum { SPACE, TYPE, PLIST, KINDS };
static hid_t before[KINDS];

static void take_fresh(hid_t id[KINDS])
{
    id[SPACE] = H5Screate(H5S_NULL);
    id[TYPE] = H5Tcopy(H5T_NATIVE_INT);
    id[PLIST] = H5Pcreate(H5P_DATASET_CREATE);
    for (int k = 0; k < KINDS; k++)
        assert_true(id[k] >= 0 && H5Idec_ref(id[k]) == 0);
}

static int remember_handles(void **state)
{
    (void)state;
    take_fresh(before);
    return 0;
}

static int same_handles(void **state)
{
    (void)state;
    static const char *const names[KINDS] = { "dataspaces", "datatypes", "property lists" };
    hid_t after[KINDS];
    const ssize_t objects = H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL);
    int status = objects == 0 ? 0 : -1;
    if (objects)
        print_error("%zd files or objects in them are left open\n", objects);
    take_fresh(after);
    for (int k = 0; k < KINDS; k++) {
        size_t open = 0, used = 0;
        for (hid_t id = before[k] + 1; id < after[k]; id++, used++)
            open += H5Iis_valid(id) > 0;
        if (open) {
            print_error("%zu of %zu %s are left open\n", open, used, names[k]);
            status = -1;
        }
    }
    return status;
}

static void attributes(void **state)
{
    (void)state;
    static const double reals[] = { 0.1, -0.0, NAN, INFINITY, -INFINITY, 4.9e-324, 1.7e308 };
    static const int64_t integers[] = { 0, -1, INT64_MAX, INT64_MIN };
    char *text, *longer = malloc(200001);
    double real;
    int64_t integer;
    memset(longer, 'x', 200000);
    longer[200000] = 0;
    rsd_store *s = create("a.h5");
    CHECK_OK(rsd_store_group(s, "/models/m"));
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        CHECK_OK(rsd_store_set_real(s, "/models/m", "x", reals[i])); /* replaces the last one */
        CHECK_OK(rsd_store_get_real(s, "/models/m", "x", &real));
        assert_memory_equal(&real, &reals[i], sizeof real);
    }
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        CHECK_OK(rsd_store_set_int(s, "/models/m", "x", integers[i])); /* of another type */
        CHECK_OK(rsd_store_get_int(s, "/models/m", "x", &integer));
        assert_true(integer == integers[i]);
    }
    CHECK_OK(rsd_store_set_text(s, "/", "command_line", "residuum analyze \u03b2"));
    CHECK_OK(rsd_store_set_text(s, "/models/m", "empty", ""));
    CHECK_OK(rsd_store_set_text(s, "/models/m", "config", longer));
    CHECK_OK(rsd_store_close(s));

    s = reopen("a.h5");
    assert_string_equal(rsd_store_path(s), at("a.h5"));
    CHECK_OK(rsd_store_get_text(s, "/", "command_line", &text));
    assert_string_equal(text, "residuum analyze \u03b2");
    free(text);
    CHECK_OK(rsd_store_get_text(s, "/models/m", "empty", &text));
    assert_string_equal(text, "");
    free(text);
    CHECK_OK(rsd_store_get_text(s, "/models/m", "config", &text));
    assert_string_equal(text, longer);
    free(text);
    free(longer);
    CHECK_OK(rsd_store_get_int(s, "/", "schema", &integer));
    assert_int_equal(integer, RSD_SCHEMA);
    CHECK_OK(rsd_store_get_real(s, "/", "schema", &real)); /* an integer where a real is wanted */
    CHECK_CLOSE(real, RSD_SCHEMA, 0);
    assert_true(rsd_store_has(s, "/", "format"));
    assert_false(rsd_store_has(s, "/", "seed"));
    assert_false(rsd_store_has(s, "/nowhere/at/all", "format"));
    CHECK_FAILS(rsd_store_get_text(s, "/models/m", "x", &text), RSD_EFORMAT, "is not text");
    assert_null(text);
    CHECK_FAILS(rsd_store_get_int(s, "/", "format", &integer), RSD_EFORMAT, "is not one number");
    CHECK_FAILS(rsd_store_get_int(s, "/", "seed", &integer), RSD_ENOTFOUND,
                "a.h5: / has no attribute 'seed'");
    CHECK_FAILS(rsd_store_get_real(s, "/models/n", "x", &real), RSD_ENOTFOUND, "has no /models/n");
    CHECK_OK(rsd_store_close(s));
}

/* More attributes than HDF5 keeps in a header by itself; see rsd_store_plain_header. */
static void many_attributes(void **state)
{
    (void)state;
    char name[32];
    double x = 1;
    int64_t k;
    const rsd_array_info info = vector(1, NULL);
    rsd_store *s = create("a.h5"), *t = create("b.h5");
    CHECK_OK(rsd_store_array(s, "/made/on/the/way/x", &x, &info));
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "metric%d", i);
        CHECK_OK(rsd_store_set_int(s, "/made/on/the/way", name, i));
        CHECK_OK(rsd_store_set_text(s, "/made/on", name, name));
        CHECK_OK(rsd_store_set_text(s, "/made/on/the/way/x", name, name));
    }
    CHECK_OK(rsd_store_copy(s, "/made", t, "/copied"));
    CHECK_OK(rsd_store_close(s));
    CHECK_OK(rsd_store_close(t));
    t = reopen("b.h5");
    CHECK_OK(rsd_store_get_int(t, "/copied/on/the/way", "metric299", &k));
    assert_int_equal(k, 299);
    assert_true(rsd_store_has(t, "/copied/on/the/way/x", "metric17"));
    CHECK_OK(rsd_store_close(t));
}

static void arrays(void **state)
{
    (void)state;
    static const struct {
        size_t ndim, shape[2];
    } cases[] = { { 1, { 1 } },       { 1, { 7 } },         { 1, { 0 } },    { 1, { 4096 } },
                  { 1, { 300001 } },  { 2, { 1, 1 } },      { 2, { 1, 9 } }, { 2, { 5, 3 } },
                  { 2, { 63, 65 } },  { 2, { 3, 200000 } }, { 2, { 0, 4 } }, { 2, { 5000, 0 } },
                  { 2, { 5000, 1 } }, { 2, { 1, 140000 } } };
    double *x = malloc(600000 * sizeof *x), *y;
    size_t ndim, shape[2];
    char path[64], *units;
    const rsd_array_info one = vector(1, NULL);
    for (size_t i = 0; i < 600000; i++)
        x[i] = (double)i * 0.1;
    x[3] = NAN;
    x[4] = -INFINITY;
    for (int as_float = 0; as_float < 2; as_float++) {
        rsd_store *s = create("a.h5");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            snprintf(path, sizeof path, "/in/groups/x%zu", i);
            CHECK_OK(rsd_store_array(
                s, path, x,
                &(rsd_array_info){ .units = "nats",
                                   .description = "d",
                                   .ndim = cases[i].ndim,
                                   .shape = { cases[i].shape[0], cases[i].shape[1] },
                                   .as_float = as_float }));
        }
        CHECK_FAILS(rsd_store_array(s, "/in/groups/x0", x, &one), RSD_EARG,
                    "/in/groups/x0 exists already");
        CHECK_FAILS(rsd_store_array(s, "/in/groups/x0/y", x, &one), RSD_EIO,
                    "cannot make group /in/groups/x0: not a group");
        CHECK_OK(rsd_store_close(s));
        s = reopen("a.h5");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            snprintf(path, sizeof path, "/in/groups/x%zu", i);
            CHECK_OK(rsd_store_read_array(s, path, &y, &ndim, shape));
            assert_int_equal(ndim, cases[i].ndim);
            assert_int_equal(shape[0], cases[i].shape[0]);
            assert_int_equal(shape[1], ndim == 2 ? cases[i].shape[1] : 1);
            for (size_t k = 0; k < shape[0] * shape[1]; k++) {
                const double want = as_float ? (double)(float)x[k] : x[k];
                assert_true(y[k] == want || (isnan(y[k]) && isnan(want)));
            }
            free(y);
        }
        CHECK_OK(rsd_store_get_text(s, "/in/groups/x0", "units", &units));
        assert_string_equal(units, "nats");
        free(units);
        CHECK_FAILS(rsd_store_read_array(s, "/in", &y, &ndim, shape), RSD_EFORMAT, "read /in");
        assert_null(y);
        CHECK_FAILS(rsd_store_read_array(s, "/in/it", &y, &ndim, shape), RSD_ENOTFOUND,
                    "has no /in/it");
        CHECK_OK(rsd_store_close(s));
    }
    free(x);
}

/* From 4096 elements on packed: a smooth curve takes a fraction of its size. */
static void packing(void **state)
{
    (void)state;
    struct stat st;
    double *x = malloc(100000 * sizeof *x);
    for (size_t i = 0; i < 100000; i++)
        x[i] = (double)(i / 100);
    rsd_store *s = create("a.h5");
    const rsd_array_info info = vector(100000, NULL);
    CHECK_OK(rsd_store_array(s, "/x", x, &info));
    CHECK_OK(rsd_store_close(s));
    assert_int_equal(stat(at("a.h5"), &st), 0);
    assert_true(st.st_size < 100000);
    free(x);
}

/* Opened by HDF5 itself, as h5py would: is dimension d of the dataset attached to the scale, and
 * what does its first reference lead to? */
static bool attached(const char *name, const char *dataset, const char *scale, unsigned d)
{
    const hid_t file = H5Fopen(at(name), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t x = H5Dopen2(file, dataset, H5P_DEFAULT), a = H5Dopen2(file, scale, H5P_DEFAULT);
    assert_true(file >= 0 && x >= 0 && a >= 0);
    const bool yes = H5DSis_attached(x, a, d) > 0;
    H5Dclose(x);
    H5Dclose(a);
    H5Fclose(file);
    return yes;
}

static herr_t first_scale(hid_t dataset, unsigned d, hid_t scale, void *name)
{
    (void)dataset, (void)d;
    return H5Iget_name(scale, name, 256) > 0 ? 1 : -1;
}

static const char *axis_of(const char *name, const char *dataset, unsigned d)
{
    static char path[256];
    const hid_t file = H5Fopen(at(name), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t x = H5Dopen2(file, dataset, H5P_DEFAULT);
    assert_true(file >= 0 && x >= 0);
    path[0] = 0;
    H5DSiterate_scales(x, d, NULL, first_scale, path);
    H5Dclose(x);
    H5Fclose(file);
    return path;
}

static void axes(void **state)
{
    (void)state;
    const double x[12] = { 3, 2, 1 };
    double *k;
    size_t ndim, shape[2];
    const rsd_array_info v3 = vector(3, "/axes/k"), v4 = vector(4, "/axes/k");
    const rsd_array_info none = vector(3, "/axes/none"), wrong = vector(3, "/y/v");
    rsd_store *s = create("a.h5");
    CHECK_OK(rsd_store_axis(s, "/axes/k", 3, "1", "index"));
    CHECK_OK(rsd_store_axis(s, "/axes/k", 3, "1", "index"));
    CHECK_FAILS(rsd_store_axis(s, "/axes/k", 4, "1", "index"), RSD_EARG,
                "axis /axes/k has length 3, not 4");
    CHECK_OK(rsd_store_axis(s, "/axes/long", 5000, "1", "index"));
    CHECK_OK(rsd_store_axis(s, "/axes/unused", 0, "1", "index"));
    CHECK_OK(rsd_store_array(s, "/y/v", x, &v3));
    CHECK_OK(rsd_store_array(
        s, "/y/m", x, &(rsd_array_info){ "1", "d", 2, { 4, 3 }, { NULL, "/axes/k" }, false }));
    CHECK_OK(rsd_store_array(
        s, "/y/n", x, &(rsd_array_info){ "1", "d", 2, { 3, 4 }, { "/axes/k", NULL }, false }));
    CHECK_OK(rsd_store_array(
        s, "/y/mm", x, &(rsd_array_info){ "1", "d", 2, { 3, 3 }, { "/axes/k", "/axes/k" }, true }));
    CHECK_FAILS(rsd_store_array(s, "/y/w", x, &v4), RSD_EARG,
                "/y/w has 4 values along its axis /axes/k of 3");
    assert_false(rsd_store_exists(s, "/y/w"));
    CHECK_FAILS(rsd_store_array(s, "/y/w", x, &none), RSD_ENOTFOUND, "has no /axes/none");
    CHECK_FAILS(rsd_store_array(s, "/y/w", x, &wrong), RSD_EFORMAT, "/y/v is not an axis");
    CHECK_FAILS(rsd_store_axis(s, "/y/v", 3, "1", "index"), RSD_EFORMAT, "/y/v is not an axis");
    CHECK_OK(rsd_store_close(s));
    assert_true(attached("a.h5", "/y/v", "/axes/k", 0));
    assert_true(attached("a.h5", "/y/m", "/axes/k", 1));
    assert_false(attached("a.h5", "/y/m", "/axes/k", 0));
    assert_true(attached("a.h5", "/y/n", "/axes/k", 0));
    assert_false(attached("a.h5", "/y/n", "/axes/k", 1));
    assert_true(attached("a.h5", "/y/mm", "/axes/k", 0));
    assert_true(attached("a.h5", "/y/mm", "/axes/k", 1));
    assert_false(attached("a.h5", "/y/v", "/axes/long", 0));
    assert_string_equal(axis_of("a.h5", "/y/m", 1), "/axes/k");
    s = reopen("a.h5");
    CHECK_OK(rsd_store_read_array(s, "/axes/long", &k, &ndim, shape));
    for (size_t i = 0; i < 5000; i++)
        CHECK_CLOSE(k[i], (double)i + 1, 0);
    free(k);
    CHECK_OK(rsd_store_close(s));
}

/* An axis shared by more arrays than its header can list: the way from the arrays remains. */
static void crowded_axis(void **state)
{
    (void)state;
    char path[64];
    const double x[1] = { 1 };
    const rsd_array_info info = vector(1, "/k");
    rsd_store *s = create("a.h5"), *t;
    CHECK_OK(rsd_store_axis(s, "/k", 1, "1", "index"));
    for (int i = 0; i < 5001; i++) {
        snprintf(path, sizeof path, "/g%d/x", i / 100);
        snprintf(path + strlen(path), 16, "%d", i);
        CHECK_OK(rsd_store_array(s, path, x, &info));
        if (i == 4999) { /* as many as fit */
            t = create("b.h5");
            CHECK_OK(rsd_store_copy(s, "/", t, "/all"));
            CHECK_OK(rsd_store_close(t));
        }
    }
    CHECK_OK(rsd_store_close(s));
    assert_string_equal(axis_of("a.h5", "/g50/x5000", 0), "/k");
    assert_true(attached("b.h5", "/all/g49/x4999", "/all/k", 0));
}

static void groups(void **state)
{
    (void)state;
    static const char *const order[] = { "zebra", "ant", "moth" };
    rsd_names names;
    char path[64];
    rsd_store *s = create("a.h5");
    CHECK_OK(rsd_store_group(s, "/"));
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "/list/%s/below/it", order[i]);
        CHECK_OK(rsd_store_group(s, path));
        CHECK_OK(rsd_store_group(s, path));
    }
    for (int i = 99; i >= 0; i--) { /* enough for the other way in which HDF5 stores links */
        snprintf(path, sizeof path, "/many/%d", i);
        CHECK_OK(rsd_store_group(s, path));
    }
    CHECK_OK(rsd_store_axis(s, "/axis", 2, "", ""));
    CHECK_FAILS(rsd_store_group(s, "/axis"), RSD_EIO, "cannot make group /axis");
    CHECK_FAILS(rsd_store_group(s, "/axis/below"), RSD_EIO, "cannot make group /axis: not a group");
    assert_true(rsd_store_exists(s, "/"));
    assert_true(rsd_store_exists(s, "/list/ant/below"));
    assert_false(rsd_store_exists(s, "/list/bee/below"));
    assert_false(rsd_store_exists(s, "/axis/below"));
    CHECK_OK(rsd_store_close(s));
    s = reopen("a.h5");
    CHECK_OK(rsd_store_members(s, "/list", &names));
    assert_int_equal(names.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(names.name[i], order[i]);
    rsd_names_free(&names);
    CHECK_OK(rsd_store_members(s, "/many", &names));
    assert_int_equal(names.count, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(atoi(names.name[i]), 99 - i);
    rsd_names_free(&names);
    CHECK_OK(rsd_store_members(s, "/list/ant/below/it", &names));
    assert_int_equal(names.count, 0);
    rsd_names_free(&names);
    CHECK_FAILS(rsd_store_members(s, "/list/bee", &names), RSD_ENOTFOUND, "has no /list/bee");
    CHECK_FAILS(rsd_store_members(s, "/axis", &names), RSD_EFORMAT, "cannot read /axis");
    CHECK_OK(rsd_store_close(s));
}

static void escapes(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const pairs[][2] = {
        { "model.layers.0", "model.layers.0" },
        { "a/b/", "a\u2215b\u2215" },
        { "///", "\u2215\u2215\u2215" },
        { ".", "._" },
        { "..", ".._" },
        { "...", "..." },
        { "", "_" },
        { "x/y", "x\u2215y" },
        { "x\u2215y", "x\u241b\u2215y" },
        { "\u241b", "\u241b\u241b" },
        { "_", "\u241b_" },
        { "._", "\u241b._" },
        { ".._", "\u241b.._" },
        { "..._", "..._" },
        { "\u03b2 \u6a21\u578b", "\u03b2 \u6a21\u578b" },
    };
    /* clang-format on */
    rsd_names names;
    char path[64];
    rsd_store *s = create("a.h5");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *e = rsd_store_escape(pairs[i][0]);
        assert_string_equal(e, pairs[i][1]);
        snprintf(path, sizeof path, "/g/%s/x", e);
        CHECK_OK(rsd_store_group(s, path));
        free(e);
    }
    CHECK_OK(rsd_store_members(s, "/g", &names));
    assert_int_equal(names.count, sizeof pairs / sizeof pairs[0]);
    for (size_t i = 0; i < names.count; i++)
        assert_string_equal(names.name[i], pairs[i][1]);
    rsd_names_free(&names);
    CHECK_OK(rsd_store_names(s, "/g", &names));
    assert_int_equal(names.count, sizeof pairs / sizeof pairs[0]);
    for (size_t i = 0; i < names.count; i++)
        assert_string_equal(names.name[i], pairs[i][0]);
    rsd_names_free(&names);
    CHECK_OK(rsd_store_names(s, "/nowhere", &names));
    assert_int_equal(names.count, 0);
    CHECK_OK(rsd_store_close(s));
}

/* Every name of up to five pieces of these: its component gives it back, and so is no other's. */
static void names_stay_apart(void **state)
{
    (void)state;
    static const char *const piece[] = { "a", "/", "_", ".", "\u2215", "\u241b" };
    enum { PIECES = 6, LONGEST = 5 };
    for (size_t length = 0, of = 1; length <= LONGEST; length++, of *= PIECES)
        for (size_t code = 0; code < of; code++) {
            char name[4 * LONGEST] = "";
            for (size_t k = 0, c = code; k < length; k++, c /= PIECES)
                strcat(name, piece[c % PIECES]);
            char *component = rsd_store_escape(name), *back = rsd_store_unescape(component);
            assert_string_equal(back, name);
            assert_null(strchr(component, '/'));
            assert_true(*component && strcmp(component, ".") && strcmp(component, ".."));
            free(back);
            free(component);
        }
}

/* What files since the first hold: components that no escaping of ours made. */
static void older_names(void **state)
{
    (void)state;
    static const char *const pairs[][2] = { { "a\u2215b", "a/b" },
                                            { "model.layers.0.weight", "model.layers.0.weight" },
                                            { "\u241b", "\u241b" },
                                            { "x\u241b", "x\u241b" },
                                            { "\u241bx/y", "\u241bx/y" } };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *name = rsd_store_unescape(pairs[i][0]);
        assert_string_equal(name, pairs[i][1]);
        free(name);
    }
}

/* A part as the analyzer writes it: one matrix, and an axis elsewhere. */
static void write_part(const char *name, const char *matrix, size_t n)
{
    char path[128];
    const double x[64] = { 2, 1 };
    const rsd_array_info outside = vector(n, "/axes/k");
    rsd_store *s = create(name);
    CHECK_OK(rsd_store_axis(s, "/axes/k", n, "1", "index"));
    snprintf(path, sizeof path, "/m/%s/own", matrix);
    CHECK_OK(rsd_store_axis(s, path, 2, "1", "index"));
    const rsd_array_info own = vector(2, path);
    const rsd_array_info both = { "1", "d", 2, { 2, n }, { path, "/axes/k" }, false };
    static const char *const leaf[] = { "W/z", "W/b", "R/null/a" };
    const rsd_array_info *info[] = { &outside, &own, &both };
    for (size_t i = 0; i < 3; i++) {
        char array[160];
        snprintf(array, sizeof array, "/m/%s/%s", matrix, leaf[i]);
        CHECK_OK(rsd_store_array(s, array, x, info[i]));
    }
    snprintf(path, sizeof path, "/m/%s/W", matrix);
    CHECK_OK(rsd_store_set_text(s, path, "method", "gram"));
    CHECK_OK(rsd_store_close(s));
}

static void copies(void **state)
{
    (void)state;
    rsd_names names;
    char *method;
    write_part("p.h5", "first", 5);
    write_part("q.h5", "second", 5);
    write_part("r.h5", "third", 6);
    rsd_store *p = reopen("p.h5"), *q = reopen("q.h5"), *r = reopen("r.h5"), *s = create("a.h5");
    /* Something before, so that addresses differ between the files. */
    CHECK_OK(rsd_store_axis(s, "/axes/other", 77, "1", "index"));
    CHECK_OK(rsd_store_copy(p, "/m/first", s, "/m/first"));
    CHECK_OK(rsd_store_copy(q, "/m/second", s, "/elsewhere/deep/zweite"));
    CHECK_FAILS(rsd_store_copy(p, "/m/first", s, "/m/first"), RSD_EARG, "/m/first exists already");
    CHECK_FAILS(rsd_store_copy(p, "/m/none", s, "/m/none"), RSD_ENOTFOUND, "has no /m/none");
    CHECK_FAILS(rsd_store_copy(p, "/m/first", q, "/m/first"), RSD_EARG, "opened for reading");
    CHECK_OK(rsd_store_copy(p, "/m/first/W/z", s, "/single")); /* one dataset */
    CHECK_OK(rsd_store_copy(p, "/", s, "/whole"));
    CHECK_OK(rsd_store_copy(s, "/single", s, "/twice")); /* within a file */
    CHECK_OK(rsd_store_members(s, "/m/first", &names));
    assert_int_equal(names.count, 3);
    assert_string_equal(names.name[0], "own");
    assert_string_equal(names.name[1], "W");
    assert_string_equal(names.name[2], "R");
    rsd_names_free(&names);
    CHECK_OK(rsd_store_close(s));
    assert_true(attached("a.h5", "/m/first/W/z", "/axes/k", 0));
    assert_true(attached("a.h5", "/m/first/W/b", "/m/first/own", 0));
    assert_true(attached("a.h5", "/m/first/R/null/a", "/m/first/own", 0));
    assert_true(attached("a.h5", "/m/first/R/null/a", "/axes/k", 1));
    assert_true(attached("a.h5", "/elsewhere/deep/zweite/W/z", "/axes/k", 0));
    assert_true(attached("a.h5", "/elsewhere/deep/zweite/W/b", "/elsewhere/deep/zweite/own", 0));
    assert_true(attached("a.h5", "/single", "/axes/k", 0));
    assert_true(attached("a.h5", "/twice", "/axes/k", 0));
    assert_true(attached("a.h5", "/whole/m/first/W/z", "/whole/axes/k", 0));
    assert_false(attached("a.h5", "/whole/m/first/W/z", "/axes/k", 0));
    assert_string_equal(axis_of("a.h5", "/m/first/R/null/a", 1), "/axes/k");

    /* And again out of the merged file, as a run that resumes does. */
    rsd_store *a = reopen("a.h5"), *b = create("b.h5");
    CHECK_OK(rsd_store_copy(a, "/m/first", b, "/m/first"));
    CHECK_FAILS(rsd_store_copy(r, "/m/third", b, "/m/third"), RSD_EARG,
                "axis /axes/k has length 5, in");
    CHECK_OK(rsd_store_get_text(b, "/m/first/W", "method", &method));
    assert_string_equal(method, "gram");
    free(method);
    CHECK_OK(rsd_store_close(b));
    assert_true(attached("b.h5", "/m/first/W/z", "/axes/k", 0));
    assert_true(attached("b.h5", "/m/first/R/null/a", "/m/first/own", 0));
    CHECK_OK(rsd_store_close(a));
    CHECK_OK(rsd_store_close(p));
    CHECK_OK(rsd_store_close(q));
    CHECK_OK(rsd_store_close(r));
}

enum { MODEL, RANK, LOSS, COLUMNS };
static const rsd_column columns[COLUMNS] = { [MODEL] = { "model", "", "its name", RSD_COLUMN_TEXT },
                                             [RANK] = { "rank", "columns", "r", RSD_COLUMN_INT },
                                             [LOSS] = { "loss", "nats", "mean", RSD_COLUMN_REAL } };

static void check_table(const char *name, size_t rows)
{
    rsd_value *value = calloc(rows * COLUMNS + 1, sizeof *value);
    char(*text)[24] = calloc(rows + 1, sizeof *text);
    rsd_table t;
    for (size_t i = 0; i < rows; i++) {
        if (i % 5) /* every fifth stays empty */
            snprintf(text[i], sizeof text[i], "\u03b2%zu", i);
        value[i * COLUMNS + MODEL].text = text[i];
        value[i * COLUMNS + RANK].integer = i ? -(int64_t)i : INT64_MIN;
        value[i * COLUMNS + LOSS].real = i % 3 ? 1.0 / (double)i : NAN;
    }
    rsd_store *s = create(name);
    CHECK_OK(
        rsd_store_table(s, "/recovery/runs", "one row per run", columns, COLUMNS, value, rows));
    CHECK_FAILS(rsd_store_table(s, "/recovery/runs", "", columns, COLUMNS, value, rows), RSD_EARG,
                "/recovery/runs exists already");
    CHECK_OK(rsd_store_close(s));
    s = reopen(name);
    CHECK_OK(rsd_store_read_table(s, "/recovery/runs", &t));
    assert_int_equal(t.rows, rows);
    assert_int_equal(t.columns, COLUMNS);
    for (size_t j = 0; j < COLUMNS; j++) {
        assert_string_equal(t.column[j].name, columns[j].name);
        assert_string_equal(t.column[j].units, columns[j].units);
        assert_string_equal(t.column[j].description, columns[j].description);
        assert_int_equal(t.column[j].type, columns[j].type);
        assert_int_equal(rsd_table_column(&t, columns[j].name), j);
    }
    assert_true(rsd_table_column(&t, "Loss") == SIZE_MAX);
    for (size_t i = 0; i < rows; i++) {
        const rsd_value *got = &t.value[i * COLUMNS], *want = &value[i * COLUMNS];
        assert_string_equal(got[MODEL].text, want[MODEL].text);
        assert_true(got[RANK].integer == want[RANK].integer);
        assert_memory_equal(&got[LOSS].real, &want[LOSS].real, sizeof(double));
    }
    rsd_table_free(&t);
    rsd_table_free(&t);
    CHECK_OK(rsd_store_close(s));
    free(value);
    free(text);
}

static void tables(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 1, 2, 1365, 1366, 20000 };
    const rsd_column twice[2] = { columns[RANK], columns[RANK] };
    const double x[2] = { 0 };
    const rsd_array_info info = vector(2, NULL);
    rsd_table t;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_table("a.h5", rows[i]);
    rsd_store *s = create("a.h5");
    CHECK_FAILS(rsd_store_table(s, "/t", "", columns, 0, NULL, 0), RSD_EARG, "/t has no columns");
    CHECK_FAILS(rsd_store_table(s, "/t", "", twice, 2, NULL, 0), RSD_EIO,
                "cannot make the columns of /t: member name is not unique");
    CHECK_OK(rsd_store_array(s, "/x", x, &info));
    CHECK_OK(rsd_store_close(s));
    s = reopen("a.h5");
    CHECK_FAILS(rsd_store_read_table(s, "/x", &t), RSD_EFORMAT, "/x is not a table");
    CHECK_FAILS(rsd_store_read_table(s, "/t", &t), RSD_ENOTFOUND, "has no /t");
    CHECK_FAILS(rsd_store_read_table(s, "/", &t), RSD_EFORMAT, "cannot");
    assert_null(t.value);
    CHECK_OK(rsd_store_close(s));
}

/* tests/golden/store_h5py.py made it: other widths, fixed texts, booleans, no order, no units. */
static void files_of_others(void **state)
{
    (void)state;
    rsd_store *s, *to;
    rsd_names names;
    rsd_table t;
    char *text;
    double real, *x;
    int64_t integer;
    size_t ndim, shape[2];
    CHECK_OK(rsd_store_open(fixture("store_h5py.h5"), RSD_STORE_READ, &s));
    CHECK_OK(rsd_store_get_text(s, "/", "bytes", &text));
    assert_string_equal(text, "fixed");
    free(text);
    CHECK_OK(rsd_store_get_int(s, "/", "flag", &integer));
    assert_int_equal(integer, 1);
    CHECK_OK(rsd_store_get_real(s, "/", "flag", &real));
    CHECK_CLOSE(real, 1, 0);
    CHECK_OK(rsd_store_get_real(s, "/", "single", &real));
    CHECK_CLOSE(real, 0.5, 0);
    CHECK_FAILS(rsd_store_get_int(s, "/", "single", &integer), RSD_EFORMAT, "not an integer");
    CHECK_OK(rsd_store_get_int(s, "/", "matlab", &integer));
    assert_int_equal(integer, 3);
    CHECK_FAILS(rsd_store_get_real(s, "/", "vector", &real), RSD_EFORMAT, "not one number");

    CHECK_OK(rsd_store_read_table(s, "/spectra", &t));
    assert_int_equal(t.rows, 3);
    assert_int_equal(t.columns, 6);
    static const char *const name[] = { "abcdef", "", "xy" };
    static const int64_t ok[] = { 1, 0, 1 }, rank[] = { 0, 255, 7 }, layer[] = { -1, 300, -32768 };
    static const double error[] = { 0.25, NAN, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        const rsd_value *row = &t.value[i * t.columns];
        assert_string_equal(row[rsd_table_column(&t, "name")].text, name[i]);
        assert_int_equal(row[rsd_table_column(&t, "ok")].integer, ok[i]);
        assert_int_equal(row[rsd_table_column(&t, "rank")].integer, rank[i]);
        assert_int_equal(row[rsd_table_column(&t, "layer")].integer, layer[i]);
        real = row[rsd_table_column(&t, "error")].real;
        assert_true(real == error[i] || (isnan(real) && isnan(error[i])));
    }
    assert_string_equal(t.value[rsd_table_column(&t, "note")].text, "Gr\u00fc\u00dfe");
    assert_string_equal(t.value[t.columns + rsd_table_column(&t, "note")].text, "");
    assert_int_equal(strlen(t.value[2 * t.columns + rsd_table_column(&t, "note")].text), 500);
    assert_string_equal(t.column[0].units, "");
    rsd_table_free(&t);
    CHECK_FAILS(rsd_store_read_table(s, "/nested", &t), RSD_EFORMAT,
                "column 'b' of /nested is neither text nor a number");

    CHECK_OK(rsd_store_members(s, "/", &names)); /* by name */
    assert_string_equal(names.name[0], "abroad");
    assert_string_equal(names.name[names.count - 1], "zebra");
    rsd_names_free(&names);
    CHECK_FAILS(rsd_store_read_array(s, "/cube", &x, &ndim, shape), RSD_EFORMAT,
                "/cube has 3 dimensions, not 1 to 2");
    CHECK_FAILS(rsd_store_read_array(s, "/scalar", &x, &ndim, shape), RSD_EFORMAT, "0 dimensions");
    CHECK_FAILS(rsd_store_read_array(s, "/texts", &x, &ndim, shape), RSD_EFORMAT, "no numbers");
    CHECK_OK(rsd_store_read_array(s, "/int8", &x, &ndim, shape));
    assert_int_equal(shape[0] * 10 + shape[1], 23);
    for (int i = 0; i < 6; i++)
        CHECK_CLOSE(x[i], i - 3, 0);
    free(x);
    CHECK_OK(rsd_store_read_array(s, "/big_endian", &x, &ndim, shape));
    CHECK_CLOSE(x[1], -2.5, 0);
    free(x);

    to = create("a.h5");
    CHECK_OK(rsd_store_copy(s, "/y", to, "/group/y")); /* takes its axis /x with it */
    CHECK_OK(rsd_store_copy(s, "/crowded", to, "/crowded"));
    CHECK_OK(rsd_store_get_text(to, "/crowded", "a19", &text));
    assert_string_equal(text, "text");
    free(text);
    CHECK_OK(rsd_store_copy(s, "/spectra", to, "/spectra"));
    CHECK_OK(rsd_store_read_table(to, "/spectra", &t));
    assert_int_equal(t.rows, 3);
    assert_string_equal(t.value[rsd_table_column(&t, "note")].text, "Gr\u00fc\u00dfe");
    rsd_table_free(&t);
    static const char *const plain[] = {
        "/nested", "/texts", "/cube", "/scalar", "/int8", "/none",
    };
    for (size_t i = 0; i < 6; i++) {
        CHECK_OK(rsd_store_copy(s, plain[i], to, plain[i]));
        assert_true(rsd_store_exists(to, plain[i]));
    }
    CHECK_FAILS(rsd_store_copy(s, "/references", to, "/references"), RSD_EFORMAT,
                "cannot copy /references: it holds references");
    CHECK_FAILS(rsd_store_copy(s, "/loop", to, "/loop"), RSD_EFORMAT, "nested too deeply");
    CHECK_FAILS(rsd_store_copy(s, "/dangling", to, "/dangling"), RSD_EFORMAT, "read /dangling");
    CHECK_FAILS(rsd_store_copy(s, "/type", to, "/type"), RSD_EFORMAT, "neither group nor dataset");
    CHECK_FAILS(rsd_store_copy(s, "/abroad", to, "/abroad"), RSD_EFORMAT,
                "its values are in another file");
    CHECK_OK(rsd_store_close(to));
    assert_true(attached("a.h5", "/group/y", "/x", 0));
    CHECK_OK(rsd_store_close(s));
}

/* A file with these attributes, written without our code. */
static void foreign(const char *name, const char *format, int64_t schema)
{
    const hid_t file = H5Fcreate(at(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t scalar = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    assert_true(file >= 0 && scalar >= 0 && type >= 0);
    if (format) {
        H5Tset_size(type, strlen(format) + 1);
        const hid_t a = H5Acreate2(file, "format", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(a, type, format) >= 0);
        H5Aclose(a);
    }
    if (schema >= 0) {
        const hid_t a = H5Acreate2(file, "schema", H5T_STD_I64LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
        assert_true(H5Awrite(a, H5T_NATIVE_INT64, &schema) >= 0);
        H5Aclose(a);
    }
    H5Tclose(type);
    H5Sclose(scalar);
    H5Fclose(file);
}

static void refuses(const char *name, int code, const char *text)
{
    rsd_store *s = (rsd_store *)&s;
    CHECK_FAILS(rsd_store_open(at(name), RSD_STORE_READ, &s), code, text);
    assert_null(s);
    assert_null(strchr(rsd_errmsg(), '\n'));
    assert_non_null(strstr(rsd_errmsg(), name)); /* says which file */
}

static void refusals(void **state)
{
    (void)state;
    rsd_store *s;
    const rsd_array_info none = vector(0, NULL);
    refuses("none.h5", RSD_EIO, "none.h5: cannot open: No such file or directory");
    assert_int_equal(mkdir(at("dir.h5"), 0777), 0);
    refuses("dir.h5", RSD_EIO, "Is a directory");
    CHECK_FAILS(rsd_store_open(at("dir.h5"), RSD_STORE_CREATE, &s), RSD_EIO,
                "dir.h5: cannot create: Is a directory");
    assert_int_equal(rmdir(at("dir.h5")), 0);
    CHECK_FAILS(rsd_store_open(at("no/such/a.h5"), RSD_STORE_CREATE, &s), RSD_EIO,
                "cannot create: No such file or directory");
    assert_int_equal(mkfifo(at("fifo.h5"), 0600), 0);
    refuses("fifo.h5", RSD_EIO, "cannot open"); /* and does not wait for a writer */
    spill(at("empty.h5"), (const unsigned char *)"", 0);
    refuses("empty.h5", RSD_EFORMAT, "empty.h5: not an HDF5 file");
    spill(at("text.h5"), (const unsigned char *)"{\"format\": \"residuum\"}", 22);
    refuses("text.h5", RSD_EFORMAT, "text.h5: not an HDF5 file");
    foreign("o.h5", NULL, -1);
    refuses("o.h5", RSD_EFORMAT, "an HDF5 file of another program (its format is not stated)");
    foreign("o.h5", "netcdf", 1);
    refuses("o.h5", RSD_EFORMAT, "an HDF5 file of another program (its format is netcdf)");
    foreign("o.h5", "residuum", 2);
    refuses("o.h5", RSD_EFORMAT, "o.h5: has schema 2, this program reads schema 1");
    foreign("o.h5", "residuum", -1);
    refuses("o.h5", RSD_EFORMAT, "o.h5: an HDF5 file of format residuum without a schema");
    foreign("o.h5", "residuum", 1);
    s = reopen("o.h5");
    CHECK_FAILS(rsd_store_group(s, "/x"), RSD_EARG, "o.h5: was opened for reading");
    CHECK_FAILS(rsd_store_set_int(s, "/", "x", 1), RSD_EARG, "opened for reading");
    CHECK_FAILS(rsd_store_axis(s, "/x", 1, "", ""), RSD_EARG, "opened for reading");
    CHECK_FAILS(rsd_store_array(s, "/x", NULL, &none), RSD_EARG, "opened for reading");
    CHECK_FAILS(rsd_store_table(s, "/x", "", columns, 1, NULL, 0), RSD_EARG, "opened for reading");
    CHECK_OK(rsd_store_close(s));
    s = create("o.h5"); /* replaces */
    CHECK_FAILS(rsd_store_set_int(s, "/x", "x", 1), RSD_ENOTFOUND, "has no /x");
    CHECK_OK(rsd_store_close(s));
    CHECK_OK(rsd_store_close(NULL));
}

/* A dataset whose header claims far more than the file holds must not be believed. */
static void lying_shape(void **state)
{
    (void)state;
    const hsize_t huge = (hsize_t)1 << 40, chunk = 1024;
    double *x;
    size_t ndim, shape[2];
    foreign("o.h5", "residuum", 1);
    const hid_t file = H5Fopen(at("o.h5"), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &huge, NULL), plist = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(plist, 1, &chunk) >= 0);
    H5Dclose(H5Dcreate2(file, "x", H5T_IEEE_F64LE, space, H5P_DEFAULT, plist, H5P_DEFAULT));
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    rsd_store *s = reopen("o.h5");
    CHECK_FAILS(rsd_store_read_array(s, "/x", &x, &ndim, shape), RSD_EFORMAT,
                "/x claims 1099511627776 elements but stores 0 bytes");
    CHECK_OK(rsd_store_close(s));
}

/* A small file of every kind of thing. */
static int write_sample(const char *path)
{
    static double x[5000];
    static const rsd_value row[2 * COLUMNS] = { { .text = "a" },          { .integer = 1 },
                                                { .real = 0.5 },          { .text = "longer" },
                                                { .integer = INT64_MAX }, { .real = NAN } };
    const rsd_array_info small = vector(9, "/axes/k"), packed = vector(5000, NULL);
    rsd_store *s;
    RSD_TRY(rsd_store_open(path, RSD_STORE_CREATE, &s));
    int err = rsd_store_axis(s, "/axes/k", 9, "1", "index");
    for (int i = 0; i < 12; i++)
        x[i] = i;
    for (int i = 0; i < 12 && !err; i++) {
        char name[32];
        snprintf(name, sizeof name, "/m/W/x%d", i);
        err = rsd_store_array(s, name, x, &small);
    }
    if (!err)
        err = rsd_store_array(s, "/m/packed", x, &packed);
    if (!err)
        err = rsd_store_set_real(s, "/m", "seconds", 1.5);
    if (!err)
        err = rsd_store_table(s, "/spectra", "d", columns, COLUMNS, row, 2);
    const int at_close = rsd_store_close(s);
    /* A failure to write is reported again when the file is closed. */
    assert_true(err == RSD_OK || at_close == RSD_EIO);
    return at_close;
}

static void same_bytes(void **state)
{
    (void)state;
    static unsigned char a[1 << 16], b[1 << 16];
    CHECK_OK(write_sample(at("a.h5")));
    CHECK_OK(write_sample(at("b.h5")));
    const size_t n = slurp(at("a.h5"), a, sizeof a);
    assert_int_equal(slurp(at("b.h5"), b, sizeof b), n);
    assert_memory_equal(a, b, n);
}

/* Every size at which the disk may be full: an error at a write or at close, with the system's
 * reason, no handle left open (teardown), and the next file is fine. */
static void full_disk(void **state)
{
    (void)state;
    struct rlimit old, limit;
    struct stat st;
    CHECK_OK(write_sample(at("a.h5")));
    assert_int_equal(stat(at("a.h5"), &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (off_t size = 0; size < st.st_size; size += 193) {
        limit = old;
        limit.rlim_cur = (rlim_t)size;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        const int err = write_sample(at("b.h5"));
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        if (err != RSD_EIO || !strstr(rsd_errmsg(), "File too large"))
            fail_msg("limit %ld: %s: %s", (long)size, rsd_strerror(err), rsd_errmsg());
    }
    signal(SIGXFSZ, handler);
    CHECK_OK(write_sample(at("b.h5")));
}

/* Read all there is below a path; what fails must say so with one of three codes. */
static void walk(const rsd_store *s, const char *path)
{
    static const char *const names[] = { "units", "description", "column_units", "seconds" };
    rsd_names members;
    rsd_table t;
    double *x, real;
    char *text, below[512];
    size_t ndim, shape[2];
    int err = rsd_store_read_array(s, path, &x, &ndim, shape);
    free(x);
    assert_true(!err || err == RSD_EFORMAT || err == RSD_ENOTFOUND || err == RSD_ENOMEM);
    err = rsd_store_read_table(s, path, &t);
    rsd_table_free(&t);
    assert_true(!err || err == RSD_EFORMAT || err == RSD_ENOTFOUND || err == RSD_ENOMEM);
    for (size_t i = 0; i < 4; i++) {
        err = rsd_store_get_text(s, path, names[i], &text);
        free(text);
        assert_true(!err || err == RSD_EFORMAT || err == RSD_ENOTFOUND || err == RSD_ENOMEM);
        err = rsd_store_get_real(s, path, names[i], &real);
        assert_true(!err || err == RSD_EFORMAT || err == RSD_ENOTFOUND);
    }
    err = rsd_store_members(s, path, &members);
    assert_true(!err || err == RSD_EFORMAT || err == RSD_ENOTFOUND);
    for (size_t i = 0; i < members.count; i++) {
        snprintf(below, sizeof below, "%s/%s", strcmp(path, "/") == 0 ? "" : path, members.name[i]);
        walk(s, below);
    }
    rsd_names_free(&members);
}

static void cut_files(void **state)
{
    (void)state;
    static unsigned char all[1 << 16];
    CHECK_OK(write_sample(at("a.h5")));
    const size_t n = slurp(at("a.h5"), all, sizeof all);
    for (size_t k = 0; k < n; k += k < 100 || k > n - 20 ? 1 : 127) {
        spill(at("cut.h5"), all, k);
        refuses("cut.h5", RSD_EFORMAT, "cut.h5");
    }
}

/* Of each object in a heap of texts the index: HDF5 1.10.8 itself crashes where one is missing. */
static void spare_indices(const unsigned char *heap, size_t size, unsigned char *spared)
{
    for (size_t at = 16; size - at >= 16;) {
        uint64_t bytes;
        memcpy(&bytes, heap + at + 8, sizeof bytes);
        spared[at] = spared[at + 1] = 1;
        if (!heap[at] && !heap[at + 1])
            break;
        at += 16 + (bytes + 7) / 8 * 8;
    }
}

/* One bit turned over at a time; in the heaps of texts ("GCOL"), which have no checksum, each bit
 * of their sizes. */
static void flipped_bits(void **state)
{
    (void)state;
    static unsigned char all[1 << 16], spared[1 << 16];
    rsd_store *s, *to;
    size_t opened = 0;
    CHECK_OK(write_sample(at("a.h5")));
    const size_t n = slurp(at("a.h5"), all, sizeof all);
    for (size_t i = 0; i + 16 < n; i++) {
        uint64_t size;
        if (memcmp(all + i, "GCOL", 4) != 0)
            continue;
        memcpy(&size, all + i + 8, sizeof size);
        assert_true(size <= n - i);
        spare_indices(all + i, size, spared + i);
    }
    for (size_t i = 0; i < n; i += 127) {
        if (spared[i])
            continue;
        all[i] ^= (unsigned char)(1 << i % 8);
        spill(at("bad.h5"), all, n);
        all[i] ^= (unsigned char)(1 << i % 8);
        if (rsd_store_open(at("bad.h5"), RSD_STORE_READ, &s))
            continue;
        opened++;
        walk(s, "/");
        to = create("b.h5");
        const int err = rsd_store_copy(s, "/", to, "/all");
        assert_true(!err || err == RSD_EFORMAT || err == RSD_EIO || err == RSD_ENOTFOUND);
        const int at_close = rsd_store_close(to);
        assert_true(!at_close || at_close == RSD_EIO);
        CHECK_OK(rsd_store_close(s));
    }
    assert_true(opened > 20);
}

/* A size that leaves its heap, of every object there is: HDF5 would read beyond it. */
static void heaps_that_lie(void **state)
{
    (void)state;
    static unsigned char all[1 << 16], objects[1 << 16];
    size_t tried = 0;
    CHECK_OK(write_sample(at("a.h5")));
    const size_t n = slurp(at("a.h5"), all, sizeof all);
    for (size_t i = 0; i + 16 < n; i++) {
        uint64_t size;
        memcpy(&size, all + i + 8, sizeof size);
        if (memcmp(all + i, "GCOL", 4) == 0)
            spare_indices(all + i, size, objects + i);
    }
    for (size_t i = 0; i + 16 < n; i++) {
        if (!objects[i] || !objects[i + 1])
            continue;
        all[i + 14] ^= 0x10; /* of the size, behind the index, two counts and four zeros */
        spill(at("bad.h5"), all, n);
        all[i + 14] ^= 0x10;
        refuses("bad.h5", RSD_EFORMAT, "damaged: the texts at byte");
        tried++;
    }
    assert_true(tried > 5);
}

/* HDF5 prints its errors unless each thread tells it not to. */
static void *fail_in_thread(void *arg)
{
    (void)arg;
    rsd_store *s;
    return rsd_store_open("/no/such/file.h5", RSD_STORE_READ, &s) ? NULL : &folder;
}

static void silence(void **state)
{
    (void)state;
    pthread_t thread;
    void *result = &folder;
    struct stat st;
    fflush(stderr);
    const int kept = dup(2);
    assert_non_null(freopen(at("stderr"), "w", stderr));
    const int started = pthread_create(&thread, NULL, fail_in_thread, NULL);
    if (!started)
        pthread_join(thread, &result);
    fflush(stderr);
    dup2(kept, 2);
    close(kept);
    assert_int_equal(started, 0);
    assert_null(result);
    assert_int_equal(stat(at("stderr"), &st), 0);
    assert_int_equal(st.st_size, 0);
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/t_storeXXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
    H5open();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = { "a.h5",     "b.h5",    "p.h5",   "q.h5",
                                         "r.h5",     "o.h5",    "cut.h5", "fifo.h5",
                                         "empty.h5", "text.h5", "bad.h5", "stderr" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(at(names[i]));
    return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, remember_handles, same_handles)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(attributes),
        TEST(many_attributes),
        TEST(arrays),
        TEST(packing),
        TEST(axes),
        TEST(crowded_axis),
        TEST(groups),
        TEST(escapes),
        TEST(names_stay_apart),
        TEST(older_names),
        TEST(copies),
        TEST(tables),
        TEST(files_of_others),
        TEST(refusals),
        TEST(lying_shape),
        TEST(same_bytes),
        TEST(full_disk),
        TEST(cut_files),
        TEST(flipped_bits),
        TEST(heaps_that_lie),
        TEST(silence),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
