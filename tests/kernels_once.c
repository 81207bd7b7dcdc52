/* For Oclgrind: runs every kernel of this project on tiny shapes, with memory that ends where it
 * must. CLBlast's kernels are left out: the plain linear operation is skipped, and the own kernels
 * of linear.cl are run for themselves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "op_case.h"
#include "plan/fused.h"
#include "plan_case.h"

/* Every kind but linear; pools and convolutions with one channel, with some, and with a vector. */
static void run_op(cnn_layer_kind kind, int channels, int outputs, int ksize)
{
    random_source random = {.seed = 1};
    cnn_layer layer = plain_layer(kind, 0, (cnn_shape){channels, 5, 4}, ksize, outputs, 0.5);
    op_case at = make_op_case(&random, &layer, 2, 3);
    op_case_expect(&at);
    check_op_case(&at);
}

START_TEST(operations)
{
    run_op(CNN_LAYER_CONV, 1, 3, 3);
    run_op(CNN_LAYER_CONV, 9, 16, 2);
    run_op(CNN_LAYER_CONV, 3, 24, 1);
    run_op(CNN_LAYER_BATCHNORM, 1, 0, 0);
    run_op(CNN_LAYER_BATCHNORM, 11, 0, 0);
    run_op(CNN_LAYER_RELU, 3, 0, 0);
    run_op(CNN_LAYER_MAXPOOL, 3, 0, 0);
    run_op(CNN_LAYER_DROPOUT2D, 3, 0, 0);
    run_op(CNN_LAYER_FLATTEN, 3, 0, 0);
}
END_TEST

/* A rule takes it for many channels alone. */
START_TEST(winograd_columns)
{
    random_source random = {.seed = 1};
    cnn_layer layer = plain_layer(CNN_LAYER_CONV, 0, (cnn_shape){3, 5, 4}, 3, 18, 0.0);
    op_case at = make_op_case(&random, &layer, 2, 2);
    at.class = &cnn_winograd_columns_op;
    at.tolerance = (op_tolerance){1e-5, 1e-5, 1e-5};
    op_case_expect(&at);
    check_op_case(&at);
}
END_TEST

START_TEST(kernels_that_measure)
{
    enum { ITEMS = 3, VALUES = 4 * ITEMS };
    const float values[VALUES] = {0.0f};
    cnn_kernel fma = {0}, copy = {0};
    check_ok(cnn_kernel_init(&fma, test_device(), "peak.cl", "-DWIDTH=4 -DCHAINS=2", "peak_fma"));
    check_ok(cnn_kernel_init(&copy, test_device(), "peak.cl", "-DWIDTH=4 -DCHAINS=2", "peak_copy"));
    cl_mem source = device_floats(values, VALUES), target = device_floats(NULL, VALUES);
    check_ok(
        CNN_LAUNCH(&copy, ITEMS, cnn_arg_mem(target), cnn_arg_mem(source), cnn_arg_uint(ITEMS)));
    check_ok(CNN_LAUNCH(&fma, ITEMS, cnn_arg_mem(target), cnn_arg_float(1.0f), cnn_arg_float(1.0f),
                        cnn_arg_int(2), cnn_arg_int(ITEMS)));
    check_ok(cnn_device_finish(test_device()));
    cnn_kernel_finish(&fma);
    cnn_kernel_finish(&copy);
}
END_TEST

START_TEST(kernels_beside_the_products)
{
    enum { N = 3, OUT = 5, OFFSET = 2 };
    cnn_kernel add = {0}, sum = {0};
    const float values[N * OUT] = {0.0f};
    check_ok(cnn_kernel_init(&add, test_device(), "linear.cl", "", "linear_add_bias"));
    check_ok(cnn_kernel_init(&sum, test_device(), "linear.cl", "", "linear_bias_gradient"));
    cl_mem y = device_floats(values, N * OUT), flat = device_floats(values, OFFSET + OUT);
    check_ok(CNN_LAUNCH(&add, N * OUT, cnn_arg_mem(y), cnn_arg_mem(flat), cnn_arg_int(OFFSET),
                        cnn_arg_int(OUT), cnn_arg_int(N)));
    check_ok(CNN_LAUNCH(&sum, OUT, cnn_arg_mem(flat), cnn_arg_int(OFFSET), cnn_arg_mem(y),
                        cnn_arg_int(OUT), cnn_arg_int(N)));
    check_ok(cnn_device_finish(test_device()));
    cnn_kernel_finish(&add);
    cnn_kernel_finish(&sum);
}
END_TEST

/* Oclgrind 21.10 holds memory that clEnqueueFillBuffer filled for never written, whatever is
 * written to it later by kernels; what the host writes, it knows. */
