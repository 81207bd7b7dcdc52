/* Which parameters share their factors. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/number.h"
#include "base/status.h"
#include "optim/optimizer.h"

enum { MOST_GROUPS = sizeof((cnn_groups){0}.factors) / sizeof(float[2]) };

/* A bias, or what a norm scales and shifts by: vectors all. */
static bool is_vector(const cnn_param *param)
{
    return param->rank < 2;
}

/* The factors of one tensor. */
static cnn_status set_param(cnn_groups *groups, const cnn_param *param, bool frozen, bool decay_all)
{
    bool decays = !frozen && (decay_all || !is_vector(param));
    return cnn_groups_set(groups, param->offset, param->count, frozen ? 0.0f : 1.0f,
                          decays ? 1.0f : 0.0f);
}

cnn_status cnn_groups_init(cnn_groups *groups, const cnn_network *network, const bool *frozen,
                           const cnn_train_options *options)
{
    *groups = (cnn_groups){.count = 1, .factors = {{1.0f, 1.0f}}};
    cnn_status status =
        cnn_allocate(&groups->members, network->parameter_count, 1, "the parameters' groups");
    for (int l = 0; l < network->layer_count; l++)
        for (int i = 0; status == CNN_OK && i < network->layers[l].param_count; i++)
            status = set_param(groups, &network->layers[l].params[i], frozen && frozen[l],
                               options->decay_all);
    return status;
}

cnn_status cnn_groups_set(cnn_groups *groups, size_t offset, size_t count, float rate, float decay)
{
    int group = 0;
    while (group < groups->count &&
           (groups->factors[group][0] != rate || groups->factors[group][1] != decay))
        group++;
    if (group == MOST_GROUPS)
        return cnn_fail(CNN_ERROR_ARGUMENT,
                        "expected at most %d different factors of the learning rate and the decay, "
                        "found more",
                        MOST_GROUPS);
    groups->factors[group][0] = rate;
    groups->factors[group][1] = decay;
    if (group == groups->count)
        groups->count++;
    memset(groups->members + offset, group, count);
    return CNN_OK;
}

/* The layer's parameters get this factor of the rate, and keep that of the decay. */
static cnn_status scale_layer(cnn_groups *groups, const cnn_layer *layer, float rate)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < layer->param_count; i++) {
        const cnn_param *param = &layer->params[i];
        float decay = groups->factors[groups->members[param->offset]][1];
        status = cnn_groups_set(groups, param->offset, param->count, rate, decay);
    }
    return status;
}

cnn_status cnn_scale_split(double *factor, char *entry)
{
    static const cnn_range above_zero = {0.0, INFINITY, false,
                                         "PATTERN=F, F a finite number above 0"};
    char *equals = strrchr(entry, '=');
    if (!equals)
        return cnn_fail(CNN_ERROR_ARGUMENT, "--lr-scale: expected PATTERN=F, found '%s'", entry);
    *equals = '\0';
    return cnn_take_number(factor, &above_zero, equals + 1, "lr-scale");
}

static cnn_status scale_matched(cnn_groups *groups, const cnn_network *network, const bool *frozen,
                                char *entry)
{
    bool *matched = NULL;
    double factor = 1.0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_scale_split(&factor, entry));
    CNN_TRY(cnn_allocate(&matched, (size_t)network->layer_count, sizeof *matched, "the rates"));
    CNN_TRY(cnn_network_match(matched, network, entry, "--lr-scale"));
    bool acts = false;
    for (int l = 0; l < network->layer_count; l++)
        if (matched[l] && !(frozen && frozen[l])) {
            CNN_TRY(scale_layer(groups, &network->layers[l], (float)factor));
            acts = true;
        }
    if (!acts)
        cnn_log(CNN_LOG_INFO, "--lr-scale: all layers that '%s' fits are frozen: it does nothing",
                entry);
out:
    free(matched);
    return status;
}

cnn_status cnn_groups_scale(cnn_groups *groups, const cnn_network *network, const bool *frozen,
                            const char *scales)
{
    cnn_status status = CNN_OK;
    const char *at = scales;
    bool more = *at != '\0';
    while (status == CNN_OK && more) {
        char entry[CNN_MAX_PATTERNS];
        size_t length = strcspn(at, ",");
        snprintf(entry, sizeof entry, "%.*s", (int)length, at);
        status = scale_matched(groups, network, frozen, entry);
        more = at[length] == ',';
        at += length + more;
    }
    return status;
}

void cnn_groups_finish(cnn_groups *groups)
{
    free(groups->members);
    *groups = (cnn_groups){0};
}
