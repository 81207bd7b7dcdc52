/* --freeze: what stays as it is, where the network's constant beginning ends, and training on what
 * that gives for each sample, once, which ends with the bits of computing it in every step. */
#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "plan/schedule.h"
#include "train/fingerprint.h"
#include "train/trainer.h"
#include "train_case.h"

static const int shape[] = {3, 9, 8};
enum { EPOCHS = 2, TRAINED = 43, TESTED = 17 };

static cnn_network *read_network(const char *text)
{
    cnn_network *network;
    const cnn_network_given given = {.input = {3, 9, 8}, .classes = TRAIN_CLASSES};
    check_ok(cnn_network_from_text(&network, "net", text, "text", &given));
    return network;
}

/* A block with a sum, a frozen beginning that ends within it or behind it, and masks behind. */
static const char block[] = "input()\n"
                            "stem = Conv2d(5, 3, stride=2, padding=1, bias=false)\n"
                            "bn = BatchNorm2d()\n"
                            "begun = ReLU6()\n"
                            "one = Conv2d(5, 3, padding=1)\n"
                            "bn1 = BatchNorm2d()\n"
                            "sum = Add(bn1, begun)\n"
                            "two = Conv2d(6, 3, padding=1, groups=1)\n"
                            "bn2 = BatchNorm2d(affine=false)\n"
                            "ReLU()\n"
                            "MaxPool2d(2)\n"
                            "Dropout2d(0.2)\n"
                            "Flatten()\n"
                            "fc = Linear(classes)\n";

static const struct {
    const char *text, *freeze, *last; /* of the constant beginning; NULL: none */
} cuts[] = {
    {block, "stem", "stem"},
    {block, "stem,bn", "begun"},
    {block, "stem,bn,one", "begun"}, /* the sum reads it, too */
    {block, "stem,bn,one,bn1", "sum"},
    {block, "st*,b?,bn1,one", "sum"},
    {block, "stem,bn*,one,two", "maxpool2d_09"}, /* then something is drawn */
    {block, "one,bn1,two", NULL},
    {block, "bn2", NULL},
    {"input()\nFlatten()\na = Linear(7)\nDropout(0)\nfc = Linear(classes)\n", "a", "dropout_02"},
    {"input()\na = Conv2d(3, 3, padding=1)\nb = Conv2d(3, 3, padding=1)\nAdd(input)\nFlatten()\n"
     "fc = Linear(classes)\n",
     "a,b", "flatten_03"}, /* behind what reads the input once more */
};

START_TEST(constant_beginning_ends)
{
    cnn_network *network = read_network(cuts[_i].text);
    bool frozen[16] = {false};
    check_ok(cnn_network_match(frozen, network, cuts[_i].freeze, "--freeze"));
    int cut = cnn_frozen_cut(network, frozen);
    if (cuts[_i].last)
        ck_assert_str_eq(cut ? network->layers[cut - 1].name : "none", cuts[_i].last);
    else
        ck_assert_int_eq(cut, 0);
    ck_assert_int_eq(cnn_frozen_cut(network, NULL), 0);
    cnn_network_destroy(network);
}
END_TEST

static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    cnn_epoch *epochs = user;
    epochs[epoch->index + 1] = *epoch;
    return true;
}

/* Also what a checkpoint would say of how the network runs. */
static cnn_model *train(cnn_epoch *epochs, uint64_t *launches, json_t **fingerprint,
                        const cnn_network *network, const cnn_dataset *dataset,
                        const cnn_train_options *options)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch, .user = epochs};
    uint64_t before = test_device()->launches;
    cnn_model *model;
    cnn_trainer *trainer;
    check_ok(cnn_model_create_network(&model, network, 5));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, options));
    check_ok(cnn_trainer_run(trainer, &callbacks));
    check_ok(cnn_fingerprint(fingerprint, trainer->plan));
    cnn_trainer_destroy(trainer);
    *launches = test_device()->launches - before;
    return model;
}

/* Frozen layers have the values that they had, others do not. */
static void check_frozen(const cnn_model *model, const char *freeze)
{
    cnn_model *fresh;
    bool frozen[16] = {false};
    check_ok(cnn_network_match(frozen, model->network, freeze, "--freeze"));
    check_ok(cnn_model_create_network(&fresh, model->network, 5));
    for (size_t i = 0; i < model->slot_count; i++) {
        const cnn_tensor_info *now = &model->slots[i].info, *then = &fresh->slots[i].info;
        size_t size = now->type == CNN_INT64 ? sizeof(int64_t) : sizeof(float);
        ck_assert_msg((memcmp(now->values, then->values, now->count * size) == 0) ==
                          frozen[model->slots[i].layer],
                      "%s of %s", now->name, freeze);
    }
    cnn_model_destroy(fresh);
}

