/* Recipes: files of options, one a line, a whole command line of train. */
#ifndef CLI_RECIPE_H
#define CLI_RECIPE_H

#include "cli/options.h"

/* Takes the options of a recipe, NAME of those that come with cnn-cl or the path of a file, but for
 * those that the command line gives. Returns 0, or an exit code after saying what is wrong, with
 * file and line. */
int cli_recipe_take(cli_options *options, const char *recipe);
/* Takes the recipe "folder" where train gets a folder of pictures and no option of network,
 * training or preparation. Returns as that. */
int cli_recipe_take_untold(cli_options *options);

/* A file's, and no name of those that come with cnn-cl? */
bool cli_recipe_is_path(const char *recipe);

/* What a recipe said is not said any more: a checkpoint has it. */
void cli_recipe_forget(cli_options *options);

#endif
