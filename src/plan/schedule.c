#include "plan/schedule.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

/* What is known while chains are sought. Arrays are per value; a layer is taken when its value is.
 */
typedef struct search {
    const cnn_network *network;
    const cnn_device *device;
    cnn_schedule *schedule;
    cnn_schedule_options options;
    int cut;      /* of the frozen layers; 0: none */
    int *readers; /* layers that read the value */
    int *reader;  /* the last of them */
    bool *taken;
} search;

static bool is_frozen(const search *at, const cnn_layer *layer)
{
    return at->options.frozen && at->options.frozen[layer->index];
}

/* A parameter that is trained in the layer, or before it. */
static void find_wanted(const search *at)
{
    cnn_schedule *schedule = at->schedule;
    for (int l = 0; l < at->network->layer_count; l++) {
        const cnn_layer *layer = &at->network->layers[l];
        bool wanted = layer->param_count > 0 && !is_frozen(at, layer);
        for (int i = 0; i < layer->input_count; i++)
            wanted = wanted || schedule->wants_gradient[layer->inputs[i]];
        schedule->wants_gradient[l + 1] = wanted;
    }
}

static void find_readers(search *at)
{
    for (int l = 0; l < at->network->layer_count; l++)
        for (int i = 0; i < at->network->layers[l].input_count; i++) {
            at->readers[at->network->layers[l].inputs[i]]++;
            at->reader[at->network->layers[l].inputs[i]] = l;
        }
}

/* The layer that alone reads this one's value; NULL where there is none. */
static const cnn_layer *only_reader(const search *at, const cnn_layer *layer)
{
    int value = layer->index + 1;
    if (value == at->network->layer_count || value == at->cut || at->readers[value] != 1)
        return NULL;
    const cnn_layer *next = &at->network->layers[at->reader[value]];
    return at->taken[next->index + 1] ? NULL : next;
}

/* Can the rule's op do the layer in a chain of others? */
static bool takes(const search *at, const cnn_rule *rule, const cnn_layer *layer)
{
    bool moves = layer->statistic_count > 0 && !is_frozen(at, layer);
    bool trains =
        !at->options.evaluation && (moves || at->schedule->wants_gradient[layer->index + 1]);
    /* With a backward it normalises a training batch by its own statistics. */
    return rule->op->backward ? !(layer->statistic_count > 0 && is_frozen(at, layer)) : !trains;
}

/* Nothing that its value depends on is trained. */
static bool evaluates(const search *at, const cnn_layer *layer)
{
    return at->options.evaluation || !at->schedule->wants_gradient[layer->index + 1];
}

static bool fits(cnn_chain *chain, const search *at, const cnn_rule *rule, const cnn_layer *first)
{
    const cnn_layer *layer = first;
    *chain = (cnn_chain){.wants_gradient = at->schedule->wants_gradient[first->inputs[0]]};
    for (int i = 0; i < rule->layer_count; i++) {
        if (!layer || layer->kind != rule->kinds[i] || !takes(at, rule, layer))
            return false;
        chain->layers[chain->layer_count++] = layer;
        chain->evaluates = evaluates(at, layer);
        layer = only_reader(at, layer);
    }
    return !rule->accepts || rule->accepts(chain, at->device);
}

/* The longest rule whose chain begins here, the first of several. */
static void choose(cnn_schedule_step *step, const search *at, const cnn_layer *first)
{
    int count = 0;
    bool exact = at->device->exact;
    const cnn_rule *rules = exact ? cnn_exact_rules(&count) : cnn_rules(&count);
    step->op = cnn_op_of_layer(first);
    step->chain = (cnn_chain){
        1, {first}, at->schedule->wants_gradient[first->inputs[0]], is_frozen(at, first),
        evaluates(at, first)};
    for (int i = 0; (at->options.fuse || exact) && i < count; i++) {
        cnn_chain chain;
        if ((step->rule && rules[i].layer_count <= step->rule->layer_count) ||
            !fits(&chain, at, &rules[i], first))
            continue;
        step->rule = &rules[i];
        step->op = rules[i].op;
        step->chain = chain;
    }
}

