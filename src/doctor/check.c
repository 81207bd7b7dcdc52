/* A device's checks in order. */
#include "doctor/check.h"

#include <math.h>

#include "base/clock.h"
#include "base/status.h"

enum { MODEL_SEED = 5 };

const cnn_plan_kind cnn_plan_kinds[CNN_PLAN_KINDS] = {
    {.fuse = true}, {.fuse = false}, {.fuse = true, .pieces = true}, {.pieces = true}};

double cnn_layer_multiplications(const cnn_layer *layer)
{
    return cnn_layer_get_class(layer->kind)->forward_flops(layer) / 2.0;
}

static double count_of_network(const cnn_network *network)
{
    double count = 0.0;
    for (int i = 0; i < network->layer_count; i++)
        count += cnn_layer_multiplications(&network->layers[i]);
    return count;
}

static double count_of_step(const cnn_op *op)
{
    double count = 0.0;
    for (int i = 0; i < op->layer_count; i++)
        count += cnn_layer_multiplications(op->layers[i]);
    return count;
}

/* Samples of a step: as many as plain C does in that many multiplications, within bounds. Batch
 * norm over two samples is poorly conditioned. */
static int choose_samples(const cnn_network *network, double multiplications, int fewest, int most)
{
    double samples = multiplications / (count_of_network(network) + 1.0);
    return samples < fewest ? fewest : samples > most ? most : (int)samples;
}

static cnn_status open_check(cnn_check *check, cnn_doctor_device *result, cnn_device *device,
                             const cnn_network *network, bool front)
{
    cnn_status status = CNN_OK;
    *check = (cnn_check){.device = device, .result = result, .part = "", .draw = 1000};
    CNN_TRY(cnn_model_create_network(&check->model, network, MODEL_SEED));
    cnn_randomise(check->model, 1);
    status = cnn_guards_open(&check->guards, device, front);
out:
    return status;
}

static void close_check(cnn_check *check)
{
    cnn_profile_finish(&check->profile);
    cnn_guards_close(&check->guards);
    cnn_model_destroy(check->model);
}

/* Plain C would take more than half a second of a fast check. */
static bool is_too_large(const cnn_check *check, double multiplications)
{
    static const double most = 1e8;
    return !check->options && multiplications > most;
}

/* A row of what is too large for a fast check. */
static cnn_status leave_out(cnn_check *check, const char *name, const char *layers)
{
    cnn_status status = cnn_row_open(check, "", name, layers, NULL);
    if (status != CNN_OK)
        return status;
    cnn_row_leave_out(check, cnn_row_too_large);
    return cnn_row_close(check, "");
}

/* One sample where more are too many; batch norm takes no statistics of one. */
static cnn_status check_step(cnn_check *check, const cnn_plan *plan, int index)
{
    const cnn_op *op = plan->steps[index].op;
    double each = count_of_step(op);
    char name[CNN_DOCTOR_NAME], covered[CNN_DOCTOR_NAME];
    bool has_norm = false;
    for (int i = 0; i < op->layer_count; i++)
        has_norm = has_norm || op->layers[i]->kind == CNN_LAYER_BATCHNORM;
    if (!is_too_large(check, each * check->n))
        return cnn_check_step(check, plan, index, check->n);
    if (!has_norm && !is_too_large(check, each))
        return cnn_check_step(check, plan, index, 1);
    cnn_step_names(name, covered, &plan->steps[index]);
    return leave_out(check, name, covered);
}

/* Every step, and what stands around them. A step that fails for the driver's sake is a row; the
 * next may do. */
static cnn_status check_plan(cnn_check *check, bool fuse)
{
    const cnn_plan_options options = {
        .batch = check->n, .training = true, .fuse = fuse, .slots = 2, .trained = check->trained};
    cnn_plan *plan = NULL;
    check->part = fuse ? "fused" : "plain";
    cnn_status status = cnn_plan_create(&plan, check->device, check->model->network, options);
    if (status != CNN_OK)
        return cnn_row_absorb(check, status);
    if (fuse || !check->options)
        status = cnn_check_around(check, plan);
    for (int i = 0; status == CNN_OK && i < plan->step_count; i++)
        status = check_step(check, plan, i);
    if (status == CNN_OK)
        status = cnn_check_nan_way(check, plan);
    if (status == CNN_OK && !check->options)
        status = cnn_check_products(check, plan);
    cnn_plan_destroy(plan);
    return status;
}

