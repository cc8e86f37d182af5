"""A port that stays, in front of a server whose ports are new at each start."""

import contextlib
import socket
import threading


class Relay:
    """Carries each connection to where the server is then; it reads nothing of
    the TLS that passes."""

    def __init__(self, case, target):
        self.target = target  # gives the server's port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.threads, self.open = [], set()
        case.addCleanup(self.close)
        self.run(self.accept)

    def run(self, work, *args):
        thread = threading.Thread(target=work, args=args)
        self.threads.append(thread)
        thread.start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            try:
                server = socket.create_connection(("127.0.0.1", self.target()))
            except OSError:
                client.close()  # as where nobody listens
                continue
            self.open |= {client, server}
            self.run(self.carry, client, server)
            self.run(self.carry, server, client)

    def carry(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Ends the threads; what they carried is closed."""
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.threads[0].join()  # from here on none is added
        for end in self.open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        for end in (self.listener, *self.open):
            end.close()
