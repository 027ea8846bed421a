/*
 * The container of the gateway benchmarks: an epoll server that costs next to nothing, so that what is measured is the proxy.
 * upstream PORT. Paths: /1k, /100k, /chunked, anything else empty. Reads request content by Content-Length.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INPUT = 65536 };

struct response { char *bytes; size_t length; };
struct connection {
  int fd;
  size_t used;
  long body_left;
  const char *out;
  size_t out_left;
  int close_after;
  struct response *answer;
  char input[INPUT];
};

static struct response empty, kilobyte, hundred, chunked;
static int poller;

static struct response fixed(size_t size) {
  struct response r;
  r.bytes = malloc(size + 256);
  int head = sprintf(r.bytes, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Mon, 23 Nov 2026 05:00:00 GMT\r\nContent-Length: %zu\r\n\r\n", size);
  memset(r.bytes + head, 'x', size);
  r.length = head + size;
  return r;
}

static struct response in_chunks(void) {
  struct response r;
  r.bytes = malloc(4096);
  char *end = r.bytes + sprintf(r.bytes, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 4; i++) {
    end += sprintf(end, "100\r\n");
    memset(end, 'y', 256);
    end += 256;
    end += sprintf(end, "\r\n");
  }
  end += sprintf(end, "0\r\n\r\n");
  r.length = end - r.bytes;
  return r;
}

static void watch(struct connection *c, int change, unsigned events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  epoll_ctl(poller, change, c->fd, &event);
}

/* 1: all written, 0: the kernel is full, -1: broken */
static int flush_out(struct connection *c) {
  while (c->out_left > 0) {
    ssize_t n = write(c->fd, c->out, c->out_left);
    if (n < 0) {
      if (errno != EAGAIN) return -1;
      watch(c, EPOLL_CTL_MOD, EPOLLOUT);
      return 0;
    }
    c->out += n;
    c->out_left -= n;
  }
  return c->close_after ? -1 : 1;
}

static struct response *choose(const char *head, size_t length) {
  const char *path = memchr(head, ' ', length);
  if (path == NULL) return &empty;
  if (!strncmp(path, " /1k", 4)) return &kilobyte;
  if (!strncmp(path, " /100k", 6)) return &hundred;
  return strncmp(path, " /chunked", 9) ? &empty : &chunked;
}

static void consume(struct connection *c, size_t count) {
  memmove(c->input, c->input + count, c->used - count);
  c->used -= count;
}

/* Answers every complete request in the input; same results as flush_out. */
static int serve(struct connection *c) {
  for (;;) {
    if (c->answer == NULL) {
      char *end = memmem(c->input, c->used, "\r\n\r\n", 4);
      if (end == NULL) return 1;
      size_t head = end + 4 - c->input;
      c->answer = choose(c->input, head);
      char saved = c->input[head - 1];
      c->input[head - 1] = 0;
      char *length = strcasestr(c->input, "\r\ncontent-length:");
      c->body_left = length == NULL ? 0 : atol(length + 17);
      c->close_after = strcasestr(c->input, "\r\nconnection: close") != NULL;
      c->input[head - 1] = saved;
      consume(c, head);
    }
    size_t take = (size_t)c->body_left < c->used ? (size_t)c->body_left : c->used;
    consume(c, take);
    c->body_left -= take;
    if (c->body_left > 0) return 1;
    c->out = c->answer->bytes;
    c->out_left = c->answer->length;
    c->answer = NULL;
    int result = flush_out(c);
    if (result <= 0) return result;
  }
}

static int ready(struct connection *c, unsigned events) {
  if (events & EPOLLOUT) {
    int result = flush_out(c);
    if (result <= 0) return result;
    watch(c, EPOLL_CTL_MOD, EPOLLIN);
    return serve(c);
  }
  ssize_t n = read(c->fd, c->input + c->used, INPUT - c->used);
  if (n < 0 && errno == EAGAIN) return 1;
  if (n <= 0) return -1;
  c->used += n;
  return serve(c);
}

int main(int count, char **arguments) {
  int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[count - 1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  signal(SIGPIPE, SIG_IGN);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 4096)) return perror("listen"), 1;
  empty = fixed(0), kilobyte = fixed(1024), hundred = fixed(102400), chunked = in_chunks();
  poller = epoll_create1(0);
  struct connection self = {.fd = listener};
  watch(&self, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[256];;) {
    int n = epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < n; i++) {
      struct connection *c = events[i].data.ptr;
      if (c == &self) {
        for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          struct connection *fresh = calloc(1, sizeof *fresh);
          fresh->fd = fd;
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          watch(fresh, EPOLL_CTL_ADD, EPOLLIN);
        }
      } else if (ready(c, events[i].events) < 0) {
        close(c->fd);
        free(c);
      }
    }
  }
}
