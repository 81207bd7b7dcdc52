/* Are the pictures of a data set made as MNIST's are? Those were scaled, with their aspect, until
 * their longer side had 20 pixels, and placed with their centre of mass in the middle of 28 x 28
 * (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"). */
#include <stdlib.h>

#include <cnncl/dataset.h>

enum {
    SIDE = 28,
    CLASSES = 10,
    LOOKED_AT = 2000, /* pictures at most, spread over the split */
    INK = 40,         /* of 255: more than the ground has */
    LEAST_BOX = 18,
    MOST_BOX = 21,
};

static const double off_middle = 1.5; /* pixels: where the centre of mass may be */
static const double most_of = 0.9;    /* of the pictures must be so: a few are damaged anywhere */

static bool is_made_so(const uint8_t *pixels)
{
    int left = SIDE, right = -1, top = SIDE, bottom = -1;
    double sum = 0.0, x_sum = 0.0, y_sum = 0.0;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            int value = pixels[y * SIDE + x];
            sum += value;
            x_sum += (double)value * x;
            y_sum += (double)value * y;
            if (value <= INK)
                continue;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
        }
    int width = right - left + 1, height = bottom - top + 1;
    int longest = width > height ? width : height;
    if (sum == 0.0 || longest < LEAST_BOX || longest > MOST_BOX)
        return false;
    double x = x_sum / sum - SIDE / 2.0, y = y_sum / sum - SIDE / 2.0;
    return x > -off_middle && x < off_middle && y > -off_middle && y < off_middle;
}

bool cnn_dataset_is_like_mnist(const cnn_dataset *dataset)
{
    if (!dataset)
        return false;
    const int *shape = cnn_dataset_shape(dataset);
    size_t count = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), made_so = 0, seen = 0;
    uint8_t pixels[SIDE * SIDE];
    if (shape[0] != 1 || shape[1] != SIDE || shape[2] != SIDE || count == 0 ||
        cnn_dataset_class_count(dataset) > CLASSES)
        return false;
    for (size_t i = 0; i < count; i += 1 + count / LOOKED_AT, seen++) {
        if (cnn_dataset_read(pixels, dataset, CNN_SPLIT_TRAIN, i) != CNN_OK)
            return false; /* training will say what is damaged */
        made_so += is_made_so(pixels);
    }
    return (double)made_so >= most_of * (double)seen;
}
