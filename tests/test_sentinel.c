/* A sentinel that looks at every step finds nothing wrong with a right device, whatever the network and
 * the options are, and changes no bit.
 *
 * CNN_TEST_GRAPHS=N tries N networks instead of a few. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/network.h"
#include "random_graph.h"
#include "train_case.h"

enum { FEW = 6, BATCH = 5, TRAINED = 23 };

/* What the sentinel must know of, in turn; each on networks of its own. */
static void vary(cnn_train_options *options, int number)
{
    switch (number % 6) {
    case 0:
        break;
    case 1:
        options->fuse = false;
        options->slices = 3;
        break;
    case 2:
        options->optimizer = CNN_OPTIMIZER_SGD;
        options->momentum = 0.9;
        options->nesterov = true;
        options->weight_decay = 1e-3;
        options->clip_norm = 0.5;
        break;
    case 3:
        options->fuse = false;
        options->ema = 0.9;
        options->optimizer = CNN_OPTIMIZER_ADAMW;
        options->weight_decay = 0.01;
        break;
    case 4:
        options->exact = true;
        break;
    default:
        options->augment.flip = true;
        options->augment.mixup = 0.4;
        options->label_smoothing = 0.1;
        options->balanced_classes = true;
        break;
    }
}

/* A model that was trained; how many of its steps were looked at follows from the option. */
static cnn_model *train(const cnn_network *network, const cnn_dataset *dataset,
                        cnn_train_options options, int sentinel, const char *name)
{
    cnn_model *model;
    cnn_trainer *trainer;
    char *report = NULL;
    options.sentinel = sentinel;
    check_ok(cnn_model_create_network(&model, network, options.seed));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, &options));
    cnn_status status = cnn_trainer_run(trainer, NULL);
    check_ok(cnn_trainer_report(&report, trainer));
    ck_assert_msg(status == CNN_OK, "%s: %s\n%s", name, cnn_error_message(), report ? report : "");
    ck_assert(!report);
    cnn_trainer_destroy(trainer);
    return model;
}

static void check_both(const cnn_network *network, const cnn_train_options *options, const char *name)
{
    cnn_dataset *dataset = make_dataset(network->input, network->classes, TRAINED, 0);
    cnn_model *without = train(network, dataset, *options, 0, name);
    cnn_model *with = train(network, dataset, *options, 1, name);
    ck_assert_msg(models_are_equal(with, without), "%s: a sentinel changes values", name);
    cnn_model_destroy(without);
    cnn_model_destroy(with);
    cnn_dataset_destroy(dataset);
    check_ok(cnn_device_use_exact(test_device(), false));
}

/* Those of the test of graphs, whose kernels are compiled. */
START_TEST(random_graphs_pass)
{
    random_graph_limits limits = random_graph_defaults();
    char name[64];
    limits.most_nodes = 24;
    cnn_network *network = random_graph((uint64_t)(_i % 3 + _i / 6 * 3), &limits);
    cnn_train_options options = train_options();
    options.batch = BATCH;
    options.epochs = 4; /* of five steps */
    options.lr = 1e-3;
    vary(&options, _i);
    snprintf(name, sizeof name, "graph %d", _i);
    check_both(network, &options, name);
    cnn_network_destroy(network);
}
END_TEST

/* Fused steps, with packed channels, batch norm within them and without; in pieces; frozen ones. */
static const struct {
    bool batchnorm, fuse;
    int micro_batch;
    const char *freeze;
} families[] = {{false, true, 0, ""},
                {true, true, 0, ""},
                {false, true, 3, ""},
                {true, true, 0, "net.conv2d_05"},
                {true, false, 0, "net.batchnorm2d_01"}};

START_TEST(the_family_passes)
{
    cnn_config config = train_config(families[_i].batchnorm, 0.3);
    cnn_train_options options = train_options();
    cnn_network *network;
    char name[64];
    options.fuse = families[_i].fuse;
    options.micro_batch = families[_i].micro_batch;
    options.epochs = 12;
    snprintf(options.freeze, sizeof options.freeze, "%s", families[_i].freeze);
    snprintf(name, sizeof name, "family %d", _i);
    check_ok(cnn_network_create(&network, &config));
    check_both(network, &options, name);
    cnn_network_destroy(network);
}
END_TEST

/* Several devices of a process: each is looked at, by draws of its own. */
START_TEST(every_rank_is_looked_at)
{
    cnn_config config = train_config(true, 0.3);
    cnn_train_options options = train_options();
    cnn_dataset *dataset = make_dataset(config.xdim, TRAIN_CLASSES, TRAINED, 0);
    cnn_device *const devices[] = {test_device(), test_device()};
    cnn_trainer *trainer;
    cnn_model *model;
    options.sentinel = 2;
    check_ok(cnn_model_create(&model, &config, options.seed));
    check_ok(cnn_trainer_create_shared(&trainer, NULL, devices, 2, model, dataset, &options));
    check_ok(cnn_trainer_run(trainer, NULL));
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sentinel");
    TCase *tests = add_device_case(suite, "sentinel");
    const char *count = getenv("CNN_TEST_GRAPHS");
    tcase_add_loop_test(tests, the_family_passes, 0, (int)(sizeof families / sizeof families[0]));
    tcase_add_loop_test(tests, random_graphs_pass, 0,
                        count ? (int)strtol(count, NULL, 10) : sweep(FEW, 60));
    tcase_add_test(tests, every_rank_is_looked_at);
    return run_device_suite(suite);
}
