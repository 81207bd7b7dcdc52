/* The recipes that come with the library. */
#include <cnncl/trainer.h>

#include "base/preset.h"
#include "base/status.h"
#include "build_config.h"

cnn_status cnn_recipe_preset(char **path, const char *name)
{
    static const cnn_preset_kind recipes = {"recipe", ".recipe", CNN_RECIPES_BUILD_DIR,
                                            CNN_RECIPES_DATA_DIR, CNN_RECIPES_INSTALL_DIR};
    CNN_NEED(path, name);
    return cnn_preset_find(path, &recipes, name);
}
