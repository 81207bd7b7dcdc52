#include "cli/session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/network.h"
#include "cli/output.h"
#include "cli/ranks.h"

void *cli_allocate(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        cli_fail(CLI_EXIT_FAILURE, "out of memory: %zu times %zu bytes", count, size);
    return memory;
}

char *cli_concatenate(const char *const *parts)
{
    size_t length = 0;
    for (const char *const *at = parts; *at; at++)
        length += strlen(*at);
    char *text = cli_allocate(length + 1, 1);
    char *end = text;
    for (const char *const *at = parts; text && *at; at++) {
        size_t count = strlen(*at);
        memcpy(end, *at, count);
        end += count;
    }
    return text;
}

/* Before any work: the library would refuse it too, but later. model: its file, NULL where the
 * network is the options'. */
static int check_fit(const cnn_network *network, const cnn_dataset *dataset,
                     const cli_options *options, const char *model)
{
    const int *shape = cnn_dataset_shape(dataset), *input = cnn_network_input(network);
    int found = cnn_dataset_class_count(dataset), classes = cnn_network_classes(network);
    const char *net = options ? options->net : NULL;
    const char *who = model ? model : net ? net : NULL;
    bool fixed = net && !options->ydim_given; /* else it would have the data's classes */
    if (memcmp(input, shape, 3 * sizeof *shape) != 0)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: expected images of %d,%d,%d, found %d,%d,%d in %s: %s",
                        who ? who : "--xdim", input[0], input[1], input[2], shape[0], shape[1],
                        shape[2], cnn_dataset_source(dataset),
                        model                        ? "give the --data it was trained on"
                        : net && options->xdim_given ? "give --size, or data of that shape"
                        : net                        ? "give --xdim, or data of that shape"
                                                     : "leave --xdim out");
    if (found > classes)
        return cli_fail(CLI_EXIT_FAILURE,
                        "%s: expected labels below ydim %d, found label %d in %s: %s",
                        who ? who : "--ydim", classes, found - 1, cnn_dataset_source(dataset),
                        model   ? "give the --data (and --labels) it was trained on"
                        : fixed ? "its last layer is to be Linear(classes)"
                                : "give a larger --ydim");
    return 0;
}

int cli_session_check_fit(const cli_session *session, const char *model)
{
    return check_fit(cnn_model_network(session->model), session->dataset, NULL, model);
}

int cli_session_load_model(cli_session *session, const cli_options *options)
{
    if (options->model)
        return cli_check(cnn_model_load(&session->model, options->model));
    cnn_network *network = NULL;
    int code = cli_network_create(&network, options, session->dataset);
    if (code == 0)
        code = cli_check(cnn_model_create_network(&session->model, network, options->seed));
    cnn_network_destroy(network);
    return code;
}

/* What was not said of the network follows from the data; more classes than usual are told. */
static void adopt_data(cli_options *options, const cnn_dataset *dataset)
{
    int classes = cnn_dataset_class_count(dataset);
    if (!options->xdim_given)
        memcpy(options->config.xdim, cnn_dataset_shape(dataset), sizeof options->config.xdim);
    bool more = classes > options->config.ydim || cnn_dataset_is_of_pictures(dataset, NULL);
    if (!options->ydim_given && !options->model && !options->net && more) {
        cli_info("%d classes, as in %s (--ydim)", classes, cnn_dataset_source(dataset));
        options->config.ydim = classes;
    }
}

void cli_session_choose_split(const cli_session *session, cli_options *options)
{
    cnn_split judge = cnn_dataset_judge(session->dataset);
    if (options->split != CNN_SPLIT_TEST || judge == CNN_SPLIT_TEST)
        return;
    cli_info("%s has no test images: the validation images are taken",
             cnn_dataset_source(session->dataset));
    options->split = judge;
}

/* Pictures are brought to what the network takes, as the model's were; the classes are those of the
 * model. Names are to be freed. */
