/* Files: read whole, written atomically; folders. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <cnncl/error.h>

/* Reads a whole file of at most limit bytes into memory (terminated by a zero byte that is not
 * counted); to be freed with free(). Errors: FILE, DATA (longer than limit), MEMORY. */
cnn_status cnn_file_read(void **data, size_t *size, const char *path, size_t limit);
/* The same of a pipe, too: of what the user names, who may write "<(command)" there. It is waited
 * for. */
cnn_status cnn_file_read_stream(void **data, size_t *size, const char *path, size_t limit);
/* The same of a file that is open; it stays so. */
cnn_status cnn_file_read_open(void **data, size_t *size, int file, const char *path, size_t limit);

/* Writes pieces one after the other to a temporary file in the same folder, syncs it, renames it
 * onto path and syncs the folder: path holds the old or the new content, whole. A symbolic link is
 * replaced, its target stays as it is; a device, /dev/stdout and its like are written to as they
 * are. Errors: FILE. */
typedef struct cnn_piece {
    const void *data;
    size_t size;
} cnn_piece;
cnn_status cnn_file_write_atomic(const char *path, const cnn_piece *pieces, size_t count);

/* /dev/stdout, /dev/fd/3 and their like name a file that is open already, and the place in it: a
 * new descriptor for it. -1: it is none of these, or not open; errno says so. */
int cnn_open_descriptor(const char *path);

/* Is there a file (or folder) of this name? */
bool cnn_file_exists(const char *path);
/* Are both there, and one file or folder? */
bool cnn_is_same_file(const char *a, const char *b);

/* "directory/name", to be freed with free(). Errors: MEMORY. */
cnn_status cnn_path_join(char **path, const char *directory, const char *name);
/* The folder of a path, "." where it has none; to be freed with free(). Errors: MEMORY. */
cnn_status cnn_path_directory(char **directory, const char *path);

#endif
