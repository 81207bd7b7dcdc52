#include "plan/plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"
#include "plan/layout.h"
#include "plan/prepared.h"

/* Numbers, joins and buffers for each input of each step. */
static cnn_status allocate_steps(cnn_plan *plan)
{
    const cnn_schedule *schedule = &plan->schedule;
    size_t steps = (size_t)schedule->step_count, inputs = 0;
    cnn_status status = CNN_OK;
    for (size_t i = 0; i < steps; i++)
        inputs += (size_t)schedule->steps[i].input_count;
    CNN_TRY(cnn_allocate(&plan->steps, steps, sizeof *plan->steps, "the plan's steps"));
    CNN_TRY(cnn_allocate(&plan->numbers, 2 * inputs, sizeof *plan->numbers, "the plan's steps"));
    CNN_TRY(cnn_allocate(&plan->joins, inputs, sizeof *plan->joins, "the plan's steps"));
    CNN_TRY(cnn_allocate(&plan->mems, 2 * inputs, sizeof(cl_mem), "the plan's steps"));
out:
    return status;
}

static cnn_status create_steps(cnn_plan *plan)
{
    const cnn_schedule *schedule = &plan->schedule;
    cnn_status status = allocate_steps(plan);
    size_t next = 0;
    for (int i = 0; status == CNN_OK && i < schedule->step_count; i++) {
        const cnn_schedule_step *from = &schedule->steps[i];
        size_t count = (size_t)from->input_count;
        cnn_step *step = &plan->steps[i];
        *step = (cnn_step){.rule = from->rule ? from->rule->name : NULL,
                           .input_count = from->input_count,
                           .inputs = from->inputs,
                           .output = from->output,
                           .input_lives = plan->numbers + 2 * next,
                           .input_gradients = plan->numbers + 2 * next + count,
                           .joins = plan->joins + next,
                           .mems = plan->mems + 2 * next,
                           .output_gradient = -1,
                           .copied_gradient = -1,
                           .input_masks = -1};
        for (size_t input = 0; input < count; input++) {
            step->input_gradients[input] = -1;
            step->joins[input].into = -1;
        }
        next += count;
        status =
            cnn_op_create(&step->op, from->op, plan->device, &from->chain, plan->options.batch);
        if (status == CNN_OK)
            plan->step_count++;
    }
    return status;
}

static cnn_status allocate_shared(cnn_plan *plan)
{
    cnn_status status = CNN_OK;
    size_t *sizes = NULL, scratch = 0;
    int count = 0;
    CNN_TRY(cnn_plan_lay_out(plan));
    size_t most = (size_t)plan->life_count;
    CNN_TRY(cnn_allocate(&plan->buffers, most, sizeof *plan->buffers, "the plan's buffers"));
    CNN_TRY(cnn_allocate(&sizes, most, sizeof *sizes, "the buffers' sizes"));
    CNN_TRY(cnn_lives_share(plan->lives, plan->life_count, sizes, &count));
    CNN_TRY(cnn_lives_peak(&plan->peak, plan->lives, plan->life_count));
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

/* The kernel that joins gradients, where some are. */
static cnn_status create_join(cnn_plan *plan)
{
    bool joins = false;
    for (int i = 0; i < plan->step_count; i++)
        for (int input = 0; input < plan->steps[i].input_count; input++)
            joins = joins || plan->steps[i].joins[input].into >= 0;
    return joins ? cnn_kernel_init(&plan->add, plan->device, "join.cl", "", "join_sum") : CNN_OK;
}

static cnn_status allocate_values(cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    size_t parameters = network->parameter_count * sizeof(float);
    cnn_device *device = plan->device;
    bool mixes = plan->options.trained && plan->options.trained->augment.mixup > 0.0;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_init(&plan->parameters, device, parameters, "the parameters"));
    CNN_TRY(cnn_buffer_init(&plan->statistics, device, network->statistic_count * sizeof(float),
                            "the running statistics"));
    CNN_TRY(cnn_buffer_init(&plan->labels, device,
                            (size_t)plan->options.batch * (mixes ? 2 : 1) * sizeof(cl_ushort),
                            "a batch of labels"));
    if (plan->options.training) {
        CNN_TRY(cnn_buffer_init(&plan->gradients, device, parameters, "the gradients"));
        CNN_TRY(cnn_optimizer_init(&plan->optimizer, device, network, plan->options.frozen,
                                   plan->options.trained));
        if (plan->options.slices > 0)
            CNN_TRY(
                cnn_slices_init(&plan->slices, device, network, plan->options.slices));
        else if (plan->options.whole > plan->options.batch)
            CNN_TRY(cnn_optimizer_init_sum(&plan->optimizer));
    }
out:
    return status;
}