/* Inputs of the first layer, and those of the others that are not the chain's own. */
static void find_inputs(cnn_schedule *schedule, cnn_schedule_step *step, int *next)
{
    int before = -1;
    step->inputs = schedule->inputs + *next;
    for (int l = 0; l < step->chain.layer_count; l++) {
        const cnn_layer *layer = step->chain.layers[l];
        for (int i = 0; i < layer->input_count; i++) {
            if (layer->inputs[i] == before)
                continue;
            step->inputs[step->input_count++] = layer->inputs[i];
            schedule->readers[layer->inputs[i]]++;
        }
        before = layer->index + 1;
    }
    step->output = before;
    *next += step->input_count;
}

static int compare_outputs(const void *a, const void *b)
{
    const cnn_schedule_step *first = a, *second = b;
    return (first->output > second->output) - (first->output < second->output);
}

/* Layers of another part are as good as taken. */
static void find_part(search *at)
{
    cnn_schedule *schedule = at->schedule;
    int count = at->network->layer_count;
    schedule->source = at->options.part == CNN_PART_REST ? at->cut : 0;
    schedule->target = at->options.part == CNN_PART_FROZEN ? at->cut : count;
    for (int value = 1; value <= count; value++)
        at->taken[value] = value <= schedule->source || value > schedule->target;
}

/* A step runs where its last layer stands: what any of its layers reads is there by then. */
static void find_steps(search *at)
{
    cnn_schedule *schedule = at->schedule;
    int next = 0;
    for (int l = 0; l < at->network->layer_count; l++) {
        if (at->taken[l + 1])
            continue;
        cnn_schedule_step *step = &schedule->steps[schedule->step_count++];
        choose(step, at, &at->network->layers[l]);
        for (int i = 0; i < step->chain.layer_count; i++)
            at->taken[step->chain.layers[i]->index + 1] = true;
        find_inputs(schedule, step, &next);
    }
    qsort(schedule->steps, (size_t)schedule->step_count, sizeof *schedule->steps, compare_outputs);
    schedule->readers[schedule->target]++;
}

cnn_status cnn_schedule_init(cnn_schedule *schedule, const cnn_network *network,
                             const cnn_device *device, cnn_schedule_options options)
{
    search at = {.network = network,
                 .device = device,
                 .schedule = schedule,
                 .options = options,
                 .cut = cnn_frozen_cut(network, options.frozen)};
    size_t values = (size_t)network->layer_count + 1, inputs = 0;
    cnn_status status = CNN_OK;
    *schedule = (cnn_schedule){0};
    for (int l = 0; l < network->layer_count; l++)
        inputs += (size_t)network->layers[l].input_count;
    CNN_TRY(cnn_allocate(&schedule->steps, values, sizeof *schedule->steps, "the plan's steps"));
    CNN_TRY(cnn_allocate(&schedule->inputs, inputs, sizeof(int), "the steps' inputs"));
    CNN_TRY(cnn_allocate(&schedule->wants_gradient, values, sizeof(bool), "the plan's values"));
    CNN_TRY(cnn_allocate(&schedule->readers, values, sizeof(int), "the values' readers"));
    CNN_TRY(cnn_allocate(&at.readers, values, sizeof(int), "the values' readers"));
    CNN_TRY(cnn_allocate(&at.reader, values, sizeof(int), "the values' readers"));
    CNN_TRY(cnn_allocate(&at.taken, values, sizeof(bool), "the layers that are taken"));
    find_wanted(&at);
    find_readers(&at);
    find_part(&at);
    find_steps(&at);
out:
    free(at.readers);
    free(at.reader);
    free(at.taken);
    if (status != CNN_OK)
        cnn_schedule_finish(schedule);
    return status;
}

void cnn_schedule_finish(cnn_schedule *schedule)
{
    free(schedule->steps);
    free(schedule->inputs);
    free(schedule->wants_gradient);
    free(schedule->readers);
    *schedule = (cnn_schedule){0};
}
