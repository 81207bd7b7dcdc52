/* A state_dict that PyTorch saved becomes a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "exchange/exchange.h"
#include "exchange/fit.h"
#include "exchange/infer.h"
#include "exchange/named.h"
#include "exchange/onnx_in.h"
#include "model/format.h"
#include "net/network.h"

enum { MESSAGE_SIZE = 4096 };

void cnn_import_options_init(cnn_import_options *options)
{
    if (!options)
        return;
    *options = (cnn_import_options){.dropout = -1.0};
}

/* What the caller says takes the place of what is there. */
static void apply(cnn_config *config, const cnn_import_options *options)
{
    if (options->name)
        snprintf(config->name, sizeof config->name, "%s", options->name);
    if (options->xdim)
        memcpy(config->xdim, options->xdim, sizeof config->xdim);
    if (!(options->dropout < 0.0))
        config->dropout = options->dropout;
}

/* The options alone, before a file is read: what is wrong with them is the caller's fault. */
static cnn_status check_options(const cnn_import_options *options)
{
    cnn_config config;
    cnn_config_init(&config);
    apply(&config, options);
    if (options->ydim)
        config.ydim = options->ydim;
    if (options->name && strlen(options->name) >= sizeof config.name)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--name: expected at most %d characters, found %zu",
                        CNN_MAX_NAME - 1, strlen(options->name));
    if (options->network && !(options->dropout < 0.0))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--net and --dropout exclude each other, the network is the file's: leave "
                        "one out");
    return cnn_config_check(&config);
}

/* What a file of tensors becomes. */
typedef struct import_target {
    cnn_network *network;
    bool by_shape; /* names of another network will do */
    bool preset;   /* it is one that comes with the library */
} import_target;

/* The options of the family make the network; that they cannot is the file's fault. */
static cnn_status create_family(import_target *target, cnn_config *config, const char *path,
                                const cnn_import_options *options)
{
    apply(config, options);
    cnn_status status = cnn_network_create(&target->network, config);
    return status == CNN_ERROR_ARGUMENT
               ? cnn_fail(CNN_ERROR_DATA, "%s: %s", path, cnn_error_message())
               : status;
}

static cnn_status refuse_dropout(const cnn_import_options *options, const char *name)
{
    if (options->dropout < 0.0)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_ARGUMENT,
                    "--dropout is an option of the family's networks, the file's is %s: leave it "
                    "out",
                    name);
}

/* A file of cnn-cl's own says what network it has. */
static cnn_status restore(import_target *target, const char *json, const cnn_state_dict *dict,
                          const cnn_import_options *options)
{
    const char *text = cnn_state_dict_metadata(dict, CNN_NETWORK_KEY);
    cnn_network *own = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_network_restore(&own, json, text, dict->path));
    if (cnn_network_config(own)) {
        cnn_config config = *cnn_network_config(own);
        CNN_TRY(create_family(target, &config, dict->path, options));
        goto out;
    }
    CNN_TRY(refuse_dropout(options, cnn_network_name(own)));
    if (options->xdim) {
        cnn_network_given given = {.input = {options->xdim[0], options->xdim[1], options->xdim[2]}};
        CNN_TRY(cnn_network_from_text(&target->network, cnn_network_name(own), text, dict->path,
                                      &given));
    } else {
        target->network = own;
        own = NULL;
    }
    if (options->name)
        CNN_TRY(cnn_network_rename(target->network, options->name));
out:
    cnn_network_destroy(own);
    return status;
}

/* What keeps it from being a network of the family, and the preset whose shapes it has, or most
 * names of, with which more is said. */
static cnn_status fail_family(const cnn_state_dict *dict, const cnn_import_options *options)
{
    static const struct {
        cnn_preset_match match;
        const char *said;
    } matches[] = {{CNN_PRESET_SHAPES, "its shapes are"},
                   {CNN_PRESET_MOST, "most of its names and shapes are"}};
    char *preset = NULL, message[MESSAGE_SIZE];
    cnn_network *other = NULL;
    size_t i = 0;
    snprintf(message, sizeof message, "%s", cnn_error_message());
    cnn_status status = cnn_find_preset(&other, &preset, dict, options, matches[i].match);
    if (status == CNN_OK && !preset)
        status = cnn_find_preset(&other, &preset, dict, options, matches[++i].match);
    if (status == CNN_OK && preset)
        status = cnn_fail(CNN_ERROR_DATA, "%s; %s those of --net %s: give that", message,
                          matches[i].said, preset);
    else if (status == CNN_OK)
        status = cnn_fail(CNN_ERROR_DATA, "%s", message);
    cnn_network_destroy(other);
    free(preset);
    return status;
}

