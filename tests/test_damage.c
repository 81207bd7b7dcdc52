/* Damaged files: each format's file cut at every length, and with every bit flipped. What is read
 * then is the same, or another valid file where no checksum can tell; else it is refused in one
 * line that begins with the file's name. A format is one row of the table. */
#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <zlib.h>

#include <cnncl/model.h>

#include "check_main.h"
#include "image/idx.h"
#include "net/network.h"
#include "scratch.h"

static scratch at;
static cnn_model *model; /* the one that is saved */

/* What is read, beside what was written. */
typedef enum reading {
    SAME,
    ONE_VALUE, /* another valid file: one value differs */
    OTHER,     /* another file without a word */
} reading;

typedef struct format {
    const char *name;
    void (*write)(const char *path);
    cnn_status (*read)(reading *found, const char *path);
    /* Bytes of a whole file that come before values without a checksum; 0: all bytes do. */
    size_t (*header)(const unsigned char *bytes);
    size_t free_bits; /* at most so many flips are not seen */
    bool may_grow;    /* bytes behind the end are no part of the file */
} format;

/* IDX: (3, 4, 2). */
static const uint8_t images[] = {
    0,   0,   8,   3,   0, 0,  0,   3, 0, 0, 0,  4,  0,  0,  0,  2,  0,  1,  2,  3,
    250, 251, 252, 253, 7, 77, 177, 0, 0, 0, 90, 91, 92, 93, 94, 95, 31, 41, 59, 26,
};
enum { IDX_HEADER = 16, IDX_VALUES = sizeof images - IDX_HEADER };

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static void write_idx(const char *path)
{
    write_file(path, images, sizeof images);
}

static size_t idx_header(const unsigned char *bytes)
{
    (void)bytes;
    return IDX_HEADER;
}

/* Under gzip with every field that its header can have. Returns the packed size. */
static size_t pack(unsigned char *packed, size_t capacity, const void *data, size_t size)
{
    enum { GZIP = 16 };
    unsigned char extra[] = {'A', 'p', 2, 0, 1, 2}, name[] = "t10k", comment[] = "a comment";
    gz_header header = {.text = 1,
                        .time = 1,
                        .os = 3,
                        .extra = extra,
                        .extra_len = sizeof extra,
                        .name = name,
                        .comment = comment,
                        .hcrc = 1};
    z_stream stream = {0};
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    ck_assert_int_eq(deflateSetHeader(&stream, &header), Z_OK);
    stream.next_in = (z_const Bytef *)data;
    stream.avail_in = (uInt)size;
    stream.next_out = packed;
    stream.avail_out = (uInt)capacity;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t count = stream.total_out;
    ck_assert_int_eq(deflateEnd(&stream), Z_OK);
    return count;
}

static void write_gzip(const char *path)
{
    unsigned char packed[512];
    write_file(path, packed, pack(packed, sizeof packed, images, sizeof images));
}

static cnn_status read_idx(reading *found, const char *path)
{
    static const uint32_t shape[] = {3, 4, 2};
    cnn_idx idx;
    cnn_status status = cnn_idx_read(&idx, path, 3, 4);
    if (status != CNN_OK)
        return status;
    size_t differing = 0;
    bool alike =
        idx.rank == 3 && memcmp(idx.shape, shape, sizeof shape) == 0 && idx.size == IDX_VALUES;
    for (size_t i = 0; alike && i < idx.size; i++)
        differing += idx.values[i] != images[IDX_HEADER + i];
    *found = !alike || differing > 1 ? OTHER : differing == 1 ? ONE_VALUE : SAME;
    cnn_idx_finish(&idx);
    return CNN_OK;
}

/* Small, with batch norm. */
static const char *const options[][2] = {{"name", "tiny"},   {"xdim", "1,3,2"},    {"cdims", "1"},
                                         {"hdims", "none"},  {"ydim", "2"},        {"ksize", "1"},
                                         {"dropout", "0.1"}, {"batchnorm", "true"}};

static void write_model(const char *path)
{
    ck_assert_int_eq(cnn_model_save(model, path), CNN_OK);
}

static size_t model_header(const unsigned char *bytes)
{
    return 8 + bytes[0] + 256u * bytes[1];
}

static size_t count_differing(bool *alike, const cnn_tensor_info *a, const cnn_tensor_info *b)
{
    size_t differing = 0, size = a->type == CNN_INT64 ? sizeof(int64_t) : sizeof(float);
    *alike = *alike && strcmp(a->name, b->name) == 0 && a->type == b->type && a->rank == b->rank &&
             memcmp(a->shape, b->shape, sizeof a->shape) == 0 && a->count == b->count;
    for (size_t i = 0; *alike && i < a->count; i++)
        differing += memcmp((char *)a->values + i * size, (char *)b->values + i * size, size) != 0;
    return differing;
}

