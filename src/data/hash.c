#include "data/hash.h"

#include <stdio.h>
#include <string.h>

void cnn_dataset_hash(char text[CNN_HASH_SIZE], const cnn_dataset *dataset)
{
    char sizes[128];
    const int *shape = cnn_dataset_shape(dataset);
    size_t image = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    size_t train = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN);
    size_t test = cnn_dataset_count(dataset, CNN_SPLIT_TEST);
    snprintf(sizes, sizeof sizes, "%d,%d,%d %zu %zu\n", shape[0], shape[1], shape[2], train, test);
    const cnn_piece pieces[] = {
        {sizes, strlen(sizes)},
        {cnn_dataset_images(dataset, CNN_SPLIT_TRAIN), train * image},
        {cnn_dataset_labels(dataset, CNN_SPLIT_TRAIN), train},
        {cnn_dataset_images(dataset, CNN_SPLIT_TEST), test * image},
        {cnn_dataset_labels(dataset, CNN_SPLIT_TEST), test},
    };
    cnn_hash(text, pieces, sizeof pieces / sizeof pieces[0]);
}