/* Sub-buffers, by which zones stand before memory too, work nearly everywhere, and this library
 * does not need them: without them zones stand behind alone. Tried before any row is told. */
static cnn_status choose_zones(cnn_check *check)
{
    const cnn_doctor_options *options = check->options;
    check->options = NULL;
    cnn_status status = cnn_check_memory(check);
    bool work = status == CNN_OK && check->result->failures + check->result->unchecked == 0;
    cnn_doctor_device_clear(check->result);
    check->row = NULL;
    check->options = options;
    if (work)
        return CNN_OK;
    cnn_guards_close(&check->guards);
    return cnn_guards_open(&check->guards, check->device, false);
}

/* Two updates: the first shows in the loss of the second step. */
static cnn_status check_pieces(cnn_check *check, bool fuse)
{
    enum { STEPS = 2 };
    const cnn_network *network = check->model->network;
    if (is_too_large(check, count_of_network(network) * STEPS * check->n)) {
        check->part = "trace";
        return leave_out(check, "batches in pieces", "");
    }
    return cnn_check_trace(check, (cnn_plan_kind){.fuse = fuse, .pieces = true}, STEPS);
}

static cnn_status check_all(cnn_check *check)
{
    cnn_status status = CNN_OK;
    CNN_TRY(choose_zones(check));
    CNN_TRY(cnn_profile_open(&check->profile, check->device));
    CNN_TRY(cnn_check_memory(check));
    CNN_TRY(check_plan(check, true));
    CNN_TRY(cnn_check_augment(check));
    CNN_TRY(cnn_check_shaped_loss(check));
    CNN_TRY(check_plan(check, false));
    CNN_TRY(cnn_check_products(check, NULL));
    for (int i = 0; i < CNN_PLAN_KINDS; i++)
        CNN_TRY(cnn_check_trace(check, cnn_plan_kinds[i], CNN_TRACE_STEPS));
out:
    return status;
}

cnn_status cnn_check_thoroughly(cnn_doctor_device *result, cnn_device *device,
                                const cnn_network *network, const cnn_doctor_options *options)
{
    static const double multiplications = 3.2e7;
    enum { FEWEST = 2, MOST = 32 };
    cnn_check check;
    double start = cnn_seconds();
    cnn_status status = open_check(&check, result, device, network, true);
    check.options = options;
    check.trained = options->trained;
    check.batch = options->batch;
    check.n = choose_samples(network, multiplications, FEWEST, MOST);
    if (status == CNN_OK)
        status = check_all(&check);
    close_check(&check);
    result->passed = status == CNN_OK && result->failures + result->unchecked == 0;
    result->seconds = cnn_seconds() - start;
    return status;
}

cnn_status cnn_check_fast(cnn_doctor_device *result, cnn_device *device, const cnn_network *network,
                          cnn_plan_kind kind, int batch)
{
    static const double multiplications = 1.6e7;
    enum { FEWEST = 2, MOST = 32 };
    cnn_check check;
    double start = cnn_seconds(), built = device->build_seconds;
    cnn_status status = open_check(&check, result, device, network, false);
    check.trained = kind.trained;
    check.batch = batch;
    check.n = choose_samples(network, multiplications, FEWEST, MOST);
    if (status == CNN_OK)
        status = check_plan(&check, kind.fuse);
    if (status == CNN_OK && kind.augmented)
        status = cnn_check_augment(&check);
    if (status == CNN_OK && kind.shaped)
        status = cnn_check_shaped_loss(&check);
    if (status == CNN_OK && kind.pieces)
        status = check_pieces(&check, kind.fuse);
    close_check(&check);
    result->passed = status == CNN_OK && result->failures + result->unchecked == 0;
    result->build_seconds = device->build_seconds - built;
    result->seconds = cnn_seconds() - start - result->build_seconds;
    return status;
}
