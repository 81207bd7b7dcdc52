/* The names of a data set's classes. */
#include <stdlib.h>
#include <string.h>

#include "data/place.h"
#include "fuzz.h"

enum { CLASSES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *folder;
    cnn_names names = {0};
    if (!folder)
        folder = fuzz_folder("labels.txt");
    (void)fuzz_file(data, size);
    if (cnn_labels_read(&names, folder, CLASSES) != CNN_OK)
        return 0;
    if (names.count < CLASSES)
        abort();
    for (int i = 0; i < names.count; i++)
        if (strlen(names.at[i]) == 0)
            abort();
    cnn_names_finish(&names);
    return 0;
}
