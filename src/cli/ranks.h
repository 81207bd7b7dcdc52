/* This process as one of several that a launcher started. Rank 0 alone prints and writes. */
#ifndef CLI_RANKS_H
#define CLI_RANKS_H

#include <cnncl/comm.h>

#include "cli/options.h"

/* Before the command line is read: a rank that is not the first says nothing from now on. */
void cli_ranks_init(void);
/* Joins the other ranks, where there are some; refuses what is for one alone. Returns an exit code. */
int cli_ranks_begin(const cli_options *options);
/* The end of the program, with its exit code, which it returns. In a failure it ends all ranks, and
 * does not return where there are others. */
int cli_ranks_end(int code);

/* NULL where there are no others. */
cnn_comm *cli_ranks_comm(void);
/* Is this one not the first? */
bool cli_ranks_follow(void);

/* The devices that --device names, "0,1": a list of selectors, (most) at most, that point into text,
 * which is changed. Returns how many; 0 where nothing is said. */
int cli_devices_split(const char **selectors, int most, char *text);

#endif
