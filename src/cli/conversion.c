#include "cli/conversion.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

cli_conversion cli_conversion_choose(const cnn_model *model, const cli_options *options)
{
    const cnn_config *config = cnn_network_config(cnn_model_network(model));
    bool is_mnist = strcmp(cnn_model_data(model), "mnist") == 0;
    cli_conversion conversion = {.size = 1,
                                 .digits = options->digits || (is_mnist && !options->no_preprocess),
                                 .digits_asked = options->digits};
    conversion.fitted = cnn_model_is_of_pictures(model, &conversion.fit) && !options->digits;
    if (options->fit_given) {
        conversion.fitted = true;
        conversion.fit = options->prepare.fit;
    }
    for (int axis = 0; axis < 3; axis++) {
        conversion.shape[axis] = config->xdim[axis];
        conversion.size *= (size_t)config->xdim[axis];
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

cnn_status cli_conversion_apply(float *values, const cli_conversion *conversion,
                                const cnn_image *image, bool is_idx)
{
    bool fits = is_idx && memcmp(image->shape, conversion->shape, sizeof conversion->shape) == 0;
    if (conversion->digits && (conversion->digits_asked || !fits))
        return cnn_image_to_digit(values, conversion->shape, image);
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