/* A preset of these names and shapes, else a network of the family. */
static cnn_status infer(import_target *target, const cnn_state_dict *dict,
                        const cnn_import_options *options)
{
    char *preset = NULL;
    cnn_config config;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_find_preset(&target->network, &preset, dict, options, CNN_PRESET_EXACT));
    if (target->network) {
        const int *input = cnn_network_input(target->network);
        target->preset = true;
        CNN_TRY(refuse_dropout(options, preset));
        cnn_log(CNN_LOG_INFO, "%s: names and shapes are those of --net %s; its input is %d,%d,%d%s",
                dict->path, preset, input[0], input[1], input[2],
                options->xdim ? "" : ", as its file has it: --xdim settles it");
        goto out;
    }
    cnn_config_init(&config);
    status = cnn_infer(&config, &target->by_shape, dict, options);
    if (status == CNN_ERROR_DATA)
        status = fail_family(dict, options);
    if (status != CNN_OK)
        goto out;
    CNN_TRY(create_family(target, &config, dict->path, options));
out:
    free(preset);
    return status;
}

static cnn_status find_network(import_target *target, const cnn_state_dict *dict,
                               const cnn_import_options *options)
{
    const char *json = cnn_state_dict_metadata(dict, CNN_CONFIG_KEY);
    cnn_status status = CNN_OK;
    if (options->network) {
        target->by_shape = true;
        target->preset = cnn_network_is_preset(options->network);
        CNN_TRY(cnn_named_network(&target->network, dict, options));
    } else if (json) {
        CNN_TRY(restore(target, json, dict, options));
    } else {
        CNN_TRY(infer(target, dict, options));
    }
    int classes = cnn_network_classes(target->network);
    if (classes == 1 && !json)
        return cnn_exchange_fail_one_output(dict->path);
    if (options->ydim && options->ydim != classes)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "--ydim: expected %d, the width of the network's output, found %d", classes,
                        options->ydim);
out:
    return status;
}

/* Kept beside the weights: a mean that is folded into a convolution would not be there where it
 * pads with zeros. */
static cnn_status normalize(cnn_model *model, const cnn_state_dict *dict,
                            const cnn_import_options *options)
{
    const char *own = cnn_state_dict_metadata(dict, CNN_NORMALIZE_KEY);
    cnn_status status = options->normalization
                            ? cnn_model_set_normalization(model, options->normalization)
                            : cnn_model_normalize_file(model, own, dict->path);
    if (status == CNN_OK && !options->normalization && !own &&
        !cnn_state_dict_metadata(dict, CNN_CONFIG_KEY))
        cnn_log(CNN_LOG_INFO,
                "%s: pixels from 0 to 1 are assumed: --normalize keeps another normalisation",
                dict->path);
    return status;
}

/* Weights of a preset with as many classes as ImageNet has are published for those, and for
 * pictures that were cropped. */
static cnn_status name_classes(cnn_model *model, const char *path)
{
    enum { CLASSES = 1000 };
    cnn_origin *origin = &model->origin;
    char *file = NULL;
    cnn_status status = CNN_OK;
    if (cnn_network_classes(model->network) != CLASSES || origin->class_count > 0)
        return CNN_OK;
    CNN_TRY(cnn_preset_file(&file, "imagenet.classes"));
    CNN_TRY(cnn_origin_read_names(origin, file));
    if (origin->class_count != CLASSES)
        status = cnn_fail(CNN_ERROR_DATA, "%s: expected %d names, found %d", file, CLASSES,
                          origin->class_count);
    else
        cnn_log(CNN_LOG_INFO,
                "%s: its %d classes are taken for ImageNet's: %s, %s, ...; pictures are cropped as "
                "torchvision does (--fit crop)",
                path, CLASSES, origin->classes[0], origin->classes[1]);
    origin->of_pictures = true;
    origin->fit = CNN_FIT_CROP;
out:
    free(file);
    return status;
}

static cnn_status fill(cnn_model *model, const cnn_state_dict *dict, bool by_shape)
{
    cnn_fit fit = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_fit_init(&fit, model, dict, by_shape));
    CNN_TRY(cnn_model_allocate(model));
    CNN_TRY(cnn_fit_copy(model, &fit, dict->path));
