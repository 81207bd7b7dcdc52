#include "cli/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

void cli_report_note(cli_report *report, const char *format, ...)
{
    if (report->note_count == CLI_MOST_NOTES)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->notes[report->note_count++], CLI_NOTE_SIZE, format, arguments);
    va_end(arguments);
}

/* As training does: in pieces where it did, and a batch is no larger than the split. */
static int limit_batch(const cli_options *options, const cli_session *session, cnn_split split)
{
    size_t count = session->dataset ? cnn_dataset_count(session->dataset, split) : 0;
    int piece = options->train.micro_batch, batch = piece > 0 ? piece : options->train.batch;
    return count > 0 && count < (size_t)batch ? (int)count : batch;
}

int cli_report_evaluate(cli_report *report, const cli_session *session, const cli_options *options)
{
    static const double backward = 2.5; /* a training step's time beside an evaluated batch's */
    cnn_split judge = cnn_dataset_judge(session->dataset);
    size_t count = cnn_dataset_count(session->dataset, judge);
    cnn_predictor *predictor = NULL;
    int code = 0, batch = limit_batch(options, session, judge);
    if (count == 0) {
        cli_report_note(report, "%s has no test images: nothing was evaluated.",
                        cnn_dataset_source(session->dataset));
        return 0;
    }
    report->predictions = cli_allocate(count, sizeof *report->predictions);
    if (!report->predictions)
        return CLI_EXIT_FAILURE;
    CLI_TRY(cli_check(cnn_predictor_create(&predictor, session->device, session->model, batch,
                                           options->train.fuse)));
    double start = cli_seconds();
    CLI_TRY(cli_check(cnn_predictor_evaluate_samples(&report->evaluation, report->predictions,
                                                     predictor, session->dataset, judge)));
    size_t batches = (count - 1) / (size_t)batch + 1;
    report->step_seconds = backward * (cli_seconds() - start) / (double)batches;
out:
    cnn_predictor_destroy(predictor);
    return code;
}

int cli_report_evaluate_kept(cli_report *report, const cli_session *session, cnn_trainer *trainer)
{
    cnn_split judge = cnn_dataset_judge(session->dataset);
    size_t count = cnn_dataset_count(session->dataset, judge);
    if (count == 0 || !cnn_trainer_keeps(trainer))
        return 0;
    report->predictions = cli_allocate(count, sizeof *report->predictions);
    if (!report->predictions)
        return CLI_EXIT_FAILURE;
    return cli_check(cnn_trainer_evaluate_samples(&report->evaluation, report->predictions, trainer,
                                                  judge));
}

/* Figures of a page are no reason to lose it: what cannot be measured is told there. */
int cli_report_measure(cli_report *report, const cnn_run *run, const cli_session *session,
                       const cli_options *options)
{
    static const double aim = 0.1, most = 1.0; /* seconds of a pass; of all steps */
    enum {
        FEWEST = 3,
        MOST = 50,
        AROUND = 3
    }; /* batches that the bench runs around its two passes */
    cnn_bench_options chosen;
    double step = report->step_seconds, trained = cnn_run_step_seconds(run);
    if (options->train.freeze[0] != '\0') {
        cli_report_note(report, "The steps of the plan were not timed: layers are frozen, and the "
                                "bench trains all. 'cnn-cl bench' times them.");
        return 0;
    }
    if (trained > 0.0 && (step == 0.0 || trained < step))
        step = trained;
    if (step * (2 * FEWEST + AROUND) > most) {
        cli_report_note(report,
                        "The steps of the plan were not timed: a training step takes about %.2g s. "
                        "'cnn-cl bench' times them.",
                        step);
        return 0;
    }
    cnn_bench_options_init(&chosen);
    chosen.batch = limit_batch(options, session, CNN_SPLIT_TRAIN);
    chosen.fuse = options->train.fuse;
    chosen.peaks = false;
    chosen.steps = step > 0.0 ? (int)(aim / step) : FEWEST;
    if (chosen.steps < FEWEST || chosen.steps > MOST)
        chosen.steps = chosen.steps < FEWEST ? FEWEST : MOST;
    if (cnn_bench_run(&report->bench, session->device, session->model, &chosen) != CNN_OK)
        cli_report_note(report, "The steps of the plan were not timed: %s", cnn_error_message());
    return 0;
}

int cli_report_write(cli_report *report, const cnn_run *run, const cli_session *session,
                     uint64_t seed)
{
    const char *notes[CLI_MOST_NOTES + 1] = {NULL};
    for (int i = 0; i < report->note_count; i++)
        notes[i] = report->notes[i];
    const cnn_report_content content = {
        .model = session->model,
        .device = session->device ? cnn_device_get_info(session->device) : NULL,
        .dataset = session->dataset,
        .evaluation = report->predictions ? &report->evaluation : NULL,
        .predictions = report->predictions,
        .bench = report->bench,
        .seed = seed,
        .notes = notes,
    };
    return cli_check(cnn_report_write(run, &content));
}

void cli_report_finish(cli_report *report)
{
    free(report->predictions);
    cnn_bench_destroy(report->bench);
    memset(report, 0, sizeof *report);
}

static int draw_predictions(const cli_report *report, const cli_session *session,
                            const cli_options *options, const char *path)
{
    cli_samples samples = {0};
    int code = 0;
    if (!report->predictions) {
        cli_info("%s is not drawn: there are no test images", path);
        return 0;
    }
    CLI_TRY(cli_samples_take(&samples, session, options, CLI_DEFAULT_SAMPLES, report->predictions));
    CLI_TRY(cli_samples_draw(&samples, session->dataset, path));
    cli_info("predictions of %zu %s images drawn in %s", samples.count,
             cnn_dataset_judge(session->dataset) == CNN_SPLIT_TEST ? "test" : "validation", path);
out:
    cli_samples_finish(&samples);
    return code;
}

int cli_report_training(cli_report *report, const cli_session *session, const cli_options *options,
                        const train_files *files)
{
    cnn_run *run = NULL;
    int code = 0;
    if (!report->predictions)
        CLI_TRY(cli_report_evaluate(report, session, options));
    CLI_TRY(draw_predictions(report, session, options, files->paths[TRAIN_PICTURE]));
    CLI_TRY(cli_check(cnn_run_open(&run, files->folder, options->config.name)));
    CLI_TRY(cli_report_measure(report, run, session, options));
    CLI_TRY(cli_report_write(report, run, session, options->seed));
    cli_info("report on the run in %s", files->paths[TRAIN_REPORT]);
out:
    cnn_run_destroy(run);
    return code;
}
