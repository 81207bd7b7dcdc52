/** @file
 * Pictures from elsewhere as the input of a network: PNG, JPEG, WebP, TIFF, GIF, BMP, PGM and PPM
 * of any size and colour, and IDX files of many images. */
#ifndef CNNCL_IMAGE_H
#define CNNCL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a picture may have at most: 64 million pixels, where nothing less is asked for. */
enum { CNN_IMAGE_PIXEL_LIMIT = 64 * 1024 * 1024 };

/** What a file holds: one picture, or the many images of an IDX file. */
typedef struct cnn_images cnn_images;

/** From a file: a picture (cnn_image_formats(); the first of several), turned as its Exif data or
 * its TIFF field say; or IDX, gzipped or not. Transparency lies on white, on black where the ink is
 * so bright that it would vanish; 16 bits of which only 10 or 12 are used fill the range. Errors:
 * FILE, DATA (not such a file, damaged, truncated, more than CNN_IMAGE_PIXEL_LIMIT pixels), MEMORY.
 */
CNN_API cnn_status cnn_images_load(cnn_images **images, const char *path);
/** The same from memory, except for IDX files. `source` names it in messages; pixel_limit is 0 for
 * CNN_IMAGE_PIXEL_LIMIT, or less. Errors: DATA, MEMORY. */
CNN_API cnn_status cnn_images_decode(cnn_images **images, const void *data, size_t size,
                                     const char *source, size_t pixel_limit);
/** Frees them. NULL is no error. */
CNN_API void cnn_images_destroy(cnn_images *images);

/** "PNG", "JPEG", "WebP", "TIFF", "GIF", "BMP" or "PNM" from the first bytes, else NULL: no more is
 * looked at. */
CNN_API const char *cnn_image_format(const void *data, size_t size);
/** The formats that are read, for messages: "PNG, JPEG, ... or PPM". */
CNN_API const char *cnn_image_formats(void);

/** One picture. */
typedef struct cnn_image {
    int shape[3];          /**< channels (3 of a picture: red, green, blue), height, width */
    const uint8_t *pixels; /**< (C, H, W); not owned */
} cnn_image;

/** How many there are: 1 of a picture. */
CNN_API size_t cnn_images_count(const cnn_images *images);
/** The picture of an index below the count. The pixels are owned by the images. */
CNN_API cnn_image cnn_images_get(const cnn_images *images, size_t index);
/** Do they come from an IDX file? */
CNN_API bool cnn_images_are_idx(const cnn_images *images);

/** values (C, H, W) of 0 to 1 for a network with this input: each pixel is the average of the area
 * that it covers (between pixels where the picture is smaller); grey of colour, or the same three
 * times of grey. Errors: ARGUMENT (channels that cannot be converted), MEMORY. */
CNN_API cnn_status cnn_image_to_input(float *values, const int shape[3], const cnn_image *image);

/** How a picture is brought to a size. */
typedef enum cnn_picture_fit {
    CNN_FIT_CROP = 0,   /**< the shorter side to the size over 0.875, then the centre is cut out */
    CNN_FIT_PAD = 1,    /**< the whole picture, black beside it */
    CNN_FIT_STRETCH = 2 /**< both sides by their own factors */
} cnn_picture_fit;

/** "crop", "pad" or "stretch". */
CNN_API const char *cnn_picture_fit_name(cnn_picture_fit fit);
/** The fit of a name; false where there is none. */
CNN_API bool cnn_picture_fit_find(cnn_picture_fit *fit, const char *name);

/** pixels (C, H, W) from an image of 1 or 3 channels, resampled by Pillow's bilinear filter; one of
 * exactly this size is only copied. CNN_FIT_CROP is what torchvision's evaluation transforms do.
 * Grey of colour, or the same three times of grey. Errors: ARGUMENT (channels that cannot be
 * converted), MEMORY. */
CNN_API cnn_status cnn_image_fit(uint8_t *pixels, const int shape[3], const cnn_image *image,
                                 cnn_picture_fit fit);

/** values (C, H, W) of 0 to 1, as MNIST's images were made (Y. LeCun, C. Cortes, C. J. C. Burges,
 * "The MNIST database of handwritten digits"): what differs from the ground around it is ink, white
 * on black, whatever light lies on the picture; of all ink the piece is taken that looks most like
 * a digit (no line, bar, frame, blob, or edge of the sheet), with the strokes that belong to it; it
 * is cropped, scaled with its aspect into 20 of 28 parts of the plane, and its centre of mass is
 * put into the middle. Specks are dropped, and strokes far thinner or thicker than MNIST's are made
 * like those. Every channel gets the same. Errors: DATA (no ink), MEMORY. */
CNN_API cnn_status cnn_image_to_digit(float *values, const int shape[3], const cnn_image *image);
/** The same, and *found is how many pieces look like digits: the largest of them is taken. */
CNN_API cnn_status cnn_image_to_largest_digit(float *values, int *found, const int shape[3],
                                              const cnn_image *image);

#ifdef __cplusplus
}
#endif

#endif
