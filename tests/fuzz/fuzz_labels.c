/* The names of a data set's classes. */
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"
#include "fuzz.h"

enum { CLASSES = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *folder;
    const char *names[CNN_CLASS_LIMIT];
    char *text;
    int count;
    if (!folder)
        folder = fuzz_folder("labels.txt");
    (void)fuzz_file(data, size);
    if (cnn_labels_read(&text, names, &count, folder, CLASSES) != CNN_OK)
        return 0;
    if (count < CLASSES)
        abort();
    for (int i = 0; i < count; i++)
        if (strlen(names[i]) == 0)
            abort();
    free(text);
    return 0;
}
