/* --freeze: what stays as it is, where the network's constant beginning ends, and training on what
 * that gives for each sample, once, which ends with the bits of computing it in every step. */
#include <stdio.h>
#include <string.h>

#include <cnncl/checkpoint.h>

#include "check_main.h"
#include "plan/schedule.h"
#include "scratch.h"
#include "train/fingerprint.h"
#include "train/trainer.h"
#include "train_case.h"

static const int shape[] = {3, 9, 8};
enum { EPOCHS = 5, TRAINED = 43, TESTED = 17 };

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

/* fused or plain; resident or streamed; in pieces, where no batch norm is trained; views of images
 * that are changed. */
static const struct {
    const char *freeze;
    bool plain, stream;
    int piece, views;
} runs[] = {
    {"stem,bn", false, false, 0, 0},     {"stem,bn,one,bn1", true, true, 0, 0},
    {"stem,bn*,one", false, true, 3, 0}, {"stem,bn*,one,two", true, false, 0, 0},
    {"stem,bn", false, false, 0, 2},     {"stem,bn*,one", true, true, 3, 1},
    {"stem,bn,one,bn1", false, false, 0, 3},
    {"bn*,two", false, false, 4, 0}, /* nothing is kept */
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
    options.views = runs[_i].views;
    if (options.views > 0)
        options.augment =
            (cnn_augmentation){.flip = true, .shift = 1, .rotate = 20.0, .color = 0.3};
    options.balanced_classes = runs[_i].views == 2;
    options.val_split = runs[_i].views == 3 ? 0.2 : 0.0;
    for (int i = 0; i < 2; i++) {
        options.recompute = i == 0;
        models[i] = train(epochs[i], &launches[i], &fingerprints[i], network, dataset, &options);
    }
    ck_assert(models_are_equal(models[0], models[1]));
    check_epochs(epochs[0], epochs[1]);
    check_frozen(models[0], runs[_i].freeze);
    ck_assert(json_equal(fingerprints[0], fingerprints[1])); /* a resume may go from one to the other */
    /* Views are computed of few images together: less work, but not fewer launches, of so few epochs. */
    if (runs[_i].freeze[0] == 's' && runs[_i].views == 0)
        ck_assert_uint_lt(launches[1], launches[0]);
    json_decref(fingerprints[0]);
    json_decref(fingerprints[1]);
    cnn_model_destroy(models[0]);
    cnn_model_destroy(models[1]);
    cnn_dataset_destroy(dataset);
    cnn_network_destroy(network);
}
END_TEST

/* The first images of a run, as its first epoch has them. */
static void first_views(uint8_t *images, const cnn_network *network, const cnn_dataset *dataset,
                        bool recompute)
{
    enum { SHOWN = 6 };
    cnn_train_options options = train_options();
    cnn_shown shown[SHOWN];
    cnn_model *model;
    cnn_trainer *trainer;
    size_t count = SHOWN;
    snprintf(options.freeze, sizeof options.freeze, "stem,bn");
    options.views = 2;
    options.recompute = recompute;
    options.augment.shift = 3;
    check_ok(cnn_model_create_network(&model, network, 5));
    check_ok(cnn_trainer_create(&trainer, test_device(), model, dataset, &options));
    ck_assert_int_eq(cnn_trainer_keeps(trainer), !recompute);
    check_ok(cnn_trainer_augmented(images, shown, &count, trainer));
    ck_assert_uint_eq(count, SHOWN);
    check_ok(cnn_trainer_run(trainer, NULL));
    cnn_trainer_destroy(trainer);
    cnn_model_destroy(model);
}

static bool stop_after_first(const cnn_epoch *epoch, void *user)
{
    (void)user;
    return epoch->index != 0;
}

