// SPDX-License-Identifier: Apache-2.0
// The benchmarks' client: one thread and one blocking connection for each of its clients, so that it costs little itself.
//
//   load http HOST PORT -c CLIENTS -s SECONDS REQUESTS      requests of the file, one after the other, in turn
//   load smtp|lmtp HOST PORT -c CLIENTS -n MESSAGES -u USERS -l OCTETS [-a FIRST]
//                                                           messages to bench1@example.org … benchUSERS@example.org
//   load imap HOST PORT -c CLIENTS -s SECONDS -w WORDS REQUESTS
//                                                           commands of the file, without tags; first LOGIN WORDS and SELECT INBOX
//
// With -n there are so many requests, whatever time that takes. REQUESTS holds whole HTTP requests or IMAP commands, each behind
// a line with its length in octets. Prints one line of JSON:
// {"operations":…,"errors":…,"seconds":…,"p50":…,"p99":…}, the latencies in milliseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct request { char *octets; size_t length; };

struct client {
    pthread_t thread;
    int number, descriptor;
    char input[1 << 16];
    size_t start, end;
    double *latencies;
    size_t count, room;
    long errors;
};

static const char *mode, *host, *words;
static int port, clients = 1, users = 1;
static double duration = 3;
static long messages, size = 10240, first;
static struct request *requests;
static size_t request_count;
static char *body;
static size_t body_length;
static long issued;
static double deadline;
static pthread_barrier_t barrier;

static void fail(const char *what) { perror(what); exit(2); }

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void connect_client(struct client *c) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct timeval patience = { .tv_sec = 120 };
    int yes = 1;
    inet_pton(AF_INET, host, &address.sin_addr);
    c->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->start = c->end = 0;
    setsockopt(c->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(c->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(c->descriptor, (struct sockaddr *)&address, sizeof address)) fail("connect");
}