static int choose_preparation(cnn_data_options *prepare, const char ***names,
                              const cli_session *session, const cli_options *options)
{
    const cnn_model *model = session->model;
    int input[3] = {0};
    int count = model ? cnn_model_class_count(model) : 0;
    *prepare = options->prepare;
    *names = NULL;
    prepare->val_split = options->train.val_split;
    if (model && !cli_option_is_given(options, "val-split") && cnn_model_val_split(model) > 0.0) {
        prepare->val_split = cnn_model_val_split(model);
        cli_info("of data of one split the part is held out that was when the model was trained "
                 "(--val-split %g)",
                 prepare->val_split);
    }
    if (model)
        memcpy(input, cnn_network_input(cnn_model_network(model)), sizeof input);
    if (model || cli_network_input(input, options))
        memcpy(prepare->input, input, sizeof prepare->input);
    if (model && !options->fit_given)
        cnn_model_is_of_pictures(model, &prepare->fit);
    if (session->weights && !options->fit_given &&
        cnn_weights_are_of_pictures(session->weights, &prepare->fit))
        cli_info("pictures are fitted as those of %s were (--fit %s)", options->init,
                 cnn_picture_fit_name(prepare->fit));
    if (model) {
        prepare->class_names = NULL;
        prepare->class_count = cnn_network_classes(cnn_model_network(model));
    }
    if (count == 0)
        return 0;
    *names = cli_allocate((size_t)count, sizeof **names);
    if (!*names)
        return CLI_EXIT_FAILURE;
    for (int i = 0; i < count; i++)
        (*names)[i] = cnn_model_class_name(model, i);
    prepare->class_names = *names;
    prepare->class_count = count;
    return 0;
}

cnn_status cli_session_open_data(cli_session *session, const cli_options *options, const char *path)
{
    cnn_data_options prepare;
    const char **names;
    cnn_status status = CNN_ERROR_MEMORY;
    if (choose_preparation(&prepare, &names, session, options) == 0)
        status = cnn_dataset_open(&session->dataset, path, &prepare);
    free(names);
    return status;
}

/* A share that is held out by default is one of training's. */
static int load_data(cli_session *session, cli_options *options)
{
    cnn_status status = cli_session_open_data(session, options, options->data);
    bool moved = session->data_of && (status == CNN_ERROR_FILE || status == CNN_ERROR_DATA);
    if (moved)
        return cli_fail(CLI_EXIT_FAILURE, "%s has its data in a place that is not as it was; --data NEW goes on "
                                          "with them elsewhere: %s",
                        session->data_of, cnn_error_message());
    int code = cli_check(status);
    if (code == 0 && cnn_dataset_held_out(session->dataset) > 0.0)
        options->train.val_split = cnn_dataset_held_out(session->dataset);
    return code;
}

/* The data of a training may have what its options need. */
static int check_judge(const cli_session *session, const cli_options *options)
{
    size_t apart = cnn_dataset_count(session->dataset, CNN_SPLIT_VAL);
    bool asked = options->train.val_split > 0.0;
    bool trains = options->command->groups & CLI_TRAIN;
    if (!trains && cli_option_is_given(options, "val-split") && apart == 0)
        return cli_fail(CLI_EXIT_USAGE,
                        "--val-split: %s has test images, which judge: what a training held out of "
                        "the others is evaluated while it trains: leave the option out",
                        cnn_dataset_source(session->dataset));
    if (asked && apart > 0 && cnn_dataset_held_out(session->dataset) == 0.0)
        return cli_fail(CLI_EXIT_USAGE,
                        "--val-split: %s has a validation split of its own: leave the option out",
                        cnn_dataset_source(session->dataset));
    if (options->train.early_stop > 0 && !asked && apart == 0)
        return cli_fail(CLI_EXIT_USAGE,
                        "--early-stop needs --val-split: the test images are no judge of when to "
                        "stop");
    return 0;
}

int cli_session_load_data(cli_session *session, cli_options *options)
{
    int code = load_data(session, options);
    return code == 0 ? check_judge(session, options) : code;
}

int cli_session_normalize(const cli_session *session, const cli_options *options)
{
    const char *kind = options->normalize;
    if (!kind)
        return 0;
    bool by_data = strcmp(kind, "data") == 0;
    if (by_data && !session->dataset)
        return cli_fail(CLI_EXIT_USAGE, "--normalize data: there are no training images here: give "
                                        "the numbers, MEANS:STDS");
    cnn_status status = by_data ? cnn_model_normalize_by(session->model, session->dataset)
                                : cnn_model_set_normalization(session->model, kind);
    if (status == CNN_ERROR_ARGUMENT)
        return cli_fail(CLI_EXIT_USAGE, "--normalize: %s", cnn_error_message());
    if (status == CNN_OK)
        cli_info("pixels are normalised, (pixel - mean) / deviation: %s",
                 cnn_model_normalization(session->model));
    return cli_check(status);
}

