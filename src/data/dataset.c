/* A data set in memory, and the places where one is looked for. */
#include <cnncl/dataset.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"
#include "data/folder.h"
#include "data/idx.h"

enum { SPLITS = 2, NUMBER_SIZE = 4 };

typedef struct split_data {
    uint8_t *images; /* (N, C, H, W) */
    uint8_t *labels; /* (N) */
    size_t count;
} split_data;

struct cnn_dataset {
    int shape[3];
    split_data splits[SPLITS];
    int class_count;
    const char *names[CNN_CLASS_LIMIT]; /* into label_text, numbers or constants */
    char *label_text;
    char numbers[CNN_CLASS_LIMIT][NUMBER_SIZE];
    char *source;
    char *home; /* NULL where it is the source */
};

/* Every class is called by its number until a name is known. */
static cnn_status create_empty(cnn_dataset **dataset, const char *source)
{
    cnn_status status = cnn_allocate(dataset, 1, sizeof **dataset, "a data set");
    if (status != CNN_OK)
        return status;
    for (int i = 0; i < CNN_CLASS_LIMIT; i++) {
        snprintf((*dataset)->numbers[i], NUMBER_SIZE, "%d", i);
        (*dataset)->names[i] = (*dataset)->numbers[i];
    }
    cnn_text text = {0};
    cnn_text_append(&text, "%s", source);
    return cnn_text_take(&(*dataset)->source, &text);
}

static void count_classes(cnn_dataset *dataset)
{
    for (int i = 0; i < SPLITS; i++)
        for (size_t n = 0; n < dataset->splits[i].count; n++)
            if (dataset->splits[i].labels[n] >= dataset->class_count)
                dataset->class_count = dataset->splits[i].labels[n] + 1;
}

static cnn_status take_shape(cnn_dataset *dataset, cnn_split split, const cnn_idx *images,
                             const cnn_folder *folder)
{
    int shape[3] = {1};
    for (int axis = 1; axis < images->rank; axis++)
        shape[axis + 3 - images->rank] = (int)images->shape[axis];
    if (split == CNN_SPLIT_TRAIN)
        memcpy(dataset->shape, shape, sizeof shape);
    const int *expected = dataset->shape;
    if (memcmp(shape, expected, sizeof shape) == 0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: images: expected %d x %d x %d, as in %s, found %d x %d x %d",
                    folder->paths[2 * split + CNN_FOLDER_IMAGES], expected[0], expected[1],
                    expected[2], folder->paths[CNN_FOLDER_IMAGES], shape[0], shape[1], shape[2]);
}

/* Reads one split; the arrays that the files were read into become the data set's own. */
static cnn_status load_split(cnn_dataset *dataset, cnn_split split, const cnn_folder *folder)
{
    const char *image_path = folder->paths[2 * split + CNN_FOLDER_IMAGES];
    const char *label_path = folder->paths[2 * split + CNN_FOLDER_LABELS];
    split_data *samples = &dataset->splits[split];
    cnn_status status = CNN_OK;
    cnn_idx images = {0}, labels = {0};
    CNN_TRY(cnn_idx_read(&labels, label_path, 1, 1));
    CNN_TRY(cnn_idx_read(&images, image_path, 3, 4));
    CNN_TRY(take_shape(dataset, split, &images, folder));
    if (labels.shape[0] != images.shape[0]) {
        status =
            cnn_fail(CNN_ERROR_DATA,
                     "%s: count: expected %u labels, one for each image of %s,"
                     " found %u",
                     label_path, (unsigned)images.shape[0], image_path, (unsigned)labels.shape[0]);
        goto out;
    }
    samples->count = images.shape[0];
    samples->images = images.values;
    samples->labels = labels.values;
    images.values = labels.values = NULL;
out:
    cnn_idx_finish(&images);
    cnn_idx_finish(&labels);
    return status;
}

