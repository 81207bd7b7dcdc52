/* The lives of a plan's tensors. Moments: 0 is the gather, step i runs forward at moment i + 1, the
 * loss at step_count + 1, and step i backward at 2 * step_count + 1 - i. */
#include "plan/layout.h"

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

/* The input of a step is the output of the step before. */
static void place_activations(cnn_plan *plan)
{
    bool training = plan->options.training, kept = false;
    int current = add_life(plan, cnn_op_input_count(plan->steps[0].op) * sizeof(float), 0);
    for (int i = 0; i < plan->step_count; i++) {
        cnn_step *step = &plan->steps[i];
        step->input = current;
        extend(plan, current, forward_moment(i));
        if (training && step->op->keeps_input)
            extend(plan, current, backward_moment(plan, i));
        /* What the step before keeps of this tensor must not be overwritten. */
        if (!step->op->in_place || kept)
            current =
                add_life(plan, cnn_op_output_count(step->op) * sizeof(float), forward_moment(i));
        step->output = current;
        extend(plan, current, forward_moment(i));
        kept = training && step->op->keeps_output;
        if (kept)
            extend(plan, current, backward_moment(plan, i));
    }
    extend(plan, current, loss_moment(plan));
}

/* Below the first step with parameters nothing wants a gradient. */
static int first_with_parameters(const cnn_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++)
        for (int l = 0; l < plan->steps[i].op->layer_count; l++)
            if (plan->steps[i].op->layers[l]->param_count > 0)
                return i;
    return plan->step_count;
}

static void place_gradients(cnn_plan *plan)
{
    int last = plan->step_count - 1;
    int first = plan->options.training ? first_with_parameters(plan) : plan->step_count;
    int current = add_life(plan, cnn_op_output_count(plan->steps[last].op) * sizeof(float),
                           loss_moment(plan));
    plan->logits_gradient = current;
    for (int i = 0; i < plan->step_count; i++)
        plan->steps[i].output_gradient = plan->steps[i].input_gradient = -1;
    for (int i = last; i >= first; i--) {
        cnn_step *step = &plan->steps[i];
        step->output_gradient = current;
        extend(plan, current, backward_moment(plan, i));
        if (i == first)
            break;
        if (!step->op->in_place)
            current = add_life(plan, cnn_op_input_count(step->op) * sizeof(float),
                               backward_moment(plan, i));
        step->input_gradient = current;
    }
}

static int add_saved(cnn_plan *plan, size_t bytes, int step)
{
    int life = add_life(plan, bytes, forward_moment(step));
    if (plan->options.training)
        extend(plan, life, backward_moment(plan, step));
    return life;
}

/* What a step keeps from forward to backward; the step behind a dropout may look at its masks. */
static void place_saved(cnn_plan *plan)
{
    int before = -1;
    for (int i = 0; i < plan->step_count; i++) {
        cnn_step *step = &plan->steps[i];
        step->saved = add_saved(plan, step->op->saved_bytes, i);
        step->masks = add_saved(plan, step->op->mask_bytes, i);
        step->input_masks = before;
        if (before >= 0)
            extend(plan, before, forward_moment(i));
        const cnn_layer *last = cnn_op_last_layer(step->op);
        before = last->kind == CNN_LAYER_DROPOUT && last->dropout > 0.0 ? step->masks : -1;
    }
}

void cnn_plan_lay_out(cnn_plan *plan)
{
    place_activations(plan);
    place_gradients(plan);
    place_saved(plan);
}

static bool overlap(const cnn_life *a, const cnn_life *b)
{
    return a->born <= b->dies && b->born <= a->dies;
}

static bool is_free(const cnn_life *lives, int count, const cnn_life *candidate, int buffer)
{
    for (int i = 0; i < count; i++)
        if (lives[i].buffer == buffer && overlap(&lives[i], candidate))
            return false;
    return true;
}

static cnn_life *largest_unplaced(cnn_life *lives, int count)
{
    cnn_life *best = NULL;
    for (int i = 0; i < count; i++)
        if (lives[i].buffer < 0 && (!best || lives[i].bytes > best->bytes))
            best = &lives[i];
    return best;
}

/* Largest first, each into the first buffer that is free for its whole life. */
int cnn_lives_share(cnn_life *lives, int count, size_t *sizes)
{
    int buffers = 0;
    for (int i = 0; i < count; i++)
        lives[i].buffer = -1;
    for (cnn_life *life; (life = largest_unplaced(lives, count)) != NULL;) {
        int buffer = 0;
        while (buffer < buffers && !is_free(lives, count, life, buffer))
            buffer++;
        if (buffer == buffers)
            sizes[buffers++] = life->bytes;
        life->buffer = buffer;
    }
    return buffers;
}
