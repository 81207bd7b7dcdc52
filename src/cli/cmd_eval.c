/* eval: loss and accuracy of a model on one split of a data set. */
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"

static void print_json(const cnn_evaluation *result, const cli_options *options,
                       const cnn_dataset *dataset)
{
    cli_print("{\n  \"model\": ");
    if (options->model)
        cli_print_json_string(options->model);
    else
        cli_print("null");
    cli_print(",\n  \"data\": ");
    cli_print_json_string(cnn_dataset_source(dataset));
    cli_print(",\n  \"split\": \"%s\",\n  \"loss\": %.9g,\n  \"accuracy\": %.9g,\n"
              "  \"hits\": %zu,\n  \"count\": %zu\n}\n",
              options->split == CNN_SPLIT_TRAIN ? "train" : "test", result->loss, result->accuracy,
              result->hits, result->count);
}

int cmd_eval(cli_options *options)
{
    cli_session session = {0};
    cnn_predictor *predictor = NULL;
    cnn_evaluation result;
    int code = 0;
    CLI_TRY(cli_session_load(&session, options));
    CLI_TRY(cli_session_open_device(&session, options));
    CLI_TRY(cli_check(cnn_predictor_create(&predictor, session.device, session.model,
                                           options->train.batch, options->train.fuse)));
    CLI_TRY(cli_check(cnn_predictor_evaluate(&result, predictor, session.dataset, options->split)));
    if (options->json)
        print_json(&result, options, session.dataset);
    else
        cli_print("loss:[%.3f] accr:[%.3f].\n", result.loss, result.accuracy);
    cli_info("%zu of %zu images right", result.hits, result.count);
out:
    cnn_predictor_destroy(predictor);
    cli_session_finish(&session);
    return code;
}
