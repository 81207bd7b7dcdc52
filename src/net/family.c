/* The notebook's family of networks, built of its options. */
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "net/builder.h"

static cnn_status append_conv_block(cnn_builder *builder, const cnn_config *config, int channels)
{
    int k = config->ksize, pad = k / 2;
    cnn_layer_options conv = {.conv = {.channels = channels,
                                       .kernel = {k, k},
                                       .stride = {1, 1},
                                       .dilation = {1, 1},
                                       .padding = {pad, pad, pad, pad},
                                       .groups = 1,
                                       .bias = true}};
    cnn_layer_options pool, dropout = {.dropout.p = config->dropout};
    cnn_status status = CNN_OK;
    cnn_layer_default_options(&pool, CNN_LAYER_MAXPOOL);
    pool.pool.kernel[0] = pool.pool.kernel[1] = CNN_POOL_SIZE;
    CNN_TRY(cnn_builder_append(builder, CNN_LAYER_CONV, &conv));
    if (config->batchnorm)
        CNN_TRY(cnn_builder_append(builder, CNN_LAYER_BATCHNORM, NULL));
    CNN_TRY(cnn_builder_append(builder, CNN_LAYER_RELU, NULL));
    CNN_TRY(cnn_builder_append(builder, CNN_LAYER_MAXPOOL, &pool));
    status = cnn_builder_append(builder, CNN_LAYER_DROPOUT2D, &dropout);
out:
    return status;
}

static cnn_status append_linear(cnn_builder *builder, int features)
{
    return cnn_builder_append(builder, CNN_LAYER_LINEAR,
                              &(cnn_layer_options){.linear = {.features = features, .bias = true}});
}

static cnn_status append_all(cnn_builder *builder, const cnn_config *config)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < config->cdim_count; i++)
        CNN_TRY(append_conv_block(builder, config, config->cdims[i]));
    CNN_TRY(cnn_builder_append(builder, CNN_LAYER_FLATTEN, NULL));
    for (int i = 0; i < config->hdim_count; i++) {
        CNN_TRY(append_linear(builder, config->hdims[i]));
        CNN_TRY(cnn_builder_append(builder, CNN_LAYER_RELU, NULL));
    }
    status = append_linear(builder, config->ydim);
out:
    return status;
}

cnn_status cnn_network_create(cnn_network **network, const cnn_config *config)
{
    cnn_builder builder = {0};
    cnn_network *made = NULL;
    int culprit;
    CNN_NEED(network, config);
    cnn_status status = CNN_OK;
    *network = NULL;
    CNN_TRY(cnn_config_check(config));
    CNN_TRY(cnn_builder_init(&builder, config->name, "net.",
                             (cnn_shape){config->xdim[0], config->xdim[1], config->xdim[2]}));
    CNN_TRY(append_all(&builder, config));
    CNN_TRY(cnn_builder_take(&made, &culprit, &builder));
    CNN_TRY(cnn_allocate(&made->family, 1, sizeof *made->family, "the network's options"));
    *made->family = *config;
    *network = made;
    made = NULL;
out:
    cnn_network_destroy(made);
    cnn_builder_finish(&builder);
    return status;
}
