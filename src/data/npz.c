/* An npz file with images and labels: x_train and y_train, train_images and train_labels, and so on
 * (Keras's and MedMNIST's). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zip.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/place.h"

enum {
    MOST_EXPANSION = 1032, /* deflate's limit, from zlib's technical notes */
    CONTENTS = 2,
    IMAGES = 0,
    LABELS = 1
};

/* What parts of an array's name mean. */
static const struct word {
    const char *text;
    int split, content; /* -1: it says nothing of that */
} words[] = {
    {"train", CNN_SPLIT_TRAIN, -1},
    {"test", CNN_SPLIT_TEST, -1},
    {"val", CNN_SPLIT_VAL, -1},
    {"valid", CNN_SPLIT_VAL, -1},
    {"validation", CNN_SPLIT_VAL, -1},
    {"dev", CNN_SPLIT_VAL, -1},
    {"x", -1, IMAGES},
    {"image", -1, IMAGES},
    {"images", -1, IMAGES},
    {"img", -1, IMAGES},
    {"imgs", -1, IMAGES},
    {"data", -1, IMAGES},
    {"y", -1, LABELS},
    {"label", -1, LABELS},
    {"labels", -1, LABELS},
    {"target", -1, LABELS},
    {"targets", -1, LABELS},
};

static const struct word *find_word(const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].text) == length && strncmp(words[i].text, text, length) == 0)
            return &words[i];
    return NULL;
}

/* "train_images.npy", "x_test.npy", "X.npy"; false for others. */
static bool parse_name(int *split, int *content, const char *name)
{
    enum { SIZE = 64 };
    char lower[SIZE];
    size_t length = strlen(name);
    *split = *content = -1;
    if (length >= SIZE)
        return false;
    for (size_t i = 0; i <= length; i++)
        lower[i] = cnn_to_lower(name[i]);
    for (const char *at = lower; strcmp(at, ".npy") != 0;) {
        size_t part = strcspn(at, "_.");
        const struct word *word = find_word(at, part);
        if (!word || (word->split >= 0 && *split >= 0) || (word->content >= 0 && *content >= 0))
            return false;
        *split = word->split >= 0 ? word->split : *split;
        *content = word->content >= 0 ? word->content : *content;
        at += part;
        at += *at == '_';
    }
    *split = *split < 0 ? CNN_SPLIT_TRAIN : *split;
    return *content >= 0;
}

/* The archive, and which of its entries are what; -1: there is none. */
typedef struct reader {
    zip_t *zip;
    const char *path;
    zip_int64_t entries[CNN_SPLITS][CONTENTS];
} reader;

static void find_entries(reader *from)
{
    char first[CNN_QUOTE_SIZE];
    size_t others = 0;
    zip_int64_t count = zip_get_num_entries(from->zip, 0);
    for (int i = 0; i < CNN_SPLITS; i++)
        from->entries[i][IMAGES] = from->entries[i][LABELS] = -1;
    for (zip_int64_t i = 0; i < count; i++) {
        int split, content;
        const char *name = zip_get_name(from->zip, (zip_uint64_t)i, 0);
        if (name && parse_name(&split, &content, name) && from->entries[split][content] < 0)
            from->entries[split][content] = i;
        else if (name && others++ == 0)
            cnn_quote(first, name);
    }
    if (others > 0 && from->entries[CNN_SPLIT_TRAIN][IMAGES] >= 0)
        cnn_log(
            CNN_LOG_INFO,
            "%s: %zu array%s whose names are not those of images or labels of a split %s passed "
            "over: %s%s",
            from->path, others, others == 1 ? "" : "s", others == 1 ? "is" : "are", first,
            others == 1 ? "" : ", ...");
}

/* "file.npz: x_train.npy"; to be freed with free(). */
static cnn_status name_entry(char **source, const reader *from, zip_int64_t entry)
{
    char quoted[CNN_QUOTE_SIZE];
    cnn_text text = {0};
    const char *name = zip_get_name(from->zip, (zip_uint64_t)entry, 0);
    cnn_text_append(&text, "%s: %s", from->path, cnn_quote(quoted, name ? name : "?"));
    return cnn_text_take(source, &text);
}

static cnn_status read_bytes(zip_file_t *file, void *data, size_t size, const char *source)
{
    size_t done = 0;
    while (done < size) {
        zip_int64_t count = zip_fread(file, (char *)data + done, size - done);
        if (count <= 0)
            return cnn_fail(CNN_ERROR_DATA,
                            "%s: damaged or truncated: expected %zu bytes, found %zu", source, size,
                            done);
        done += (size_t)count;
    }
    return CNN_OK;
}

/* Nothing is allocated that the archive could not fill. */
static cnn_status check_size(const cnn_npy *npy, const zip_stat_t *info, size_t header,
                             const char *source)
{
    size_t bytes;
    bool fits = cnn_multiply_size(&bytes, npy->count, npy->width);
    if (!fits || info->size < header || info->size - header != bytes ||
        info->size / MOST_EXPANSION > info->comp_size)
        return cnn_fail(
            CNN_ERROR_DATA,
            "%s: damaged: the header declares %zu values of %zu bytes, the archive %llu "
            "bytes, packed in %llu",
            source, npy->count, npy->width, (unsigned long long)info->size,
            (unsigned long long)info->comp_size);
    return CNN_OK;
}

