/* For check_datasets.py: `dump_dataset PATH [H,W [crop|pad|stretch]]` loads a data set and writes
 * it: a line with the shape, the counts of the splits and the number of classes, a line for each
 * class, then each split's labels (16 bits) and images. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnncl/dataset.h>

enum { SPLITS = CNN_SPLIT_VAL + 1 };

static void print_line(cnn_log_level level, const char *line, void *user)
{
    (void)level;
    (void)user;
    fprintf(stderr, "%s\n", line);
}

static void dump(const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    size_t image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    uint8_t *pixels = malloc(image);
    int classes = cnn_dataset_class_count(dataset);
    printf("%d %d %d", shape[0], shape[1], shape[2]);
    for (int i = 0; i < SPLITS; i++)
        printf(" %zu", cnn_dataset_count(dataset, (cnn_split)i));
    printf(" %d\n", classes);
    for (int i = 0; i < classes; i++)
        printf("%s\n", cnn_dataset_class_name(dataset, i));
    for (int i = 0; i < SPLITS; i++) {
        size_t count = cnn_dataset_count(dataset, (cnn_split)i);
        if (count == 0)
            continue;
        fwrite(cnn_dataset_labels(dataset, (cnn_split)i), sizeof(uint16_t), count, stdout);
        for (size_t n = 0; n < count; n++) {
            if (cnn_dataset_read(pixels, dataset, (cnn_split)i, n) != CNN_OK) {
                fprintf(stderr, "%s\n", cnn_error_message());
                exit(EXIT_FAILURE);
            }
            fwrite(pixels, image, 1, stdout);
        }
    }
    free(pixels);
}

static bool parse(cnn_data_options *options, int argc, char **argv)
{
    static const char *const fits[] = {
        [CNN_FIT_CROP] = "crop", [CNN_FIT_PAD] = "pad", [CNN_FIT_STRETCH] = "stretch"};
    cnn_data_options_init(options);
    if (argc > 2 && sscanf(argv[2], "%d,%d", &options->height, &options->width) != 2)
        return false;
    for (int i = CNN_FIT_CROP; argc > 3 && i <= CNN_FIT_STRETCH; i++)
        if (strcmp(argv[3], fits[i]) == 0)
            options->fit = (cnn_picture_fit)i;
    return argc > 1;
}

int main(int argc, char **argv)
{
    cnn_data_options options;
    cnn_dataset *dataset;
    cnn_log_set_callback(print_line, NULL);
    if (!parse(&options, argc, argv))
        return 2;
    if (cnn_dataset_open(&dataset, argv[1], &options) != CNN_OK) {
        fprintf(stderr, "%s\n", cnn_error_message());
        return 1;
    }
    dump(dataset);
    cnn_dataset_destroy(dataset);
    return 0;
}
