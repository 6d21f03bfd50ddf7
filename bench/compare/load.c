/* Requests over keep-alive connections, as fast as they are answered or at a steady rate.

   load PORT PROTOCOL CONNECTIONS SECONDS WARM RATE COUNT REPLIES PREAMBLE REQUEST...

   PROTOCOL is http, redis or nats. RATE 0: each connection sends when its last request is answered; else so many
   requests a second are due over all connections, whether answers come or not, and an answer's time counts from when
   its request was due. COUNT > 0: end after so many requests. REPLIES: answers that one request gets. PREAMBLE: a file
   sent once on each connection ("-" for none), answered by PONG. Requests are whole files, taken in turn; in them
   "~at" and 19 digits become the time of CLOCK_MONOTONIC in ns, "conn-0000" the connection's number.
   What is answered in the first WARM seconds is not counted; what is answered of a request still under way counts as
   an answer. Prints one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "histogram.h"

enum { HTTP, REDIS, NATS };
#define INPUT 65536
typedef struct { char *data; long size; long *stamps; int stamped; long *numbers; int numbered; } Request;
typedef struct { int fd, number, of, waiting, greeting; char *out; long size, sent; int64_t due; int left; char in[INPUT]; int have; } Connection;

static int protocol, port, replies, files, epoll;
static Request *requests, preamble;
static Connection *connections;
static long ok, bad, turn, answers;
static char first_bad[160];
static Histogram taken;
static int64_t begin, counted, end;

static void fail(const char *what) { fprintf(stderr, "%s: %s\n", what, strerror(errno)); exit(1); }

static Request take(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) fail(path);
    Request r = {0};
    fseek(f, 0, SEEK_END);
    r.size = ftell(f);
    rewind(f);
    r.data = malloc(r.size + 1);
    if (fread(r.data, 1, r.size, f) != (size_t)r.size) fail(path);
    r.data[r.size] = 0;
    fclose(f);
    r.stamps = malloc(sizeof(long) * (r.size / 22 + 1));
    r.numbers = malloc(sizeof(long) * (r.size / 9 + 1));
    for (char *p = r.data; (p = memmem(p, r.data + r.size - p, "~at", 3)); p += 3) r.stamps[r.stamped++] = p + 3 - r.data;
    for (char *p = r.data; (p = memmem(p, r.data + r.size - p, "conn-", 5)); p += 5) r.numbers[r.numbered++] = p + 5 - r.data;
    return r;
}

static void load(Connection *c, const Request *r) {
    memcpy(c->out, r->data, r->size);
    c->size = r->size;
    char digits[24];
    snprintf(digits, sizeof digits, "%04d", c->number);
    for (int i = 0; i < r->numbered; i++) memcpy(c->out + r->numbers[i], digits, 4);
}

static void interest(Connection *c, uint32_t events, int op) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (epoll_ctl(epoll, op, c->fd, &e)) fail("epoll_ctl");
}

static void flush(Connection *c) {
    while (c->sent < c->size) {
        ssize_t n = send(c->fd, c->out + c->sent, c->size - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { interest(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD); return; }
        if (n <= 0) fail("send");
        c->sent += n;
    }
}

static void post(Connection *c, int64_t due) {
    int file = turn++ % files;
    const Request *r = &requests[file];
    if (c->of != file) { load(c, r); c->of = file; }
    char digits[24];
    snprintf(digits, sizeof digits, "%019ld", (long)due);
    for (int i = 0; i < r->stamped; i++) memcpy(c->out + r->stamps[i], digits, 19);
    c->sent = 0;
    c->due = due;
    c->left = replies;
    c->waiting = 1;
    flush(c);
}

static void refuse(const char *text, int n) {
    bad++;
    if (!first_bad[0]) {
        if (n > 150) n = 150;
        for (int i = 0; i < n; i++) first_bad[i] = text[i] < ' ' || text[i] == '"' || text[i] == '\\' || text[i] > '~' ? ' ' : text[i];
    }
}

/* Each takes one answer from the front of the input: its length, or 0 while it is not whole. */
static int http(Connection *c) {
    char *stop = memmem(c->in, c->have, "\r\n\r\n", 4);
    if (!stop) return 0;
    *stop = 0;
    int head = stop + 4 - c->in, whole = head;
    char *length = strcasestr(c->in, "\r\ncontent-length:"), *chunked = strcasestr(c->in, "\r\ntransfer-encoding: chunked");
    *stop = '\r';
    if (length) whole += atoi(length + 17);
    else if (chunked) {
        char *last = memmem(c->in + head - 2, c->have - head + 2, "\r\n0\r\n\r\n", 7);
        if (!last) return 0;
        whole = last + 7 - c->in;
    }
    if (c->have < whole) return 0;
    if (c->in[9] != '2') refuse(c->in, whole);
    return whole;
}

