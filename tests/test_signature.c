/* What a file is, by its first bytes: a row for each format, as its own tools write it. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/signature.h"
#include "check_main.h"
#include "scratch.h"

#define AT(bytes) (bytes), sizeof(bytes) - 1
/* A zip archive's first 30 bytes, for a first name of this length. */
#define ZIP(length) "PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" length "\0\0\0"

static const struct {
    const char *data;
    size_t size;
    const char *name; /* NULL: unknown */
} files[] = {
    {AT("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "PNG"},
    {AT("\xff\xd8\xff\xe0\0\x10JFIF"), "JPEG"},
    {AT("P5\n28 28\n255\n"), "PNM"},
    {AT("P5#"), "PNM"},
    {AT("P7\nWIDTH 2\n"), "PAM"},
    {AT("P8\n"), NULL},
    {AT("RIFF\x24\0\0\0WEBPVP8 "), "WebP"},
    {AT("RIFF\x24\0\0\0WAVEfmt "), NULL},
    {AT("\0\0\0\x18"
        "ftypheic\0\0\0\0mif1heic"),
     "HEIC"},
    {AT("\0\0\0\x18"
        "ftypmif1\0\0\0\0mif1heic"),
     "HEIC"},
    {AT("\0\0\0\x1c"
        "ftypavif\0\0\0\0avifmif1"),
     "AVIF"},
    {AT("\0\0\0\x18"
        "ftypisom"),
     "MP4"},
    {AT("BM\x36\0\3\0\0\0\0\0\x36\0\0\0\x28"), "BMP"},
    {AT("BMW is a brand"), NULL},
    {AT("GIF89a\1\0\1\0"), "GIF"},
    {AT("GIF87a\1\0\1\0"), "GIF"},
    {AT("II*\0\x08\0\0\0"), "TIFF"},
    {AT("MM\0*\0\0\0\x08"), "TIFF"},
    {AT("\0\0\0\x0cjP  \r\n\x87\n"), "JPEG 2000"},
    {AT("\xff\x0a\0\0"), "JPEG XL"},
    {AT("%PDF-1.7\n"), "PDF"},
    {AT("<?xml version='1.0'?>\n<svg "), "SVG"},
    {AT(" \n<!DOCTYPE HTML><html>"), "HTML"},
    {AT("<html lang"), "HTML"},
    {AT("\x89HDF\r\n\x1a\n\0\0\0\0"), "HDF5"},
    {AT("\x93NUMPY\1\0v\0{"), "npy"},
    {AT(ZIP("\x0b") "x_train.npy"), "npz"},
    {AT(ZIP("\x10") "archive/data.pkl"), "PyTorch"},
    {AT(ZIP("\x0d") "metadata.json"), "Keras"},
    {AT(ZIP("\x05") "a.txt x.npy"), "zip"},
    {AT("PK\3\4"), "zip"},
    {AT("\x80\2\x8a\nl\xfc\x9c"
        "F\xf9 j\xa8P\x19.\x80\2"),
     "old PyTorch"},
    {AT("\x80\4\x95\xff\0\0\0\0\0\0\0"), "pickle"},
    {AT("\x40\1\0\0\0\0\0\0{\"__metadata__\""), "safetensors"},
    {AT("\x80\2\0\0\0\0\0\0{\"__metadata__\""), "safetensors"},
    {AT("\x08\2\0\0\0\0\0\0{\"__metadata__\""), "safetensors"},
    {AT("\x08\x08\x12\x07pytorch\x1a"), "ONNX"},
    {AT("\x08\x08:\xff\x01"), "ONNX"},
    {AT("\0\0\x08\3\0\0\0\1"), "IDX"},
    {AT("\0\0\x0b\2\0\0\0\1\0\0\0\4\x20\0\x18\0\x18\0\0\0"), "IDX"},
    {AT("\0\0\2\0\0\0\0\0\0\0\0\0\4\0\4\0\x18\0"), "TGA"},
    {AT("\5\1\x09\0\0\0\1\x18\0\0\0\0\4\0\4\0\x08\0"), "TGA"},
    {AT("\0\0\2\0\0\0\0\0\0\0\0\0\0\0\4\0\x18\0"), NULL},
    {AT("qoif\0\0\0\4\0\0\0\4\3\0"), "QOI"},
    {AT("II*\0\x10\0\0\0CR\2\0"), "raw"},
    {AT("II*\0\x10\0\0\0\x0c\0"), "TIFF"},
    {AT("\0\0\0\x18"
        "ftypcrx "),
     "raw"},
    {AT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x16\0\0\0mnist/data/train/0.png"),
     "zip"},
    {AT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x11\0\0\0repo/code/main.py"), "zip"},
    {AT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x11\0\0\0model/config.json"), "zip"},
    {AT("FUJIFILMCCD-RAW 0201"), "raw"},
    {AT("IIRO\x08\0\0\0"), "raw"},
    {AT("IIU\0\x18\0\0\0"), "raw"},
    {AT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\0\0jit/data/0"),
     "PyTorch program"},
    {AT("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0b\0\0\0config.json"), "Keras"},
    {AT("\x1f\x8b\x08\0"), "gzip"},
    {AT("\xff\xfel\0a\0"), "UTF-16"},
    {AT("\xfe\xff\0l\0a"), "UTF-16"},
    {AT("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"},
    {AT("label,pixel0,pixel1\n"), NULL},
    {AT("\1\2\3\4"), NULL},
    {AT("\x89"), NULL},
    {AT("\x80"), NULL},
    {AT(""), NULL},
};
enum { FILES = sizeof files / sizeof files[0] };

START_TEST(names_what_it_knows)
{
    const cnn_signature *found = cnn_signature_find(files[_i].data, files[_i].size);
    ck_assert_msg((found != NULL) == (files[_i].name != NULL), "file %d", _i);
    if (found)
        ck_assert_str_eq(found->name, files[_i].name);
}
END_TEST

/* Nothing behind the bytes that are there is looked at: valgrind and the sanitizers see to it. */
START_TEST(reads_no_byte_too_many)
{
    for (size_t size = 0; size <= files[_i].size; size++) {
        char *data = malloc(size + (size == 0)), text[CNN_SIGNATURE_TEXT];
        ck_assert_ptr_nonnull(data);
        memcpy(data, files[_i].data, size);
        for (int wanted = 0; wanted <= CNN_WANTED_TENSORS; wanted++) {
            ck_assert_ptr_nonnull(cnn_signature_found(text, data, size, (cnn_wanted)wanted));
            ck_assert(strlen(text) > 3);
        }
        free(data);
    }
}
END_TEST

START_TEST(a_tar_archive_is_known_by_what_stands_far_behind)
{
    char data[CNN_SIGNATURE_BYTES] = "folder/";
    memcpy(data + 257, "ustar", 5);
    ck_assert_str_eq(cnn_signature_find(data, sizeof data)->name, "tar");
    ck_assert_ptr_null(cnn_signature_find(data, 261));
}
END_TEST

START_TEST(says_what_was_found)
{
    static const struct {
        const char *data;
        size_t size;
        const char *text;
    } cases[] = {
        {AT(""), "an empty file"},
        {AT("\1"), "a file that starts with the bytes 01 00 00 00"},
        {AT("\1\xab\3\4\5"), "a file that starts with the bytes 01 ab 03 04"},
        {AT("label,pixel0\n1,2\n"), "text that starts with 'label,pixel0'"},
        {AT("0123456789012345678901234567890123456789"),
         "text that starts with '01234567890123456789012345678901'"},
        {AT("RIFF\x24\0\0\0WEBPVP8 "), "a WebP picture"},
        {AT("\xff\x0a"),
         "a JPEG XL picture; convert it: djxl FILE FILE.png (Debian's package libjxl-tools)"},
        {AT("\x93NUMPY\1\0"), "an array of NumPy's (npy); save its pictures as PNG files, with "
                              "PIL.Image.fromarray(ARRAY).save(FILE.png), say"},
    };
    char text[CNN_SIGNATURE_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(
            cnn_signature_found(text, cases[i].data, cases[i].size, CNN_WANTED_PICTURE),
            cases[i].text);
}
END_TEST

/* Whatever holds data, tensors or a picture of another format comes with the way to what is wanted.
 */
START_TEST(says_how_to_convert)
{
    static const bool has_way[][CNN_WANTED_TENSORS + 1] = {
        /* of a group, to a picture, data, a model, tensors */
        [CNN_SIGNATURE_PICTURE] = {false, true, false, false},
        [CNN_SIGNATURE_OTHER_PICTURE] = {true, true, false, false},
        [CNN_SIGNATURE_NETWORK] = {true, true, true, true},
        [CNN_SIGNATURE_ARRAYS] = {true, true, false, false},
        [CNN_SIGNATURE_ARCHIVE] = {true, true, true, true},
    };
    const cnn_signature *found = cnn_signature_find(files[_i].data, files[_i].size);
    if (!found || found->group == CNN_SIGNATURE_OTHER ||
        strcmp(found->text, "an empty zip archive") == 0)
        return;
    for (int wanted = 0; wanted <= CNN_WANTED_TENSORS; wanted++) {
        char text[CNN_SIGNATURE_TEXT];
        cnn_signature_found(text, files[_i].data, files[_i].size, (cnn_wanted)wanted);
        if (has_way[found->group][wanted])
            ck_assert_msg(strstr(text, "; ") != NULL, "wanted %d: %s", wanted, text);
        ck_assert_uint_lt(strlen(text), CNN_SIGNATURE_TEXT - 1);
    }
}
END_TEST

START_TEST(reads_files)
{
    const cnn_signature *found;
    scratch at;
    scratch_init(&at);
    scratch_write(&at, "a", "GIF89a", 6);
    ck_assert_int_eq(cnn_signature_read(&found, scratch_path(&at, "a")), CNN_OK);
    ck_assert_str_eq(found->name, "GIF");
    scratch_write(&at, "b", "", 0);
    ck_assert_int_eq(cnn_signature_read(&found, scratch_path(&at, "b")), CNN_OK);
    ck_assert_ptr_null(found);
    ck_assert_int_eq(cnn_signature_read(&found, "/no/such/file"), CNN_ERROR_FILE);
    ck_assert_int_eq(cnn_signature_read(&found, "/"), CNN_ERROR_FILE);
    scratch_finish(&at);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("signature");
    TCase *tests = tcase_create("signature");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, names_what_it_knows, 0, FILES);
    tcase_add_loop_test(tests, reads_no_byte_too_many, 0, FILES);
    tcase_add_loop_test(tests, says_how_to_convert, 0, FILES);
    tcase_add_test(tests, a_tar_archive_is_known_by_what_stands_far_behind);
    tcase_add_test(tests, says_what_was_found);
    tcase_add_test(tests, reads_files);
    return run_suite(suite);
}
