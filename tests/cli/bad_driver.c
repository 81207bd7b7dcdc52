/* What a broken driver does to whoever loads it: CRASH_AT_LOAD as soon as it is loaded, else when
 * it is asked for its functions, or an exit then with ENDS_THE_PROCESS. With NO_DEVICE it is a good
 * one of absent hardware. */
#include <signal.h>
#include <stdlib.h>

#ifdef CRASH_AT_LOAD
static void __attribute__((constructor)) begin(void)
{
    raise(SIGSEGV);
}
#endif

void *clGetExtensionFunctionAddress(const char *name);

void *clGetExtensionFunctionAddress(const char *name)
{
    (void)name;
#ifdef ENDS_THE_PROCESS
    exit(0);
#elif !defined(NO_DEVICE)
    raise(SIGSEGV);
#endif
    return 0;
}
