/* IDX files: good ones under zlib and plain, and every way in which one can be bad. */
#include <zlib.h>

#include "check_main.h"
#include "image/idx.h"
#include "scratch.h"

static scratch at;

static void begin(void)
{
    scratch_init(&at);
}

static void end(void)
{
    scratch_finish(&at);
}

/* (2, 2, 3): the header and twelve values. */
static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0,  0,
                                 0, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255};
enum { HEADER = 16 };

static cnn_status read_bytes(cnn_idx *idx, const void *data, size_t size)
{
    scratch_write(&at, "file", data, size);
    return cnn_idx_read(idx, scratch_path(&at, "file"), 3, 4);
}

static void assert_refused(const void *data, size_t size, const char *part)
{
    cnn_idx idx;
    ck_assert_int_eq(read_bytes(&idx, data, size), CNN_ERROR_DATA);
    ck_assert_ptr_null(idx.values);
    assert_message_has(part);
    assert_message_has(at.folder);
}

/* The gzipped form of data; returns its size. */
static size_t gzip_bytes(uint8_t *packed, size_t capacity, const void *data, size_t size)
{
    gzFile file = gzopen(scratch_path(&at, "file.gz"), "wb");
    ck_assert_int_eq(gzwrite(file, data, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
    FILE *again = fopen(scratch_path(&at, "file.gz"), "rb");
    size_t count = fread(packed, 1, capacity, again);
    ck_assert_uint_lt(count, capacity);
    fclose(again);
    return count;
}

static void assert_is_images(cnn_idx *idx)
{
    ck_assert_int_eq(idx->rank, 3);
    ck_assert_uint_eq(idx->shape[0], 2);
    ck_assert_uint_eq(idx->shape[1], 2);
    ck_assert_uint_eq(idx->shape[2], 3);
    ck_assert_uint_eq(idx->size, 12);
    ck_assert_mem_eq(idx->values, images + HEADER, 12);
    cnn_idx_finish(idx);
}

START_TEST(reads_plain_and_gzipped_files)
{
    cnn_idx idx;
    uint8_t packed[256];
    ck_assert_int_eq(read_bytes(&idx, images, sizeof images), CNN_OK);
    assert_is_images(&idx);
    size_t size = gzip_bytes(packed, sizeof packed, images, sizeof images);
    ck_assert_int_eq(read_bytes(&idx, packed, size), CNN_OK);
    assert_is_images(&idx);
}
END_TEST

START_TEST(reads_four_dimensions)
{
    const uint8_t colour[] = {0, 0, 8, 4, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 7, 8, 9};
    cnn_idx idx;
    ck_assert_int_eq(read_bytes(&idx, colour, sizeof colour), CNN_OK);
    ck_assert_int_eq(idx.rank, 4);
    ck_assert_uint_eq(idx.shape[1], 3);
    ck_assert_int_eq(idx.values[2], 9);
    cnn_idx_finish(&idx);
}
END_TEST

START_TEST(refuses_every_truncation)
{
    uint8_t packed[256];
    for (size_t size = 0; size < sizeof images; size++)
        assert_refused(images, size, "truncated");
    size_t whole = gzip_bytes(packed, sizeof packed, images, sizeof images);
    for (size_t size = 0; size < whole; size++)
        assert_refused(packed, size, "truncated");
}
END_TEST

START_TEST(refuses_corrupt_gzip_data)
{
    uint8_t packed[256];
    size_t whole = gzip_bytes(packed, sizeof packed, images, sizeof images);
    packed[whole - 8] ^= 1; /* the checksum */
    assert_refused(packed, whole, "incorrect data check");
}
END_TEST

START_TEST(refuses_data_beyond_the_header)
{
    uint8_t longer[sizeof images + 1] = {0}, packed[256];
    memcpy(longer, images, sizeof images);
    assert_refused(longer, sizeof longer, "more data");
    size_t size = gzip_bytes(packed, sizeof packed, longer, sizeof longer);
    assert_refused(packed, size, "more data");
}
END_TEST

static const struct {
    size_t place;
    uint8_t value;
    const char *part;
} bad_headers[] = {
    {0, 1,
     "magic: expected an IDX file, which starts with the bytes 00 00, found a file that starts "
     "with the bytes 01 00"},
    {1, 0x8b, "found a file that starts with the bytes 00 8b"},
    {2, 0x0d, "element type: expected 0x08 (unsigned byte), found 0x0d"},
    {3, 1, "dimensions: expected 3 to 4 (images), found 1"},
    {3, 255, "dimensions: expected 3 to 4 (images), found 255"},
    {7, 0, "count: expected 1 to 4294967295, found 0"},
    {11, 0, "height: expected 1 to 65535, found 0"},
    {15, 0, "width: expected 1 to 65535, found 0"},
    {13, 1, "width: expected 1 to 65535, found 65539"},
    {14, 1, "truncated: the header declares 2 x 2 x 259 values, more than a file of 28 bytes"},
    {7, 1, "more data"},
};

START_TEST(refuses_a_bad_header)
{
    uint8_t bad[sizeof images];
    memcpy(bad, images, sizeof images);
    bad[bad_headers[_i].place] = bad_headers[_i].value;
    assert_refused(bad, sizeof bad, bad_headers[_i].part);
}
END_TEST

/* 2^32 - 1 images of 65535 x 65535: 2^64 values and more must neither wrap nor be asked for. */
START_TEST(refuses_a_size_that_no_file_holds)
{
    uint8_t bad[sizeof images], packed[256];
    memcpy(bad, images, sizeof images);
    memset(bad + 4, 255, 4);
    memset(bad + 10, 255, 2);
    memset(bad + 14, 255, 2);
    assert_refused(bad, sizeof bad, "4294967295 x 65535 x 65535");
    size_t size = gzip_bytes(packed, sizeof packed, bad, sizeof bad);
    assert_refused(packed, size, "can hold");
    bad[4] = bad[5] = 0; /* 65535 of them: 2^48 values */
    size = gzip_bytes(packed, sizeof packed, bad, sizeof bad);
    assert_refused(packed, size, "can hold");
}
END_TEST

/* 4 MiB of zeros in a few kilobytes: the bound on what a file can hold must let it pass. */
START_TEST(reads_what_compresses_best)
{
    enum { SIDE = 2048, SIZE = HEADER + SIDE * SIDE };
    uint8_t *data = calloc(SIZE, 1);
    memcpy(data, (const uint8_t[]){0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 8, 0, 0, 0, 8, 0}, HEADER);
    gzFile file = gzopen(scratch_path(&at, "zeros"), "wb9");
    ck_assert_int_eq(gzwrite(file, data, SIZE), SIZE);
    ck_assert_int_eq(gzclose(file), Z_OK);
    free(data);
    cnn_idx idx;
    ck_assert_int_eq(cnn_idx_read(&idx, scratch_path(&at, "zeros"), 3, 4), CNN_OK);
    ck_assert_uint_eq(idx.size, (size_t)SIDE * SIDE);
    cnn_idx_finish(&idx);
}
END_TEST

START_TEST(refuses_what_is_no_regular_file)
{
    cnn_idx idx;
    ck_assert_int_eq(cnn_idx_read(&idx, scratch_path(&at, "absent"), 1, 1), CNN_ERROR_FILE);
    assert_message_has("No such file");
    ck_assert_int_eq(cnn_idx_read(&idx, at.folder, 1, 1), CNN_ERROR_FILE);
    assert_message_has("regular file");
    ck_assert_int_eq(mkfifo(scratch_path(&at, "pipe"), 0600), 0);
    ck_assert_int_eq(cnn_idx_read(&idx, scratch_path(&at, "pipe"), 1, 1), CNN_ERROR_FILE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idx");
    TCase *tests = tcase_create("idx");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, reads_plain_and_gzipped_files);
    tcase_add_test(tests, reads_four_dimensions);
    tcase_add_test(tests, refuses_every_truncation);
    tcase_add_test(tests, refuses_corrupt_gzip_data);
    tcase_add_test(tests, refuses_data_beyond_the_header);
    tcase_add_loop_test(tests, refuses_a_bad_header, 0,
                        (int)(sizeof bad_headers / sizeof bad_headers[0]));
    tcase_add_test(tests, refuses_a_size_that_no_file_holds);
    tcase_add_test(tests, reads_what_compresses_best);
    tcase_add_test(tests, refuses_what_is_no_regular_file);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