static void write_zeros(const cnn_buffer *buffer)
{
    check_ok(cnn_buffer_write(buffer, 0, scratch_bytes(buffer->bytes), buffer->bytes));
}

static void write_all(const cnn_plan *plan)
{
    const cnn_softmax *loss = &plan->softmax;
    const cnn_buffer *const others[] = {
        &plan->scratch,       &plan->gradients,  &plan->labels, &plan->optimizer.states[0],
        &plan->optimizer.states[1],        &loss->losses,     &loss->hits,   &loss->sample_hits,
        &loss->sample_losses, &plan->statistics,
    };
    for (int i = 0; i < plan->buffer_count; i++)
        write_zeros(&plan->buffers[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (others[i]->mem)
            write_zeros(others[i]);
    for (int i = 0; i < plan->step_count; i++)
        if (plan->prepared[i].mem)
            write_zeros(&plan->prepared[i]);
}

/* Two slices of a batch, of values that nothing else has seen. */
static void run_slices(cnn_plan *plan)
{
    const cnn_cut cut = {3, 2};
    cnn_slices slices = {0};
    check_ok(cnn_slices_init(&slices, test_device(), plan->network, cut.slices));
    for (int i = 0; i < slices.slot_count; i++)
        write_zeros(&slices.slots[i]);
    write_zeros(&slices.before);
    write_zeros(&plan->gradients);
    check_ok(cnn_slices_begin(&slices, &cut, &plan->statistics, NULL, NULL));
    for (int i = 0; i < cut.slices; i++)
        check_ok(cnn_slices_put(&slices, i, plan->gradients.mem, plan->statistics.mem));
    check_ok(cnn_slices_end(&slices));
    ck_assert_ptr_nonnull(cnn_slices_sum(&slices));
    check_ok(cnn_slices_settle(&slices, plan->network, NULL, &plan->statistics));
    check_ok(cnn_device_finish(test_device()));
    cnn_slices_finish(&slices);
}

static bool uses_clblast(const cnn_step *step)
{
    return step->op->class == &cnn_linear_op;
}

/* One step of training, or one of evaluation. */
static void run_steps(cnn_plan *plan, const cnn_gather_source *source, const cnn_pass *pass)
{
    check_ok(cnn_plan_gather(plan, source, 1, pass->n));
    for (int i = 0; i < plan->step_count; i++)
        if (!uses_clblast(&plan->steps[i]))
            check_ok(cnn_plan_forward_step(plan, i, pass));
    check_ok(cnn_plan_loss(plan, pass, 0));
    for (int i = plan->step_count - 1; pass->training && i >= 0; i--)
        if (plan->steps[i].output_gradient >= 0 && !uses_clblast(&plan->steps[i]))
            check_ok(cnn_plan_backward_step(plan, i, pass));
    if (plan->options.frozen) /* gradients of frozen layers are filled with zeros: see above */
        write_zeros(&plan->gradients);
    if (plan->optimizer.sum.mem)
        check_ok(cnn_optimizer_add(&plan->optimizer, plan->gradients.mem, pass->before == 0));
    if (pass->training)
        check_ok(cnn_plan_update(plan, 1e-3, 1));
    check_ok(cnn_device_finish(test_device()));
}

static void run_network(bool batchnorm, bool fuse, bool whole_vectors)
{
    enum { TOTAL = 4, BATCH = 3, IMAGE = 2 * 9 * 8 };
    static const uint8_t images[TOTAL * IMAGE];
    static const uint16_t labels[TOTAL];
    static const uint32_t order[TOTAL] = {3, 1, 0, 2};
    random_source random = {.seed = 1};
    cnn_config config;
    cnn_config_init(&config);
    config.xdim[0] = 2;
    config.xdim[1] = 9;
    config.xdim[2] = 8;
    config.ksize = whole_vectors ? 2 : 3;
    config.cdims[0] = whole_vectors ? 16 : 10;
    config.cdims[1] = whole_vectors ? 8 : 17;
    config.hdims[0] = whole_vectors ? 16 : 5;
    config.ydim = 3;
    config.dropout = whole_vectors ? 0.0 : 0.5;
    config.batchnorm = batchnorm;
    plan_case at = make_plan_case(&random, &config, 2);
    cnn_plan *plan = make_plan(&at, BATCH, true, fuse);
    write_all(plan);
    check_ok(cnn_plan_upload(plan, at.model));
    cnn_gather_source source = {device_bytes(images, sizeof images),
                                device_bytes(labels, sizeof labels), NULL};
    run_steps(plan, &source, &(cnn_pass){.n = 2});
    source.order = device_bytes(order, sizeof order);
    run_steps(plan, &source, &(cnn_pass){.n = 2, .training = true, .seed = 1, .step = 2});
    run_slices(plan);
    if (!batchnorm) { /* the last piece of a batch */
        check_ok(cnn_optimizer_init_sum(&plan->optimizer));
        write_zeros(&plan->optimizer.sum);
        run_steps(plan, &source,
                  &(cnn_pass){.n = 2, .training = true, .seed = 1, .step = 2, .before = 3});
    }
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
}

/* _i: batch norm, fused steps, and channels that fill a kernel's vectors, none of them dropped. */
START_TEST(networks)
{
    run_network(_i & 1, _i & 2, _i & 4);
}
END_TEST

static void run_text(const char *text, bool training, bool fuse)
{
    enum { BATCH = 2, IMAGE = 2 * 9 * 8 };
    static const uint8_t images[BATCH * IMAGE];
    static const uint16_t labels[BATCH];
    random_source random = {.seed = 1};
    cnn_network *network;
    check_ok(cnn_network_from_text(&network, "text", text, "text", NULL));
    plan_case at = make_network_case(&random, network, BATCH);
    cnn_plan *plan = make_plan(&at, BATCH, training, fuse);
    write_all(plan);
    check_ok(cnn_plan_upload(plan, at.model));
    cnn_gather_source source = {device_bytes(images, sizeof images),
                                device_bytes(labels, sizeof labels), NULL};
    run_steps(plan, &source, &(cnn_pass){.n = 1, .training = training, .seed = 1, .step = 2});
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}

/* The kinds that the family does not have. */
START_TEST(other_kinds)
{
    run_text("input(2, 9, 8)\n"
             "Conv2d(4, 3, padding=1, groups=2)\n"
             "Conv2d(4, 3, padding=1, groups=4)\n"
             "GroupNorm(2)\n"
             "SiLU()\n"
             "BatchNorm2d(affine=false)\n"
             "p = AvgPool2d(2)\n"
             "q = Dropout(0.4)\n"
             "s = AdaptiveAvgPool2d(1)\n"
             "m = Mul(q, s)\n"
             "Concat(m, p)\n"
             "Conv2d(3, 1, stride=2)\n"
             "AdaptiveAvgPool2d(1)\n",
             true, false);
}
END_TEST

/* The fusions of networks that are not the family's: of training, of evaluation. */
START_TEST(other_fusions)
{
    run_text("input(2, 9, 8)\n"
             "Conv2d(17, 1)\n"
             "r = ReLU()\n"
             "Conv2d(17, 3, padding=1)\n"
             "b = BatchNorm2d()\n"
             "Add(b, r)\n"
             "ReLU()\n"
             "AdaptiveAvgPool2d(1)\n"
             "Flatten()\n"
             "Linear(3)\n",
             _i == 0, true);
}
END_TEST

/* What is behind frozen layers, and a frozen batch norm. */
START_TEST(frozen_layers)
{
    static const char text[] = "input(1, 3, 3)\na = Conv2d(2, 3)\nb = Conv2d(3, 1)\n"
                               "c = BatchNorm2d()\nd = Linear(2)\n";
    static const bool frozen[] = {true, false, true, false};
    static const float rows[3 * 2]; /* the first is left out */
    static const uint16_t labels[3];
    random_source random = {.seed = 1};
    cnn_network *network;
    cnn_plan *plan;
    check_ok(cnn_network_from_text(&network, "frozen", text, "frozen", NULL));
    plan_case at = make_network_case(&random, network, 2);
    const cnn_plan_options options = {.batch = 2,
                                      .training = true,
                                      .frozen = frozen,
                                      .part = CNN_PART_REST,
                                      .slots = 1,
                                      .whole = 2};
    check_ok(cnn_plan_create(&plan, test_device(), network, options));
    write_all(plan);
    check_ok(cnn_plan_upload(plan, at.model));
    cnn_gather_source source = {device_bytes(rows, sizeof rows),
                                device_bytes(labels, sizeof labels), NULL};
    run_steps(plan, &source, &(cnn_pass){.n = 2, .training = true, .seed = 1, .step = 2});
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* What is left of them where a kernel should write shows in what is made of it. */
static void write_nans(const cnn_buffer *buffer)
{
    size_t count = buffer->bytes / sizeof(float);
    float *nans = malloc(buffer->bytes);
    ck_assert_ptr_nonnull(nans);
    for (size_t i = 0; i < count; i++)
        nans[i] = NAN;
    check_ok(cnn_buffer_write(buffer, 0, nans, buffer->bytes));
    free(nans);
}

/* Images that are changed and mixed, by the loss with two labels. */
START_TEST(augmented)
{
    static const char text[] = "input(3, 4, 5)\nFlatten()\nLinear(2)\n";
    static const uint8_t images[3 * 60];
    static const uint16_t labels[3];
    random_source random = {.seed = 1};
    cnn_train_options trained;
    cnn_augment_draw *draws;
    cnn_network *network;
    cnn_plan *plan;
    cnn_train_options_init(&trained);
    trained.augment = (cnn_augmentation){.flip = true,
                                         .shift = 2,
                                         .crop_low = 0.5,
                                         .crop_high = 1.0,
                                         .rotate = 40.0,
                                         .color = 0.5,
                                         .cutout = 2,
                                         .mixup = 0.5};
    check_ok(cnn_network_from_text(&network, "augmented", text, "augmented", NULL));
    plan_case at = make_network_case(&random, network, 2);
    const cnn_plan_options options = {.batch = 3, .training = true, .trained = &trained};
    check_ok(cnn_plan_create(&plan, test_device(), network, options));
    write_all(plan);
    check_ok(cnn_plan_upload(plan, at.model));
    check_ok(cnn_softmax_shape(&plan->softmax, 0.1, NULL));
    cnn_gather_source source = {device_bytes(images, sizeof images),
                                device_bytes(labels, sizeof labels), NULL};
    cnn_pass pass = {.n = 3, .training = true, .seed = 1, .step = 2};
    check_ok(cnn_augment_draw_pass(&draws, &plan->augment, &pass, NULL));
    check_ok(cnn_plan_augment(plan, &source, 0, 2, &pass));
    check_ok(cnn_plan_loss(plan, &pass, 0));
    check_ok(cnn_device_finish(test_device()));
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

/* Each kind of update (_i) with what can go with it: decay, clipping, averages. */
START_TEST(updates)
{
    static const char text[] = "input(1, 3, 3)\nConv2d(2, 3)\nBatchNorm2d()\nLinear(2)\n";
    static const uint8_t images[3 * 9]; /* the first is left out */
    static const uint16_t labels[3];
    static const struct {
        cnn_optimizer_kind kind;
        double momentum;
    } kinds[] = {{CNN_OPTIMIZER_ADAMW, 0.0}, {CNN_OPTIMIZER_SGD, 0.0}, {CNN_OPTIMIZER_SGD, 0.9}};
    random_source random = {.seed = 1};
    float norm;
    cnn_train_options trained;
    cnn_network *network;
    cnn_plan *plan;
    cnn_train_options_init(&trained);
    trained.optimizer = kinds[_i].kind;
    trained.momentum = kinds[_i].momentum;
    trained.nesterov = trained.momentum > 0.0;
    trained.weight_decay = 0.01;
    trained.clip_norm = 1e-3;
    trained.ema = 0.9;
    check_ok(cnn_network_from_text(&network, "updates", text, "updates", NULL));
    plan_case at = make_network_case(&random, network, 2);
    const cnn_plan_options options = {
        .batch = 2, .training = true, .fuse = true, .trained = &trained};
    check_ok(cnn_plan_create(&plan, test_device(), network, options));
    write_all(plan);
    write_nans(&plan->optimizer.sums);
    check_ok(cnn_plan_upload(plan, at.model));
    cnn_gather_source source = {device_bytes(images, sizeof images),
                                device_bytes(labels, sizeof labels), NULL};
    run_steps(plan, &source, &(cnn_pass){.n = 2, .training = true, .seed = 1, .step = 1});
    check_ok(cnn_buffer_read(&norm, &plan->optimizer.norm, 0, sizeof norm));
    ck_assert_msg(isfinite(norm), "the norm is %g", (double)norm);
    cnn_plan_destroy(plan);
    plan_case_finish(&at);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels once");
    device_without_guards();
    TCase *one_by_one = add_device_case(suite, "operations");
    tcase_add_test(one_by_one, operations);
    tcase_add_test(one_by_one, kernels_beside_the_products);
    tcase_add_test(one_by_one, kernels_that_measure);
    tcase_add_test(one_by_one, winograd_columns);
    TCase *together = add_device_case(suite, "networks");
    tcase_add_loop_test(together, networks, 0, 8);
    tcase_add_test(together, other_kinds);
    tcase_add_test(together, frozen_layers);
    tcase_add_loop_test(together, other_fusions, 0, 2);
    tcase_add_loop_test(together, updates, 0, 3);
    tcase_add_test(together, augmented);
    return run_device_suite(suite);
}
