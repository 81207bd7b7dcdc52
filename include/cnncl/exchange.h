/** @file
 * Models that go elsewhere, and models that come from elsewhere: ONNX, NumPy's npz, PyTorch. */
#ifndef CNNCL_EXCHANGE_H
#define CNNCL_EXCHANGE_H

#include <cnncl/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Writes the network in evaluation mode as an ONNX model (opset 17, IR version 8), atomically. Its
 * input "image" is (batch, C, H, W) float32 with pixels in 0..1, its output "logits" (batch, ydim);
 * the batch is free. Every kind of layer becomes operators; the initialisers have PyTorch's names,
 * dropout is left out, and what normalises the pixels is part of the graph. Metadata:
 * "cnn-cl.version", "cnn-cl.config", and what saved models have of classes and pictures. Errors:
 * DATA (a value that is not finite), ARGUMENT (more than the 2 GiB that the format holds), FILE,
 * MEMORY. */
CNN_API cnn_status cnn_model_export_onnx(const cnn_model *model, const char *path);

/** Writes every tensor under PyTorch's name into an npz file, for numpy.load(), atomically. Errors:
 * DATA (a value that is not finite), FILE, MEMORY. */
CNN_API cnn_status cnn_model_export_npz(const cnn_model *model, const char *path);

/** What the tensors of a state_dict do not say. */
typedef struct cnn_import_options {
    const char *name;    /**< of the network; NULL: the file's own, else "cnn" */
    const int *xdim;     /**< channels, height, width; NULL: the file's own, else inferred */
    const char *network; /**< path of the network's file (cnn_network_preset() has some); NULL:
                            the file's own, else a preset that fits, else the family */
    int ydim;            /**< classes of the network; 0: as the file has */
    double dropout;      /**< in [0, 1); below 0: the file's own, else 0.5 */
    const char *normalization; /**< as of cnn_model_set_normalization(), what the network's pixels
                                  were in training; NULL: the file's own, else none */
} cnn_import_options;

/** The defaults: NULL and 0, dropout -1. */
CNN_API void cnn_import_options_init(cnn_import_options *options);

/** A model from a file with a state_dict: safetensors (one file, or the
 * JSON index of several), or what torch.save() wrote, in the zip form or the older one, alone or in
 * a checkpoint. Of a pickle only tensors, numbers, strings and containers are built, any other name
 * in it is refused, and nothing is run.
 *
 * Its tensors are those of options->network, by name, with any common part before the names, else
 * by the chain of the layers' shapes. `classes` is then the width that the network's last layer
 * with parameters has in the file, and the input is xdim, else the network file's. Without
 * options->network it is the preset that has all of the file's names and shapes, and this is
 * logged; else a network of the notebook's family: cdims, hdims, ksize, ydim and batch norm follow
 * from the tensors' names and shapes, where the names are another network's from the chain of the
 * shapes; so do the channels of xdim (without a convolution: 1 or 3, what fits). Its plane does
 * not: 28 x 28 or 32 x 32 are taken where only such a network of this family explains the file,
 * else xdim is asked for. What was assumed, left out or converted (F16, BF16 and F64 become
 * float32) goes to the log as information. A file that has the metadata "cnn-cl.config" says all
 * itself.
 *
 * An ONNX file (a name that ends in ".onnx", or one that begins as such files do) is a network: its
 * nodes become layers, Sub and Div of its input the normalisation (behind options->normalization,
 * where both are there), a softmax or sigmoid at its end is left out. An input of whole numbers, or
 * one that is divided by 16 or more, is pixels from 0 to 255. Its input's open sizes are xdim's;
 * options->network and dropout must not be there. Errors: FILE, DATA (the tensor, what was expected
 * and found; an xdim that cannot be inferred), ARGUMENT (an option out of range or of no use, a
 * network file that is wrong, a ydim that is not the network's), MEMORY. */
CNN_API cnn_status cnn_model_import(cnn_model **model, const char *path,
                                    const cnn_import_options *options);

/** The tensors of a file, for a model to start from. */
typedef struct cnn_weights cnn_weights;

/** Reads a file of any of the formats of cnn_model_import(); of ONNX, the tensors are those of the
 * layers that it becomes. Errors: FILE, DATA, MEMORY. */
CNN_API cnn_status cnn_weights_load(cnn_weights **weights, const char *path);
/** Frees it. NULL is no error. */
CNN_API void cnn_weights_destroy(cnn_weights *weights);
/** Are they a model's that was trained on files of pictures? Those were brought to its input by
 * *fit, which stays as it is where not, and may be NULL. */
CNN_API bool cnn_weights_are_of_pictures(const cnn_weights *weights, cnn_picture_fit *fit);

/** Gives a model every tensor of the file that has the name and the shape of one of its own; the
 * others stay as they are. Names are compared as cnn_model_import() does. What was taken and what
 * was not goes to the log as one line of information. The model also takes the file's
 * normalisation, where it says one, and remembers its path. Errors: DATA (nothing fits; a value
 * that is not finite; a normalisation for other channels; the model may then have some of the
 * values), MEMORY. */
CNN_API cnn_status cnn_model_take_weights(cnn_model *model, const cnn_weights *weights);

#ifdef __cplusplus
}
#endif

#endif
