/* llama.cpp's importance matrices: what the numbers mean, and every way a file can be wrong (the
 * corpus of fuzz_imatrix has them by name; here the messages). */
#include "io/imatrix.h"

#include "scratch.h"
#include "test.h"

typedef struct {
    uint8_t data[512];
    size_t size;
} bytes;

static void put(bytes *b, const void *data, size_t size)
{
    assert_true(b->size + size <= sizeof b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
}

static void put_i32(bytes *b, int32_t n) { put(b, &n, sizeof n); }

static void put_entry(bytes *b, const char *name, int32_t calls, const float *x, int32_t n)
{
    put_i32(b, (int32_t)strlen(name));
    put(b, name, strlen(name));
    put_i32(b, calls);
    put_i32(b, n);
    put(b, x, (size_t)n * sizeof *x);
}

/* Three entries: means of four calls, sums that are means already, one of float32's odd thirds. */
static bytes example(void)
{
    static const float q[] = { 4, 0, 10, 1e-30f }, k[] = { 0.25f }, v[] = { 1, 2 };
    bytes b = { .size = 0 };
    put_i32(&b, 3);
    put_entry(&b, "blk.0.attn_q.weight", 4, q, 4);
    put_entry(&b, "blk.0.attn_k.weight", 0, k, 1);
    put_entry(&b, "blk.0.attn_v.weight", 3, v, 2);
    return b;
}

static void check_example(const rsd_imatrix *m)
{
    assert_int_equal(m->count, 3);
    const rsd_imatrix_entry *e = rsd_imatrix_find(m, "blk.0.attn_q.weight");
    assert_non_null(e);
    assert_int_equal(e->n, 4);
    CHECK_CLOSE(e->square[0], 1, 0);
    CHECK_CLOSE(e->square[1], 0, 0);
    CHECK_CLOSE(e->square[2], 2.5, 0);
    CHECK_CLOSE(e->square[3], 1e-30f / 4, 0);
    CHECK_CLOSE(rsd_imatrix_find(m, "blk.0.attn_k.weight")->square[0], 0.25, 0);
    e = rsd_imatrix_find(m, "blk.0.attn_v.weight");
    assert_ptr_equal(e, &m->entry[2]);
    assert_string_equal(e->name, "blk.0.attn_v.weight");
    CHECK_CLOSE(e->square[1], 2.0f / 3.0f, 0); /* divided in float32, as llama.cpp does */
    assert_null(rsd_imatrix_find(m, "blk.0.attn_v"));
    assert_null(rsd_imatrix_find(m, "no such name"));
    assert_null(rsd_imatrix_find(m, ""));
}

static void test_values(void **state)
{
    (void)state;
    bytes b = example();
    rsd_imatrix m;
    CHECK_OK(rsd_imatrix_parse(b.data, b.size, &m));
    check_example(&m);
    assert_int_equal(m.chunks, 0);
    rsd_imatrix_free(&m);
    put_i32(&b, 11);
    put_i32(&b, 3);
    put(&b, "txt", 3);
    CHECK_OK(rsd_imatrix_parse(b.data, b.size, &m));
    check_example(&m);
    assert_int_equal(m.chunks, 11);
    rsd_imatrix_free(&m);
    rsd_imatrix_free(&m); /* leaves it empty */
}

static void refuse(const bytes *b, const char *text)
{
    rsd_imatrix m;
    CHECK_FAILS(rsd_imatrix_parse(b->data, b->size, &m), RSD_EFORMAT, text);
    rsd_imatrix_free(&m);
}

/* Cut at every byte: refused, but for the end of the entries. */
static void test_cut(void **state)
{
    (void)state;
    bytes b = example();
    const size_t entries = b.size;
    put_i32(&b, 11);
    put_i32(&b, 3);
    put(&b, "txt", 3);
    for (size_t size = 0; size < b.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* a sanitizer sees one byte too much */
        rsd_imatrix m;
        assert_non_null(exact);
        memcpy(exact, b.data, size);
        const int err = rsd_imatrix_parse(exact, size, &m);
        assert_int_equal(err, size == entries ? RSD_OK : RSD_EFORMAT);
        rsd_imatrix_free(&m);
        free(exact);
    }
    put(&b, "", 1);
    refuse(&b, "1 bytes after its end");
}

static bytes one(const char *name, int32_t calls, float x)
{
    bytes b = { .size = 0 };
    put_i32(&b, 1);
    put_entry(&b, name, calls, &x, 1);
    return b;
}

static void test_refused(void **state)
{
    (void)state;
    bytes b = { .size = 0 };
    put_i32(&b, 0);
    refuse(&b, "a number of entries 0");
    b.size = 0;
    put_i32(&b, -1);
    refuse(&b, "a number of entries -1");
    b = one("", 1, 1);
    refuse(&b, "a name's length 0");
    b = one("a", -2, 1);
    refuse(&b, "a number of calls -2");
    b = one("a", 1, NAN);
    refuse(&b, "value 0 of entry 0 is nan");
    b = one("a", 0, INFINITY);
    refuse(&b, "value 0 of entry 0 is inf");
    b = one("a", 1, -1);
    refuse(&b, "value 0 of entry 0 is -1");
    b = one("abc", 1, 1);
    b.data[8] = 0;
    refuse(&b, "a NUL in it");
    b = example();
    const float x = 1;
    b.data[0] = 4;
    put_entry(&b, "blk.0.attn_q.weight", 1, &x, 1);
    refuse(&b, "entries 0 and 3 are both called 'blk.0.attn_q.weight'");
    b.size = 0;
    put(&b, "GGUF\3\0\0\0", 8);
    refuse(&b, "GGUF form");
    b.size = 0;
    put_i32(&b, 1);
    put_i32(&b, INT32_MAX);
    refuse(&b, "a name of 2147483647 bytes after entry 0, but 0 are left");
}

static void test_file(void **state)
{
    (void)state;
    const bytes b = example();
    rsd_imatrix m;
    put_file("m.imatrix", b.data, b.size);
    CHECK_OK(rsd_imatrix_read(in_scratch("m.imatrix"), &m));
    check_example(&m);
    rsd_imatrix_free(&m);
    put_file("m.imatrix", "", 0);
    CHECK_FAILS(rsd_imatrix_read(in_scratch("m.imatrix"), &m), RSD_EFORMAT,
                "m.imatrix: imatrix: a number of entries");
    rsd_imatrix_free(&m);
    CHECK_FAILS(rsd_imatrix_read(in_scratch("none"), &m), RSD_EIO, "none");
    rsd_imatrix_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
