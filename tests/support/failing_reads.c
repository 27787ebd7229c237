/* Reads of files whose path ends in $FAIL_PATH fail with the error number $FAIL_ERRNO, from byte
   $FAIL_FROM on; with $FAIL_OPEN=1 opening fails, with $FAIL_STAT=1 asking for size and time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int matches(const char *path) {
    const char *wanted = getenv("FAIL_PATH");
    if (!path || !wanted || !*wanted) return 0;
    size_t n = strlen(path), m = strlen(wanted);
    return n >= m && !strcmp(path + n - m, wanted);
}

static int is_on(const char *name) {
    const char *value = getenv(name);
    return value && *value == '1';
}

static int fail(void) {
    errno = atoi(getenv("FAIL_ERRNO"));
    return -1;
}

static int read_fails(int fd, off_t stop) {
    char link[64], path[4096];
    const char *from = getenv("FAIL_FROM");
    if (!getenv("FAIL_PATH")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return !is_on("FAIL_OPEN") && !is_on("FAIL_STAT") && matches(path) &&
           stop > (from ? atoll(from) : 0);
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

ssize_t read(int fd, void *to, size_t n) {
    if (read_fails(fd, lseek(fd, 0, SEEK_CUR) + n)) return fail();
    return REAL(ssize_t, "read", int, void *, size_t)(fd, to, n);
}

#define PREADV(name)                                                                     \
    ssize_t name(int fd, const struct iovec *parts, int n, off_t start) {                \
        off_t stop = start;                                                              \
        for (int i = 0; i < n; i++) stop += parts[i].iov_len;                            \
        if (read_fails(fd, stop)) return fail();                                         \
        return REAL(ssize_t, #name, int, const struct iovec *, int, off_t)(fd, parts, n, \
                                                                           start);       \
    }
PREADV(preadv)
PREADV(preadv64)

#define PREADV2(name)                                                                     \
    ssize_t name(int fd, const struct iovec *parts, int n, off_t start, int flags) {      \
        off_t stop = start;                                                               \
        for (int i = 0; i < n; i++) stop += parts[i].iov_len;                             \
        if (read_fails(fd, stop)) return fail();                                          \
        return REAL(ssize_t, #name, int, const struct iovec *, int, off_t, int)(          \
            fd, parts, n, start, flags);                                                  \
    }
PREADV2(preadv2)
PREADV2(preadv64v2)

#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        va_list more;                                                   \
        va_start(more, flags);                                          \
        int mode = va_arg(more, int);                                   \
        va_end(more);                                                   \
        if (is_on("FAIL_OPEN") && matches(path)) return fail();         \
        return REAL(int, #name, const char *, int, ...)(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define STAT(name)                                                          \
    int name(const char *path, void *to) {                           \
        if (is_on("FAIL_STAT") && matches(path)) return fail();             \
        return REAL(int, #name, const char *, void *)(path, to);     \
    }
STAT(stat)
STAT(stat64)

#define FSTATAT(name)                                                             \
    int name(int fd, const char *path, void *to, int flags) {              \
        if (is_on("FAIL_STAT") && matches(path)) return fail();                   \
        return REAL(int, #name, int, const char *, void *, int)(fd, path, to, flags); \
    }
FSTATAT(fstatat)
FSTATAT(fstatat64)