/* The file is not needed any more. */
static int take_weights(cli_session *session, const cli_options *options)
{
    int code = cli_check(cnn_model_take_weights(session->model, session->weights));
    cnn_weights_destroy(session->weights);
    session->weights = NULL;
    if (code == 0 && !options->normalize &&
        strcmp(cnn_model_normalization(session->model), "none") != 0)
        cli_info("pixels are normalised as there, (pixel - mean) / deviation: %s",
                 cnn_model_normalization(session->model));
    return code;
}

int cli_session_load(cli_session *session, cli_options *options)
{
    int code = 0;
    if (options->model && !session->model)
        CLI_TRY(cli_session_load_model(session, options));
    CLI_TRY(cli_network_check(options));
    if (options->init)
        CLI_TRY(cli_check(cnn_weights_load(&session->weights, options->init)));
    CLI_TRY(cli_session_load_data(session, options));
    adopt_data(options, session->dataset);
    if (!session->model) {
        CLI_TRY(cli_session_load_model(session, options));
        if (!(options->command->groups & CLI_TRAIN))
            cli_info("no --model: a fresh network, not trained, of seed %" PRIu64, options->seed);
    }
    CLI_TRY(
        check_fit(cnn_model_network(session->model), session->dataset, options, options->model));
    if (session->weights)
        CLI_TRY(take_weights(session, options));
    CLI_TRY(cli_session_normalize(session, options));
out:
    return code;
}

int cli_session_create_predictor(cnn_predictor **predictor, const cli_session *session,
                                 const cli_options *options, size_t batch)
{
    int code = 0;
    CLI_TRY(cli_check(cnn_predictor_create(predictor, session->device, session->model, (int)batch,
                                           options->train.fuse)));
    CLI_TRY(cli_check(cnn_predictor_set_tta(*predictor, options->tta)));
out:
    return code;
}

static int admit_one(cnn_device *device, const cli_session *session, const cli_options *options,
                     const cnn_train_options *trained)
{
    cnn_status status = cnn_doctor_admit(device, cnn_model_network(session->model), trained);
    if (status != CNN_ERROR_ARITHMETIC)
        return cli_check(status);
    if (!options->trust_device)
        return cli_fail(CLI_EXIT_FAILURE, "%s; --trust-device trains all the same",
                        cnn_error_message());
    cli_fail(0, "warning: %s; training all the same", cnn_error_message());
    return 0;
}

int cli_session_admit_device(const cli_session *session, const cli_options *options)
{
    size_t count = cnn_dataset_count(session->dataset, CNN_SPLIT_TRAIN);
    cnn_train_options trained = options->train; /* a batch is no larger than the split */
    if (count > 0 && (size_t)trained.batch > count)
        trained.batch = (int)count;
    if (trained.micro_batch >= trained.batch) /* whole batches */
        trained.micro_batch = 0;
    int ranks = cnn_comm_size(cli_ranks_comm());
    if (trained.slices == 0) /* one a rank */
        trained.slices = ranks > 1 ? ranks : session->device_count;
    if (trained.slices > trained.batch)
        trained.slices = trained.batch;
    if (trained.slices > 1) { /* a slice goes through as a batch does */
        trained.batch = (trained.batch + trained.slices - 1) / trained.slices;
        trained.slices = 1;
    }
    int code = 0;
    for (int i = 0; code == 0 && i < session->device_count; i++)
        code = admit_one(session->devices[i], session, options, &trained);
    return code;
}

void cli_session_finish(cli_session *session)
{
    cnn_dataset_destroy(session->dataset);
    cnn_model_destroy(session->model);
    cnn_weights_destroy(session->weights);
    for (int i = 0; i < session->device_count; i++)
        cnn_device_destroy(session->devices[i]);
    memset(session, 0, sizeof *session);
}
