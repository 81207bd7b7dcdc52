/* A training run of the command: what it works on, and the files that it leaves. */
#ifndef CLI_TRAIN_RUN_H
#define CLI_TRAIN_RUN_H

#include "cli/out_folder.h"
#include "cli/run_lock.h"
#include "cli/session.h"

/* All that there are in a run's folder. */
typedef enum train_file {
    TRAIN_MODEL,
    TRAIN_PICTURE,
    TRAIN_AUGMENTED,
    TRAIN_REPORT,
    TRAIN_CURVES,
    TRAIN_CONFUSION,
    TRAIN_FILTERS,
    TRAIN_BEST,
    TRAIN_CHECKPOINT,
    TRAIN_PREVIOUS, /* the checkpoint before */
    TRAIN_METRICS,
    TRAIN_RUN,
    TRAIN_LOCK, /* while training runs */
    TRAIN_FILES
} train_file;

typedef struct train_files {
    char *folder;
    char *paths[TRAIN_FILES]; /* by train_file */
} train_files;

typedef struct train_run {
    cli_options *options;
    cli_session session;
    cnn_checkpoint *checkpoint;  /* that it goes on from; NULL for none */
    const char *checkpoint_path; /* of that */
    cnn_trainer *trainer;
    cnn_metrics *metrics;
    train_files files;
    int xdim[3];           /* that the command line gave, where it did */
    char *found;           /* the folder of a run that was found there: options->out; NULL: none */
    cli_run_lock lock;     /* of their folder */
    bool was_there;        /* the folder, when the run began */
    cnn_position began;    /* where it goes on from */
    cli_out_folder made;   /* of their folder what this run made */
    cli_shown shown;       /* what the network is given, where that is not what the data has */
    int code;              /* of the beginning of its files, which has said it; 0: none failed */
    bool keeps_previous;   /* the checkpoint that is there is good, and this run's */
    bool made_checkpoint;  /* one at least, since the program was started */
    int saved;             /* index of the epoch whose model was saved last */
    cnn_progress progress; /* the last that was told */
    cnn_status failed;     /* of a callback; CNN_OK: none */
    char failure[1024];    /* why */
    const char *lost_output; /* why standard output cannot be written; NULL: it can */
} train_run;

/* The names of the files of a run `name` in the folder `out` (NULL: runs/NAME). Returns an exit
 * code, as all of these do. */
int cli_train_files_init(train_files *files, const char *out, const char *name);
void cli_train_files_finish(train_files *files);
/* Can they be written, and --log-json, which is none of them? Tries, and leaves nothing behind. */
int cli_train_files_check(const train_files *files, const cli_options *options);
/* Can the page of the report and its pictures be written? */
int cli_train_files_check_page(const train_files *files, const cli_options *options);
/* Removes the page and the pictures, which tell of a model as it was, but for augmented.png where
 * the run that `augments` has drawn it. */
void cli_train_files_remove_page(const train_files *files, bool augments);
/* Removes temporary files that a program which was killed left of them. */
void cli_train_files_clean(const train_files *files);

/* The name of the only run that has a checkpoint in the folder `path`, to be freed; NULL: there is
 * none. Refuses several. */
int cli_train_only_run(char **name, const char *path);

/* Finds what there is to go on from, reads it, names the run's files, and takes the options that
 * the command line does not say from the checkpoint. */
int cli_train_find(train_run *run);
/* Takes the options that the command line does not say from the checkpoint; refuses those about data
 * that it says otherwise, and tells of those of a recipe. */
int cli_train_take_options(train_run *run);
/* Refuses an option that was said once more, and otherwise than the checkpoint has it. */
int cli_train_contradicts(const train_run *run, const char *option, const char *then,
                          const char *now);
/* The data set and the model, of the checkpoint where there is one. */
int cli_train_load(train_run *run);
/* Puts the new trainer where the checkpoint was, if there is one, and says so. */
int cli_train_resume(train_run *run);
/* The command that goes on with the run; NULL after saying that there is no memory. */
char *cli_train_resume_command(const train_run *run);

#endif