out:
    cnn_fit_finish(&fit);
    return status;
}

/* What did not fit, with the network that it did not fit; and one that it would. */
static cnn_status fail_fit(const cnn_network *network, const cnn_state_dict *dict,
                           const cnn_import_options *options)
{
    const int *xdim = cnn_network_input(network);
    const char *given = options->network;
    char name[CNN_MAX_NAME];
    cnn_import_options open;
    cnn_network *other = NULL;
    char *preset = NULL, message[MESSAGE_SIZE];
    snprintf(message, sizeof message, "%s", cnn_error_message());
    if (!options->network)
        return options->xdim ? cnn_fail(CNN_ERROR_DATA, "%s (with --xdim %d,%d,%d)", message,
                                        xdim[0], xdim[1], xdim[2])
                             : CNN_ERROR_DATA;
    if (cnn_network_is_preset(given)) {
        cnn_name_of_file(name, given);
        given = name;
    }
    cnn_import_options_init(&open);
    cnn_status status = cnn_find_preset(&other, &preset, dict, &open, CNN_PRESET_EXACT);
    if (status == CNN_OK)
        status =
            cnn_fail(CNN_ERROR_DATA, "%s (with --net %s --xdim %d,%d,%d --ydim %d%s%s)", message,
                     given, xdim[0], xdim[1], xdim[2], cnn_network_classes(network),
                     preset ? "; the file has the tensors of --net " : "", preset ? preset : "");
    cnn_network_destroy(other);
    free(preset);
    return status;
}

/* An ONNX file is a network, with its values. */
static cnn_status import_onnx(cnn_model **model, const char *path,
                              const cnn_import_options *options)
{
    cnn_status status = check_options(options);
    if (status != CNN_OK)
        return status;
    if (options->network || !(options->dropout < 0.0))
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "%s: %s is of no use with an ONNX file, whose graph is the network: leave "
                        "it out",
                        path, options->network ? "--net" : "--dropout");
    return cnn_onnx_import(model, path, options);
}

/* A file none of whose weights is of floats is none of a network's: said before what is assumed. */
static cnn_status check_types(const cnn_state_dict *dict)
{
    const cnn_raw_tensor *first = NULL;
    for (size_t i = 0; i < dict->count; i++) {
        const cnn_raw_tensor *tensor = &dict->tensors[i];
        const char *dot = strrchr(tensor->name, '.');
        if (strcmp(dot ? dot + 1 : tensor->name, "weight") != 0)
            continue;
        if (cnn_raw_is_floats(tensor))
            return CNN_OK;
        first = first ? first : tensor;
    }
    return first ? cnn_raw_fail_floats(first, dict->path) : CNN_OK;
}

cnn_status cnn_model_import(cnn_model **model, const char *path, const cnn_import_options *options)
{
    CNN_NEED(model, path, options);
    *model = NULL;
    cnn_status status = CNN_OK;
    if (cnn_onnx_is(path))
        return import_onnx(model, path, options);
    cnn_state_dict *dict = NULL;
    cnn_model *result = NULL;
    import_target target = {NULL, false, false};
    CNN_TRY(check_options(options));
    CNN_TRY(cnn_state_dict_read(&dict, path));
    CNN_TRY(check_types(dict));
    CNN_TRY(find_network(&target, dict, options));
    CNN_TRY(cnn_model_describe(&result, target.network));
    CNN_TRY(cnn_origin_read(&result->origin, cnn_state_dict_metadata(dict, CNN_DATA_KEY),
                            cnn_state_dict_metadata(dict, CNN_CLASSES_KEY),
                            cnn_state_dict_metadata(dict, CNN_PICTURES_KEY), path));
    CNN_TRY(cnn_origin_read_preparation(&result->origin,
                                        cnn_state_dict_metadata(dict, CNN_PREPARATION_KEY), path));
    CNN_TRY(normalize(result, dict, options));
    if (target.preset)
        CNN_TRY(name_classes(result, path));
    if (!cnn_state_dict_metadata(dict, CNN_CONFIG_KEY))
        cnn_exchange_prepare(result, path);
    status = fill(result, dict, target.by_shape);
    if (status == CNN_ERROR_DATA)
        status = fail_fit(target.network, dict, options);
    if (status != CNN_OK)
        goto out;
    *model = result;
    result = NULL;
out:
    cnn_network_destroy(target.network);
    cnn_model_destroy(result);
    cnn_state_dict_destroy(dict);
    return status;
}