/* Links are left as they are: they are there to be moved. */
static cnn_status find_home(char **home, const char *directory)
{
    char here[PATH_MAX];
    if (directory[0] == '/' || !getcwd(here, sizeof here))
        return CNN_OK;
    return cnn_path_join(home, here, directory);
}

static cnn_status load_folder(cnn_dataset **dataset, const char *directory,
                              const cnn_folder *folder)
{
    *dataset = NULL;
    cnn_dataset *result = NULL;
    const char *names[CNN_CLASS_LIMIT];
    int name_count;
    cnn_status status = CNN_OK;
    CNN_TRY(create_empty(&result, directory));
    CNN_TRY(find_home(&result->home, directory));
    CNN_TRY(load_split(result, CNN_SPLIT_TRAIN, folder));
    CNN_TRY(load_split(result, CNN_SPLIT_TEST, folder));
    count_classes(result);
    CNN_TRY(
        cnn_labels_read(&result->label_text, names, &name_count, directory, result->class_count));
    for (int i = 0; i < name_count; i++)
        result->names[i] = names[i];
    cnn_log(CNN_LOG_INFO, "data from %s: %zu training and %zu test images of %d x %d x %d",
            directory, result->splits[0].count, result->splits[1].count, result->shape[0],
            result->shape[1], result->shape[2]);
    *dataset = result;
    return CNN_OK;
out:
    cnn_dataset_destroy(result);
    return status;
}

/* Leaves *dataset NULL where the place is absent and may be. */
static cnn_status load_place(cnn_dataset **dataset, const cnn_place *place)
{
    cnn_folder folder;
    *dataset = NULL;
    cnn_status status = cnn_folder_find(&folder, place->directory);
    if (status != CNN_OK)
        return status;
    if (folder.found > 0 || place->named) {
        status = cnn_folder_check(&folder, place->directory);
        if (status == CNN_OK)
            status = load_folder(dataset, place->directory, &folder);
    }
    cnn_folder_finish(&folder);
    return status;
}

static cnn_status fail_nowhere(const cnn_place *places, size_t count)
{
    cnn_text text = {0};
    char *list;
    for (size_t i = 0; i < count; i++)
        cnn_text_append(&text, "%s%s", i ? ", " : "", places[i].directory);
    cnn_status status = cnn_text_take(&list, &text);
    if (status != CNN_OK)
        return status;
    status = cnn_fail(CNN_ERROR_FILE,
                      "no data set found in %s: run scripts/fetch_mnist.sh, or name a folder of "
                      "IDX files with --data",
                      list);
    free(list);
    return status;
}

cnn_status cnn_dataset_load_first(cnn_dataset **dataset, const cnn_place *places, size_t count)
{
    *dataset = NULL;
    for (size_t i = 0; i < count; i++) {
        cnn_status status = load_place(dataset, &places[i]);
        if (status != CNN_OK || *dataset)
            return status;
    }
    return fail_nowhere(places, count);
}

cnn_status cnn_dataset_load(cnn_dataset **dataset, const char *directory)
{
    const char *variable = getenv("CNN_CL_DATA");
    if (!directory && variable && *variable)
        directory = variable;
    if (directory)
        return cnn_dataset_load_first(dataset, &(cnn_place){directory, true}, 1);
    static const cnn_place places[] = {
        {"data/mnist", false},
        {CNN_DATA_INSTALL_DIR, false},
        {CNN_DEBIAN_FASHION_MNIST, false},
    };
    cnn_status status = cnn_dataset_load_first(dataset, places, sizeof places / sizeof places[0]);
    const cnn_dataset *found = *dataset;
    if (status == CNN_OK && found && strcmp(found->source, CNN_DEBIAN_FASHION_MNIST) == 0)
        cnn_log(CNN_LOG_WARNING,
                "no MNIST was found: this is Fashion-MNIST, clothes instead of digits; "
                "name another data set with --data or CNN_CL_DATA");
    return status;
}

