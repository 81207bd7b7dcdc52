#include "plan/plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "plan/layout.h"
#include "plan/rules.h"

/* Layers become steps: the longest rule that fits, else the plain operation of one layer. */
static cnn_status create_steps(cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    cnn_status status = cnn_allocate(&plan->steps, (size_t)network->layer_count,
                                     sizeof *plan->steps, "the plan's steps");
    for (int first = 0; status == CNN_OK && first < network->layer_count;) {
        const cnn_rule *rule =
            plan->options.fuse ? cnn_rule_find(network, first, plan->device) : NULL;
        const cnn_layer *layers = &network->layers[first];
        const cnn_op_class *class = rule ? rule->op : cnn_op_of_layer(layers->kind);
        cnn_step *step = &plan->steps[plan->step_count];
        int count = rule ? rule->layer_count : 1;
        step->rule = rule ? rule->name : NULL;
        status = cnn_op_create(&step->op, class, plan->device, layers, count, plan->options.batch);
        if (status == CNN_OK)
            plan->step_count++;
        first += count;
    }
    return status;
}

static cnn_status allocate_shared(cnn_plan *plan)
{
    cnn_status status = CNN_OK;
    size_t *sizes = NULL, scratch = 0;
    size_t most = (size_t)CNN_PLAN_MAX_LIVES(plan->step_count);
    CNN_TRY(cnn_allocate(&plan->lives, most, sizeof *plan->lives, "the plan's tensors"));
    CNN_TRY(cnn_allocate(&plan->buffers, most, sizeof *plan->buffers, "the plan's buffers"));
    CNN_TRY(cnn_allocate(&sizes, most, sizeof *sizes, "the buffers' sizes"));
    cnn_plan_lay_out(plan);
    int count = cnn_lives_share(plan->lives, plan->life_count, sizes);
    for (int i = 0; i < plan->step_count; i++)
        if (plan->steps[i].op->scratch_bytes > scratch)
            scratch = plan->steps[i].op->scratch_bytes;
    cnn_plan_advise(plan, sizes, count, scratch);
    for (; plan->buffer_count < count; plan->buffer_count++)
        CNN_TRY(cnn_buffer_init(&plan->buffers[plan->buffer_count], plan->device,
                                sizes[plan->buffer_count], "activations and gradients"));
    status = cnn_buffer_init(&plan->scratch, plan->device, scratch, "scratch memory");
out:
    free(sizes);
    return status;
}

static cnn_status allocate_values(cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    size_t parameters = network->parameter_count * sizeof(float);
    cnn_device *device = plan->device;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_init(&plan->parameters, device, parameters, "the parameters"));
    CNN_TRY(cnn_buffer_init(&plan->statistics, device, network->statistic_count * sizeof(float),
                            "the running statistics"));
    CNN_TRY(cnn_buffer_init(&plan->labels, device, (size_t)plan->options.batch * sizeof(cl_ushort),
                            "a batch of labels"));
    if (plan->options.training) {
        CNN_TRY(cnn_buffer_init(&plan->gradients, device, parameters, "the gradients"));
        CNN_TRY(cnn_adam_init(&plan->adam, device, network->parameter_count));
        if (plan->options.whole > plan->options.batch)
            CNN_TRY(cnn_adam_init_sum(&plan->adam));
    }
out:
    return status;
}

static cl_mem memory_of(const cnn_plan *plan, int life)
{
    return life < 0 ? NULL : plan->buffers[plan->lives[life].buffer].mem;
}

/* Is what goes from step i to the next one packed? Both know its masks then. */
static bool is_packed(const cnn_plan *plan, int i)
{
    if (i < 0 || i + 1 >= plan->step_count)
        return false;
    const cnn_step *step = &plan->steps[i];
    return step[1].input_masks >= 0 && step[0].op->packs && step[1].op->packs;
}

static void bind(cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        const cnn_step *step = &plan->steps[i];
        step->op->memory = (cnn_op_memory){
            .input = memory_of(plan, step->input),
            .output = memory_of(plan, step->output),
            .input_gradient = memory_of(plan, step->input_gradient),
            .output_gradient = memory_of(plan, step->output_gradient),
            .saved = memory_of(plan, step->saved),
            .masks = memory_of(plan, step->masks),
            .input_masks = memory_of(plan, step->input_masks),
            .input_packed = is_packed(plan, i - 1),
            .output_packed = is_packed(plan, i),
            .scratch = plan->scratch.mem,
            .parameters = plan->parameters.mem,
            .gradients = plan->gradients.mem,
            .statistics = plan->statistics.mem,
        };
    }
}

