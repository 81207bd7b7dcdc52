/* What bench --tune has found on a device. An object gets what the device and the content decide
 * where it does not say it: whose it is, and the checksum. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz.h"
#include "tensor/tuning_file.h"

static const cnn_device device = {
    .info = {.name = "d",
             .platform_name = "p",
             .driver = "1",
             .local_memory = 32768,
             .max_work_group = 256},
    .kernel_class = CNN_KERNEL_CPU,
};

enum { FLAGS = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9) };

static void fill_in(json_t *root)
{
    const char *const texts[][2] = {{"format", "cnn-cl gemm tuning"},
                                    {"device", "d"},
                                    {"platform", "p"},
                                    {"driver", "1"},
                                    {"kernels", "cpu"},
                                    {"clblast", cnn_gemm_library_version()}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!json_object_get(root, texts[i][0]))
            json_object_set_new(root, texts[i][0], json_string(texts[i][1]));
    if (!json_object_get(root, "version"))
        json_object_set_new(root, "version", json_integer(1));
}

/* The input as a document; NULL where it is not to be changed. To be freed with free(). */
static char *complete(const uint8_t *data, size_t size)
{
    char checksum[32], *text = NULL;
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root) && !json_object_get(root, "checksum")) {
        fill_in(root);
        text = json_dumps(root, FLAGS);
        snprintf(checksum, sizeof checksum, "%016" PRIx64, cnn_hash_text(text ? text : ""));
        free(text);
        json_object_set_new(root, "checksum", json_string(checksum));
        text = json_dumps(root, FLAGS);
    }
    json_decref(root);
    return text;
}

/* Makes the file that is written for each input the device's record. */
static void set_place(void)
{
    static bool done;
    char *path = NULL;
    if (done)
        return;
    done = true;
    setenv("CNN_CL_CACHE_DIR", "/", 1);
    if (cnn_gemm_record_path(&path, &device) != CNN_OK)
        abort();
    setenv("CNN_CL_CACHE_DIR", fuzz_folder(strrchr(path, '/') + 1), 1);
    free(path);
}

static void ignore(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)line;
    (void)user;
}

static void look_at(const cnn_gemm_record *record)
{
    char text[CNN_GEMM_FINGERPRINT_SIZE];
    (void)cnn_gemm_tuning_fingerprint(text, &record->tuning);
    json_decref(cnn_gemm_tuning_to_json(&record->tuning));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnn_gemm_record record = {0};
    bool found;
    if (size == 0)
        return 0;
    set_place();
    cnn_log_set_callback(ignore, NULL);
    char *text = complete(data, size);
    (void)fuzz_file(text ? (const void *)text : data, text ? strlen(text) : size);
    free(text);
    if (cnn_gemm_record_read(&record, &found, &device) != CNN_OK)
        abort(); /* no other failure than memory, which is there */
    if (found)
        look_at(&record);
    cnn_gemm_record_finish(&record);
    return 0;
}
