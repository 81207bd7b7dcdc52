/* A first convolution that whitens what it is given: its filters are the directions in which the
 * patches of the training images vary most, scaled so that all vary alike, each with its negative.
 * As in K. Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, section 3.2. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "train/trainer.h"

enum {
    IMAGES = 5000,    /* of the training split, evenly spread */
    PATCHES = 256,    /* of an image, about, on a grid */
    MAX_VALUES = 160, /* of a patch: 7 x 7 of three channels, and some */
    MAX_SWEEPS = 64
};

/* Directions that hardly vary are noise: this part of the mean variance is added to each. */
static const double floor_share = 5e-4;

typedef struct whitening {
    const cnn_trainer *trainer;
    const cnn_layer *layer;
    int size;           /* values of a patch */
    double *covariance; /* (size, size), about zero; diagonal in the end */
    double *vectors;    /* (size, size), a direction in each column */
    double *patch;      /* (size) */
    uint8_t *bytes;     /* an image, (C, H, W) */
    float *image;       /* normalised */
    int *order;         /* (size): directions, the widest first */
} whitening;

/* The one that fits. */
static cnn_status find_layer(const cnn_layer **layer, const cnn_network *network, const char *name)
{
    bool *matched = NULL;
    int count = 0;
    cnn_status status = CNN_OK;
    *layer = &network->layers[0];
    CNN_TRY(cnn_allocate(&matched, (size_t)network->layer_count, sizeof *matched, "the layers"));
    CNN_TRY(cnn_network_match(matched, network, name, "--whiten"));
    for (int l = 0; l < network->layer_count; l++)
        if (matched[l]) {
            *layer = &network->layers[l];
            count++;
        }
    if (count > 1)
        status = cnn_fail(CNN_ERROR_ARGUMENT,
                          "--whiten: expected the name of one layer, found '%s', which %d have",
                          name, count);
out:
    free(matched);
    return status;
}

static cnn_status check_layer(whitening *at)
{
    const char *name = at->layer->name;
    const cnn_conv_options *conv = &at->layer->options.conv;
    if (at->layer->kind != CNN_LAYER_CONV || at->layer->inputs[0] != 0 || conv->groups != 1)
        return cnn_fail(
            CNN_ERROR_ARGUMENT,
            "--whiten: expected a Conv2d that reads the network's input and has one group, "
            "found %s, which is none",
            name);
    at->size = at->layer->in.c * conv->kernel[0] * conv->kernel[1];
    if (conv->channels % 2 != 0 || conv->channels > 2 * at->size || at->size > MAX_VALUES)
        return cnn_fail(
            CNN_ERROR_ARGUMENT,
            "--whiten: expected %s to have an even number of output channels, at most twice the "
            "values of a patch, and patches of at most %d values, found %d channels and patches "
            "of %d values",
            name, MAX_VALUES, conv->channels, at->size);
    return CNN_OK;
}

static cnn_status read_image(whitening *at, size_t index)
{
    const cnn_normalization *normal = &at->trainer->model->normalization;
    size_t plane = (size_t)at->layer->in.h * (size_t)at->layer->in.w;
    cnn_status status = cnn_dataset_read(at->bytes, at->trainer->dataset, CNN_SPLIT_TRAIN, index);
    for (int c = 0; c < at->layer->in.c && status == CNN_OK; c++) {
        float mean = normal->channels > 0 ? normal->means[c] : 0.0f;
        float deviation = normal->channels > 0 ? normal->deviations[c] : 1.0f;
        for (size_t i = (size_t)c * plane; i < (size_t)(c + 1) * plane; i++)
            at->image[i] = ((float)at->bytes[i] / 255.0f - mean) / deviation;
    }
    return status;
}

/* As the weights lie: channel, row, column. */
static void read_patch(whitening *at, int y, int x)
{
    const cnn_conv_options *conv = &at->layer->options.conv;
    const cnn_shape *in = &at->layer->in;
    double *next = at->patch;
    for (int c = 0; c < in->c; c++)
        for (int i = 0; i < conv->kernel[0]; i++)
            for (int j = 0; j < conv->kernel[1]; j++)
                *next++ =
                    at->image[((size_t)c * (size_t)in->h + (size_t)(y + i * conv->dilation[0])) *
                                  (size_t)in->w +
                              (size_t)(x + j * conv->dilation[1])];
}

static void add_patch(whitening *at)
{
    for (int i = 0; i < at->size; i++)
        for (int j = 0; j <= i; j++)
            at->covariance[i * at->size + j] += at->patch[i] * at->patch[j];
}

static size_t add_image(whitening *at)
{
    const cnn_conv_options *conv = &at->layer->options.conv;
    int rows = at->layer->in.h - (conv->kernel[0] - 1) * conv->dilation[0];
    int columns = at->layer->in.w - (conv->kernel[1] - 1) * conv->dilation[1];
    if (rows < 1 || columns < 1)
        return 0;
    int step = (int)ceil(sqrt((double)rows * columns / PATCHES));
    size_t count = 0;
    for (int y = 0; y < rows; y += step)
        for (int x = 0; x < columns; x += step, count++) {
            read_patch(at, y, x);
            add_patch(at);
        }
    return count;
}

