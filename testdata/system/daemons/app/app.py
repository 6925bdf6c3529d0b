"""Counts visits in Redis; serves on the socket that it was passed (sd_listen_fds(3))."""

import http.server
import socket
import socketserver


def visits():
    with socket.socket(socket.AF_UNIX) as redis:
        redis.connect("/run/redis/redis.sock")
        redis.sendall(b"INCR visits\r\n")
        return redis.recv(64).decode().strip(":\r\n")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = f"visit {visits()}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(http.server.HTTPServer):
    def __init__(self):
        # Its world has no network to make a socket in: this one was passed.
        socketserver.BaseServer.__init__(self, None, Page)
        self.socket = socket.socket(fileno=3)


Server().serve_forever()
