#include "net/normalize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"

enum { NUMBER_SIZE = 32 };

/* Numbers up to the end, one or as many as there are channels. */
static bool parse_list(float *values, int channels, const char *text, size_t length, bool positive)
{
    int count = 0;
    const char *end = text + length;
    for (const char *at = text; at <= end; count++) {
        char item[NUMBER_SIZE];
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t size = (size_t)((comma ? comma : end) - at);
        double value;
        if (size >= sizeof item || count == channels)
            return false;
        memcpy(item, at, size);
        item[size] = '\0';
        if (!cnn_parse_double(&value, item))
            return false;
        values[count] = (float)value;
        if (!isfinite(values[count]) || (values[count] == 0.0f && value != 0.0) ||
            (positive && !(values[count] >= 0x1p-126f)))
            return false;
        at += size + 1;
    }
    for (int i = 1; count == 1 && i < channels; i++)
        values[i] = values[0];
    return count == 1 || count == channels;
}

/* As few digits as give the float back. */
static void append_number(cnn_text *text, float number, const char *before)
{
    json_t *real = json_real((double)number);
    char *digits = NULL;
    double back = NAN;
    for (size_t precision = 6; precision <= 9 && (float)back != number; precision++) {
        free(digits);
        digits = cnn_json_dump(real, JSON_ENCODE_ANY | JSON_REAL_PRECISION(precision));
        if (!digits || !cnn_parse_double(&back, digits))
            break;
    }
    cnn_text_append(text, "%s%s", before, digits ? digits : "");
    text->failed = text->failed || !digits;
    free(digits);
    json_decref(real);
}

static cnn_status write_text(cnn_normalization *normalization)
{
    cnn_text text = {0};
    for (int i = 0; i < 2 * normalization->channels; i++)
        append_number(&text, normalization->means[i],
                      i == 0                         ? ""
                      : i == normalization->channels ? ":"
                                                     : ",");
    return cnn_text_take(&normalization->text, &text);
}

static cnn_status parse_part(float *values, const char *part, int channels, const char *text,
                             size_t length, const char *source)
{
    char quoted[CNN_QUOTE_SIZE], *found = NULL;
    bool deviations = strcmp(part, "STDS") == 0;
    cnn_text copy = {0};
    if (parse_list(values, channels, text, length, deviations))
        return CNN_OK;
    cnn_text_append_bytes(&copy, text, length);
    cnn_status status = cnn_text_take(&found, &copy);
    if (status == CNN_OK)
        status = cnn_fail(
            CNN_ERROR_ARGUMENT,
            "%s: %s: expected a number%s, in units of pixels from 0 to 1, or one for each "
            "channel (%d) with commas between them, found '%s'",
            source, part, deviations ? " above 0" : "", channels, cnn_quote(quoted, found));
    free(found);
    return status;
}

static cnn_status parse(cnn_normalization *result, const char *text, const char *source)
{
    const char *colon = strchr(text, ':');
    char quoted[CNN_QUOTE_SIZE];
    cnn_status status = CNN_OK;
    if (!colon)
        return cnn_fail(
            CNN_ERROR_ARGUMENT,
            "%s: expected none, imagenet or MEANS:STDS, numbers with commas between them, "
            "found '%s'",
            source, cnn_quote(quoted, text));
    CNN_TRY(
        parse_part(result->means, "MEANS", result->channels, text, (size_t)(colon - text), source));
    status = parse_part(result->deviations, "STDS", result->channels, colon + 1, strlen(colon + 1),
                        source);
out:
    return status;
}

/* Of the pixels of ImageNet's training images, as torchvision's networks had them. */
static const char imagenet[] = "0.485,0.456,0.406:0.229,0.224,0.225";

