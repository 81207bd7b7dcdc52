/* This process as one of several that a launcher started. Rank 0 alone prints and writes. */
#ifndef CLI_RANKS_H
#define CLI_RANKS_H

#include <cnncl/comm.h>
#include <cnncl/device.h>

#include "cli/options.h"

/* Before the command line is read: a rank that is not the first says nothing from now on. */
void cli_ranks_init(void);
/* Joins the other ranks, where there are some; refuses what is for one alone. Returns an exit code. */
int cli_ranks_begin(const cli_options *options);
/* The end of the program, with its exit code, which it returns. In a failure it ends all ranks, and
 * does not return where there are others. */
int cli_ranks_end(int code);

/* Does the command, as it was asked for, take several ranks, or devices? */
bool cli_ranks_may_share(const cli_options *options);

/* What a rank does: comm is NULL for one that is alone. Returns an exit code. */
typedef int cli_rank_work(cnn_comm *comm, cnn_device *device, void *user);
/* Has it done by every rank: this process, or a thread for each of several devices, the first of which is
 * this one. Threads other than this print nothing. Where one fails all end, and rank 0 says why. Returns an
 * exit code. */
int cli_ranks_run(cnn_device *const *devices, int count, cli_rank_work *work, void *user);

/* Work in units, numbered from 0, that print something. */
typedef struct cli_units {
    size_t count;
    bool (*is_first)(size_t unit, void *user); /* is it rank 0's? NULL: any rank's */
    int (*run)(size_t unit, void *user);       /* returns an exit code */
    void *user;
} cli_units;
/* Deals them out over the ranks; rank 0 prints and says what they do in their order. Returns an exit
 * code. */
int cli_units_run(const cli_units *units, cnn_comm *comm);

/* The ranks have done what they share: one that fails from now on ends as others do. */
void cli_ranks_are_done(void);

/* NULL where there are no others. */
cnn_comm *cli_ranks_comm(void);
/* Is this one not the first? */
bool cli_ranks_follow(void);

/* No part of a list of devices is empty, and none is too much; option is where it is from. Returns an
 * exit code. */
int cli_devices_check(const char *text, const char *option);
/* The devices that --device names, "0,1": a list of selectors, (most) at most, that point into text,
 * which is changed. Returns how many; 0 where nothing is said. */
int cli_devices_split(const char **selectors, int most, char *text);

/* Ranks whose command lines differ would evaluate each in its own way: refused by the option's name,
 * but for those that are a rank's own business (its device, its paths). all may be NULL. */
int cli_ranks_compare_options(cnn_comm *all, const cli_options *options);

#endif
