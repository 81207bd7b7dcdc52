/* What the fault layer is told and what it counts. */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>
#include <stddef.h>

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>

typedef enum fault_kind {
    FAULT_INFO,
    FAULT_CREATE,
    FAULT_ALLOCATE,
    FAULT_BUILD,
    FAULT_SET,
    FAULT_ENQUEUE,
    FAULT_WRITE,
    FAULT_READ,
    FAULT_FINISH,
    FAULT_KINDS
} fault_kind;

typedef enum fault_object {
    FAULT_CONTEXT,
    FAULT_QUEUE,
    FAULT_BUFFER,
    FAULT_PROGRAM,
    FAULT_KERNEL,
    FAULT_EVENT,
    FAULT_OBJECTS
} fault_object;

/* What a device is said to have at most; 0 for the truth. */
typedef struct fault_limits {
    size_t work_group;      /* work-items of a group */
    cl_ulong local, memory; /* bytes */
    cl_ulong allocation;    /* one buffer is at most 1 / allocation of what it was */
} fault_limits;

/* A kernel that computes wrong from a launch on, counted from 1 over all kernels of that name. */
typedef struct fault_wrong_kernel {
    char name[64];      /* "": none */
    cl_uint argument;   /* the buffer that it spoils */
    unsigned long first;
} fault_wrong_kernel;

extern fault_wrong_kernel fault_wrong;
/* wrong.c: a kernel was made, was given an argument, was launched. */
struct _cl_icd_dispatch;
void fault_watch_kernel(cl_kernel kernel, const char *name);
void fault_watch_argument(cl_kernel kernel, cl_uint index, size_t size, const void *value);
cl_int fault_spoil(const struct _cl_icd_dispatch *target, cl_command_queue queue, cl_kernel kernel);

extern fault_limits fault_limit;
extern bool fault_twin; /* every device appears twice */

/* Reads the environment, once. */
void fault_init(void);
/* Counts a call. Not CL_SUCCESS where this one is to fail, and then the driver is not called. */
cl_int fault_next(fault_kind kind);
/* One object more (1) or less (-1). */
void fault_note(fault_object object, int change);
/* The objects alive, by kind: for a program that finds the layer with dlopen(). */
void fault_alive(long counts[FAULT_OBJECTS]);
/* Takes bytes of what the device is said to have: false where so many are not left. */
bool fault_take(size_t size);
void fault_give_back(size_t size);
/* Changes one float of what was read, where this reading is to be wrong. */
void fault_perturb(void *memory, size_t size);

#endif