static int redis(Connection *c) {
    char *line = memmem(c->in, c->have, "\r\n", 2);
    if (!line) return 0;
    int whole = line + 2 - c->in;
    if (c->in[0] == '$') whole += atoi(c->in + 1) + 2;
    if (c->have < whole) return 0;
    if (c->in[0] == '-') refuse(c->in, whole);
    return whole;
}

static int nats(Connection *c, int *counts) {
    char *line = memmem(c->in, c->have, "\r\n", 2);
    *counts = 0;
    if (!line) return 0;
    int whole = line + 2 - c->in;
    if (!strncmp(c->in, "MSG ", 4)) {
        char *size = line;
        while (size[-1] != ' ') size--;
        int head = whole;
        whole += atoi(size) + 2;
        if (c->have < whole) return 0;
        if (memmem(c->in + head, whole - head, "\"error\"", 7)) refuse(c->in + head, whole - head);
        *counts = 1;
    } else if (!strncmp(c->in, "PING", 4)) {
        if (send(c->fd, "PONG\r\n", 6, MSG_NOSIGNAL) != 6) fail("pong");
    } else if (!strncmp(c->in, "PONG", 4)) {
        *counts = 1;
    } else if (!strncmp(c->in, "-ERR", 4)) {
        refuse(c->in, whole);
        *counts = 1;
    }
    return whole;
}

static void receive(Connection *c, int64_t now) {
    for (;;) {
        ssize_t n = recv(c->fd, c->in + c->have, INPUT - 1 - c->have, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n < 0) fail("recv");
        if (!n) { fprintf(stderr, "connection closed by the server\n"); exit(1); }
        c->have += n;
        int done = 0;
        while (c->have) {
            int counts = 1, whole = protocol == HTTP ? http(c) : protocol == REDIS ? redis(c) : nats(c, &counts);
            if (!whole) break;
            c->have -= whole;
            memmove(c->in, c->in + whole, c->have);
            if (!counts) continue;
            if (c->greeting) { c->greeting = 0; continue; }
            if (now >= counted) answers++;
            if (c->waiting && --c->left == 0) done = 1;
        }
        if (c->have == INPUT - 1) { fprintf(stderr, "an answer is longer than expected\n"); exit(1); }
        if (done) {
            c->waiting = 0;
            if (now >= counted) { ok++; note(&taken, now - c->due); }
        }
        if (n < 1024) return;
    }
}

