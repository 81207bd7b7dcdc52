/** @file
 * Is this machine's OpenCL there, and is it right? What the OpenCL loader sees, and every kernel of
 * a network's plan against plain C. */
#ifndef CNNCL_DOCTOR_H
#define CNNCL_DOCTOR_H

#include <cnncl/device.h>
#include <cnncl/network.h>
#include <cnncl/trainer.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What was found about the machine, and about the devices that were checked. */
typedef struct cnn_doctor cnn_doctor;

/** How good a finding is. */
typedef enum cnn_finding_level {
    CNN_FINDING_GOOD,   /**< as it should be */
    CNN_FINDING_NOTE,   /**< may be meant so */
    CNN_FINDING_PROBLEM /**< keeps a device from being used */
} cnn_finding_level;

/** "good", "note", "problem". */
CNN_API const char *cnn_finding_level_name(cnn_finding_level level);

/** One thing about the machine. Strings are owned by the doctor; one line each. */
typedef struct cnn_finding {
    cnn_finding_level level; /**< how good it is */
    const char *topic;  /**< "loader", "driver", "variable", "hardware", "permission", "cache"; and
                             "device": one that cannot be opened, or checked to its end */
    const char *text;   /**< what was found */
    const char *remedy; /**< the command or package that mends it; empty where nothing is to mend */
} cnn_finding;

/** Looks at the loader, its ICD files and environment, device nodes and caches. Drivers are loaded
 * in child processes (fork()), so that a crash of theirs is survived: call it before anything else
 * that uses OpenCL, in a process of one thread. A machine without any driver is CNN_OK. Errors:
 * MEMORY. */
CNN_API cnn_status cnn_doctor_create(cnn_doctor **doctor);
/** Frees it. NULL is no error. */
CNN_API void cnn_doctor_destroy(cnn_doctor *doctor);

/** The number of findings, in the order in which they were made. */
CNN_API size_t cnn_doctor_finding_count(const cnn_doctor *doctor);
/** The finding of an index below the count. */
CNN_API cnn_finding cnn_doctor_get_finding(const cnn_doctor *doctor, size_t index);
/** False where listing the devices would crash or hang this process, as it did a child. */
CNN_API bool cnn_doctor_can_list(const cnn_doctor *doctor);

/** One check of a device. Strings are owned by the doctor. */
typedef struct cnn_doctor_row {
    const char *part;    /**< "memory"; "fused" or "plain": the plan; "product"; "trace" */
    const char *phase;   /**< "gather", "forward", "evaluate", "loss", "backward", "update", or
                            empty */
    const char *name;    /**< of the fusion, operation or product; may be empty */
    const char *layers;  /**< "conv2d_00..dropout2d_03"; may be empty */
    const char *kernels; /**< that ran: "conv_block_pack, conv_block_forward" */
    bool checked;        /**< false: the check could not be made: memory does not suffice, or pocl
                            cannot write its cache */
    bool passed;         /**< it was checked and computes right */
    double error;        /**< the largest relative error of its tensors, norm-wise; infinite where a
                            value is not finite or was never written; NaN where it is not known */
    double milliseconds; /**< on the device */
    const char *wrong;   /**< what is wrong, or what kept it from being checked, in one line; empty
                            where it passed */
} cnn_doctor_row;

/** How to check a device. */
typedef struct cnn_doctor_options {
    int batch; /**< of the matrix products; the steps run on a few samples. 1 or more */
    /** Told each row as it comes; may be NULL. */
    void (*on_row)(const cnn_doctor_row *row, void *user);
    void *user; /**< handed to on_row */
    const cnn_train_options *trained; /**< how parameters are updated; NULL: by Adam */
} cnn_doctor_options;

/** The defaults: 256, NULL, NULL, NULL. */
CNN_API void cnn_doctor_options_init(cnn_doctor_options *options);

/** Opens a device of a list's usable ones, to check it. Where that fails there is a finding about
 * "device" with the reason, but no verdict, and no object in the JSON document's "devices"; there
 * is a finding, too, where a check by cnn_doctor_check() breaks off. Errors: those of
 * cnn_device_create(). */
CNN_API cnn_status cnn_doctor_open(cnn_device **device, cnn_doctor *doctor,
                                   const cnn_device_info *info);

/** Checks an open device: its memory, each step of the network's plan (fused and plain, forward,
 * evaluation and backward) on random values in memory that is filled with NaN and stands between
 * zones, each matrix product of its linear layers, and the losses of 20 training steps. A device
 * that computes wrong is CNN_OK: the verdict tells. So is one on which some checks cannot be made, as
 * its memory does not suffice or pocl cannot write its cache: these neither pass nor fail. When
 * every check passed that is remembered for cnn_doctor_admit(), a failure makes it forget. Errors:
 * ARGUMENT, KERNEL, OPENCL, MEMORY (the host's). */
