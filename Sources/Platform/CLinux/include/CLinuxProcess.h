// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Sends `state` to the service manager that NOTIFY_SOCKET names (sd_notify(3)); does nothing where it is unset.
/// Returns 0, or the errno of what failed.
int clinux_notify(const char *state);

/// PR_SET_DUMPABLE 0 and RLIMIT_CORE 0: no core file, no ptrace by others of our user. Returns 0, or an errno.
int clinux_forbid_dumps(void);

/// Raises RLIMIT_NOFILE to its hard limit, and returns what it then is.
unsigned long clinux_raise_file_limit(void);

/// RLIMIT_NOFILE as it is.
unsigned long clinux_file_limit(void);

/// Open descriptors of this process; -1 where there is none left to look with.
long clinux_open_files(void);

/// Octets of memory, resident and virtual, and when the process began, in seconds since 1970; -1 where unknown.
void clinux_memory(long *resident, long *virtual_size);
double clinux_start_time(void);

/// CPU time of the process so far, in nanoseconds.
unsigned long clinux_cpu_time(void);

/// Blocks the calling thread until one of SIGTERM, SIGINT, SIGHUP comes; they must be blocked.
int clinux_wait_for_signal(void);

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those it will start, and ignores SIGPIPE.
void clinux_prepare_signals(void);

/// environ(7).
char **clinux_environment(void);

/// A blocking stream socket connected to the unix socket at `path`; `seconds` is how long one read or write may take.
/// Returns the descriptor, or -1 with errno set.
int clinux_connect_local(const char *path, int seconds);