static cnn_status check_split(const char *name, const uint8_t *images, const uint8_t *labels,
                              size_t count)
{
    if (count > UINT32_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT, "%s images: expected at most %u, found %zu", name,
                        UINT32_MAX, count);
    if (count > 0 && (!images || !labels))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s split: expected arrays of %zu images and labels, "
                        "found none",
                        name, count);
    return CNN_OK;
}

static cnn_status check_arguments(const int shape[3], size_t train_count)
{
    for (int axis = 0; axis < 3; axis++)
        if (shape[axis] < 1 || shape[axis] > CNN_IDX_MAX_SIDE)
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "images: expected sizes of 1 to %d, found %d x %d x %d",
                            CNN_IDX_MAX_SIDE, shape[0], shape[1], shape[2]);
    if (train_count == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT, "training images: expected at least 1, found none");
    return CNN_OK;
}

static cnn_status copy_split(split_data *samples, const int shape[3], const uint8_t *images,
                             const uint8_t *labels, size_t count)
{
    if (count == 0)
        return CNN_OK;
    cnn_status status = CNN_OK;
    size_t size = count;
    for (int axis = 0; axis < 3; axis++)
        if (!cnn_multiply_size(&size, size, (size_t)shape[axis]))
            return cnn_fail_memory(SIZE_MAX, "images");
    CNN_TRY(cnn_allocate(&samples->images, size, 1, "images"));
    CNN_TRY(cnn_allocate(&samples->labels, count, 1, "labels"));
    memcpy(samples->images, images, size);
    memcpy(samples->labels, labels, count);
    samples->count = count;
out:
    return status;
}

cnn_status cnn_dataset_create(cnn_dataset **dataset, const int shape[3],
                              const uint8_t *train_images, const uint8_t *train_labels,
                              size_t train_count, const uint8_t *test_images,
                              const uint8_t *test_labels, size_t test_count)
{
    *dataset = NULL;
    cnn_dataset *result = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(check_arguments(shape, train_count));
    CNN_TRY(check_split("training", train_images, train_labels, train_count));
    CNN_TRY(check_split("test", test_images, test_labels, test_count));
    CNN_TRY(create_empty(&result, "memory"));
    memcpy(result->shape, shape, sizeof result->shape);
    CNN_TRY(copy_split(&result->splits[CNN_SPLIT_TRAIN], shape, train_images, train_labels,
                       train_count));
    CNN_TRY(
        copy_split(&result->splits[CNN_SPLIT_TEST], shape, test_images, test_labels, test_count));
    count_classes(result);
    *dataset = result;
    return CNN_OK;
out:
    cnn_dataset_destroy(result);
    return status;
}

void cnn_dataset_destroy(cnn_dataset *dataset)
{
    if (!dataset)
        return;
    for (int i = 0; i < SPLITS; i++) {
        free(dataset->splits[i].images);
        free(dataset->splits[i].labels);
    }
    free(dataset->label_text);
    free(dataset->source);
    free(dataset->home);
    free(dataset);
}

const int *cnn_dataset_shape(const cnn_dataset *dataset)
{
    return dataset->shape;
}

size_t cnn_dataset_count(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].count;
}

const uint8_t *cnn_dataset_images(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].images;
}

const uint8_t *cnn_dataset_labels(const cnn_dataset *dataset, cnn_split split)
{
    return dataset->splits[split].labels;
}

int cnn_dataset_class_count(const cnn_dataset *dataset)
{
    return dataset->class_count;
}

const char *cnn_dataset_class_name(const cnn_dataset *dataset, int label)
{
    return label >= 0 && label < CNN_CLASS_LIMIT ? dataset->names[label] : "?";
}

const char *cnn_dataset_source(const cnn_dataset *dataset)
{
    return dataset->source;
}

const char *cnn_dataset_home(const cnn_dataset *dataset)
{
    return dataset->home ? dataset->home : dataset->source;
}
