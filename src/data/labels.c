/* The names of classes: labels.txt. */
#include <stdlib.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"
#include "data/place.h"

/* H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST", 2017, table 2. */
static const char *const fashion_names[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                            "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                            "Bag",         "Ankle boot"};

cnn_status cnn_labels_read(cnn_names *names, const char *folder, int class_count)
{
    cnn_status status = CNN_OK;
    char *path = NULL;
    CNN_TRY(cnn_path_join(&path, folder, "labels.txt"));
    if (cnn_file_exists(path)) {
        cnn_names_finish(names);
        CNN_TRY(cnn_names_read(names, path, CNN_CLASS_LIMIT));
        if (names->count < class_count)
            status = cnn_fail(CNN_ERROR_DATA,
                              "%s: expected %d names, one a line, as the labels go up to %d, found "
                              "%d",
                              path, class_count, class_count - 1, names->count);
    } else if (names->count == 0 && cnn_is_same_file(folder, CNN_DEBIAN_FASHION_MNIST)) {
        for (size_t i = 0; i < sizeof fashion_names / sizeof fashion_names[0]; i++)
            CNN_TRY(cnn_names_add(names, fashion_names[i]));
    }
out:
    free(path);
    if (status != CNN_OK)
        cnn_names_finish(names);
    return status;
}
