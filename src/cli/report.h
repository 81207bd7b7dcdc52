/* What is known of a model, gathered for the page about its run. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <cnncl/report.h>

#include "cli/session.h"
#include "cli/train_run.h"

enum { CLI_MOST_NOTES = 8, CLI_NOTE_SIZE = 512 };

/* Start from {0}. */
typedef struct cli_report {
    cnn_evaluation evaluation;
    cnn_prediction *predictions; /* (N) of the test split; NULL where there are none */
    double step_seconds;         /* about, of a training step; 0 where it is not known */
    cnn_bench *bench;            /* NULL where there is none */
    int note_count;
    char notes[CLI_MOST_NOTES][CLI_NOTE_SIZE];
} cli_report;

/* A line for the reader: what is missing, and why. */
void cli_report_note(cli_report *report, const char *format, ...) CNN_PRINTF(2, 3);
/* Evaluates the session's model on its test split; notes where that is empty. */
int cli_report_evaluate(cli_report *report, const cli_session *session, const cli_options *options);
/* Measures a few training steps; notes where they would take long. */
int cli_report_measure(cli_report *report, const cnn_run *run, const cli_session *session,
                       const cli_options *options);
/* Writes the page. The session has what is known: model, data set and device may be NULL. */
int cli_report_write(cli_report *report, const cnn_run *run, const cli_session *session,
                     uint64_t seed);
void cli_report_finish(cli_report *report);

/* The same by a trainer whose frozen layers' results are kept: they are not computed again. */
int cli_report_evaluate_kept(cli_report *report, const cli_session *session, cnn_trainer *trainer);

/* The end of a training run: the picture of 25 predictions, and the page. The session has all
 * three; evaluates where the report has nothing yet. */
int cli_report_training(cli_report *report, const cli_session *session, const cli_options *options,
                        const train_files *files);

#endif
