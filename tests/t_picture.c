/* figures/picture: a file that is cut anywhere is no picture. */
#include "figures/picture.h"
#include "scratch.h"

/* 1 x 1, grey; the chunks' checksums are not looked at. */
static const char png[] = "\x89PNG\r\n\x1a\n"
                          "\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0abcd"
                          "\0\0\0\x03IDATxyzabcd"
                          "\0\0\0\0IEND\xae\x42\x60\x82";
static const char svg[] = "<?xml version=\"1.0\"?>\n<svg>\n<path d=\"M0 0\"/>\n</svg>";
static const char pdf[] = "%PDF-1.5\n1 0 obj\n<< >>\nendobj\nxref\n0 1\ntrailer\n<< >>\n"
                          "startxref\n30\n%%EOF";

static int check(picture_format format, const char *data, size_t size)
{
    put_file("picture", data, size);
    return picture_check(format, in_scratch("picture"));
}

static void cut_everywhere(picture_format format, const char *data, size_t size)
{
    CHECK_OK(check(format, data, size));
    for (size_t n = 0; n < size; n++)
        if (check(format, data, n) != RSD_EFORMAT)
            fail_msg("%s cut at %zu of %zu is whole", picture_suffix(format), n, size);
}

static void test_cut(void **state)
{
    (void)state;
    cut_everywhere(PICTURE_PNG, png, sizeof png - 1);
    cut_everywhere(PICTURE_SVG, svg, sizeof svg - 1);
    cut_everywhere(PICTURE_PDF, pdf, sizeof pdf - 1);
}

static void test_others(void **state)
{
    (void)state;
    char other[256];
    CHECK_FAILS(check(PICTURE_PNG, svg, sizeof svg - 1), RSD_EFORMAT, "no PNG signature");
    CHECK_FAILS(check(PICTURE_SVG, pdf, sizeof pdf - 1), RSD_EFORMAT, "no XML");
    CHECK_FAILS(check(PICTURE_PDF, png, sizeof png - 1), RSD_EFORMAT, "no PDF header");
    CHECK_FAILS(check(PICTURE_PNG, "", 0), RSD_EFORMAT, "0 bytes has nothing");

    /* line ends at the end are fine, other bytes are not */
    snprintf(other, sizeof other, "%s\r\n", svg);
    CHECK_OK(check(PICTURE_SVG, other, strlen(other)));
    memcpy(other, png, sizeof png); /* with the 0 at the end of the text */
    CHECK_FAILS(check(PICTURE_PNG, other, sizeof png), RSD_EFORMAT, "bytes behind its IEND");

    /* a chunk longer than the file, a table beyond it, or elsewhere */
    memcpy(other, png, sizeof png);
    other[8] = '\x7f';
    CHECK_FAILS(check(PICTURE_PNG, other, sizeof png - 1), RSD_EFORMAT, "no IEND");
    snprintf(other, sizeof other, "%.*s99999\n%%%%EOF\n", (int)(sizeof pdf - 9), pdf);
    CHECK_FAILS(check(PICTURE_PDF, other, strlen(other)), RSD_EFORMAT, "no table of objects");
    snprintf(other, sizeof other, "%.*s12\n%%%%EOF\n", (int)(sizeof pdf - 9), pdf);
    CHECK_FAILS(check(PICTURE_PDF, other, strlen(other)), RSD_EFORMAT, "no table of objects");
    CHECK_FAILS(picture_check(PICTURE_PNG, in_scratch("missing")), RSD_EIO, "missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cut), cmocka_unit_test(test_others) };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
