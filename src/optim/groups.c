/* Which parameters share their factors. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
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

void cnn_groups_finish(cnn_groups *groups)
{
    free(groups->members);
    *groups = (cnn_groups){0};
}
