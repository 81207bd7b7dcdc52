/* Archives: what is written is read, and nothing else is believed. */
#include "check_main.h"
#include "model/archive.h"
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

static float matrix[] = {1.0f, -2.5f, 0x1p-149f, 3e38f, 0.1f, -0.0f};
static float vector[] = {7.0f};
static int64_t scalar[] = {INT64_MIN};

static const cnn_tensor_info tensors[] = {
    {.name = "vector", .rank = 1, .shape = {1}, .count = 1, .values = vector},
    {.name = "scalar", .type = CNN_INT64, .count = 1, .values = scalar},
    {.name = "empty", .rank = 2, .shape = {3, 0}, .count = 0, .values = vector},
    {.name = "a \"quoted\"\nname", .rank = 2, .shape = {2, 3}, .count = 6, .values = matrix},
};
enum { TENSORS = sizeof tensors / sizeof tensors[0] };

static const cnn_metadata metadata[] = {{"format", "pt"}, {"text", "{\"a\": [1, \"\\n\"]}\n"}};

static cnn_status write_tensors(void)
{
    return cnn_archive_write(scratch_path(&at, "archive"), tensors, TENSORS, metadata, 2);
}

/* Writes a file of a header and count bytes of values, and reads it. */
static cnn_status read_header(cnn_archive **archive, const char *header, size_t count)
{
    unsigned char bytes[1024] = {0};
    size_t length = strlen(header);
    bytes[0] = (unsigned char)length;
    bytes[1] = (unsigned char)(length >> 8);
    memcpy(bytes + 8, header, length);
    scratch_write(&at, "archive", bytes, 8 + length + count);
    return cnn_archive_read(archive, scratch_path(&at, "archive"));
}

START_TEST(gives_back_what_was_written)
{
    cnn_archive *archive;
    ck_assert_msg(write_tensors() == CNN_OK, "%s", cnn_error_message());
    ck_assert_msg(cnn_archive_read(&archive, scratch_path(&at, "archive")) == CNN_OK, "%s",
                  cnn_error_message());
    ck_assert_uint_eq(cnn_archive_count(archive), TENSORS);
    for (size_t i = 0; i < TENSORS; i++) {
        const cnn_tensor_info *found = cnn_archive_get(archive, i);
        ck_assert_str_eq(found->name, tensors[i].name);
        ck_assert_int_eq(found->type, tensors[i].type);
        ck_assert_int_eq(found->rank, tensors[i].rank);
        ck_assert_mem_eq(found->shape, tensors[i].shape, sizeof found->shape);
        ck_assert_uint_eq(found->count, tensors[i].count);
        size_t size = found->type == CNN_INT64 ? sizeof(int64_t) : sizeof(float);
        ck_assert_mem_eq(found->values, tensors[i].values, found->count * size);
        ck_assert_ptr_eq(cnn_archive_find(archive, tensors[i].name), found);
    }
    ck_assert_ptr_null(cnn_archive_find(archive, "vecto"));
    ck_assert_str_eq(cnn_archive_metadata(archive, "format"), "pt");
    ck_assert_str_eq(cnn_archive_metadata(archive, "text"), metadata[1].value);
    ck_assert_ptr_null(cnn_archive_metadata(archive, "other"));
    ck_assert_str_eq(cnn_archive_path(archive), at.path);
    cnn_archive_destroy(archive);
}
END_TEST

/* The layout of the bytes, which other programs read. */
START_TEST(writes_the_format)
{
    const cnn_tensor_info some[] = {tensors[0], tensors[1]};
    static const char expected[] = "{\"__metadata__\":{\"format\":\"pt\"},"
                                   "\"vector\":{\"dtype\":\"F32\",\"shape\":[1],"
                                   "\"data_offsets\":[8,12]},"
                                   "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],"
                                   "\"data_offsets\":[0,8]}}";
    ck_assert_int_eq(cnn_archive_write(scratch_path(&at, "archive"), some, 2, metadata, 1), CNN_OK);
    unsigned char bytes[512];
    FILE *file = fopen(scratch_path(&at, "archive"), "rb");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    size_t length = bytes[0] + 256u * bytes[1];
    ck_assert_uint_eq(length % 8, 0);
    ck_assert_uint_eq(size, 8 + length + 12);
    ck_assert_mem_eq(bytes + 2, "\0\0\0\0\0\0", 6);
    ck_assert_mem_eq(bytes + 8, expected, strlen(expected));
    for (size_t i = strlen(expected); i < length; i++)
        ck_assert_int_eq(bytes[8 + i], ' ');
    ck_assert_mem_eq(bytes + 8 + length, scalar, 8);
    ck_assert_mem_eq(bytes + 16 + length, vector, 4);
}
END_TEST