static cl_mem memory_of(const cnn_plan *plan, int life)
{
    return life < 0 ? NULL : plan->buffers[plan->lives[life].buffer].mem;
}

static void bind(cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        cnn_step *step = &plan->steps[i];
        int count = step->input_count;
        for (int input = 0; input < count; input++) {
            step->mems[input] = memory_of(plan, step->input_lives[input]);
            step->mems[count + input] = memory_of(plan, step->input_gradients[input]);
        }
        step->memory = (cnn_op_memory){
            .input = step->mems[0],
            .inputs = step->mems,
            .output = memory_of(plan, step->output_life),
            .input_gradient = step->mems[count],
            .input_gradients = step->mems + count,
            .output_gradient = memory_of(plan, step->output_gradient),
            .saved = memory_of(plan, step->saved),
            .masks = memory_of(plan, step->masks),
            .input_masks = memory_of(plan, step->input_masks),
            .input_packed = step->input_packed,
            .output_packed = step->output_packed,
            .scratch = plan->scratch.mem,
            .prepared = cnn_prepared_memory(plan, i),
            .parameters = plan->parameters.mem,
            .gradients = plan->gradients.mem,
            .statistics = plan->statistics.mem,
        };
    }
}

/* What brings samples in, and judges what comes out. */
static cnn_status create_ends(cnn_plan *plan)
{
    const cnn_network *network = plan->network;
    const cnn_plan_options *options = &plan->options;
    bool rows = options->part == CNN_PART_REST, judged = options->part != CNN_PART_FROZEN;
    cnn_status status =
        rows ? cnn_gather_init_rows(&plan->gather, plan->device, cnn_plan_input_size(plan))
             : cnn_gather_init(&plan->gather, plan->device, cnn_network_input_shape(network));
    if (status == CNN_OK && judged)
        status = cnn_softmax_init(&plan->softmax, plan->device, network->classes, options->batch,
                                  options->slots);
    bool changes = options->training || options->part == CNN_PART_FROZEN;
    const cnn_train_options *trained = changes ? options->trained : NULL;
    if (status == CNN_OK && !rows && trained && cnn_augments(&trained->augment))
        status = cnn_augment_init(&plan->augment, plan->device, cnn_network_input_shape(network),
                                  options->batch, &trained->augment);
    return status;
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
    CNN_TRY(cnn_schedule_init(
        &result->schedule, network, device,
        (cnn_schedule_options){options.fuse, options.frozen, options.part, !options.training}));
    CNN_TRY(create_steps(result));
    CNN_TRY(allocate_shared(result));
    CNN_TRY(cnn_prepared_init(result));
    CNN_TRY(create_join(result));
    CNN_TRY(allocate_values(result));
    CNN_TRY(create_ends(result));
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
    cnn_prepared_finish(plan);
    cnn_buffer_finish(&plan->parameters);
    cnn_buffer_finish(&plan->gradients);
    cnn_buffer_finish(&plan->statistics);
    cnn_buffer_finish(&plan->labels);
    cnn_gather_finish(&plan->gather);
    cnn_augment_finish(&plan->augment);
    cnn_softmax_finish(&plan->softmax);
    cnn_optimizer_finish(&plan->optimizer);
    cnn_slices_finish(&plan->slices);
    if (plan->device->advice == plan->advice)
        plan->device->advice = NULL;
    cnn_kernel_finish(&plan->add);
    cnn_schedule_finish(&plan->schedule);
    free(plan->steps);
    free(plan->numbers);
    free(plan->joins);
    free(plan->mems);
    free(plan->lives);
    free(plan->buffers);
    free(plan);
}

cnn_status cnn_plan_reserve(cnn_plan *plan, size_t slots)
{
    if (slots <= plan->softmax.slots)
        return CNN_OK;
    return cnn_softmax_reserve(&plan->softmax, slots);
}

static cnn_status write_values(const cnn_buffer *parameters, const cnn_buffer *statistics,
                               const cnn_model *model)
{
    const cnn_network *network = model->network;
    cnn_status status = cnn_buffer_write(parameters, 0, model->parameters,
                                         network->parameter_count * sizeof(float));
    if (status == CNN_OK)
        status = cnn_buffer_write(statistics, 0, model->statistics,
                                  network->statistic_count * sizeof(float));
    return status;
}