int main(int argc, char **argv) {
    if (argc < 11) { fprintf(stderr, "load PORT PROTOCOL CONNECTIONS SECONDS WARM RATE COUNT REPLIES PREAMBLE REQUEST...\n"); return 2; }
    port = atoi(argv[1]);
    protocol = !strcmp(argv[2], "http") ? HTTP : !strcmp(argv[2], "redis") ? REDIS : NATS;
    int count = atoi(argv[3]);
    double seconds = atof(argv[4]), warm = atof(argv[5]), rate = atof(argv[6]);
    long limit = atol(argv[7]);
    replies = atoi(argv[8]);
    if (strcmp(argv[9], "-")) preamble = take(argv[9]);
    files = argc - 10;
    requests = malloc(sizeof(Request) * files);
    long largest = preamble.size;
    for (int i = 0; i < files; i++) {
        requests[i] = take(argv[10 + i]);
        if (requests[i].size > largest) largest = requests[i].size;
    }
    epoll = epoll_create1(0);
    connections = calloc(count, sizeof(Connection));
    for (int i = 0; i < count; i++) {
        Connection *c = &connections[i];
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(c->fd, (void *)&a, sizeof a)) fail("connect");
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        c->number = i;
        c->of = -1;
        c->out = malloc(largest);
        interest(c, EPOLLIN, EPOLL_CTL_ADD);
        if (preamble.size) { load(c, &preamble); c->greeting = 1; flush(c); }
    }
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, found[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &e);
    begin = clock_ns();
    while (preamble.size) {
        int left = 0;
        for (int i = 0; i < count; i++) left += connections[i].greeting;
        if (!left) break;
        if (clock_ns() - begin > 10000000000) { fprintf(stderr, "no greeting\n"); return 1; }
        int n = epoll_wait(epoll, found, 256, 100);
        for (int i = 0; i < n; i++) if (found[i].data.ptr) receive(found[i].data.ptr, 0);
    }
    begin = clock_ns();
    counted = begin + (int64_t)(warm * 1e9);
    end = counted + (int64_t)(seconds * 1e9);
    double gap = rate > 0 ? 1e9 / rate : 0;
    long given = 0;
    int idle = 0, *free_ones = malloc(sizeof(int) * count);
    if (!gap) for (int i = 0; i < count && (!limit || given < limit); i++, given++) post(&connections[i], clock_ns());
    else for (int i = count - 1; i >= 0; i--) free_ones[idle++] = i;
    int64_t now = clock_ns();
    while (now < end) {
        if (gap) {
            while (idle && (!limit || given < limit) && begin + (int64_t)(given * gap) <= now) {
                post(&connections[free_ones[--idle]], begin + (int64_t)(given * gap));
                given++;
            }
            int64_t next = begin + (int64_t)(given * gap);
            if (idle) {
                struct itimerspec at = {.it_value = {next / 1000000000, next % 1000000000}};
                timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
            }
        }
        int n = epoll_wait(epoll, found, 256, 50);
        now = clock_ns();
        for (int i = 0; i < n; i++) {
            Connection *c = found[i].data.ptr;
            if (!c) { uint64_t ticks; if (read(timer, &ticks, 8) < 0 && errno != EAGAIN) fail("timer"); continue; }
            if (found[i].events & EPOLLOUT) { interest(c, EPOLLIN, EPOLL_CTL_MOD); flush(c); }
            if (!(found[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) continue;
            int busy = c->waiting;
            receive(c, clock_ns());
            if (!busy || c->waiting) continue;
            if (gap) free_ones[idle++] = c->number;
            else if (!limit || given < limit) { given++; post(c, clock_ns()); }
        }
        if (limit && given >= limit) {
            int left = 0;
            for (int i = 0; i < count; i++) left += connections[i].waiting;
            if (!left) break;
        }
    }
    now = clock_ns();
    long unanswered = 0;
    if (gap) { /* what was due and has no answer took at least until now */
        for (int i = 0; i < count; i++) if (connections[i].waiting && connections[i].due >= counted) { note(&taken, now - connections[i].due); unanswered++; }
        for (; begin + (int64_t)(given * gap) < end && (!limit || given < limit); given++) {
            int64_t due = begin + (int64_t)(given * gap);
            if (due >= counted) { note(&taken, now - due); unanswered++; }
        }
    }
    if (!gap && !ok && answers) /* batches longer than the window: they take at least as long */
        for (int i = 0; i < count; i++) if (connections[i].waiting) note(&taken, now - connections[i].due);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double busy = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    int64_t from = counted > begin ? counted : begin;
    printf("{\"ok\": %ld, \"answers\": %ld, \"bad\": %ld, \"seconds\": %.6f, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"unanswered\": %ld, \"replies\": %d, \"begin\": %ld, \"end\": %ld, \"busy\": %.3f, \"first_bad\": \"%s\"}\n",
           ok, answers, bad, (now - from) / 1e9, rank(&taken, 0.5) / 1e6, rank(&taken, 0.99) / 1e6, taken.largest / 1e6, unanswered, replies, (long)begin, (long)now, busy / ((now - begin) / 1e9), first_bad);
    return 0;
}
