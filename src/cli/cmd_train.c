/* train: the notebook's training run, its lines, its model and its picture. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/ranks.h"
#include "cli/report.h"
#include "cli/train_run.h"

enum { NOTHING_SAVED = -2 }; /* -1 is the index of the evaluation before training */

/* Is the model another than the one that the run goes on from? */
static bool has_trained(const train_run *run)
{
    cnn_position at = cnn_trainer_position(run->trainer);
    return !run->checkpoint || at.epoch != run->began.epoch || at.step != run->began.step;
}

/* With the first model of its own a run takes away the page and the pictures of the one before: it writes
 * its own at its end. */
static cnn_status save_model(train_run *run, int epoch)
{
    cnn_status status = cnn_model_save(run->session.model, run->files.paths[TRAIN_MODEL]);
    if (status != CNN_OK)
        return status;
    if (run->saved == NOTHING_SAVED && has_trained(run))
        cli_train_files_remove_page(&run->files, run->shown.count > 0);
    run->saved = epoch;
    return CNN_OK;
}

static bool makes_checkpoints(const train_run *run)
{
    const cnn_train_options *options = &run->options->train;
    return options->checkpoint_every > 0 || options->checkpoint_steps > 0;
}

/* The first checkpoint of a run takes the place of those that another run left. */
static cnn_status save_checkpoint(train_run *run)
{
    const train_files *files = &run->files;
    const char *previous = run->keeps_previous ? files->paths[TRAIN_PREVIOUS] : NULL;
    cnn_status status = cnn_trainer_save(run->trainer, files->paths[TRAIN_CHECKPOINT], previous);
    if (status != CNN_OK)
        return status;
    if (!run->keeps_previous && !run->checkpoint)
        (void)unlink(files->paths[TRAIN_PREVIOUS]);
    run->keeps_previous = run->made_checkpoint = true;
    return CNN_OK;
}

/* What tells of the run; then what another left is not there any more. */
static cnn_status write_run(const train_run *run)
{
    const train_files *files = &run->files;
    cnn_status status = cnn_trainer_write_run(run->trainer, files->paths[TRAIN_RUN]);
    if (status != CNN_OK)
        return status;
    if (!cnn_trainer_best(run->trainer).model)
        (void)unlink(files->paths[TRAIN_BEST]);        /* an earlier run's */
    if (!makes_checkpoints(run) && !run->checkpoint) { /* what it goes on from stays */
        (void)unlink(files->paths[TRAIN_CHECKPOINT]);
        (void)unlink(files->paths[TRAIN_PREVIOUS]);
    }
    return CNN_OK;
}

static cnn_status record_epoch(train_run *run, const cnn_epoch *epoch)
{
    cnn_status status = save_model(run, epoch->index);
    if (status == CNN_OK && epoch->best)
        status = cnn_model_save(run->session.model, run->files.paths[TRAIN_BEST]);
    return status == CNN_OK ? cnn_metrics_append(run->metrics, epoch) : status;
}

/* What a callback met is said when training has ended, with what is left of the run. */
static bool keep_failure(train_run *run, cnn_status status)
{
    if (status == CNN_OK)
        return false;
    run->failed = status;
    snprintf(run->failure, sizeof run->failure, "%s", cnn_error_message());
    return true;
}

/* One line: what happened, and what is left of the run. */
static int stop_for_failure(const train_run *run, cnn_status status)
{
    int code = cli_exit_code(status);
    const char *what = run->failed != CNN_OK ? run->failure : cnn_error_message();
    const char *model = run->files.paths[TRAIN_MODEL];
    bool saved = run->saved != NOTHING_SAVED;
    if (!saved && run->checkpoint && !run->made_checkpoint)
        return cli_fail(code, "%s; the checkpoint is as it was", what);
    /* After wrong arithmetic the same numbers would come again, but where a sentinel found the device's. */
    bool goes_on = (saved ? run->keeps_previous : run->made_checkpoint) &&
                   (status != CNN_ERROR_ARITHMETIC || cnn_trainer_blames_device(run->trainer));
    char *command = goes_on ? cli_train_resume_command(run) : NULL;
    const char *to_go_on = command ? "; to go on: " : "", *words = command ? command : "";
    if (saved)
        cli_fail(code, "%s; %s keeps the model of epoch %d%s%s", what, model, run->saved, to_go_on,
                 words);
    else
        cli_fail(code, "%s; no model was saved%s%s", what, to_go_on, words);
    free(command);
    return code;
}

/* Makes the folder where it was not there at first: another training may have made it meanwhile. */
static int own_folder(train_run *run)
{
    const train_files *files = &run->files;
    int code = 0;
    CLI_TRY(cli_out_folder_make(&run->made, files->folder));
    CLI_TRY(cli_run_lock_take(&run->lock, files->folder, files->paths[TRAIN_LOCK]));
    if (!run->was_there && access(files->paths[TRAIN_RUN], F_OK) == 0)
        code = cli_fail(CLI_EXIT_FAILURE, "%s: another training made it meanwhile: start again",
                        files->folder);
out:
    return code;
}

