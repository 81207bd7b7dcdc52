/* The pictures below a folder. */
#ifndef DATA_TREE_H
#define DATA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

typedef struct cnn_tree_file {
    char *path; /* owned */
    uint64_t size;
    int64_t time; /* when it was changed, in nanoseconds */
} cnn_tree_file;

/* Start from {0}. */
typedef struct cnn_tree {
    cnn_tree_file *files; /* (count); owned */
    size_t count, room;
    size_t others; /* files that are no pictures by their names */
    char *other;   /* the first of them; owned; NULL */
    bool gifs;     /* GIF files are pictures, too: set by the caller */
} cnn_tree;

/* Is it a picture's name? As PyTorch's ImageFolder has it: .jpg, .jpeg, .png, .ppm, .bmp, .pgm,
 * .tif, .tiff, .webp in any case; with gifs .gif, which ImageFolder passes over. */
bool cnn_is_picture_name(const char *name, bool gifs);

/* Adds the pictures of a folder and of the folders in it, in ImageFolder's order: folders by the
 * bytes of their paths, files in each by those of their names. Links are followed; a folder that
 * several ways lead to is looked into once, one that a run of cnn-cl filled (runs.h) not at all.
 * Errors: FILE, MEMORY. */
cnn_status cnn_tree_add(cnn_tree *tree, const char *folder);
/* Is there any? *found is false where a folder cannot be opened. Errors: MEMORY. */
cnn_status cnn_tree_has_pictures(bool *found, const char *folder, bool gifs);
void cnn_tree_finish(cnn_tree *tree);

#endif
