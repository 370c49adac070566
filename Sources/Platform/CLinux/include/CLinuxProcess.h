// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Sends `state` to the service manager that NOTIFY_SOCKET names (sd_notify(3)); does nothing where it is unset.
/// Returns 0, or the errno of what failed.
int clinux_notify(const char *state);

/// PR_SET_DUMPABLE 0 and RLIMIT_CORE 0: no core file, no ptrace by others of our user. Returns 0, or an errno.
int clinux_forbid_dumps(void);

/// Raises RLIMIT_NOFILE to its hard limit, and returns what it then is.
unsigned long clinux_raise_file_limit(void);

/// Blocks the calling thread until one of SIGTERM, SIGINT, SIGHUP comes; they must be blocked.
int clinux_wait_for_signal(void);

/// Blocks SIGTERM, SIGINT and SIGHUP in this thread and in those it will start, and ignores SIGPIPE.
void clinux_prepare_signals(void);

/// environ(7).
char **clinux_environment(void);

/// A blocking stream socket connected to the unix socket at `path`; `seconds` is how long one read or write may take.
/// Returns the descriptor, or -1 with errno set.
int clinux_connect_local(const char *path, int seconds);
