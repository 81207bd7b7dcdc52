/* train: the notebook's training run, its lines, its model and its picture. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/out_folder.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/train_run.h"

enum { NOTHING_SAVED = -2 }; /* -1 is the index of the evaluation before training */

static int save_model(train_run *run, int epoch)
{
    int code = cli_check(cnn_model_save(run->session.model, run->files.paths[TRAIN_MODEL]));
    if (code == 0)
        run->saved = epoch;
    return code;
}

static bool makes_checkpoints(const train_run *run)
{
    const cnn_train_options *options = &run->options->train;
    return options->checkpoint_every > 0 || options->checkpoint_steps > 0;
}

/* The first checkpoint of a run takes the place of those that another run left. */
static int save_checkpoint(train_run *run)
{
    const train_files *files = &run->files;
    const char *previous = run->keeps_previous ? files->paths[TRAIN_PREVIOUS] : NULL;
    int code = cli_check(cnn_trainer_save(run->trainer, files->paths[TRAIN_CHECKPOINT], previous));
    if (code == 0 && !run->keeps_previous && !run->checkpoint)
        (void)unlink(files->paths[TRAIN_PREVIOUS]);
    run->keeps_previous = run->keeps_previous || code == 0;
    run->made_checkpoint = run->made_checkpoint || code == 0;
    return code;
}

/* Starts the files that tell of the run: a new run's replace another's when training begins. */
static int begin_records(train_run *run)
{
    const train_files *files = &run->files;
    int code = 0;
    CLI_TRY(cli_check(cnn_metrics_create(&run->metrics, run->trainer, files->paths[TRAIN_METRICS],
                                         run->options->log_json)));
    CLI_TRY(cli_check(cnn_trainer_write_run(run->trainer, files->paths[TRAIN_RUN])));
    if (!cnn_trainer_best(run->trainer).model)
        (void)unlink(files->paths[TRAIN_BEST]);        /* an earlier run's */
    if (!makes_checkpoints(run) && !run->checkpoint) { /* what it goes on from stays */
        (void)unlink(files->paths[TRAIN_CHECKPOINT]);
        (void)unlink(files->paths[TRAIN_PREVIOUS]);
    }
out:
    return code;
}

static int record_epoch(train_run *run, const cnn_epoch *epoch)
{
    int code = 0;
    if (!run->metrics)
        return begin_records(run); /* with this epoch */
    CLI_TRY(save_model(run, epoch->index));
    if (epoch->best)
        CLI_TRY(cli_check(cnn_model_save(run->session.model, run->files.paths[TRAIN_BEST])));
    CLI_TRY(cli_check(cnn_metrics_append(run->metrics, epoch)));
out:
    return code;
}

static void print_accuracies(const cnn_epoch *epoch)
{
    cli_print("train_accr:[%.3f] ", epoch->train_accuracy);
    if (isfinite(epoch->val_accuracy))
        cli_print("val_accr:[%.3f] ", epoch->val_accuracy);
    cli_print("test_accr:[%.3f].\n", epoch->test_accuracy);
}

static void print_epoch(const cnn_epoch *epoch)
{
    if (!epoch->evaluated)
        return;
    if (epoch->index >= 0)
        cli_print("epoch:[%d] loss:[%.3f] ", epoch->index, epoch->loss);
    print_accuracies(epoch);
    if (epoch->index < 0)
        cli_print("Start training.\n");
}

/* The model is saved before its line is printed: a line promises a model. */
static bool on_epoch(const cnn_epoch *epoch, void *user)
{
    train_run *run = user;
    cli_progress_clear();
    run->code = record_epoch(run, epoch);
    if (run->code == 0)
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

static bool on_checkpoint(void *user)
{
    train_run *run = user;
    run->code = save_checkpoint(run);
    return run->code == 0;
}

/* One line: where it stopped, and how it goes on. */
static int stop_for_signal(train_run *run)
{
    int code = CLI_EXIT_SIGNAL + cli_interrupt_signal();
    cnn_position at = cnn_trainer_position(run->trainer);
    bool mid_epoch = at.step > 0 && at.step < at.steps;
    /* An untrained model must not take the place of an earlier run's. */
    if (at.epoch < 0)
        return cli_fail(code, "interrupted before epoch 0; nothing was saved");
    if (save_model(run, at.epoch) != 0)
        return CLI_EXIT_FAILURE;
    if (!makes_checkpoints(run))
        return cli_fail(code,
                        "interrupted in epoch %d (step %zu of %zu); the model as it was then is "
                        "saved in %s",
                        at.epoch, at.step, at.steps, run->files.paths[TRAIN_MODEL]);
    char *command = cli_train_resume_command(run);
    if (!command || save_checkpoint(run) != 0)
        code = CLI_EXIT_FAILURE;
    else if (at.complete)
        cli_fail(code, "interrupted after the last epoch; to finish: %s", command);
    else
        cli_fail(code, "interrupted in epoch %d (%s, step %zu of %zu); to go on: %s", at.epoch,
                 mid_epoch || at.step == 0 ? "train" : run->progress.phase,
                 mid_epoch || at.step == 0 ? at.step : run->progress.step,
                 mid_epoch || at.step == 0 ? at.steps : run->progress.steps, command);
    free(command);
    return code;
}

/* One line: what happened, and what is left of the run. */
static int stop_for_failure(const train_run *run, cnn_status status)
{
    int code = cli_exit_code(status);
    const char *model = run->files.paths[TRAIN_MODEL];
    bool saved = run->saved != NOTHING_SAVED;
    if (!saved && run->checkpoint && !run->made_checkpoint)
        return cli_fail(code, "%s; the checkpoint is as it was", cnn_error_message());
    /* After wrong arithmetic the same numbers would come again. */
    bool goes_on =
        (saved ? run->keeps_previous : run->made_checkpoint) && status != CNN_ERROR_ARITHMETIC;
    char *command = goes_on ? cli_train_resume_command(run) : NULL;
    const char *to_go_on = command ? "; to go on: " : "", *words = command ? command : "";
    if (saved)
        cli_fail(code, "%s; %s keeps the model of epoch %d%s%s", cnn_error_message(), model,
                 run->saved, to_go_on, words);
    else
        cli_fail(code, "%s; no model was saved%s%s", cnn_error_message(), to_go_on, words);
    free(command);
    return code;
}

static int run_trainer(train_run *run)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch,
                                     .on_progress = on_progress,
                                     .on_checkpoint = on_checkpoint,
                                     .user = run};
    cli_interrupt_catch(
        "cnn-cl: interrupted again and ended at once; the checkpoint that was saved last "
        "is whole\n");
    cnn_status status = cnn_trainer_run(run->trainer, &callbacks);
    cli_progress_clear();
    int last = cnn_trainer_position(run->trainer).epoch - 1;
    if (run->code != 0)
        return run->code;
    if (cli_interrupt_signal() != 0 && (status == CNN_OK || status == CNN_ERROR_STOPPED))
        return stop_for_signal(run);
    if (status != CNN_OK)
        return stop_for_failure(run, status);
    return run->saved == last ? 0 : save_model(run, last);
}