cnn_status cnn_plan_create(cnn_plan **plan, cnn_device *device, const cnn_network *network,
                           cnn_plan_options options)
{
    cnn_status status = CNN_OK;
    cnn_plan *result = NULL;
    *plan = NULL;
    CNN_TRY(cnn_allocate(&result, 1, sizeof *result, "a plan"));
    result->device = device;
    result->network = network;
    result->options = options;
    CNN_TRY(create_steps(result));
    CNN_TRY(allocate_shared(result));
    CNN_TRY(allocate_values(result));
    CNN_TRY(cnn_gather_init(&result->gather, device, network->layers[0].in));
    CNN_TRY(cnn_softmax_init(&result->softmax, device, network->config.ydim, options.batch,
                             options.slots));
    bind(result);
    *plan = result;
    return CNN_OK;
out:
    cnn_plan_destroy(result);
    return status;
}

void cnn_plan_destroy(cnn_plan *plan)
{
    if (!plan)
        return;
    for (int i = 0; i < plan->step_count; i++)
        cnn_op_destroy(plan->steps[i].op);
    for (int i = 0; i < plan->buffer_count; i++)
        cnn_buffer_finish(&plan->buffers[i]);
    cnn_buffer_finish(&plan->scratch);
    cnn_buffer_finish(&plan->parameters);
    cnn_buffer_finish(&plan->gradients);
    cnn_buffer_finish(&plan->statistics);
    cnn_buffer_finish(&plan->labels);
    cnn_gather_finish(&plan->gather);
    cnn_softmax_finish(&plan->softmax);
    cnn_adam_finish(&plan->adam);
    if (plan->device->advice == plan->advice)
        plan->device->advice = NULL;
    free(plan->steps);
    free(plan->lives);
    free(plan->buffers);
    free(plan);
}

cnn_status cnn_plan_reserve(cnn_plan *plan, size_t slots)
{
    if (slots <= plan->softmax.slots)
        return CNN_OK;
    cnn_softmax larger = {0};
    cnn_status status = cnn_softmax_init(&larger, plan->device, plan->network->config.ydim,
                                         plan->options.batch, slots);
    if (status != CNN_OK) {
        cnn_softmax_finish(&larger);
        return status;
    }
    cnn_softmax_finish(&plan->softmax);
    plan->softmax = larger;
    return CNN_OK;
}

cnn_status cnn_plan_upload(cnn_plan *plan, const cnn_model *model)
{
    const cnn_network *network = plan->network;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_write(&plan->parameters, 0, model->parameters,
                             network->parameter_count * sizeof(float)));
    CNN_TRY(cnn_buffer_write(&plan->statistics, 0, model->statistics,
                             network->statistic_count * sizeof(float)));
    CNN_TRY(cnn_gather_normalize(&plan->gather, model->normalization.means));
out:
    return status;
}

cnn_status cnn_plan_download(float *parameters, float *statistics, const cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_read(parameters, &plan->parameters, 0,
                            network->parameter_count * sizeof(float)));
    CNN_TRY(cnn_buffer_read(statistics, &plan->statistics, 0,
                            network->statistic_count * sizeof(float)));
out:
    return status;
}

const cnn_buffer *cnn_plan_input(const cnn_plan *plan)
{
    return &plan->buffers[plan->lives[plan->steps[0].input].buffer];
}

const cnn_buffer *cnn_plan_logits(const cnn_plan *plan)
{
    return &plan->buffers[plan->lives[plan->steps[plan->step_count - 1].output].buffer];
}

cnn_status cnn_plan_gather(cnn_plan *plan, const cnn_gather_source *source, uint32_t first, int n)
{
    return cnn_gather_run(&plan->gather, cnn_plan_input(plan)->mem, plan->labels.mem, source, first,
                          n);
}

cnn_status cnn_plan_forward(cnn_plan *plan, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < plan->step_count; i++)
        status = cnn_plan_forward_step(plan, i, pass);
    return status;
}

cnn_status cnn_plan_forward_step(cnn_plan *plan, int step, const cnn_pass *pass)
{
    cnn_op *op = plan->steps[step].op;
    return op->class->forward(op, pass);
}

cnn_status cnn_plan_loss(cnn_plan *plan, const cnn_pass *pass, size_t slot)
{
    return cnn_softmax_run(&plan->softmax, memory_of(plan, plan->logits_gradient),
                           cnn_plan_logits(plan)->mem, plan->labels.mem, slot, pass);
}

cnn_status cnn_plan_backward(cnn_plan *plan, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = plan->step_count - 1; status == CNN_OK && i >= 0; i--)
        status = cnn_plan_backward_step(plan, i, pass);
    if (status == CNN_OK && plan->adam.sum.mem)
        status = cnn_adam_add(&plan->adam, plan->gradients.mem, pass->before == 0);
    return status;
}

cnn_status cnn_plan_backward_step(cnn_plan *plan, int step, const cnn_pass *pass)
{
    cnn_op *op = plan->steps[step].op;
    return plan->steps[step].output_gradient >= 0 ? op->class->backward(op, pass) : CNN_OK;
}

cnn_status cnn_plan_update(cnn_plan *plan, double lr, uint64_t step)
{
    return cnn_adam_run(&plan->adam, plan->parameters.mem, plan->gradients.mem,
                        plan->softmax.bad.mem, lr, step);
}