/* The folder is as it was until now, where there is something to keep. */
static int begin_files(train_run *run)
{
    const char *drawn = run->files.paths[TRAIN_AUGMENTED];
    int code = 0;
    CLI_TRY(own_folder(run));
    cli_train_files_clean(&run->files);
    if (keep_failure(run, cnn_metrics_create(&run->metrics, run->trainer, run->files.paths[TRAIN_METRICS],
                                             run->options->log_json)))
        return stop_for_failure(run, run->failed);
    if (run->shown.count > 0) {
        CLI_TRY(cli_shown_draw(&run->shown, run->session.dataset, drawn));
        cli_info("what the network is given: %s", drawn);
    }
    if (keep_failure(run, write_run(run)))
        code = stop_for_failure(run, run->failed);
out:
    return code;
}

/* What the checkpoint knows and a program that was ended may not have written. */
static int restore_files(train_run *run)
{
    int code = 0;
    if (!run->checkpoint || cnn_trainer_position(run->trainer).epoch < 0)
        return 0;
    CLI_TRY(begin_files(run));
    cnn_best best = cnn_trainer_best(run->trainer);
    if (best.model)
        CLI_TRY(cli_check(cnn_model_save(best.model, run->files.paths[TRAIN_BEST])));
out:
    return code;
}

/* The split for testing is left out where there is none, but another that judges. */
static void print_accuracies(const cnn_epoch *epoch)
{
    bool validated = isfinite(epoch->val_accuracy);
    cli_print("train_accr:[%.3f]", epoch->train_accuracy);
    if (validated)
        cli_print(" val_accr:[%.3f]", epoch->val_accuracy);
    if (isfinite(epoch->test_accuracy) || !validated)
        cli_print(" test_accr:[%.3f]", epoch->test_accuracy);
    cli_print(".\n");
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
    if (!run->metrics) /* they begin with this epoch */
        run->code = begin_files(run);
    else if (keep_failure(run, record_epoch(run, epoch)))
        return false;
    if (run->code != 0)
        return false;
    print_epoch(epoch);
    run->lost_output = cli_flush_failure();
    return !run->lost_output && cli_interrupt_signal() == 0;
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
    return !keep_failure(run, save_checkpoint(run));
}

/* Where training is: in an epoch, or in an evaluation behind it. */
static char *describe_position(const train_run *run)
{
    cnn_position at = cnn_trainer_position(run->trainer);
    bool trains = at.step == 0 || at.step < at.steps;
    char text[128];
    snprintf(text, sizeof text, "in epoch %d (%s, step %zu of %zu)", at.epoch,
             trains ? "train" : run->progress.phase, trains ? at.step : run->progress.step,
             trains ? at.steps : run->progress.steps);
    return cli_concatenate((const char *[]){at.complete ? "after the last epoch" : text, NULL});
}

/* Saves where it stopped. One line: why, where, and how it goes on. */
static int stop_early(train_run *run, int code, const char *why)
{
    cnn_position at = cnn_trainer_position(run->trainer);
    /* An untrained model must not take the place of an earlier run's. */
    if (at.epoch < 0)
        return cli_fail(code, "%s before epoch 0; nothing was saved", why);
    cnn_metrics_destroy(run->metrics); /* what it warns of stands before the last line */
    run->metrics = NULL;
    if (cli_check(save_model(run, at.epoch)) != 0)
        return CLI_EXIT_FAILURE;
    if (!makes_checkpoints(run))
        return cli_fail(code,
                        "%s in epoch %d (step %zu of %zu); the model as it was then is saved in %s",
                        why, at.epoch, at.step, at.steps, run->files.paths[TRAIN_MODEL]);
    char *where = describe_position(run), *command = cli_train_resume_command(run);
    if (!where || !command || cli_check(save_checkpoint(run)) != 0)
        code = CLI_EXIT_FAILURE;
    else
        cli_fail(code, "%s %s; to %s: %s", why, where, at.complete ? "finish" : "go on", command);
    free(where);
    free(command);
    return code;
}

static int stop_for_output(train_run *run)
{
    char why[128];
    snprintf(why, sizeof why, "standard output cannot be written: %s: stopped", run->lost_output);
    return stop_early(run, CLI_EXIT_FAILURE, why);
}

/* What a sentinel has found stands before the last line, which stays the thread's message. */
static void tell_report(const train_run *run)
{
    char *text = NULL;
    if (cnn_trainer_report(&text, run->trainer) == CNN_OK && text)
        fprintf(stderr, "%s", text);
    cnn_string_free(text);
}

/* In another thread: that of the first device hangs, and would hold the folder for ever. */
static void on_stuck(cnn_status status, void *user)
{
    _exit(stop_for_failure(user, status));
}