/* The view of an epoch follows from its number: a run that went on ends alike. */
START_TEST(views_go_on_after_a_resume)
{
    cnn_network *network = read_network(block);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, TESTED);
    cnn_train_options options = train_options();
    cnn_train_callbacks stop = {.on_epoch = stop_after_first};
    cnn_model *whole, *begun, *resumed;
    cnn_trainer *trainer;
    cnn_checkpoint *checkpoint;
    scratch folder;
    scratch_init(&folder);
    options.epochs = 3;
    options.views = 2;
    options.augment.shift = 3;
    snprintf(options.freeze, sizeof options.freeze, "stem,bn");
    check_ok(cnn_model_create_network(&whole, network, 5));
    check_ok(cnn_trainer_create(&trainer, test_device(), whole, dataset, &options));
    check_ok(cnn_trainer_run(trainer, NULL));
    cnn_trainer_destroy(trainer);
    check_ok(cnn_model_create_network(&begun, network, 5));
    check_ok(cnn_trainer_create(&trainer, test_device(), begun, dataset, &options));
    ck_assert_int_eq(cnn_trainer_run(trainer, &stop), CNN_ERROR_STOPPED);
    check_ok(cnn_trainer_save(trainer, scratch_path(&folder, "checkpoint"), NULL));
    cnn_trainer_destroy(trainer);
    check_ok(cnn_checkpoint_load(&checkpoint, scratch_path(&folder, "checkpoint")));
    ck_assert_int_eq(cnn_checkpoint_options(checkpoint)->views, 2);
    check_ok(cnn_checkpoint_model(&resumed, checkpoint));
    check_ok(cnn_trainer_create(&trainer, test_device(), resumed, dataset,
                                cnn_checkpoint_options(checkpoint)));
    check_ok(cnn_trainer_resume(trainer, checkpoint));
    check_ok(cnn_trainer_run(trainer, NULL));
    cnn_trainer_destroy(trainer);
    ck_assert(models_are_equal(whole, resumed));
    options.views = 3;
    ck_assert_int_eq(cnn_checkpoint_check(checkpoint, network, &options, dataset), CNN_ERROR_DATA);
    ck_assert_msg(strstr(cnn_error_message(), "--views"), "%s", cnn_error_message());
    cnn_checkpoint_destroy(checkpoint);
    cnn_model_destroy(whole);
    cnn_model_destroy(begun);
    cnn_model_destroy(resumed);
    cnn_dataset_destroy(dataset);
    cnn_network_destroy(network);
    scratch_finish(&folder);
}
END_TEST

START_TEST(views_are_shown)
{
    enum { SIZE = 6 * 3 * 9 * 8 };
    cnn_network *network = read_network(block);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, TESTED);
    uint8_t *kept = scratch_bytes(SIZE), *computed = scratch_bytes(SIZE);
    first_views(kept, network, dataset, false);
    first_views(computed, network, dataset, true);
    ck_assert_mem_eq(kept, computed, SIZE);
    cnn_dataset_destroy(dataset);
    cnn_network_destroy(network);
}
END_TEST

START_TEST(what_cannot_be_frozen_is_refused)
{
    static const struct {
        const char *freeze, *message;
        int piece, views;
        double mixup;
    } wrong[] = {
        {"stem,none*",
         "--freeze: expected a pattern of names of layers with parameters (stem, bn, one, bn1, "
         "two, "
         "bn2, fc), found 'none*', which matches none of the network net",
         0, 0, 0.0},
        {"relu*", "found 'relu*', which matches none", 0, 0, 0.0},
        {"stem,", "found '', which matches none", 0, 0, 0.0},
        {"*", "--freeze: expected layers that are left to train, found '*'", 0, 0, 0.0},
        {"stem,bn", "--micro-batch: expected a network without batch norm", 3, 0, 0.0},
        {"", "--views: expected --freeze with it, found none", 0, 2, 0.0},
        {"stem", "--views: expected --augment without mixup", 0, 2, 0.5},
        {"stem", "--views: expected 0 or more, found -1", 0, -1, 0.0},
        {"two,bn2", "--views: expected layers that are frozen from the input on, found none", 0, 2,
         0.0},
    };
    cnn_network *network = read_network(block);
    cnn_dataset *dataset = make_dataset(shape, TRAIN_CLASSES, TRAINED, 0);
    cnn_model *model;
    check_ok(cnn_model_create_network(&model, network, 0));
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cnn_train_options options = train_options();
        cnn_trainer *trainer;
        options.micro_batch = wrong[i].piece;
        options.views = wrong[i].views;
        options.augment.flip = wrong[i].views != 0;
        options.augment.mixup = wrong[i].mixup;
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
    tcase_add_test(tests, views_are_shown);
    tcase_add_test(tests, views_go_on_after_a_resume);
    tcase_add_test(tests, what_cannot_be_frozen_is_refused);
    return run_device_suite(suite);
}
