/* What to do with a file of another kind than is wanted: by its format, else by its group. */
#include <stdbool.h>
#include <string.h>

#include "base/signature.h"

#define ARRAYS_TO_PICTURES                                                                         \
    "save its pictures as PNG files, with PIL.Image.fromarray(ARRAY).save(FILE.png), say"
#define ARRAYS_TO_DATA                                                                             \
    "load it where it was made and save it as npz: numpy.savez(\"FILE.npz\", x_train=IMAGES, "     \
    "y_train=LABELS, x_test=..., y_test=...)"
#define TO_TENSORS                                                                                 \
    "load it where it was made and save its tensors, in PyTorch's shapes, with "                   \
    "safetensors.numpy.save_file()"
#define NPZ_TO_TENSORS                                                                             \
    "python3 -c \"import sys, numpy, safetensors.numpy as s; "                                     \
    "s.save_file(dict(numpy.load(sys.argv[1])), sys.argv[2])\" FILE FILE.safetensors"
#define IMPORT "cnn-cl import FILE FILE.safetensors makes a model of it (cnn-cl import --help)"
#define IS_MODEL "--model names a network (cnn-cl import reads those of others)"
#define IS_DATA "it is what --data takes"

/* The first row that fits counts; a name of NULL stands for the whole group. */
static const struct row {
    cnn_wanted wanted;
    cnn_signature_group group;
    const char *name;
    const char *conversion;
} rows[] = {
    {CNN_WANTED_PICTURE, CNN_SIGNATURE_ARRAYS, "npz", IS_DATA "; or " ARRAYS_TO_PICTURES},
    {CNN_WANTED_PICTURE, CNN_SIGNATURE_ARRAYS, NULL, ARRAYS_TO_PICTURES},
    {CNN_WANTED_PICTURE, CNN_SIGNATURE_NETWORK, "HDF5", ARRAYS_TO_PICTURES},
    {CNN_WANTED_PICTURE, CNN_SIGNATURE_NETWORK, NULL, IS_MODEL},

    {CNN_WANTED_DATA, CNN_SIGNATURE_ARRAYS, "npz", "name the file itself"},
    {CNN_WANTED_DATA, CNN_SIGNATURE_ARRAYS, "IDX", "name the folder that has all of them"},
    {CNN_WANTED_DATA, CNN_SIGNATURE_ARRAYS, NULL, ARRAYS_TO_DATA},
    {CNN_WANTED_DATA, CNN_SIGNATURE_NETWORK, "HDF5", ARRAYS_TO_DATA},
    {CNN_WANTED_DATA, CNN_SIGNATURE_NETWORK, NULL, IS_MODEL},
    {CNN_WANTED_DATA, CNN_SIGNATURE_PICTURE, NULL,
     "cnn-cl predict reads one; name the folder that has a folder of pictures for each class"},

    {CNN_WANTED_MODEL, CNN_SIGNATURE_ARRAYS, "npz", NPZ_TO_TENSORS ", and then cnn-cl import"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_ARRAYS, "pickle", TO_TENSORS ", then cnn-cl import"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_ARRAYS, "IDX", "--data takes the folder of all of them"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_ARRAYS, "npy", TO_TENSORS ", then cnn-cl import"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_ARRAYS, "MATLAB", TO_TENSORS ", then cnn-cl import"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_NETWORK, "PyTorch", IMPORT},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_NETWORK, "old PyTorch", IMPORT},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_NETWORK, "ONNX", IMPORT},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_NETWORK, "PyTorch program",
     "save the weights alone, torch.save(model.state_dict(), FILE), then cnn-cl import"},
    {CNN_WANTED_MODEL, CNN_SIGNATURE_NETWORK, NULL, TO_TENSORS ", then cnn-cl import"},

    {CNN_WANTED_TENSORS, CNN_SIGNATURE_ARRAYS, "npz", NPZ_TO_TENSORS},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_ARRAYS, "IDX", "--data takes the folder of all of them"},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_ARRAYS, "npy", TO_TENSORS},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_ARRAYS, "MATLAB", TO_TENSORS},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_NETWORK, "ONNX", IMPORT},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_NETWORK, NULL, TO_TENSORS},
    {CNN_WANTED_TENSORS, CNN_SIGNATURE_ARCHIVE, "tar",
     "unpack it and name what is inside (PyTorch before 0.2 saved such, too: load and save it with "
     "a later one)"},
};

const char *cnn_signature_conversion(const cnn_signature *signature, cnn_wanted wanted)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (row->wanted == wanted && row->group == signature->group &&
            (!row->name || strcmp(row->name, signature->name) == 0))
            return row->conversion;
    }
    /* A format alone says how it becomes a picture or is unpacked. */
    bool tells = wanted == CNN_WANTED_PICTURE || wanted == CNN_WANTED_DATA ||
                 signature->group == CNN_SIGNATURE_ARCHIVE;
    return tells || signature->group == CNN_SIGNATURE_OTHER ? signature->conversion : NULL;
}