/* The options that the header keeps as text, such as the name, may be others: the values not. */
static cnn_status read_model(reading *found, const char *path)
{
    cnn_model *loaded;
    cnn_status status = cnn_model_load(&loaded, path);
    if (status != CNN_OK) {
        ck_assert_ptr_null(loaded);
        return status;
    }
    size_t differing = 0, count = cnn_model_tensor_count(model);
    bool alike = cnn_model_tensor_count(loaded) == count;
    for (size_t i = 0; alike && i < count; i++) {
        cnn_tensor_info one = cnn_model_tensor(model, i), other = cnn_model_tensor(loaded, i);
        differing += count_differing(&alike, &one, &other);
    }
    *found = !alike || differing > 1 ? OTHER : differing == 1 ? ONE_VALUE : SAME;
    cnn_model_destroy(loaded);
    return CNN_OK;
}

static const format formats[] = {
    {"idx", write_idx, read_idx, idx_header, 0, false},
    /* gzip's header: its time, its flags of speed, its system, that it is text: 50 bits */
    {"gzip", write_gzip, read_idx, NULL, 50, true},
    /* in its text: the version, the name, what the digits of its options can become, a key that earlier versions lack */
    {"model", write_model, read_model, model_header, 310, false},
};
enum { FORMATS = sizeof formats / sizeof formats[0], MOST_BYTES = 4096 };

static void begin(void)
{
    cnn_config config;
    scratch_init(&at);
    cnn_config_init(&config);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        ck_assert_int_eq(cnn_config_set(&config, options[i][0], options[i][1]), CNN_OK);
    ck_assert_int_eq(cnn_model_create(&model, &config, 7), CNN_OK);
}

static void end(void)
{
    cnn_model_destroy(model);
    scratch_finish(&at);
}

/* Writes the row's file; gives its bytes and size, and the file open to be changed in place:
 * writing it anew thousands of times would wait for the disk. */
static int make_file(const format *row, unsigned char bytes[MOST_BYTES], size_t *size)
{
    const char *path = scratch_path(&at, "file");
    reading found = OTHER;
    row->write(path);
    int file = open(path, O_RDWR);
    ssize_t count = pread(file, bytes, MOST_BYTES, 0);
    ck_assert_int_gt(count, 0);
    ck_assert_int_lt(count, MOST_BYTES);
    *size = (size_t)count;
    ck_assert_msg(row->read(&found, path) == CNN_OK, "%s", cnn_error_message());
    ck_assert_int_eq(found, SAME);
    return file;
}

/* One line: the file, then what is wrong with it. */
static bool is_told(const char *path)
{
    const char *message = cnn_error_message();
    size_t length = strlen(path);
    return !strchr(message, '\n') && strncmp(message, path, length) == 0 &&
           strncmp(message + length, ": ", 2) == 0 && strlen(message) > length + 10;
}

/* Thousands of readings: Check takes long to count as many assertions, so that only what is wrong
 * is told to it. NULL: the file was refused as it must be. */
static const char *judge(cnn_status status, const char *path)
{
    if (status != CNN_ERROR_DATA)
        return "expected it to be refused as wrong data";
    return is_told(path) ? NULL : cnn_error_message();
}

START_TEST(a_cut_file_is_refused)
{
    const format *row = &formats[_i];
    unsigned char bytes[MOST_BYTES];
    size_t size;
    int file = make_file(row, bytes, &size);
    for (size_t cut = size; cut-- > 0;) {
        reading found;
        ck_assert_int_eq(ftruncate(file, (off_t)cut), 0);
        const char *problem = judge(row->read(&found, at.path), at.path);
        if (problem)
            ck_abort_msg("%s cut to %zu of %zu bytes: %s", row->name, cut, size, problem);
    }
    close(file);
}
END_TEST

START_TEST(a_longer_file_is_seen)
{
    const format *row = &formats[_i];
    unsigned char bytes[MOST_BYTES];
    size_t size;
    int file = make_file(row, bytes, &size);
    for (int more = 0; more < 256; more++) {
        const unsigned char byte = (unsigned char)more;
        reading found = OTHER;
        ck_assert_int_eq(pwrite(file, &byte, 1, (off_t)size), 1);
        cnn_status status = row->read(&found, at.path);
        if (status == CNN_OK)
            ck_assert_msg(row->may_grow && found == SAME, "%s: byte %d behind", row->name, more);
        else
            ck_assert_msg(!judge(status, at.path), "%s: %s", row->name, cnn_error_message());
    }
    close(file);
}
END_TEST

