#include "cli/conversion.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

enum { LEAST_SIDE = 20, SIDE = 28, MOST_SIDE = 32, MOST_CLASSES = 62 /* EMNIST's */ };

/* A part of the digits, with letters, or larger; or in three equal planes, as grey pictures of a
 * folder are read. */
static bool may_be_digits(const cnn_network *network)
{
    const int *xdim = cnn_network_input(network);
    return (xdim[0] == 1 || xdim[1] == SIDE) && xdim[1] == xdim[2] && xdim[1] >= LEAST_SIDE &&
           xdim[1] <= MOST_SIDE && cnn_network_classes(network) <= MOST_CLASSES;
}

cli_conversion cli_conversion_choose(const cnn_model *model, const cli_options *options)
{
    const cnn_network *network = cnn_model_network(model);
    const int *xdim = cnn_network_input(network);
    bool knows = cnn_model_digits(model) && !options->fit_given; /* --fit asks for another way */
    cli_conversion conversion = {.size = 1,
                                 .digits = options->digits || (knows && !options->no_preprocess),
                                 .digits_asked = options->digits,
                                 .may_fit = options->command && (options->command->groups & CLI_PREPARE),
                                 .may_be_digits = may_be_digits(network)};
    conversion.fitted = cnn_model_is_of_pictures(model, &conversion.fit) && !options->digits;
    if (options->fit_given) {
        conversion.fitted = conversion.fit_asked = true;
        conversion.fit = options->prepare.fit;
    }
    for (int axis = 0; axis < 3; axis++) {
        conversion.shape[axis] = xdim[axis];
        conversion.size *= (size_t)xdim[axis];
    }
    return conversion;
}

static cnn_status fit(float *values, const cli_conversion *conversion, const cnn_image *image)
{
    uint8_t *pixels = malloc(conversion->size);
    if (!pixels)
        return CNN_ERROR_MEMORY;
    cnn_status status = cnn_image_fit(pixels, conversion->shape, image, conversion->fit);
    for (size_t i = 0; status == CNN_OK && i < conversion->size; i++)
        values[i] = (float)pixels[i] / 255.0f;
    free(pixels);
    return status;
}

void cli_conversion_say(const cli_conversion *conversion)
{
    const int *shape = conversion->shape;
    const char *hint =
        conversion->may_be_digits ? "; --digits converts handwritten digits as MNIST's were" : "";
    if (conversion->digits)
        cli_info("pictures are converted as MNIST's digits were (%s): the ink alone, white on "
                 "black, centred%s",
                 conversion->digits_asked ? "--digits" : "the model was trained on such",
                 conversion->digits_asked ? "" : "; --no-preprocess only scales them");
    else if (conversion->fitted)
        cli_info("pictures are fitted to %d x %d x %d %s%s%s", shape[0], shape[1], shape[2],
                 conversion->fit_asked ? "by --fit" : "as in training",
                 conversion->may_fit && !conversion->fit_asked ? ", unless --fit says otherwise"
                                                               : "",
                 shape[1] == SIDE ? hint : "");
    else
        cli_info("pictures are only scaled to %d x %d x %d%s", shape[0], shape[1], shape[2], hint);
}

cnn_status cli_conversion_apply(float *values, char warning[CLI_WARNING_SIZE],
                                const cli_conversion *conversion, const cnn_image *image,
                                bool is_idx)
{
    int found = 0;
    warning[0] = '\0';

    bool fits = is_idx && memcmp(image->shape, conversion->shape, sizeof conversion->shape) == 0;
    if (conversion->digits && (conversion->digits_asked || !fits)) {
        cnn_status status = cnn_image_to_largest_digit(values, &found, conversion->shape, image);
        if (status == CNN_OK && found > 1)
            snprintf(warning, CLI_WARNING_SIZE,
                     "found %d pieces that look like digits; the largest was read", found);
        return status;
    }
    return conversion->fitted ? fit(values, conversion, image)
                              : cnn_image_to_input(values, conversion->shape, image);
}

bool cli_softmax(float *logits, int count)
{
    double largest = -INFINITY, sum = 0.0;
    for (int i = 0; i < count; i++)
        largest = (double)logits[i] > largest ? (double)logits[i] : largest;
    for (int i = 0; i < count; i++)
        sum += exp((double)logits[i] - largest);
    for (int i = 0; i < count; i++)
        logits[i] = (float)(exp((double)logits[i] - largest) / sum);
    return isfinite(sum) && isfinite(largest);
}
