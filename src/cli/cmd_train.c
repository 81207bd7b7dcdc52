/* train: the notebook's training run, its lines, its model and its picture. */
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/out_folder.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"

enum { NOTHING_SAVED = -2 }; /* -1 is the index of the evaluation before training */

typedef struct train_run {
    cli_options *options;
    cli_session session;
    cnn_trainer *trainer;
    char *folder, *model_path, *picture_path, *report_path;
    int saved;             /* index of the epoch whose model was saved last */
    cnn_progress progress; /* the last that was told */
    int code;              /* of a callback that failed and said so */
} train_run;

static int save_model(train_run *run, int epoch)
{
    int code = cli_check(cnn_model_save(run->session.model, run->model_path));
    if (code == 0)
        run->saved = epoch;
    return code;
}

static void print_epoch(const cnn_epoch *epoch)
{
    if (epoch->index < 0)
        cli_print("train_accr:[%.3f] test_accr:[%.3f].\nStart training.\n", epoch->train_accuracy,
                  epoch->test_accuracy);
    else if (epoch->evaluated)
        cli_print("epoch:[%d] loss:[%.3f] train_accr:[%.3f] test_accr:[%.3f].\n", epoch->index,
                  epoch->loss, epoch->train_accuracy, epoch->test_accuracy);
}

/* The model is saved before its line is printed: a line promises a model. */
static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    train_run *run = user;
    cli_progress_clear();
    if (epoch->index >= 0)
        run->code = save_model(run, epoch->index);
    print_epoch(epoch);
    int flushed = cli_flush();
    if (run->code == 0)
        run->code = flushed;
    return run->code == 0 && cli_interrupt_signal() == 0;
}

static bool on_progress(const cnn_progress *progress, void *user)
{
    train_run *run = user;
    run->progress = *progress;
    if (!run->options->quiet)
        cli_progress_show(progress);
    return cli_interrupt_signal() == 0;
}

static int name_files(train_run *run)
{
    const char *name = run->options->config.name;
    const char *out = run->options->out;
    run->folder =
        cli_concatenate(out ? (const char *[]){out, NULL} : (const char *[]){"runs/", name, NULL});
    if (!run->folder)
        return CLI_EXIT_FAILURE;
    run->model_path =
        cli_concatenate((const char *[]){run->folder, "/", name, ".safetensors", NULL});
    run->picture_path = cli_concatenate((const char *[]){run->folder, "/predictions.png", NULL});
    run->report_path = cli_concatenate((const char *[]){run->folder, "/report.html", NULL});
    return run->model_path && run->picture_path && run->report_path ? 0 : CLI_EXIT_FAILURE;
}

static int stop_for_signal(train_run *run)
{
    int code = CLI_EXIT_SIGNAL + cli_interrupt_signal();
    /* An untrained model must not take the place of an earlier run's. */
    if (run->progress.epoch < 0)
        return cli_fail(code, "interrupted before epoch 0; nothing was saved");
    if (save_model(run, run->progress.epoch) != 0)
        return CLI_EXIT_FAILURE;
    return cli_fail(code,
                    "interrupted in epoch %d (%s, step %zu of %zu); the model as it was then is "
                    "saved in %s",
                    run->progress.epoch, run->progress.phase, run->progress.step,
                    run->progress.steps, run->model_path);
}

/* One line: what happened, and what is left of the run. */
static int stop_for_failure(const train_run *run, cnn_status status)
{
    int code = cli_exit_code(status);
    if (run->saved == NOTHING_SAVED)
        return cli_fail(code, "%s; no model was saved", cnn_error_message());
    return cli_fail(code, "%s; %s keeps the model of epoch %d", cnn_error_message(),
                    run->model_path, run->saved);
}

static int run_trainer(train_run *run)
{
    cnn_train_callbacks callbacks = {on_epoch, on_progress, run};
    cli_interrupt_catch();
    cnn_status status = cnn_trainer_run(run->trainer, &callbacks);
    cli_progress_clear();
    int code = 0;
    if (run->code != 0)
        code = run->code;
    else if (cli_interrupt_signal() != 0 && (status == CNN_OK || status == CNN_ERROR_STOPPED))
        code = stop_for_signal(run);
    else if (status != CNN_OK)
        code = stop_for_failure(run, status);
    else if (run->saved != run->options->train.epochs - 1)
        code = save_model(run, run->options->train.epochs - 1);
    cli_interrupt_release();
    return code;
}

static int prepare(train_run *run)
{
    cli_options *options = run->options;
    int code = 0;
    CLI_TRY(name_files(run));
    const char *files[] = {run->model_path, run->picture_path, run->report_path, NULL};
    CLI_TRY(cli_out_folder_check(run->folder, files, options->no_clobber));
    CLI_TRY(cli_session_load(&run->session, options));
    CLI_TRY(cli_session_open_device(&run->session, options));
    CLI_TRY(cli_session_admit_device(&run->session, options));
    CLI_TRY(cli_check(cnn_trainer_create(&run->trainer, run->session.device, run->session.model,
                                         run->session.dataset, &options->train)));
    cli_info("training takes %.1f MiB of device memory; %s",
             (double)cnn_trainer_device_bytes(run->trainer) / 0x1p20,
             cnn_trainer_is_streaming(run->trainer) ? "batches are streamed from the host"
                                                    : "the data set is on the device");
    CLI_TRY(cli_out_folder_make(run->folder));
    cli_info("evaluating the network as it is before training");
out:
    return code;
}

int cmd_train(cli_options *options)
{
    train_run run = {.options = options, .saved = NOTHING_SAVED};
    run.progress.epoch = -1;
    int code = 0;
    CLI_TRY(prepare(&run));
    CLI_TRY(run_trainer(&run));
    cli_print("Done\n");
    CLI_TRY(cli_flush());
    cli_info("model saved in %s", run.model_path);
    /* Its memory is the predictor's room. The model is saved, whatever becomes of the report. */
    cnn_trainer_destroy(run.trainer);
    run.trainer = NULL;
    CLI_TRY(cli_report_training(&run.session, options, run.folder, run.picture_path));
out:
    cnn_trainer_destroy(run.trainer);
    cli_session_finish(&run.session);
    free(run.folder);
    free(run.model_path);
    free(run.picture_path);
    free(run.report_path);
    return code;
}
