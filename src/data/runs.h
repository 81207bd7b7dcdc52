/* What trainings leave in a folder of data. */
#ifndef DATA_RUNS_H
#define DATA_RUNS_H

#include <stdbool.h>

#include <cnncl/error.h>

/* Is it the name of a file that only a run's folder has? Its pictures are drawn by the run. */
bool cnn_is_run_file(const char *name);
/* Does a folder hold runs, itself or in folders below, and no pictures but theirs? Errors: MEMORY.
 */
cnn_status cnn_is_folder_of_runs(bool *runs, const char *path);

#endif
