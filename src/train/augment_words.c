#include "train/augment_words.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "augment/augment.h"
#include "base/number.h"
#include "base/plain.h"
#include "base/text.h"

typedef enum item_kind { FLAG, PIXELS, NUMBER, RANGE } item_kind;

static const struct item {
    const char *name;
    item_kind kind;
    size_t offset; /* of a range: of its low end, the high one is next */
} items[] = {
    {"flip", FLAG, offsetof(cnn_augmentation, flip)},
    {"shift", PIXELS, offsetof(cnn_augmentation, shift)},
    {"crop", RANGE, offsetof(cnn_augmentation, crop_low)},
    {"rotate", NUMBER, offsetof(cnn_augmentation, rotate)},
    {"color", NUMBER, offsetof(cnn_augmentation, color)},
    {"cutout", PIXELS, offsetof(cnn_augmentation, cutout)},
    {"mixup", NUMBER, offsetof(cnn_augmentation, mixup)},
};

enum { ITEMS = sizeof items / sizeof items[0], MOST_PIXELS = UINT16_MAX };

/* With as few digits as give it back. */
static size_t write_number(char *text, size_t size, double value)
{
    double back;
    int length = 0;
    for (int digits = 6; digits <= 17; digits++) {
        length = cnn_format(text, size, "%.*g", digits, value);
        if (cnn_parse_double(&back, text) && back == value)
            break;
    }
    return (size_t)length;
}

static size_t write_item(char *text, size_t size, const struct item *item, const void *field)
{
    const double *number = field;
    size_t length = (size_t)snprintf(text, size, "%s%s", item->name, item->kind == FLAG ? "" : "=");
    if (item->kind == PIXELS)
        length += (size_t)snprintf(text + length, size - length, "%d", *(const int *)field);
    if (item->kind == NUMBER || item->kind == RANGE)
        length += write_number(text + length, size - length, number[0]);
    if (item->kind == RANGE) {
        length += (size_t)snprintf(text + length, size - length, ":");
        length += write_number(text + length, size - length, number[1]);
    }
    return length;
}

static bool is_set(const struct item *item, const void *field)
{
    return item->kind == FLAG     ? *(const bool *)field
           : item->kind == PIXELS ? *(const int *)field != 0
                                  : *(const double *)field != 0.0;
}

static void write_words(char text[CNN_WORDS_SIZE], const cnn_train_options *options)
{
    size_t length = 0;
    for (int i = 0; i < ITEMS; i++) {
        const void *field = (const char *)&options->augment + items[i].offset;
        if (!is_set(&items[i], field))
            continue;
        if (length > 0)
            text[length++] = ',';
        length += write_item(text + length, CNN_WORDS_SIZE - length, &items[i], field);
    }
    if (length == 0)
        snprintf(text, CNN_WORDS_SIZE, "none");
}

static bool read_number(double *value, const char *text)
{
    return cnn_parse_double(value, text) && *value > 0.0 && cnn_fits_float(*value);
}

static bool read_pixels(int *value, const char *text)
{
    int64_t pixels;
    bool good = cnn_parse_int(&pixels, text, 1, MOST_PIXELS);
    if (good)
        *value = (int)pixels;
    return good;
}

static bool read_range(double *ends, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon)
        return false;
    *colon = '\0';
    return read_number(&ends[0], text) && read_number(&ends[1], colon + 1);
}

/* "NAME" or "NAME=VALUE", once each. */
static bool read_item(cnn_augmentation *augment, char *text)
{
    char *value = strchr(text, '=');
    if (value)
        *value++ = '\0';
    for (int i = 0; i < ITEMS; i++) {
        void *field = (char *)augment + items[i].offset;
        if (strcmp(text, items[i].name) != 0)
            continue;
        if (is_set(&items[i], field) || (value == NULL) != (items[i].kind == FLAG))
            return false;
        switch (items[i].kind) {
        case FLAG:
            *(bool *)field = true;
            return true;
        case PIXELS:
            return read_pixels(field, value);
        case NUMBER:
            return read_number(field, value);
        default:
            return read_range(field, value);
        }
    }
    return false;
}

static bool read_words(cnn_train_options *options, const char *text)
{
    char copy[CNN_WORDS_SIZE];
    cnn_augmentation augment = {0};
    if (strlen(text) >= sizeof copy)
        return false;
    snprintf(copy, sizeof copy, "%s", text);
    bool none = strcmp(text, "none") == 0;
    for (char *at = copy, *next; !none && at; at = next) {
        next = strchr(at, ',');
        if (next)
            *next++ = '\0';
        if (!read_item(&augment, at))
            return false;
    }
    options->augment = augment;
    return cnn_augment_check(&augment, NULL) == CNN_OK;
}

const cnn_option_words cnn_augment_words = {
    "none, or of flip, shift=PIXELS, crop=LOW:HIGH (parts of the area, at most 1), rotate=DEGREES "
    "(at most 180), color=S (at most 1), cutout=PIXELS and mixup=ALPHA some, each once, with "
    "commas "
    "between them",
    write_words, read_words};
