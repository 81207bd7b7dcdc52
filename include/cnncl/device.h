/** @file
 * OpenCL devices: list them, best first, and open one. */
#ifndef CNNCL_DEVICE_H
#define CNNCL_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnncl/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Kinds of devices, in the order of the list: the first is preferred. */
typedef enum cnn_device_type {
    CNN_DEVICE_DISCRETE_GPU,   /**< with memory of its own */
    CNN_DEVICE_INTEGRATED_GPU, /**< in the host's memory */
    CNN_DEVICE_ACCELERATOR,    /**< what OpenCL calls so */
    CNN_DEVICE_CPU,            /**< the host's processor */
    CNN_DEVICE_OTHER           /**< none of these */
} cnn_device_type;

/** What the driver says of a device. */
typedef struct cnn_device_info {
    int platform;            /**< as OpenCL numbers them */
    int device;              /**< within the platform */
    cnn_device_type type;    /**< its kind */
    char name[128];          /**< its own name */
    char platform_name[128]; /**< the name of its platform */
    char vendor[128];        /**< who made it */
    char driver[64];         /**< the driver's version */
    char opencl[64];         /**< the device's OpenCL version, "1.2" and so on */
    unsigned compute_units;  /**< cores, or what the vendor counts */
    unsigned clock_mhz;      /**< largest clock */
    uint64_t memory;         /**< bytes */
    uint64_t max_allocation; /**< bytes of the largest single buffer */
    uint64_t local_memory;   /**< bytes per work-group */
    size_t max_work_group;   /**< work-items */
    bool usable;             /**< this library can train on it */
    char reason[160];        /**< why it is not usable; empty where it is */
    int twin;                /**< index in the list of the likely same device behind a preferred
                                platform; -1 where there is none */
} cnn_device_info;

/** The name of a kind: "discrete GPU", "integrated GPU", "accelerator", "CPU", "other". */
CNN_API const char *cnn_device_type_name(cnn_device_type type);

/** The devices that were found. */
typedef struct cnn_device_list cnn_device_list;

/** Every device of every platform: the usable ones first, best first, then the unusable ones. A
 * machine without any platform or device gives an empty list and CNN_OK. Errors: MEMORY. */
CNN_API cnn_status cnn_device_list_create(cnn_device_list **list);
/** Frees it. NULL is no error. */
CNN_API void cnn_device_list_destroy(cnn_device_list *list);

/** The number of usable devices: their indices are 0 to count - 1, and 0 is the default. */
CNN_API size_t cnn_device_list_count(const cnn_device_list *list);
/** The number of all devices; those from count on are not usable. */
CNN_API size_t cnn_device_list_total(const cnn_device_list *list);
/** The device of an index below the total. Owned by the list. */
CNN_API const cnn_device_info *cnn_device_list_get(const cnn_device_list *list, size_t index);

/** The index that a selector names: an index, "P:D", or a case-insensitive part of a device or
 * platform name that fits exactly one usable device. NULL or "" means CNN_CL_DEVICE from the
 * environment where it is set, else 0. Errors: CNN_ERROR_DEVICE, with the list in the message. */
CNN_API cnn_status cnn_device_list_pick(size_t *index, const cnn_device_list *list,
                                        const char *selector);

/** A table for people (ends with a newline), or a JSON document: an object with "devices", an array
 * of objects in the list's order with the fields of cnn_device_info under their names, "type" as
 * cnn_device_type_name() has it, "twin" null where there is none, and also "index" (null where the
 * device is not usable) and "default" (true for the one that is taken without a selector). Of an
 * empty list the text says why it may be empty. To be freed with cnn_string_free(). */
CNN_API cnn_status cnn_device_list_to_text(char **text, const cnn_device_list *list);
/** As cnn_device_list_to_text() says. */
CNN_API cnn_status cnn_device_list_to_json(char **json, const cnn_device_list *list);
/** Frees a string that this library handed over. NULL is no error. */
CNN_API void cnn_string_free(char *string);

/** An open device: an OpenCL context and a queue. One thread at a time may use it. */
typedef struct cnn_device cnn_device;

/** Opens a device; selector as for cnn_device_list_pick(). Errors: CNN_ERROR_DEVICE (none, or no
 * such), OPENCL. */
CNN_API cnn_status cnn_device_create(cnn_device **device, const char *selector);
/** After everything that was created on it. NULL is no error. */
CNN_API void cnn_device_destroy(cnn_device *device);
/** What the list says of the device. Owned by the device. */
CNN_API const cnn_device_info *cnn_device_get_info(const cnn_device *device);
/** Which tuning of matrix products (cnncl/tuning.h) serves what was created on the device so far:
 * "default", or sixteen hexadecimal digits that follow from its values. Under another one the last
 * bits of results may differ. Owned by the device. */
CNN_API const char *cnn_device_tuning(const cnn_device *device);

/** Whether what is made on the device from now on (trainers, predictors) gives the same bits as on any
 * other device: sums in a fixed order, nothing but operations that are rounded correctly, and none of
 * CLBlast's. Models and results made so far stay. A trainer sets this by itself, as its options say.
 * Errors: DEVICE (its floats are not IEEE 754's, with denormals and rounded to nearest), OPENCL. */
CNN_API cnn_status cnn_device_use_exact(cnn_device *device, bool exact);

#ifdef __cplusplus
}
#endif

#endif