/* What a flip may make of a file: values without a checksum may be others. */
static const char *judge_flip(const format *row, size_t bit, size_t header, size_t *unseen)
{
    reading found = OTHER;
    cnn_status status = row->read(&found, at.path);
    if (status != CNN_OK)
        return judge(status, at.path);
    *unseen += found == SAME;
    if (found == SAME)
        return NULL;
    bool is_value = found == ONE_VALUE && bit / 8 >= header;
    return is_value ? NULL : "another file was read without a word";
}

START_TEST(a_flipped_bit_is_no_surprise)
{
    const format *row = &formats[_i];
    unsigned char bytes[MOST_BYTES];
    size_t size, unseen = 0;
    int file = make_file(row, bytes, &size);
    size_t header = row->header ? row->header(bytes) : size;
    ck_assert_uint_le(header, size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        const unsigned char flipped = bytes[bit / 8] ^ (unsigned char)(1 << bit % 8);
        ck_assert_int_eq(pwrite(file, &flipped, 1, (off_t)(bit / 8)), 1);
        const char *problem = judge_flip(row, bit, header, &unseen);
        if (problem)
            ck_abort_msg("%s, bit %zu of byte %zu: %s", row->name, bit % 8, bit / 8, problem);
        ck_assert_int_eq(pwrite(file, bytes + bit / 8, 1, (off_t)(bit / 8)), 1);
    }
    ck_assert_uint_le(unseen, row->free_bits);
    close(file);
}
END_TEST

/* 64 MiB of zeros behind the values, in 64 KiB. They are not inflated: what is broken in their
 * midst is never seen. */
START_TEST(a_bomb_is_not_inflated)
{
    enum { INFLATED = 64 << 20, CAPACITY = 1 << 20 };
    unsigned char *data = calloc(INFLATED, 1), *packed = malloc(CAPACITY);
    memcpy(data, images, sizeof images);
    size_t size = pack(packed, CAPACITY, data, INFLATED);
    ck_assert_uint_lt(size, INFLATED / 500);
    memset(packed + size / 2, 0xff, size / 4);
    const char *path = scratch_path(&at, "file");
    write_file(path, packed, size);
    cnn_idx idx;
    ck_assert_int_eq(cnn_idx_read(&idx, path, 3, 4), CNN_ERROR_DATA);
    assert_message_has("expected the end of the file after the values that its header declares");
    ck_assert_ptr_null(idx.values);
    free(data);
    free(packed);
}
END_TEST

static long peak_kilobytes(void)
{
    struct rusage usage;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* 512 MiB are declared, and deflate could make them of a file of this size: the memory must not be
 * touched before there is something to put into it. */
START_TEST(a_promise_takes_no_memory)
{
    enum { SIZE = 1 << 20, CAPACITY = 2 * SIZE };
    static const uint8_t promise[] = {0, 0, 8, 3, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 4, 0};
    unsigned char *data = malloc(SIZE), *packed = malloc(CAPACITY);
    uint32_t draw = 1;
    for (size_t i = 0; i < SIZE; i++) {
        draw = draw * 1664525u + 1013904223u;
        data[i] = (unsigned char)(draw >> 24);
    }
    memcpy(data, promise, sizeof promise);
    const char *path = scratch_path(&at, "file");
    write_file(path, packed, pack(packed, CAPACITY, data, SIZE));
    free(data);
    free(packed);
#ifdef M_PERTURB
    mallopt(M_PERTURB, 0); /* meson has it filled: that would touch what is only asked for */
#endif
    long before = peak_kilobytes();
    cnn_idx idx;
    ck_assert_int_eq(cnn_idx_read(&idx, path, 3, 4), CNN_ERROR_DATA);
    assert_message_has("truncated: expected 536870912 bytes of values, found 1048560");
    ck_assert_int_lt(peak_kilobytes() - before, 256 * 1024);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("damage");
    TCase *tests = tcase_create("damage");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, a_cut_file_is_refused, 0, FORMATS);
    tcase_add_loop_test(tests, a_longer_file_is_seen, 0, FORMATS);
    tcase_add_loop_test(tests, a_flipped_bit_is_no_surprise, 0, FORMATS);
    tcase_add_test(tests, a_bomb_is_not_inflated);
    tcase_add_test(tests, a_promise_takes_no_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
