/* report: the page about a run, made from what it left and what can be measured now. */
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/report.h"

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A model that was named must be there; the run's may be missing. */
static int load_model(cli_session *session, cli_report *report, const cnn_run *run,
                      const cli_options *options)
{
    const char *path = options->model ? options->model : cnn_run_model_path(run);
    if (!options->model && !exists(path)) {
        cli_report_note(report, "No model: %s is not there.", path);
        return 0;
    }
    return cli_check(cnn_model_load(&session->model, path));
}

/* Does the data set that was found, but not asked for, belong to the model? */
static bool fits(const cli_session *session)
{
    const cnn_network *network = cnn_model_network(session->model);
    const int *xdim = cnn_network_input(network);
    return memcmp(xdim, cnn_dataset_shape(session->dataset), 3 * sizeof *xdim) == 0 &&
           cnn_dataset_class_count(session->dataset) <= cnn_network_classes(network);
}

/* A data set that was named must be there and fit; the run's may have gone. */
static int load_data(cli_session *session, cli_report *report, const cnn_run *run,
                     const cli_options *options)
{
    const char *folder = options->data ? options->data : cnn_run_data(run);
    if (!session->model)
        return 0;
    if (!options->data && folder && !exists(folder)) {
        cli_report_note(report,
                        "No data: %s, which it was trained on, is not there; --data DIR "
                        "names another place.",
                        folder);
        return 0;
    }
    cli_options as_trained = *options;
    cnn_run_data_options(&as_trained.prepare, run);
    if (cli_option_is_given(options, "labels"))
        as_trained.prepare.coarse_labels = options->prepare.coarse_labels;
    if (options->prepare.skip_broken)
        as_trained.prepare.skip_broken = true;
    if (!cli_option_is_given(options, "val-split"))
        as_trained.train.val_split = cnn_run_val_split(run);
    cnn_status status = cli_session_open_data(session, &as_trained, folder);
    if (folder && status != CNN_OK)
        return cli_check(status);
    if (status != CNN_OK) {
        cli_report_note(report, "No data: %s", cnn_error_message());
        return 0;
    }
    if (options->data)
        return cli_session_check_fit(session,
                                     options->model ? options->model : cnn_run_model_path(run));
    if (!fits(session)) {
        cli_report_note(report,
                        "No data: the images in %s do not fit the model; --data DIR names "
                        "those that it was trained on.",
                        cnn_dataset_source(session->dataset));
        cnn_dataset_destroy(session->dataset);
        session->dataset = NULL;
    }
    return 0;
}

static int measure(cli_report *report, cli_session *session, const cnn_run *run,
                   cli_options *options)
{
    int code = 0;
    if (!session->model || (!session->dataset && options->no_bench))
        return 0;
    if (cnn_run_batch(run) > 0)
        options->train.batch = cnn_run_batch(run);
    options->train.micro_batch = cnn_run_micro_batch(run);
    if (!cli_option_is_given(options, "no-fuse"))
        (void)cnn_run_fuse(&options->train.fuse, run);
    /* Without one that was asked for, the page has what needs none. */
    if (!options->device && cnn_device_create(&session->device, NULL) != CNN_OK) {
        cli_report_note(report, "Nothing was evaluated or timed: %s.", cnn_error_message());
        return 0;
    }
    if (!session->device)
        CLI_TRY(cli_session_open_device(session, options));
    if (session->dataset)
        CLI_TRY(cli_report_evaluate(report, session, options));
    if (!options->no_bench)
        CLI_TRY(cli_report_measure(report, run, session, options));
out:
    return code;
}

int cmd_report(cli_options *options)
{
    const char *folder = options->words[0];
    cli_session session = {0};
    cli_report report = {0};
    cnn_run *run = NULL;
    train_files files = {0};
    uint64_t seed = options->seed;
    int code = 0;
    CLI_TRY(
        cli_check(cnn_run_open(&run, folder, options->name_given ? options->config.name : NULL)));
    CLI_TRY(cli_train_files_init(&files, folder, cnn_run_name(run)));
    CLI_TRY(cli_train_files_check_page(&files, options));
    CLI_TRY(load_model(&session, &report, run, options));
    CLI_TRY(load_data(&session, &report, run, options));
    if (session.model)
        CLI_TRY(cli_session_normalize(&session, options));
    CLI_TRY(measure(&report, &session, run, options));
    if (!cli_option_is_given(options, "seed"))
        (void)cnn_run_seed(&seed, run);
    CLI_TRY(cli_report_write(&report, run, &session, seed));
    for (int i = 0; i < report.note_count; i++)
        cli_info("%s", report.notes[i]);
    cli_info("report in %s", files.paths[TRAIN_REPORT]);
out:
    cnn_run_destroy(run);
    cli_train_files_finish(&files);
    cli_report_finish(&report);
    cli_session_finish(&session);
    return code;
}
