/* The lives of a plan's tensors. Moments: 0 is the gather, step i runs forward at moment i + 1, the
 * loss at step_count + 1, and step i backward at 2 * step_count + 1 - i.
 *
 * A value's gradient is the sum of what its readers contribute, the last reader first. An op writes
 * its contribution; where one is there already, a join adds the two. Some contributions are the
 * output's gradient itself (a sum hands it on): then several values have one buffer for their
 * gradients, and what is to be changed for one of them alone is made anew. */
#include "plan/layout.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

/* While lives are placed; per value. */
typedef struct placing {
    cnn_plan *plan;
    int *life;     /* of the activation */
    int *gradient; /* life of what is known of the gradient; -1: nothing yet, or done with */
    int *last;     /* the last step that reads it */
    bool *kept;    /* backward of some step reads it */
    int *producer; /* the step that makes it; -1 for what the plan begins with */
} placing;

static int forward_moment(int step)
{
    return step + 1;
}

static int loss_moment(const cnn_plan *plan)
{
    return plan->step_count + 1;
}

static int backward_moment(const cnn_plan *plan, int step)
{
    return 2 * plan->step_count + 1 - step;
}

static size_t value_bytes(const cnn_plan *plan, int value)
{
    return (size_t)plan->options.batch * sizeof(float) *
           cnn_shape_count(cnn_network_value_shape(plan->network, value));
}

static int add_life(cnn_plan *plan, size_t bytes, int moment)
{
    plan->lives[plan->life_count] = (cnn_life){bytes, moment, moment, -1};
    return plan->life_count++;
}

static void extend(cnn_plan *plan, int life, int moment)
{
    if (plan->lives[life].dies < moment)
        plan->lives[life].dies = moment;
}

static void look_ahead(placing *at)
{
    const cnn_plan *plan = at->plan;
    at->producer[plan->schedule.source] = -1;
    for (int s = 0; s < plan->step_count; s++) {
        const cnn_step *step = &plan->steps[s];
        for (int i = 0; i < step->input_count; i++) {
            at->last[step->inputs[i]] = s;
            at->kept[step->inputs[i]] |= plan->options.training && step->op->keeps_input;
        }
        at->kept[step->output] |= plan->options.training && step->op->keeps_output;
        at->producer[step->output] = s;
    }
    at->last[plan->schedule.target] = plan->step_count; /* the loss */
}

/* Nobody reads the input after this step, which is of the output's size. */
static bool may_overwrite(const placing *at, int s)
{
    const cnn_step *step = &at->plan->steps[s];
    int value = step->inputs[0];
    return step->op->in_place && !at->kept[value] && at->last[value] == s &&
           value_bytes(at->plan, value) == value_bytes(at->plan, step->output);
}

static void place_activations(placing *at)
{
    cnn_plan *plan = at->plan;
    int source = plan->schedule.source;
    at->life[source] = add_life(plan, value_bytes(plan, source), 0);
    for (int s = 0; s < plan->step_count; s++) {
        cnn_step *step = &plan->steps[s];
        for (int i = 0; i < step->input_count; i++) {
            step->input_lives[i] = at->life[step->inputs[i]];
            extend(plan, step->input_lives[i], forward_moment(s));
            if (plan->options.training && step->op->keeps_input)
                extend(plan, step->input_lives[i], backward_moment(plan, s));
        }
        step->output_life = may_overwrite(at, s) ? step->input_lives[0]
                                                 : add_life(plan, value_bytes(plan, step->output),
                                                            forward_moment(s));
        extend(plan, step->output_life, forward_moment(s));
        if (plan->options.training && step->op->keeps_output)
            extend(plan, step->output_life, backward_moment(plan, s));
        at->life[step->output] = step->output_life;
    }
    extend(plan, at->life[plan->schedule.target], loss_moment(plan));
}

/* Does another value have this life for its gradient? */
static bool is_shared(const placing *at, int life, int value)
{
    for (int v = 0; v <= at->plan->network->layer_count; v++)
        if (v != value && at->gradient[v] == life)
            return true;
    return false;
}

/* Where the step's op puts what it contributes to input i's gradient. */
static int place_contribution(const placing *at, int s, int i)
{
    cnn_plan *plan = at->plan;
    const cnn_step *step = &plan->steps[s];
    int given = step->output_gradient;
    bool overwrites = step->op->in_place && i == step->input_count - 1 &&
                      !is_shared(at, given, step->output) && at->gradient[step->inputs[i]] < 0;
    if (step->op->passes_gradient || overwrites)
        return given;
    return add_life(plan, value_bytes(plan, step->inputs[i]), backward_moment(plan, s));
}

/* Adds the contribution to what later readers gave. The output's gradient stays as it is while
 * another input is still to be given it. */
static void join(placing *at, int s, int i)
{
    cnn_plan *plan = at->plan;
    cnn_step *step = &plan->steps[s];
    int value = step->inputs[i], have = at->gradient[value], moment = backward_moment(plan, s);
    bool is_last = i == step->input_count - 1;
    bool given = have == step->output_gradient && !is_last;
    int into = have;
    if (is_shared(at, have, value) || given)
        into = add_life(plan, value_bytes(plan, value), moment);
    step->joins[i] = (cnn_join){into, have, step->input_gradients[i]};
    extend(plan, have, moment);
    at->gradient[value] = into;
}