/* What the checkpoint knows and a program that was ended may not have written. */
static int restore_files(train_run *run)
{
    int code = 0;
    if (!run->checkpoint || cnn_trainer_position(run->trainer).epoch < 0)
        return 0;
    CLI_TRY(begin_records(run));
    cnn_best best = cnn_trainer_best(run->trainer);
    if (best.model)
        CLI_TRY(cli_check(cnn_model_save(best.model, run->files.paths[TRAIN_BEST])));
out:
    return code;
}

static int prepare(train_run *run)
{
    cli_options *options = run->options;
    int code = 0;
    CLI_TRY(cli_train_find(run));
    CLI_TRY(cli_train_files_check(&run->files, options->no_clobber));
    CLI_TRY(cli_session_find_device(options));
    CLI_TRY(cli_train_load(run));
    CLI_TRY(cli_session_open_device(&run->session, options));
    CLI_TRY(cli_session_admit_device(&run->session, options));
    CLI_TRY(cli_check(cnn_trainer_create(&run->trainer, run->session.device, run->session.model,
                                         run->session.dataset, &options->train)));
    cli_info("training takes %.1f MiB of device memory; %s",
             (double)cnn_trainer_device_bytes(run->trainer) / 0x1p20,
             cnn_trainer_is_streaming(run->trainer) ? "batches are streamed from the host"
                                                    : "the data set is on the device");
    CLI_TRY(cli_train_resume(run));
    CLI_TRY(cli_out_folder_make(run->files.folder));
    cli_train_files_clean(&run->files);
    CLI_TRY(restore_files(run));
    if (cnn_trainer_position(run->trainer).epoch < 0)
        cli_info("evaluating the network as it is before training");
out:
    return code;
}

static void tell_result(const train_run *run)
{
    cnn_best best = cnn_trainer_best(run->trainer);
    cnn_position at = cnn_trainer_position(run->trainer);
    if (at.stopped_early)
        cli_info("stopped early: %d evaluation%s without a better %s accuracy",
                 run->options->train.early_stop, run->options->train.early_stop == 1 ? "" : "s",
                 best.split);
    cli_info("model saved in %s", run->files.paths[TRAIN_MODEL]);
    if (best.model && best.epoch != at.epoch - 1)
        cli_info("the best one, of epoch %d (%s accuracy %.3f), in %s", best.epoch, best.split,
                 best.accuracy, run->files.paths[TRAIN_BEST]);
}

int cmd_train(cli_options *options)
{
    train_run run = {.options = options, .saved = NOTHING_SAVED};
    int code = 0;
    cli_interrupt_end_with("cnn-cl: interrupted before training; nothing was saved\n");
    CLI_TRY(prepare(&run));
    CLI_TRY(run_trainer(&run));
    cli_interrupt_end_with("cnn-cl: interrupted after training; the model is saved\n");
    cli_print("Done\n");
    CLI_TRY(cli_flush());
    tell_result(&run);
    /* Its memory is the predictor's room. The model is saved, whatever becomes of the report. */
    cnn_trainer_destroy(run.trainer);
    run.trainer = NULL;
    CLI_TRY(cli_report_training(&run.session, options, run.files.folder,
                                run.files.paths[TRAIN_PICTURE]));
out:
    cnn_metrics_destroy(run.metrics);
    cnn_trainer_destroy(run.trainer);
    cnn_checkpoint_destroy(run.checkpoint);
    cli_session_finish(&run.session);
    cli_train_files_finish(&run.files);
    return code;
}