cnn_status cnn_normalization_init(cnn_normalization *normalization, const char *text, int channels,
                                  const char *source)
{
    cnn_normalization result = {.channels = channels};
    cnn_status status = CNN_OK;
    *normalization = (cnn_normalization){0};
    if (!text || strcmp(text, "none") == 0)
        return CNN_OK;
    CNN_TRY(cnn_allocate(&result.means, 2 * (size_t)channels, sizeof *result.means,
                         "the normalisation"));
    result.deviations = result.means + channels;
    CNN_TRY(parse(&result, strcmp(text, "imagenet") == 0 ? imagenet : text, source));
    CNN_TRY(write_text(&result));
    *normalization = result;
    return CNN_OK;
out:
    cnn_normalization_finish(&result);
    return status;
}

void cnn_normalization_warn(const cnn_normalization *normalization)
{
    const float doubtful = 4.0f; /* of pixels from 0 to 255 they are tens */
    for (int i = 0; i < 2 * normalization->channels; i++)
        if (normalization->means[i] > doubtful) {
            cnn_log(CNN_LOG_WARNING,
                    "normalisation: pixels go from 0 to 1, and a %s of %g was given: numbers of "
                    "pixels from 0 "
                    "to 255 are to be divided by 255",
                    i < normalization->channels ? "mean" : "deviation",
                    (double)normalization->means[i]);
            return;
        }
}

/* Of a channel's values: sums of integers, exact in any order. */
typedef struct sums {
    uint64_t sum, squares;
} sums;

static void add_image(sums *all, const uint8_t *image, size_t channels, size_t plane)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t p = 0; p < plane; p++) {
            uint64_t value = image[c * plane + p];
            all[c].sum += value;
            all[c].squares += value * value;
        }
}

/* Image by image: they may be more than memory holds. all: (channels). */
static cnn_status add_images(sums *all, const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    size_t channels = (size_t)shape[0], plane = (size_t)shape[1] * (size_t)shape[2];
    uint8_t *image = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&image, channels, plane, "an image"));
    for (size_t i = 0; i < cnn_dataset_count(dataset, CNN_SPLIT_TRAIN); i++) {
        CNN_TRY(cnn_dataset_read(image, dataset, CNN_SPLIT_TRAIN, i));
        add_image(all, image, channels, plane);
    }
out:
    free(image);
    return status;
}

static void divide(float *mean, float *deviation, const sums *all, double pixels)
{
    double middle = (double)all->sum / pixels;
    double variance = (double)all->squares / pixels - middle * middle;
    *mean = (float)(middle / 255.0);
    *deviation = variance > 0.0 ? (float)(sqrt(variance) / 255.0) : 1.0f;
}

cnn_status cnn_normalization_measure(cnn_normalization *normalization, const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    size_t count = cnn_dataset_count(dataset, CNN_SPLIT_TRAIN), channels = (size_t)shape[0];
    double pixels = (double)count * (double)shape[1] * (double)shape[2];
    cnn_normalization result = {.channels = shape[0]};
    sums *all = NULL;
    cnn_status status = CNN_OK;
    *normalization = (cnn_normalization){0};
    if (count == 0)
        return cnn_fail(CNN_ERROR_DATA,
                        "%s: the training split is empty: there is nothing to "
                        "measure a normalisation by",
                        cnn_dataset_source(dataset));
    CNN_TRY(cnn_allocate(&all, channels, sizeof *all, "the normalisation"));
    CNN_TRY(cnn_allocate(&result.means, 2 * channels, sizeof *result.means, "the normalisation"));
    result.deviations = result.means + channels;
    CNN_TRY(add_images(all, dataset));
    for (size_t c = 0; c < channels; c++)
        divide(&result.means[c], &result.deviations[c], &all[c], pixels);
    CNN_TRY(write_text(&result));
    *normalization = result;
    free(all);
    return CNN_OK;
out:
    free(all);
    cnn_normalization_finish(&result);
    return status;
}

void cnn_normalization_finish(cnn_normalization *normalization)
{
    free(normalization->means);
    free(normalization->text);
    *normalization = (cnn_normalization){0};
}