START_TEST(copies_only_what_fits)
{
    cnn_archive *archive;
    float values[6];
    cnn_tensor_info wanted = tensors[3];
    wanted.values = values;
    ck_assert_int_eq(write_tensors(), CNN_OK);
    ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "archive")), CNN_OK);
    ck_assert_int_eq(cnn_archive_copy(&wanted, archive), CNN_OK);
    ck_assert_mem_eq(values, matrix, sizeof matrix);
    wanted.shape[0] = 3;
    wanted.shape[1] = 2;
    ck_assert_int_eq(cnn_archive_copy(&wanted, archive), CNN_ERROR_DATA);
    assert_message_has("shape: expected (3, 2), found (2, 3)");
    wanted.name = "scalar";
    ck_assert_int_eq(cnn_archive_copy(&wanted, archive), CNN_ERROR_DATA);
    assert_message_has("dtype: expected F32, found I64");
    wanted.name = "other";
    ck_assert_int_eq(cnn_archive_copy(&wanted, archive), CNN_ERROR_DATA);
    assert_message_has("tensor 'other'");
    cnn_archive_destroy(archive);
}
END_TEST

START_TEST(refuses_to_copy_what_is_not_finite)
{
    static const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7fc00000};
    float value, copy;
    memcpy(&value, &bad[_i], sizeof value);
    cnn_tensor_info tensor = {.name = "x", .count = 1, .values = &value};
    cnn_archive *archive;
    const char *path = scratch_path(&at, "archive");
    ck_assert_int_eq(cnn_archive_write(path, &tensor, 1, NULL, 0), CNN_OK);
    ck_assert_int_eq(cnn_archive_read(&archive, path), CNN_OK);
    tensor.values = &copy;
    ck_assert_int_eq(cnn_archive_copy(&tensor, archive), CNN_ERROR_DATA);
    assert_message_has("tensor 'x': expected finite values");
    cnn_archive_destroy(archive);
}
END_TEST

START_TEST(refuses_to_write_what_it_could_not_read)
{
    const cnn_tensor_info twice[] = {tensors[0], tensors[0]};
    const cnn_metadata latin = {"text", "\xe9"};
    const char *path = scratch_path(&at, "archive");
    ck_assert_int_eq(cnn_archive_write(path, twice, 2, NULL, 0), CNN_ERROR_ARGUMENT);
    assert_message_has("'vector' is there twice");
    ck_assert_int_eq(cnn_archive_write(path, tensors, 1, &latin, 1), CNN_ERROR_ARGUMENT);
    assert_message_has("UTF-8");
    ck_assert_int_ne(access(path, F_OK), 0);
    char absent[SCRATCH_PATH_SIZE + 16];
    snprintf(absent, sizeof absent, "%s/none/archive", at.folder);
    ck_assert_int_eq(cnn_archive_write(absent, tensors, 1, NULL, 0), CNN_ERROR_FILE);
    assert_message_has("none/archive");
}
END_TEST

#define ONE "\"dtype\":\"F32\",\"shape\":[1]"

/* Headers in front of `count` bytes of values. */
static const struct {
    const char *header;
    size_t count;
    const char *part; /* of the message; NULL for a good one */
} headers[] = {
    {"{}", 0, NULL},
    {"{}  ", 0, NULL},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]}}", 4, NULL},
    /* an order of its own, and values that are not aligned */
    {"{\"y\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[4,12]},"
     "\"x\":{" ONE ",\"data_offsets\":[0,4]}}",
     12, NULL},
    {"", 0, "header: expected a JSON object"},
    {"{", 0, "header: expected a JSON object"},
    {"[]", 0, "found another value"},
    {"{} x", 0, "header: expected a JSON object"},
    {"{\"\xff\":1}", 0, "header: expected a JSON object"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]},\"x\":{" ONE ",\"data_offsets\":[0,4]}}", 4,
     "duplicate object key"},
    {"{\"x\":{\"dtype\":\"F32\"," ONE ",\"data_offsets\":[0,4]}}", 4, "duplicate object key"},
    {"{\"__metadata__\":[]}", 0, "__metadata__: expected an object"},
    {"{\"__metadata__\":{\"k\":1}}", 0, "__metadata__: expected a string for 'k'"},
    {"{\"x\":[]}", 0, "tensor 'x': expected an object"},
    {"{\"a\\nb\":1}", 0, "tensor 'a?b': expected an object"},
    {"{\"x\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype: expected a string"},
    {"{\"x\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "dtype: expected a string"},
    {"{\"x\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2,
     "dtype: expected F32 or I64, found 'BF16'"},
    {"{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape: expected a list"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     "shape: expected a list of at most 4"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "shape: expected"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "shape: expected"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4294967297],\"data_offsets\":[0,4]}}", 4,
     "shape: expected sizes"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[65536,65536,65536,65536],\"data_offsets\":[0,0]}}", 0,
     "shape: more values"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[65536,65536,65536,16384],\"data_offsets\":[0,0]}}", 0,
     "shape: more bytes"},
    {"{\"x\":{" ONE "}}", 4, "data_offsets: expected two"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0]}}", 4, "data_offsets: expected two"},
    {"{\"x\":{" ONE ",\"data_offsets\":[-4,0]}}", 4, "data_offsets: expected two"},
    {"{\"x\":{" ONE ",\"data_offsets\":[\"0\",4]}}", 4, "data_offsets: expected two"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,99999999999999999999]}}", 4, "header: expected"},
    {"{\"x\":{" ONE ",\"data_offsets\":[4,0]}}", 4, "found 4 to 0"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]}}", 3, "found 0 to 4; is it truncated?"},
    {"{\"x\":{" ONE ",\"data_offsets\":[9223372036854775800,9223372036854775804]}}", 4,
     "within the file's 4 bytes"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,8]}}", 8, "expected 4 bytes for its shape and dtype"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]}}", 5, "expected 4 bytes of values"},
    {"{}", 1, "expected 0 bytes of values"},
    {"{\"x\":{" ONE ",\"data_offsets\":[4,8]}}", 8, "expected to begin at 0"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]},\"y\":{" ONE ",\"data_offsets\":[8,12]}}", 12,
     "tensor 'y': data_offsets: expected to begin at 4, where the tensor before ends, found 8"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]},\"y\":{" ONE ",\"data_offsets\":[2,6]}}", 6,
     "tensor 'y': data_offsets: expected to begin at 4"},
    {"{\"x\":{" ONE ",\"data_offsets\":[0,4]},\"y\":{" ONE ",\"data_offsets\":[0,4]}}", 4,
     "expected to begin at 4"},
};

