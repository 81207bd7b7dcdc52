/* The help of the program and of each command: one screen each. */
#include <stdio.h>
#include <string.h>

#include "cli/option_rows.h"
#include "cli/output.h"

enum { SCREEN_ROWS = 15, SCREEN_COLUMNS = 80, NAME_SIZE = 48, NAME_COLUMNS = 17 };

/* "-q, --quiet", "--lr RATE": returns its length. */
static int format_name(char name[NAME_SIZE], const cli_option_row *row)
{
    char letter[8] = "";
    if (row->letter)
        snprintf(letter, sizeof letter, "-%c, ", row->letter);
    return snprintf(name, NAME_SIZE, "%s--%s%s%s", letter, row->name, row->argument ? " " : "",
                    row->argument ? row->argument : "");
}

/* Which rows of some groups: all, or what is needed rarely, or the others. */
typedef enum row_choice { ALL_ROWS, COMMON_ROWS, RARE_ROWS } row_choice;

static bool is_chosen(const cli_option_row *row, unsigned groups, row_choice choice)
{
    bool rare = (row->group & CLI_RARE) != 0;
    return (row->group & groups) && (choice == ALL_ROWS || rare == (choice == RARE_ROWS));
}

static void print_rows(unsigned groups, row_choice choice)
{
    char name[NAME_SIZE];
    int width = NAME_COLUMNS;
    for (const cli_option_row *row = cli_option_rows; row->name; row++)
        if (is_chosen(row, groups, choice) && format_name(name, row) > width)
            width = format_name(name, row);
    for (const cli_option_row *row = cli_option_rows; row->name; row++)
        if (is_chosen(row, groups, choice)) {
            format_name(name, row);
            cli_print("  %-*s %s\n", width, name, row->help);
        }
}

static int count_rows(unsigned groups)
{
    int count = 0;
    for (const cli_option_row *row = cli_option_rows; row->name; row++)
        count += (row->group & groups) != 0;
    return count;
}

/* The options' names alone, for a group that is explained elsewhere. */
static void print_names(const char *title, unsigned groups, row_choice choice)
{
    size_t column = strlen(title);
    cli_print("%s", title);
    for (const cli_option_row *row = cli_option_rows; row->name; row++) {
        char name[NAME_SIZE];
        if (!is_chosen(row, groups, choice))
            continue;
        size_t length = (size_t)format_name(name, row) + 1;
        if (column + length > SCREEN_COLUMNS) {
            cli_print("\n ");
            column = 1;
        }
        cli_print(" %s", name);
        column += length;
    }
    cli_print("\n");
}

static void print_program_help(void)
{
    cli_print("Usage: cnn-cl [options] COMMAND [options]\n"
              "Trains convolutional neural networks on any OpenCL device. Commands:\n");
    for (const cli_command *at = cli_commands; at->name; at++)
        cli_print("  %-10s %s\n", at->name, at->summary);
    cli_print("Options, before or after the command:\n");
    print_rows(CLI_PROGRAM | CLI_GLOBAL, ALL_ROWS);
    cli_print("Exit codes: 0 done; 1 it failed; 2 the command line is wrong;\n"
              "3 no such OpenCL device, or none; 129/130/143 after SIGHUP/SIGINT/SIGTERM.\n");
}

void cli_help_print(const cli_command *command)
{
    if (!command) {
        print_program_help();
        return;
    }
    unsigned shown = command->groups, named = 0;
    static const unsigned elsewhere[] = {CLI_NETWORK, CLI_PREPARE};
    for (int i = 0; i < 2; i++)
        if ((shown & elsewhere[i]) && count_rows(shown) > SCREEN_ROWS) {
            named |= elsewhere[i];
            shown &= ~elsewhere[i];
        }
    cli_print("Usage: cnn-cl %s [options]%s%s\n%s.\n%s%s", command->name, command->words ? " " : "",
              command->words ? command->words : "", command->summary, command->notes,
              named ? "" : "\n");
    bool crowded = count_rows(shown) > SCREEN_ROWS;
    print_rows(shown, crowded ? COMMON_ROWS : ALL_ROWS);
    if (crowded)
        print_names("  And, as the manual says:", shown, RARE_ROWS);
    if (named)
        print_names(named & CLI_PREPARE
                        ? "The network and data ('params --help', 'eval --help'):"
                        : "The network ('params --help' explains):",
                    named, ALL_ROWS);
    cli_print("Also --device SEL, --seed N, -q, -v, -h: see 'cnn-cl --help'.\n");
}