cnn_status cnn_plan_upload_values(cnn_plan *plan, const cnn_model *model)
{
    cnn_prepared_forget(plan);
    return write_values(&plan->parameters, &plan->statistics, model);
}

cnn_status cnn_plan_upload(cnn_plan *plan, const cnn_model *model)
{
    const cnn_optimizer *optimizer = &plan->optimizer;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_plan_upload_values(plan, model));
    if (optimizer->average.mem)
        CNN_TRY(write_values(&optimizer->average, &optimizer->statistics, model));
    CNN_TRY(cnn_gather_normalize(&plan->gather, model->normalization.means));
    if (plan->augment.kernel.handle)
        CNN_TRY(cnn_augment_normalize(&plan->augment, model->normalization.means));
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

size_t cnn_plan_input_size(const cnn_plan *plan)
{
    return cnn_shape_count(cnn_network_value_shape(plan->network, plan->schedule.source));
}

size_t cnn_plan_result_size(const cnn_plan *plan)
{
    return cnn_shape_count(cnn_network_value_shape(plan->network, plan->schedule.target));
}

static void swap(cnn_buffer *a, cnn_buffer *b)
{
    cnn_buffer kept = *a;
    *a = *b;
    *b = kept;
}

void cnn_plan_show_average(cnn_plan *plan, bool average)
{
    cnn_optimizer *optimizer = &plan->optimizer;
    if (!optimizer->average.mem || plan->shows_average == average)
        return;
    swap(&plan->parameters, &optimizer->average);
    swap(&plan->statistics, &optimizer->statistics);
    plan->shows_average = average;
    bind(plan);
}

const cnn_buffer *cnn_plan_input(const cnn_plan *plan)
{
    return &plan->buffers[plan->lives[0].buffer];
}

const cnn_buffer *cnn_plan_logits(const cnn_plan *plan)
{
    return &plan->buffers[plan->lives[plan->steps[plan->step_count - 1].output_life].buffer];
}

cnn_status cnn_plan_gather(cnn_plan *plan, const cnn_gather_source *source, uint32_t first, int n)
{
    return cnn_gather_run(&plan->gather, cnn_plan_input(plan)->mem, plan->labels.mem, source, first,
                          n);
}

cnn_status cnn_plan_augment(cnn_plan *plan, const cnn_gather_source *source, uint32_t first,
                            uint32_t last, const cnn_pass *pass)
{
    return cnn_augment_run(&plan->augment, cnn_plan_input(plan)->mem, plan->labels.mem, source, first,
                           last, pass);
}

cnn_status cnn_plan_forward(cnn_plan *plan, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < plan->step_count; i++)
        status = cnn_plan_forward_step(plan, i, pass);
    return status;
}

static cnn_status look(const cnn_plan *plan, cnn_watched moment, int step, const cnn_pass *pass)
{
    const cnn_watch *watch = &plan->watch;
    return watch->look ? watch->look(watch->user, moment, step, pass, NULL) : CNN_OK;
}

cnn_status cnn_plan_forward_step(cnn_plan *plan, int step, const cnn_pass *pass)
{
    const cnn_step *at = &plan->steps[step];
    cnn_status status = CNN_OK;
    CNN_TRY(look(plan, CNN_BEFORE_FORWARD, step, pass));
    CNN_TRY(at->op->class->forward(at->op, &at->memory, pass));
    cnn_prepared_is_there(plan, step);
    status = look(plan, CNN_AFTER_FORWARD, step, pass);
out:
    return status;
}

cl_mem cnn_plan_logits_gradient(const cnn_plan *plan)
{
    return memory_of(plan, plan->logits_gradient);
}

cnn_status cnn_plan_loss(cnn_plan *plan, const cnn_pass *pass, size_t slot)
{
    cnn_status status = CNN_OK;
    CNN_TRY(look(plan, CNN_BEFORE_LOSS, -1, pass));
    CNN_TRY(cnn_softmax_run(&plan->softmax, cnn_plan_logits_gradient(plan),
                            cnn_plan_logits(plan)->mem, plan->labels.mem, slot, pass));
    status = look(plan, CNN_AFTER_LOSS, -1, pass);
out:
    return status;
}

