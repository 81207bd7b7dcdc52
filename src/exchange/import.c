/* A state_dict that PyTorch saved becomes a model. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "exchange/exchange.h"
#include "exchange/fit.h"
#include "exchange/infer.h"
#include "model/format.h"
#include "net/network.h"

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
    if (options->name && strlen(options->name) >= sizeof config.name)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--name: expected at most %d characters, found %zu",
                        CNN_MAX_NAME - 1, strlen(options->name));
    return cnn_config_check(&config);
}

static cnn_status find_config(cnn_config *config, bool *by_shape, const cnn_state_dict *dict,
                              const cnn_import_options *options)
{
    const char *json = cnn_state_dict_metadata(dict, CNN_CONFIG_KEY);
    *by_shape = false;
    cnn_config_init(config);
    cnn_status status = json ? cnn_config_from_json(config, json, dict->path)
                             : cnn_infer(config, by_shape, dict, options);
    apply(config, options);
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
                "%s: pixels from 0 to 1 are assumed: --mean and --std keep another normalisation",
                dict->path);
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

cnn_status cnn_model_import(cnn_model **model, const char *path, const cnn_import_options *options)
{
    CNN_NEED(model, path);
    *model = NULL;
    cnn_status status = CNN_OK;
    cnn_state_dict *dict = NULL;
    cnn_model *result = NULL;
    cnn_config config;
    bool by_shape;
    CNN_TRY(check_options(options));
    CNN_TRY(cnn_state_dict_read(&dict, path));
    CNN_TRY(find_config(&config, &by_shape, dict, options));
    CNN_TRY(cnn_model_describe_file(&result, &config, path));
    CNN_TRY(cnn_origin_read(&result->origin, cnn_state_dict_metadata(dict, CNN_DATA_KEY),
                            cnn_state_dict_metadata(dict, CNN_CLASSES_KEY),
                            cnn_state_dict_metadata(dict, CNN_PICTURES_KEY), path));
    CNN_TRY(normalize(result, dict, options));
    status = fill(result, dict, by_shape);
    if (status == CNN_ERROR_DATA && options->xdim)
        cnn_fail(status, "%s (with --xdim %d,%d,%d)", cnn_error_message(), config.xdim[0],
                 config.xdim[1], config.xdim[2]);
    if (status != CNN_OK)
        goto out;
    *model = result;
    result = NULL;
out:
    cnn_model_destroy(result);
    cnn_state_dict_destroy(dict);
    return status;
}
