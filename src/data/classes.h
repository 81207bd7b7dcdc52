/* The classes of a model, which data that is loaded for it is of. */
#ifndef DATA_CLASSES_H
#define DATA_CLASSES_H

#include "data/source.h"

/* Does a folder's name say a label below count, as a whole number? */
bool cnn_classes_is_label(const char *name, int count);

/* The classes, in the order of their labels, of folders with these names (found, sorted): the
 * model's of the options, or their own. A model without names says how many there are: folders that
 * are called by their labels are taken so, others in their order where they are all. Adds to
 * names. Errors: DATA (neither fits), MEMORY. */
cnn_status cnn_classes_of_folders(cnn_names *names, const cnn_names *found, const char *folder,
                                  const cnn_data_options *options);

/* The label of a class by its name. path is what names it. Errors: DATA (there is none, or there
 * are two). */
cnn_status cnn_classes_find(int *label, const cnn_names *names, const char *name, const char *path,
                            const cnn_data_options *options);

/* Data whose labels are numbers: where the options' model has names, those become the data's; names
 * of its own must be among them, and say the labels. Errors: DATA (they are not), MEMORY. */
cnn_status cnn_classes_adopt(cnn_dataset *dataset, const char *path,
                             const cnn_data_options *options);

#endif