static int run_trainer(train_run *run)
{
    cnn_train_callbacks callbacks = {.on_epoch = on_epoch,
                                     .on_progress = on_progress,
                                     .on_checkpoint = on_checkpoint,
                                     .on_stuck = on_stuck,
                                     .user = run};
    cli_interrupt_catch(
        "cnn-cl: interrupted again and ended at once; what was saved before is whole\n");
    cnn_status status = cnn_trainer_run(run->trainer, &callbacks);
    cli_progress_clear();
    int last = cnn_trainer_position(run->trainer).epoch - 1;
    if (run->code != 0)
        return run->code;
    if (run->failed != CNN_OK)
        return stop_for_failure(run, run->failed);
    if (cli_interrupt_signal() != 0 && (status == CNN_OK || status == CNN_ERROR_STOPPED))
        return stop_early(run, CLI_EXIT_SIGNAL + cli_interrupt_signal(), "interrupted");
    if (run->lost_output)
        return stop_for_output(run);
    if (status == CNN_ERROR_ARITHMETIC)
        tell_report(run);
    if (status != CNN_OK)
        return stop_for_failure(run, status);
    return run->saved == last ? 0 : cli_check(save_model(run, last));
}

/* What --momentum says is not what is done. */
static void tell_momentum(const cli_options *options)
{
    const cnn_train_options *train = &options->train;
    if (train->schedule.kind == CNN_SCHEDULE_ONECYCLE && !train->fixed_momentum)
        cli_info("onecycle moves the momentum from 0.95 to 0.85 and back, as PyTorch's OneCycleLR "
                 "does (--fixed-momentum: it stays)");
}

static int prepare(train_run *run)
{
    cli_options *options = run->options;
    int code = 0;
    if (options->untold_recipe)
        cli_info("a folder of pictures and no option of network, training or preparation: --recipe "
                 "%s is taken",
                 options->untold_recipe);
    CLI_TRY(cli_train_find(run));
    if (!cli_ranks_follow())
        CLI_TRY(cli_train_files_check(&run->files, options));
    CLI_TRY(cli_train_load(run));
    CLI_TRY(cli_session_open_device(&run->session, options));
    CLI_TRY(cli_session_admit_device(&run->session, options));
    CLI_TRY(cli_check(cnn_trainer_create_shared(
        &run->trainer, cli_ranks_comm(), run->session.devices, run->session.device_count,
        run->session.model, run->session.dataset, &options->train)));
    cli_info("training takes %.1f MiB of device memory; %s",
             (double)cnn_trainer_device_bytes(run->trainer) / 0x1p20,
             cnn_trainer_is_streaming(run->trainer) ? "batches are streamed from the host"
                                                    : "the data set is on the device");
    tell_momentum(options);
    CLI_TRY(cli_train_resume(run));
    run->began = cnn_trainer_position(run->trainer);
    if (cli_ranks_follow())
        return 0;
    if (cnn_trainer_augments(run->trainer))
        CLI_TRY(cli_shown_take(&run->shown, run->trainer, run->session.dataset));
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

/* A rank that is not the first: it has no files, and ends with the others. */
static int follow(train_run *run)
{
    cli_interrupt_catch("cnn-cl: interrupted again and ended at once\n");
    cnn_status status = cnn_trainer_run(run->trainer, NULL);
    if (status == CNN_ERROR_ARITHMETIC)
        tell_report(run);
    return status == CNN_ERROR_STOPPED ? 0 : cli_check(status);
}

int cmd_train(cli_options *options)
{
    train_run run = {.options = options, .saved = NOTHING_SAVED, .lock.file = -1};
    cli_report report = {0};
    int code = 0;
    cli_interrupt_end_with("cnn-cl: interrupted before training; nothing was saved\n");
    CLI_TRY(prepare(&run));
    if (cli_ranks_follow()) {
        code = follow(&run);
        goto out;
    }
    CLI_TRY(run_trainer(&run));
    cli_interrupt_end_with("cnn-cl: interrupted after training; the model is saved\n");
    cli_print("Done\n");
    CLI_TRY(cli_flush());
    tell_result(&run);
    CLI_TRY(cli_report_evaluate_kept(&report, &run.session, run.trainer));
    /* Its memory is the predictor's room. The model is saved, whatever becomes of the report. */
    cnn_trainer_destroy(run.trainer);
    run.trainer = NULL;
    CLI_TRY(cli_report_training(&report, &run.session, options, &run.files));
out:
    cli_report_finish(&report);
    cnn_metrics_destroy(run.metrics);
    cnn_trainer_destroy(run.trainer);
    cnn_checkpoint_destroy(run.checkpoint);
    cli_session_finish(&run.session);
    cli_run_lock_release(&run.lock);
    cli_out_folder_leave(&run.made, run.saved == NOTHING_SAVED && !run.made_checkpoint);
    cli_shown_finish(&run.shown);
    cli_train_files_finish(&run.files);
    free(run.found);
    return code;
}
