/* What a file is, by its first bytes: for messages that name what was found in another's place. */
#ifndef BASE_SIGNATURE_H
#define BASE_SIGNATURE_H

#include <stddef.h>

#include <cnncl/error.h>

enum {
    CNN_SIGNATURE_BYTES = 512, /* of a file's start tell all that is known */
    CNN_SIGNATURE_TEXT = 480   /* for a message's part about what was found */
};

typedef enum cnn_signature_group {
    CNN_SIGNATURE_PICTURE, /* one that cnn_images_decode() reads */
    CNN_SIGNATURE_OTHER_PICTURE,
    CNN_SIGNATURE_NETWORK, /* or the values of one */
    CNN_SIGNATURE_ARRAYS,  /* tables, arrays: data sets */
    CNN_SIGNATURE_ARCHIVE, /* packed: something else is inside */
    CNN_SIGNATURE_OTHER
} cnn_signature_group;

typedef struct cnn_signature {
    const char *name; /* for the table's users: "WebP", "npz", "PyTorch", "IDX" */
    const char *text; /* for people: "a HEIC picture" */
    cnn_signature_group group;
    /* What makes of it what this program reads: "convert it: heif-convert FILE FILE.png (Debian's
     * package libheif-examples)"; NULL where it depends on what is wanted, or there is nothing. */
    const char *conversion;
} cnn_signature;

/* By the first bytes of a file, CNN_SIGNATURE_BYTES of them or fewer; NULL where it is none that is
 * known. */
const cnn_signature *cnn_signature_find(const void *data, size_t size);
/* The same of a file; *signature is NULL where it is none that is known. Errors: FILE. */
cnn_status cnn_signature_read(const cnn_signature **signature, const char *path);

/* What a file is to be. */
typedef enum cnn_wanted {
    CNN_WANTED_PICTURE,
    CNN_WANTED_DATA,   /* a data set */
    CNN_WANTED_MODEL,  /* a saved model */
    CNN_WANTED_TENSORS /* of a network, to be imported */
} cnn_wanted;

/* How a file comes to be what is wanted, or which option takes it as it is; NULL: nothing to say.
 */
const char *cnn_signature_conversion(const cnn_signature *signature, cnn_wanted wanted);

/* "a HEIC picture; convert it: heif-convert FILE ...", "an empty file", "text that starts with
 * 'label,1'" or "a file that starts with the bytes 00 01 02 03". Returns text. */
const char *cnn_signature_found(char text[CNN_SIGNATURE_TEXT], const void *data, size_t size,
                                cnn_wanted wanted);

#endif
