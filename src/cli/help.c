/* The help of the program and of each command: one screen each. */
#include <stdio.h>
#include <string.h>

#include "cli/option_rows.h"
#include "cli/output.h"

enum { SCREEN_ROWS = 16, SCREEN_COLUMNS = 80 };

static void print_row(const cli_option_row *row)
{
    char letter[8] = "", left[32];
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    cli_print("  %-17s %s\n", left, row->help);
}

static void print_rows(unsigned groups)
{
    for (const cli_option_row *row = cli_option_rows; row->name; row++)
        if (row->group & groups)
            print_row(row);
}

static int count_rows(unsigned groups)
{
    int count = 0;
    for (const cli_option_row *row = cli_option_rows; row->name; row++)
        count += (row->group & groups) != 0;
    return count;
}

/* The options' names alone, for a group that is explained elsewhere. */
static void print_names(const char *title, unsigned groups, const char *where)
{
    size_t column = strlen(title);
    cli_print("%s", title);
    for (const cli_option_row *row = cli_option_rows; row->name; row++) {
        char name[48];
        if (!(row->group & groups))
            continue;
        snprintf(name, sizeof name, " --%s%s%s", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        if (column + strlen(name) + 1 > SCREEN_COLUMNS) {
            cli_print("\n ");
            column = 1;
        }
        cli_print("%s", name);
        column += strlen(name);
    }
    cli_print("\n  (see '%s')\n", where);
}

static void print_program_help(void)
{
    cli_print("Usage: cnn-cl [options] COMMAND [options]\n"
              "Trains convolutional neural networks on any OpenCL device. Commands:\n");
    for (const cli_command *at = cli_commands; at->name; at++)
        cli_print("  %-10s %s\n", at->name, at->summary);
    cli_print("Options, before or after the command:\n");
    print_rows(CLI_PROGRAM | CLI_GLOBAL);
    cli_print("Exit codes: 0 done; 1 it failed; 2 the command line is wrong;\n"
              "3 no such OpenCL device, or none; 130 and 143 after SIGINT and SIGTERM.\n");
}

void cli_help_print(const cli_command *command)
{
    if (!command) {
        print_program_help();
        return;
    }
    bool brief = (command->groups & CLI_NETWORK) && count_rows(command->groups) > SCREEN_ROWS;
    cli_print("Usage: cnn-cl %s [options]%s%s\n%s.\n%s\n", command->name, command->words ? " " : "",
              command->words ? command->words : "", command->summary, command->notes);
    print_rows(brief ? command->groups & ~(unsigned)CLI_NETWORK : command->groups);
    if (brief)
        print_names("The network:", CLI_NETWORK, "cnn-cl params --help");
    cli_print("Also --device SEL, --seed N, -q, -v, -h: see 'cnn-cl --help'.\n");
}
