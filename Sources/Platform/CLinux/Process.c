// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CLinuxProcess.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

int clinux_notify(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || (path[0] != '/' && path[0] != '@')) return 0;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) return ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;  // an abstract name
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int failure = sent < 0 ? errno : 0;
    close(fd);
    return failure;
}

int clinux_forbid_dumps(void) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) != 0) return errno;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno;
}

unsigned long clinux_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return (unsigned long)(setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before);
}

unsigned long clinux_file_limit(void) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (unsigned long)limit.rlim_cur : 0;
}

long clinux_open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) return -1;
    long count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) count += entry->d_name[0] != '.';
    closedir(folder);
    return count - 1;  // the folder's own
}

/// The first `size` - 1 octets of a file of /proc; their number, or -1.
static ssize_t read_proc(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t count = read(fd, text, size - 1);
    close(fd);
    if (count >= 0) text[count] = 0;
    return count;
}

void clinux_memory(long *resident, long *virtual_size) {
    char text[128];
    long pages = -1, total = -1;
    *resident = *virtual_size = -1;
    if (read_proc("/proc/self/statm", text, sizeof text) <= 0) return;
    if (sscanf(text, "%ld %ld", &total, &pages) != 2) return;
    *resident = pages * sysconf(_SC_PAGESIZE);
    *virtual_size = total * sysconf(_SC_PAGESIZE);
}

double clinux_start_time(void) {
    char text[1024];
    if (read_proc("/proc/self/stat", text, sizeof text) <= 0) return -1;
    // Field 22, counted from behind the name in parentheses, which is field 2 (proc_pid_stat(5)).
    char *field = strrchr(text, ')');
    for (int index = 2; field != NULL && index < 22; index += 1) field = strchr(field + 1, ' ');
    unsigned long long ticks;
    struct timespec boot, wall;
    if (field == NULL || sscanf(field, "%llu", &ticks) != 1) return -1;
    if (clock_gettime(CLOCK_BOOTTIME, &boot) != 0 || clock_gettime(CLOCK_REALTIME, &wall) != 0) return -1;
    double now = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9, up = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    return now - up + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

unsigned long clinux_cpu_time(void) {
    struct timespec time;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) return 0;
    return (unsigned long)time.tv_sec * 1000000000ul + (unsigned long)time.tv_nsec;
}

static sigset_t handled(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

void clinux_prepare_signals(void) {
    signal(SIGPIPE, SIG_IGN);
    sigset_t set = handled();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int clinux_wait_for_signal(void) {
    sigset_t set = handled();
    int number = 0;
    while (sigwait(&set, &number) != 0) {}
    return number;
}

char **clinux_environment(void) { return environ; }

int clinux_connect_local(const char *path, int seconds) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    struct timeval limit = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int failure = errno;
    close(fd);
    errno = failure;
    return -1;
}
