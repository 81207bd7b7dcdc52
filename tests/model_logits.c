/* For check_export.py and check_import.py: `model_logits MODEL IMAGES LOGITS COUNT` writes what the
 * device makes of images (COUNT, C, H, W), both files of floats as they are in memory. */
#include <stdio.h>
#include <stdlib.h>

#include <cnncl/cnncl.h>

static bool read_floats(float *values, size_t count, const char *path)
{
    FILE *file = fopen(path, "rb");
    bool good = file && fread(values, sizeof *values, count, file) == count;
    return (!file || fclose(file) == 0) && good;
}

static bool write_floats(const float *values, size_t count, const char *path)
{
    FILE *file = fopen(path, "wb");
    bool good = file && fwrite(values, sizeof *values, count, file) == count;
    return (!file || fclose(file) == 0) && good;
}

static cnn_status run(float *logits, const cnn_model *model, const float *images, size_t count)
{
    cnn_device *device = NULL;
    cnn_predictor *predictor = NULL;
    cnn_status status = cnn_device_create(&device, NULL);
    if (status == CNN_OK)
        status = cnn_predictor_create(&predictor, device, model, (int)count, true);
    if (status == CNN_OK)
        status = cnn_predictor_run(logits, predictor, images, count);
    cnn_predictor_destroy(predictor);
    cnn_device_destroy(device);
    return status;
}

int main(int argc, char **argv)
{
    cnn_model *model = NULL;
    if (argc != 5 || cnn_model_load(&model, argv[1]) != CNN_OK) {
        fprintf(stderr, "model_logits: %s\n", cnn_error_message());
        return EXIT_FAILURE;
    }
    const cnn_network *network = cnn_model_network(model);
    size_t count = strtoul(argv[4], NULL, 10), classes = (size_t)cnn_network_classes(network);
    size_t size = count;
    for (int axis = 0; axis < 3; axis++)
        size *= (size_t)cnn_network_input(network)[axis];
    float *images = calloc(size, sizeof *images), *logits = calloc(count * classes, sizeof *logits);
    bool good = images && logits && read_floats(images, size, argv[2]);
    if (good && run(logits, model, images, count) != CNN_OK) {
        fprintf(stderr, "model_logits: %s\n", cnn_error_message());
        good = false;
    }
    good = good && write_floats(logits, count * classes, argv[3]);
    free(images);
    free(logits);
    cnn_model_destroy(model);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
