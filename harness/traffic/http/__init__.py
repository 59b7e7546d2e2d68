"""HTTP/1.1 for ready-made bodies, on gevent sockets."""
