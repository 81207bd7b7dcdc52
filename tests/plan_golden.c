#include "plan_golden.h"

#include <stdio.h>

const plan_tolerance promised_tolerance = {1e-5, 1e-4, 1e-7};
static const double trace_tolerance = 1e-3;

/* The network and the batch of a golden case. */
static plan_case golden_plan_case(const golden_case *golden)
{
    plan_case made = {.model = golden_model(golden), .n = golden_get(golden, "x")->shape[0]};
    snprintf(made.name, sizeof made.name, "%s", golden->name);
    made.pass = (cnn_pass){.n = made.n, .training = true};
    made.x = golden_get(golden, "x")->values;
    made.labels = golden_labels(golden);
    return made;
}

static void check_one_step(const golden_case *golden, plan_case *at, cnn_plan *plan)
{
    at->pass.training = false;
    plan_result evaluated = run_plan(plan, at);
    at->pass.training = true;
    plan_result trained = run_plan(plan, at);
    check_golden(golden, "eval_logits", evaluated.logits, promised_tolerance.logits, 0.0);
    check_golden(golden, "logits", trained.logits, promised_tolerance.logits, 0.0);
    check_golden(golden, "loss", &trained.loss, promised_tolerance.logits, 0.0);
    check_golden_parameters(golden, "grad", at->model, trained.gradients,
                            promised_tolerance.gradients, 1e-6);
}

/* Adam on one batch, every loss in its slot. run_plan() left the batch's labels in place, but not
 * its input: a plan shares that memory. */
static void check_steps(const golden_case *golden, plan_case *at, cnn_plan *plan)
{
    cnn_shape in = cnn_network_input_shape(at->model->network);
    size_t steps = golden_get(golden, "losses")->count;
    size_t bytes = (size_t)at->n * cnn_shape_count(in) * sizeof(float);
    float *losses = scratch_floats(steps), *x = to_device_layout(at->x, in, at->n);
    uint32_t *hits = scratch_bytes(steps * sizeof *hits);
    int bad;
    for (size_t step = 0; step < steps; step++) {
        check_ok(cnn_buffer_write(cnn_plan_input(plan), 0, x, bytes));
        check_ok(cnn_plan_forward(plan, &at->pass));
        check_ok(cnn_plan_loss(plan, &at->pass, step));
        check_ok(cnn_plan_backward(plan, &at->pass));
        check_ok(cnn_plan_update(plan, golden_number(golden, "lr"), step + 1));
    }
    check_ok(cnn_softmax_read(losses, hits, &bad, &plan->softmax, 0, steps));
    ck_assert_int_eq(bad, -1);
    check_golden(golden, "losses", losses, trace_tolerance, 0.0);
}

void check_network_golden(const golden_case *golden, bool fuse)
{
    plan_case at = golden_plan_case(golden);
    cnn_plan *plan = make_plan(&at, at.n, true, fuse);
    check_one_step(golden, &at, plan);
    check_ok(cnn_plan_upload(plan, at.model));
    check_steps(golden, &at, plan);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}
