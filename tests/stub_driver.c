/* libcuda for tests: memory is the host's, kernels do nothing but leave what they were launched with. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long address;

int launches;                 /* how many there were */
unsigned last_sizes[7];       /* grid, block, shared memory of the last */
void *last_stream, *last_function;
uint64_t last_arguments[8];   /* eight bytes of each argument of the last */
int arguments_read;           /* how many arguments the test's kernel has */
int fail_launch, version = 13000, count = 1, init_status;

int cuInit(unsigned flags) { return init_status; }
int cuDriverGetVersion(int *v) { *v = version; return 0; }
int cuGetErrorString(int code, const char **text) {
    *text = code == 2 ? "out of memory" : code == 700 ? "an illegal memory access was encountered" : "other";
    return 0;
}
int cuDeviceGetCount(int *n) { *n = count; return 0; }
int cuDeviceGetName(char *text, int size, int device) { strncpy(text, "Stub", size); return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 9 : which == 76 ? 0 : which; return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)1 << 30; return 0; }
int cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 7, 16); return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = (void *)0x1000; return 0; }
int cuCtxSetCurrent(void *context) { return 0; }
int cuCtxSynchronize(void) { return 0; }
int cuMemAlloc_v2(address *p, size_t n) { *p = (address)aligned_alloc(256, (n + 255) & ~(size_t)255); return *p ? 0 : 2; }
int cuMemFree_v2(address p) { free((void *)p); return 0; }
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) { *free_bytes = *total = (size_t)1 << 30; return 0; }
int cuMemcpyHtoDAsync_v2(address to, const void *from, size_t n, void *stream) { memcpy((void *)to, from, n); return 0; }
int cuMemcpyDtoHAsync_v2(void *to, address from, size_t n, void *stream) { memcpy(to, (void *)from, n); return 0; }
int cuMemcpyDtoDAsync_v2(address to, address from, size_t n, void *stream) { memmove((void *)to, (void *)from, n); return 0; }
int cuMemsetD8Async(address p, unsigned char v, size_t n, void *stream) { memset((void *)p, v, n); return 0; }
int cuMemsetD16Async(address p, unsigned short v, size_t n, void *stream) {
    for (size_t i = 0; i < n; i++) ((unsigned short *)p)[i] = v;
    return 0;
}
int cuMemsetD32Async(address p, unsigned v, size_t n, void *stream) {
    for (size_t i = 0; i < n; i++) ((unsigned *)p)[i] = v;
    return 0;
}
int cuMemsetD2D32Async(address p, size_t pitch, unsigned v, size_t width, size_t height, void *stream) {
    for (size_t row = 0; row < height; row++)
        for (size_t i = 0; i < width; i++) ((unsigned *)(p + row * pitch))[i] = v;
    return 0;
}
int cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) { *stream = (void *)0x2000; return 0; }
int cuStreamSynchronize(void *stream) { return 0; }
int cuStreamQuery(void *stream) { return 600; }
int cuCtxGetStreamPriorityRange(int *least, int *greatest) { *least = 0; *greatest = -5; return 0; }
int cuThreadExchangeStreamCaptureMode(int *mode) { return 0; }
int cuStreamIsCapturing(void *stream, int *status) { *status = 0; return 0; }
int cuStreamBeginCapture_v2(void *stream, int mode) { return 0; }
int cuStreamEndCapture(void *stream, void **graph) { *graph = (void *)0x5000; return 0; }
int cuEventCreate(void **event, unsigned flags) { *event = (void *)(uintptr_t)(0x6000 + flags); return 0; }
int cuEventElapsedTime(float *ms, void *start, void *end) { *ms = 1.5f; return 0; }
int cuModuleLoadDataEx(void **module, const char *image, unsigned n, void *options, void *values) { *module = (void *)0x3000; return 0; }
int cuModuleGetFunction(void **function, void *module, const char *name) { *function = (void *)0x4000; return 0; }
int cuFuncSetAttribute(void *function, int which, int value) { return 0; }
int cuTensorMapEncodeTiled(void *map, int kind, unsigned rank, void *pointer, const uint64_t *sizes, const uint64_t *strides,
                           const unsigned *box, const unsigned *steps, int interleave, int swizzle, int promotion, int fill) {
    uint64_t seen[16] = {kind, rank, (uintptr_t)pointer, sizes[0], sizes[1], sizes[2], strides[0], strides[1],
                         box[0], box[1], box[2], steps[0] * steps[1] * steps[2], interleave, swizzle, promotion, fill};
    memcpy(map, seen, sizeof seen);
    return (uintptr_t)map % 64 != 0;
}
int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **arguments, void **extra) {
    unsigned sizes[7] = {gx, gy, gz, bx, by, bz, shared};
    memcpy(last_sizes, sizes, sizeof sizes);
    last_stream = stream, last_function = function;
    for (int i = 0; i < arguments_read; i++) memcpy(&last_arguments[i], arguments[i], 8);
    launches++;
    return fail_launch;
}
