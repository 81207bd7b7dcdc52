/* eval: loss and accuracy of a model on one split of a data set, and what it takes for what. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/evaluation.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/session.h"

static void print_json(const cnn_evaluation *result, const cli_evaluation *classes,
                       const cli_options *options)
{
    cli_print("{\n  \"model\": ");
    if (options->model)
        cli_print_json_string(options->model);
    else
        cli_print("null");
    cli_print(",\n  \"data\": ");
    cli_print_json_string(cnn_dataset_source(classes->dataset));
    cli_print(",\n  \"split\": \"%s\",\n  \"tta\": \"%s\",\n  \"loss\": %.9g,\n  \"accuracy\": %.9g,\n"
              "  \"hits\": %zu,\n  \"count\": %zu,\n",
              cnn_split_name(options->split), options->tta == CNN_TTA_FLIP ? "flip" : "none",
              result->loss, result->accuracy, result->hits,
              result->count);
    cli_evaluation_print_json(classes);
    cli_print("\n}\n");
}

/* What all ranks work on, and rank 0's results. */
typedef struct job {
    const cli_session *session;
    const cli_options *options;
    cnn_evaluation *result;
    cli_evaluation *classes;
} job;

/* The result, and what was taken for what. */
static int evaluate(cnn_comm *comm, cnn_device *device, void *user)
{
    const job *all = user;
    const cli_options *options = all->options;
    const cnn_dataset *dataset = all->session->dataset;
    cli_session own = *all->session;
    cnn_predictor *predictor = NULL;
    cnn_evaluation result;
    cnn_prediction *predictions =
        cli_allocate(cnn_dataset_count(dataset, options->split), sizeof *predictions);
    int code = predictions ? 0 : CLI_EXIT_FAILURE;
    CLI_TRY(code);
    own.device = device;
    CLI_TRY(cli_session_create_predictor(&predictor, &own, options, (size_t)options->train.batch));
    if (comm)
        CLI_TRY(cli_check(cnn_predictor_share(predictor, comm, dataset)));
    CLI_TRY(cli_ranks_compare_options(comm, options));
    CLI_TRY(cli_check(cnn_predictor_evaluate_samples(&result, predictions, predictor, dataset,
                                                     options->split)));
    if (cnn_comm_rank(comm) > 0)
        goto out;
    *all->result = result;
    CLI_TRY(cli_evaluation_init(all->classes, dataset, options->split,
                                cnn_network_classes(cnn_model_network(own.model)), predictions));
out:
    cnn_predictor_destroy(predictor);
    free(predictions);
    return code;
}

int cmd_eval(cli_options *options)
{
    cli_session session = {0};
    cnn_evaluation result;
    cli_evaluation classes = {0};
    int code = 0;
    CLI_TRY(cli_session_load(&session, options));
    cli_session_choose_split(&session, options);
    CLI_TRY(cli_session_open_device(&session, options));
    job all = {&session, options, &result, &classes};
    CLI_TRY(cli_ranks_run(session.devices, session.device_count, evaluate, &all));
    if (cli_ranks_follow())
        goto out;
    if (options->json) {
        print_json(&result, &classes, options);
    } else {
        cli_print("loss:[%.3f] accr:[%.3f].\n", result.loss, result.accuracy);
        cli_evaluation_print(&classes);
    }
    cli_info("%zu of %zu images right", result.hits, result.count);
out:
    cli_evaluation_finish(&classes);
    cli_session_finish(&session);
    return code;
}