static void place_input_gradients(placing *at, int s)
{
    cnn_plan *plan = at->plan;
    cnn_step *step = &plan->steps[s];
    for (int i = 0; i < step->input_count; i++)
        if (plan->schedule.wants_gradient[step->inputs[i]]) {
            step->input_gradients[i] = place_contribution(at, s, i);
            extend(plan, step->input_gradients[i], backward_moment(plan, s));
            if (at->gradient[step->inputs[i]] < 0)
                at->gradient[step->inputs[i]] = step->input_gradients[i];
            else
                join(at, s, i);
        }
}

/* An op that overwrites the gradient of its output gets one of its own. */
static void protect_gradient(placing *at, int s)
{
    cnn_step *step = &at->plan->steps[s];
    if (!step->op->writes_gradient || !is_shared(at, step->output_gradient, step->output))
        return;
    step->copied_gradient = step->output_gradient;
    step->output_gradient =
        add_life(at->plan, value_bytes(at->plan, step->output), backward_moment(at->plan, s));
    at->gradient[step->output] = step->output_gradient;
}

static void place_gradients(placing *at)
{
    cnn_plan *plan = at->plan;
    int output = plan->schedule.target;
    for (int v = 0; v <= plan->network->layer_count; v++)
        at->gradient[v] = -1;
    plan->logits_gradient = add_life(plan, value_bytes(plan, output), loss_moment(plan));
    at->gradient[output] = plan->logits_gradient;
    for (int s = plan->step_count - 1; s >= 0; s--) {
        cnn_step *step = &plan->steps[s];
        if (!plan->options.training || !plan->schedule.wants_gradient[step->output])
            continue;
        step->output_gradient = at->gradient[step->output];
        extend(plan, step->output_gradient, backward_moment(plan, s));
        protect_gradient(at, s);
        place_input_gradients(at, s);
        at->gradient[step->output] = -1;
    }
}

static int add_saved(cnn_plan *plan, size_t bytes, int step)
{
    int life = add_life(plan, bytes, forward_moment(step));
    if (plan->options.training)
        extend(plan, life, backward_moment(plan, step));
    return life;
}

/* A step may look at the masks of the dropout that made its input, where something wants the
 * input's gradient; kept channels are packed where both ends can and nobody else reads them. */
static void find_masks(const placing *at, int s)
{
    cnn_plan *plan = at->plan;
    cnn_step *step = &plan->steps[s];
    int value = step->inputs[0], before = at->producer[value];
    if (before < 0 || !plan->schedule.wants_gradient[value])
        return;
    cnn_step *maker = &plan->steps[before];
    const cnn_layer *last = cnn_op_last_layer(maker->op);
    if (last->kind != CNN_LAYER_DROPOUT2D || last->options.dropout.p == 0.0)
        return;
    step->input_masks = maker->masks;
    extend(plan, maker->masks, forward_moment(s));
    if (plan->options.training)
        extend(plan, maker->masks, backward_moment(plan, s));
    step->input_packed = maker->op->packs && step->op->packs && plan->schedule.readers[value] == 1;
    maker->output_packed = step->input_packed;
}

/* What a step keeps from forward to backward. */
static void place_saved(placing *at)
{
    cnn_plan *plan = at->plan;
    for (int s = 0; s < plan->step_count; s++) {
        cnn_step *step = &plan->steps[s];
        step->saved = add_saved(plan, step->op->saved_bytes, s);
        step->masks = add_saved(plan, step->op->mask_bytes, s);
        find_masks(at, s);
    }
}

static cnn_status allocate(placing *at)
{
    size_t values = (size_t)at->plan->network->layer_count + 1;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&at->life, values, sizeof(int), "the plan's values"));
    CNN_TRY(cnn_allocate(&at->gradient, values, sizeof(int), "the plan's values"));
    CNN_TRY(cnn_allocate(&at->last, values, sizeof(int), "the plan's values"));
    CNN_TRY(cnn_allocate(&at->kept, values, sizeof(bool), "the plan's values"));
    CNN_TRY(cnn_allocate(&at->producer, values, sizeof(int), "the plan's values"));
out:
    return status;
}

/* An activation, a copied gradient, what is saved and masks for each step; two for each input; the
 * network's input and the gradient of the logits. */
static size_t most_lives(const cnn_plan *plan)
{
    size_t count = 2;
    for (int s = 0; s < plan->step_count; s++)
        count += 4 + 2 * (size_t)plan->steps[s].input_count;
    return count;
}

cnn_status cnn_plan_lay_out(cnn_plan *plan)
{
    placing at = {.plan = plan};
    cnn_status status = CNN_OK;
    CNN_TRY(allocate(&at));
    CNN_TRY(
        cnn_allocate(&plan->lives, most_lives(plan), sizeof *plan->lives, "the plan's tensors"));
    look_ahead(&at);
    place_activations(&at);
    place_gradients(&at);
    place_saved(&at);
out:
    free(at.life);
    free(at.gradient);
    free(at.last);
    free(at.kept);
    free(at.producer);
    return status;
}
