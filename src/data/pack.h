/* A pack: the images that a data set's pictures became, in one file of the folder of caches, so
 * that they are decoded once. Its head names what the images were made of (a hash), and each image
 * has a checksum: a pack that is of something else, damaged or cut off is made again.
 *
 * The file: a head of CNN_PACK_HEAD bytes; the images (C, H, W), one after the other, of the
 * training, test and validation split; for each image the number of its sample and its CRC-32; a
 * note. All numbers are little-endian. */
#ifndef DATA_PACK_H
#define DATA_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "data/source.h"

enum { CNN_PACK_HEAD = 4096, CNN_PACK_NOTE = CNN_FILL_MESSAGE };

/* What stands in the head and behind the images. */
typedef struct cnn_pack_content {
    char key[CNN_HASH_SIZE]; /* what it was made of */
    int shape[3];            /* channels, height, width */
    bool resized;            /* the pictures had different sizes, and none was asked for */
    size_t counts[CNN_SPLITS];
    uint64_t skipped;         /* pictures that could not be read */
    char note[CNN_PACK_NOTE]; /* about the first of these */
} cnn_pack_content;

/* An open pack. */
typedef struct cnn_pack {
    cnn_pack_content content;
    char *path;
    int file;
    size_t image;      /* bytes of one */
    uint32_t *samples; /* (all counts) the number of each image's sample in its split */
    uint32_t *checks;  /* (all counts) */
} cnn_pack;

/* The path of the pack of a key; NULL where there is no folder of caches. Errors: MEMORY. */
cnn_status cnn_pack_path(char **path, const char *key);

/* Opens a pack of this key, or of any (NULL). Errors: FILE (it is not there, or not to be trusted),
 * DATA (it is of another key, damaged or cut off), MEMORY. */
cnn_status cnn_pack_open(cnn_pack **pack, const char *path, const char *key);
void cnn_pack_close(cnn_pack *pack);
/* The first of a split's images, and of its samples' numbers. */
size_t cnn_pack_first(const cnn_pack *pack, cnn_split split);
/* An image by its number among all. Errors: DATA (damaged: the file is then removed), FILE. */
cnn_status cnn_pack_read(uint8_t *image, const cnn_pack *pack, size_t index);

/* A pack that is being written beside its path. */
typedef struct cnn_pack_writer cnn_pack_writer;

/* Makes room (the packs that were not used for the longest time go) and begins; *writer is NULL,
 * and that is told, where there is none. most is how many images may come. Errors: MEMORY. */
cnn_status cnn_pack_begin(cnn_pack_writer **writer, const char *path, const int shape[3],
                          size_t most);
/* Images (count, C, H, W), and their samples' numbers. Errors: FILE, MEMORY. */
cnn_status cnn_pack_add(cnn_pack_writer *writer, const uint8_t *images, const uint32_t *samples,
                        size_t count);
/* Ends it, and gives it its name. Frees the writer. Errors: FILE. */
cnn_status cnn_pack_end(cnn_pack_writer *writer, const cnn_pack_content *content);
/* Frees it, and what it wrote. NULL is no error. */
void cnn_pack_abandon(cnn_pack_writer *writer);

/* Removes the packs that were not used for the longest time, until those in the folder of `path`
 * and `size` more bytes are within the limit, and what writers left that are gone; not `path`
 * itself. Returns whether that is so. */
bool cnn_pack_make_room(const char *path, uint64_t size);
/* $CNN_CL_CACHE_LIMIT in bytes, or 20 GiB. */
uint64_t cnn_pack_limit(void);
/* What a variable of the environment says in MiB, in bytes; `usual` MiB where it says nothing. */
uint64_t cnn_mebibytes(const char *variable, uint64_t usual);

#endif
