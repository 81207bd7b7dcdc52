/* Feeds a fuzz target the files of folders: replay FOLDER... Prints how many; fails where none is.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "fuzz.h"

enum { MAX_FILE = 1 << 24 };

static int replay(const char *folder)
{
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char *path = NULL;
        void *data;
        size_t size;
        if (entry->d_name[0] == '.')
            continue;
        if (cnn_path_join(&path, folder, entry->d_name) != CNN_OK ||
            cnn_file_read(&data, &size, path, MAX_FILE) != CNN_OK) {
            fprintf(stderr, "replay: %s\n", cnn_error_message());
            exit(EXIT_FAILURE);
        }
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        free(path);
        count++;
    }
    if (directory)
        closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