static int send_all(struct client *c, const char *octets, size_t length) {
    while (length > 0) {
        ssize_t sent = send(c->descriptor, octets, length, MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        octets += sent;
        length -= sent;
    }
    return 0;
}

// Reads more behind what is there; -1 at the end.
static int receive(struct client *c) {
    // Some servers send an answer in two pieces and wait for an acknowledgement in between: they shall get it at once.
    int yes = 1;
    if (c->start == c->end) c->start = c->end = 0;
    if (c->end == sizeof c->input) {
        memmove(c->input, c->input + c->start, c->end - c->start);
        c->end -= c->start;
        c->start = 0;
        if (c->end == sizeof c->input) return -1;
    }
    setsockopt(c->descriptor, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
    ssize_t count = recv(c->descriptor, c->input + c->end, sizeof c->input - c->end, 0);
    if (count <= 0) return -1;
    c->end += count;
    return 0;
}

// The next line without its end, valid until the next call; NULL at the end of the stream.
static char *read_line(struct client *c) {
    size_t looked = 0;
    for (;;) {
        char *end = memchr(c->input + c->start + looked, '\n', c->end - c->start - looked);
        if (end) {
            char *line = c->input + c->start;
            c->start = end + 1 - c->input;
            *end = 0;
            if (end > line && end[-1] == '\r') end[-1] = 0;
            return line;
        }
        looked = c->end - c->start;
        if (receive(c)) return NULL;
    }
}

static int skip(struct client *c, size_t count) {
    while (count > 0) {
        size_t here = c->end - c->start < count ? c->end - c->start : count;
        c->start += here;
        count -= here;
        if (count > 0 && receive(c)) return -1;
    }
    return 0;
}

// MARK: HTTP

static int skip_chunks(struct client *c) {
    for (;;) {
        char *line = read_line(c);
        if (!line) return -1;
        size_t length = strtoul(line, NULL, 16);
        if (skip(c, length)) return -1;
        if (!(line = read_line(c))) return -1;
        if (length == 0) return 0;
    }
}

// 0 for an answer of 2xx, 1 for another, -1 when the connection is gone.
static int exchange_http(struct client *c, long turn) {
    struct request *request = &requests[turn * 7919 % request_count];
    int chunked = 0, ends = 0;
    size_t length = 0;
    if (send_all(c, request->octets, request->length)) return -1;
    char *line = read_line(c);
    if (!line || strncmp(line, "HTTP/1.", 7)) return -1;
    int status = atoi(line + 9);
    while ((line = read_line(c)) && *line) {
        if (!strncasecmp(line, "Content-Length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (!strncasecmp(line, "Transfer-Encoding: chunked", 26)) chunked = 1;
        if (!strncasecmp(line, "Connection: close", 17)) ends = 1;
    }
    if (!line || (chunked ? skip_chunks(c) : skip(c, length))) return -1;
    if (ends) {
        close(c->descriptor);
        connect_client(c);
    }
    return status / 100 == 2 ? 0 : 1;
}

// MARK: SMTP and LMTP

static int reply(struct client *c) {
    for (;;) {
        char *line = read_line(c);
        if (!line) return -1;
        if (strlen(line) < 4 || line[3] != '-') return line[0];
    }
}

static int command(struct client *c, int wanted, const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    return send_all(c, line, length) || reply(c) != wanted;
}

static void greet(struct client *c) {
    if (reply(c) != '2' || command(c, '2', "%s client.example.net\r\n", mode[0] == 'l' ? "LHLO" : "EHLO")) fail("greeting");
}

static int exchange_mail(struct client *c, long turn) {
    char field[128];
    if (command(c, '2', "MAIL FROM:<sender@example.net>\r\n")) return -1;
    if (command(c, '2', "RCPT TO:<bench%ld@example.org>\r\n", 1 + turn % users)) return -1;
    if (command(c, '3', "DATA\r\n")) return -1;
    int length = snprintf(field, sizeof field, "Message-ID: <%ld.%d.%ld@example.net>\r\n", first, getpid(), turn);
    if (send_all(c, field, length) || send_all(c, body, body_length)) return -1;
    return reply(c) == '2' ? 0 : -1;
}

// A plain message of `size` octets, lines of some 70, the final dot included.
static void compose(void) {
    body = malloc(size + 1024);
    body_length = sprintf(body, "From: Sender <sender@example.net>\r\nTo: Bench <bench@example.org>\r\nSubject: benchmark\r\n"
                                "Date: Wed, 01 Apr 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    while (body_length < (size_t)size)
        body_length += sprintf(body + body_length, "line %zu of the winter timetable of the ferry to the island, the pier, the harbour\r\n", body_length);
    body_length += sprintf(body + body_length, ".\r\n");
}

// MARK: IMAP

// The answer to the command "a": 0 for OK, 1 for another, -1 when the connection is gone.
static int answer(struct client *c) {
    char *line;
    while ((line = read_line(c))) {
        size_t length = strlen(line);
        if (!strncmp(line, "a ", 2)) return strncmp(line, "a OK", 4) != 0;
        if (length > 0 && line[length - 1] == '}') {
            char *literal = strrchr(line, '{');
            if (literal && skip(c, strtoul(literal + 1, NULL, 10))) return -1;
        }
    }
    return -1;
}

static int exchange_imap(struct client *c, long turn) {
    struct request *request = &requests[turn * 7919 % request_count];
    return send_all(c, request->octets, request->length) ? -1 : answer(c);
}

static void log_in(struct client *c) {
    char line[512];
    int length = snprintf(line, sizeof line, "a LOGIN %s\r\n", words);
    if (!read_line(c) || send_all(c, line, length) || answer(c)) fail("LOGIN");
    if (send_all(c, "a SELECT INBOX\r\n", 16) || answer(c)) fail("SELECT");
}

// MARK: Running

static void record(struct client *c, double latency) {
    if (c->count == c->room) {
        c->room = c->room ? c->room * 2 : 4096;
        if (!(c->latencies = realloc(c->latencies, c->room * sizeof *c->latencies))) fail("realloc");
    }
    c->latencies[c->count++] = latency;
}

static void begin(struct client *c) {
    connect_client(c);
    if (mode[0] == 'i') log_in(c);
    else if (mode[0] != 'h') greet(c);
}

static int exchange(struct client *c, long turn) {
    switch (mode[0]) {
    case 'h': return exchange_http(c, turn);
    case 'i': return exchange_imap(c, turn);
    default: return exchange_mail(c, first + turn);
    }
}

static void *run(void *argument) {
    struct client *c = argument;
    begin(c);
    pthread_barrier_wait(&barrier);
    for (;;) {
        long turn = __atomic_fetch_add(&issued, 1, __ATOMIC_RELAXED);
        double began = seconds();
        if (messages ? turn >= messages : began >= deadline) break;
        int outcome = exchange(c, turn);
        if (outcome != 0) c->errors++;
        if (outcome == 0) record(c, seconds() - began);
        if (outcome < 0) {
            close(c->descriptor);
            begin(c);
        }
    }
    return NULL;
}

static void read_requests(const char *path) {
    FILE *file = fopen(path, "r");
    size_t length;
    if (!file) fail(path);
    while (fscanf(file, "%zu\n", &length) == 1) {
        char *octets = malloc(length);
        if (!octets || fread(octets, 1, length, file) != length) fail(path);
        requests = realloc(requests, (request_count + 1) * sizeof *requests);
        requests[request_count++] = (struct request){ octets, length };
    }
    fclose(file);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count < 4) return 2;
    mode = arguments[1];
    host = arguments[2];
    port = atoi(arguments[3]);
    int option;
    optind = 4;
    while ((option = getopt(count, arguments, "c:s:n:u:l:a:w:")) != -1) {
        switch (option) {
        case 'c': clients = atoi(optarg); break;
        case 's': duration = atof(optarg); break;
        case 'n': messages = atol(optarg); break;
        case 'u': users = atoi(optarg); break;
        case 'l': size = atol(optarg); break;
        case 'a': first = atol(optarg); break;
        case 'w': words = optarg; break;
        default: return 2;
        }
    }
    if (mode[0] == 'h' || mode[0] == 'i') read_requests(arguments[optind]);
    else compose();
    struct client *all = calloc(clients, sizeof *all);
    pthread_barrier_init(&barrier, NULL, clients + 1);
    for (int number = 0; number < clients; number++) {
        all[number].number = number;
        pthread_create(&all[number].thread, NULL, run, &all[number]);
    }
    double began = seconds();
    deadline = began + 3600;
    pthread_barrier_wait(&barrier);
    began = seconds();
    deadline = began + duration;
    double *latencies = NULL;
    size_t total = 0;
    long errors = 0;
    for (int number = 0; number < clients; number++) {
        pthread_join(all[number].thread, NULL);
        latencies = realloc(latencies, (total + all[number].count + 1) * sizeof *latencies);
        memcpy(latencies + total, all[number].latencies, all[number].count * sizeof *latencies);
        total += all[number].count;
        errors += all[number].errors;
    }
    double ended = seconds();
    qsort(latencies, total, sizeof *latencies, ascending);
    printf("{\"operations\":%zu,\"errors\":%ld,\"seconds\":%.6f,\"p50\":%.4f,\"p99\":%.4f}\n", total, errors, ended - began,
           total ? latencies[total / 2] * 1000 : 0, total ? latencies[total * 99 / 100] * 1000 : 0);
    return 0;
}
