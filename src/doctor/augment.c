/* Images that are changed on their way in, in all ways at once. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "doctor/check.h"
#include "ops/augment.h"

/* As many random images as a pass has, and what becomes of them; start from {0}. */
typedef struct augment_case {
    cnn_shape shape;
    size_t n, image; /* values of an image */
    cnn_augment augment;
    cnn_pass pass;
    uint8_t *images;
    uint16_t *labels, *found_labels;
    float *mixed, *turned, *found;
    double *room;
    cnn_augment_draw *drawn;
    cnn_buffer device_images, device_labels, x, taken;
} augment_case;

static void finish(augment_case *at)
{
    cnn_augment_finish(&at->augment);
    cnn_buffer *const buffers[] = {&at->device_images, &at->device_labels, &at->x, &at->taken};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++)
        cnn_buffer_finish(buffers[i]);
    free(at->images);
    free(at->labels);
    free(at->found_labels);
    free(at->mixed);
    free(at->turned);
    free(at->found);
    free(at->room);
    free(at->drawn);
}

static cnn_status allocate(augment_case *at, int classes, cnn_check *check)
{
    size_t values = at->n * at->image;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->images, values, 1, "random images"));
    CNN_TRY(cnn_allocate(&at->labels, at->n, sizeof *at->labels, "random labels"));
    CNN_TRY(cnn_allocate(&at->found_labels, 2 * at->n, sizeof *at->labels, "labels"));
    CNN_TRY(cnn_allocate(&at->mixed, values + at->image, sizeof(float), "images"));
    CNN_TRY(cnn_allocate(&at->turned, values, sizeof(float), "images"));
    CNN_TRY(cnn_allocate(&at->found, values, sizeof(float), "images"));
    CNN_TRY(cnn_allocate(&at->room, (size_t)at->shape.c, sizeof(double), "a pixel"));
    CNN_TRY(cnn_allocate(&at->drawn, at->n + 1, sizeof *at->drawn, "numbers"));
    cnn_fill_bytes(at->images, values, 256, check->draw++);
    for (size_t i = 0; i < at->n; i++) /* in turn: one for another shows */
        at->labels[i] = (uint16_t)(i % (size_t)classes);
    CNN_TRY(cnn_buffer_init(&at->device_images, check->device, values, "the images"));
    CNN_TRY(cnn_buffer_init(&at->device_labels, check->device, at->n * sizeof(uint16_t), "labels"));
    CNN_TRY(cnn_buffer_init(&at->x, check->device, values * sizeof(float), "a batch"));
    CNN_TRY(cnn_buffer_init(&at->taken, check->device, 2 * at->n * sizeof(uint16_t), "labels"));
    CNN_TRY(cnn_buffer_write(&at->device_images, 0, at->images, values));
    status = cnn_buffer_write(&at->device_labels, 0, at->labels, at->n * sizeof(uint16_t));
out:
    return status;
}

static cnn_status run(augment_case *at, cnn_check *check)
{
    const cnn_gather_source source = {at->device_images.mem, at->device_labels.mem, NULL};
    size_t pixels = at->image / (size_t)at->shape.c;
    cnn_augment_draw *draws;
    cnn_status status = CNN_OK;
    for (int turn = cnn_row_turns(check); turn > 0; turn--) {
        CNN_TRY(cnn_buffer_wipe(&at->x));
        CNN_TRY(cnn_buffer_wipe(&at->taken));
        CNN_TRY(cnn_augment_draw_pass(&draws, &at->augment, &at->pass, NULL));
        for (size_t i = 0; i <= at->n; i++) {
            const uint8_t *image = at->images + (i < at->n ? i : at->n - 1) * at->image;
            draws[i].grey = cnn_augment_grey(image, at->shape.c, pixels);
            at->drawn[i] = draws[i];
        }
        cnn_row_start(check);
        CNN_TRY(cnn_augment_run(&at->augment, at->x.mem, at->taken.mem, &source, 0,
                                (uint32_t)at->n - 1, &at->pass));
        CNN_TRY(cnn_row_stop(check));
    }
    CNN_TRY(cnn_buffer_read(at->found, &at->x, 0, at->n * at->image * sizeof(float)));
    status = cnn_buffer_read(at->found_labels, &at->taken, 0, 2 * at->n * sizeof(uint16_t));
out:
    return status;
}

/* Each image mixed with the one before it, the first with the last. */
static void expect(augment_case *at)
{
    for (size_t i = 0; i < at->n; i++)
        cnn_ref_augment(at->mixed + (i + 1) * at->image, at->room, at->images + i * at->image,
                        at->shape, at->augment.options.cutout, &at->drawn[i], NULL);
    for (size_t j = 0; j < at->image; j++)
        at->mixed[j] = at->mixed[at->n * at->image + j];
    for (size_t j = 0; j < at->n * at->image; j++)
        at->mixed[j] = (float)(at->pass.part * (double)at->mixed[at->image + j] +
                               (1.0 - at->pass.part) * (double)at->mixed[j]);
    cnn_to_device_layout(at->turned, at->mixed, at->shape, (int)at->n);
}

static void compare(augment_case *at, cnn_check *check)
{
    /* Where between two pixels a value lies is rounded to float. */
    int side = at->shape.h > at->shape.w ? at->shape.h : at->shape.w;
    const cnn_tolerance tolerance = {1e-5 + 2e-6 * side, 0.0};
    expect(at);
    cnn_row_compare(check, "the batch", at->found, at->turned, at->n * at->image, tolerance);
    for (size_t i = 0; i < 2 * at->n; i++) {
        size_t sample = i < at->n ? i : i > at->n ? i - at->n - 1 : at->n - 1;
        if (at->found_labels[i] != at->labels[sample])
            cnn_row_fail(check, "label %zu of the batch: found %d, expected %d", i,
                         at->found_labels[i], at->labels[sample]);
    }
}

cnn_status cnn_check_augment(cnn_check *check)
{
    const cnn_network *network = check->model->network;
    augment_case at = {.shape = cnn_network_input_shape(network), .n = (size_t)check->n};
    int side = at.shape.h < at.shape.w ? at.shape.h : at.shape.w;
    const cnn_augmentation all = {.flip = true,
                                  .shift = side > 2 ? 2 : side - 1,
                                  .crop_low = 0.5,
                                  .crop_high = 1.0,
                                  .rotate = 20.0,
                                  .color = 0.4,
                                  .cutout = 1 + side / 4,
                                  .mixup = 1.0};
    cnn_status status = CNN_OK;
    at.image = cnn_shape_count(at.shape);
    at.pass = (cnn_pass){.n = check->n, .training = true, .seed = 1};
    CNN_TRY(cnn_row_open(check, "augment", "", "", NULL));
    CNN_TRY(cnn_augment_init(&at.augment, check->device, at.shape, check->n, &all));
    CNN_TRY(allocate(&at, network->classes, check));
    CNN_TRY(run(&at, check));
    compare(&at, check);
    status = cnn_row_close(check, "");
out:
    status = cnn_row_absorb(check, status);
    finish(&at);
    return status;
}
