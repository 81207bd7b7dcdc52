/* What augmentation does to the images of a training step. The numbers are drawn on the host and in
 * double, each by (seed, step, place in the batch), or by (seed, view, place in the split): so they
 * are the same for every device, in pieces of any size, and after a resume. cl/augment.cl does to the pixels what they say. */
#ifndef AUGMENT_AUGMENT_H
#define AUGMENT_AUGMENT_H

#include <cnncl/trainer.h>

/* Of one sample: what the kernel reads, in this order. */
typedef struct cnn_augment_draw {
    float u[3], v[3]; /* pixel (x, y) is taken from (u[0] x + u[1] y + u[2], v[0] x + v[1] y + v[2]) */
    float brightness, contrast, saturation; /* factors; 1: nothing changes */
    float grey;                             /* what contrast goes about: the image's mean, 0 to 1 */
    float hole[2];                          /* column and row at which the cut-out square begins */
} cnn_augment_draw;

/* Is any image changed? */
bool cnn_augments(const cnn_augmentation *options);
/* Are the numbers possible, for images of shape (channels, height, width), NULL for any? Errors:
 * ARGUMENT. */
cnn_status cnn_augment_check(const cnn_augmentation *options, const int shape[3]);

/* The numbers of the sample at a place of the batch of a training step, or of a view of the sample at
 * a place of its split, for images of h x w pixels; grey is left at 0. */
void cnn_augment_draw_sample(cnn_augment_draw *draw, const cnn_augmentation *options, int h, int w,
                             uint64_t seed, uint64_t step, uint32_t place);
/* mixup: the part of each sample in its mixture with the one before it in the batch; the first is
 * mixed with the last. 1 without mixup. */
double cnn_augment_part(const cnn_augmentation *options, uint64_t seed, uint64_t step);
/* The mean of an image (channels, pixels) as grey, 0 to 1. */
float cnn_augment_grey(const uint8_t *image, int channels, size_t pixels);

#endif
