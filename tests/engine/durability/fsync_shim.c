/* A file layer that fails on demand: preloaded (LD_PRELOAD) into a process, it stands between SQLite and the kernel.
 *
 * FSYNC_SHIM_DATABASE names the database; it and its -wal are watched, every other file is left alone. Where it ends with
 * a slash all files below it are, and what is full there still takes what does not make a file longer, as a disk does.
 * FSYNC_SHIM_CONTROL names a file that says what happens, read anew at each call:
 *     ok            as the kernel has it
 *     delay MS      a sync takes MS milliseconds longer
 *     refuse EIO    a sync fails; what was written stays in the page cache, as on Linux
 *     full ENOSPC   a write fails
 *     frozen EROFS  a write fails
 * FSYNC_SHIM_RECORD is appended a line "RESULT FILE BEGIN END" for each sync; times are nanoseconds of CLOCK_MONOTONIC.
 * FSYNC_SHIM_MIRROR, if set, is a folder that holds each file as it was at its last successful sync: what a power cut
 * would leave if the kernel had written nothing else.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 4096 };

static int is_folder(const char *database)
{
    return database[0] != '\0' && database[strlen(database) - 1] == '/';
}

/* The name of the watched file behind fd within its folder, or NULL; path takes its whole path. */
static const char *watched(int fd, char *path)
{
    const char *database = getenv("FSYNC_SHIM_DATABASE");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, TEXT - 1);
    if (database == NULL || length < 0)
        return NULL;
    path[length] = '\0';
    size_t known = strlen(database);
    if (strncmp(path, database, known) != 0)
        return NULL;
    if (!is_folder(database) && path[known] != '\0' && strcmp(path + known, "-wal") != 0)
        return NULL;
    return strrchr(path, '/') + 1;
}

/* The verb of the control file is verb: its argument goes to argument. */
static int told(const char *verb, char *argument)
{
    char text[64] = "", word[32] = "";
    int fd = open(getenv("FSYNC_SHIM_CONTROL"), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    argument[0] = '\0';
    return length > 0 && sscanf(text, "%31s %31s", word, argument) >= 1 && strcmp(word, verb) == 0;
}

static int error_of(const char *name)
{
    return strcmp(name, "ENOSPC") == 0 ? ENOSPC : strcmp(name, "EROFS") == 0 ? EROFS : EIO;
}

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void record(const char *result, const char *name, long long begin)
{
    char line[256];
    int length = snprintf(line, sizeof line, "%s %s %lld %lld\n", result, name, begin, now_ns());
    int fd = open(getenv("FSYNC_SHIM_RECORD"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, length) != length)
        abort();
    close(fd);
}

/* Put a copy of path into the mirror, whole or not at all. */
static void mirror(const char *path, const char *name)
{
    const char *folder = getenv("FSYNC_SHIM_MIRROR");
    char draft[TEXT], kept[TEXT];
    struct stat state;
    if (folder == NULL)
        return;
    snprintf(kept, sizeof kept, "%s/%s", folder, name);
    snprintf(draft, sizeof draft, "%s/%s.%d", folder, name, gettid());
    int from = open(path, O_RDONLY | O_CLOEXEC), to = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (from < 0 || to < 0 || fstat(from, &state) != 0)
        abort();
    off_t left = state.st_size;
    while (left > 0) {
        ssize_t sent = sendfile(to, from, NULL, left);
        if (sent <= 0)
            break;
        left -= sent;
    }
    close(from);
    close(to);
    if (rename(draft, kept) != 0)
        abort();
}

static int sync_by(const char *call, int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    char path[TEXT], argument[32];
    const char *name = watched(fd, path);
    if (name == NULL)
        return real(fd);
    long long begin = now_ns();
    if (told("refuse", argument)) {
        record("failed", name, begin);
        errno = error_of(argument);
        return -1;
    }
    if (told("delay", argument)) {
        long milliseconds = atol(argument);
        struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    int result = real(fd);
    if (result == 0)
        mirror(path, name);
    record(result == 0 ? "ok" : "failed", name, begin);
    return result;
}

/* Whether a write to fd, up to its byte end, is refused; errno says why. */
static int refused(int fd, off64_t end)
{
    char path[TEXT], argument[32];
    struct stat state;
    if (watched(fd, path) == NULL || !(told("full", argument) || told("frozen", argument)))
        return 0;
    if (is_folder(getenv("FSYNC_SHIM_DATABASE")) && fstat(fd, &state) == 0 && end <= state.st_size)
        return 0;
    errno = error_of(argument);
    return 1;
}

int fsync(int fd)
{
    return sync_by("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) =
        (ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
    return refused(fd, offset + (off64_t)count) ? -1 : real(fd, bytes, count, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite64(fd, bytes, count, offset);
}

int ftruncate64(int fd, off64_t length)
{
    int (*real)(int, off64_t) = (int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64");
    return refused(fd, 0) ? -1 : real(fd, length);
}

int ftruncate(int fd, off_t length)
{
    return ftruncate64(fd, length);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    ssize_t (*real)(int, const struct iovec *, int, off64_t) =
        (ssize_t(*)(int, const struct iovec *, int, off64_t))dlsym(RTLD_NEXT, "pwritev64");
    off64_t end = offset;
    for (int number = 0; number < count; number++)
        end += (off64_t)parts[number].iov_len;
    return refused(fd, end) ? -1 : real(fd, parts, count, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return pwritev64(fd, parts, count, offset);
}

/* Says what is wrong by what it returns. */
int posix_fallocate64(int fd, off64_t offset, off64_t length)
{
    int (*real)(int, off64_t, off64_t) = (int (*)(int, off64_t, off64_t))dlsym(RTLD_NEXT, "posix_fallocate64");
    return refused(fd, offset + length) ? errno : real(fd, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return posix_fallocate64(fd, offset, length);
}
