/** @file
 * How a network runs on a device: the steps, for people and tools to look at. */
#ifndef CNNCL_PLAN_H
#define CNNCL_PLAN_H

#include <cnncl/device.h>
#include <cnncl/network.h>
#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A table of the steps of training at this batch size, each with the layers it covers, its
 * kernels, their build options and its device memory, and the total. micro_batch is that of
 * cnn_train_options. To be freed with cnn_string_free(). Errors: ARGUMENT, KERNEL, MEMORY, OPENCL.
 */
CNN_API cnn_status cnn_plan_to_text(char **text, cnn_device *device, const cnn_network *network,
                                    int batch, int micro_batch, bool fuse);
/** The same of these options' batch, micro_batch, slices and fuse. */
CNN_API cnn_status cnn_plan_to_text_of(char **text, cnn_device *device, const cnn_network *network,
                                       const cnn_train_options *options);

#ifdef __cplusplus
}
#endif

#endif