static cnn_status read_array(cnn_npy *npy, zip_file_t *file, const zip_stat_t *info,
                             const char *source)
{
    uint8_t head[CNN_NPY_HEAD];
    char *header = NULL;
    size_t size;
    cnn_status status = CNN_OK;
    CNN_TRY(read_bytes(file, head, sizeof head, source));
    CNN_TRY(cnn_npy_header_size(&size, head, source));
    CNN_TRY(cnn_allocate(&header, size < sizeof head ? sizeof head : size, 1, source));
    memcpy(header, head, sizeof head);
    if (size > sizeof head)
        CNN_TRY(read_bytes(file, header + sizeof head, size - sizeof head, source));
    CNN_TRY(cnn_npy_parse(npy, header, size, source));
    CNN_TRY(check_size(npy, info, size, source));
    CNN_TRY(cnn_allocate(&npy->values, npy->count, npy->width, source));
    CNN_TRY(read_bytes(file, npy->values, npy->count * npy->width, source));
    char more;
    if (zip_fread(file, &more, 1) != 0) /* also makes libzip compare the checksum */
        status = cnn_fail(CNN_ERROR_DATA, "%s: damaged: its checksum is another", source);
out:
    free(header);
    return status;
}

static cnn_status read_entry(cnn_npy *npy, char **source, const reader *from, zip_int64_t entry)
{
    zip_stat_t info;
    zip_file_t *file = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(name_entry(source, from, entry));
    zip_stat_init(&info);
    if (zip_stat_index(from->zip, (zip_uint64_t)entry, 0, &info) == 0)
        file = zip_fopen_index(from->zip, (zip_uint64_t)entry, 0);
    if (!file)
        status =
            cnn_fail(CNN_ERROR_DATA, "%s: cannot be read: %s", *source, zip_strerror(from->zip));
    else
        status = read_array(npy, file, &info, *source);
out:
    if (file)
        zip_fclose(file);
    return status;
}

static cnn_status open_split(cnn_sources *sources, int split, double *scale, const reader *from)
{
    cnn_npy images = {0}, labels = {0};
    char *image_source = NULL, *label_source = NULL;
    uint8_t *pixels = NULL;
    uint16_t *classes = NULL;
    int shape[3];
    cnn_status status = CNN_OK;
    CNN_TRY(read_entry(&images, &image_source, from, from->entries[split][IMAGES]));
    CNN_TRY(read_entry(&labels, &label_source, from, from->entries[split][LABELS]));
    CNN_TRY(cnn_npy_take_images(&pixels, shape, &images, scale, image_source));
    CNN_TRY(cnn_npy_take_labels(&classes, &labels, images.shape[0], label_source));
    status =
        cnn_source_from_memory(&sources->splits[split], shape, images.shape[0], pixels, classes);
    pixels = NULL;
    classes = NULL;
out:
    cnn_npy_finish(&images);
    cnn_npy_finish(&labels);
    free(image_source);
    free(label_source);
    free(pixels);
    free(classes);
    return status;
}

static cnn_status fail_arrays(const reader *from)
{
    enum { SHOWN = 8 };
    cnn_text text = {0};
    char *found, quoted[CNN_QUOTE_SIZE];
    zip_int64_t count = zip_get_num_entries(from->zip, 0);
    for (zip_int64_t i = 0; i < count && i < SHOWN; i++) {
        const char *name = zip_get_name(from->zip, (zip_uint64_t)i, 0);
        cnn_text_append(&text, "%s%s", i ? ", " : "", cnn_quote(quoted, name ? name : "?"));
    }
    cnn_text_append(&text, "%s", count == 0 ? "nothing" : count > SHOWN ? ", ..." : "");
    cnn_status status = cnn_text_take(&found, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_DATA,
                      "%s: expected the arrays x_train, y_train, x_test and y_test, or "
                      "train_images, train_labels and so on, found %s",
                      from->path, found);
    free(found);
    return status;
}

static cnn_status open_arrays(cnn_sources *sources, reader *from)
{
    double scale = 0.0;
    cnn_status status = CNN_OK;
    find_entries(from);
    if (from->entries[CNN_SPLIT_TRAIN][IMAGES] < 0)
        return fail_arrays(from);
    for (int i = 0; status == CNN_OK && i < CNN_SPLITS; i++) {
        const zip_int64_t *entries = from->entries[i];
        if (entries[IMAGES] >= 0 && entries[LABELS] >= 0)
            status = open_split(sources, i, &scale, from);
        else if (entries[IMAGES] >= 0 || entries[LABELS] >= 0)
            status = fail_arrays(from);
    }
    return status;
}

cnn_status cnn_npz_read(cnn_sources *sources, const char *path)
{
    int code;
    reader from = {.path = path, .zip = zip_open(path, ZIP_RDONLY, &code)};
    if (!from.zip)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: damaged or truncated: expected an npz file, a zip archive of arrays",
                        path);
    cnn_status status = open_arrays(sources, &from);
    zip_discard(from.zip);
    return status;
}

cnn_status cnn_npz_open(cnn_sources *sources, bool *taken, const cnn_site *site,
                        const cnn_data_options *options)
{
    uint8_t head[CNN_SIGNATURE_BYTES];
    size_t size;
    (void)options;
    const char *dot = strrchr(site->path, '.');
    if (site->kind != CNN_SITE_FILE)
        return CNN_OK;
    cnn_status status = cnn_site_head(head, &size, site->path);
    if (status != CNN_OK)
        return status;
    const cnn_signature *signature = cnn_signature_find(head, size);
    bool is_npz = signature && strcmp(signature->name, "npz") == 0;
    *taken = is_npz || (dot && strcmp(dot, ".npz") == 0);
    char found[CNN_SIGNATURE_TEXT];
    if (*taken && signature && signature->group != CNN_SIGNATURE_ARRAYS &&
        signature->group != CNN_SIGNATURE_ARCHIVE)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: expected an npz file, a zip archive of arrays, found %s", site->path,
                        cnn_signature_found(found, head, size, CNN_WANTED_DATA));
    return *taken ? cnn_npz_read(sources, site->path) : CNN_OK;
}