static void check_epochs(const cnn_epoch *a, const cnn_epoch *b)
{
    for (int i = 0; i <= EPOCHS; i++) {
        if (i > 0)
            ck_assert_double_eq(a[i].loss, b[i].loss);
        ck_assert_double_eq(a[i].train_accuracy, b[i].train_accuracy);
        ck_assert_double_eq(a[i].test_accuracy, b[i].test_accuracy);
    }
}

/* fused or plain; resident or streamed; in pieces, where no batch norm is trained. */
static const struct {
    const char *freeze;
    bool plain, stream;
    int piece;
} runs[] = {
    {"stem,bn", false, false, 0},     {"stem,bn,one,bn1", true, true, 0},
    {"stem,bn*,one", false, true, 3}, {"stem,bn*,one,two", true, false, 0},
    {"bn*,two", false, false, 4}, /* nothing is kept */
};

START_TEST(kept_is_what_is_computed_each_time)
{
    cnn_network *network = read_network(block);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, TESTED);
    cnn_train_options options = train_options();
    cnn_epoch epochs[2][EPOCHS + 1];
    cnn_model *models[2];
    json_t *fingerprints[2];
    uint64_t launches[2];
    options.epochs = EPOCHS;
    options.fuse = !runs[_i].plain;
    options.stream = runs[_i].stream;
    options.micro_batch = runs[_i].piece;
    snprintf(options.freeze, sizeof options.freeze, "%s", runs[_i].freeze);
    for (int i = 0; i < 2; i++) {
        options.recompute = i == 0;
        models[i] = train(epochs[i], &launches[i], &fingerprints[i], network, dataset, &options);
    }
    ck_assert(models_are_equal(models[0], models[1]));
    check_epochs(epochs[0], epochs[1]);
    check_frozen(models[0], runs[_i].freeze);
    ck_assert(json_equal(fingerprints[0], fingerprints[1])); /* a resume may go from one to the other */
    if (runs[_i].freeze[0] == 's')
        ck_assert_uint_lt(launches[1], launches[0]);
    json_decref(fingerprints[0]);
    json_decref(fingerprints[1]);
    cnn_model_destroy(models[0]);
    cnn_model_destroy(models[1]);
    cnn_dataset_destroy(dataset);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(what_cannot_be_frozen_is_refused)
{
    static const struct {
        const char *freeze, *message;
        int piece;
    } wrong[] = {
        {"stem,none*",
         "--freeze: expected a pattern of names of layers with parameters (stem, bn, one, bn1, "
         "two, "
         "bn2, fc), found 'none*', which matches none of the network net",
         0},
        {"relu*", "found 'relu*', which matches none", 0},
        {"stem,", "found '', which matches none", 0},
        {"*", "--freeze: expected layers that are left to train, found '*'", 0},
        {"stem,bn", "--micro-batch: expected a network without batch norm", 3},
    };
    cnn_network *network = read_network(block);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, 0);
    cnn_model *model;
    check_ok(cnn_model_create_network(&model, network, 0));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cnn_train_options options = train_options();
        cnn_trainer *trainer;
        options.micro_batch = wrong[i].piece;
        snprintf(options.freeze, sizeof options.freeze, "%s", wrong[i].freeze);
        ck_assert_int_eq(cnn_trainer_create(&trainer, test_device(), model, dataset, &options),
                         CNN_ERROR_ARGUMENT);
        ck_assert_msg(strstr(cnn_error_message(), wrong[i].message), "%s", cnn_error_message());
    }
    cnn_model_destroy(model);
    cnn_dataset_destroy(dataset);
    cnn_network_destroy(network);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frozen");
    TCase *tests = add_device_case(suite, "frozen");
    tcase_add_loop_test(tests, constant_beginning_ends, 0, (int)(sizeof cuts / sizeof cuts[0]));
    tcase_add_loop_test(tests, kept_is_what_is_computed_each_time, 0,
                        (int)(sizeof runs / sizeof runs[0]));
    tcase_add_test(tests, what_cannot_be_frozen_is_refused);
    return run_device_suite(suite);
}