CNN_API cnn_status cnn_doctor_check(cnn_doctor *doctor, cnn_device *device,
                                    const cnn_network *network, const cnn_doctor_options *options);

/** What came out for a device. */
typedef struct cnn_doctor_verdict {
    cnn_device_info device; /**< which one it was */
    bool passed;            /**< every check was made and passed */
    size_t checks;          /**< rows */
    size_t failures;        /**< those that did not pass: above 0 the device computes wrong */
    size_t unchecked;       /**< those that could not be made: above 0 it may compute wrong there */
    size_t starved;         /**< those of the unchecked that memory did not suffice for */
    double error;           /**< the largest of all rows */
    double seconds;         /**< that the checks took */
} cnn_doctor_verdict;

/** The number of devices that were checked, in order. */
CNN_API size_t cnn_doctor_verdict_count(const cnn_doctor *doctor);
/** The verdict on a device: an index below the count. */
CNN_API cnn_doctor_verdict cnn_doctor_get_verdict(const cnn_doctor *doctor, size_t device);
/** The number of checks of a device. */
CNN_API size_t cnn_doctor_row_count(const cnn_doctor *doctor, size_t device);
/** The check of an index below the count. */
CNN_API cnn_doctor_row cnn_doctor_get_row(const cnn_doctor *doctor, size_t device, size_t row);

/** A bug report about a checked device of which checks failed, for whoever maintains its driver or
 * this library: device, driver, versions, each failed check with its kernels, shapes and options.
 * Ends with a newline. To be freed with cnn_string_free(). Errors: MEMORY. */
CNN_API cnn_status cnn_doctor_report(char **text, const cnn_doctor *doctor, size_t device);

/** A JSON document: an object with "version", "findings" (objects with the fields of cnn_finding,
 * "level" as cnn_finding_level_name() has it) and "devices": objects with "device", "platform"
 * (their names), "driver", "id" ("P:D"), "passed", "checks", "failures", "unchecked", "error",
 * "seconds", "report" (null where no check failed) and "rows", objects with the fields of
 * cnn_doctor_row. An error that is not finite is null. To be freed with cnn_string_free(). Errors:
 * MEMORY. */
CNN_API cnn_status cnn_doctor_to_json(char **json, const cnn_doctor *doctor);

/** One training of cnn_doctor_compare_exact(). */
typedef struct cnn_exact_row {
    const char *name;     /**< "small", "notebook", "notebook with batch norm", "resnet20" */
    int steps;            /**< that there are */
    bool matched;         /**< all values had the published bits after each of them */
    int differs;          /**< the first one, from 0, after which they had not; -1: none */
    const char *hash;     /**< SHA-256 of all values after the last step */
    const char *expected; /**< the published one */
    double seconds;       /**< that it took */
} cnn_exact_row;

/** Who is told. Zeros: nobody, of all. */
typedef struct cnn_doctor_exact {
    const char *only; /**< one of the names; NULL: all */
    void (*on_row)(const cnn_exact_row *row, void *user); /**< the row is the library's */
    void *user; /**< for on_row */
} cnn_doctor_exact;

/** Whether the device, as cnn_device_use_exact() makes it, gives the published bits: some trainings on
 * made-up data. Afterwards the device is as before. Errors:
 * DEVICE (its floats cannot be exact), FILE (no network file), KERNEL, OPENCL, MEMORY. */
CNN_API cnn_status cnn_doctor_compare_exact(bool *matched, cnn_device *device,
                                            const cnn_doctor_exact *callback);

/** Before training: a fast check of the plan that this network will run with these options (fuse,
 * batch, micro_batch, the optimizer), unless the cache folder remembers that it has passed on this device with
 * this driver, this version of the library and these kernels; and, where it has matrix products by
 * CLBlast, with this batch and tuning. A pass is remembered there; a folder that cannot be written
 * is no error. What would take long in plain C is left out, which is remembered, too; left out is
 * also what the device's memory does not suffice for (the check of a step takes more than the
 * step), and then nothing is remembered. Each time one warning in the log names all that was left
 * out. Errors: ARGUMENT (batch, micro_batch), ARITHMETIC (the device computes wrong: what is wrong,
 * and how to learn more), KERNEL, OPENCL, MEMORY. */
CNN_API cnn_status cnn_doctor_admit(cnn_device *device, const cnn_network *network,
                                    const cnn_train_options *options);

#ifdef __cplusplus
}
#endif

#endif