cnn_status cnn_plan_backward(cnn_plan *plan, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = plan->step_count - 1; status == CNN_OK && i >= 0; i--)
        status = cnn_plan_backward_step(plan, i, pass);
    if (status == CNN_OK && plan->optimizer.sum.mem)
        status = cnn_optimizer_add(&plan->optimizer, plan->gradients.mem, pass->before == 0);
    return status;
}

/* The samples of the pass alone are copied and added. */
static size_t count_values(const cnn_plan *plan, int value, const cnn_pass *pass)
{
    return (size_t)pass->n * cnn_shape_count(cnn_network_value_shape(plan->network, value));
}

static cnn_status copy_gradient(const cnn_plan *plan, const cnn_step *step, const cnn_pass *pass)
{
    if (step->copied_gradient < 0)
        return CNN_OK;
    return cnn_buffer_enqueue_copy(plan->device, step->memory.output_gradient,
                                   memory_of(plan, step->copied_gradient),
                                   count_values(plan, step->output, pass) * sizeof(float));
}

static cnn_status join_gradients(cnn_plan *plan, const cnn_step *step, const cnn_pass *pass)
{
    cnn_status status = CNN_OK;
    for (int i = 0; status == CNN_OK && i < step->input_count; i++) {
        const cnn_join *join = &step->joins[i];
        size_t count = count_values(plan, step->inputs[i], pass);
        if (join->into >= 0)
            status = CNN_LAUNCH(
                &plan->add, cnn_kernel_items(plan->device, count),
                cnn_arg_mem(memory_of(plan, join->into)), cnn_arg_mem(memory_of(plan, join->a)),
                cnn_arg_mem(memory_of(plan, join->b)), cnn_arg_uint((cl_uint)count));
    }
    return status;
}

/* An update by gradients of zero, with moments of zero, changes nothing. */
static cnn_status forget_frozen(cnn_plan *plan, const cnn_step *step)
{
    cnn_status status = CNN_OK;
    for (int l = 0; plan->options.frozen && l < step->op->layer_count; l++) {
        const cnn_layer *layer = step->op->layers[l];
        for (int i = 0; plan->options.frozen[layer->index] && i < layer->param_count; i++)
            CNN_TRY(cnn_buffer_enqueue_zeros(&plan->gradients,
                                             layer->params[i].offset * sizeof(float),
                                             layer->params[i].count * sizeof(float)));
    }
out:
    return status;
}

cnn_status cnn_plan_backward_step(cnn_plan *plan, int step, const cnn_pass *pass)
{
    const cnn_step *at = &plan->steps[step];
    cnn_status status = CNN_OK;
    if (at->output_gradient < 0)
        return CNN_OK;
    CNN_TRY(copy_gradient(plan, at, pass));
    CNN_TRY(look(plan, CNN_BEFORE_BACKWARD, step, pass));
    CNN_TRY(at->op->class->backward(at->op, &at->memory, pass));
    CNN_TRY(forget_frozen(plan, at));
    CNN_TRY(look(plan, CNN_AFTER_BACKWARD, step, pass));
    status = join_gradients(plan, at, pass);
out:
    return status;
}

static cnn_status look_at_update(const cnn_plan *plan, cnn_watched moment,
                                 const cnn_plan_update_case *update)
{
    const cnn_watch *watch = &plan->watch;
    return watch->look ? watch->look(watch->user, moment, -1, NULL, update) : CNN_OK;
}

cnn_status cnn_plan_update(cnn_plan *plan, double lr, uint64_t step)
{
    cl_mem bad = plan->softmax.bad.mem, sum = plan->gradients.mem;
    cnn_status status = CNN_OK;
    if (plan->options.slices > 0) {
        sum = cnn_slices_sum(&plan->slices);
        CNN_TRY(cnn_slices_settle(&plan->slices, plan->network, plan->options.frozen,
                                  &plan->statistics));
    }
    cl_mem summed = plan->optimizer.sum.mem ? plan->optimizer.sum.mem : sum;
    const cnn_plan_update_case update = {lr, step, summed};
    CNN_TRY(look_at_update(plan, CNN_BEFORE_UPDATE, &update));
    CNN_TRY(cnn_optimizer_run(&plan->optimizer, plan->parameters.mem, sum, bad, lr, step));
    CNN_TRY(cnn_optimizer_average(&plan->optimizer, plan->statistics.mem, bad, step));
    status = look_at_update(plan, CNN_AFTER_UPDATE, &update);
out:
    return status;
}
