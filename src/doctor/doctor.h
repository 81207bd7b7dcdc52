/* The doctor from the inside: what it has found, and how a device is checked. */
#ifndef DOCTOR_DOCTOR_H
#define DOCTOR_DOCTOR_H

#include <cnncl/doctor.h>

#include "base/text.h"
#include "net/network.h"
#include "ocl/guard.h"
#include "ocl/profile.h"
#include "plan/plan.h"

enum { CNN_DOCTOR_NAME = 288, CNN_DOCTOR_WRONG = 480 };

/* A finding that owns its strings. */
typedef struct cnn_doctor_finding {
    cnn_finding_level level;
    const char *topic; /* a literal */
    char *text, *remedy;
} cnn_doctor_finding;

/* A row that owns its strings. */
typedef struct cnn_doctor_entry {
    const char *part, *phase; /* literals */
    char name[CNN_DOCTOR_NAME], layers[CNN_DOCTOR_NAME], wrong[CNN_DOCTOR_WRONG];
    char *kernels; /* may be NULL */
    char *detail;  /* for the report: shapes and options; NULL where it passed */
    bool checked, passed;
    double error, milliseconds;
} cnn_doctor_entry;

typedef struct cnn_doctor_device {
    cnn_device_info info;
    cnn_kernel_class kernel_class;
    char *network; /* the options of a command line that make it */
    char *update;  /* those that make its update: cnn_update_arguments() */
    int batch;
    bool passed;
    size_t failures, unchecked, starved, row_count; /* starved: unchecked for lack of memory */
    cnn_doctor_entry *rows;
    double error, seconds;
    double build_seconds; /* not in seconds: of kernels that the training needs, too; fast check */
} cnn_doctor_device;

struct cnn_doctor {
    bool can_list;
    size_t finding_count;
    cnn_doctor_finding *findings;
    size_t device_count;
    cnn_doctor_device *devices;
};

/* Adds a finding; text is a format, remedy a whole line or "". Errors: MEMORY. */
cnn_status cnn_doctor_add(cnn_doctor *doctor, cnn_finding_level level, const char *topic,
                          const char *remedy, const char *format, ...) CNN_PRINTF(5, 6);

/* system.c, drivers.c: add their findings. Errors: MEMORY. */
cnn_status cnn_doctor_look_at_drivers(cnn_doctor *doctor);
cnn_status cnn_doctor_look_at_variables(cnn_doctor *doctor);
/* root: what stands before "/dev" and "/sys", "" but in tests. */
cnn_status cnn_doctor_look_at_hardware(cnn_doctor *doctor, const char *root);
cnn_status cnn_doctor_look_at_caches(cnn_doctor *doctor);

/* The public face of a row. */
cnn_doctor_row cnn_doctor_row_of(const cnn_doctor_entry *entry);

/* Appends the command that checks this device with this network again. */
void cnn_doctor_append_command(cnn_text *text, const cnn_doctor_device *result);

/* Forgets the rows. */
void cnn_doctor_device_clear(cnn_doctor_device *result);
/* Takes {0}, too. */
void cnn_doctor_device_finish(cnn_doctor_device *result);

#endif
