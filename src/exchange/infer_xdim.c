/* The images' shape. Tensors tell the channels, and how many places the last plane has; what image
 * comes down to it depends on paddings and pools, of which they tell nothing. So only the sizes of
 * images that are usual are tried, and one is taken where no other reading of the file fits. */
#include <stdio.h>

#include "base/status.h"
#include "exchange/infer.h"
#include "layers/layer.h"
#include "net/network.h"

enum { MAX_SIDE = 65535, MOST_PLACES = 1 << 30 };

/* Of MNIST and CIFAR; and of teaching sets, where nothing else fits. */
static const int usual_sides[] = {28, 32}, small_sides[] = {8, 4};
enum { USUAL_COUNT = 2, SMALL_COUNT = 2 };

/* How planes become smaller on their way. */
typedef struct reading {
    bool pads;
    int pools; /* after each convolution where there is one for each, else behind the last */
    const char *words;
} reading;

static int side_after(int side, reading how, int ksize, int convs)
{
    for (int i = 0; i < convs && side > 0; i++) {
        side += how.pads ? 2 * (ksize / 2) : 0;
        side = side - ksize + 1;
        if (how.pools == convs)
            side /= CNN_POOL_SIZE;
    }
    for (int i = 0; i < how.pools && how.pools < convs; i++)
        side /= CNN_POOL_SIZE;
    return side > 0 ? side : 0;
}

/* The side of a square of `area` places; 0 where there is none. */
static int side_of(int area)
{
    int side = 1;
    while (side < MAX_SIDE && (int64_t)side * side < area)
        side++;
    return (int64_t)side * side == area ? side : 0;
}

/* The side of the planes when `channels` square ones hold `inputs` places; 0 where they do not. */
static int side_of_planes(int inputs, int channels)
{
    return channels > 0 && inputs % channels == 0 ? side_of(inputs / channels) : 0;
}

/* A usual side that another kind of network brings down to `side`; 0 where there is none. */
static int other_reading(reading *how, int side, int ksize, int convs)
{
    for (int i = 0; i < USUAL_COUNT; i++) {
        const reading readings[] = {
            {false, convs, "convolutions that do not pad, with a pool after each,"},
            {false, 1, "convolutions that do not pad, with one pool behind the last,"},
            {false, 0, "convolutions that do not pad, without pools,"},
        };
        for (int j = 0; ksize > 1 && j < 3; j++) {
            *how = readings[j];
            if (side_after(usual_sides[i], *how, ksize, convs) == side)
                return usual_sides[i];
        }
        for (int pools = 0; pools < convs; pools++) {
            *how = (reading){true, pools, "convolutions with fewer pools"};
            if (side_after(usual_sides[i], *how, ksize, convs) == side)
                return usual_sides[i];
        }
    }
    return 0;
}

static int own_reading(const int *sides, int count, int side, int ksize, int convs)
{
    const reading family = {true, convs, ""};
    int result = 0;
    for (int i = 0; i < count; i++) {
        if (side_after(sides[i], family, ksize, convs) != side)
            continue;
        if (result)
            return 0; /* both */
        result = sides[i];
    }
    return result;
}

static const char wanted[] =
    "a network of this family pads each convolution by half its kernel and "
    "pools after it";

static cnn_status infer_planes(cnn_config *config, const cnn_raw_tensor *linear, const char *path)
{
    int convs = config->cdim_count, channels = config->cdims[convs - 1];
    int inputs = linear->shape[1], side = side_of_planes(inputs, channels);
    reading how = {0};
    if (side == 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: tensor '%s': its %d inputs are no square planes of the last "
                        "convolution's channels: the images' shape cannot be inferred: give --xdim "
                        "C,H,W",
                        path, linear->name, inputs);
    int other = side > 1 ? other_reading(&how, side, config->ksize, convs) : 0;
    int own = own_reading(usual_sides, USUAL_COUNT, side, config->ksize, convs);
    if (!own)
        own = own_reading(small_sides, SMALL_COUNT, side, config->ksize, convs);
    if (other && other != own)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: tensor '%s': its %d inputs are %d planes of %d x %d, as %s leave of "
                        "images of %d x %d; %s: if this one does, give --xdim C,H,W",
                        path, linear->name, inputs, channels, side, side, how.words, other, other,
                        wanted);
    if (!own || side == 1)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: tensor '%s': its %d inputs are %d planes of %d x %d, and the images' "
                        "shape does not follow from that: give --xdim C,H,W if the network is of "
                        "this family (%s)",
                        path, linear->name, inputs, channels, side, side, wanted);
    config->xdim[1] = config->xdim[2] = own;
    return CNN_OK;
}

/* Without a convolution nothing tells channels from places: pictures are grey or RGB, and at most
 * one of the two makes a square. */
static cnn_status infer_flat(cnn_config *config, const cnn_raw_tensor *linear, const char *path)
{
    int inputs = linear->shape[1];
    for (int channels = 1; channels <= 3; channels += 2) {
        int side = side_of_planes(inputs, channels);
        if (side == 0)
            continue;
        config->xdim[0] = channels;
        config->xdim[1] = config->xdim[2] = side;
        return CNN_OK;
    }
    return cnn_fail(CNN_ERROR_DATA,
                    "%s: tensor '%s': its %d inputs are no square planes of 1 or 3 channels: the "
                    "images' shape cannot be inferred: give --xdim C,H,W",
                    path, linear->name, inputs);
}

cnn_status cnn_infer_xdim(cnn_config *config, const cnn_raw_tensor *conv,
                          const cnn_raw_tensor *linear, const char *path)
{
    int *xdim = config->xdim;
    cnn_status status =
        conv ? infer_planes(config, linear, path) : infer_flat(config, linear, path);
    if (conv)
        xdim[0] = conv->shape[1];
    int convs = config->cdim_count, side = conv ? xdim[1] >> convs << convs : 0;
    const char *how = !conv             ? ", grey or RGB"
                      : side == xdim[1] ? " and halved without rest"
                                        : " and halved by each pooling";
    if (status == CNN_OK)
        cnn_log(CNN_LOG_INFO,
                "%s: images of %d,%d,%d: square%s, as '%s' has %d inputs; other shapes may fit: "
                "--xdim settles it",
                path, xdim[0], xdim[1], xdim[2], how, linear->name, linear->shape[1]);
    return status;
}

static int64_t places(const cnn_config *config, reading how)
{
    int64_t height = side_after(config->xdim[1], how, config->ksize, config->cdim_count);
    int64_t width = side_after(config->xdim[2], how, config->ksize, config->cdim_count);
    return height * width * config->cdims[config->cdim_count - 1];
}

cnn_status cnn_check_xdim(const cnn_config *config, const cnn_raw_tensor *conv,
                          const cnn_raw_tensor *linear, const char *path)
{
    int convs = config->cdim_count;
    if (!conv || places(config, (reading){true, convs, ""}) == linear->shape[1])
        return CNN_OK;
    for (int pools = 0; pools <= convs; pools++) {
        if (places(config, (reading){false, pools, ""}) != linear->shape[1])
            continue;
        return cnn_fail(
            CNN_ERROR_DATA,
            "%s: tensor '%s': its %d inputs are what convolutions that do not pad leave "
            "of images of %d x %d with %d pool%s; %s",
            path, linear->name, linear->shape[1], config->xdim[1], config->xdim[2], pools,
            pools == 1 ? "" : "s", wanted);
    }
    return CNN_OK;
}