START_TEST(believes_no_header)
{
    cnn_archive *archive;
    cnn_status status = read_header(&archive, headers[_i].header, headers[_i].count);
    if (headers[_i].part) {
        ck_assert_int_eq(status, CNN_ERROR_DATA);
        ck_assert_ptr_null(archive);
        assert_message_has(at.folder);
        assert_message_has(headers[_i].part);
    } else {
        ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
    }
    cnn_archive_destroy(archive);
}
END_TEST

START_TEST(copies_unaligned_values)
{
    int64_t value = 1;
    cnn_tensor_info wanted = {.name = "y", .type = CNN_INT64, .count = 1, .values = &value};
    cnn_archive *archive;
    ck_assert_int_eq(read_header(&archive, headers[3].header, headers[3].count), CNN_OK);
    ck_assert_int_eq(cnn_archive_copy(&wanted, archive), CNN_OK);
    ck_assert_int_eq(value, 0);
    cnn_archive_destroy(archive);
}
END_TEST

START_TEST(believes_no_header_length)
{
    const unsigned char beyond[10] = {3, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    unsigned char huge[10];
    memset(huge, 255, sizeof huge);
    cnn_archive *archive;
    for (size_t size = 0; size < 8; size++) {
        scratch_write(&at, "archive", beyond, size);
        ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "archive")), CNN_ERROR_DATA);
        assert_message_has("at least 8 bytes");
    }
    scratch_write(&at, "archive", beyond, sizeof beyond);
    ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "archive")), CNN_ERROR_DATA);
    assert_message_has("header length: expected at most 2, found 3");
    scratch_write(&at, "archive", huge, sizeof huge);
    ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "archive")), CNN_ERROR_DATA);
    assert_message_has(
        "expected a saved model (safetensors), found a file that starts with the bytes ff ff");
    scratch_write(&at, "archive", "import numpy\n", 13);
    ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "archive")), CNN_ERROR_DATA);
    assert_message_has("found text that starts with 'import numpy'");
}
END_TEST

START_TEST(refuses_what_is_no_regular_file)
{
    cnn_archive *archive;
    ck_assert_int_eq(cnn_archive_read(&archive, scratch_path(&at, "absent")), CNN_ERROR_FILE);
    assert_message_has("No such file");
    ck_assert_int_eq(cnn_archive_read(&archive, at.folder), CNN_ERROR_FILE);
    assert_message_has("regular file");
    ck_assert_ptr_null(archive);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("archive");
    TCase *tests = tcase_create("archive");
    tcase_add_checked_fixture(tests, begin, end);
    tcase_add_test(tests, gives_back_what_was_written);
    tcase_add_test(tests, writes_the_format);
    tcase_add_test(tests, copies_only_what_fits);
    tcase_add_loop_test(tests, refuses_to_copy_what_is_not_finite, 0, 3);
    tcase_add_test(tests, refuses_to_write_what_it_could_not_read);
    tcase_add_loop_test(tests, believes_no_header, 0, (int)(sizeof headers / sizeof headers[0]));
    tcase_add_test(tests, copies_unaligned_values);
    tcase_add_test(tests, believes_no_header_length);
    tcase_add_test(tests, refuses_what_is_no_regular_file);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
