/* A network as a text that text.c reads back to the same graph. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/plain.h"
#include "base/status.h"
#include "base/text.h"
#include "net/text_reader.h"

static const size_t sizes[] = {
    [CNN_ARGUMENT_INT] = sizeof(int),
    [CNN_ARGUMENT_PAIR] = 2 * sizeof(int),
    [CNN_ARGUMENT_PADDING] = 4 * sizeof(int),
    [CNN_ARGUMENT_BOOL] = sizeof(bool),
    [CNN_ARGUMENT_NUMBER] = sizeof(double),
    [CNN_ARGUMENT_CHOICE] = sizeof(bool),
    [CNN_ARGUMENT_MOOT] = 0,
};

/* Would the layer have this option if the argument were left out? A default may follow from other
 * options, so the layer is made again without the argument. */
static bool is_default(const cnn_layer *layer, const cnn_argument *argument)
{
    cnn_layer_options defaults;
    cnn_layer other = *layer;
    if (argument->required)
        return false;
    cnn_layer_default_options(&defaults, layer->kind);
    memcpy((char *)&other.options + argument->offset, (char *)&defaults + argument->offset,
           sizes[argument->type]);
    return cnn_layer_init(&other) == CNN_OK &&
           memcmp((const char *)&other.options + argument->offset,
                  (const char *)&layer->options + argument->offset, sizes[argument->type]) == 0;
}

/* As few numbers of (top, left, bottom, right) as say the same. */
static void append_ints(cnn_text *text, const int *numbers, int count)
{
    if (count == 4 && numbers[0] == numbers[2] && numbers[1] == numbers[3])
        count = 2;
    if (count == 2 && numbers[0] == numbers[1])
        count = 1;
    cnn_text_append(text, count > 1 ? "(" : "");
    for (int i = 0; i < count; i++)
        cnn_text_append(text, "%s%d", i ? ", " : "", numbers[i]);
    cnn_text_append(text, count > 1 ? ")" : "");
}

/* With as few digits as read back to the same number. */
static void append_number(cnn_text *text, double number)
{
    enum { MOST_DIGITS = 17 };
    char digits[64];
    for (int precision = 1; precision <= MOST_DIGITS; precision++) {
        double again = 0.0;
        cnn_format(digits, sizeof digits, "%.*g", precision, number);
        if (cnn_parse_double(&again, digits) && again == number)
            break;
    }
    cnn_text_append(text, "%s", digits);
}

static void append_value(cnn_text *text, const cnn_layer *layer, const cnn_argument *argument)
{
    const void *at = (const char *)&layer->options + argument->offset;
    switch (argument->type) {
    case CNN_ARGUMENT_INT:
    case CNN_ARGUMENT_PAIR:
    case CNN_ARGUMENT_PADDING:
        append_ints(text, at, (int)(sizes[argument->type] / sizeof(int)));
        break;
    case CNN_ARGUMENT_BOOL:
        cnn_text_append(text, *(const bool *)at ? "true" : "false");
        break;
    case CNN_ARGUMENT_NUMBER:
        append_number(text, *(const double *)at);
        break;
    case CNN_ARGUMENT_CHOICE:
        cnn_text_append(text, "%s", argument->words[*(const bool *)at ? 1 : 0].word);
        break;
    case CNN_ARGUMENT_MOOT:
        break;
    }
}

/* Required arguments by position, the others by name. */
static void append_arguments(cnn_text *text, const cnn_layer *layer, const char *separator)
{
    const cnn_layer_class *class = cnn_layer_get_class(layer->kind);
    for (int i = 0; i < class->argument_count; i++) {
        const cnn_argument *argument = &class->arguments[i];
        if (is_default(layer, argument))
            continue;
        cnn_text_append(text, "%s%s%s", separator, argument->required ? "" : argument->name,
                        argument->required ? "" : "=");
        append_value(text, layer, argument);
        separator = ", ";
    }
}

/* The prefix is part of the names of layers with tensors. */
static void append_name(cnn_text *text, const cnn_network *network, int value)
{
    if (value == 0) {
        cnn_text_append(text, "input");
        return;
    }
    const cnn_layer *layer = &network->layers[value - 1];
    bool has_tensors = layer->param_count > 0 || layer->statistic_count > 0;
    cnn_text_append(text, "%s%s", has_tensors ? network->prefix : "", layer->name);
}

/* Does the layer say which values it reads? */
static bool names_inputs(const cnn_layer *layer)
{
    return cnn_layer_get_class(layer->kind)->most_inputs > 1;
}

static bool follows(const cnn_layer *layer)
{
    return !names_inputs(layer) && layer->inputs[0] == layer->index;
}

/* KIND_NN is not written where nobody asks for it. */
static bool needs_name(const cnn_network *network, const cnn_layer *layer, bool is_named)
{
    char name[CNN_LAYER_NAME_SIZE];
    bool has_prefix =
        network->prefix[0] != '\0' && (layer->param_count > 0 || layer->statistic_count > 0);
    snprintf(name, sizeof name, "%s_%02d", cnn_layer_get_class(layer->kind)->torch_name,
             layer->index);
    return is_named || has_prefix || strcmp(name, layer->name) != 0;
}

static void append_layer(cnn_text *text, const cnn_network *network, const cnn_layer *layer,
                         bool is_named)
{
    if (needs_name(network, layer, is_named)) {
        append_name(text, network, layer->index + 1);
        cnn_text_append(text, " = ");
    }
    cnn_text_append(text, "%s(", cnn_layer_get_class(layer->kind)->name);
    for (int i = 0; names_inputs(layer) && i < layer->input_count; i++) {
        cnn_text_append(text, i ? ", " : "");
        append_name(text, network, layer->inputs[i]);
    }
    append_arguments(text, layer, names_inputs(layer) ? ", " : "");
    cnn_text_append(text, ")");
    if (!names_inputs(layer) && !follows(layer)) {
        cnn_text_append(text, " <- ");
        append_name(text, network, layer->inputs[0]);
    }
    cnn_text_append(text, "\n");
}

/* Marks the values whose names lines have, and refuses names that no line can have. */
static cnn_status find_named(bool *is_named, const cnn_network *network)
{
    for (int l = 0; l < network->layer_count; l++) {
        const cnn_layer *layer = &network->layers[l];
        if (!cnn_text_is_name(layer->name, strlen(layer->name)))
            return cnn_fail(CNN_ERROR_ARGUMENT,
                            "layer %s: expected a name of letters, digits, '_', '.' and '-' that "
                            "is none of input, define, end",
                            layer->name);
        for (int i = 0; !follows(layer) && i < layer->input_count; i++)
            is_named[layer->inputs[i]] = true;
    }
    return CNN_OK;
}

static cnn_status write_text(cnn_text *text, const cnn_network *network)
{
    bool *is_named = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&is_named, (size_t)network->layer_count + 1, sizeof *is_named,
                         "the names in a network's text"));
    CNN_TRY(find_named(is_named, network));
    cnn_text_append(text, "input(%d, %d, %d)\n", network->input[0], network->input[1],
                    network->input[2]);
    for (int l = 0; l < network->layer_count; l++)
        append_layer(text, network, &network->layers[l], is_named[l + 1]);
out:
    free(is_named);
    return status;
}

cnn_status cnn_network_to_text(char **text, const cnn_network *network)
{
    CNN_NEED(text, network);
    cnn_text written = {0};
    *text = NULL;
    cnn_status status = write_text(&written, network);
    if (status == CNN_OK)
        status = cnn_text_take(text, &written);
    cnn_text_finish(&written);
    return status;
}