static cnn_status measure(whitening *at)
{
    size_t count = at->trainer->train_count, patches = 0, taken = count < IMAGES ? count : IMAGES;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < taken; i++) {
        size_t place = i * count / taken;
        CNN_TRY(read_image(at, at->trainer->held_count > 0 ? at->trainer->members[place] : place));
        patches += add_image(at);
    }
    if (patches == 0)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--whiten: expected images that %s fits in, found smaller ones",
                        at->layer->name);
    for (int i = 0; i < at->size; i++)
        for (int j = 0; j <= i; j++)
            at->covariance[i * at->size + j] = at->covariance[j * at->size + i] =
                at->covariance[i * at->size + j] / (double)patches;
out:
    return status;
}

/* x, y = c x - s y, s x + c y */
static void rotate(double *x, double *y, double c, double s)
{
    double old = *x;
    *x = c * old - s * *y;
    *y = s * old + c * *y;
}

/* Makes the covariance of directions p and q zero: a Jacobi rotation (Golub and Van Loan, "Matrix
 * computations", section 8.5). */
static void rotate_pair(whitening *at, int p, int q)
{
    int n = at->size;
    double *a = at->covariance, off = a[p * n + q];
    if (off == 0.0)
        return;
    double tau = (a[q * n + q] - a[p * n + p]) / (2.0 * off);
    double t = (tau >= 0.0 ? 1.0 : -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau));
    double c = 1.0 / sqrt(1.0 + t * t), s = t * c;
    for (int k = 0; k < n; k++)
        rotate(&a[k * n + p], &a[k * n + q], c, s);
    for (int k = 0; k < n; k++)
        rotate(&a[p * n + k], &a[q * n + k], c, s);
    for (int k = 0; k < n; k++)
        rotate(&at->vectors[k * n + p], &at->vectors[k * n + q], c, s);
}

static bool is_diagonal(const whitening *at)
{
    double off = 0.0, all = 0.0;
    for (int i = 0; i < at->size; i++)
        for (int j = 0; j < at->size; j++) {
            double square = at->covariance[i * at->size + j] * at->covariance[i * at->size + j];
            all += square;
            off += i != j ? square : 0.0;
        }
    return off <= 1e-24 * all;
}

static void find_directions(whitening *at)
{
    for (int i = 0; i < at->size; i++)
        at->vectors[i * at->size + i] = 1.0;
    for (int sweep = 0; sweep < MAX_SWEEPS && !is_diagonal(at); sweep++)
        for (int p = 0; p < at->size; p++)
            for (int q = p + 1; q < at->size; q++)
                rotate_pair(at, p, q);
}

static double variance_of(const whitening *at, int direction)
{
    return at->covariance[direction * at->size + direction];
}

/* By insertion: few, and those of equal variance keep their order. */
static void sort_directions(whitening *at)
{
    for (int i = 0; i < at->size; i++) {
        int place = i;
        for (; place > 0 && variance_of(at, at->order[place - 1]) < variance_of(at, i); place--)
            at->order[place] = at->order[place - 1];
        at->order[place] = i;
    }
}

/* The half of the filters, then their negatives. A direction's sign is arbitrary: the value of
 * largest size is positive. */
static void write_filters(const whitening *at)
{
    size_t n = (size_t)at->size, half = (size_t)at->layer->options.conv.channels / 2;
    float *weights = at->trainer->model->parameters + at->layer->params[0].offset;
    double mean = 0.0;
    for (int i = 0; i < at->size; i++)
        mean += variance_of(at, i) / at->size;
    for (size_t f = 0; f < half; f++) {
        const double *column = at->vectors + at->order[f];
        double scale = 1.0 / sqrt(variance_of(at, at->order[f]) + floor_share * mean + 1e-12);
        size_t largest = 0;
        for (size_t k = 1; k < n; k++)
            largest = fabs(column[k * n]) > fabs(column[largest * n]) ? k : largest;
        scale = column[largest * n] < 0.0 ? -scale : scale;
        for (size_t k = 0; k < n; k++) {
            weights[f * n + k] = (float)(column[k * n] * scale);
            weights[(half + f) * n + k] = -weights[f * n + k];
        }
    }
}

static cnn_status allocate(whitening *at)
{
    size_t n = (size_t)at->size, image = cnn_shape_count(at->layer->in);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->covariance, n * n, sizeof(double), "the whitening"));
    CNN_TRY(cnn_allocate(&at->vectors, n * n, sizeof(double), "the whitening"));
    CNN_TRY(cnn_allocate(&at->patch, n, sizeof(double), "the whitening"));
    CNN_TRY(cnn_allocate(&at->order, n, sizeof(int), "the whitening"));
    CNN_TRY(cnn_allocate(&at->bytes, image, 1, "an image"));
    CNN_TRY(cnn_allocate(&at->image, image, sizeof(float), "an image"));
out:
    return status;
}

cnn_status cnn_trainer_whiten(cnn_trainer *trainer)
{
    whitening at = {.trainer = trainer};
    cnn_status status = CNN_OK;
    if (trainer->options.whiten[0] == '\0')
        return CNN_OK;
    CNN_TRY(find_layer(&at.layer, trainer->model->network, trainer->options.whiten));
    CNN_TRY(check_layer(&at));
    CNN_TRY(allocate(&at));
    CNN_TRY(measure(&at));
    find_directions(&at);
    sort_directions(&at);
    write_filters(&at);
    cnn_log(CNN_LOG_INFO,
            "%s begins as what whitens patches of the training images, whatever it was",
            at.layer->name);
out:
    free(at.covariance);
    free(at.vectors);
    free(at.patch);
    free(at.order);
    free(at.bytes);
    free(at.image);
    return status;
}
